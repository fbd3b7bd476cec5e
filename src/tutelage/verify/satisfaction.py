"""How many of its constraints does an answer meet? Constraints of three arities, and the table of what was met."""

from __future__ import annotations

import inspect
import logging
import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tutelage.errors import ConfigError, DataError, RangeError
from tutelage.types import Chat, FloatArray, Scores, Verdict, Verifier

__all__ = ["Arity", "ConstantVerifierWarning", "Constraint", "CsrTable", "Response", "constraint_of", "csr", "verifier"]

Arity = Literal["y", "xy", "set"]
"""What a constraint looks at: the answer; prompt and answer; several prompts with their answers."""

_log = logging.getLogger(__name__)


class ConstantVerifierWarning(UserWarning):
    """A constraint gave every answer the same score, so nothing can be learnt from it."""


@dataclass(frozen=True)
class Response:
    """One answer to one prompt. ``id`` is unique in a table; ``prompt_id`` says which prompt it answers."""

    id: str
    prompt: Chat
    text: str
    reference: str | None = None
    prompt_id: str = ""


@dataclass(frozen=True)
class Constraint:
    """A named check.

    ``check`` is called with ``(text)`` for arity "y", ``(prompt, text, reference)`` for "xy", and with a sequence of
    :class:`Response` for "set"; it returns a bool, a number in [0, 1] or a :class:`tutelage.types.Verdict`.
    """

    name: str
    arity: Arity
    check: Callable[..., Verdict | float | bool]
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.arity not in ("y", "xy", "set"):
            raise ConfigError(f"no arity {self.arity!r}", where=f"constraint {self.name!r}", hint="y, xy or set")
        if not (self.weight > 0 and math.isfinite(self.weight)):
            raise RangeError(f"the weight is {self.weight}", where=f"constraint {self.name!r}", hint="a number above 0")

    def __call__(self, prompt: Chat, text: str, reference: str | None) -> Verdict:
        """The verdict on one answer, as a :class:`tutelage.types.Verifier`; a set of this one answer for "set"."""
        if self.arity == "set":
            return _verdict(self.check([Response("", prompt, text, reference)]))
        return _verdict(self.check(text) if self.arity == "y" else self.check(prompt, text, reference))


def verifier(
    arity: Arity, *, weight: float = 1.0, name: str | None = None
) -> Callable[[Callable[..., Verdict | float | bool]], Constraint]:
    """Decorator: make a :class:`Constraint` of a function.

    Example:
        >>> @verifier("y")
        ... def short(text):
        ...     return len(text) < 5
        >>> short([], "fine", None).score, short.name
        (1.0, 'short')
    """

    def decorate(check: Callable[..., Verdict | float | bool]) -> Constraint:
        own = str(getattr(inspect.unwrap(check), "__name__", "constraint"))
        return Constraint(name or own, arity, check, weight)

    return decorate


def constraint_of(name: str, check: Verifier, *, weight: float = 1.0) -> Constraint:
    """A verifier of this room as a constraint on prompt and answer."""
    return Constraint(name, "xy", check, weight)


@dataclass(frozen=True)
class CsrTable:
    """What every answer met.

    Attributes:
        ids: of the responses [N]; ``prompt_ids`` [N] what they answer.
        names: of the constraints [K], in order of first use.
        values: [N, K] in [0, 1]; NaN where a constraint does not apply to a response.
        rates: [N] the weighted mean over the constraints that apply: the constraint satisfaction rate.
        errors: (response id, constraint, message) of checks that raised; they count as 0.
        constant: constraints that gave all answers (two or more) one score.
    """

    ids: tuple[str, ...]
    prompt_ids: tuple[str, ...]
    names: tuple[str, ...]
    values: FloatArray
    rates: FloatArray
    errors: tuple[tuple[str, str, str], ...] = ()
    constant: tuple[str, ...] = ()

    def scores(self, name: str | None = None) -> Scores:
        """The rate of every response, or what it got from one constraint where that applies; clustered by prompt.

        Raises:
            DataError: there is no such constraint.
        """
        if name is not None and name not in self.names:
            raise DataError(f"no constraint {name!r} was checked", hint=f"there are: {', '.join(self.names)}")
        column = self.rates if name is None else self.values[:, self.names.index(name)]
        kept = np.flatnonzero(~np.isnan(column))
        ids, clusters = (tuple(one[i] for i in kept) for one in (self.ids, self.prompt_ids))
        return Scores(f"csr/{name}" if name else "csr", ids, np.asarray(column[kept], dtype=np.float64), clusters)


Constraints = Sequence[Constraint] | Mapping[str, Sequence[Constraint]]
"""The same constraints for every prompt, or those of each prompt by its id."""


def csr(
    responses: Iterable[Response], constraints: Constraints, *, groups: Sequence[Sequence[str]] | None = None
) -> CsrTable:
    """The constraint satisfaction rate of every response, with what each constraint gave it.

    ``CSR(y) = sum_k w_k f_k(y) / sum_k w_k`` over the constraints that apply. A constraint on sets is asked once per
    group and gives each response the mean over the groups it belongs to; without ``groups`` all responses are one.
    A check that raises, or returns something outside [0, 1], counts as 0 and is logged.

    Args:
        responses: answers with ids that are unique.
        constraints: for all prompts, or by ``prompt_id``; one name may have other parameters for another prompt.
        groups: ids of responses that a constraint on sets looks at together.

    Raises:
        DataError: an id stands twice, a prompt has no constraint, or a group names an unknown response.

    Warns:
        ConstantVerifierWarning: a constraint gave two or more responses, all it applies to, one score.

    Source: ACT (arXiv 2403.06326), the arities and the rate; groups as a mean over memberships are inferred.

    Example:
        >>> short = verifier("y", name="short")(lambda text: len(text) < 5)
        >>> kind = verifier("y", name="kind")(lambda text: "please" in text)
        >>> table = csr([Response("a", [], "no"), Response("b", [], "please do")], [short, kind])
        >>> table.rates.tolist(), table.values.tolist()
        ([0.5, 0.5], [[1.0, 0.0], [0.0, 1.0]])
    """
    rows = list(responses)
    place = {row.id: i for i, row in enumerate(rows)}
    if len(place) != len(rows):
        raise DataError("two responses have one id")
    applied = [_applied(row, constraints) for row in rows]
    names = tuple(dict.fromkeys(one.name for some in applied for one in some))
    values = np.full((len(rows), len(names)), np.nan)
    weights = np.zeros((len(rows), len(names)))
    errors: list[tuple[str, str, str]] = []
    for i, (row, some) in enumerate(zip(rows, applied, strict=True)):
        for one in some:
            weights[i, names.index(one.name)] = one.weight
            if one.arity != "set":
                values[i, names.index(one.name)] = _checked(one, [row], errors)
    groups = [list(place)] if groups is None else groups
    unknown = [member for members in groups for member in members if member not in place]
    if unknown:
        raise DataError(f"a group names the unknown response {unknown[0]!r}")
    _check_sets(rows, applied, names, values, groups, errors)
    weights[np.isnan(values)] = 0.0
    alone = np.flatnonzero(weights.sum(axis=1) == 0)
    if len(alone):
        raise DataError(
            "only constraints on sets apply, and no group holds it", where=f"response {rows[alone[0]].id!r}"
        )
    rates = (weights * np.nan_to_num(values)).sum(axis=1) / weights.sum(axis=1)
    constant = tuple(name for k, name in enumerate(names) if _is_constant(values[:, k]))
    if constant:
        warnings.warn(
            f"these constraints gave all responses one score, nothing can be learnt from them: {', '.join(constant)}",
            ConstantVerifierWarning,
            stacklevel=2,
        )
    return CsrTable(tuple(place), tuple(r.prompt_id for r in rows), names, values, rates, tuple(errors), constant)


def _applied(row: Response, constraints: Constraints) -> Sequence[Constraint]:
    some = constraints.get(row.prompt_id, ()) if isinstance(constraints, Mapping) else constraints
    if not some:
        raise DataError("no constraint applies", where=f"response {row.id!r} to prompt {row.prompt_id!r}")
    if len({one.name for one in some}) != len(some):
        raise DataError("two constraints have one name", where=f"prompt {row.prompt_id!r}")
    return some


def _check_sets(
    rows: Sequence[Response],
    applied: Sequence[Sequence[Constraint]],
    names: Sequence[str],
    values: FloatArray,
    groups: Sequence[Sequence[str]],
    errors: list[tuple[str, str, str]],
) -> None:
    """Fill in the columns of constraints on sets; a response in no group keeps NaN."""
    place = {row.id: i for i, row in enumerate(rows)}
    found: dict[tuple[int, int], list[float]] = {}
    for members in groups:
        inside = [place[member] for member in members]
        asked = {one.name: one for i in inside for one in applied[i] if one.arity == "set"}
        for name, one in asked.items():
            those = [i for i in inside if any(c.name == name for c in applied[i])]
            value = _checked(one, [rows[i] for i in those], errors)
            for i in those:
                found.setdefault((i, names.index(name)), []).append(value)
    for (i, k), gave in found.items():
        values[i, k] = float(np.mean(gave))


def _checked(one: Constraint, rows: Sequence[Response], errors: list[tuple[str, str, str]]) -> float:
    try:
        if one.arity == "set":
            return _verdict(one.check(rows)).score
        return one(rows[0].prompt, rows[0].text, rows[0].reference).score
    except Exception as error:  # a check is user code: its failure is a result, not the end of the run
        message = f"{type(error).__name__}: {error}"
        _log.warning("constraint %s on response %s counts as 0: %s", one.name, rows[0].id, message)
        errors.append((rows[0].id, one.name, message))
        return 0.0


def _verdict(found: Any) -> Verdict:
    verdict = found if isinstance(found, Verdict) else Verdict(float(found))
    if not 0.0 <= verdict.score <= 1.0:
        raise RangeError(f"a check gave {verdict.score}", hint="a verdict lies in [0, 1]")
    return verdict


def _is_constant(column: FloatArray) -> bool:
    kept = column[~np.isnan(column)]
    return len(kept) > 1 and bool((kept == kept[0]).all())
