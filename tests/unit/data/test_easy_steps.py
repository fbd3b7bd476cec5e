import pytest

from tutelage.data import StepRow, easy_steps
from tutelage.errors import DataError


def row(name, question):
    return StepRow(name, question, ("a step",), (1,))


def test_steps_of_hard_problems_are_dropped_also_when_they_are_worded_alike():
    rows = [row("easy", "What is 2 + 2?"), row("hard", "what is  the Sum"), row("other", "Who?"), row("sign", "2 - 2")]
    kept, dropped = easy_steps(rows, easy=["What is 2 + 2?"], hard=["What is the sum?", "2 + 2"])
    assert [one.id for one in kept] == ["easy", "other", "sign"]  # a sign makes another question
    assert [one.id for one in dropped] == ["hard"]


def test_no_question_is_easy_and_hard():
    with pytest.raises(DataError, match="easy and hard"):
        easy_steps([], easy=["Why?"], hard=["why"])
