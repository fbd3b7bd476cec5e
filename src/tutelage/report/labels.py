"""Labels beside points of a plot, put where they cover least."""

from __future__ import annotations

from matplotlib.axes import Axes

from tutelage.report.figure import BACKGROUND
from tutelage.report.numbers import known
from tutelage.types import Estimate

__all__ = ["Placer"]

_SIZE, _LETTER = 13.0, 0.62  # px; mean width of a letter over the font size, on the safe side
Box = tuple[float, float, float, float]


class Placer:
    """Remembers what stands where on ``axes`` (in pixels) and finds a free place for each label."""

    def __init__(self, axes: Axes, width: float, height: float) -> None:
        self.axes = axes
        box = axes.get_position()
        self.frame: Box = (box.x0 * width, box.y0 * height, box.x1 * width, box.y1 * height)
        self.taken: list[tuple[Box, float]] = []

    def _pixel(self, x: float, y: float) -> tuple[float, float]:
        (x_low, x_high), (y_low, y_high) = self.axes.get_xlim(), self.axes.get_ylim()
        left, bottom, right, top = self.frame
        across = left + (x - x_low) / (x_high - x_low) * (right - left)
        return across, bottom + (y - y_low) / (y_high - y_low) * (top - bottom)

    def point(self, x: float, y: float) -> None:
        """A marker in data units."""
        across, along = self._pixel(x, y)
        self.taken.append(((across - 7, along - 7, across + 7, along + 7), 4.0))

    def obstacle(self, x: Estimate, y: Estimate) -> None:
        """A marker with the bars of both intervals."""
        self.point(x.value, y.value)
        if known(x.low) and known(x.high):
            (left, middle), (right, _) = self._pixel(x.low, y.value), self._pixel(x.high, y.value)
            self.taken.append(((left, middle - 2, right, middle + 2), 1.0))
        if known(y.low) and known(y.high):
            (middle, low), (_, high) = self._pixel(x.value, y.low), self._pixel(x.value, y.high)
            self.taken.append(((middle - 2, low, middle + 2, high), 1.0))

    def corner(self, x: float, y: float, words: str, across: str, along: str) -> None:
        """Text at a place in axes units that labels should stay clear of."""
        left, bottom, right, top = self.frame
        lines = words.split("\n")
        wide, tall = max(map(len, lines)) * 11 * _LETTER, 15.0 * len(lines)
        start = left + x * (right - left) - (wide if across == "right" else 0)
        foot = bottom + y * (top - bottom) - (tall if along == "top" else 0)
        self.taken.append(((start, foot, start + wide, foot + tall), 2.0))

    def label(self, x: float, y: float, words: str, colour: str) -> None:
        """Write ``words`` beside a point, at the candidate place that covers least."""
        across, along = self._pixel(x, y)
        wide, tall = len(words) * _SIZE * _LETTER, _SIZE + 3
        places = []
        for rank, (dx, dy) in enumerate(_AROUND):
            left = across + dx * 11 - (wide if dx < 0 else wide / 2 if dx == 0 else 0)
            foot = along + dy * 9 - (tall if dy < 0 else tall / 2 if dy == 0 else 0)
            box = (left, foot, left + wide, foot + tall)
            places.append((self._cost(box), rank, box))
        _, _, box = min(places)
        self.taken.append((box, 3.0))
        text = self.axes.annotate(
            words,
            (x, y),
            xytext=((box[0] - across), (box[1] + box[3]) / 2 - along),
            textcoords="offset points",
            color=colour,
            fontsize=_SIZE,
            fontweight="bold",
            va="center_baseline",
            zorder=6,
        )
        text.set_bbox({"facecolor": BACKGROUND, "alpha": 0.75, "pad": 1, "linewidth": 0})

    def _cost(self, box: Box) -> float:
        left, bottom, right, top = self.frame
        outside = max(0.0, left - box[0]) + max(0.0, box[2] - right)
        outside += max(0.0, bottom - box[1]) + max(0.0, box[3] - top)
        return 100 * outside + sum(weight * _overlap(box, other) for other, weight in self.taken)


_AROUND = (
    (1, 1), (-1, 1), (1, -1), (-1, -1), (0, 1.6), (0, -1.6), (1.6, 0), (-1.6, 0),
    (1, 2.4), (-1, 2.4), (1, -2.4), (-1, -2.4),
)  # fmt: skip


def _overlap(a: Box, b: Box) -> float:
    across = min(a[2], b[2]) - max(a[0], b[0])
    along = min(a[3], b[3]) - max(a[1], b[1])
    return across * along if across > 0 and along > 0 else 0.0
