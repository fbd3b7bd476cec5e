import re

from tutelage.papers.lab.grid import MOVE_WORDS, SIDES, WORDS, general_exercises, grid_rows, reasoning
from tutelage.papers.recipes.debunk_sft import ARMS, UNSEEN, _cells, _training_rows, cpu
from tutelage.refine.reasoning import last_line

CONFIG = cpu(5)


def right_word(row):
    """The one declared word that brings the position nearer to the goal, by trying all four."""
    text = row["prompt"][0]["content"]
    words = dict(zip(SIDES, text.split(), strict=False))
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
            assert row["reference"] == right_word(row) == last_line(row["completion"][0]["content"])
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
    for one in general_exercises(80, 0):
        words = one.prompt.split()[:4]
        if one.kind == "lookup":
            assert words[SIDES.index(one.prompt.split()[-1])] == one.reply.split()[0]
        elif one.kind == "list":
            assert words == one.reply.split()
    assert set(MOVE_WORDS) < set(WORDS)
