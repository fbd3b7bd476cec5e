"""The worst regressions: items the new system does worse, with both outputs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from tutelage.jobs.compare_material import Material
from tutelage.measure.results import TaskResults
from tutelage.report.document import RegressionCase, RegressionSuite

__all__ = ["regressions", "shortened"]

_LONGEST = 4_000  # characters kept of one text
_HEAD = 400  # of them at the beginning, where the middle of a prompt is left out


def regressions(materials: Sequence[Material], new: str, most: int = 8) -> tuple[RegressionSuite, ...]:
    """The worst items of every task, by how much they lost; equal losses by id.

    Of a task with several metrics the first counts.

    Args:
        materials: what is compared.
        new: name of the new system.
        most: how many items of one task are kept.
    """
    tasks = [next(group) for _, group in groupby(materials, key=lambda material: material.task)]
    return tuple(_suite(material, new, most) for material in tasks)


def _suite(material: Material, new: str, most: int) -> RegressionSuite:
    pair = material.pair
    loss = pair.old.values - pair.new.values
    loss = loss if material.higher_is_better else -loss
    worse = np.flatnonzero(loss > material.dead_band)
    worst = sorted(worse.tolist(), key=lambda i: (-loss[i], pair.old.ids[i]))[:most]
    places = tuple({item: row for row, item in enumerate(table.ids)} for table in (material.old, material.new))
    cases = tuple(_case(material, i, places) for i in worst)
    return RegressionSuite(material.task, material.name, new, pair.n, len(worse), cases)


def _case(material: Material, i: int, places: tuple[dict[str, int], ...]) -> RegressionCase:
    old, new, item = material.old, material.new, material.pair.old.ids[i]
    before, after = places[0][item], places[1][item]
    target = _text(old, "targets", before) or _text(new, "targets", after)
    return RegressionCase(
        id=item,
        prompt=shortened(_text(old, "prompts", before) or _text(new, "prompts", after), ends=True),
        before=shortened(_said(old, before)),
        after=shortened(_said(new, after)),
        score_before=float(material.pair.old.values[i]),
        score_after=float(material.pair.new.values[i]),
        reference=shortened(target) if target else None,
    )


def _text(table: TaskResults, column: str, row: int) -> str:
    texts: tuple[str, ...] | None = getattr(table, column)
    return texts[row] if texts is not None else ""


def _said(table: TaskResults, row: int) -> str:
    """The output, or the answer chosen where nothing was generated."""
    return _text(table, "outputs", row) or _text(table, "choices", row)


def shortened(text: str, *, ends: bool = False, limit: int = _LONGEST) -> str:
    """``text`` cut to ``limit`` characters, with a note of how many are left out.

    Args:
        text: anything.
        ends: leave out the middle instead of the end: a prompt's question stands last.
        limit: characters kept.

    Example:
        >>> shortened("abcdefgh", limit=4)
        'abcd\\n[... 4 more characters in the result file]'
    """
    left_out = len(text) - limit
    if left_out <= 0:
        return text
    note = f"[... {left_out:,} more characters in the result file]"
    if not ends:
        return f"{text[:limit]}\n{note}"
    head = min(_HEAD, limit // 2)
    return f"{text[:head]}\n{note}\n{text[head + left_out :]}"
