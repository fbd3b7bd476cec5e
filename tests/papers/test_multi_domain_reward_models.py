from dataclasses import replace

import numpy as np
import pytest

from tutelage.errors import ModelError
from tutelage.papers.lab.chains import answer_of
from tutelage.papers.recipes.multi_domain_reward_models import candidates, cpu, run, smoke, training_rows

CONFIG = replace(cpu(2), rows=400, questions=40)


def test_only_labels_of_steps_are_flipped_and_as_many_as_said():
    clean, noisy = training_rows(CONFIG, 0, 0.0), training_rows(CONFIG, 0, 0.2)
    assert [(one.question, one.steps, one.outcome) for one in clean] == [
        (one.question, one.steps, one.outcome) for one in noisy
    ]
    pairs = zip(clean, noisy, strict=True)
    differ = [a != b for one, other in pairs for a, b in zip(one.labels, other.labels, strict=True)]
    assert abs(np.mean(differ) - 0.2) < 0.03
    assert all(one.outcome == all(one.labels) for one in clean)
    assert 0.4 < np.mean([one.outcome for one in clean]) < 0.6


def test_candidates_are_as_often_right_as_said_and_end_right_only_then():
    rows = candidates(CONFIG)
    assert rows == candidates(replace(CONFIG, seeds=(3, 4)))  # the same under every seed
    solutions = [one for row in rows.values() for one in row]
    assert len(solutions) == 40 * 8
    assert abs(np.mean([one.right for one in solutions]) - 0.3) < 0.08
    for row in rows.values():
        right = {answer_of(one.steps) for one in row if one.right}
        assert len(right) <= 1
        assert not right & {answer_of(one.steps) for one in row if not one.right}


def test_no_question_is_trained_on_and_asked():
    asked = {row[0].chain.question for row in candidates(CONFIG).values()}
    for seed in (0, 1):
        assert not asked & {one.question for one in training_rows(CONFIG, seed, 0.0) if len(one.steps) > 2}


def test_verifiers_that_have_not_learnt_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("TUTELAGE_HOME", str(tmp_path / "home"))
    with pytest.raises(ModelError, match="has not learnt"):
        run(replace(smoke(2), required=1.01), tmp_path / "run")
    assert not (tmp_path / "run" / "evidence.json").exists()
