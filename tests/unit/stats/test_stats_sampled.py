"""Scores of steps, choices, rank@k, curves and diagnostics against loops that are too simple to be wrong."""

import math
from fractions import Fraction
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from tutelage.errors import DataError, NumericalError, RangeError, ShapeError
from tutelage.stats import (
    SampledSet,
    aggregate,
    label_noise_probe,
    length_diagnostic,
    outcome_error_rate,
    proportion_interval,
    rank_at_k,
    select,
    stepwise_error_rate,
    tts_curve,
)
from tutelage.stats.selection import vote

PROBABILITIES = st.lists(st.floats(0, 1, allow_subnormal=False), min_size=1, max_size=12)
ANSWERS = st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=8)


@given(PROBABILITIES)
def test_rules_agree_with_exact_arithmetic(scores):
    exact = [Fraction(one) for one in scores]
    assert aggregate(scores, "min") == min(scores)
    assert aggregate(scores, "max") == max(scores)
    assert aggregate(scores, "last") == scores[-1]
    assert aggregate(scores, "mean") == pytest.approx(float(sum(exact) / len(exact)))
    assert aggregate(scores, "prod") == pytest.approx(float(math.prod(exact)), rel=1e-9, abs=1e-300)
    inside = [min(max(one, 1e-6), 1 - 1e-6) for one in scores]
    odds = math.prod(one / (1 - one) for one in inside) ** (1 / len(inside))
    assert aggregate(scores, "logit_mean") == pytest.approx(odds / (1 + odds))


def test_a_product_too_small_for_a_float_still_orders():
    longer, shorter = [1e-3] * 400, [1e-3] * 399
    assert aggregate(longer, "prod") == aggregate(shorter, "prod") == 0
    assert aggregate(longer, "log_prod") == pytest.approx(400 * math.log(1e-3))
    assert aggregate(longer, "log_prod") < aggregate(shorter, "log_prod")
    assert aggregate([0.0, 1.0], "log_prod") == -math.inf


def test_bad_scores_of_steps_are_refused():
    for bad, error in (([], DataError), ([0.5, math.nan], NumericalError), ([1.2], RangeError)):
        with pytest.raises(error):
            aggregate(bad)
    with pytest.raises(RangeError, match="logit_mean"):
        aggregate([0.5], "median")


def naive(answers, scores, how):
    told = [i for i, answer in enumerate(answers) if answer is not None]
    if not told:
        return None, None
    if how == "best_of_n":
        best = told[0]
        for i in told:
            if scores[i] > scores[best]:
                best = i
        return answers[best], best
    leader = None
    for i in told:
        if answers[i] in answers[:i]:
            continue
        weight = sum(scores[j] if how == "weighted" else 1 for j in told if answers[j] == answers[i])
        if leader is None or weight > leader[0]:
            leader = (weight, answers[i], i)
    return leader[1:]


@given(ANSWERS, st.data(), st.sampled_from(["majority", "best_of_n", "weighted"]))
def test_a_choice_is_that_of_a_naive_loop_alone_and_in_bulk(answers, data, how):
    scores = data.draw(st.lists(st.integers(0, 3), min_size=len(answers), max_size=len(answers)))
    found = select(answers, scores, how)
    assert (found.answer, found.index) == naive(answers, scores, how)
    if how != "best_of_n":
        codes = np.array([["abc".find(answer) if answer else -1 for answer in answers]])
        weights = np.array([scores if how == "weighted" else [1] * len(answers)], dtype=float)
        assert vote(codes, weights)[0] == ("abc".find(found.answer) if found.answer else -1)


def test_ties_go_to_what_was_seen_first_whatever_the_order_of_adding():
    assert select(["b", "a"]).answer == "b"
    tenths = [0.1, 0.2, 0.3, 0.3, 0.2, 0.1]
    assert select(["b", "b", "b", "a", "a", "a"], tenths, "weighted").answer == "b"
    assert select(["b", "b", "b", "a", "a", "a"], tenths[::-1], "weighted").answer == "b"
    assert select([None, None, "a"]).answer == "a"


@pytest.mark.parametrize(("answer", "said"), [(["4"], "answer 1 is a list"), (math.nan, "answer 1 is NaN")])
def test_what_cannot_be_counted_wins_no_vote(answer, said):
    with pytest.raises(DataError, match=said):
        select(["4", answer, answer])
    with pytest.raises(DataError, match=said) as caught:
        SampledSet("q1", ("4", answer), (True, False))
    assert "q1" in caught.value.where


def test_choices_that_cannot_be_made_are_refused():
    with pytest.raises(DataError, match="needs scores"):
        select(["a"], how="weighted")
    with pytest.raises(ShapeError):
        select(["a"], [1.0, 2.0], "best_of_n")
    with pytest.raises(RangeError, match="at least 0"):
        select(["a"], [-1.0], "weighted")
    with pytest.raises(RangeError, match="majority"):
        select(["a"], how="median")


@given(st.integers(1, 6), st.integers(0, 6), st.integers(1, 6))
def test_rank_at_k_of_a_lot_and_of_a_seer(n, c, k):
    c, k = min(c, n), min(k, n)
    right = [i < c for i in range(n)]
    found = rank_at_k([list(map(float, right))], [right], k)
    tries = [any(right[i] for i in places) for places in combinations(range(n), k)]
    assert found.random == pytest.approx(sum(tries) / len(tries))
    assert found.value.value == found.oracle == float(c > 0)
    worst = rank_at_k([[-float(one) for one in right]], [right], k)
    assert worst.value.value == float(k > n - c)
    assert (found.mixed is None) == (c in (0, n))


def test_rank_at_k_keeps_the_order_of_equal_scores():
    assert rank_at_k([[1.0, 1.0]], [[False, True]]).value.value == 0
    assert rank_at_k([[1.0, 1.0]], [[True, False]]).value.value == 1
    with pytest.raises(RangeError):
        rank_at_k([[1.0]], [[True]], 2)
    with pytest.raises(RangeError):
        rank_at_k([[1.0]], [[0.5]])


def made_up(count, samples, seed=0, domains=("x",)):
    rng = np.random.default_rng(seed)
    sets = []
    for q in range(count):
        answers = [[None, "a", "b", "c"][i] for i in rng.integers(0, 4, samples)]
        right = tuple(answer == "a" for answer in answers)
        scores = {"one": tuple(rng.random(samples)), "two": tuple(rng.integers(0, 3, samples).astype(float))}
        sets.append(SampledSet(f"q{q}", tuple(answers), right, scores, domains[q % len(domains)]))
    return sets


def test_a_curve_tends_to_the_mean_over_all_draws():
    sets = made_up(3, 5)
    points = {(p.n, p.scorer, p.method): p for p in tts_curve(sets, ns=[1, 3], runs=4000) if p.domain == "x"}
    for (n, scorer, method), point in points.items():
        expected = []
        for one in sets:
            for places in permutations(range(5), n):
                answers = [one.answers[i] for i in places]
                if method == "oracle":
                    expected.append("a" in answers)
                elif method == "random":
                    expected.append(answers[0] == "a")
                else:
                    scores = [one.scores[scorer][i] for i in places] if scorer else [1] * n
                    expected.append(naive(answers, scores, method)[0] == "a")
        assert point.mean == pytest.approx(np.mean(expected), abs=0.02), (n, scorer, method)
    assert {method for _, scorer, method in points if not scorer} == {"majority", "oracle", "random"}


def test_a_curve_with_all_samples_has_no_spread_but_questions_still_differ():
    sets = made_up(40, 4)
    points = tts_curve(sets, ns=[4], runs=7, methods=["oracle", "best_of_n"])
    for point in points:
        assert point.sd_runs == pytest.approx(0, abs=1e-12) or point.scorer == "two"  # ties go by the order of draws
        values = [float("a" in one.answers) for one in sets]
        if point.method == "oracle":
            assert point.se_questions == pytest.approx(np.std(values, ddof=1) / math.sqrt(40))
            rng = np.random.default_rng(0)
            drawn = [rng.choice(values, 40).mean() for _ in range(4000)]
            assert point.se_questions == pytest.approx(np.std(drawn), rel=0.06)


def test_the_macro_average_weighs_domains_alike_and_draws_do_not_depend_on_neighbours():
    sets = made_up(31, 6, domains=("x", "y", "y", "z"))
    whole = tts_curve(sets, ns=[2], runs=9, methods=["majority"], seed=5)
    by_domain = {point.domain: point for point in whole}
    assert by_domain["macro"].mean == pytest.approx(np.mean([by_domain[d].mean for d in "xyz"]))
    assert by_domain["macro"].se_questions == pytest.approx(
        math.sqrt(sum(by_domain[d].se_questions ** 2 for d in "xyz")) / 3
    )
    alone = tts_curve([one for one in sets if one.domain == "y"][::-1], ns=[1, 2], runs=9, methods=["majority"], seed=5)
    assert next(p.mean for p in alone if p.n == 2) == by_domain["y"].mean
    assert by_domain["macro"].questions == 31


def test_a_majority_of_two_is_one_sample():
    points = {p.n: p.mean for p in tts_curve(made_up(50, 6), ns=[1, 2], methods=["majority"]) if p.domain == "x"}
    sets = [one for one in made_up(50, 6) if None not in one.answers]
    told = {p.n: p.mean for p in tts_curve(sets, ns=[1, 2], methods=["majority"]) if p.domain == "x"}
    assert told[1] == told[2]
    assert points[1] < points[2]  # a second sample helps where the first has no answer


BAD = {
    "number of": lambda: SampledSet("q", ("a",), (True, False)),
    "graded right and wrong": lambda: SampledSet("q", ("a", "a"), (True, False)),
    "no answer is graded right": lambda: SampledSet("q", (None,), (True,)),
    "samples": lambda: SampledSet("q", (), ()),
    "twice": lambda: tts_curve([*made_up(1, 4), *made_up(1, 4)], ns=[1]),
    "asked for": lambda: tts_curve(made_up(1, 4)),
    "macro": lambda: tts_curve(made_up(1, 4, domains=("macro",)), ns=[1]),
    "no scores": lambda: tts_curve([SampledSet("q", ("a",), (True,))], ns=[1], methods=["weighted"]),
    "as before": lambda: tts_curve([*made_up(1, 4), SampledSet("r", ("a",) * 4, (True,) * 4)], ns=[1]),
    "at least 0": lambda: tts_curve([SampledSet("q", ("a",), (True,), {"s": (-1.0,)})], ns=[1]),
    "no method": lambda: tts_curve(made_up(1, 4), ns=[1], methods=["median"]),
    "at least one run": lambda: tts_curve(made_up(1, 4), ns=[1], runs=0),
}


@pytest.mark.parametrize("said", list(BAD)[1:])
def test_curves_that_mean_nothing_are_refused(said):
    with pytest.raises((DataError, RangeError), match=said):
        BAD[said]()


def test_columns_of_different_length_are_refused():
    with pytest.raises(DataError, match="2 values of correct for 1 answers"):
        BAD["number of"]()


def test_the_auc_by_length_is_that_of_scikit_learn_and_its_slope_that_of_least_squares():
    rng = np.random.default_rng(3)
    steps, right = rng.integers(2, 6, 400), rng.random(400) < 0.5
    scores = np.round(right / steps + rng.normal(0, 0.3, 400), 1)
    found = length_diagnostic(scores, right, steps, resamples=300)
    aucs = [roc_auc_score(right[steps == s], scores[steps == s]) for s in range(2, 6)]
    assert [one.auc for one in found.bins] == pytest.approx(aucs)
    assert found.slope.value == pytest.approx(np.polyfit(range(2, 6), aucs, 1)[0])
    assert found.slope.low < found.slope.value < found.slope.high < 0
    assert sum(one.n for one in found.bins) == 400
    wide = length_diagnostic(scores, right, steps, bins=[2, 4, 5], resamples=100)
    assert [(one.low, one.high) for one in wide.bins] == [(2, 3), (4, 5)]


def test_the_interval_of_the_slope_covers_where_there_is_no_slope_and_questions_widen_it():
    rng, hits = np.random.default_rng(1), 0
    for trial in range(60):
        steps, right = rng.integers(2, 4, 120), rng.random(120) < 0.5
        found = length_diagnostic(right + rng.normal(0, 1, 120), right, steps, resamples=200, seed=trial)
        hits += found.slope.low <= 0 <= found.slope.high
    assert hits >= 52
    shift = np.repeat(rng.normal(0, 3, 15), 8)
    together = length_diagnostic(right + shift, right, steps, question=np.arange(120) // 8, resamples=400)
    assert together.slope.n_clusters == 15


def test_a_product_of_noisy_scores_falls_with_length_and_a_single_score_does_not():
    rng = np.random.default_rng(0)
    scores, outcome, right, steps = [], [], [], []
    for _ in range(3000):
        length = int(rng.choice([2, 8, 32]))
        good = rng.random() < 0.5
        labels = np.ones(length)
        if not good:
            labels[rng.integers(length)] = -1
        logits = 2 * labels + rng.normal(0, 2, length)
        scores.append(aggregate(1 / (1 + np.exp(-logits)), "log_prod"))
        outcome.append(2 * good + rng.normal(0, 1))
        right.append(good)
        steps.append(length)
    assert length_diagnostic(scores, right, steps, resamples=100).slope.high < 0
    flat = length_diagnostic(outcome, right, steps, resamples=100).slope
    assert flat.low < 0 < flat.high


def test_one_outcome_only_is_refused():
    with pytest.raises(DataError, match="two lengths"):
        length_diagnostic([1, 2], [1, 1], [2, 3])


def test_noise_of_labels_is_counted_on_steps_that_both_label():
    automatic, reference = [[1, 0, -1, 1], [0], [1, 1]], [[1, 1, 0, -1], [0], [1, 1]]
    found = label_noise_probe(automatic, reference)
    assert found.confusion == ((1, 0), (1, 3))
    assert found.skipped == 2
    assert found.right_called_wrong.value == 0.25
    assert found.wrong_called_right.value == 0
    assert found.first_error.value == pytest.approx(2 / 3)
    assert label_noise_probe([[1]], [[1]]).wrong_called_right is None
    with pytest.raises(DataError):
        label_noise_probe([[-1]], [[1]])
    with pytest.raises(ShapeError):
        label_noise_probe([[1]], [[1, 0]])


def test_rates_of_error_by_hand():
    flags = [[True, False], [False] * 6, [True, True]]
    assert stepwise_error_rate(flags).value == pytest.approx(3 / 10)
    assert stepwise_error_rate(flags, average="macro").value == pytest.approx(0.5)
    assert stepwise_error_rate(flags).n_clusters == 3
    plain = outcome_error_rate([True] * 3 + [False] * 7)
    assert plain == proportion_interval(3, 10)
    one_a_row = stepwise_error_rate([[True]] * 3 + [[False]] * 7)
    assert (one_a_row.low, one_a_row.high) == (plain.low, plain.high)
    for bad in ([], [[]], [[0.5]]):
        with pytest.raises((DataError, RangeError)):
            stepwise_error_rate(bad, average="macro")
