"""What a comparison says in sentences: rules, their findings, the answer, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from tutelage.report.comparison import SHARES, Answer, Compared, RulePart, RuleResult
from tutelage.report.numbers import change, count, known, level, number, scaled
from tutelage.report.untrusted import one_line
from tutelage.types import Estimate

__all__ = ["about", "amount", "answer", "finding", "found", "statement"]

_NAME = 40  # characters of a system's or metric's name in a sentence


def amount(value: float, unit: str, *, sign: bool = False) -> str:
    """A number in its unit, ``"2.0 points"``.

    Example:
        >>> amount(0.02, "points"), amount(0.03, "%"), amount(0.5, "nats")
        ('2.0 points', '3.0 %', '0.500 nats')
    """
    shares = unit in SHARES
    return f"{number(100 * value if shares else value, 1 if shares else 3, sign=sign)} {unit}".rstrip()


def found(estimate: Estimate, unit: str, *, difference: bool = True) -> str:
    """An estimate with its interval and unit, ``"+3.1 points [1.0, 5.2]"``."""
    shares = unit in SHARES
    shown, digits = scaled(estimate, 100 if shares else 1), 1 if shares else 3
    text = change(shown, digits) if difference else level(shown, digits)
    head, bracket, tail = text.partition(" [")
    return f"{head}{' ' + unit if unit else ''}{bracket}{tail}"


def about(n: int) -> str:
    """A number of items to two digits, rounded up, ``"about 1,900"``.

    Example:
        >>> about(1843), about(97)
        ('about 1,900', 'about 97')
    """
    step = 10 ** max(0, len(str(n)) - 2)
    return f"about {count(-(-n // step) * step)}"


def statement(require: str, what: str, limit: float | None, unit: str, by: str = "") -> str:
    """What a rule asks, in words.

    Example:
        >>> statement("no-loss", "arithmetic", 0.02, "points")
        'arithmetic may lose at most 2.0 points'
    """
    size = amount(limit or 0.0, unit)
    each = f" in every group of {by}" if by else ""
    return {
        "gain": f"{what} must gain{f' more than {size}' if limit else ''}{each}",
        "no-loss": f"{what} may lose at most {size}{each}",
        "equivalent": f"{what} may move by at most {size} either way{each}",
        "every-group": f"no group{f' of {by}' if by else ''} may lose more than {size} on {what}",
        "negative-flips": f"at most {amount(limit or 0.0, '%')} of the items of {what} may break{each}",
        "at-least": f"{what} must be above {size}{each}",
        "at-most": f"{what} must be below {size}{each}",
    }[require]


def finding(require: str, part: RulePart, *, higher_is_better: bool = True, minimum: int = 0) -> str:
    """One part's finding, and what is lacking where it does not decide.

    Args:
        require: what the rule asks.
        part: the part; its sentence is not read.
        higher_is_better: of the metric.
        minimum: items below which the rule decides nothing.
    """
    what, value, title = _measured(require, part, higher_is_better), part.value, one_line(part.title, 60)
    if part.decision != "underpowered":
        return what
    if part.n < minimum:
        return f"{what}; {count(part.n)} items are fewer than the {count(minimum)} the rule asks for"
    if not (known(value.low) and known(value.high)):
        return f"{title}: too few independent items ({count(value.n_clusters)}) for an interval"
    if part.needed is None:
        return f"{what}; the estimate itself is on the wrong side, so more items would not help it to pass"
    return f"{what} does not decide it: {count(part.n)} items, need {about(part.needed)}"


def _measured(require: str, part: RulePart, higher_is_better: bool) -> str:
    title = one_line(part.title, 60)
    if require == "negative-flips":
        return f"{title}: {found(part.value, '%', difference=False)} of the items broke"
    if require in ("at-least", "at-most"):
        return f"{title}: {found(part.value, part.unit, difference=False)}"
    worse = part.value.value < 0 if higher_is_better else part.value.value > 0
    if part.decision == "fail" and worse:
        lost = scaled(part.value, -1) if higher_is_better else part.value
        assert lost is not None
        return f"{title} {'lost' if higher_is_better else 'got worse by'} {found(lost, part.unit, difference=False)}"
    return f"{title}: {found(part.value, part.unit)}"


def answer(old: str, new: str, rules: Sequence[RuleResult], metrics: Sequence[Compared]) -> Answer:
    """The first sentence, the decision, and what to do next.

    Args:
        old: name of the system in use.
        new: name of the one that may replace it.
        rules: what the gate's rules came to; empty without a gate.
        metrics: all metrics compared, for when there is no gate.
    """
    one, two = one_line(old, _NAME), one_line(new, _NAME)
    if not rules:
        return _ungated(one, two, metrics)
    failed = [rule for rule in rules if rule.decision == "fail"]
    open_rules = [rule for rule in rules if rule.decision == "underpowered"]
    if failed:
        others = len(failed) - 1
        more = f"; {others} more {'rule fails' if others == 1 else 'rules fail'}" if others else ""
        return Answer("fail", f"{two} must not replace {one}: {failed[0].sentence}{more}", _AFTER_FAIL)
    if not open_rules:
        return Answer("pass", f"{two} may replace {one}: {len(rules)} of {len(rules)} rules pass", _AFTER_PASS)
    return _undecided(open_rules, len(rules))


def _undecided(rules: Sequence[RuleResult], of: int) -> Answer:
    parts = [(rule, part) for rule in rules for part in rule.parts if part.decision == "underpowered"]
    hopeless = [(rule, part) for rule, part in parts if part.needed is None]
    if hopeless:
        rule, part = hopeless[0]
        return Answer("underpowered", f"Not decided: {part.sentence}", _AFTER_WRONG_SIDE)
    rule, part = max(parts, key=lambda pair: (pair[1].needed or 0) / max(1, pair[1].n))
    sentence = f"Not decided: {count(part.n)} items, need {about(part.needed or 0)} (rule “{one_line(rule.name, 60)}”"
    others = f", and {len(rules) - 1} more of {of} rules" if len(rules) > 1 else ""
    return Answer("underpowered", f"{sentence}{others})", _AFTER_UNDERPOWERED)


_AFTER_PASS = (
    "Ship it. Before you do, read the worst regressions once: the rules bound how many answers broke, not which."
)
_AFTER_FAIL = (
    "Keep the old system. Read the worst regressions to see what broke, repair it, and compare again; "
    "moving the margin now, after seeing the data, would make the gate worthless."
)
_AFTER_UNDERPOWERED = (
    "Keep the old system for now and measure both on more items, as many as are named; "
    "if you cannot get that many, decide before the next comparison whether a wider margin is acceptable."
)
_AFTER_WRONG_SIDE = (
    "Keep the old system. The best guess already misses the margin and only noise leaves it open: improve the new "
    "system rather than measuring it longer."
)
_AFTER_NO_GATE = (
    "This describes, it does not decide. To get a yes or no, write down what you would accept in a gate file and pass "
    "--gate; choose the margins before you look at these numbers."
)


def _ungated(old: str, new: str, metrics: Sequence[Compared]) -> Answer:
    if len(metrics) == 1:
        only = metrics[0]
        moved = {"better": "better", "worse": "worse", "none": "no different", "unclear": "not clearly different"}
        word = moved.get(only.moved, "not measured")
        told = found(only.change.delta, only.unit)
        return Answer(
            None, f"{new} is {word} than {old} on {one_line(only.title or only.name, _NAME)}: {told}", _AFTER_NO_GATE
        )
    better = [m for m in metrics if m.moved == "better"]
    worse = [m for m in metrics if m.moved == "worse"]
    if not better and not worse:
        return Answer(
            None, f"No clear difference between {old} and {new} on any of {len(metrics)} metrics", _AFTER_NO_GATE
        )
    halves = [f"{word} on {_listed(some)}" for word, some in (("better", better), ("worse", worse)) if some]
    return Answer(None, f"{new} is {', '.join(halves)} ({len(metrics)} metrics compared)", _AFTER_NO_GATE)


def _listed(metrics: Sequence[Compared]) -> str:
    names = [one_line(m.title or m.name, _NAME) for m in metrics]
    kept = names if len(names) <= 3 else [*names[:2], f"{len(names) - 2} more"]
    return " and ".join(([", ".join(kept[:-1])] if len(kept) > 1 else []) + kept[-1:])
