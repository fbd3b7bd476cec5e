"""What is particular to the recipe on the stability gap: its registers and its plans."""

from collections import Counter

import pytest

from tutelage.papers.lab.world import domain_facts
from tutelage.papers.recipes.stability_gap_pretraining import StabilityGapConfig, planned, registers

DOCUMENTS = registers(domain_facts(), 80, 0.5, seed=3)
GENERAL = [f"Copy: {n} of these\nCopy: {n} of these" for n in range(400)]


def is_clean(text):
    return all(entry.startswith("REG ") for entry in text.split(" / ")) and text.count("REG") == 3


def words(text):
    return len(text.split())


def test_scrambled_registers_have_the_same_words():
    clean, mixed = registers(domain_facts(), 80, 0.0, seed=3), DOCUMENTS
    assert all(map(is_clean, clean))
    assert [Counter(a.split()) for a in clean] == [Counter(b.split()) for b in mixed]
    assert 25 <= sum(map(is_clean, mixed)) <= 55


@pytest.mark.parametrize("arm", ["plain", "subset", "lowest", "mixture"])
def test_every_arm_has_as_many_tokens(arm):
    plan = planned(arm, DOCUMENTS, GENERAL, StabilityGapConfig(), words)
    assert sum(plan.tokens.values()) == pytest.approx(sum(map(words, DOCUMENTS)), rel=0.05)
    assert len(plan.epochs) == (4 if arm in ("subset", "lowest") else 1)
    if arm == "mixture":
        assert plan.tokens["general"] == pytest.approx(plan.tokens["domain"], rel=0.05)


def test_the_lowest_perplexities_are_those_of_clean_registers():
    chosen = planned("lowest", DOCUMENTS, GENERAL, StabilityGapConfig(), words).subset
    assert all(is_clean(DOCUMENTS[i]) for i in chosen)
    drawn = planned("subset", DOCUMENTS, GENERAL, StabilityGapConfig(), words).subset
    assert not all(is_clean(DOCUMENTS[i]) for i in drawn)
