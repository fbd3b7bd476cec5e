"""The capacity study: slopes are least squares, the fault is only in its own arm, and equal teachers are equal."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tutelage.papers.lab.digit_classifiers import digit_parts, hits
from tutelage.papers.lab.digit_distillation import DistillationLab, mean
from tutelage.papers.recipes import kd_capacity as recipe

TINY = replace(recipe.smoke(2), widths=(8, 16))


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    torch.set_num_threads(1)
    return recipe.run(TINY, tmp_path_factory.mktemp("capacity"))


def test_the_slope_is_that_of_least_squares():
    widths, values = (8, 16, 32, 64), np.random.default_rng(0).normal(size=4)
    expected = np.polyfit(np.log2(widths), values, 1)[0]
    assert recipe.slope_weights(widths) @ values == pytest.approx(expected)


def test_gain_and_slope_are_those_of_the_accuracies(found):
    arms = found["arms"]
    for arm in ("logit_small", "logit_large", "feature_large"):
        gains = [arms[arm][f"accuracy_{w}"]["mean"] - arms["ce"][f"accuracy_{w}"]["mean"] for w in TINY.widths]
        assert arms[arm]["gain"]["mean"] == pytest.approx(np.mean(gains))
        assert arms[arm]["slope"]["mean"] == pytest.approx(gains[1] - gains[0])
        assert 0 <= arms[arm]["top1_agreement"]["mean"] <= 1
        assert arms[arm]["kl_T4"]["mean"] >= 0


def test_choosing_on_the_test_set_never_reports_less(found):
    arms = found["arms"]
    assert arms["chosen_on_test"]["reported"]["mean"] >= arms["chosen_on_validation"]["reported"]["mean"]
    for arm in ("chosen_on_test", "chosen_on_validation"):
        gap = arms[arm]["reported"]["mean"] - arms[arm]["fresh"]["mean"]
        assert arms[arm]["optimism"]["mean"] == pytest.approx(gap)


class Memory:
    """Stands for a run's folder."""

    def once(self, name, work):
        return work()


def test_the_large_teacher_stops_when_it_is_as_good_as_the_small_one():
    parts = digit_parts({"train": 300, "validation": 200, "test": 100}, seed=0)
    lab = DistillationLab(Memory(), "t", parts, replace(TINY.loop, epochs=20), {"small": 8, "large": 64})
    small, large = (mean(hits(lab.teacher(size, 0), parts["validation"])) for size in ("small", "large"))
    steps = {size: lab.cost[f"teachers/t-{size}-0"]["steps"] for size in ("small", "large")}
    assert large >= small
    assert large - small < 0.1
    assert steps["large"] < steps["small"]
