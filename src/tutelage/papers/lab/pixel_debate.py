"""The sparse-pixel game: two sides claim different digits and reveal pixels in turn to a judge who sees only those."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tutelage.errors import RangeError, ShapeError
from tutelage.papers.lab.digit_classifiers import CLASSES
from tutelage.seeds import derive
from tutelage.training.labelled_items import Items, one_hot
from tutelage.training.probes import ProbeSettings, TorchProbe
from tutelage.types import FloatArray, IntArray

__all__ = ["PixelJudge", "pixel_claims", "play", "random_masks", "side_that_starts"]

AT_ONCE = 200
"""Items whose next pixels are weighed in one pass: 64 rows of 128 numbers each."""


class PixelJudge:
    """A perceptron on (revealed values, mask), trained on images with as many random pixels as a game reveals.

    Args:
        settings: of the perceptron.
        pixels: how many pixels it learns to judge from.
        copies: masks an image in training.
        seed: of masks, weights and order.
    """

    def __init__(self, settings: ProbeSettings, *, pixels: int, copies: int = 20, seed: int = 0) -> None:
        self.pixels, self.copies, self.seed = pixels, copies, seed
        self.probe = TorchProbe(settings, seed=derive(seed, "judge"))

    def fit(self, items: Items) -> PixelJudge:
        """Learn from ``items`` with truth."""
        images = np.tile(items.inputs, (self.copies, 1))
        masks = random_masks(len(images), self.pixels, seed=derive(self.seed, "judge", "masks"))
        self.probe.fit(_seen(images, masks), one_hot(np.tile(items.truth, self.copies), CLASSES))
        return self

    def between(self, images: FloatArray, masks: FloatArray, claims: IntArray) -> FloatArray:
        """Probabilities [N, 2] of the two ``claims`` [N, 2], all other digits ruled out."""
        found = np.take_along_axis(self.probe.predict_proba(_seen(images, masks)), claims, 1)
        shares: FloatArray = found / found.sum(1, keepdims=True).clip(1e-300)
        return shares


def random_masks(items: int, pixels: int, *, seed: int) -> FloatArray:
    """[items, 64] with ``pixels`` ones in each row, anywhere.

    Raises:
        RangeError: more pixels than there are, or none.
    """
    if not 1 <= pixels <= 64:
        raise RangeError(f"{pixels} pixels", hint="1 to 64")
    order = np.random.default_rng(seed).random((items, 64)).argsort(1).argsort(1)
    return (order < pixels).astype(np.float64)


def pixel_claims(truth: IntArray, strong: FloatArray, *, seed: int) -> IntArray:
    """The two claims [N, 2] on each item in random order: the truth, and what ``strong`` [N, 10] likes best beside it.

    Args:
        truth: [N].
        strong: probabilities of the strong classifier.
        seed: of the order, which therefore says nothing of the truth.
    """
    wrong = np.where(one_hot(truth, CLASSES) > 0, -1.0, strong).argmax(1)
    pair = np.stack([truth, wrong], 1)
    swapped = np.random.default_rng(derive(seed, "claims")).integers(0, 2, len(truth)) == 1
    return np.where(swapped[:, None], pair[:, ::-1], pair)


def side_that_starts(items: int, *, seed: int) -> IntArray:
    """[items] 0 or 1: which claim is argued first, or by an only adviser."""
    return np.random.default_rng(derive(seed, "starts")).integers(0, 2, items)


def play(
    judge: PixelJudge,
    images: FloatArray,
    claims: IntArray,
    sides: Sequence[IntArray | None],
    *,
    temperature: float = 0.0,
    seed: int = 0,
) -> FloatArray:
    """Reveal one pixel a turn, each by the side whose turn it is; the masks [N, 64] at the end.

    Whoever's turn it is weighs every hidden pixel with the judge and takes the one that makes its claim likeliest
    against the other, or with a temperature draws by ``softmax(log-odds / temperature)``. Neither side knows which
    claim is true.

    Args:
        judge: trained.
        images: [N, 64].
        claims: [N, 2].
        sides: one [N] of 0 and 1 for each turn, the claim that is argued; None for a turn in which each item's is the
            claim that the judge believes less by then (market-making).
        temperature: 0 is greedy.
        seed: of the draws.

    Raises:
        ShapeError: shapes that do not fit.
        RangeError: a negative temperature, no turns or more than there are pixels.
    """
    if temperature < 0 or not 1 <= len(sides) <= 64:
        raise RangeError(f"temperature {temperature}, {len(sides)} turns", hint="0 or more, and 1 to 64")
    count = len(claims)
    if (
        images.shape != (count, 64)
        or claims.shape != (count, 2)
        or any(side is not None and side.shape != (count,) for side in sides)
    ):
        raise ShapeError(f"images {images.shape}, claims {claims.shape}", hint="[N, 64], [N, 2], sides [N]")
    draw = np.random.default_rng(derive(seed, "reveals"))
    masks = np.zeros(images.shape)
    for side in sides:
        if side is None:
            side = judge.between(images, masks, claims).argmin(1)
        odds = _each_pixel(judge, images, masks, claims, side)
        if temperature:
            odds = odds + temperature * draw.gumbel(size=odds.shape)  # the largest is a draw from the softmax
        masks[np.arange(len(masks)), np.where(masks > 0, -np.inf, odds).argmax(1)] = 1.0
    return masks


def _each_pixel(
    judge: PixelJudge, images: FloatArray, masks: FloatArray, claims: IntArray, side: IntArray
) -> FloatArray:
    """Log-odds [N, 64] of the claim of ``side`` once a pixel more is seen."""
    found = np.empty(images.shape)
    for start in range(0, len(images), AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        count = len(images[rows])
        more = np.maximum(masks[rows][:, None], np.eye(64)).reshape(-1, 64)
        shares = judge.between(np.repeat(images[rows], 64, 0), more, np.repeat(claims[rows], 64, 0))
        logs = np.log(shares.clip(1e-12))
        turn, each = np.repeat(side[rows], 64), np.arange(len(shares))
        found[rows] = (logs[each, turn] - logs[each, 1 - turn]).reshape(count, 64)
    return found


def _seen(images: FloatArray, masks: FloatArray) -> FloatArray:
    return np.concatenate([images * masks, masks], 1)
