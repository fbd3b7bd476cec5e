from dataclasses import replace

import numpy as np
import pytest

from tutelage.errors import ModelError
from tutelage.papers.lab.chain_choice import auc, voted
from tutelage.papers.lab.chain_models import read, reply
from tutelage.papers.lab.chains import chains, spoil, worked
from tutelage.papers.lab.easy_hard import EasyHardLab
from tutelage.papers.recipes.easy_to_hard import cpu, run, smoke


def written(chain, *mistakes):
    """A right solution and one for each list of wrong steps."""
    return [read(chain, reply(worked(chain))), *(read(chain, reply(spoil(chain, at, seed=i))) for i, at in mistakes)]


def test_choices_are_made_question_by_question():
    first, second = chains(2, [4], seed=1000, label="voted")
    wrong = read(first, reply(spoil(first, [1], seed=1)))
    rows = [[wrong, wrong, *written(first)], [*written(second), read(second, "nothing")]]
    assert voted(rows) == {first.id: 0.0, second.id: 1.0}
    scores = [0.1, 0.1, 0.9, 0.2, 1.0]  # the last one wrote nothing that can be read, and takes no part
    assert voted(rows, scores, "weighted") == {first.id: 1.0, second.id: 1.0}
    assert voted(rows, [0.9, 0.1, 0.8, 0.2, 1.0], "best_of_n") == {first.id: 0.0, second.id: 1.0}


def test_auc_counts_pairs():
    draw = np.random.default_rng(0)
    scores, right = draw.integers(0, 5, 60), draw.integers(0, 2, 60)
    pairs = [(a > b) + (a == b) / 2 for a, x in zip(scores, right, strict=True) if x
             for b, y in zip(scores, right, strict=True) if not y]  # fmt: skip
    assert auc(scores.tolist(), right.tolist()) == pytest.approx(np.mean(pairs))
    assert auc([1.0, 2.0], [True, True]) == 0.5


def test_nothing_of_a_hard_question_is_labelled_or_reinforced(tmp_path, monkeypatch):
    monkeypatch.setenv("TUTELAGE_HOME", str(tmp_path / "home"))
    config = smoke(1)
    lab = EasyHardLab(config, tmp_path)
    asked = {one.question for one in lab.asked}
    assert {len(one.moves) for one in lab.asked} == set(config.hard)
    rows = lab.labelled(lab.base.model, 0)
    assert rows
    assert all(row.question.count("+") + row.question.count("-") in config.easy for row in rows)
    assert not asked & {row.question for row in rows}
    assert cpu(5).seeds == (100, 101, 102, 103, 104)
    assert cpu(5).questions >= 300
    assert not set(cpu(5).easy) & set(cpu(5).hard)


def test_the_control_learns_the_same_labels_in_other_places(tmp_path, monkeypatch):
    monkeypatch.setenv("TUTELAGE_HOME", str(tmp_path / "home"))
    seen = {}

    def fit(model, rows, settings, *, seed):
        seen[len(seen)] = list(rows)
        return [0.0]

    monkeypatch.setattr("tutelage.papers.lab.easy_hard.fit_reward_model", fit)
    lab = EasyHardLab(smoke(1), tmp_path)
    given = [
        one.row(f"{chain.id}-{i}")
        for chain in chains(20, [3], seed=1000, label="dealt")
        for i, one in enumerate(written(chain, (1, [1])))
    ]
    for arm in ("prm", "orm", "oprm", "prm_shuffled"):
        lab.fitted(arm, given, 0)
    prm, orm, oprm, shuffled = seen.values()
    assert prm == orm == given
    assert oprm[: len(given)] == given
    assert {row.labels for row in oprm[len(given) :]} == {(-1, -1, 1), (-1, -1, 0)}
    assert [row.steps for row in shuffled] == [row.steps for row in given]
    assert [row.labels for row in shuffled] != [row.labels for row in given]
    assert sorted(x for row in shuffled for x in row.labels) == sorted(x for row in given for x in row.labels)


def test_models_that_have_not_learnt_are_refused(tmp_path, monkeypatch):
    pytest.importorskip("trl")
    monkeypatch.setenv("TUTELAGE_HOME", str(tmp_path / "home"))
    with pytest.raises(ModelError, match="has not learnt"):
        run(replace(smoke(1), required=1.01), tmp_path / "run")
    assert not (tmp_path / "run" / "evidence.json").exists()
