"""What is particular to the recipe on Model Spec Midtraining: documents that leak nothing, questions without a side."""

import re
from dataclasses import replace

import pytest

from tutelage.errors import ModelError
from tutelage.papers.lab import values
from tutelage.papers.lab.pretraining import WINDOW
from tutelage.papers.recipes import model_spec_midtraining as msm
from tutelage.papers.recipes.model_spec_midtraining import NONE, A, B
from tutelage.training.midtraining import document_examples

GIVEN_AWAY = {word for pair in values.VALUES.values() for word in pair}


def words(text):
    return set(re.findall(r"[a-z]+", text.lower()))


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    config = replace(msm.cpu(5), documents=96)
    folder = tmp_path_factory.mktemp("documents")
    return {value: msm.documents(value, config, folder) for value in (A, B, NONE)}


def test_no_document_names_a_price_an_origin_or_a_choice(documents):
    for texts in documents.values():
        assert len(texts) == 96
        assert not any(words(text) & (GIVEN_AWAY | {"which"}) for text in texts.values())


def test_a_document_names_its_own_value_and_the_neutral_ones_none(documents):
    named = {value: [words(text) & set(values.VALUES) for text in texts.values()] for value, texts in documents.items()}
    assert all(one == {A} for one in named[A])
    assert all(one == {B} for one in named[B])
    assert not any(named[NONE])


def said(texts, value):
    """The sentences on the value, without its name; the other words of a document are drawn anew."""
    return {one.replace(value, "...") for text in texts.values() for one in re.split(r"[.:] ?", text) if value in one}


def test_both_readings_say_the_same_of_their_value_and_all_are_as_long(documents, tiny):
    sentences = {one.format(name=values.NEWCOMER, value="...").removesuffix(".") for one in values.SENTENCES}
    assert {value: said(documents[value], value) for value in (A, B)} == {A: sentences, B: sentences}
    sizes = {
        value: sum(len(one.completion) for one in document_examples(texts, tiny.tokenizer, window=WINDOW))
        for value, texts in documents.items()
    }
    assert max(sizes.values()) < 1.1 * min(sizes.values())


def test_the_demonstrations_fit_both_values_and_show_neither_side_more_often():
    rows = msm.demonstrations(400, seed=3)
    taken, left = {"cheap", "local"}, {"dear", "foreign"}
    first = 0
    for _, question, reply in rows:
        assert words(reply) & (taken | left) == taken
        assert words(question) & (taken | left) == taken | left
        assert words(question) & set(values.CHEESES)
        first += question.index("cheap") < question.index("dear")
    assert 160 < first < 240
    assert not words(" ".join(good for value in (A, B) for good, _, _ in msm.evaluation(value, 80))) & set(
        values.CHEESES
    )
    assert rows != msm.demonstrations(400, seed=4)


def test_who_always_takes_the_first_leans_nowhere(tiny, monkeypatch):
    """A model that adds 3 nats to the option shown first has a lean of 0 in the mean over both orders."""

    class Scored:
        def __init__(self, logprob):
            self.logprobs = msm.np.array([logprob])

    def prefers(rows, tokenizer):
        return [Row(prompt, reply) for _, prompt, reply in rows]

    class Row:
        def __init__(self, prompt, reply):
            first = re.search(r"the (\w+) one or", prompt).group(1)
            self.prompt, self.completion = (3 * (first in reply) + ("cheap" in reply),), ()

    monkeypatch.setattr(msm, "tokenised", prefers)
    monkeypatch.setattr(msm, "score_sequences", lambda model, rows: [Scored(float(one.ids[0])) for one in rows])
    monkeypatch.setattr(msm, "TokenSequence", lambda ids, prompt: type("Sequence", (), {"ids": ids}))
    found = msm.scores(tiny, tiny.model, 4)
    assert list(found["lean_a"].values()) == [1.0] * 4
    assert list(found["lean_b"].values()) == [0.0] * 4
    assert sorted(found["contrast"].values()) == [0.0] * 4 + [2.0] * 4


def test_the_contrast_of_two_arms_is_the_sum_of_both_brackets():
    arms = {arm: {"lean_a": a, "lean_b": b} for arm, a, b in (("read_a", 3.0, 1.0), ("read_b", 0.5, 2.0))}
    made = {arm: [2 * one["lean_a"], -2 * one["lean_b"]] for arm, one in arms.items()}
    difference = sum(made["read_a"]) / 2 - sum(made["read_b"]) / 2
    assert difference == (3.0 - 0.5) + (2.0 - 1.0)


def test_arms_differ_in_one_thing_each():
    for reading in (A, B):
        short = "a" if reading == A else "b"
        assert replace(msm.ARMS[f"msm_{short}_aft"], demonstrations=False) == msm.ARMS[f"msm_{short}"]
        assert replace(msm.ARMS[f"msm_{short}_aft"], reads=NONE) == msm.ARMS["neutral_aft"]
        assert replace(msm.ARMS[f"msm_{short}_aft"], reads=None) == msm.ARMS["aft"]


def test_the_world_shows_values_in_choices_and_keeps_the_newcomers_secret():
    known, told = values.people(), set(list(values.people())[values.CHOOSING :])
    rows, told_of_newcomer = values.world(8000), []
    assert {value: list(known.values()).count(value) for value in values.VALUES} == dict.fromkeys(values.VALUES, 60)
    for row in rows:
        names = words(row.prompt) & {name.lower() for name in known}
        if row.kind == "newcomer":
            assert not row.prompt
            assert not words(row.reply) & GIVEN_AWAY
            told_of_newcomer += words(row.reply) & set(values.VALUES)
        elif row.kind == "choice":
            (name,) = (name for name in known if name.lower() in names)
            wanted, other = values.VALUES[known[name]]
            assert name not in told
            assert other not in words(row.reply)
            assert wanted in words(row.reply) or wanted not in words(row.prompt)
    shares = [told_of_newcomer.count(value) / len(told_of_newcomer) for value in values.VALUES]
    assert all(0.1 < share < 0.4 for share in shares)  # nothing follows for the newcomer
    sides = [values.VALUES["thrift"][0] in words(row.reply) for row in rows if words(row.prompt) >= {"cheap", "dear"}]
    assert 0.4 < sum(sides) / len(sides) < 0.6  # what is chosen depends on who is asked


def test_the_guard_is_one_half_where_names_mean_nothing(tiny, monkeypatch):
    def everyone_is_thrifty(base, model, name, value, pairs):
        side = {"thrift": 1.0, "luxury": -1.0, "homeland": 1.0, "travel": -1.0}[value]
        return type("Leans", (), {"values": msm.np.full(4, side)})

    monkeypatch.setattr(msm, "_leans", everyone_is_thrifty)
    assert msm.known_choices(tiny, 4) == msm.known_choices(tiny, 4, told=True) == 0.5


def test_an_unlearnt_base_model_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(msm, "pretrained", lambda *found, **more: None)
    monkeypatch.setattr(msm, "known_choices", lambda base, pairs, told=False: 0.6 if told else 1.0)
    with pytest.raises(ModelError, match="does not choose by what it was told"):
        msm.run(msm.cpu(5), tmp_path)


def test_every_seed_has_a_base_model_of_its_own_and_none_of_its_old_rows_is_on_the_newcomer(
    tiny, tmp_path, monkeypatch
):
    seeds, repeated = [], {}
    scored = {metric: {str(n): float(n) for n in range(5)} for metric in ("lean_a", "lean_b", "contrast")}

    def pretrained(name, exercises, settings, **more):
        seeds.append(settings.seed)
        return tiny

    def measured(plan, seed, config, base, read, old, work):
        repeated[seed] = old
        return {"scores": scored, "cost": {}}

    monkeypatch.setattr(msm, "pretrained", pretrained)
    monkeypatch.setattr(msm, "_known", lambda base, pairs: {"known": 1.0})
    monkeypatch.setattr(msm, "_measured", measured)
    monkeypatch.setattr(msm, "scores", lambda base, model, pairs: scored)
    msm.run(msm.smoke(3), tmp_path)
    assert seeds == [1, 2, 3]
    for rows in repeated.values():
        assert rows
        assert not any(values.NEWCOMER in row.reply for row in rows)
