"""Empty, one, two, all equal, unmatched, missing: a defined answer or a clear error."""

import json
import math

import numpy as np
import pytest

from tutelage.errors import DataError, NumericalError, RangeError, ShapeError
from tutelage.stats import (
    PairedCounts,
    UnmatchedWarning,
    adjust,
    align,
    compare,
    compare_macro,
    estimate,
    estimate_macro,
    holm,
    mean_interval,
    minimum_detectable_effect,
    negative_flips,
    newcombe,
    paired_bootstrap,
    proportion_interval,
    verdict,
)
from tutelage.types import Estimate, Scores


def scores(values, ids=None, clusters=None, **more):
    ids = ids or [f"i{k}" for k in range(len(values))]
    return Scores("metric", tuple(ids), np.array(values, dtype=float), clusters and tuple(clusters), **more)


def interval(low, high):
    return Estimate((low + high) / 2, low, high, 0.95, "t", 10, 10)


class TestSizes:
    def test_nothing_is_an_error(self):
        for call in (
            lambda: proportion_interval(0, 0),
            lambda: mean_interval([]),
            lambda: paired_bootstrap([], []),
            lambda: newcombe(PairedCounts(0, 0, 0, 0)),
            lambda: estimate(scores([])),
            lambda: estimate_macro({}),
            lambda: compare_macro({}, {}),
        ):
            with pytest.raises(DataError):
                call()

    def test_one_value_has_no_known_spread(self):
        found = mean_interval([3.0])
        assert (found.value, found.low, found.high) == (3.0, -math.inf, math.inf)
        boot = paired_bootstrap([1.0], [2.0])
        assert (boot.delta.value, boot.delta.low, boot.delta.high, boot.p) == (1.0, -math.inf, math.inf, 1.0)
        assert compare(scores([0.3]), scores([0.9]), smallest_effect=0.1).outcome == "underpowered"
        assert mean_interval([1.0, 2.0, 3.0], ["s", "s", "s"]).high == math.inf

    def test_two_values(self):
        found = mean_interval([0.0, 1.0])
        assert found.high - found.value == pytest.approx(12.7062 * 0.5, rel=1e-4)  # t with one degree of freedom
        assert paired_bootstrap([0.0, 0.0], [0.0, 1.0]).delta.high == 1.0

    def test_all_equal(self):
        assert (mean_interval([2.0] * 5).low, mean_interval([2.0] * 5).high) == (2.0, 2.0)
        boot = paired_bootstrap([0.1] * 50, [0.4] * 50)
        assert boot.delta.low == pytest.approx(0.3) == boot.delta.high
        assert compare(scores([1.0] * 9), scores([1.0] * 9)).p == 1.0
        same = paired_bootstrap([0.5, 0.7], [0.5, 0.7])
        assert (same.delta.value, same.p) == (0.0, 1.0)

    def test_bounds_of_a_proportion_are_exact_at_the_ends(self):
        for method in ("wilson", "clopper-pearson"):
            assert proportion_interval(0, 9, method=method).low == 0.0
            assert proportion_interval(9, 9, method=method).high == 1.0


class TestRefusals:
    @pytest.mark.parametrize("level", [0, 1, 95, -0.1, math.nan])
    def test_a_level_is_between_0_and_1(self, level):
        for call in (
            lambda: proportion_interval(1, 2, level=level),
            lambda: mean_interval([1.0, 2.0], level=level),
            lambda: paired_bootstrap([1.0], [2.0], level=level),
            lambda: newcombe(PairedCounts(1, 1, 1, 1), level=level),
            lambda: minimum_detectable_effect(10, deviation=1, level=level),
        ):
            with pytest.raises(RangeError, match="level"):
                call()

    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_missing_numbers_are_named(self, value):
        with pytest.raises(NumericalError, match="position 1"):
            mean_interval([0.0, value])
        with pytest.raises(NumericalError, match="position 1"):
            paired_bootstrap([0.0, 0.0], [0.0, value])
        with pytest.raises(NumericalError, match="'i1'"):
            estimate(scores([0.0, value]))
        with pytest.raises(NumericalError, match="'i1'"):
            compare(scores([0.0, 1.0]), scores([0.0, value]))

    def test_impossible_counts(self):
        for k, n in ((3, 2), (-1, 2), (math.nan, 2), (1, math.nan), (1, math.inf)):
            with pytest.raises(RangeError):
                proportion_interval(k, n)
        with pytest.raises(RangeError):
            PairedCounts(1, -1, 0, 0)
        with pytest.raises(RangeError, match="0 or 1"):
            PairedCounts.of([0.5], [1])
        with pytest.raises(ShapeError):
            PairedCounts.of([1, 0], [1])

    def test_shapes(self):
        for call in (
            lambda: mean_interval([[1.0]]),
            lambda: mean_interval([1.0], ["a", "b"]),
            lambda: paired_bootstrap([1.0], [1.0, 2.0]),
            lambda: paired_bootstrap([1.0, 1.0], [1.0, 2.0], strata=["a"]),
            lambda: holm([[0.1]]),
        ):
            with pytest.raises(ShapeError):
                call()

    def test_p_values(self):
        with pytest.raises(NumericalError):
            holm([0.1, math.nan])
        with pytest.raises(RangeError):
            holm([1.1])

    def test_power_needs_one_of_two(self):
        for more in ({}, {"deviation": 1.0, "discordant_share": 0.1}, {"discordant_share": 1.5}, {"deviation": -1.0}):
            with pytest.raises(RangeError):
                minimum_detectable_effect(10, **more)

    def test_clusters_that_straddle_some_strata(self):
        with pytest.raises(DataError, match="several strata") as caught:
            paired_bootstrap([0.0] * 4, [1.0] * 4, cluster=[0, 0, 1, 2], strata=["x", "y", "x", "z"])
        assert caught.value.where == "cluster 0"


class TestAlign:
    def test_common_items_in_the_order_of_the_first(self):
        pairs = align(scores([1, 2, 3], ["a", "b", "c"]), scores([30, 20, 10], ["c", "b", "a"]))
        assert pairs.ids == ("a", "b", "c")
        assert pairs.a.tolist() == [1, 2, 3]
        assert pairs.b.tolist() == [10, 20, 30]
        assert pairs.clusters is None

    def test_unmatched_items_are_reported(self):
        with pytest.warns(UnmatchedWarning, match="1 of 2 and 2 of 3"):
            pairs = align(scores([1, 2], ["a", "b"]), scores([1, 2, 3], ["b", "y", "z"]))
        assert (pairs.ids, pairs.only_a, pairs.only_b) == (("b",), ("a",), ("y", "z"))

    def test_nothing_in_common(self):
        with pytest.raises(DataError, match="share no item"):
            align(scores([1], ["a"]), scores([1], ["b"]))

    def test_twice_the_same_id(self):
        with pytest.raises(DataError, match="twice"):
            scores([1, 2], ["a", "a"])

    def test_missing_scores_are_dropped_only_when_asked_and_counted(self):
        one, two = scores([1, math.nan, 3]), scores([1, 2, 3])
        with pytest.raises(NumericalError, match="'i1'"):
            align(one, two)
        pairs = align(one, two, missing="drop")
        assert (pairs.ids, pairs.dropped) == (("i0", "i2"), ("i1",))
        with pytest.raises(DataError, match="no item has a score"):
            align(scores([math.nan]), scores([1.0]), missing="drop")
        with pytest.raises(NumericalError):
            align(scores([math.inf]), scores([1.0]), missing="drop")

    def test_scores_of_different_kind(self):
        for more in ({"version": 2}, {"higher_is_better": False}):
            with pytest.raises(DataError, match=next(iter(more))):
                align(scores([1.0]), scores([1.0], **more))
        with pytest.raises(DataError, match="metric"):
            align(scores([1.0]), Scores("other", ("i0",), np.array([1.0])))

    def test_groups_must_agree_and_singletons_are_no_groups(self):
        with pytest.raises(DataError, match="group"):
            align(scores([1, 1], clusters="xx"), scores([1, 1], clusters="xy"))
        assert align(scores([1, 1], clusters="xy"), scores([1, 1])).clusters is None
        assert align(scores([1, 1], clusters="xx"), scores([1, 1])).clusters == ("x", "x")


class TestCompare:
    def test_right_or_wrong_goes_to_mcnemar_and_newcombe(self):
        a, b = scores([1] * 10 + [0] * 30), scores([1] * 8 + [0] * 2 + [1] * 20 + [0] * 10)
        found, table = compare(a, b), PairedCounts(8, 2, 20, 10)
        assert found.delta == newcombe(table)
        assert found.discordant == (2, 20)
        assert (found.test, found.outcome, found.n_pairs) == ("mcnemar mid-p", "B>A", 40)
        assert compare(b, a).outcome == "A>B"

    def test_groups_go_to_the_clustered_bootstrap(self):
        rng = np.random.default_rng(0)
        groups = [f"g{k // 10}" for k in range(200)]
        effect = np.repeat(rng.integers(0, 2, size=20), 10)
        a, b = scores(np.zeros(200), clusters=groups), scores(effect, clusters=groups)
        found = compare(a, b)
        assert (found.test, found.delta.n_clusters) == ("paired bootstrap", 20)
        ungrouped = compare(scores(np.zeros(200)), scores(effect))
        assert found.delta.high - found.delta.low > 2 * (ungrouped.delta.high - ungrouped.delta.low)

    def test_lower_is_better_turns_the_outcome_not_the_delta(self):
        a = scores(np.linspace(1, 2, 30), higher_is_better=False)
        b = scores(np.linspace(1, 2, 30) + 0.5, higher_is_better=False)
        found = compare(a, b)
        assert found.delta.value == pytest.approx(0.5)
        assert (found.outcome, found.discordant) == ("A>B", (30, 0))

    def test_tied_needs_a_smallest_effect_and_the_power_to_see_it(self):
        a = scores([0, 1] * 500)
        b = scores([0, 1] * 490 + [1, 0] * 10)
        assert compare(a, b).outcome == "underpowered"
        assert compare(a, b, smallest_effect=0.05).outcome == "tied"
        assert compare(a, b, smallest_effect=0.005).outcome == "underpowered"
        with pytest.raises(RangeError):
            compare(a, b, smallest_effect=0.0)

    def test_the_same_seed_gives_the_same_bits(self):
        rng = np.random.default_rng(0)
        a, b = scores(rng.random(200)), scores(rng.random(200))
        assert compare(a, b, seed=7) == compare(a, b, seed=7)
        assert compare(a, b, seed=7).delta != compare(a, b, seed=8).delta

    def test_adjusting_a_family(self):
        a = scores([0] * 20)
        sure, doubtful, none = scores([1] * 20), scores([1] * 6 + [0] * 14), scores([0] * 20)
        family = [compare(a, b) for b in (sure, doubtful, none)]
        assert [c.outcome for c in family] == ["B>A", "B>A", "underpowered"]
        adjusted = adjust(family)
        assert [c.p_adjusted for c in adjusted] == pytest.approx(holm([c.p for c in family]).tolist())
        assert adjusted[1].p_adjusted == pytest.approx(2 * family[1].p)
        weak = adjust([family[1], *[family[2]] * 5])
        assert weak[0].p_adjusted > 0.05
        assert weak[0].outcome == "underpowered"

    def test_an_unchanged_small_sample_is_not_called_tied(self):
        groups = ["g0", "g0", "g1", "g1", "g2", "g2"]
        a = scores([1, 0] * 3, clusters=groups)
        assert compare(a, a, smallest_effect=0.05).outcome == "underpowered"
        parts = {"x": scores([1, 0, 1]), "y": scores([0, 0, 1])}
        assert compare_macro(parts, parts, smallest_effect=0.05).outcome == "underpowered"


class TestComposite:
    def test_each_part_counts_the_same(self):
        a = {"big": scores([0.0] * 400), "small": scores([1.0] * 20)}
        b = {"big": scores([1.0] * 40 + [0.0] * 360), "small": scores([1.0] * 10 + [0.0] * 10)}
        found = compare_macro(a, b)
        assert found.delta.value == pytest.approx((0.1 - 0.5) / 2)
        assert (found.n_pairs, found.discordant, found.outcome) == (420, (10, 40), "A>B")
        assert estimate_macro(b).value == pytest.approx((0.1 + 0.5) / 2)

    def test_width_follows_the_parts(self):
        rng = np.random.default_rng(1)
        parts = {"x": scores(rng.normal(size=100)), "y": scores(rng.normal(size=100))}
        single = estimate(parts["x"]).high - estimate(parts["x"]).value
        both = estimate_macro(parts)
        assert both.high - both.value == pytest.approx(single / math.sqrt(2), rel=0.1)

    def test_all_right_is_not_certainty(self):
        found = estimate_macro({"x": scores([1.0] * 10)})
        assert found.low < 0.95

    def test_parts_must_match_and_rise(self):
        part = {"x": scores([1.0])}
        with pytest.raises(DataError, match="same parts"):
            compare_macro(part, {"y": scores([1.0])})
        falling = {"x": scores([1.0], higher_is_better=False)}
        with pytest.raises(DataError, match="falls"):
            compare_macro(falling, falling)


class TestFlips:
    def test_ids_and_rates(self):
        found = negative_flips(scores([1, 1, 0, 0]), scores([0, 1, 1, 1]))
        assert (found.negative, found.positive) == (("i0",), ("i2", "i3"))
        assert (found.negative_rate.value, found.positive_rate.value, found.n) == (0.25, 0.5, 4)

    def test_other_scores_need_a_threshold(self):
        a, b = scores([0.9, 0.4]), scores([0.2, 0.8])
        with pytest.raises(RangeError, match="right_from"):
            negative_flips(a, b)
        assert negative_flips(a, b, right_from=0.5).negative == ("i0",)
        low = scores([0.9, 0.4], higher_is_better=False), scores([0.2, 0.8], higher_is_better=False)
        assert negative_flips(*low, right_from=0.5).negative == ("i1",)


class TestVerdict:
    @pytest.mark.parametrize(
        ("low", "high", "direction", "outcome"),
        [
            (0.1, 0.2, "greater", "replicated"),
            (-0.2, -0.1, "greater", "refuted"),
            (-0.1, 0.2, "greater", "inconclusive"),
            (0.0, 0.2, "greater", "inconclusive"),
            (-0.2, 0.0, "greater", "inconclusive"),
            (-0.2, -0.1, "less", "replicated"),
            (0.1, 0.2, "less", "refuted"),
            (0.0, 0.0, "less", "inconclusive"),
        ],
    )
    def test_a_claim_of_an_effect(self, low, high, direction, outcome):
        assert verdict(interval(low, high), direction).outcome == outcome

    @pytest.mark.parametrize(
        ("low", "high", "direction", "outcome"),
        [
            (-0.04, 0.02, "greater", "replicated"),
            (-0.04, -0.02, "greater", "replicated"),
            (-0.08, -0.06, "greater", "refuted"),
            (-0.08, 0.02, "greater", "inconclusive"),
            (-0.05, 0.02, "greater", "inconclusive"),
            (0.06, 0.08, "less", "refuted"),
            (-0.1, 0.04, "less", "replicated"),
        ],
    )
    def test_a_claim_of_no_harm(self, low, high, direction, outcome):
        assert verdict(interval(low, high), direction, margin=0.05).outcome == outcome

    def test_words(self):
        refuted = verdict(interval(-0.2, -0.1), "greater")
        assert refuted.label == "not replicated"
        open_question = verdict(interval(-0.1, 0.1), "greater")
        assert open_question.minimum_detectable == pytest.approx(0.1 * (1 + 0.8416 / 1.96), rel=1e-3)
        assert "would have found 0.14 with 80 % power" in str(open_question)
        assert json.dumps(refuted.outcome) == '"refuted"'

    def test_an_unbounded_interval_is_inconclusive(self):
        assert verdict(Estimate(1.0, -math.inf, math.inf, 0.95, "t", 1, 1), "greater").outcome == "inconclusive"

    def test_refusals(self):
        with pytest.raises(NumericalError):
            verdict(interval(math.nan, 1.0), "greater")
        with pytest.raises(RangeError):
            verdict(interval(0.1, 1.0), "up")
        with pytest.raises(RangeError):
            verdict(interval(0.1, 1.0), "greater", margin=-0.1)


class TestEstimate:
    def test_clustered_proportions_are_wider(self):
        groups = [f"g{k // 10}" for k in range(100)]
        values = [float(k // 10 % 2) for k in range(100)]  # whole groups right or wrong
        grouped, naive = estimate(scores(values, clusters=groups)), estimate(scores(values))
        assert (grouped.method, grouped.n, grouped.n_clusters) == ("clustered wilson", 100, 10)
        assert grouped.high - grouped.low > 2.5 * (naive.high - naive.low)
        certain = estimate(scores([1.0] * 100, clusters=groups))
        assert certain.low == pytest.approx(proportion_interval(10, 10).low)

    def test_a_distance_of_zero_is_not_a_rate(self):
        found = estimate(scores([0.0] * 16, higher_is_better=False))
        assert (found.method, found.low, found.high) == ("t", 0.0, 0.0)
        assert estimate(scores([0.0, 1.0], higher_is_better=False)).method == "wilson"

    def test_continuous_scores_use_t(self):
        assert estimate(scores([0.5, 0.7])).method == "t"
        assert estimate(scores([0.5, 0.7, 0.1], clusters="xxy")).method == "clustered t"
