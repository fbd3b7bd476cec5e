"""Rewards of reinforcement from the scores of steps, and from answers of which only some can be checked."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from tutelage.errors import DataError, RangeError, ShapeError

__all__ = ["Shaping", "outcome_rewards", "shaped_rewards", "whitened"]

Shaping = Literal["min", "prod"]
Places = Sequence[int] | Sequence[Sequence[int]]


def shaped_rewards(
    step_scores: Tensor | Sequence[float],
    step_end_positions: Places,
    length: int,
    *,
    scheme: Shaping = "min",
    upper: float = 0.5,
    bonus: float = 0.25,
    scale: float = 1.0,
) -> Tensor:
    r"""What each token of a solution earns: a step costs what it takes off the worst score so far, and pays a share.

    With :math:`c_j = \min_{k\le j} s_k` (``min``) or :math:`\prod_{k\le j} s_k` (``prod``) and
    :math:`m_j = \min(u, c_j)`, :math:`m_0 = u`: :math:`r_j = \mathrm{scale}\,(m_j - m_{j-1} + b/S)`, at the token where
    step j ends, halved over two tokens where it ends in two. The costs add up: over the whole solution
    :math:`\sum_j r_j = \mathrm{scale}\,(m_S - u + b)`, whatever their places. So an algorithm that takes one reward a
    sequence (GRPO) may be given the sum; one that takes a reward a token (PPO) learns sooner which step it was.

    Steps that score above ``upper`` cost nothing, however many there are, and the pay is the same for any number of
    steps: otherwise a model earns by writing more of them.

    Args:
        step_scores: [S] probabilities that a step is right.
        step_end_positions: [S] the token in which each step ends, counted from 0; or [S, k], the k tokens that share
            its reward, such as the two newlines of a blank line.
        length: T, tokens of the solution.
        scheme: the worst step, or the product of all.
        upper: u in (0, 1], from which scores cost nothing.
        bonus: b, at least 0, spread over the steps.
        scale: above 0, of all rewards.

    Returns:
        [T] float32 (float64 if the scores are); two steps that end in one token add up.

    Raises:
        DataError: no steps.
        ShapeError: not one place (or the same number of places) for every step.
        RangeError: a score outside [0, 1], a place outside the solution, settings out of range, an unknown scheme.

    Source: arXiv 2403.09472, official code, which gives the bonus as a fixed quarter.

    Example:
        >>> shaped_rewards([0.9, 0.2, 0.4], [1, 3, 5], 6, bonus=0.0)
        tensor([ 0.0000,  0.0000,  0.0000, -0.3000,  0.0000,  0.0000])
    """
    if scheme not in get_args(Shaping):
        raise RangeError(f"no scheme is called {scheme!r}", hint=f"one of {', '.join(get_args(Shaping))}")
    if not (0 < upper <= 1 and bonus >= 0 and scale > 0 and math.isfinite(bonus) and math.isfinite(scale)):
        raise RangeError("upper lies in (0, 1], bonus is at least 0, scale above 0")
    given = torch.as_tensor(step_scores)
    scores = given.to(torch.float64)
    if scores.ndim != 1 or scores.numel() == 0:
        raise DataError("a solution without steps has no scores to shape", hint="leave it out, or penalise its form")
    if not bool(((scores >= 0) & (scores <= 1)).all()):
        raise RangeError("the scores of steps are probabilities, in [0, 1]", hint="put logits through a logistic")
    places = _places(step_end_positions, len(scores), length).to(scores.device)
    so_far = scores.cummin(0).values if scheme == "min" else scores.cumprod(0)
    held = torch.cat([scores.new_full((1,), upper), so_far.clamp(max=upper)])
    earned = scale * (held.diff() + bonus / len(scores))
    found = scores.new_zeros(length)
    found.index_add_(0, places.flatten(), (earned / places.shape[1]).repeat_interleave(places.shape[1]))
    return found if given.dtype == torch.float64 else found.float()


def outcome_rewards(right: Sequence[bool | None], *, unknown: float = 0.25) -> Tensor:
    """1 or 0 where the answer was checked, ``unknown`` where nobody can (None): the answers of hard problems.

    The constant says nothing. Standardised together with true rewards it turns into an advantage or a penalty of all
    unchecked solutions, depending on how well the others did: give :func:`whitened` groups.

    Args:
        right: [N] outcomes; None where the answer is not known.
        unknown: what they get.

    Returns:
        [N] float32.

    Source: arXiv 2403.09472, official code.

    Example:
        >>> outcome_rewards([True, None, False])
        tensor([1.0000, 0.2500, 0.0000])
    """
    return torch.tensor([unknown if one is None else float(one) for one in right])


def whitened(rewards: Tensor, groups: Sequence[Hashable], *, epsilon: float = 1e-8) -> Tensor:
    r"""Rewards with mean 0 and spread 1 **within each group**: :math:`(r - \bar r_g) / \sqrt{v_g + \epsilon}`.

    Rewards of different origin, such as checked answers and the constant of unchecked ones, must not be standardised
    together. A group without differences becomes zeros: it teaches nothing.

    Args:
        rewards: [N] float.
        groups: [N] what each belongs to.
        epsilon: against division by zero.

    Returns:
        [N] of the same dtype; v is the variance over the group (n, not n - 1).

    Raises:
        ShapeError: not one group for every reward.

    Source: own derivation, after arXiv 2403.09472, whose code standardises whole batches.

    Example:
        >>> whitened(torch.tensor([1.0, 0.0, 0.25, 0.25]), ["checked", "checked", "not", "not"])
        tensor([ 1., -1.,  0.,  0.])
    """
    if rewards.ndim != 1 or len(groups) != len(rewards):
        raise ShapeError(f"rewards are {tuple(rewards.shape)}, groups {len(groups)}", hint="need [N] and N groups")
    places: dict[Hashable, list[int]] = {}
    for place, group in enumerate(groups):
        places.setdefault(group, []).append(place)
    found = torch.zeros_like(rewards)
    for members in places.values():
        part = rewards[members]
        if bool((part != part[0]).any()):
            found[members] = (part - part.mean()) / (part.var(correction=0) + epsilon).sqrt()
    return found


def _places(given: Places, steps: int, length: int) -> Tensor:
    """[S, k] places, checked."""
    rows = [[one] if isinstance(one, int) else list(one) for one in given]
    widths = {len(row) for row in rows}
    if len(rows) != steps or len(widths) != 1 or 0 in widths:
        raise ShapeError(f"{steps} scores and {len(rows)} places", hint="as many places a step for every step")
    found = torch.tensor(rows, dtype=torch.int64)
    if bool(((found < 0) | (found >= length)).any()):
        raise RangeError(f"a step ends outside the {length} tokens of the solution", hint="places count from 0")
    return found
