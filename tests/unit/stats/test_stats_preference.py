"""Rankings of preference pairs against naive loops in plain floats, the closed forms, and the theorems themselves."""

import doctest
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

import tutelage.stats.preference as preference
import tutelage.stats.preference_difficulty as difficulty
import tutelage.stats.preference_optimum as optimum
from tutelage import stats
from tutelage.errors import DataError, RangeError, ShapeError

LOGS = st.floats(-80, -0.01)
QUADS = st.lists(st.tuples(LOGS, LOGS, LOGS, LOGS), min_size=1, max_size=12)
BETA = st.sampled_from([0.01, 0.1, 1.0, 5.0])


@pytest.mark.parametrize("module", [preference, difficulty, optimum])
def test_every_example_runs_as_printed(module):
    assert doctest.testmod(module).failed == 0


def naive_right(first, second, lengths, votes, eps):
    found = []
    for i, (a, b) in enumerate(zip(first, second, strict=True)):
        if lengths:
            a, b = a / lengths[0][i], b / lengths[1][i]
        if votes and votes[i] == 0.5:
            found.append(abs(math.exp(a) - math.exp(b)) < eps)
        else:
            found.append(a >= b)
    return found


@given(QUADS, st.booleans(), st.booleans(), st.randoms(use_true_random=False))
def test_pairs_are_ranked_as_a_naive_loop_ranks_them(rows, normalised, voted, draw):
    first, second, *_ = zip(*rows, strict=True)
    lengths = tuple([draw.randrange(1, 9) for _ in rows] for _ in range(2)) if normalised else ()
    votes = [draw.choice([0.5, 0.7, 1.0]) for _ in rows] if voted else None
    found = stats.ranked_right(first, second, *lengths, votes=votes)
    assert found.tolist() == naive_right(first, second, lengths, votes, 0.01)
    told = stats.ranking_accuracy(first, second, *lengths, votes=votes)
    assert told.value == pytest.approx(sum(found) / len(found))
    assert told.low <= told.value <= told.high


def test_equal_likelihoods_are_right_and_a_clear_tie_is_not():
    assert stats.ranked_right([-2.0], [-2.0]).tolist() == [True]
    # exp(-1) and exp(-2) differ by .23: half of the raters for each, and yet one is clearly likelier
    assert stats.ranked_right([-1.0, -50.0], [-2.0, -90.0], votes=[0.5, 0.5]).tolist() == [False, True]
    assert stats.ranked_right([-1.0], [-2.0], votes=[0.5], tie_eps=0.3).tolist() == [True]


def test_length_alone_can_turn_a_ranking_round():
    sums, others = [-12.0] * 4, [-3.0] * 4
    assert stats.ranking_accuracy(sums, others).value == 0
    assert stats.ranking_accuracy(sums, others, [12] * 4, [2] * 4).value == 1
    assert stats.length_only_accuracy([12] * 4, [2] * 4).value == 0


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=2, max_size=12))
def test_the_baseline_of_lengths_as_a_loop(rows):
    expected = [1.0 if a < b else 0.5 if a == b else 0.0 for a, b in rows]
    found = stats.length_only_accuracy(*zip(*rows, strict=True))
    assert found.value == pytest.approx(sum(expected) / len(expected))


@given(st.lists(st.lists(st.integers(-5, -1), min_size=4, max_size=4), min_size=1, max_size=6))
def test_a_ranking_of_several_matches_where_sorting_gives_it(rows):
    ranks = [1, 2, 3, 4]
    expected = [len(set(row)) == 4 and row == sorted(row, reverse=True) for row in rows]
    assert stats.rankings_match(rows, [ranks] * len(rows)).tolist() == expected


def test_what_shares_a_rank_may_come_in_any_order():
    assert stats.rankings_match([[-1.0, -3.0, -2.0]], [[1, 2, 2]]).tolist() == [True]
    assert stats.rankings_match([[-2.0, -3.0, -1.0]], [[1, 2, 2]]).tolist() == [False]


@given(QUADS, st.lists(st.sampled_from([0.5, 0.6, 0.9, 1.0]), min_size=12, max_size=12))
def test_the_idealised_accuracy_as_a_loop_over_probabilities(rows, shares):
    first, second, *_ = zip(*rows, strict=True)
    votes = shares[: len(rows)]
    if set(votes) == {0.5}:
        votes[0] = 0.6
    betas = (0.1, 1.0, 5.0)
    expected = {}
    for beta in betas:
        right = []
        for a, b, share in zip(first, second, votes, strict=True):
            if share > 0.5:
                alpha = min(share, 0.999)
                right.append(a - b + math.log(alpha / (1 - alpha)) / beta > 0)
        expected[beta] = sum(right) / len(right)
    found = stats.idealized_ranking_accuracy(first, second, votes, betas=betas)
    assert found.per_beta == pytest.approx(expected)
    assert found.minimum == found.per_beta[5.0] <= found.median == found.per_beta[1.0] <= found.maximum
    observed = stats.ranked_right(first, second).astype(float)
    gap = stats.alignment_gap(found, observed)
    assert gap.per_beta[1.0].value == pytest.approx(expected[1.0] - observed[found.counted].mean())


def test_the_optimum_is_that_of_the_dpo_loss_on_the_votes():
    """Theorem 3.1 by numbers: of all differences, the formula's has the least expected loss."""
    for alpha, beta, reference in [(0.7, 0.1, -4.0), (0.9, 1.0, -2.5), (0.55, 0.5, 1.0)]:

        def risk(delta, alpha=alpha, beta=beta, reference=reference):
            z = beta * (delta - reference)
            return alpha * np.logaddexp(0, -z) + (1 - alpha) * np.logaddexp(0, z)

        best = minimize_scalar(risk, bracket=(-50, 50)).x
        assert best == pytest.approx(reference + math.log(alpha / (1 - alpha)) / beta, abs=1e-3)
        found = stats.idealized_ranking_accuracy([reference - 100.0], [-100.0], [alpha], betas=(beta,))
        assert bool(found.right[0, 0]) == (best > 0)


@given(QUADS, BETA)
def test_a_pair_is_right_exactly_when_its_dpo_loss_is_at_most_the_required_one(rows, beta):
    """Theorem 4.1, without the float ties."""
    w, l, ref_w, ref_l = map(np.array, zip(*rows, strict=True))  # noqa: E741 - the paper's
    loss = np.logaddexp(0, -beta * ((w - l) - (ref_w - ref_l)))
    found = stats.pair_difficulty(ref_w, ref_l, beta)
    clear = np.abs(loss - found.required_loss) > 1e-9 * np.maximum(loss, 1e-3)
    assert ((loss <= found.required_loss) == stats.ranked_right(w, l))[clear].all()
    easy = (found.c <= 0) & (loss <= 0.6)
    assert stats.ranked_right(w, l)[easy].all()  # proposition 2.6
    assert (found.c <= 0).tolist() == stats.ranked_right(ref_w, ref_l).tolist()


def test_the_required_loss_in_closed_form_and_far_out():
    found = stats.pair_difficulty([-10.0, -1010.0], [-10.0, -10.0], beta=0.5)
    assert found.required_loss[0] == pytest.approx(math.log(2))
    assert found.required_loss[1] == pytest.approx(math.exp(-500), rel=1e-9)


@given(QUADS, st.sampled_from([0.05, 0.1, 0.5]))
def test_ipo_either_cannot_or_its_bound_is_enough_and_tight(rows, tau):
    w, l, ref_w, ref_l = map(np.array, zip(*rows, strict=True))  # noqa: E741
    found = stats.ipo_reachable(ref_w, ref_l, tau)
    loss = ((w - l) - (ref_w - ref_l) - 1 / (2 * tau)) ** 2
    low = loss < found.sufficient_loss - 1e-9
    assert stats.ranked_right(w, l)[low].all()
    zero = (ref_w - ref_l) + 1 / (2 * tau)  # the difference at which the loss is 0
    clear = np.abs(zero) > 1e-9
    assert ((zero > 0) == found.reachable)[clear].all()


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(0, 5), st.floats(-9, 9)), min_size=1, max_size=20))
def test_four_shares_as_a_loop(rows):
    reference, now, loss, margin = (list(map(float, column)) for column in zip(*rows, strict=True))
    table = stats.flip_table(reference, now, loss=loss, margin=margin)
    groups = {(1, 1): table.stayed_right, (0, 1): table.turned_right, (1, 0): table.turned_wrong}
    groups[0, 0] = table.stayed_wrong
    for (before, after), group in groups.items():
        here = [i for i, (b, a, *_) in enumerate(rows) if (b, a) == (bool(before), bool(after))]
        assert (group.count, group.share) == (len(here), pytest.approx(len(here) / len(rows)))
        if here:
            assert group.loss == pytest.approx(sum(loss[i] for i in here) / len(here))
            assert group.margin == pytest.approx(sum(margin[i] for i in here) / len(here))
        else:
            assert group.loss is None
    assert sum(group.share for group in groups.values()) == pytest.approx(1)
    wrong = [row for row in rows if not row[0]]
    assert table.corrected == (pytest.approx(sum(row[1] for row in wrong) / len(wrong)) if wrong else None)


def test_bad_input_is_named():
    with pytest.raises(RangeError, match="swap the two") as caught:
        stats.ranked_right([-1.0, -1.0], [-2.0, -2.0], votes=[0.9, 0.3])
    assert "position 1" in str(caught.value)
    with pytest.raises(RangeError, match="at least one token"):
        stats.ranked_right([-1.0], [-2.0], [0], [3])
    with pytest.raises(ShapeError, match="both responses or of none"):
        stats.ranked_right([-1.0], [-2.0], [1])
    with pytest.raises(DataError, match="divided"):
        stats.idealized_ranking_accuracy([-1.0], [-2.0], [0.5])
    with pytest.raises(RangeError, match="above 0"):
        stats.ranked_right([1.0], [2.0], votes=[0.5])
    for call in (stats.pair_difficulty, stats.ipo_reachable):
        with pytest.raises(RangeError, match="above 0"):
            call([-1.0], [-2.0], 0.0)
    with pytest.raises(RangeError, match="0 or 1"):
        stats.flip_table([0.5], [1.0])
