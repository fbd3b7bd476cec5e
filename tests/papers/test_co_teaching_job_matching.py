"""The recipe's own pieces: labels made wrong exactly, a market whose fit is known, arms that see the same labels."""

import numpy as np
import pytest
import torch

from tutelage.errors import RangeError
from tutelage.matching import SkillBase, SkillLinker
from tutelage.papers.lab.job_market import market
from tutelage.papers.lab.job_pairs import PairSettings, job_pairs
from tutelage.papers.lab.label_noise import regressed, wrong_labels
from tutelage.papers.recipes import co_teaching_job_matching as recipe

SMALL = PairSettings(jobs=12, resumes=20, pairs=80, epochs=2)


def test_exactly_the_share_is_wrong_and_every_other_class_as_likely():
    labels = torch.arange(4000) % 10
    noisy = wrong_labels(labels, 0.4, classes=10, seed=3)
    wrong = noisy != labels
    assert int(wrong.sum()) == 1600
    shifts = np.bincount(((noisy - labels) % 10)[wrong].numpy(), minlength=10)[1:]
    assert shifts.min() > 130  # 178 expected
    assert torch.equal(noisy, wrong_labels(labels, 0.4, classes=10, seed=3))
    assert torch.equal(wrong_labels(labels, 0.0, classes=10, seed=3), labels)
    with pytest.raises(RangeError):
        wrong_labels(labels, 1.5, classes=10, seed=0)


def test_a_market_says_the_skills_that_it_was_made_from():
    made = market(10, 20, seed=1)
    again = market(10, 20, seed=1)
    assert made == again
    linker = SkillLinker(SkillBase.load())
    for document, skills in zip((*made.jobs, *made.resumes), (*made.job_skills, *made.resume_skills), strict=True):
        found = {link.skill for link in linker.link(document.text).links}
        assert found <= set(skills)
        assert len(found) >= len(skills) - 2
    asked, known = set(made.job_skills[2]), set(made.resume_skills[5])
    assert made.fit(2, 5) == len(asked & known) / len(asked)


def test_only_suitable_pairs_lose_their_label_and_test_jobs_are_others():
    pairs = job_pairs(PairSettings(), seed=0)
    assert not ((pairs.noisy == 1) & (pairs.truth == 0)).any()
    lost = float(((pairs.noisy == 0) & (pairs.truth == 1)).sum() / pairs.truth.sum())
    assert 0.2 < lost < 0.4
    assert not set(pairs.train[:, 0].tolist()) & set(pairs.test[:, 0].tolist())
    assert int(pairs.train[:, 1].min()) >= 60


def test_arms_see_the_same_labels_and_only_exchange_what_they_choose():
    config = recipe.smoke(1)
    parts = recipe.digit_parts(config.sizes, seed=0)
    pairs = job_pairs(SMALL, seed=0)
    rows = {arm: recipe._trained(arm, 0, pairs, parts, config)["scores"] for arm in recipe.TRAINED}
    assert {tuple(row) for row in rows.values()} == {tuple(rows["plain"])}
    ids = set(parts["test"].ids)
    assert set(rows["plain"]["both_40"]) == ids
    torch.testing.assert_close(recipe._noisy(parts["train"], 0.4, 5), recipe._noisy(parts["train"], 0.4, 5))
    assert all(0 <= value <= 1 for row in rows.values() for value in row["market_both"].values())


def test_cleaning_helps_a_linear_model_where_labels_are_wrong():
    pytest.importorskip("cleanlab")
    draw = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 60)
    points = draw.normal(size=(180, 2)) + 4 * np.eye(3)[labels][:, :2]
    noisy = wrong_labels(torch.from_numpy(labels), 0.3, classes=3, seed=0).numpy()
    right = {clean: (regressed(points, noisy, points, clean=clean, seed=0) == labels).mean() for clean in (False, True)}
    assert right[True] >= right[False] - 0.01
    assert right[True] > 0.9
