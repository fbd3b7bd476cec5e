"""A toy engine over letters, whose every probability can be written down, and small made-up assets."""

from __future__ import annotations

import numpy as np
import pytest

from tutelage import assets
from tutelage.types import Completion, TokenScores, TokenSequence

VOCABULARY = 128


class LetterEngine:
    """Tokens are ASCII letters; the next one depends on the last by a table of log-probabilities [V, V]."""

    name = "letters"

    def __init__(self, seed=0, reply="ok", finish="stop", scale=2.0):
        logits = np.random.default_rng(seed).normal(size=(VOCABULARY, VOCABULARY)) * scale
        self.table = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        self.reply, self.finish = reply, finish
        self.samplings, self.prompts = [], []

    def generate(self, prompts, *, sampling, n=1, seed=0):
        self.samplings.append(sampling)
        self.prompts += prompts
        texts = [self.reply(prompt) if callable(self.reply) else self.reply for prompt in prompts]
        return [[Completion(t, tuple(map(ord, t)), self.finish)] * n for t in texts]

    def encode(self, prompt, completion=""):
        before = [0, *(ord(c) % VOCABULARY for turn in prompt for c in turn["content"]), 10]
        return TokenSequence((*before, *(ord(c) % VOCABULARY for c in completion)), len(before))

    def score(self, sequences, *, top_k=0, candidates=None):
        found = []
        for i, s in enumerate(sequences):
            rows = self.table[list(s.ids[s.start - 1 : -1])] if s.start < len(s.ids) else self.table[:0]
            own = np.array([row[t] for row, t in zip(rows, s.ids[s.start :], strict=True)])
            if candidates is not None:
                picked = np.tile(np.array(candidates[i]), (len(rows), 1))
            else:
                picked = np.argsort(-rows, axis=1)[:, :top_k]
            found.append(TokenScores(own, picked, np.take_along_axis(rows, picked, axis=1)))
        return found


@pytest.fixture
def letters():
    return LetterEngine


SAFETY = {
    "do-not-answer": {"area": "malicious_uses"},
    "harmbench": {"source": "harmbench_prompts"},
    "advbench": {"categories": ["a", "b"]},
    "benign-instructions": {"categories": []},
    "tech-support": {"topic": "tech_support"},
}


def yes_no(i):
    return {"question": f"can you carry a gun in town {i}", "choices": ["no", "yes"], "answer": int(i % 3 == 0)}


def made_up(name, split=None):
    """Twelve rows of each asset that the suites read."""
    numbers = range(12)
    if name == "truthfulqa":
        return [{"id": f"t{i}", "question": f"Why do penguins waddle {'x' * i}?"} for i in numbers]
    if name == "asdiv":
        one_step = [
            {"id": f"a{i}", "question": f"Lea has {i + 9} hats and finds {i}. How many now?", "answer": 2.0 * i + 9}
            for i in numbers
        ]
        return [*one_step, {"id": "two-step", "question": "3 and 4 and 5. How many?", "answer": 12.0}]
    if name in ("piqa", "openbookqa", "commonsenseqa", "siqa", "mmlu"):
        more = {"passage": "P."} if name == "siqa" else {}
        first = ["aaa", "dddd"] if name == "openbookqa" else ["aaa"]
        return [
            {"id": f"{name[0]}{i}", "question": f"Q{i}", "choices": [*first, f"bb{i}", "c  c"], "answer": i % 3} | more
            for i in numbers
        ]
    if name in SAFETY:
        return [{"id": f"{name[:2]}{i}", "prompt": f"{name} {i}", **SAFETY[name]} for i in numbers]
    if name == "refusal-judgements":
        said = ["I'm sorry, but I can't help with that.", "Stir it well.", "I cannot assist with this.", "Of course!"]
        return [{"id": f"j{i}", "response": said[i % 4], "scores": [float(i % 4 in (0, 1))]} for i in numbers]
    if name == "factual-summary-pairs":
        pairs = [{"id": f"s{i}", "document": f"d{i}", "chosen": f"good {i}", "rejected": f"bad {i}"} for i in numbers]
        return [*pairs, {"id": "same", "document": "d", "chosen": "same", "rejected": "same"}]
    if name == "boolq":
        assert split == "dev"
        rows = [
            {"id": f"b{i}", "group": f"g{i // 2}", "passage": chr(97 + i // 2) * 600, "title": f"T{i // 2}"} | yes_no(i)
            for i in numbers
        ]
        return [*rows, {"id": "short", "group": "short", "passage": "too short", "title": "", **yes_no(0)}]
    if name == "chat":
        return [{"id": f"c{i}", "group": f"c{i // 2}", "prompt": f"hello {i // 2}"} for i in numbers]
    if name == "nq-open":
        return [{"id": f"n{i}", "question": f"who is number {i}"} for i in numbers]
    raise AssertionError(name)


@pytest.fixture
def made_up_rows(monkeypatch):
    asked = []

    def rows(name, split=None):
        asked.append(name)
        return made_up(name, split)

    monkeypatch.setattr(assets, "rows", rows)
    return asked
