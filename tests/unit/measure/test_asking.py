"""The three ways to ask, against sums written out by hand; and what a task's table holds."""

import doctest
from dataclasses import replace

import numpy as np
import pytest

from tutelage.errors import DataError, RangeError
from tutelage.measure import asking
from tutelage.measure.asking import Choosing, Item, Predicting, Speaking, chance, each, share_of_commonest
from tutelage.measure.results import MetricFacts, read_native, write_native
from tutelage.measure.suite import Suite, Task
from tutelage.types import Sampling


def log_probability(engine, lead, text):
    return sum(engine.table[ord(a), ord(b)] for a, b in zip((lead + text)[len(lead) - 1 :], text, strict=False))


def items(n=20):
    return tuple(
        Item(f"i{k}", f"lead {k}", ("a", "bbb b", f"{k}xyz")[k % 3], ("a", "bbb b", f"{k}xyz"), {"third": str(k % 3)})
        for k in range(n)
    )


class TestChoosing:
    @pytest.mark.parametrize("rule", ["sum", "per_character", "calibrated"])
    def test_each_rule_equals_a_naive_loop(self, letters, rule):
        engine = letters(seed=3)
        found = Choosing({"m": rule}, neutral="So:").ask(engine, items(), seed=0)
        best = []
        for item in items():
            weights = []
            for option in item.choices:
                own = log_probability(engine, item.prompt, f" {option}")
                neutral = log_probability(engine, "So:", f" {option}")
                weights.append({"sum": own, "per_character": own / len(option), "calibrated": own - neutral}[rule])
            best.append(item.choices[max(range(3), key=weights.__getitem__)])
        assert found.choices == found.outputs == tuple(best)
        assert found.values["m"].tolist() == [float(b == i.target) for b, i in zip(best, items(), strict=True)]
        assert 0 < found.values["m"].mean() < 1

    def test_the_rules_differ_and_the_first_one_is_recorded(self, letters):
        engine = letters()
        engine.table = np.full((128, 128), -2.0)
        engine.table[:, ord("s")] = -1.0
        one = [Item("i", "x", "sssss", ("a", "sssss"))]  # sums -4 and -7, a character -4 and -1.4
        both = Choosing({"correct": "sum", "correct_norm": "per_character"}).ask(engine, one, seed=0)
        assert (both.values["correct"].tolist(), both.values["correct_norm"].tolist()) == ([0.0], [1.0])
        assert both.choices == ("a",)
        turned = Choosing({"correct_norm": "per_character", "correct": "sum"}).ask(engine, one, seed=0)
        assert turned.choices == ("sssss",)

    def test_a_calibrated_answer_does_not_follow_what_the_model_always_says(self, letters):
        engine = letters()
        engine.table = np.full((128, 128), -5.0)
        engine.table[ord(" "), ord("n")] = -0.1  # "no", whatever the question
        asked = [Item(str(k), f"Is it {k}?", "yes", ("no", "yes")) for k in range(4)]
        method = Choosing({"calibrated": "calibrated", "correct": "sum"}, neutral="Answer:")
        engine.table[ord("?"), ord(" ")] = -1.0
        found = method.ask(engine, asked, seed=0)
        assert found.values["correct"].tolist() == [0.0] * 4
        assert found.choices == ("no",) * 4  # a tie after calibration: the first counts

    def test_text_is_continued_and_a_chat_goes_through_the_template(self, letters):
        engine = letters(seed=1)
        seen = []
        score = engine.score
        engine.score = lambda sequences, **more: seen.extend(sequences) or score(sequences, **more)
        chat = ({"role": "user", "content": "x"},)
        Choosing({"m": "sum"}).ask(engine, [Item("a", "x", "p", ("p", "q")), Item("b", chat, "p", ("p", "q"))], seed=0)
        assert [s.ids for s in seen[:2]] == [(120, 32, 112), (120, 32, 113)]
        assert seen[2] == engine.encode(list(chat), "p")

    def test_baselines(self):
        assert chance([Item("a", "?", "b", ("b", "c")), Item("b", "?", "b", ("b", "c", "d", "e"))]) == 0.375
        assert chance([Item(str(k), "?", "no" if k else "yes", ("no", "yes")) for k in range(4)]) == 0.75
        assert share_of_commonest([Item(str(k), "?", str(k % 2)) for k in range(3)]) == pytest.approx(2 / 3)


def test_speaking_keeps_no_more_of_an_answer_than_is_wanted(letters):
    facts = {"length": MetricFacts()}
    method = Speaking(Sampling(8, 0.0), facts, each(lambda item, said: {"length": len(said.text)}), recorded=3)
    found = method.ask(letters(reply="abcdef"), [Item("a", "x"), Item("b", "y")], seed=0)
    assert found.outputs == ("abc", "abc")
    assert found.values["length"].tolist() == [6.0, 6.0]


def test_predicting_equals_a_naive_loop(letters):
    engine = letters(seed=2)
    found = Predicting(5).ask(engine, [Item("a", "hello world"), Item("b", "hi")], seed=0).values["nll"]
    hello = -np.mean([engine.table[ord(a), ord(b)] for a, b in zip("hell", "ello", strict=True)])
    assert found == pytest.approx([hello, -engine.table[ord("h"), ord("i")]], abs=1e-12)


class TestTask:
    def task(self, **changes):
        return replace(Task("t", items(), Choosing({"correct": "sum"})), **changes)

    def test_the_table_is_complete_and_survives_a_file(self, letters, tmp_path):
        table = self.task().measure(letters(seed=3))
        assert table.prompts[0] == "lead 0"
        assert table.targets[1] == "bbb b"
        assert set(table.choices) <= {"a", "bbb b", *(f"{k}xyz" for k in range(20))}
        assert table.groups == {"third": tuple(str(k % 3) for k in range(20))}
        assert table.clusters is None
        assert table.metrics["correct"].baseline == pytest.approx(1 / 3)
        write_native(tmp_path / "t.jsonl", table, {"name": "m"})
        back, system = read_native(tmp_path / "t.jsonl")
        assert system["name"] == "m"
        assert (back.prompts, back.choices, back.asked, back.groups) == (
            table.prompts,
            table.choices,
            table.asked,
            table.groups,
        )
        assert back.metrics == table.metrics
        assert back.values["correct"].tolist() == table.values["correct"].tolist()

    def test_what_is_asked_is_told_apart(self):
        asked = self.task().fingerprints()
        assert len(set(asked)) == 20
        assert asked == self.task().fingerprints()
        one = items()[0]
        others = [
            replace(one, prompt="other"),
            replace(one, target="bbb b"),
            replace(one, choices=("a", "c")),
            replace(one, prompt=({"role": "user", "content": one.prompt},)),
        ]
        prints = [self.task(items=(other,)).fingerprints()[0] for other in others]
        prints.append(self.task(method=Choosing({"correct": "per_character"})).fingerprints()[0])
        prints += [self.task(method=Predicting(n)).fingerprints()[0] for n in (5, 6)]
        assert len({*prints, asked[0]}) == len(prints) + 1
        assert self.task(items=(replace(one, groups={}, cluster="c"),)).fingerprints()[0] == asked[0]

    def test_an_item_without_a_cluster_is_its_own(self, letters):
        mixed = (replace(items()[0], cluster="c"), items()[1])
        assert self.task(items=mixed).measure(letters()).clusters == ("c", "i1")

    def test_first(self):
        assert [i.id for i in self.task().first(2).items] == ["i0", "i1"]
        assert self.task().first(99).items == items()
        with pytest.raises(RangeError, match="at least one item"):
            self.task().first(0)

    def test_no_items(self, letters):
        with pytest.raises(DataError, match="no items"):
            self.task(items=()).measure(letters())

    def test_a_suite_counts_and_names_itself(self):
        suite = Suite("s", "1", (self.task(), self.task(name="u")))
        assert suite.items == 40
        assert suite.first(3).items == 6
        assert suite.fingerprint() == Suite("s", "1", suite.tasks, "other words").fingerprint()
        assert suite.fingerprint() != suite.first(3).fingerprint()
        assert suite.minutes() > 0


def test_a_system_turn_is_shown_under_its_role():
    chat = ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"})
    assert Item("a", chat).shown == "system: Be brief.\nuser: Why?"
    assert Item("a", chat[1:]).shown == Item("a", "Why?").shown == "Why?"
    assert Item("a", "Why?").chat == [{"role": "user", "content": "Why?"}]


def test_examples():
    assert doctest.testmod(asking).failed == 0
