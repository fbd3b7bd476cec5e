from __future__ import annotations

import math

import pytest

from tutelage.report.document import headline, movement
from tutelage.types import Comparison, Estimate


def change(value: float, low: float, high: float, outcome: str) -> Comparison:
    delta = Estimate(value, low, high, 0.95, "test", 100, 100)
    return Comparison(delta, 0.5, 0.5, "test", 100, (1, 2), 0.05, outcome)


UP = change(0.31, 0.241, 0.376, "B>A")
DOWN = change(-0.05, -0.09, -0.011, "A>B")
STILL = change(-0.021, -0.046, 0.004, "tied")
VAGUE = change(-0.021, -0.046, 0.004, "underpowered")
NONE = None


@pytest.mark.parametrize(
    ("domain", "general", "sentence"),
    [
        (UP, DOWN, "Gained 31.0 points [24.1, 37.6] on the domain, lost 5.0 points [1.1, 9.0] of general ability."),
        (
            UP,
            STILL,
            "Gained 31.0 points [24.1, 37.6] on the domain; no measurable loss of general ability: "
            "−2.1 points [−4.6, 0.4], a loss of up to 4.6 is not ruled out.",
        ),
        (
            UP,
            VAGUE,
            "Gained 31.0 points [24.1, 37.6] on the domain; general ability changed by "
            "−2.1 points [−4.6, 0.4]: a loss of up to 4.6 is not ruled out.",
        ),
        (UP, UP, "Gained 31.0 points [24.1, 37.6] on the domain; general ability rose by 31.0 points [24.1, 37.6]."),
        (UP, NONE, "Gained 31.0 points [24.1, 37.6] on the domain; general ability was not measured."),
        (
            DOWN,
            DOWN,
            "Got worse by 5.0 points [1.1, 9.0] on the domain, lost 5.0 points [1.1, 9.0] of general ability.",
        ),
        (
            STILL,
            NONE,
            "No measurable gain on the domain: −2.1 points [−4.6, 0.4]; general ability was not measured.",
        ),
        (
            VAGUE,
            NONE,
            "Cannot tell whether anything was gained on the domain: −2.1 points [−4.6, 0.4]; "
            "general ability was not measured.",
        ),
        (NONE, NONE, "The gain on the domain was not measured; general ability was not measured."),
    ],
)
def test_sentence(domain: Comparison | None, general: Comparison | None, sentence: str) -> None:
    assert headline("raft", "choice", domain, general).sentence == sentence


def test_every_number_of_a_sentence_stands_beside_its_interval() -> None:
    for domain in (UP, DOWN, STILL, VAGUE):
        for general in (UP, DOWN, STILL, VAGUE):
            sentence = headline("raft", "choice", domain, general).sentence
            assert sentence.count(" points [") == 2


def test_loss_counts_downwards_and_gain_upwards_in_points() -> None:
    found = headline("raft", "choice", UP, STILL)
    assert found.gained is not None
    assert found.lost is not None
    assert found.gained.value == pytest.approx(31.0)
    assert (found.lost.low, found.lost.value, found.lost.high) == pytest.approx((-0.4, 2.1, 4.6))
    assert found.lost.level == 0.95


def test_an_interval_that_ends_exactly_at_zero_is_no_movement() -> None:
    assert movement(change(0.1, 0.0, 0.2, "tied")) == "none"
    assert movement(change(-0.1, -0.2, 0.0, "underpowered")) == "unclear"


def test_an_outcome_taken_back_by_the_adjustment_is_unclear() -> None:
    assert movement(change(0.1, 0.01, 0.2, "underpowered")) == "unclear"


def test_direction_of_the_metric() -> None:
    assert movement(UP, higher_is_better=False) == "worse"
    assert movement(DOWN, higher_is_better=False) == "better"
    found = headline("raft", "distance", DOWN, None, higher_is_better=False)
    assert found.sentence.startswith("Gained 5.0 points [1.1, 9.0]")


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_an_interval_without_ends_is_not_measured(broken: float) -> None:
    found = headline("raft", "choice", change(0.3, -broken, broken, "underpowered"), change(math.nan, 0, 1, "tied"))
    assert (found.gain, found.loss, found.gained, found.lost) == ("unmeasured", "unmeasured", None, None)


def test_caution_where_the_trivial_answer_is_not_beaten() -> None:
    after = Estimate(0.43, 0.36, 0.50, 0.95, "wilson", 200, 200)
    assert headline("raft", "choice", UP, None, after=after, trivial=0.35).cautions == ()
    (caution,) = headline("raft", "choice", UP, None, after=after, trivial=0.36).cautions
    assert "36.0" in caution
    assert "43.0 [36.0, 50.0]" in caution
    assert headline("raft", "choice", UP, None, after=after, trivial=math.nan).cautions == ()


def test_next_step_never_says_use_it_without_a_sure_gain_and_a_loss_ruled_out() -> None:
    for domain in (UP, DOWN, STILL, VAGUE, NONE):
        for general in (UP, DOWN, STILL, VAGUE, NONE):
            found = headline("raft", "choice", domain, general)
            good = domain is UP and general in (UP, STILL)
            assert found.next_step.startswith("Use it") == good
            assert found.next_step
