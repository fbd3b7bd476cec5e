"""Instructions that rules check, and arithmetic."""

import doctest
import re

import pytest

from tutelage.measure.retention import constraints
from tutelage.measure.retention.constraints import CONSTRAINTS, on_topic
from tutelage.measure.retention.generated import arithmetic, instruction_items, instructions, problems

QUESTION = "Why do penguins waddle?"
LONG = "Penguins waddle because their legs are short and set far back on the body"


@pytest.mark.parametrize(
    ("name", "value", "text", "finished", "met"),
    [
        ("list", "", "1. Penguins are short.\n2. They waddle along.", True, True),
        ("list", "", "Penguins are short. They waddle along.", True, False),
        ("list", "", "1. Penguins are short and waddle.", True, False),
        ("keyword", "people", f"{LONG}, unlike People.", True, True),
        ("keyword", "people", f"{LONG}, unlike peoples.", True, False),
        ("without-word", "and", f"{LONG}.", True, False),
        ("without-word", "and", "Sandy penguins waddle because of the short legs they have.", True, True),
        ("without-word", "and", "Penguins waddle.", True, False),
        ("at-most-words", "15", f"{LONG}.", True, True),
        ("at-most-words", "15", f"{LONG}.", False, False),
        ("at-most-words", "15", f"{LONG} {LONG}", True, False),
        ("at-most-words", "15", "management", True, False),
        ("at-least-words", "20", f"{LONG}, and {LONG}", False, True),
        ("at-least-words", "20", LONG, True, False),
        ("one-sentence", "", f"{LONG}.", True, True),
        ("one-sentence", "", f"{LONG}.", False, False),
        ("one-sentence", "", f"{LONG}. {LONG}.", True, False),
        ("sentences", "", f"{LONG}. {LONG}.", True, True),
        ("sentences", "", f"{LONG}.", True, False),
        ("repeat", "", f"{QUESTION} {LONG}", True, True),
        ("repeat", "", LONG, True, False),
        ("begin-with", "In short", f"In short, {LONG}", True, True),
        ("begin-with", "In short", f"{LONG} in short", True, False),
        ("json", "answer", f'{{"answer": "{LONG}"}}', True, True),
        ("json", "answer", f'```json\n{{"answer": "{LONG}', False, True),
        ("json", "answer", f'{{"reply": "{LONG}"}}', True, False),
        ("json", "answer", LONG, True, False),
        ("digits", "", f"{LONG}, all 18 kinds.", True, True),
        ("digits", "", LONG, True, False),
        ("no-digits", "", LONG, True, True),
        ("no-digits", "", f"{LONG}, all 18 kinds.", True, False),
    ],
)
def test_constraints(name, value, text, finished, met):
    assert CONSTRAINTS[name].met(QUESTION, text, value, finished=finished) is met


def test_there_are_a_dozen_and_each_asks_with_each_of_its_values():
    assert len(CONSTRAINTS) == 12
    for constraint in CONSTRAINTS.values():
        for value in constraint.values:
            assert value in constraint.instruction(value)
            assert "{" not in constraint.instruction(value)
            assert constraint.verifier(value)([], "x", None).score in (0.0, 1.0)


@pytest.mark.parametrize("text", ["", "management", "The skill belongs to the group management.", "ok " * 40])
def test_a_collapsed_model_keeps_to_nothing(letters, made_up_rows, text):
    assert instructions(letters(reply=text), 12, 40).values.tolist() == [0.0] * 12


def test_topic():
    assert on_topic("Who?", "anything at all")
    assert on_topic(QUESTION, "A penguin is a bird")
    assert not on_topic(QUESTION, "why do they do that")
    assert doctest.testmod(constraints).failed == 0


def test_instruction_items_go_round_and_are_always_the_same(made_up_rows):
    items = instruction_items(12)
    assert {item.constraint.name for item in items} == set(CONSTRAINTS)
    assert items == instruction_items(12)
    assert [i.id for i in instruction_items(5)] == [i.id for i in items[:5]]
    assert all(item.prompt.startswith(item.question) for item in items)


def test_instructions_count_what_is_kept(letters, made_up_rows):
    engine = letters(reply=f"{LONG}.", finish="length")
    found = instructions(engine, 12, 40)
    kept = {i.split(":")[0] for i, value in zip(found.ids, found.values, strict=True) if value}
    assert kept == {"no-digits"}  # cut off, so neither short enough nor one sentence
    assert engine.samplings[0].max_new_tokens == 40
    assert found.outputs == (f"{LONG}.",) * 12
    assert found.proportion


def test_problems_are_right_different_and_mostly_made(made_up_rows):
    items = problems(40)
    assert len(items) == len({item.id for item in items}) == len({item.question for item in items}) == 40
    assert sum(item.id.startswith("asdiv:") for item in items) == 5
    assert not any(item.id == "asdiv:two-step" for item in items)
    for item in items:
        a, b = map(int, re.findall(r"\d+", item.question))
        if "boxes" in item.question:
            assert item.answer == a * b
        elif "gives away" in item.question:
            assert item.answer == a - b > 0
        else:
            assert item.answer == a + b
    assert items == problems(40)


def test_arithmetic_takes_the_last_number(letters, made_up_rows):
    answers = {item.question: item.answer for item in problems(8)}
    engine = letters(reply=lambda prompt: f"7 + 1, so {answers[prompt[-1]['content']]}.")
    assert arithmetic(engine, 8, 40).values.tolist() == [1.0] * 8
    assert arithmetic(letters(reply="management"), 8, 40).values.tolist() == [0.0] * 8


@pytest.mark.needs_asset("asdiv")
@pytest.mark.needs_asset("truthfulqa")
def test_the_real_items_are_enough():
    assert len(instruction_items(600)) == 600
    real = [item for item in problems(400) if item.id.startswith("asdiv:")]
    assert len(real) == 50
    assert all(0 <= item.answer <= 40 for item in real)
