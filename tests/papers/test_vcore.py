"""What is particular to the VCORE recipe: its sums, what is spoiled in them, and the tokens that are watched."""

import pytest

from tutelage.papers.lab.sums import chain_sums, last_number, spoiled
from tutelage.papers.lab.tokenizer import trained_tokenizer
from tutelage.papers.recipes.vcore import _wrong_tokens


def evaluated(reply):
    """Whether each step of a working is right, by integer arithmetic."""
    steps = reply.removeprefix("Sum: ").split(" ; ")[:-1]
    return [sum(map(int, step.split(" = ")[0].split(" + "))) == int(step.split(" = ")[1]) for step in steps]


def test_sums_are_right_different_and_end_with_the_total():
    rows = chain_sums(50, 4, seed=3)
    assert len({row.prompt for row in rows}) == 50
    for row in rows:
        assert all(evaluated(row.reply))
        assert last_number(row.reply) == sum(map(int, row.prompt.split()[1:]))
    assert rows == chain_sums(50, 4, seed=3)
    assert rows != chain_sums(50, 4, seed=4)


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_the_share_is_spoiled_and_the_total_is_not(share):
    rows = [spoiled(one, share, seed=1) for one in chain_sums(300, 4, seed=3)]
    marks = [len(row.wrong) / 3 for row in rows]
    assert sum(marks) / len(marks) == pytest.approx(share, abs=0.05)
    for row in rows:
        assert last_number(row.exercise.reply) == sum(map(int, row.exercise.prompt.split()[1:]))
        words = row.exercise.reply.split()
        assert all(words[place - 1] == "=" and int(words[place]) > 0 for place in row.wrong)
    wrong_steps = sum(not ok for row in rows for ok in evaluated(row.exercise.reply))
    assert wrong_steps >= sum(len(row.wrong) for row in rows)


def test_the_watched_tokens_are_those_of_the_wrong_numbers():
    rows = [spoiled(one, 0.5, seed=1) for one in chain_sums(40, 4, seed=3)]
    tokenizer = trained_tokenizer(row.exercise.reply for row in rows)
    for row in rows:
        ids = tokenizer(row.exercise.reply, add_special_tokens=False)["input_ids"]
        said = "".join(tokenizer.decode([ids[i]]) for i in _wrong_tokens(row, tokenizer)).split()
        words = row.exercise.reply.split()
        assert "".join(said) == "".join(words[place] for place in row.wrong)
