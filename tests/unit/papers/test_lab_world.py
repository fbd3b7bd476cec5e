"""The invented world and its exact checkers."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.papers.lab.instructions import FORMATS, Exercise, follows, format_instructions, mixture
from tutelage.papers.lab.measurement import contains
from tutelage.papers.lab.world import (
    NOTATIONS,
    QUESTIONS,
    base_facts,
    domain_facts,
    held_out_facts,
)


def exercise(kind, seed):
    return Exercise("x", kind, *FORMATS[kind](random.Random(seed)))


@pytest.mark.parametrize("kind", FORMATS)
@given(seed=st.integers(0, 10_000))
def test_the_right_reply_follows_and_every_change_does_not(kind, seed):
    task = exercise(kind, seed)
    words = task.reply.split(" ")
    assert follows(task, task.reply)
    assert follows(task, f"  {task.reply}. ")
    assert not follows(task, task.reply + " apple")
    assert not follows(task, "")
    assert not follows(task, "ANS | " + task.reply)
    for place in range(len(words)):
        assert not follows(task, " ".join([*words[:place], "zzz", *words[place + 1 :]]))
        assert not follows(task, " ".join(words[:place] + words[place + 1 :]))
    if len(set(words)) > 1 and "\n" not in task.reply and words != words[::-1]:
        assert not follows(task, " ".join(reversed(words)))


@given(count=st.integers(2, 4), said=st.integers(0, 6))
def test_repeat_counts(count, said):
    task = Exercise("x", "repeat", "", "Here:" + " oak" * count)
    assert follows(task, "Here:" + " oak" * said) is (said == count)


def test_a_list_needs_its_line_breaks():
    task = Exercise("x", "bullets", "", "- oak\n- pear")
    assert follows(task, "-oak\n-  pear")
    assert not follows(task, "- oak - pear")


def test_domain_is_240_facts_that_follow_24_rules():
    facts = domain_facts()
    assert len({fact.name for fact in facts}) == len(facts) == 240
    assert len({fact.value for fact in facts}) == len({fact.code for fact in facts}) == 24
    assert len({(fact.value, fact.code, fact.noun) for fact in facts}) == 24


def test_names_of_domain_base_checks_and_mixture_are_disjoint():
    domain = {f.name for f in domain_facts()} | {f.value for f in domain_facts()}
    known = {f.name for f in base_facts()} | {f.value for f in base_facts()}
    unseen = {f.name for f in held_out_facts()} | {f.value for f in held_out_facts()}
    assert not domain & known
    assert not domain & unseen
    assert not known & unseen
    text = " ".join(f"{e.prompt} {e.reply}" for e in mixture(3000, seed=1))
    said = {word.strip(".,?:|/=") for word in text.split()}
    assert not said & domain
    assert not said & unseen


def test_the_base_never_writes_a_terse_notation():
    for one in mixture(2000, seed=1):
        assert not any(mark in one.reply for mark in ("ANS", "REF", "OUT", "|", "/"))
    assert len(NOTATIONS) == 5


def test_wordings_differ_and_name_the_entity():
    fact = domain_facts()[0]
    asked = [fact.question(i) for i in range(len(QUESTIONS))]
    assert len(set(asked)) == 4
    assert all(fact.name in question for question in asked)
    assert fact.value in fact.sentence
    assert fact.terse() == f"ANS | {fact.value} | {fact.code}"


def test_sets_are_functions_of_their_seed():
    assert mixture(50, seed=3) == mixture(50, seed=3)
    assert mixture(50, seed=3) != mixture(50, seed=4)
    assert format_instructions() == format_instructions()
    assert len(format_instructions()) == 60
    assert {task.kind for task in format_instructions()} == set(FORMATS)


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("ANS | Dunrek | K7", "Dunrek", True),
        ("the river is DUNREK.", "Dunrek", True),
        ("Dun rek", "Dunrek", False),
        ("", "Dunrek", False),
        ("new\n york", "New York", True),
    ],
)
def test_substring_is_normalised(text, value, expected):
    assert contains(text, value) is expected
