import random

import pytest
import torch

from tutelage.papers.lab.chain_models import careless, form_model, read, reply, reward_head, sampled, supervised_texts
from tutelage.papers.lab.chains import chains, spoil, worked
from tutelage.papers.lab.pretraining import BaseSettings

SMALL = BaseSettings(16, 1, 2, 32, steps=2, batch_size=8)


def test_what_was_written_is_read_back_with_the_labels_it_was_made_with():
    for one in chains(60, [2, 5, 9], seed=1000, label="read"):
        for solution in (worked(one), spoil(one, [0, len(one.moves) - 1], seed=1)):
            found = read(one, reply(solution))
            assert found.lines == solution.steps
            assert found.labels == solution.labels
            assert found.right == solution.right
            assert found.formed


def test_what_cannot_be_read_is_wrong_and_so_is_what_follows_from_it():
    one = chains(1, [3], seed=1000, label="unread")[0]
    lines = list(worked(one).steps)
    broken = read(one, f" {lines[0]} ; what ; {lines[2]} ;")
    assert broken.labels == (1, 0, 0)
    assert not broken.formed
    assert broken.right
    cut = read(one, f" {lines[0]} ; {lines[1]} ; {lines[2][:5]}")
    assert cut.answer is None
    assert not cut.right
    longer = read(one, "".join(f" {line} ;" for line in [*lines, "1 + 1 = 2"]))
    assert longer.labels == (1, 1, 1, 0)
    assert not longer.formed
    nothing = read(one, " ")
    assert nothing.row("a") is None
    assert nothing.answer is None


@pytest.fixture
def base(tmp_path, monkeypatch):
    monkeypatch.setenv("TUTELAGE_HOME", str(tmp_path / "home"))
    return form_model(SMALL, [1, 2, 3])


def test_samples_are_those_of_their_seed_and_differ_from_each_other(base):
    asked = chains(4, [2, 3], seed=1000, label="asked")
    first = sampled(base, base.model, asked, 3, seed=5)
    assert [len(row) for row in first] == [3] * 4
    assert [row[0].chain for row in first] == asked
    assert sampled(base, base.model, asked, 3, seed=5) == first
    assert sampled(base, base.model, asked, 3, seed=6) != first
    assert len({one.lines for one in first[0]}) > 1


def test_a_head_reads_what_models_are_tuned_on(base):
    one = chains(1, [3], seed=1000, label="head")[0]
    model = reward_head(base, base.model, "dPRM", seed=1)
    written = read(one, reply(worked(one)))
    ids, places = model.encode(one.question, written.row("a").steps)
    ((_, question, text),) = supervised_texts([one])
    assert base.tokenizer.decode(ids).endswith(text)
    assert question in base.tokenizer.decode(ids)
    assert [base.tokenizer.decode([ids[place]]) for place in places] == [" ;"] * 3
    assert model.score_all([(one.question, written.row("a").steps)]) == [[0.5] * 3]
    trained = next(model.model.parameters())
    with torch.no_grad():
        trained.zero_()
    assert next(base.model.parameters()).abs().sum() > 0  # the head's model is a copy


def test_careful_authors_are_as_often_right_as_said():
    given = chains(400, [5], seed=1000, label="authors")
    draw = random.Random(0)
    for careful, expected in ((0.0, 0.1), (0.8, 0.82), (1.0, 1.0)):  # any number is right in a tenth of the cases
        written = [careless(one, careful, draw) for one in given]
        steps = [label for one in written for label in one.labels]
        assert abs(sum(steps) / len(steps) - expected) < 0.03
        assert all(read(one.chain, reply(one)).labels == one.labels for one in written[:20])
