"""Reward models of solutions in steps: one protocol for all, and the kind that speaks its verdict.

Four kinds: discriminative or generative (d, g), of the outcome or of every step (ORM, PRM). The discriminative ones
are heads on a language model: :mod:`tutelage.training.reward_heads`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

from tutelage.errors import DataError, RangeError
from tutelage.types import Chat, Engine, Sampling

__all__ = ["RewardKind", "RewardModel", "VerdictRewardModel"]

RewardKind = Literal["dORM", "dPRM", "gORM", "gPRM"]
Solutions = Sequence[Sequence[str]]


@runtime_checkable
class RewardModel(Protocol):
    """Something that scores solutions, given as lists of steps, to one question.

    ``score`` gives for every solution probabilities of being right: one number for kinds of the outcome (ORM), one for
    every step for kinds of the process (PRM). :func:`tutelage.stats.aggregate` makes one number of them.
    """

    kind: RewardKind

    def score(self, question: str, solutions: Solutions) -> list[list[float]]:
        """Scores in [0, 1], in the order of solutions and steps."""
        ...


OUTCOME_PROMPT = "{question}\n\n{solution}\n\nIs the answer correct? Answer Yes or No."
STEP_PROMPT = "{question}\n\n{solution}\n\nIs the last step correct? Answer Yes or No."


class VerdictRewardModel:
    r"""A verdict that a language model speaks: :math:`P(Yes)/(P(Yes)+P(No))`, scored, not sampled.

    With ``critiques`` the model first writes so many, each followed by ``lead``, and the verdicts after them are
    averaged. The released code reads the verdict among the twenty likeliest tokens of what was sampled and has to
    guess where it is not there; both words are scored here, so there always is one.

    Args:
        engine: anything that can score (and speak, if there are critiques).
        kind: gORM asks once about the whole, gPRM about every step, shown with those before it.
        prompt: with the places ``{question}`` and ``{solution}``; None: a plain question.
        yes: the word for "right".
        no: the word for "wrong".
        critiques: how many are written before the verdict; 0: none.
        lead: what stands between a critique and its verdict.
        sampling: of the critiques.
        seed: of the critiques.

    Raises:
        RangeError: a discriminative kind, a negative number of critiques, words that do not differ.

    Source: arXiv 2510.00492; the verdict without a critique is ours.
    """

    def __init__(
        self,
        engine: Engine,
        kind: RewardKind = "gORM",
        *,
        prompt: str | None = None,
        yes: str = "Yes",
        no: str = "No",
        critiques: int = 0,
        lead: str = "\nVerification: Is the answer correct (Yes/No)? ",
        sampling: Sampling | None = None,
        seed: int = 0,
    ) -> None:
        if kind not in ("gORM", "gPRM"):
            raise RangeError(f"a spoken verdict is of the kind gORM or gPRM, not {kind}")
        if critiques < 0 or yes == no:
            raise RangeError(f"{critiques} critiques, {yes!r} and {no!r}", hint="none or more; words that differ")
        self.engine, self.kind, self.yes, self.no = engine, kind, yes, no
        self.prompt = prompt or (OUTCOME_PROMPT if kind == "gORM" else STEP_PROMPT)
        self.critiques, self.lead, self.seed = critiques, lead, seed
        self.sampling = sampling or Sampling(max_new_tokens=512, temperature=0.6, top_p=0.95, top_k=20)

    def score(self, question: str, solutions: Solutions) -> list[list[float]]:
        """As :class:`RewardModel` says.

        Raises:
            DataError: a solution without steps.
        """
        asked, counts = [], []
        for steps in solutions:
            if not steps:
                raise DataError("a solution without steps cannot be scored", where=f"question {question[:60]!r}")
            shown = [len(steps)] if self.kind == "gORM" else range(1, len(steps) + 1)
            counts.append(len(shown))
            texts = ["\n\n".join(steps[:end]) for end in shown]
            asked += [self._asked(question, one) for one in texts]
        verdicts = iter(self._verdicts(asked))
        return [[next(verdicts) for _ in range(count)] for count in counts]

    def _asked(self, question: str, solution: str) -> str:
        given = {"{question}": question, "{solution}": solution}
        return re.sub(r"\{question\}|\{solution\}", lambda found: given[found[0]], self.prompt)

    def _verdicts(self, asked: Sequence[str]) -> list[float]:
        words = (self.yes, self.no)
        chats: list[Chat] = [[{"role": "user", "content": text}] for text in asked]
        leads = [[""] for _ in asked]
        if self.critiques:
            written = self.engine.generate(chats, sampling=self.sampling, n=self.critiques, seed=self.seed)
            leads = [[one.text + self.lead for one in row] for row in written]
        # Scored from where the critique begins: what both words have before them cancels in the ratio.
        said = [(chat, lead + word) for chat, row in zip(chats, leads, strict=True) for lead in row for word in words]
        sequences = [self.engine.encode(chat, text) for chat, text in said]
        logs = [float(one.logprobs.sum(dtype="float64")) for one in self.engine.score(sequences)]
        shares = [1 / (1 + math.exp(min(no - yes, 700.0))) for yes, no in zip(logs[::2], logs[1::2], strict=True)]
        each = max(1, self.critiques)
        return [math.fsum(shares[i : i + each]) / each for i in range(0, len(shares), each)]
