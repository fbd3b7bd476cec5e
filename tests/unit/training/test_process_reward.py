import pytest

from page_examples import run_page
from tutelage.errors import RangeError
from tutelage.training.grpo import reward_function
from tutelage.training.process_reward import ProcessReward
from tutelage.verify import answer_penalty, exact

ASKED = [{"role": "user", "content": "2 + 2?"}]


class Told:
    """A reward model that finds a score in every step."""

    kind = "dPRM"

    def score(self, question, solutions):
        assert question == "2 + 2?"
        return [[float(step) for step in steps] for steps in solutions]


def place(total, upper=0.5, bonus=0.25):
    """Where a reward lies between the lowest and the highest there are."""
    return (total - (bonus - upper - 1)) / (2 + upper)


def test_outcome_steps_and_form_add_up():
    plain = ProcessReward(Told(), grader=lambda prompt, text, reference: exact(prompt, text.split()[-1], reference))
    assert plain(ASKED, "0.9\n\n0.2", None).score == pytest.approx(place(0.25 - 0.3 + 0.25))
    assert plain(ASKED, "0.9\n\n0.2", "0.2").score == pytest.approx(place(1 - 0.3 + 0.25))
    assert plain(ASKED, "0.9\n\n0.2", "0.3").score == pytest.approx(place(0 - 0.3 + 0.25))
    formed = ProcessReward(Told(), penalty=lambda prompt, text: answer_penalty(text, "so"))
    assert formed(ASKED, "0.9", None).score == pytest.approx(place(0.25 + 0.25 - 1))
    product = ProcessReward(Told(), scheme="prod")
    assert product(ASKED, "0.5\n\n0.5", None).score == pytest.approx(place(0.25 - 0.25 + 0.25))


def test_the_best_is_one_and_the_worst_nothing():
    reward = ProcessReward(Told(), grader=lambda *_: exact(ASKED, "a", _[2]), penalty=lambda *_: 1.0)
    assert reward(ASKED, "0.0", "b").score == 0.0
    assert reward(ASKED, "  ", "b").score == 0.0  # nothing was written
    best = ProcessReward(Told(), grader=lambda *_: exact(ASKED, "a", _[2]))
    assert best(ASKED, "1.0\n\n0.7", "a").score == pytest.approx(1.0)


def test_rows_without_an_answer_get_the_constant_through_grpo():
    rows = [
        {"id": "easy", "prompt": ASKED, "completion": [], "reference": "0.9"},
        {"id": "hard", "prompt": ASKED, "completion": []},
    ]
    given = reward_function(ProcessReward(Told(), grader=exact), rows)
    found = given(completions=["0.9", "0.8", "0.9", "0.1"], id=["easy", "easy", "hard", "hard"])
    assert found == pytest.approx([place(1.25), place(0.25), place(0.5), place(0.5 - 0.4)])


def test_a_penalty_out_of_range_is_refused():
    with pytest.raises(RangeError, match="penalty"):
        ProcessReward(Told(), penalty=lambda *_: 2.0)(ASKED, "0.5", None)


def test_the_examples_of_the_page_say_what_they_give():
    said, names = run_page("easy-to-hard.md")
    assert said[:2] == [(["a"], ["b"]), ("5", "4")]
    assert said[2] is True
    bonus = 0.25 / 3
    assert said[3].tolist() == pytest.approx([0, 0, 0, bonus, 0, 0, 0, bonus - 0.3, 0, 0, 0, 0, bonus])
    assert said[4] is True
    assert names["found"].pairs[0]["chosen"][0]["content"] in (names["samples"][0], names["samples"][2])
