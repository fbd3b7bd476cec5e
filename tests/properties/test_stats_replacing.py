"""What holds for every pair of systems: flips, equivalence, agreement, permutations and corrections."""

import contextlib
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tutelage.stats import (
    PairedCounts,
    UnmatchedWarning,
    align,
    benjamini_hochberg,
    cohen_kappa,
    difference_of_shares,
    flip_report,
    holm,
    kendall_tau,
    krippendorff_alpha,
    newcombe,
    non_inferior,
    rank_table,
    sign_flip_test,
    tost,
)
from tutelage.types import Scores


def vectors(most, kind, elements):
    """Two vectors of one length."""
    return st.integers(2, most).flatmap(lambda n: st.tuples(*[hnp.arrays(kind, n, elements=elements)] * 2))


bits = vectors(40, float, st.sampled_from([0.0, 1.0]))
reals = vectors(20, float, st.floats(-9, 9, width=16))


def scores(values, **more):
    return Scores("m", tuple(f"i{k}" for k in range(len(values))), np.asarray(values, dtype=float), **more)


@settings(max_examples=50, deadline=None)
@given(bits)
def test_flips_account_for_every_item(pair):
    old, new = map(scores, pair)
    report = flip_report(old, new, resamples=100, choices=([*map(str, pair[0])], [*map(str, pair[1])]))
    back = flip_report(new, old, resamples=100)
    assert (report.negative, report.positive) == (back.positive, back.negative)
    assert sum(cell.items for cell in report.quadrants.values()) == report.n
    nfr, pfr = report.negative_rate.value, report.positive_rate.value
    assert pfr - nfr == pytest.approx(pair[1].mean() - pair[0].mean(), abs=1e-12)
    assert nfr >= report.floor - 1e-12
    assert report.negative_rate_choice.value == nfr  # with two answers, wrong in another way is a flip
    if report.both_correct is not None:
        assert report.both_correct.value * pair[0].mean() + nfr == pytest.approx(pair[0].mean(), abs=1e-12)
    if report.relative is not None:
        assert report.relative.value == pytest.approx(nfr / report.independent)
    for name in ("both_correct", "relative", "negative_rate_choice", "graded", "mcnemar_p"):
        assert (getattr(report, name) is None) == (name in report.undefined)


@settings(max_examples=40, deadline=None)
@given(reals, st.floats(0, 5))
def test_graded_flips_mirror(pair, band):
    report = flip_report(*map(scores, pair), dead_band=band, right_from=0.5, resamples=100)
    back = flip_report(*map(scores, pair[::-1]), dead_band=band, right_from=0.5, resamples=100)
    if report.graded is not None:
        assert (report.graded.negative, report.graded.gain) == (back.graded.positive, back.graded.regression)
        assert report.graded.gain is None or report.graded.gain.value > band - 1e-9


@settings(max_examples=50, deadline=None)
@given(bits, st.data())
def test_a_difference_of_shares_is_never_surer_than_newcombes(pair, data):
    counts = PairedCounts.of(*pair)
    plain, safe = newcombe(counts), difference_of_shares(*pair)
    assert safe.low <= plain.low <= plain.value <= plain.high <= safe.high
    assert (safe.method == "newcombe") == ((safe.low, safe.high) == (plain.low, plain.high))
    mirrored = difference_of_shares(*pair[::-1])
    assert (mirrored.low, mirrored.high) == pytest.approx((-safe.high, -safe.low), abs=1e-12)
    cluster = data.draw(hnp.arrays(int, pair[0].size, elements=st.integers(0, 5)))
    grouped = difference_of_shares(*pair, cluster)
    assert -1 <= grouped.low <= grouped.value <= grouped.high <= 1


@settings(max_examples=40, deadline=None)
@given(bits, st.floats(0.01, 0.9), st.floats(0.01, 0.09))
def test_a_larger_margin_is_easier(pair, margin, more):
    tight, wide = (non_inferior(*map(scores, pair), m) for m in (margin, margin + more))
    assert wide.p <= tight.p + 1e-9
    assert tight.verdict != "shown" or wide.verdict == "shown"
    assert 0 <= tight.p <= 1
    assert math.isclose(tight.p, 0.025, abs_tol=1e-6) or (tight.p < 0.025) == (tight.verdict == "shown")
    falling = non_inferior(*(scores(-x, higher_is_better=False) for x in pair), margin)
    other = non_inferior(*(scores(x + 1) for x in pair), margin)
    if falling.test == other.test == "paired t":
        assert falling.verdict == other.verdict


@settings(max_examples=40, deadline=None)
@given(reals, st.floats(0.01, 9))
def test_equivalence_does_not_care_who_comes_first(pair, margin):
    found, back = tost(*pair, margin), tost(*pair[::-1], margin)
    assert (found.verdict, found.pairs_needed) == (back.verdict, back.pairs_needed)
    assert found.p == pytest.approx(back.p, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(reals, st.integers(0, 1000))
def test_sign_flips_do_not_care_who_comes_first(pair, seed):
    found, back = sign_flip_test(*pair, seed=seed), sign_flip_test(*pair[::-1], seed=seed)
    assert found.p == back.p
    assert found.delta == pytest.approx(-back.delta)
    assert 2.0 ** (1 - max(1, found.differing)) <= found.p + 1e-12 or found.method != "exact"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_benjamini_hochberg_lies_between_no_correction_and_holm(p):
    assert (np.array(p) <= benjamini_hochberg(p)).all()
    assert (benjamini_hochberg(p) <= holm(p) + 1e-12).all()


@settings(max_examples=40, deadline=None)
@given(vectors(30, int, st.integers(0, 3)))
def test_agreement_is_symmetric_and_at_most_one(pair):
    found, back = cohen_kappa(*pair, resamples=100), cohen_kappa(*pair[::-1], resamples=100)
    assert (found.observed, found.expected) == pytest.approx((back.observed, back.expected))
    if found.kappa is not None:
        assert -1 - 1e-9 <= found.kappa.value <= 1
        names = cohen_kappa([f"l{x}" for x in pair[0]], [f"l{x}" for x in pair[1]], resamples=100)
        assert names.kappa.value == pytest.approx(found.kappa.value)
        # With two raters, alpha is kappa-like on pooled labels, corrected for the number of ratings.
        pooled = np.concatenate(pair)
        share = np.bincount(pooled) / pooled.size
        chance = (1 - np.square(share).sum()) * pooled.size / (pooled.size - 1)
        alpha = krippendorff_alpha(np.array(pair, dtype=float), resamples=100)
        assert alpha.value == pytest.approx(1 - (1 - found.observed) / chance)


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(float, st.tuples(st.integers(2, 12), st.integers(2, 5)), elements=st.floats(-5, 5, width=16)))
def test_ranks_are_ranks(table):
    rows = rank_table(table, resamples=200)
    systems = table.shape[1]
    assert all(1 <= row.rank_low <= row.rank_high <= systems for row in rows)
    assert sum(row.first for row in rows) == pytest.approx(1)
    assert [row.rank for row in rows] == sorted(row.rank for row in rows)
    tied = {row.name: row.tied for row in rows}
    assert all(name in tied[other] for name, others in tied.items() for other in others)
    means = np.round(table.mean(axis=0), 12)
    if np.ptp(means) > 0:
        own = kendall_tau(means, means)
        assert own.value == pytest.approx(1)
        assert kendall_tau(means, -means).value == pytest.approx(-1)


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(12)), st.integers(1, 12))
def test_alignment_does_not_depend_on_the_order(order, kept):
    values = np.arange(12) / 12
    old = scores(values)
    some = [k for k in order if k < kept]
    new = Scores("m", tuple(f"i{k}" for k in some), np.array([10.0 + k for k in some]))
    with pytest.warns(UnmatchedWarning) if kept < 12 else contextlib.nullcontext():
        pairs = align(old, new)
    assert pairs.ids == tuple(f"i{k}" for k in range(kept))
    assert pairs.b.tolist() == [10.0 + k for k in range(kept)]
    assert set(pairs.only_a) == {f"i{k}" for k in range(kept, 12)}
