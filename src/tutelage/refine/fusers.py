"""Fusers: reference and rewrite in, one answer out that is as right as the first and worded like the second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tutelage.io import content_hash
from tutelage.refine.calls import CallCache, Said
from tutelage.refine.case import Case, is_terse
from tutelage.refine.checks import cleaned, find_value
from tutelage.refine.prompts import FUSION_VERSION, fusion_prompt
from tutelage.seeds import derive
from tutelage.types import Engine, Sampling

__all__ = ["EngineFuser", "Fuser", "TemplateFuser"]


class Fuser(Protocol):
    """``fuse`` merges each case's reference and rewrite (``case.text``); round 0, 1, ... may give other texts.

    ``engine`` is the engine it asks, if it asks one; ``version`` changes whenever its results may.
    """

    name: str
    version: str
    engine: Engine | None

    def fuse(self, cases: Sequence[Case], number: int, calls: CallCache) -> list[Said]:
        """One fused text per case."""
        ...


class TemplateFuser:
    """The rewrite, with a terse reference in it exactly as it is written; no model, the same in every round.

    ``"The symbol is AU."`` and reference ``Au`` give ``"The symbol is Au."``; a value that is not there at all is put
    behind the text in brackets. At the start of a sentence the rewrite's capital stays.
    """

    name = "rule"
    version = "1"
    engine: Engine | None = None

    def __init__(self, *, terse_words: int = 8) -> None:
        self.terse_words = terse_words

    def fuse(self, cases: Sequence[Case], number: int, calls: CallCache) -> list[Said]:
        """One fused text per case."""
        return [Said(self._fuse(case), 0, "stop") for case in cases]

    def _fuse(self, case: Case) -> str:
        if not is_terse(case.reference, self.terse_words):
            return case.text
        value = case.reference.strip().rstrip(".").strip()
        if not value or value in case.text:
            return case.text
        span = find_value(value, case.text)
        if span is None:
            end = case.text[-1] if case.text.endswith((".", "!", "?")) else ""
            return f"{case.text[: len(case.text) - len(end)]} ({value}){end}"
        before, found, after = case.text[: span[0]], case.text[slice(*span)], case.text[span[1] :]
        opens = not before.strip() or before.rstrip().endswith((".", "!", "?"))
        if opens and found[1:] == value[1:]:
            return case.text
        return before + value + after


class EngineFuser:
    """Asks an engine to merge: greedily in the first round, by chance (with the round's own seed) in the others."""

    def __init__(self, engine: Engine, *, max_new_tokens: int = 128, temperature: float = 0.7, seed: int = 0) -> None:
        self.engine: Engine | None = engine
        self._asked = engine
        self.name = f"engine:{engine.name}"
        self.version = content_hash([FUSION_VERSION, max_new_tokens, temperature, seed])
        self.max_new_tokens, self.temperature, self.seed = max_new_tokens, temperature, seed

    def fuse(self, cases: Sequence[Case], number: int, calls: CallCache) -> list[Said]:
        """One fused text per case."""
        sampling = Sampling(max_new_tokens=self.max_new_tokens, temperature=self.temperature if number else 0.0)
        said = calls.generate(
            self._asked,
            [fusion_prompt(case) for case in cases],
            sampling=sampling,
            seed=derive(self.seed, "fuse", number),
        )
        return [Said(cleaned(one.text), one.tokens, one.finish) for one in said]
