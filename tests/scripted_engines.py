"""Stand-ins for models: engines that follow a script, and an encoder that counts words."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tutelage.errors import EngineError
from tutelage.refine import RaftRefiner, RefineSettings, RuleJudge, Similarity, TemplateFuser
from tutelage.types import Chat, Completion, Row, Sampling, TokenScores, TokenSequence


def good_rewrite(prompt: Chat) -> str:
    """A faithful statement of whatever the rewriting prompts ask, made from their wording; "no" to long answers."""
    _, stated, asked = prompt[-1]["content"].partition("statement: ")
    if not stated:
        return "no"
    question, _, answer = asked.rpartition(" It is ")
    return f"{question.rstrip('?')} , namely {answer.strip('.').strip(chr(34))}."


class ScriptedEngine:
    """Answers by ``reply(prompt)``, keeps what it was asked, and can write each prompt to a file as it is asked."""

    def __init__(
        self,
        reply: Callable[[Chat], str] | Sequence[str] = good_rewrite,
        *,
        name: str = "scripted",
        finish: str = "stop",
        ledger: Path | None = None,
    ) -> None:
        self.name = name
        self.reply = reply
        self.finish = finish
        self.ledger = ledger
        self.asked: list[Chat] = []
        self.samplings: list[Sampling] = []
        self.seeds: list[int] = []
        self.batches: list[int] = []

    def generate(self, prompts: Sequence[Chat], *, sampling: Sampling, n: int = 1, seed: int = 0):
        self.batches.append(len(prompts))
        answers = []
        for prompt in prompts:
            text = self.reply(prompt) if callable(self.reply) else self.reply[len(self.asked) % len(self.reply)]
            self.asked.append(prompt)
            self.samplings.append(sampling)
            self.seeds.append(seed)
            answers.append([Completion(text, tuple(range(len(text.split()))), self.finish)] * n)
        if self.ledger is not None:
            with self.ledger.open("a") as stream:
                stream.write("x" * len(prompts))
        return answers

    def score(self, sequences: Sequence[TokenSequence], **_: object) -> list[TokenScores]:
        raise EngineError("a scripted engine gives no log-probabilities")

    def encode(self, prompt: Chat, completion: str = "") -> TokenSequence:
        raise EngineError("a scripted engine gives no log-probabilities")


class WordEncoder:
    """Counts of words, by a hash of the word: texts that share words are near each other."""

    name = "words"

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        out = np.zeros((len(texts), 256))
        for row, text in zip(out, texts, strict=True):
            row[0] = 1e-3
            for word in text.lower().replace(".", " ").replace("?", " ").replace("'", " ").replace('"', " ").split():
                row[zlib.crc32(word.encode()) % 255 + 1] += 1
        return out


def row_of(number: int, question: str | None = None, answer: str = "strings", **more: object) -> Row:
    question = question or f"Which family of sounds does the instrument 'cello {number}' belong to?"
    return {
        "id": f"row-{number}",
        "prompt": [{"role": "user", "content": question}],
        "completion": [{"role": "assistant", "content": answer}],
        **more,
    }


def raft(engine: ScriptedEngine | None = None, **settings: object) -> RaftRefiner:
    """RAFT with stand-ins: word encoder, rule fuser, rule judge."""
    similarity = Similarity(WordEncoder())
    return RaftRefiner(
        engine or ScriptedEngine(),
        RefineSettings(**settings),
        similarity=similarity,
        fuser=TemplateFuser(),
        judges=[RuleJudge()],
    )
