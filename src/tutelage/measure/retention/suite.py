"""The suite: which probes there are, running them, and the composite."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from tutelage.errors import DataError, RangeError, nearest
from tutelage.measure.retention.generated import arithmetic_task, instructions_task
from tutelage.measure.retention.language import BaseReplies, distance_task, text_task
from tutelage.measure.retention.ranked import knowledge_task, reading_task
from tutelage.measure.retention.sizes import size_of
from tutelage.measure.suite import Task
from tutelage.stats import compare_macro, estimate_macro
from tutelage.types import Comparison, Engine, Estimate, Scores

__all__ = ["ASSETS", "COMPOSITE", "Probe", "general_ability", "general_ability_of", "run", "suite"]

COMPOSITE = ("instructions", "arithmetic", "knowledge", "reading")
"""The abilities that general ability is the mean of; each in [0, 1]."""

ASSETS = (
    "truthfulqa",
    "asdiv",
    "piqa",
    "openbookqa",
    "commonsenseqa",
    "factual-summary-pairs",
    "boolq",
    "chat",
    "nq-open",
)
"""What the suite reads, for the record of licences."""


@dataclass(frozen=True)
class Probe:
    """One ability: ``task()`` reads its items; ``title`` names it in a report; ``unit`` is of one value."""

    name: str
    title: str
    unit: str
    task: Callable[[], Task]

    def measure(self, engine: Engine) -> Scores:
        """The scores of its task, under its name."""
        return self.task().measure(engine).only()

    @property
    def in_composite(self) -> bool:
        """Whether it counts towards general ability."""
        return self.name in COMPOSITE


def suite(size: str = "quick", *, base: BaseReplies | None = None) -> list[Probe]:
    """The probes in the order in which they are run.

    Args:
        size: ``"smoke"`` (seconds), ``"quick"``, ``"standard"`` or ``"full"``.
        base: the base's replies; without them there is no ``kl_to_base``.

    Raises:
        RangeError: no such size.

    Example:
        >>> [probe.name for probe in suite("quick")]
        ['instructions', 'arithmetic', 'knowledge', 'reading', 'text_nll']
    """
    s = size_of(size)
    probes = [
        Probe(
            "instructions",
            "Following instructions",
            "share kept",
            lambda: instructions_task(s.instructions, s.instruction_tokens),
        ),
        Probe("arithmetic", "Arithmetic", "share right", lambda: arithmetic_task(s.arithmetic, s.arithmetic_tokens)),
        Probe("knowledge", "Common knowledge", "share right", lambda: knowledge_task(s.knowledge)),
        Probe("reading", "Reading", "share right", lambda: reading_task(s.reading)),
        Probe("text_nll", "General text", "nats per token", lambda: text_task(s.passages, s.passage_tokens)),
    ]
    if base is not None:
        probes.append(Probe("kl_to_base", "Distance from the base", "nats per token", lambda: distance_task(base)))
    return probes


def run(
    engine: Engine,
    size: str = "quick",
    *,
    base: BaseReplies | None = None,
    only: Collection[str] | None = None,
    done: Mapping[str, Scores] | None = None,
    on_done: Callable[[Probe, Scores], None] | None = None,
) -> dict[str, Scores]:
    """Measure the general abilities of a model: real items, always the same ones, one value each.

    Args:
        engine: the model.
        size: see :func:`suite`.
        base: see :func:`suite`.
        only: names of the probes to run; None runs all.
        done: scores that are there already, for example of an interrupted run: they are taken over, not measured.
        on_done: called after each probe, to save its scores and show progress.

    Returns:
        Scores by name of the probe.

    Raises:
        RangeError: no such size, or a name in ``only`` that is no probe.
        AssetMissing: data of the suite is not installed; the hint is the command.

    Source: own composition; each probe names its data.
    """
    probes = suite(size, base=base)
    names = [probe.name for probe in probes]
    for name in only or ():
        if name not in names:
            close = nearest(name, names)
            raise RangeError(
                f"no probe is called {name!r}", hint=f"did you mean {close!r}?" if close else f"use {', '.join(names)}"
            )
    scores: dict[str, Scores] = {}
    for probe in probes:
        if only is not None and probe.name not in only:
            continue
        if done is not None and probe.name in done:
            scores[probe.name] = done[probe.name]
            continue
        scores[probe.name] = probe.measure(engine)
        if on_done is not None:
            on_done(probe, scores[probe.name])
    return scores


def _parts(results: Mapping[str, Scores]) -> dict[str, Scores]:
    missing = [name for name in COMPOSITE if name not in results]
    if missing:
        raise DataError(f"general ability needs {', '.join(missing)} too", hint="run the whole suite")
    return {name: results[name] for name in COMPOSITE}


def general_ability(
    a: Mapping[str, Scores], b: Mapping[str, Scores], *, smallest_effect: float | None = None, seed: int = 0
) -> Comparison:
    """The change from ``a`` to ``b`` in general ability: the mean over the four abilities, items paired.

    Args:
        a: results of :func:`run` for the model before.
        b: for the model after.
        smallest_effect: see :func:`tutelage.stats.compare`.
        seed: of the bootstrap.

    Raises:
        DataError: an ability is missing.

    Source: :func:`tutelage.stats.compare_macro`.
    """
    return compare_macro(_parts(a), _parts(b), smallest_effect=smallest_effect, seed=seed)


def general_ability_of(results: Mapping[str, Scores]) -> Estimate:
    """General ability of one model, in [0, 1], with its interval.

    Raises:
        DataError: an ability is missing.

    Source: :func:`tutelage.stats.estimate_macro`.
    """
    return estimate_macro(_parts(results))
