"""Do several answers agree with one another? Symmetry and transitivity of a relation asked about in pieces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from tutelage.types import Verdict
from tutelage.verify.satisfaction import Constraint, Response

__all__ = ["Judged", "symmetric", "transitive"]

Judged = Callable[[Response], tuple[str, str, bool] | None]
"""What a response says: (a, b, whether a stands in the relation to b), or None when it says neither."""


def _statements(responses: Sequence[Response], read: Judged) -> tuple[dict[tuple[str, str], set[bool]], int]:
    """Of every ordered pair what was said about it, and how many responses said nothing that can be read."""
    said: dict[tuple[str, str], set[bool]] = {}
    silent = 0
    for response in responses:
        found = read(response)
        if found is None:
            silent += 1
        else:
            said.setdefault(found[:2], set()).add(found[2])
    return said, silent


def _share(bad: int, testable: int, silent: int, total: int) -> Verdict:
    """Share of the testable cases that hold, times the share of responses that could be read."""
    holds = 1.0 if testable == 0 else 1 - bad / testable
    readable = 1 - silent / max(1, total)
    detail = f"{bad} of {testable} broken, {silent} of {total} unreadable" if bad or silent else ""
    return Verdict(holds * readable, detail)


def symmetric(
    read: Judged, *, kind: Literal["symmetric", "asymmetric"] = "symmetric", weight: float = 1.0
) -> Constraint:
    """A constraint on a set: what is said of (a, b) and of (b, a) must be the same, or for "asymmetric" not both true.

    The score is the share of pairs asked in both directions that hold, times the share of responses ``read`` could
    read, so that silence does not pay. A pair asked one way only is not tested.

    Example:
        >>> from tutelage.verify.satisfaction import Response
        >>> def near(response):
        ...     a, b = response.prompt[0]["content"].split()
        ...     return a, b, response.text == "yes"
        >>> def asked(pair, text):
        ...     return Response(pair, [{"role": "user", "content": pair}], text)
        >>> symmetric(near).check([asked("a b", "yes"), asked("b a", "no")]).score
        0.0
    """

    def check(responses: Sequence[Response]) -> Verdict:
        said, silent = _statements(responses, read)
        pairs = [(a, b) for a, b in said if a < b and (b, a) in said]
        if kind == "symmetric":
            bad = sum(len(said[a, b] | said[b, a]) > 1 for a, b in pairs)
        else:
            bad = sum(True in said[a, b] and True in said[b, a] for a, b in pairs)
        return _share(bad, len(pairs), silent, len(responses))

    return Constraint(kind, "set", check, weight)


def transitive(read: Judged, *, weight: float = 1.0) -> Constraint:
    """A constraint on a set: where (a, b) and (b, c) hold, (a, c) must.

    The score is the share of chains with an answer about (a, c) that hold, times the share of readable responses.
    """

    def check(responses: Sequence[Response]) -> Verdict:
        said, silent = _statements(responses, read)
        true = [pair for pair, values in said.items() if values == {True}]
        after: dict[str, list[str]] = {}
        for a, b in true:
            after.setdefault(a, []).append(b)
        chains = [(a, c) for a, b in true for c in after.get(b, ()) if a != c and (a, c) in said]
        bad = sum(said[chain] != {True} for chain in chains)
        return _share(bad, len(chains), silent, len(responses))

    return Constraint("transitive", "set", check, weight)
