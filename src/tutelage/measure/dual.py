"""Form and meaning scored apart: what is well formed is often wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tutelage.errors import DataError
from tutelage.stats import pass_at_k
from tutelage.types import Scores

__all__ = ["dual_metric"]

Check = Callable[[str, str], float]


def dual_metric(
    samples: Mapping[str, Sequence[str]], syntax: Check, semantic: Check, ks: Sequence[int] = (1,)
) -> dict[str, Scores]:
    """Per item C@k (some of k samples is well formed), S@k (some is right), and the gap C@1 - S@1.

    Meaning is asked only of what is well formed, so S@k never exceeds C@k. Both are the unbiased estimates from all
    samples of the item (:func:`tutelage.stats.pass_at_k`).

    Args:
        samples: item id to its samples; each item has as many as the largest k, or more.
        syntax: (item id, sample) to 1 or 0, such as whether it compiles.
        semantic: (item id, sample) to 1 or 0, whether it means what was asked.
        ks: which k.

    Returns:
        "C@k" and "S@k" for each k, and "gap"; one value per item, in the order of ``samples``.

    Raises:
        DataError: no items. RangeError: an item with fewer samples than the largest k.

    Source: Overlap (arXiv 2604.13515), section on dual metrics. The gap per item is ours; its mean is the paper's.

    Example:
        >>> found = dual_metric({"a": ["ok", "no"]}, lambda i, t: 1.0, lambda i, t: float(t == "ok"))
        >>> float(found["C@1"].values[0]), float(found["S@1"].values[0]), float(found["gap"].values[0])
        (1.0, 0.5, 0.5)
    """
    if not samples:
        raise DataError("there are no samples to score")
    ids = tuple(samples)
    drawn = np.array([len(samples[one]) for one in ids])
    formed = {one: [syntax(one, text) >= 1 for text in samples[one]] for one in ids}
    meant = {
        one: [ok and semantic(one, text) >= 1 for ok, text in zip(formed[one], samples[one], strict=True)]
        for one in ids
    }
    found: dict[str, Scores] = {}
    for name, flags in (("C", formed), ("S", meant)):
        right = np.array([sum(flags[one]) for one in ids])
        found |= {f"{name}@{k}": Scores(f"{name}@{k}", ids, pass_at_k(drawn, right, k)) for k in ks}
    first = {
        name: pass_at_k(drawn, [sum(flags[one]) for one in ids], 1) for name, flags in (("C", formed), ("S", meant))
    }
    found["gap"] = Scores("gap", ids, first["C"] - first["S"], higher_is_better=False)
    return found
