import importlib.util

import pytest

from tutelage import verify
from tutelage.data.reasoning_gym import gym_items, gym_levels, gym_number_rows
from tutelage.errors import ConfigError, DataError, RangeError
from tutelage.functional.sokoban import solve

PICTURE = "+ + + + + +  \n+ * - @ X +  \n+ - $ - - +  \n+ - - - - +  \n+ + + + + +  \n\n"
LEVEL = {"question": "q", "answer": "RR", "metadata": {"gamestr": PICTURE}}
NUMBERS = {
    "question": "Calculate 10 using all of these numbers: 6, 4.\n",
    "answer": "6 + 4",
    "metadata": {"numbers": [6, 4], "target": 10},
}


def after(level, moves):
    for move in moves:
        level = level.step(move)
    return level


def test_a_level_is_read_symbol_by_symbol_and_its_solution_solves_it():
    (level,) = gym_levels([LEVEL])
    assert str(level) == "######\n#P_XO#\n#_√__#\n#____#\n######"
    assert after(level, solve(level)).solved
    names = {"R": "Right", "L": "Left", "U": "Up", "D": "Down"}
    assert after(level, [names[one] for one in LEVEL["answer"]]).solved  # theirs as well


def test_a_row_of_numbers_has_the_reference_that_the_verifier_reads():
    (row,) = gym_number_rows([NUMBERS])
    judge = verify.get("countdown")
    assert judge(row["prompt"], row["completion"][0]["content"], row["reference"]).score == 1.0
    assert judge(row["prompt"], "6 + 4 + 0", row["reference"]).score == 0.0
    assert judge(row["prompt"], "5 + 5", row["reference"]).score == 0.0


@pytest.mark.parametrize("act", [gym_levels, gym_number_rows])
def test_items_of_another_game_are_refused(act):
    with pytest.raises(DataError, match="item 0"):
        act([{"question": "q", "answer": "a", "metadata": {}}])


def test_unknown_symbols_are_refused():
    with pytest.raises(DataError, match="unknown symbols"):
        gym_levels([{"metadata": {"gamestr": PICTURE.replace("@", "?")}}])


def test_without_the_package_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "reasoning_gym", None)
    with pytest.raises(ConfigError, match="games"):
        gym_items("sokoban", 1)
    with pytest.raises(RangeError):
        gym_items("sokoban", 0)


@pytest.mark.skipif(importlib.util.find_spec("reasoning_gym") is None, reason="the extra games is not installed")
def test_items_of_the_package_are_read_and_their_answers_are_right():
    items = gym_items("sokoban", 5, seed=3)
    names = {"R": "Right", "L": "Left", "U": "Up", "D": "Down"}
    for level, item in zip(gym_levels(items), items, strict=True):
        assert after(level, [names[one] for one in item["answer"]]).solved
    judge = verify.get("countdown")
    for row in gym_number_rows(gym_items("countdown", 20, seed=3)):
        assert judge(row["prompt"], row["completion"][0]["content"], row["reference"]).score == 1.0
    with pytest.raises(DataError):
        gym_items("no such game", 1)
    assert gym_items("countdown", 3, seed=1) == gym_items("countdown", 3, seed=1)
