"""Worked reasoning before the answer: written by a program, or sampled from a model and kept where it is right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tutelage.errors import ConfigError, DataError
from tutelage.io import content_hash
from tutelage.refine.calls import CallCache, engine_identity
from tutelage.refine.engine import RowRefiner
from tutelage.refine.registered import refiners
from tutelage.seeds import derive
from tutelage.types import Chat, Engine, Message, Refined, Row, Sampling, Verifier

__all__ = ["ProgrammaticReasoning", "ReasoningSettings", "SampledReasoning", "last_line"]

_VERSION = 1


def last_line(text: str) -> str:
    """The last line that is not empty: where an answer stands after its reasoning.

    Example:
        >>> last_line("6 * 4 is 24.\\n24\\n")
        '24'
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


@dataclass(frozen=True)
class ReasoningSettings:
    """How reasoning is sampled. Paper: 16 samples of each question from a stronger model, the right ones kept.

    ``instruction`` follows the last turn of the prompt when the engine is asked; it is not part of the row.
    ``otherwise`` says what becomes of a row that no sample solves.
    """

    samples: int = 16
    sampling: Sampling = Sampling(max_new_tokens=512, temperature=1.0)  # noqa: RUF009 - frozen
    instruction: str = "Think step by step. Write the answer alone on the last line."
    otherwise: Literal["drop", "keep"] = "drop"

    def __post_init__(self) -> None:
        if self.samples < 1 or self.sampling.temperature < 0:
            raise ConfigError("at least one sample is needed")
        if self.sampling.temperature == 0 and self.samples > 1:
            raise ConfigError("greedy samples are all the same", hint="raise the temperature or take one sample")


class ProgrammaticReasoning(RowRefiner):
    """Put the reasoning that ``reason(row)`` writes before each answer; no model is asked.

    The control for sampled reasoning: nothing in it comes from a stronger model.

    Args:
        reason: the steps that lead to the row's answer, as text.
        version: names the function; a changed one needs another name, so that finished rows are not reused.
        layout: how reasoning and answer are joined.
    """

    name = "programmatic_reasoning"

    def __init__(self, reason: Callable[[Row], str], *, version: str, layout: str = "{reasoning}\n{answer}") -> None:
        if "{reasoning}" not in layout or not layout.endswith("{answer}"):
            raise ConfigError(f"the layout {layout!r} must hold {{reasoning}} and end with {{answer}}")
        self.reason, self.version, self.layout = reason, version, layout

    def fingerprint(self) -> str:
        """Of the function's name and the layout."""
        return content_hash([_VERSION, self.name, self.version, self.layout])

    def refine(self, rows: Sequence[Row], calls: CallCache) -> list[Refined]:
        """Every row with its reasoning; a row for which there is none (empty text) is kept as it is."""
        del calls
        found = []
        for row in rows:
            steps = self.reason(row).strip()
            if not steps:
                found.append(Refined(row, "kept", "no reasoning for this row"))
                continue
            text = self.layout.replace("{reasoning}", steps).removesuffix("{answer}") + _answer(row)
            found.append(Refined(_answered(row, text), "changed", "reasoning written by a program"))
        return found


@refiners.register("sampled_reasoning", paper="https://arxiv.org/abs/2510.00237")
class SampledReasoning(RowRefiner):
    """Sample reasoning with an answer from an engine until a verifier accepts the answer, and keep that sample.

    Samples are drawn one after another with their own seeds; the first right one is a random one of the right ones, so
    stopping there changes nothing but the cost. What is learnt from a stronger engine is partly distillation: compare
    with :class:`ProgrammaticReasoning`.

    Args:
        engine: who reasons.
        verifier: judges the answer against the row's reference (else its completion).
        settings: how many samples, how drawn.
        read: finds the answer in a sample.
        verified_by: names verifier and reader; changed ones need another name, so that finished rows are not reused.
        seed: of the samples.
    """

    name = "sampled_reasoning"

    def __init__(
        self,
        engine: Engine,
        verifier: Verifier,
        settings: ReasoningSettings | None = None,
        *,
        read: Callable[[str], str] = last_line,
        verified_by: str = "",
        seed: int = 0,
    ) -> None:
        self.engine, self.verifier, self.read, self.seed = engine, verifier, read, seed
        self.settings = settings or ReasoningSettings()
        self.verified_by = verified_by or getattr(verifier, "__qualname__", type(verifier).__qualname__)

    def fingerprint(self) -> str:
        """Of engine, verifier, settings and seed."""
        s = self.settings
        sampling = [s.samples, vars(s.sampling), s.instruction, s.otherwise]
        return content_hash([_VERSION, self.name, engine_identity(self.engine), self.verified_by, sampling, self.seed])

    def refine(self, rows: Sequence[Row], calls: CallCache) -> list[Refined]:
        """Every row with a right sample as its completion; one that no sample solves is dropped or kept."""
        solved: dict[int, tuple[str, int]] = {}
        for number in range(self.settings.samples):
            todo = [place for place in range(len(rows)) if place not in solved]
            asked = [self._asked(rows[place]) for place in todo]
            seed = derive(self.seed, "reasoning", number)
            for place, said in zip(
                todo, calls.generate(self.engine, asked, sampling=self.settings.sampling, seed=seed), strict=True
            ):
                if said.finish == "stop" and self._right(rows[place], said.text):
                    solved[place] = (said.text.strip(), number + 1)
        return [self._result(row, solved.get(place)) for place, row in enumerate(rows)]

    def _asked(self, row: Row) -> Chat:
        *before, last = row["prompt"]
        content = f"{last['content']}\n{self.settings.instruction}".rstrip()
        return [*before, Message(role=last["role"], content=content)]

    def _right(self, row: Row, text: str) -> bool:
        reference = row["reference"] if "reference" in row else _answer(row)
        return self.verifier(row["prompt"], self.read(text), reference).score >= 1.0

    def _result(self, row: Row, found: tuple[str, int] | None) -> Refined:
        if found is not None:
            text, tries = found
            trace: dict[str, Any] = {"tries": tries}
            return Refined(_answered(row, text), "changed", f"sample {tries} is right", trace)
        reason, trace = f"none of {self.settings.samples} samples is right", {"tries": self.settings.samples}
        if self.settings.otherwise == "keep":
            return Refined(row, "kept", reason, trace)
        return Refined(None, "dropped", reason, trace)


def _answer(row: Row) -> str:
    if not row["completion"]:
        raise DataError("the row has no answer to reason towards", where=f"row {row['id']}")
    return row["completion"][-1]["content"]


def _answered(row: Row, text: str) -> Row:
    *before, last = row["completion"] or [Message(role="assistant", content="")]
    return {**row, "completion": [*before, Message(role=last["role"], content=text)]}
