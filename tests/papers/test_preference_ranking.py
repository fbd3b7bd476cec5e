"""What is particular to the recipe on preference rankings: its pairs, and what is read off log-probabilities."""

import doctest
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.models.sequence_logprobs import SequenceLogprobs
from tutelage.papers.lab import preferences
from tutelage.papers.lab.preferences import FACTS, STYLES, preference_pairs
from tutelage.papers.recipes import preference_ranking
from tutelage.papers.recipes.preference_ranking import easier_turned, scores
from tutelage.training.ranking_callback import PairLogprobs


@pytest.mark.parametrize("module", [preferences, preference_ranking])
def test_examples_run_as_printed(module):
    assert doctest.testmod(module).failed == 0


def test_pairs_are_different_right_against_wrong_and_longer_on_either_side():
    pairs = preference_pairs(384, seed=3)
    assert len({one.id for one in pairs}) == len({(one.prompt, one.chosen, one.rejected) for one in pairs}) == 384
    longer = [len(one.chosen) > len(one.rejected) for one in pairs]
    assert 0.4 < sum(longer) / len(longer) < 0.6
    for one in pairs:
        question = next(q for q in FACTS if one.prompt.startswith("Question: " + q.split("{}")[0]))
        filling = one.prompt[len("Question: " + question.split("{}")[0]) : -len(question.split("{}")[1] + "\nAnswer:")]
        said = [
            side
            for side in (one.chosen, one.rejected)
            if any(side == s.format(FACTS[question][filling]) for s in STYLES)
        ]
        assert said == [one.chosen]
    assert preference_pairs(9, seed=3) == preference_pairs(9, seed=3)
    assert preference_pairs(9, seed=3) != preference_pairs(9, seed=4)
    for answers in FACTS.values():
        assert len(set(answers.values())) == len(answers)  # else a wrong answer could be right


def point(chosen, rejected, lengths=((2, 2, 2, 2), (1, 2, 3, 4))):
    sides = (
        SequenceLogprobs(np.array(s, dtype=float), np.array(n))
        for s, n in zip((chosen, rejected), lengths, strict=True)
    )
    return PairLogprobs(*sides)


def test_scores_of_four_pairs_by_hand():
    reference = point([-10, -10, -10, -10], [-5, -9, -20, -2])  # three wrong: c = 5, 1, -10, 8
    now = point([-9, -9, -10, -10], [-6, -11, -21, -3])
    found = scores([reference, now], list("abcd"), 0.5)
    assert found["reference"]["difficulty"] == {"a": 5, "b": 1, "c": -10, "d": 8}
    assert found["dpo"]["right"] == {"a": 0, "b": 1, "c": 1, "d": 0}
    assert found["dpo"]["right_normalised"] == {"a": 1, "b": 1, "c": 1, "d": 0}
    assert found["reward"]["right"] == {"a": 1, "b": 1, "c": 1, "d": 1}
    assert found["dpo"]["excess"] == {"a": 1, "b": 0, "c": 0, "d": 1}
    assert found["shorter"]["right"] == {"a": 0, "b": 0.5, "c": 1, "d": 1}
    assert found["dpo"]["corrected"] == {"run": pytest.approx(1 / 3)}
    assert found["dpo"]["easier_turned"] == {"run": 1.0}
    assert found["dpo"]["loss_change"]["a"] == pytest.approx(math.log1p(math.exp(-0.5 * 2)) - math.log(2))
    assert set(found["dpo"]["agrees"].values()) == {1.0}


def test_agreement_is_lost_where_loss_and_ranking_have_another_reference():
    reference, now = point([-10] * 4, [-5, -9, -20, -2]), point([-9, -9, -10, -10], [-6, -11, -21, -3])
    moved = point([-9, -6, -7, -7], [-3, -11, -24, -1])
    assert set(scores([reference, moved, now], list("abcd"), 0.5)["dpo"]["agrees"].values()) == {1.0}
    wrong = PairLogprobs(now.chosen, SequenceLogprobs(-now.rejected.sums, now.rejected.lengths))
    wrong.__dict__["right"] = lambda normalised=False: ~PairLogprobs.right(wrong, normalised=normalised)
    assert 0.0 in scores([reference, wrong], list("abcd"), 0.5)["dpo"]["agrees"].values()


@given(st.lists(st.tuples(st.integers(-3, 9), st.booleans(), st.booleans()), min_size=1, max_size=15))
def test_the_area_as_a_loop_over_pairs_of_pairs(rows):
    c, before, after = (np.array(column) for column in zip(*rows, strict=True))
    turned = [one for one, b, a in rows if not b and a]
    stayed = [one for one, b, a in rows if not b and not a]
    wins = [1.0 if x < y else 0.5 if x == y else 0.0 for x in turned for y in stayed]
    expected = sum(wins) / len(wins) if wins else 0.5
    assert easier_turned(c.astype(float), before, after) == pytest.approx(expected)
