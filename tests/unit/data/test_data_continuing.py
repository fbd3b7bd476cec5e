"""Kneser-Ney against a naive loop over the texts, and what a plan for continued pre-training must keep."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.data import CptSettings, KneserNey, cpt_plan
from tutelage.data.ngrams import ngram_words
from tutelage.errors import DataError, RangeError

TEXTS = ["a b a c", "a b b a", "c a b", "b", "a b a c d"]


def naive(texts, order, word, history):
    """The definition, with every count made by walking over all n-grams of all texts."""
    rows = [["<s>"] * (order - 1) + text.split() + ["</s>"] for text in texts]
    tops = [tuple(row[i : i + order]) for row in rows for i in range(len(row) - order + 1)]

    def count(gram):
        if len(gram) == order:
            return sum(top == gram for top in tops)
        longer = {t[len(t) - len(gram) - 1 :] for t in tops}
        return sum(t[1:] == gram for t in longer)

    def grams(n):
        return {t[len(t) - n :] for t in tops}

    def discount(n):
        sizes = Counter(count(gram) for gram in grams(n))
        return sizes[1] / (sizes[1] + 2 * sizes[2]) if sizes[1] and sizes[2] else 0.75

    words = {t[-1] for t in tops} | {"<unk>"}

    def probability(context):
        lower = probability(context[1:]) if context else 1 / len(words)
        n = len(context) + 1
        followers = [g for g in grams(n) if g[:-1] == context]
        if not followers:
            return lower
        total, d = sum(count(g) for g in followers), discount(n)
        return (max(count((*context, word)) - d, 0) + d * len(followers) * lower) / total

    return probability(tuple(history))


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_against_the_definition(order):
    model = KneserNey(TEXTS, order)
    histories = [("a", "b", "a"), ("<s>", "<s>", "<s>"), ("c", "d", "b"), ("x", "a", "b"), ("b", "x", "x")]
    for history in histories:
        used = history[len(history) - order + 1 :]
        for word in ["a", "b", "c", "d", "</s>", "<unk>", "never"]:
            assert model.probability(word, history) == pytest.approx(naive(TEXTS, order, word, used))


@given(st.lists(st.lists(st.sampled_from("abcd"), max_size=6).map(" ".join), min_size=1, max_size=6), st.integers(1, 4))
def test_probabilities_sum_to_one_and_are_positive(texts, order):
    model = KneserNey(texts, order)
    for history in (("a", "b", "c"), ("<s>",) * 3, ("x",) * 3):
        found = [model.probability(word, history) for word in model.vocabulary]
        assert sum(found) == pytest.approx(1)
        assert min(found) > 0


def test_perplexity_is_lower_for_what_was_seen_and_is_that_of_the_uniform_without_knowledge():
    model = KneserNey(TEXTS, 3)
    assert model.perplexity("a b a c") < model.perplexity("c c d d") < model.perplexity("x y z w")
    assert KneserNey([""], 1).perplexity("") == pytest.approx(1 / KneserNey([""], 1).probability("</s>"))
    with pytest.raises(DataError):
        KneserNey([])
    with pytest.raises(RangeError):
        KneserNey(["a"], 0)


DOMAIN = [f"patient {n} takes drug {n % 5} each day" for n in range(40)]
WEB = {"web": [f"word {n} of the web" for n in range(10)]}


def test_shares_epochs_and_budget():
    settings = CptSettings(70, 3, mixture={"domain": 0.7, "web": 0.3})
    plan = cpt_plan(DOMAIN, WEB, settings, seed=1)
    assert len(plan.epochs) == 3
    assert plan.tokens["domain"] == 3 * 70
    assert plan.tokens["web"] == 3 * 30
    for epoch in plan.epochs:
        assert sorted(place for source, place in epoch if source == "domain") == sorted(plan.subset)
    assert len(set(plan.epochs)) == 3  # another order each time
    webs = [sorted(place for source, place in epoch if source == "web") for epoch in plan.epochs]
    assert webs[0] != webs[1]
    fixed = cpt_plan(DOMAIN, WEB, CptSettings(70, 3, mixture={"domain": 0.7, "web": 0.3}, fresh=False), seed=1)
    webs = [sorted(place for source, place in epoch if source == "web") for epoch in fixed.epochs]
    assert webs[0] == webs[1] == webs[2]
    assert plan == cpt_plan(DOMAIN, WEB, settings, seed=1)
    assert plan != cpt_plan(DOMAIN, WEB, settings, seed=2)


def test_duplicates_and_boilerplate_are_left_out():
    texts = ["the same", "The  same!", *DOMAIN]
    lowest = cpt_plan(texts, {}, CptSettings(14, 1, "ngram", lower_cut=0.1), reference=["the same"] * 5 + DOMAIN)
    assert lowest.duplicates == 1
    assert lowest.cut == 4
    assert 1 not in lowest.subset
    kept = [p for i, p in enumerate(lowest.perplexities) if i != 1]
    assert min(lowest.perplexities[i] for i in lowest.subset) == sorted(kept)[4]
    given_ = cpt_plan(DOMAIN, {}, CptSettings(14, 1, "scores", lower_cut=0.0), scores=[-n for n in range(40)])
    assert given_.subset == (39, 38)


@pytest.mark.parametrize("mixture", [{"domain": 0.5, "web": 0.4}, {"web": 1.0}, {}, {"domain": 1.5, "web": -0.5}])
def test_shares_that_are_no_mixture_are_refused(mixture):
    with pytest.raises(RangeError):
        CptSettings(10, mixture=mixture)


def test_what_cannot_be_planned_is_refused():
    half = {"domain": 0.5, "web": 0.5}
    for call in (
        lambda: cpt_plan(DOMAIN, {}, CptSettings(10_000)),
        lambda: cpt_plan(DOMAIN, {}, CptSettings(10, mixture=half)),
        lambda: cpt_plan(DOMAIN, {"web": [""]}, CptSettings(10, mixture=half)),
        lambda: cpt_plan(DOMAIN, {}, CptSettings(10, select="ngram")),
        lambda: cpt_plan(DOMAIN, {}, CptSettings(10, select="scores"), scores=[1.0]),
    ):
        with pytest.raises(DataError):
            call()
    for wrong in ({"subset_tokens": 0}, {"subset_tokens": 1, "epochs": 0}, {"subset_tokens": 1, "lower_cut": 1.0}):
        with pytest.raises(RangeError):
            CptSettings(**wrong)
    assert ngram_words("") == []
