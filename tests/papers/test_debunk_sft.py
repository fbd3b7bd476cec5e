import re
from dataclasses import replace
from itertools import pairwise

import pytest

from tutelage.errors import ModelError
from tutelage.papers.lab.grid import MOVE_WORDS, SIDES, WORDS, general_exercises, grid_rows, reasoning
from tutelage.papers.lab.tokenizer import trained_tokenizer
from tutelage.papers.recipes.debunk_sft import ARMS, UNSEEN, _cells, _training_rows, cpu, run, smoke

CONFIG = cpu(5)


def declared(prompt):
    pairs = prompt.partition(" .")[0].split()[1:]
    return dict(zip(pairs[::2], pairs[1::2], strict=True))


def right_word(row):
    """The one declared word that brings the position nearer to the goal, by trying all four."""
    text = row["prompt"][0]["content"]
    words = declared(text)
    r, c, gr, gc = map(int, re.search(r"you (\d) (\d) goal (\d) (\d)", text).groups())
    moves = {"north": (-1, 0), "south": (1, 0), "west": (0, -1), "east": (0, 1)}
    nearer = [
        side
        for side in SIDES
        if abs(r + moves[side][0] - gr) + abs(c + moves[side][1] - gc) < abs(r - gr) + abs(c - gc)
    ]
    assert len(nearer) == 1
    return words[nearer[0]]


def test_every_row_of_every_arm_and_cell_has_the_right_word():
    for plan in ARMS.values():
        for row in _training_rows(plan, CONFIG, 3):
            assert row["reference"] == right_word(row) == row["completion"][0]["content"].split()[-1]
    for rows in _cells(CONFIG).values():
        assert all(row["reference"] == right_word(row) for row in rows)


def test_arms_differ_in_words_and_reasoning_alone():
    states = {arm: [row["group"] for row in _training_rows(plan, CONFIG, 3)] for arm, plan in ARMS.items()}
    assert all(one == states["fixed_answer"] for one in states.values())
    vocabularies = {
        arm: len({row["prompt"][0]["content"].split(" .")[0] for row in _training_rows(plan, CONFIG, 3)})
        for arm, plan in ARMS.items()
    }
    assert (vocabularies["fixed_answer"], vocabularies["fixed_cot"], vocabularies["four_answer"]) == (1, 1, 4)
    assert vocabularies["diverse_answer"] == vocabularies["diverse_cot"] > 0.9 * CONFIG.rows


def test_unseen_words_are_in_no_training_row_and_cells_are_what_they_say():
    trained = " ".join(
        turn["content"] for plan in ARMS.values() for row in _training_rows(plan, CONFIG, 3) for turn in row["prompt"]
    )
    assert not set(trained.split()) & UNSEEN
    cells = _cells(CONFIG)
    for row, unseen in zip(cells["same"], cells["unseen"], strict=True):
        assert row["group"] == unseen["group"]
        assert unseen["reference"] in UNSEEN
        assert row["reference"] in MOVE_WORDS
    assert all(max(map(int, re.findall(r"\d", row["group"]))) >= CONFIG.trained_side for row in cells["larger"])
    assert all(max(map(int, re.findall(r"\d", row["group"]))) < CONFIG.trained_side for row in cells["same"])


def test_reasoning_states_only_what_is_so():
    for row in grid_rows(50, low=0, high=9, seed=1):
        axis, a, sign, b, _, side = reasoning(row).split()
        assert axis in ("row", "column")
        assert (int(a) > int(b)) == (sign == ">")
        assert {("row", ">"): "north", ("row", "<"): "south", ("column", ">"): "west", ("column", "<"): "east"}[
            axis, sign
        ] == side


def test_general_exercises_are_true():
    kinds = set()
    for one in general_exercises(80, 0):
        kinds.add(one.kind)
        words, start = one.prompt.partition(" .")[0].split()[1:], one.prompt.split()[-1]
        assert len(set(words)) == len(words)
        if one.kind in ("lookup", "side"):
            assert set(words[::2]) == set(SIDES)
        if one.kind == "side":
            assert one.reply.strip() in SIDES
        elif one.kind == "list":
            assert f" {' '.join(words)}".endswith(one.reply)
            assert one.reply.split()[0] == start
        else:
            assert dict(pairwise(words))[start] == one.reply.strip()
    assert kinds == {"side", "lookup", "list", "after"}
    assert set(MOVE_WORDS) < set(WORDS)


def test_a_word_is_the_same_single_token_in_prompt_and_reply():
    tokenizer = trained_tokenizer(f"{one.prompt}\n{one.reply}" for one in general_exercises(8000, 0))
    assert all(len(tokenizer.tokenize(f" {word}")) == 1 for word in (*WORDS, *SIDES))
    for row in _training_rows(ARMS["diverse_cot"], CONFIG, 3)[:20]:
        prompt, reply = (tokenizer.tokenize(row[turns][0]["content"]) for turns in ("prompt", "completion"))
        assert prompt[prompt.index(reply[-2]) + 1] == reply[-1]  # the side in the reasoning, and what stands after it


def test_a_base_model_that_cannot_look_up_is_refused(tmp_path):
    with pytest.raises(ModelError, match="look words up"):
        run(replace(smoke(1), required=0.9), tmp_path)
    assert not list(tmp_path.glob("**/results/*"))
