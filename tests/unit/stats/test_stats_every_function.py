"""Every public function on nothing, one, two, all equal, all missing, ties, strangers: an answer or our own error."""

import dataclasses
import math
import warnings

import numpy as np
import pytest

import tutelage.stats as stats
from tutelage.errors import TutelageError
from tutelage.types import Comparison, Estimate, Scores

NAN = math.nan
PAIRS = {  # scores of two systems on the same items
    "nothing": ([], []),
    "one": ([1.0], [0.0]),
    "one graded": ([0.3], [0.4]),
    "two": ([1.0, 0.0], [0.0, 0.0]),
    "two graded": ([0.1, 0.2], [0.3, 0.2]),
    "all equal": ([1.0] * 6, [1.0] * 6),
    "all zero": ([0.0] * 6, [0.0] * 6),
    "all equal graded": ([0.3] * 6, [0.3] * 6),
    "all shifted": ([0.0] * 6, [1.0] * 6),
    "all shifted graded": ([0.1] * 6, [0.4] * 6),
    "all missing": ([NAN] * 4, [NAN] * 4),
    "one missing": ([1.0, NAN, 0.0], [1.0, 1.0, 0.0]),
    "ties": ([1.0, 1.0, 2.0, 2.0, 3.0], [2.0, 2.0, 1.0, 3.0, 3.0]),
    "infinite": ([1.0, math.inf], [1.0, 0.0]),
    "huge": ([1e300, -1e300, 1e300], [-1e300, 1e300, 0.0]),
    "tiny": ([1e-300, 2e-300, 0.0], [0.0, 1e-300, 2e-300]),
    "one cluster": ([1.0, 0.0, 1.0], [0.0, 0.0, 1.0]),
    "one cluster graded": ([0.1, 0.5, 0.2], [0.3, 0.3, 0.3]),
}
CLUSTERS = {"one cluster": ["x"] * 3, "one cluster graded": ["x"] * 3}


def scores(values, clusters=None, prefix="i"):
    ids = tuple(f"{prefix}{k}" for k in range(len(values)))
    return Scores("m", ids, np.array(values, dtype=float), clusters and tuple(clusters))


def counts(a, b):
    return stats.PairedCounts.of(a, b)


def judged(p):
    """A comparison that only has a p value."""
    return Comparison(Estimate(0.1, 0.01, 0.2, 0.95, "t", 9, 9), p, p, "t", 9, (1, 2), 0.1, "B>A")


FUNCTIONS = {  # of two vectors and their clusters
    "adjust": lambda a, b, c: stats.adjust([judged(p) for p in a]),
    "aggregate": lambda a, b, c: [stats.aggregate(a, m) for m in ("min", "prod", "last", "mean", "max", "logit_mean")],
    "align": lambda a, b, c: stats.align(scores(a, c), scores(b, c)),
    "align, dropping": lambda a, b, c: stats.align(scores(a, c), scores(b, c), missing="drop"),
    "align, worst": lambda a, b, c: stats.align(scores(a, c), scores(b, c), missing="worst"),
    "align, strangers": lambda a, b, c: stats.align(scores(a), scores(b, prefix="other")),
    "alignment_gap": lambda a, b, c: stats.alignment_gap(
        stats.idealized_ranking_accuracy(a, b, [1.0] * len(a)),
        [float(x > y) for x, y in zip(a, b, strict=True)],
        cluster=c,
    ),
    "benjamini_hochberg": lambda a, b, c: stats.benjamini_hochberg(a),
    "cohen_kappa": lambda a, b, c: stats.cohen_kappa(a, b, cluster=c),
    "cohen_kappa, weighted": lambda a, b, c: stats.cohen_kappa(a, b, weights="quadratic"),
    "compare": lambda a, b, c: stats.compare(scores(a, c), scores(b, c), smallest_effect=0.1),
    "compare, strangers": lambda a, b, c: stats.compare(scores(a), scores(b, prefix="other")),
    "compare_macro": lambda a, b, c: stats.compare_macro({"x": scores(a, c)}, {"x": scores(b, c)}),
    "difference_of_shares": lambda a, b, c: stats.difference_of_shares(a, b, c),
    "estimate": lambda a, b, c: stats.estimate(scores(a, c)),
    "estimate_macro": lambda a, b, c: stats.estimate_macro({"x": scores(a, c), "y": scores(b, c)}),
    "exposure": lambda a, b, c: stats.exposure(a),
    "fairness_report": lambda a, b, c: stats.fairness_report(["x", "y", *"xy" * len(a)][: len(a)], a, b, minimum=2),
    "fairness_report, qualified": lambda a, b, c: stats.fairness_report(
        ["x", "y", *"xy" * len(a)][: len(a)], [1.0] * len(a), b, qualified=a, minimum=2
    ),
    "fleiss_kappa": lambda a, b, c: stats.fleiss_kappa(np.column_stack([a, b]), cluster=c),
    "flip_report": lambda a, b, c: stats.flip_report(
        scores(a, c), scores(b, c), choices=([*map(str, a)], [*map(str, b)])
    ),
    "flip_report, judged": lambda a, b, c: stats.flip_report(scores(a, c), scores(b, c), right_from=0.3),
    "flip_report, strangers": lambda a, b, c: stats.flip_report(scores(a), scores(b, prefix="other")),
    "flip_table": lambda a, b, c: stats.flip_table(a, b, loss=a, margin=b),
    "holm": lambda a, b, c: stats.holm(a),
    "idealized_ranking_accuracy": lambda a, b, c: stats.idealized_ranking_accuracy(a, b, [0.9] * len(a)),
    "ipo_reachable": lambda a, b, c: stats.ipo_reachable(a, b),
    "jonckheere": lambda a, b, c: stats.jonckheere([a, b]),
    "kendall_tau": lambda a, b, c: stats.kendall_tau(a, b),
    "kendall_tau over items": lambda a, b, c: stats.kendall_tau(np.column_stack([a, b]), np.column_stack([b, a])),
    "krippendorff_alpha": lambda a, b, c: stats.krippendorff_alpha([a, b], cluster=c),
    "krippendorff_alpha, ordinal": lambda a, b, c: stats.krippendorff_alpha([a, b], level="ordinal"),
    "krippendorff_alpha, interval": lambda a, b, c: stats.krippendorff_alpha([a, b], level="interval"),
    "length_only_accuracy": lambda a, b, c: stats.length_only_accuracy(a, b, cluster=c),
    "deception_score": lambda a, b, c: stats.deception_score(a, b, a, b, cluster=c, resamples=200),
    "knowledge_regions": lambda a, b, c: stats.knowledge_regions(a, b),
    "label_noise_probe": lambda a, b, c: stats.label_noise_probe([a], [b]),
    "linear_fit": lambda a, b, c: stats.linear_fit(b, {"a": a}, c, resamples=200),
    "length_diagnostic": lambda a, b, c: stats.length_diagnostic(b, a, [*range(len(b))], resamples=200),
    "length_diagnostic, halves": lambda a, b, c: stats.length_diagnostic(
        b, a, [i % 2 for i in range(len(b))], question=c, resamples=200
    ),
    "mcnemar": lambda a, b, c: [stats.mcnemar(counts(a, b), method=m) for m in ("midp", "exact", "chi2")],
    "mcnemar_power": lambda a, b, c: stats.mcnemar_power(len(a), *([*a, 0.1, 0.1][:2])),
    "mean_interval": lambda a, b, c: stats.mean_interval(a, c),
    "minimum_detectable_effect": lambda a, b, c: stats.minimum_detectable_effect(len(a), deviation=abs(sum(b))),
    "missing_bounds": lambda a, b, c: stats.missing_bounds(scores(a, c)),
    "missing_bounds of two": lambda a, b, c: stats.missing_bounds(scores(a, c), scores(b, c)),
    "negative_flips": lambda a, b, c: stats.negative_flips(scores(a, c), scores(b, c)),
    "newcombe": lambda a, b, c: stats.newcombe(counts(a, b)),
    "non_inferior": lambda a, b, c: stats.non_inferior(scores(a, c), scores(b, c), 0.1),
    "pair_difficulty": lambda a, b, c: stats.pair_difficulty(a, b),
    "outcome_error_rate": lambda a, b, c: stats.outcome_error_rate(a),
    "paired_bootstrap": lambda a, b, c: stats.paired_bootstrap(a, b, cluster=c, resamples=200),
    "paired_bootstrap, strata": lambda a, b, c: stats.paired_bootstrap(a, b, strata=["s", *"t" * (len(a) - 1)]),
    "pairs_needed": lambda a, b, c: stats.pairs_needed(abs(sum(a)) / 9, deviation=abs(sum(b))),
    "pass_at_k": lambda a, b, c: stats.pass_at_k([5] * len(a), a, 2),
    "performance_gap_recovered": lambda a, b, c: stats.performance_gap_recovered(a, b, b, cluster=c, resamples=200),
    "performance_gap_recovered, metric": lambda a, b, c: stats.performance_gap_recovered(
        a, b, b, metric=lambda rows: float(np.median(rows)), cluster=c, resamples=100
    ),
    "classifier_rows": lambda a, b, c: stats.classifier_rows(a, [[x, 1 - x] for x in b]),
    "gap_table": lambda a, b, c: stats.gap_table(a, b, b, stats.WRITER_METRICS, resamples=100),
    "toxicity_metrics": lambda a, b, c: stats.toxicity_metrics([[x] for x in a]),
    "ppi_mean": lambda a, b, c: stats.ppi_mean(a, b, a),
    "preference_share": lambda a, b, c: stats.preference_share([0.5 + abs(x) / 2 for x in a], len(b)),
    "proportion_interval": lambda a, b, c: [
        stats.proportion_interval(np.round(sum(a)), len(a), method=m) for m in ("wilson", "clopper-pearson", "jeffreys")
    ],
    "rank_at_k": lambda a, b, c: stats.rank_at_k([b], [a]),
    "rank_table": lambda a, b, c: stats.rank_table(np.column_stack([a, b]), cluster=c),
    "ranked_right": lambda a, b, c: stats.ranked_right(a, b, votes=[0.5] * len(a)),
    "ranking_accuracy": lambda a, b, c: stats.ranking_accuracy(a, b, cluster=c),
    "rankings_match": lambda a, b, c: stats.rankings_match(np.column_stack([a, b]), np.column_stack([b, a])),
    "rogan_gladen": lambda a, b, c: stats.rogan_gladen(
        sum(a), len(a), sensitivity=(len(a), len(a)), specificity=(sum(b), len(b))
    ),
    "select": lambda a, b, c: [stats.select(a, b, m) for m in ("majority", "best_of_n", "weighted")],
    "self_flips": lambda a, b, c: stats.self_flips(scores(a, c), scores(b, c)),
    "share_interval": lambda a, b, c: stats.share_interval(a, c),
    "sign_flip_test": lambda a, b, c: stats.sign_flip_test(a, b, cluster=c),
    "simulated_power": lambda a, b, c: stats.simulated_power(
        lambda n, rng: (a, b), lambda x, y: stats.sign_flip_test(x, y).p, [len(a)], repeats=100
    ),
    "spearman": lambda a, b, c: stats.spearman(a, b),
    "stability_gap": lambda a, b, c: stats.stability_gap([*a, *b]),
    "stepwise_error_rate": lambda a, b, c: [stats.stepwise_error_rate([a, b], average=m) for m in ("micro", "macro")],
    "tost": lambda a, b, c: stats.tost(a, b, 0.1, cluster=c),
    "tts_curve": lambda a, b, c: stats.tts_curve(
        [stats.SampledSet(f"q{k}", tuple(f"{x}" for x in a), tuple(x == 1 for x in a), {"s": b}) for k in range(2)],
        ns=[1],
        runs=3,
    ),
    "two_level_bootstrap": lambda a, b, c: stats.two_level_bootstrap([a, b], resamples=200),
    "unpaired_detectable_effect": lambda a, b, c: stats.unpaired_detectable_effect(len(a), deviation=abs(sum(b))),
    "unpaired_z": lambda a, b, c: stats.unpaired_z(a, b),
    "verdict": lambda a, b, c: stats.verdict(stats.mean_interval(a, c), "greater", margin=0.1),
}


def numbers(found):
    """Every float in an answer."""
    if isinstance(found, float):
        yield found
    elif isinstance(found, np.ndarray):
        yield from found.ravel().tolist()
    elif dataclasses.is_dataclass(found):
        for field in dataclasses.fields(found):
            yield from numbers(getattr(found, field.name))
    elif isinstance(found, dict):
        yield from numbers(list(found.values()))
    elif isinstance(found, list | tuple):
        for part in found:
            yield from numbers(part)


def estimates(found):
    """Every estimate in an answer."""
    if isinstance(found, Estimate):
        yield found
    elif dataclasses.is_dataclass(found):
        for field in dataclasses.fields(found):
            yield from estimates(getattr(found, field.name))
    elif isinstance(found, list | tuple):
        for part in found:
            yield from estimates(part)


def test_no_public_function_is_left_out():
    named = {name.partition(",")[0].partition(" ")[0] for name in FUNCTIONS}
    assert named == {name for name in stats.__all__ if name.islower()}


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("case", PAIRS)
def test_an_answer_or_our_own_error(function, case):
    a, b = PAIRS[case]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.UnmatchedWarning)
        warnings.simplefilter("error", RuntimeWarning)  # NumPy's, about numbers that are not numbers
        try:
            found = FUNCTIONS[function](list(a), list(b), CLUSTERS.get(case))
        except TutelageError:
            return
    assert not any(math.isnan(x) for x in numbers(found)), found
    for one in estimates(found):
        assert one.low <= one.value + 1e-9 * abs(one.value), one
        assert one.value <= one.high + 1e-9 * abs(one.value), one
        assert one.n >= one.n_clusters >= 1, one


@pytest.mark.parametrize("function", [name for name in FUNCTIONS if "strangers" in name])
def test_unmatched_items_are_an_error(function):
    with pytest.raises(TutelageError, match="share no item"):
        FUNCTIONS[function]([1.0, 0.0], [0.0, 1.0], None)


NO_ITEMS = {"adjust", "benjamini_hochberg", "holm", "pass_at_k"} | {
    n for n in FUNCTIONS if n.startswith(("m", "pairs", "unp", "sim"))
}


@pytest.mark.parametrize("function", [name for name in FUNCTIONS if name not in NO_ITEMS])
def test_nothing_is_an_error(function):
    with pytest.raises(TutelageError):
        FUNCTIONS[function]([], [], None)


MAY_MISS = {"align, dropping", "align, worst", "krippendorff_alpha", "krippendorff_alpha, ordinal"} | {
    name for name in FUNCTIONS if name.startswith(("krippendorff", "missing", "unpaired_d", "minimum"))
}


@pytest.mark.parametrize("function", [name for name in FUNCTIONS if name not in MAY_MISS])
def test_a_missing_score_is_an_error_unless_there_is_a_policy(function):
    with pytest.raises(TutelageError):
        FUNCTIONS[function]([NAN, 1.0, 0.0], [NAN, 1.0, 0.0], None)
