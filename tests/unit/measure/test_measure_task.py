"""Which metric fits the data, and what each calls right."""

import doctest

import numpy as np
import pytest

import tutelage.measure.task as task
from tutelage.errors import DataError, RangeError, RegistryError
from tutelage.measure import choose_metric, domain


def row(answer, number=0, question="Which group?", **more):
    return {
        "id": f"r{number}",
        "prompt": [{"role": "user", "content": question}],
        "completion": [{"role": "assistant", "content": answer}],
        **more,
    }


def rows(answers, **more):
    return [row(answer, number, **more) for number, answer in enumerate(answers)]


class TestChoosing:
    @pytest.mark.parametrize(
        ("answers", "metric"),
        [
            (["7", "$1,250.50", "3 apples"], "number"),
            (["Paris", "the Eiffel Tower"], "short_answer"),
            (["7", "Paris"], "short_answer"),
            (["7 to 3", "3 to 1"], "short_answer"),
            (["It is a long answer that goes on and on."], "free_text"),
            (["one\ntwo"], "free_text"),
        ],
    )
    def test_by_the_answers(self, answers, metric):
        assert choose_metric(rows(answers)) == metric

    def test_choices_need_the_answer_among_them_in_every_row(self):
        good = rows(["Paris", "rome"], choices=["paris", "Rome"])
        assert choose_metric(good) == "choice"
        assert choose_metric([*good, row("London", 9, choices=["paris", "Rome"])]) == "short_answer"
        assert choose_metric([*good, row("Paris", 9)]) == "short_answer"
        assert choose_metric(rows(["Paris"], choices=["Paris"])) == "short_answer"

    def test_a_few_odd_answers_do_not_decide(self):
        assert choose_metric(rows(["7"] * 19 + ["about seven"])) == "number"
        assert choose_metric(rows(["7"] * 18 + ["about seven"] * 2)) == "short_answer"

    def test_the_reference_goes_before_the_completion(self):
        assert choose_metric(rows(["a long answer that says in many words seven"], reference="7")) == "number"

    def test_refusals(self):
        with pytest.raises(DataError, match="no rows"):
            choose_metric([])
        with pytest.raises(DataError, match="gold answer") as caught:
            choose_metric(rows(["7", " "]))
        assert caught.value.where == "row r1"


CHOICES = ["management", "handling", "handling goods"]


class TestDomain:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("Handling.", 1),
            ("It belongs to HANDLING", 1),
            ("management", 0),
            ("", 0),
            ("mishandling", 0),
            ("management or handling", 0),
            ("not management but handling", 0),
            ("handling goods", 0),
            ("handling goods, so handling", 0),
            ('The skill "management of stock" belongs to handling.', 1),
            ("The skill Management of Stock belongs to handling.", 1),
            ('The skill "management of stock" belongs to management.', 0),
        ],
    )
    def test_choice(self, letters, text, value):
        data = [row("handling", question='Which group is "management of stock" in?', choices=CHOICES)]
        found = domain(letters(reply=text), data)
        assert (found.metric, found.values.tolist(), found.outputs) == ("domain/choice", [value], (text,))

    def test_a_quoted_choice_is_not_taken_for_the_subject(self, letters):
        data = [row("handling", question='Is it "management" or "handling"?', choices=CHOICES)]
        assert domain(letters(reply="handling"), data).values.tolist() == [1.0]
        assert domain(letters(reply='"management"'), data).values.tolist() == [0.0]

    @pytest.mark.parametrize(
        ("text", "value"), [("It is the Eiffel tower!", 1), ("Eiffel", 0), ("eiffel towers", 0), ("", 0)]
    )
    def test_short_answer(self, letters, text, value):
        found = domain(letters(reply=text), rows(["The Eiffel Tower"]))
        assert (found.metric, found.values.tolist()) == ("domain/short_answer", [value])

    @pytest.mark.parametrize(("text", "value"), [("3 + 4 = 7.", 1), ("7 - 0 = 8", 0), ("no idea", 0)])
    def test_number(self, letters, text, value):
        found = domain(letters(reply=text), rows(["7 apples"]))
        assert (found.metric, found.values.tolist()) == ("domain/number", [value])

    def test_free_text_is_the_cosine_and_silence_is_like_nothing(self, letters):
        class Encoder:
            def embed(self, texts):
                vectors = {"a": [1.0, 0.0], "": [1.0, 0.0]}
                return np.array([vectors.get(text, [0.6, 0.8]) for text in texts])

        replies = iter(["a", "", "same"])
        data = rows(["long one " * 9] * 3)
        found = domain(letters(reply=lambda _: next(replies)), data, encoder=Encoder())
        assert found.metric == "domain/free_text"
        assert found.values == pytest.approx([0.6, 0.0, 1.0])

    def test_any_verifier_by_name(self, letters):
        assert domain(letters(reply='{"a": 1}'), rows(["x"]), "json").values.tolist() == [1.0]
        with pytest.raises(RegistryError, match="exakt"):
            domain(letters(), rows(["x"]), "exakt")

    def test_greedy_with_a_cap(self, letters):
        engine = letters(reply="7")
        domain(engine, rows(["7"]))
        domain(engine, rows(["7"]), max_new_tokens=5)
        assert [(s.temperature, s.max_new_tokens) for s in engine.samplings] == [(0.0, 192), (0.0, 5)]
        with pytest.raises(RangeError):
            domain(engine, rows(["7"]), max_new_tokens=0)

    def test_groups_are_kept_only_where_every_row_has_one(self, letters):
        data = [row("7", 0, group="g"), row("8", 1, group="g")]
        assert domain(letters(), data).clusters == ("g", "g")
        assert domain(letters(), [data[0], row("8", 1)]).clusters is None

    def test_refusals(self, letters):
        with pytest.raises(DataError, match="no rows"):
            domain(letters(), [], "number")
        with pytest.raises(DataError, match="without choices") as caught:
            domain(letters(), rows(["x"]), "choice")
        assert caught.value.where == "row r0"
        with pytest.raises(DataError, match="twice"):
            domain(letters(), [row("7"), row("7")])


def test_examples_run():
    assert doctest.testmod(task).failed == 0
