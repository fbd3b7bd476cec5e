"""May the new system replace the old one? Paired, item by item, and if there is a gate with an answer."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import metadata

from tutelage.errors import ConfigError, nearest
from tutelage.jobs.compare_cases import regressions
from tutelage.jobs.compare_flips import flip_facts
from tutelage.jobs.compare_material import Material, materials_of
from tutelage.jobs.compare_pair import Basis, Pair, compare_pair
from tutelage.jobs.gate import Gate
from tutelage.jobs.gate_judge import judge
from tutelage.measure.results import Alignment, Results, align_results
from tutelage.measure.results.dotted import label_name
from tutelage.report.comparison import (
    SHARES,
    Compared,
    ComparisonDocument,
    PlanFacts,
    RuleResult,
    System,
)
from tutelage.report.comparison_words import answer, found
from tutelage.stats import adjust, self_flips
from tutelage.stats.intervals import within_shares
from tutelage.stats.multiplicity import Correction
from tutelage.stats.plan import ComparisonPlan
from tutelage.types import Estimate

__all__ = ["CompareSettings", "compare_results", "plan_of"]

_NAMED = 5  # tasks that one note names
_FEW = 30  # items below which the top of the report says so


@dataclass(frozen=True)
class CompareSettings:
    """How two systems are compared, fixed before their results are read.

    Attributes:
        level: confidence level of every interval; a gate's own level goes before it.
        correction: of p values over all metrics, and again over all groups.
        smallest_effect: the difference that matters, in the metric's unit; without one nothing is called tied.
        metrics: patterns of the metrics to compare; none: all in common.
        by: breakdowns to show; none: all there are.
        dead_band: for graded scores, how far a score may move without counting as a flip.
        cases: worst regressions kept of each task.
        seed: of the bootstrap.
        resamples: of the bootstrap.
    """

    level: float = 0.95
    correction: Correction = "holm"
    smallest_effect: float | None = None
    metrics: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    dead_band: float = 0.0
    cases: int = 8
    seed: int = 0
    resamples: int = 10_000

    @property
    def basis(self) -> Basis:
        """What the statistics need of it."""
        return Basis(self.level, self.seed, self.resamples, self.smallest_effect)


def compare_results(
    old: Results,
    new: Results,
    settings: CompareSettings | None = None,
    gate: Gate | None = None,
    *,
    baseline: Results | None = None,
    command: str = "",
) -> ComparisonDocument:
    """Compare two systems on the items both were measured on, and judge the gate's rules.

    Args:
        old: results of the system in use.
        new: of the one that may replace it.
        settings: how; the gate's level, correction and seed go before it.
        gate: the conditions of replacing; None: describe only.
        baseline: another run of the old system, to show how often answers flip when nothing has changed.
        command: what was typed, for the report.

    Returns:
        Everything the reports show; ``answer.decision`` is None without a gate.

    Raises:
        DataError: nothing in common, or tasks that are not the same.
        ConfigError: a rule or pattern that names nothing.
    """
    settings = settings or CompareSettings()
    if gate is not None:
        settings = replace(settings, level=gate.gate.level, correction=gate.gate.correction, seed=gate.gate.seed)
    alignment = align_results(old, new)
    materials = materials_of(alignment.tasks, settings.metrics, dead_band=settings.dead_band)
    again = _self_rates(old, baseline, settings)
    metrics = _family([_compared(m, m.pair, settings, again=again) for m in materials], settings)
    groups = _family(list(_groups(materials, settings)), settings)
    rules = [judge(rule, materials, settings.basis, settings.correction) for rule in gate.rules] if gate else []
    return ComparisonDocument(
        old=_system(old),
        new=_system(new),
        answer=answer(old.name, new.name, rules, metrics),
        plan=plan_of(settings, gate),
        metrics=tuple(metrics),
        groups=tuple(groups),
        rules=tuple(_worst_first(rules)),
        regressions=regressions(_failed_first(materials, rules), new.name, settings.cases),
        cautions=(*_together([*alignment.notes, *_cautions(materials)]), *_overlooked(metrics, rules)),
        notes=(*_unmatched(alignment), *old.notes, *new.notes),
        command=command,
        created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        versions={"tutelage": metadata.version("tutelage")},
    )


def plan_of(settings: CompareSettings, gate: Gate | None) -> PlanFacts:
    """What was fixed before the results were read, with its fingerprint: no result has a part in it."""
    rules = [json.dumps(asdict(rule), sort_keys=True) for rule in gate.rules] if gate is not None else []
    shown = json.dumps({"by": settings.by, "dead_band": settings.dead_band}, sort_keys=True)
    plan = ComparisonPlan(
        metrics=settings.metrics or ("*",),
        smallest_effect=settings.smallest_effect,
        level=settings.level,
        correction=settings.correction,
        resamples=settings.resamples,
        seed=settings.seed,
        rules=(*rules, shown),
    )
    return PlanFacts(
        fingerprint=plan.fingerprint,
        level=settings.level,
        correction=settings.correction,
        seed=settings.seed,
        resamples=settings.resamples,
        metrics=settings.metrics,
        breakdowns=settings.by,
        gate="; ".join(rule.title for rule in gate.rules) if gate is not None else "",
        smallest_effect=settings.smallest_effect,
    )


def _compared(
    material: Material,
    pair: Pair,
    settings: CompareSettings,
    *,
    breakdown: str = "",
    group: str = "",
    again: Mapping[str, Estimate] | None = None,
) -> Compared:
    paired = compare_pair(pair, settings.basis, dead_band=material.dead_band)
    return Compared(
        task=material.task,
        metric=material.metric,
        n=pair.n,
        old=within_shares(paired.old, pair.old.values) if material.unit in SHARES else paired.old,
        new=within_shares(paired.new, pair.new.values) if material.unit in SHARES else paired.new,
        change=paired.change,
        title=material.title,
        breakdown=breakdown,
        group=group,
        unit=material.unit,
        higher_is_better=material.higher_is_better,
        flips=flip_facts(paired.flips, (again or {}).get(material.name)),
        left_out=0 if breakdown else pair.left_out,
    )


def _groups(materials: Sequence[Material], settings: CompareSettings) -> list[Compared]:
    known = sorted({name for material in materials for name in material.breakdowns})
    wanted = [label_name(path) for path in settings.by]
    for name in wanted:
        if name not in known:
            close = nearest(name, known)
            hint = f"did you mean {close!r}?" if close else f"there are: {', '.join(known) or 'none'}"
            raise ConfigError(f"the items have no breakdown {name!r}", where="--by", hint=hint)
    return [
        _compared(material, pair, settings, breakdown=name, group=label)
        for material in materials
        for name in (wanted or material.breakdowns)
        for label, pair in material.breakdowns.get(name, {}).items()
    ]


def _family(compared: list[Compared], settings: CompareSettings) -> list[Compared]:
    """One family of tests, its p values corrected together."""
    corrected = adjust([one.change for one in compared], method=settings.correction)
    return [replace(one, change=change) for one, change in zip(compared, corrected, strict=True)]


def _worst_first(rules: Sequence[RuleResult]) -> list[RuleResult]:
    order = {"fail": 0, "underpowered": 1, "pass": 2}
    return sorted(rules, key=lambda rule: order[rule.decision])


def _failed_first(materials: Sequence[Material], rules: Sequence[RuleResult]) -> list[Material]:
    """What failing rules look at before the rest: its regressions are read first."""
    failed = {part.title for rule in rules for part in rule.parts if part.decision == "fail"}
    return sorted(materials, key=lambda m: not any(t == m.title or t.startswith(f"{m.title}, ") for t in failed))


def _system(results: Results) -> System:
    facts: dict[str, str | int | float | bool | None] = {
        str(key): value for key, value in results.facts.items() if isinstance(value, str | int | float | bool)
    }
    return System(results.name, results.source, facts)


def _self_rates(old: Results, baseline: Results | None, settings: CompareSettings) -> dict[str, Estimate]:
    """How often the old system's own answers flip between two runs, by metric."""
    if baseline is None:
        return {}
    materials = materials_of(align_results(old, baseline).tasks)
    return {
        m.name: self_flips(m.pair.old, m.pair.new, dead_band=settings.dead_band, level=settings.level)
        for m in materials
    }


def _unmatched(alignment: Alignment) -> list[str]:
    """Items without a partner, every one of them counted; where they are many a caution says so too."""
    return [
        f"{task.task}: {len(alone)} items of the {side} system have no partner: {', '.join(alone[:5])}"
        for task in alignment.tasks
        for side, alone in (("old", task.only_old), ("new", task.only_new))
        if alone
    ]


def _together(notes: Sequence[str]) -> list[str]:
    """Notes that say the same of several tasks (``TASK: note``), each once."""
    tasks: dict[str, dict[str, None]] = {}
    for note in notes:
        task, colon, said = note.partition(": ")
        tasks.setdefault(said if colon else note, {})[task if colon else ""] = None
    return [f"{_listed([*names])}{said}" for said, names in tasks.items()]


def _listed(tasks: Sequence[str]) -> str:
    if tasks == [""]:
        return ""
    more = f" and {len(tasks) - _NAMED} more" if len(tasks) > _NAMED else ""
    return f"{', '.join(tasks[:_NAMED])}{more}: "


def _overlooked(metrics: Sequence[Compared], rules: Sequence[RuleResult]) -> list[str]:
    """What got worse without any rule that looks at it."""
    covered = {name for rule in rules for name in rule.metrics}
    return [
        f"{one.title} got worse, {found(one.change.delta, one.unit)}, and no rule looks at it."
        for one in metrics
        if rules and one.moved == "worse" and one.name not in covered
    ]


def _cautions(materials: Sequence[Material]) -> list[str]:
    """What the scores themselves ask a reader to know before the numbers, as ``TASK: note``."""
    told = []
    for material in materials:
        pair = material.pair
        for side, missing, table in (("old", pair.old_missing, material.old), ("new", pair.new_missing, material.new)):
            if missing:
                reasons = sorted({table.missing[item] for item in missing if item in table.missing})
                why = f" ({'; '.join(reasons[:3])})" if reasons else ""
                end = "; no rule passes that would not also pass with them as wrong" if side == "new" else ""
                told.append(
                    f"{material.task}: {len(missing)} items have no score in the {side} system{why} and are left out "
                    f"on both sides{end}."
                )
        if pair.n < _FEW:
            told.append(f"{material.task}: only {pair.n} items; intervals from so few are rough.")
    if all((m.pair.old.values == m.pair.new.values).all() and m.old.outputs == m.new.outputs for m in materials):
        told.append("Both systems have the same score on every item. Was the same file given twice?")
    return told
