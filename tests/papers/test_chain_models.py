import random
import re

import pytest
import torch

from tutelage.papers.lab.chain_models import (
    Haste,
    corrected,
    corrected_model,
    read,
    reply,
    reward_head,
    sampled,
    supervised_texts,
    trap,
)
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
    return corrected_model(SMALL, 3, rows=24)


def test_samples_are_those_of_their_seed_and_differ_from_each_other(base):
    asked = chains(4, [2, 3], seed=1000, label="asked")
    first = sampled(base, base.model, asked, 3, seed=5)
    assert [len(row) for row in first] == [3] * 4
    assert [row[0].chain for row in first] == asked
    assert sampled(base, base.model, asked, 3, seed=5) == first
    assert sampled(base, base.model, asked, 3, seed=6) != first
    assert len({one.lines for one in first[0]}) > 1


def test_a_head_reads_what_models_are_tuned_on_and_looks_at_results(base):
    one = chains(1, [3], seed=1000, label="head")[0]
    model = reward_head(base, base.model, "dPRM", seed=1)
    written = read(one, reply(worked(one)))
    ids, places = model.encode(one.question, written.row("a").steps)
    ((_, question, text),) = supervised_texts([one])
    assert base.tokenizer.decode(ids).endswith(text.removesuffix(" ;"))
    assert question in base.tokenizer.decode(ids)
    assert [base.tokenizer.decode([ids[place]]).strip() for place in places] == [str(value) for value in one.values[1:]]
    assert model.score_all([(one.question, written.steps)]) == [[0.5] * 3]
    trained = next(model.model.parameters())
    with torch.no_grad():
        trained.zero_()
    assert next(base.model.parameters()).abs().sum() > 0  # the head's model is a copy
    frozen = reward_head(base, base.model, "dPRM", frozen=True)
    assert [name.split(".")[0] for name, p in frozen.named_parameters() if p.requires_grad] == ["head", "head"]


def test_corrected_texts_are_right_once_numbers_are_taken_back():
    given = chains(200, [4, 8], seed=1000, label="corrected")
    texts = [corrected(one) for one in given]
    assert sum(text.count(" no ") for text in texts) / sum(len(one.moves) for one in given) == pytest.approx(
        0.2, abs=0.03
    )
    for one, text in zip(given, texts, strict=True):
        settled = re.sub(r"= (\d) no (\d)", lambda found: f"= {found[2]}" if found[1] != found[2] else "?", text)
        assert settled == reply(worked(one))


def test_hasty_texts_fall_into_the_trap_in_long_chains_only():
    draw, haste = random.Random(0), Haste(slips=0.1, misread=0.8, taken_back=0.0)
    for length, caught in ((3, 0.1 * 0.9), (7, 0.8 + 0.2 * 0.1 * 0.9)):
        given = chains(300, [length], seed=1000, label="hasty")
        written = [read(one, haste.text(one, draw)) for one in given]
        assert all(one.formed for one in written)
        pairs = [
            (trap(*move), label) for one in written for move, label in zip(one.chain.moves, one.labels, strict=True)
        ]
        for trapped, expected in ((True, caught), (False, 0.1 * 0.9)):
            wrong = [1 - label for is_trap, label in pairs if is_trap is trapped]
            assert sum(wrong) / len(wrong) == pytest.approx(expected, abs=0.04)
    back = Haste(slips=0.5, taken_back=1.0)
    short, long = (back.text(chains(1, [n], seed=1000, label="back")[0], random.Random(1)) for n in (4, 8))
    assert " no " in short
    assert " no " not in long
