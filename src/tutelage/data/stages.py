"""Two stages of training from one pool of prompts, with a given share of the second stage's prompts in the first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tutelage.errors import DataError, RangeError
from tutelage.seeds import derive

__all__ = ["StagePlan", "plan_stages"]


@dataclass(frozen=True)
class StagePlan:
    """Ids of the first stage (``sft``) and of the second (``rl``), and the share that was asked for."""

    sft: tuple[str, ...]
    rl: tuple[str, ...]
    asked: float
    strata: Mapping[str, tuple[int, int]]

    @property
    def overlap(self) -> float:
        """|RL and SFT| / |RL|, as it came out after rounding in every stratum."""
        return len(set(self.sft) & set(self.rl)) / len(self.rl)

    @property
    def distinct(self) -> int:
        """Prompts in either stage: less overlap also means more distinct data, which a control must match."""
        return len(set(self.sft) | set(self.rl))


def plan_stages(
    pool: Sequence[str],
    n_sft: int,
    n_rl: int,
    overlap: float,
    *,
    strata: Sequence[str] | None = None,
    seed: int = 0,
) -> StagePlan:
    """Choose both stages: A of the pool, and B = a share ``overlap`` of it from A and the rest from outside A.

    Both sizes are the same whatever the overlap. Every stratum gives each stage the same number of prompts whatever
    the overlap (shares of the pool, largest remainders), so conditions differ in overlap and in nothing else. Under
    one seed A is the same in all conditions, and a larger overlap keeps the shared and the fresh prompts of a smaller
    one as far as it needs them: conditions are paired.

    Args:
        pool: N distinct ids.
        n_sft: prompts of the first stage.
        n_rl: prompts of the second stage.
        overlap: share of the second stage's prompts that the first one has too, in [0, 1].
        strata: stratum of each id, such as its difficulty; None for one stratum.
        seed: another seed, other prompts.

    Raises:
        RangeError: an overlap outside [0, 1], an empty stage.
        DataError: ids that stand twice, or a pool that is too small, with the number of prompts that are missing.

    Source: Overlap (arXiv 2604.13515), definition of the conditions; strata and pairing are own derivation.

    Example:
        >>> plan = plan_stages([str(i) for i in range(30)], 10, 10, 0.3, seed=1)
        >>> len(plan.sft), len(plan.rl), plan.overlap, plan.distinct
        (10, 10, 0.3, 17)
    """
    if not 0 <= overlap <= 1 or n_sft < 1 or n_rl < 1:
        raise RangeError(f"overlap {overlap} with stages of {n_sft} and {n_rl} prompts", hint="overlap lies in [0, 1]")
    if len(set(pool)) != len(pool):
        raise DataError("an id stands twice in the pool", hint="remove duplicates first; audit_overlap finds near ones")
    labels = list(strata) if strata is not None else ["all"] * len(pool)
    if len(labels) != len(pool):
        raise DataError(f"{len(pool)} ids but {len(labels)} strata")
    members: dict[str, list[str]] = defaultdict(list)
    for one, label in zip(pool, labels, strict=True):
        members[label].append(one)
    sizes = {label: len(ids) for label, ids in sorted(members.items())}
    first, second = _shared_out(n_sft, sizes), _shared_out(n_rl, sizes)
    common = _shared_out(round(overlap * n_rl), second)
    sft, rl, missing = list[str](), list[str](), dict[str, int]()
    for label in sizes:
        order = np.random.default_rng(derive(seed, "stages", label)).permutation(sorted(members[label])).tolist()
        inside, outside = order[: first[label]], order[first[label] :]
        fresh = second[label] - common[label]
        lacking = (
            max(first[label] - len(order), 0) + max(common[label] - first[label], 0) + max(fresh - len(outside), 0)
        )
        if lacking:
            missing[label] = lacking
        sft += inside
        rl += [*inside[: common[label]], *outside[:fresh]]
    if missing:
        told = ", ".join(f"{count} in stratum {label!r}" for label, count in missing.items())
        raise DataError(
            f"the pool of {len(pool)} prompts is too small: {sum(missing.values())} missing ({told})",
            hint="make the stages smaller, raise the overlap, or add prompts",
        )
    return StagePlan(tuple(sft), _mixed(rl, seed), overlap, {k: (first[k], second[k]) for k in sizes})


def _shared_out(total: int, sizes: Mapping[str, int]) -> dict[str, int]:
    """``total`` in shares of ``sizes``, by largest remainders; ties in the order of the labels."""
    whole = sum(sizes.values()) or 1
    exact = {label: total * size / whole for label, size in sizes.items()}
    found = {label: int(share) for label, share in exact.items()}
    most = sorted(sizes, key=lambda label: -(exact[label] - found[label]))
    for label in most[: total - sum(found.values())]:
        found[label] += 1
    return found


def _mixed(ids: Sequence[str], seed: int) -> tuple[str, ...]:
    """Shared and fresh prompts in one order, so that no condition meets its shared ones first."""
    return tuple(np.random.default_rng(derive(seed, "stages", "order")).permutation(list(ids)).tolist())
