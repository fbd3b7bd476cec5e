"""The grid of teachers, blends and sharpness: which student is in which pool, and what a blend reaches."""

import numpy as np
import pytest
import torch

from tutelage.papers.recipes import mixup_distillation as recipe


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    torch.set_num_threads(1)
    return recipe.run(recipe.smoke(2), tmp_path_factory.mktemp("mixup"))


def test_every_combination_is_there_once_and_pools_hold_what_they_say():
    assert len(recipe.STUDENTS) == 2 * 3 * 2 + 3
    members = {pool: {n for n, one in recipe.STUDENTS.items() if rule(one)} for pool, rule in recipe.POOLS.items()}
    assert members["plain_student_fmu"] == {"plain-fmu-t4", "plain-fmu-std"}
    assert len(members["teacher_plain"]) == len(members["teacher_mixup"]) == 6
    assert not members["teacher_plain"] & members["teacher_mixup"]
    assert members["mixed_std"] == {f"{t}-{m}-std" for t in ("plain", "mixup") for m in ("pmu", "fmu")}
    assert {name.replace("std", "t4") for name in members["mixed_std"]} == members["mixed_t4"]


def test_a_pool_is_the_mean_of_its_students(found):
    arms = found["arms"]
    for pool, rule in recipe.POOLS.items():
        means = [arms[name]["accuracy"]["mean"] for name, one in recipe.STUDENTS.items() if rule(one)]
        assert arms[pool]["accuracy"]["mean"] == pytest.approx(np.mean(means))
    assert 0 <= arms["teacher_mixup"]["teacher_entropy"]["mean"] <= np.log(10)


def test_teacher_and_student_see_the_same_blends():
    config = recipe.smoke(1)
    parts = recipe.digit_parts(config.sizes, seed=0)
    seen = {"none": [], "fmu": []}
    for mix, batches in seen.items():

        def teach(logits, images, targets, batches=batches):
            batches.append((images, targets))
            return torch.nn.functional.cross_entropy(logits, targets)

        recipe._trained(config, 2, 0.1, 0, mix, parts, teach)
    images, targets = seen["none"][0]
    assert set(targets.unique().tolist()) == {0.0, 1.0}
    assert all(any(torch.equal(one, row) for row in parts["train"].images) for one in images)
    blended, soft = seen["fmu"][0]
    assert blended.shape == images.shape
    assert torch.allclose(soft.sum(1), torch.ones(len(soft)))
    assert ((soft > 0) & (soft < 1)).any()
