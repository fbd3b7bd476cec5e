"""Self-conditioned rewriting: the model that will be tuned says the reference answer as it would say it itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tutelage.io import content_hash
from tutelage.refine.calls import CallCache, Said, engine_identity
from tutelage.refine.case import Case
from tutelage.refine.checks import cleaned, validate
from tutelage.refine.prompts import REWRITES, ladder
from tutelage.refine.settings import RefineSettings
from tutelage.refine.similarity import Similarity
from tutelage.refine.stages import Attempt, first_valid
from tutelage.seeds import derive
from tutelage.types import Engine, Message, Row, Sampling

__all__ = ["Rewriting", "with_answer"]

RULES_VERSION = 1  # of the checks; raise it when they change, so that finished rows are judged anew


class Rewriting:
    """y~ ~ p_theta0(. | x, y), tried until it passes the checks, at most ``settings.attempts`` times.

    Try number k uses prompt k of the case's ladder at ``settings.temperature``; when the ladder is used up, the last
    prompt is asked again at ``settings.retry_temperature`` with the try's own seed. The paper draws one sample
    (``attempts=1``); trying again is ours, and every try is recorded.
    """

    def __init__(
        self, engine: Engine, settings: RefineSettings, *, similarity: Similarity | None, seed: int = 0
    ) -> None:
        self.engine, self.settings, self.similarity, self.seed = engine, settings, similarity, seed

    def fingerprint(self) -> list[Any]:
        """What decides the rewrites and which of them pass."""
        s = self.settings
        encoder = None if self.similarity is None else [*self.similarity.identity, s.tau]
        prompts = [REWRITES[name].hash for name in sorted(REWRITES)]
        sampling = [s.attempts, s.temperature, s.retry_temperature, s.max_new_tokens, s.instructions, s.terse_words]
        return [RULES_VERSION, engine_identity(self.engine), prompts, sampling, encoder, self.seed]

    def __call__(self, cases: Sequence[Case], calls: CallCache) -> list[list[Attempt[str]]]:
        """The tries for each case, in order; only the last can have passed."""

        def generate(batch: list[Case], number: int) -> list[tuple[Said, str]]:
            return self._generate(batch, number, calls)

        def judged(batch: list[Case], said: list[Said]) -> list[Any]:
            texts = [replace(case, text=one.text) for case, one in zip(batch, said, strict=True)]
            s = self.settings
            return validate(texts, said, terse_words=s.terse_words, similarity=self.similarity, tau=s.tau)

        return first_valid(list(cases), self.settings.attempts, generate, judged)

    def _generate(self, cases: list[Case], number: int, calls: CallCache) -> list[tuple[Said, str]]:
        s = self.settings
        rungs = [ladder(case, s.terse_words) for case in cases]
        names = [rung[min(number, len(rung) - 1)].name for rung in rungs]
        answers: list[tuple[Said, str] | None] = [None] * len(cases)
        for again in (False, True):
            mine = [i for i, rung in enumerate(rungs) if (number >= len(rung)) is again]
            sampling = Sampling(
                max_new_tokens=s.max_new_tokens, temperature=s.retry_temperature if again else s.temperature
            )
            prompts = [REWRITES[names[i]].chat(cases[i], s.instructions) for i in mine]
            seed = derive(self.seed, "rewrite", number)
            for i, said in zip(mine, calls.generate(self.engine, prompts, sampling=sampling, seed=seed), strict=True):
                answers[i] = (replace(said, text=cleaned(said.text)), names[i])
        return [answer for answer in answers if answer is not None]

    def provenance(self, calls: CallCache) -> dict[str, Any]:
        """Who wrote, and how: the ``gen`` field of a record, but for the prompt's hash."""
        s = self.settings
        loaded = getattr(self.engine, "loaded", None)
        return {
            "model": self.engine.name,
            "identity": calls.identity(self.engine),
            "revision": getattr(loaded, "revision", None),
            "params": {
                "max_new_tokens": s.max_new_tokens,
                "temperature": s.temperature,
                "top_p": 1.0,
                "top_k": 0,
                "retry_temperature": s.retry_temperature,
                "seed": self.seed,
            },
        }

    def hash(self) -> str:
        """:meth:`fingerprint` as one hash."""
        return content_hash(self.fingerprint())


def with_answer(row: Row, text: str) -> Row:
    """The row with another answer; what a metric checks stays the original one."""
    original = row["completion"][-1]["content"]
    message: Message = {**row["completion"][-1], "content": text}
    changed: Row = {**row, "completion": [message]}
    changed["reference"] = row.get("reference", original)
    return changed
