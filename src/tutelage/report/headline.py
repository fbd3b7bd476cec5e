"""The one sentence: what was gained, what was lost, and how sure that is.

The rule reads the interval, never the point alone. Where the interval includes 0 nothing is called a gain or a loss;
the sentence then says how large it could be, and whether the test would have seen a change that matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tutelage.report.numbers import interval, known, number, scaled
from tutelage.types import Comparison, Estimate

__all__ = ["Headline", "Movement", "headline", "movement"]

Movement = Literal["better", "worse", "none", "unclear", "unmeasured"]


@dataclass(frozen=True)
class Headline:
    """What the page says first.

    ``gained`` and ``lost`` are in points (hundredths of the metric's range, or percentage points), both counted so
    that a positive number is what the word says. ``gain`` and ``loss`` say how domain and general ability moved.
    """

    method: str
    metric: str
    gained: Estimate | None
    lost: Estimate | None
    gain: Movement
    loss: Movement
    sentence: str
    next_step: str
    cautions: tuple[str, ...] = ()

    @property
    def kept(self) -> Estimate | None:
        """The change of general ability: ``lost`` with its sign turned, so that up is better."""
        return scaled(self.lost, -1)


def movement(change: Comparison | None, *, higher_is_better: bool = True) -> Movement:
    """How something moved, by its interval and the power of the test.

    ``"better"`` or ``"worse"`` when the interval excludes 0 and the comparison says so too (adjustment for many tests
    can take an outcome back); otherwise ``"none"`` when a change that matters would have been found, ``"unclear"``
    when not, ``"unmeasured"`` when there is no finite interval.

    Args:
        change: after minus before, or None.
        higher_is_better: which way the metric points.

    Source: own derivation.
    """
    if change is None or not all(map(known, (change.delta.value, change.delta.low, change.delta.high))):
        return "unmeasured"
    delta = scaled(change.delta, 1 if higher_is_better else -1)
    assert delta is not None
    if change.outcome == "underpowered":
        return "unclear"
    if delta.low > 0:
        return "better"
    if delta.high < 0:
        return "worse"
    return "none" if change.outcome == "tied" else "unclear"


def headline(
    method: str,
    metric: str,
    domain: Comparison | None,
    general: Comparison | None,
    *,
    after: Estimate | None = None,
    trivial: float | None = None,
    higher_is_better: bool = True,
) -> Headline:
    """Compose the headline of a run.

    Args:
        method: the arm that the run is about.
        metric: of the domain.
        domain: change on the domain from base to tuned, in the metric's unit (1 = 100 points).
        general: change of the general-ability composite, in [-1, 1]; None if it was not measured.
        after: level of the tuned model on the domain, to be held against ``trivial``.
        trivial: what always giving the most frequent answer would score, in the metric's unit.
        higher_is_better: of the domain metric.

    Returns:
        Numbers in points, the sentence, the next step, and cautions (not beating the trivial answer).

    Source: own derivation.

    Example:
        >>> delta = Estimate(0.31, 0.241, 0.376, 0.95, "newcombe", 200, 200)
        >>> change = Comparison(delta, 1e-9, 1e-9, "mcnemar mid-p", 200, (3, 65), 0.1, "B>A")
        >>> headline("raft", "choice", change, None).sentence
        'Gained 31.0 points [24.1, 37.6] on the domain; general ability was not measured.'
    """
    gain = movement(domain, higher_is_better=higher_is_better)
    loss = movement(general)
    gained = None if gain == "unmeasured" or domain is None else scaled(domain.delta, 100 if higher_is_better else -100)
    lost = None if loss == "unmeasured" or general is None else scaled(general.delta, -100)
    joint = ", " if (gain, loss) in (("better", "worse"), ("worse", "worse")) else "; "
    sentence = f"{_gain(gain, gained)}{joint}{_loss(loss, lost)}."
    return Headline(
        method=method,
        metric=metric,
        gained=gained,
        lost=lost,
        gain=gain,
        loss=loss,
        sentence=sentence[0].upper() + sentence[1:],
        next_step=_next_step(gain, loss),
        cautions=_cautions(domain, after, trivial, higher_is_better),
    )


def _amount(estimate: Estimate | None) -> str:
    assert estimate is not None
    return f"{number(estimate.value)} points {interval(estimate)}"


def _gain(gain: Movement, gained: Estimate | None) -> str:
    if gain == "better":
        return f"gained {_amount(gained)} on the domain"
    if gain == "worse":
        return f"got worse by {_amount(scaled(gained, -1))} on the domain"
    if gain == "none":
        return f"no measurable gain on the domain: {_amount(gained)}"
    if gain == "unclear":
        return f"cannot tell whether anything was gained on the domain: {_amount(gained)}"
    return "the gain on the domain was not measured"


def _loss(loss: Movement, lost: Estimate | None) -> str:
    if loss == "worse":
        return f"lost {_amount(lost)} of general ability"
    if loss == "better":
        return f"general ability rose by {_amount(scaled(lost, -1))}"
    if loss == "unmeasured" or lost is None:
        return "general ability was not measured"
    moved = f"{number(-lost.value, sign=True)} points {interval(scaled(lost, -1))}"
    largest = f"a loss of up to {number(max(lost.high, 0.0))} is not ruled out"
    if loss == "none":
        return f"no measurable loss of general ability: {moved}, {largest}"
    return f"general ability changed by {moved}: {largest}"


def _cautions(
    domain: Comparison | None, after: Estimate | None, trivial: float | None, higher_is_better: bool
) -> tuple[str, ...]:
    if domain is None or after is None or trivial is None or not known(trivial) or not known(after.low):
        return ()
    if not higher_is_better or after.low > trivial:
        return ()
    return (
        f"Always giving the most frequent answer would score {number(100 * trivial)}; the tuned model's "
        f"{number(100 * after.value)} {interval(scaled(after, 100))} is not clearly above that.",
    )


def _next_step(gain: Movement, loss: Movement) -> str:
    if gain == "worse":
        return (
            "Do not use this model. Read the answers under “What got worse” first: wrong formats and wrong "
            "references in the data are the usual causes."
        )
    if gain in ("none", "unclear", "unmeasured"):
        if gain == "unmeasured":
            first = "There is nothing to decide on: the domain was not measured. Run again with test rows (data.test)."
        elif gain == "none":
            first = "Nothing to use yet. Train longer (train.epochs) or on more rows, then measure again."
        else:
            first = "Do not decide on this yet. Measure on more test rows (data.max_test_rows, data.test_fraction)."
        return first + (" Stay with the base model until then." if loss != "worse" else " It also lost ability.")
    if loss == "worse":
        return (
            "Decide whether the gain is worth the loss: read “What got worse”. To lose less, train fewer "
            "steps, lower train.learning_rate, or raise balance.lambda_max; the table compares the arms."
        )
    if loss in ("unclear", "unmeasured"):
        return (
            "The gain is real; the price is not known well enough. Measure general ability on the larger suite "
            "(--set measure.retention=full) before you replace the base model."
        )
    return "Use it: read “What got worse” once, then take the saved model. The exact command is at the end."
