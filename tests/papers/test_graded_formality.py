"""What is particular to 3LF: what each arm is taught, and that the rater had no part in it."""

from collections import Counter

from tutelage.papers.lab.registers import LEVELS, messages, speakers
from tutelage.papers.recipes.graded_formality import DIRECTIONS, FormalityConfig, rows_of
from tutelage.verify.formality import RuleFormality
from tutelage.verify.graded import FORMALITY

KNOWN = messages()[64:]
TEXTS = {one.at(level): level for one in messages() for level in LEVELS}


def taught(arm):
    """Counter of (source level, target level, name used) over the training rows of an arm."""
    found = Counter()
    for _, prompt, reply in rows_of(arm, KNOWN, 120, 0):
        order, _, text = prompt.partition(" : ")
        found[TEXTS[text], TEXTS[reply], order.removeprefix("Make it ")] += 1
    return found


def test_relative_labels_call_the_upper_text_formal_wherever_it_stands():
    for source, target, called in taught("binary_relative"):
        step = FORMALITY.rank(target) - FORMALITY.rank(source)
        assert abs(step) == 1
        assert called == ("formal" if step > 0 else "informal")


def test_absolute_arms_call_every_text_by_its_own_level_and_have_as_many_rows():
    for arm in ("binary_absolute", "three_level"):
        assert all(called == target for _, target, called in taught(arm))
    assert len({sum(taught(arm).values()) for arm in DIRECTIONS}) == 1
    assert len(taught("three_level")) == 6
    assert ("informal", "casual", "casual") not in taught("binary_absolute")


def test_the_base_model_never_saw_the_direction_nor_the_held_out_messages():
    held_out = {one.at(level) for one in messages()[: FormalityConfig().tested] for level in LEVELS}
    for one in speakers(300, 1, KNOWN):
        assert "formal" not in one.prompt.split(" : ")[0]
        assert not any(text in one.prompt for text in held_out)
        if one.kind == "shown":
            source = TEXTS[one.prompt.rpartition("| ")[2].removesuffix(" =>")]
            assert abs(FORMALITY.rank(source) - FORMALITY.rank(TEXTS[one.reply])) == 1


def test_the_rubric_agrees_with_the_grammar_that_it_had_no_part_in():
    texts = list(TEXTS)
    agreed = sum(a == TEXTS[t] for a, t in zip(RuleFormality().rate(texts), texts, strict=True))
    assert agreed / len(texts) > 0.95
