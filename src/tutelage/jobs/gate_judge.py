"""Holding a gate's rules against two systems' scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from tutelage.errors import ConfigError, DataError, nearest
from tutelage.jobs.compare_material import Material
from tutelage.jobs.compare_pair import Basis, Pair
from tutelage.jobs.gate import Rule, matches
from tutelage.jobs.gate_region import Region, failing, items_needed
from tutelage.report.comparison import SHARES, Decision, RulePart, RuleResult
from tutelage.report.comparison_words import finding, statement
from tutelage.stats import compare_macro, estimate, estimate_macro, flip_report
from tutelage.stats.multiplicity import Correction
from tutelage.types import Estimate

__all__ = ["judge", "matched"]

_ORDER: dict[Decision, int] = {"fail": 0, "underpowered": 1, "pass": 2}
_NONE = 100  # resamples: the least allowed, where nothing that is used is resampled
Reading = Callable[[float], Estimate]


@dataclass(frozen=True)
class _Part:
    """What a rule reads of one metric or group: the quantity at any level, and again with missing answers as wrong."""

    title: str
    unit: str
    region: Region
    read: Reading
    pessimistic: Reading | None = None
    missing: int = 0
    higher_is_better: bool = True


def matched(rule: Rule, materials: Sequence[Material]) -> list[Material]:
    """The metrics that a rule is about.

    Raises:
        ConfigError: a pattern that matches no metric: a rule about nothing would always hold.
    """
    names = [material.name for material in materials]
    for pattern in rule.patterns:
        if not any(matches(pattern, name) for name in names):
            close = nearest(pattern, [*names, *(material.task for material in materials)])
            known = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
            raise ConfigError(
                f"rule {rule.title!r}: no metric is called {pattern!r}",
                where="gate",
                hint=f"did you mean {close!r}?" if close else f"compared were: {known}",
            )
    return [m for m in materials if any(matches(pattern, m.name) for pattern in rule.patterns)]


def judge(rule: Rule, materials: Sequence[Material], basis: Basis, correction: Correction = "holm") -> RuleResult:
    """One rule's result.

    The rule passes when every part's interval lies wholly on the good side, fails when any part's lies wholly on the
    bad side (at the level that ``correction`` asks for, see :func:`tutelage.jobs.gate_region.failing`), and is
    underpowered otherwise.

    Args:
        rule: what to hold.
        materials: the metrics compared.
        basis: level, seed and resamples of the intervals.
        correction: for failing, over the rule's parts.

    Raises:
        ConfigError: no such metric or breakdown, or a limit outside the metric's range.
    """
    chosen = matched(rule, materials)
    parts = list(_composite(rule, chosen, basis) if rule.composite else _each(rule, chosen, basis))
    fails = failing([part.region for part in parts], [part.read for part in parts], basis.level, correction)
    judged = [_judged(rule, part, basis.level, failed) for part, failed in zip(parts, fails, strict=True)]
    judged.sort(key=lambda part: (_ORDER[part.decision], _ease(part)))
    decision = judged[0].decision
    units = {part.unit for part in judged}
    limit = next((v for v in (rule.margin, rule.most, rule.least) if v is not None), None)
    asked = statement(rule.require, _what(rule, chosen), limit, units.pop() if len(units) == 1 else "", rule.breakdown)
    names = tuple(material.name for material in chosen)
    return RuleResult(rule.title, rule.require, asked, decision, _summary(judged), tuple(judged), names)


def _what(rule: Rule, chosen: Sequence[Material]) -> str:
    if rule.composite:
        return f"the mean of {len(chosen)} metrics"
    return chosen[0].title if len(chosen) == 1 else f"each of {len(chosen)} metrics ({', '.join(rule.patterns)})"


def _summary(parts: Sequence[RulePart]) -> str:
    first, same = parts[0], [part for part in parts if part.decision == parts[0].decision]
    if len(parts) == 1:
        return first.sentence
    if first.decision == "pass":
        return f"all {len(parts)} hold; closest: {first.sentence}"
    if first.decision == "fail":
        return first.sentence + (f", and {len(same) - 1} more of {len(parts)}" if len(same) > 1 else "")
    return f"{len(same)} of {len(parts)} undecided, first {first.sentence}"


def _ease(part: RulePart) -> float:
    """How far from its line the finding is, for its precision: the least easy part comes first."""
    room = Region(part.low, part.high).room(part.value.value)
    if math.isnan(room):
        return -math.inf
    half = (part.value.high - part.value.low) / 2
    return room / half if half > 0 and math.isfinite(half) else math.copysign(math.inf, room) if room else 0.0


def _judged(rule: Rule, part: _Part, level: float, failed: bool) -> RulePart:
    value = part.read(level)
    decision = part.region.decide(value)
    if decision == "fail" and not failed:
        decision = "underpowered"  # beyond the line, but not after correction for the rule's many parts
    few, doubt = value.n < rule.minimum_items, ""
    if decision == "pass" and part.pessimistic is not None and part.region.decide(part.pessimistic(level)) != "pass":
        decision = "underpowered"
        doubt = f"; {part.missing} items have no score in the new system, and with those as wrong it would not pass"
    if few:
        decision = "underpowered"
    needed = None
    if decision == "underpowered" and not doubt:
        needed = items_needed(part.region, value, share=_is_share(rule, part, value))
        if few and part.region.room(value.value) > 0:
            needed = max(rule.minimum_items, needed or 0)
    told = RulePart(
        part.title, decision, value, "", value.n, part.unit, part.region.low, part.region.high, needed
    )  # fmt: skip
    if doubt:
        sentence = finding(rule.require, replace(told, decision="pass"), higher_is_better=part.higher_is_better)
        return replace(told, sentence=sentence + doubt)
    sentence = finding(
        rule.require, told, higher_is_better=part.higher_is_better, minimum=rule.minimum_items if few else 0
    )
    return replace(told, sentence=sentence)


def _is_share(rule: Rule, part: _Part, value: Estimate) -> bool:
    levels = rule.require in ("negative-flips", "at-least", "at-most")
    return levels and part.unit in SHARES and "wilson" in value.method


def _each(rule: Rule, chosen: Sequence[Material], basis: Basis) -> Iterator[_Part]:
    breakdowns = _breakdowns(rule, chosen)
    for material in chosen:
        _check_limit(rule, material)
        mine = [name for name in breakdowns if name in material.breakdowns]
        if not mine:  # not asked for, or a metric without this breakdown: it is judged as one group
            yield _part(rule, material, material.pair, material.doubtful, material.title, basis)
        for name in mine:
            for label, group in material.breakdowns[name].items():
                doubtful = material.doubtful_group(name, label)
                title = f"{material.title}, {name} = {label or '(none)'}"
                yield _part(rule, material, group, doubtful, title, basis)
            for label in material.empty_groups(name):
                region = rule.region(higher_is_better=material.higher_is_better)
                yield _Part(f"{material.title}, {name} = {label or '(none)'}", material.unit, region, _unknown)


def _unknown(level: float) -> Estimate:
    """What is known of a group without any score: it neither passes nor fails."""
    return Estimate(math.nan, -math.inf, math.inf, level, "no scores", 0, 0)


def _breakdowns(rule: Rule, chosen: Sequence[Material]) -> list[str]:
    known = sorted({name for material in chosen for name in material.breakdowns})
    if not rule.by and rule.require != "every-group":
        return []
    if not known or (rule.by and rule.breakdown not in known):
        close = nearest(rule.breakdown, known)
        hint = f"did you mean {close!r}?" if close else f"there are: {', '.join(known) or 'none'}"
        asked = f"by = {rule.by!r}" if rule.by else "groups"
        raise ConfigError(f"rule {rule.title!r}: the items have no such breakdown ({asked})", where="gate", hint=hint)
    return [rule.breakdown] if rule.by else known


def _check_limit(rule: Rule, material: Material) -> None:
    """A margin of 2 on scores between 0 and 1 was meant as points, and would let everything pass."""
    limits = [limit for limit in (rule.margin, rule.least, rule.most) if limit is not None]
    if material.unit in SHARES and any(abs(limit) > 1 for limit in limits):
        raise ConfigError(
            f"rule {rule.title!r}: {limits[0]:g} is larger than any score of {material.name}",
            where="gate",
            hint=f"scores lie between 0 and 1: {limits[0]:g} points are written {limits[0] / 100:g}",
        )


def _part(rule: Rule, material: Material, pair: Pair, doubtful: Pair | None, title: str, basis: Basis) -> _Part:
    return _Part(
        title=title,
        unit="%" if rule.require == "negative-flips" else material.unit,
        region=rule.region(higher_is_better=material.higher_is_better),
        read=_reading(rule, pair, basis),
        pessimistic=None if doubtful is None else _reading(rule, doubtful, basis),
        missing=0 if doubtful is None else doubtful.n - pair.n,
        higher_is_better=material.higher_is_better,
    )


def _reading(rule: Rule, pair: Pair, basis: Basis) -> Reading:
    @cache
    def read(level: float) -> Estimate:
        if rule.require in ("at-least", "at-most"):
            return estimate(pair.new, level=level)
        if rule.require == "negative-flips":
            return flip_report(
                pair.old,
                pair.new,
                right_from=rule.right_from,
                dead_band=rule.dead_band,
                level=level,
                resamples=_NONE,
            ).negative_rate
        return pair.change(replace(basis, level=level)).delta

    return read


def _composite(rule: Rule, chosen: Sequence[Material], basis: Basis) -> Iterator[_Part]:
    units, directions = {m.unit for m in chosen}, {m.higher_is_better for m in chosen}
    if len(units) > 1 or directions != {True}:
        raise DataError(
            f"rule {rule.title!r}: a mean needs metrics of one unit that rise as the system gets better",
            where="gate",
            hint="name the metrics that belong together, or use composite = false",
        )
    for material in chosen:
        _check_limit(rule, material)

    def reading(pairs: dict[str, Pair]) -> Reading:
        old, new = ({name: getattr(pair, side) for name, pair in pairs.items()} for side in ("old", "new"))

        @cache
        def read(level: float) -> Estimate:
            if rule.require in ("at-least", "at-most"):
                return estimate_macro(new, level=level)
            return compare_macro(old, new, level=level, seed=basis.seed, resamples=basis.resamples).delta

        return read

    doubtful = {m.name: m.doubtful or m.pair for m in chosen}
    missing = sum(m.doubtful.n - m.pair.n for m in chosen if m.doubtful is not None)
    yield _Part(
        title=f"mean of {len(chosen)} metrics",
        unit=units.pop(),
        region=rule.region(),
        read=reading({m.name: m.pair for m in chosen}),
        pessimistic=reading(doubtful) if missing else None,
        missing=missing,
    )
