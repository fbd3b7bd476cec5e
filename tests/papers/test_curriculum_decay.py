"""The laboratory of CMA: labels are as wrong as they are said to be, and arms differ only in what they say."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tutelage.errors import RangeError
from tutelage.papers.lab.digit_classifiers import ConvolutionalClassifier, LoopSettings, Perceptron, digit_parts, fresh
from tutelage.papers.lab.digit_classifiers import train_classifier as train
from tutelage.papers.recipes import curriculum_decay as recipe
from tutelage.training.schedules import ScheduleSettings

TINY = replace(recipe.smoke(1), rates=(0.2,))


def test_parts_of_the_digits_do_not_overlap():
    parts = digit_parts({"a": 1000, "b": 797}, seed=1)
    assert len({*parts["a"].ids, *parts["b"].ids}) == 1797
    assert parts["a"].images.shape == (1000, 64)
    assert digit_parts({"a": 5}, seed=2)["a"].ids != digit_parts({"a": 5}, seed=3)["a"].ids
    for sizes in ({"a": 0}, {"a": 1000, "b": 798}):
        with pytest.raises(RangeError):
            digit_parts(sizes, seed=0)


def test_a_row_of_low_quality_has_a_wrong_label_as_often_as_it_says():
    clean = digit_parts({"train": 1797}, seed=0)["train"]
    seeds = range(20)
    drawn = [recipe.noisy_digits(clean, 0.6, seed) for seed in seeds]
    wrong = np.concatenate([(part.labels != clean.labels).numpy() for part, _ in drawn])
    quality = np.concatenate([found for _, found in drawn])
    assert quality.min() >= 0.4
    for low in (0.4, 0.6, 0.8):
        chosen = (quality >= low) & (quality < low + 0.2)
        assert wrong[chosen].mean() == pytest.approx(1 - (low + 0.1), abs=0.02)
    assert set(torch.unique(drawn[0][0].labels).tolist()) == set(range(10))


def test_a_measurement_is_a_function_of_its_seed_and_has_every_average():
    parts = digit_parts(TINY.sizes, seed=0)
    first = recipe._measured("ascend", "constant", 0.2, 5, TINY, parts)
    again = recipe._measured("ascend", "constant", 0.2, 5, TINY, parts)
    assert {k: v for k, v in first.items() if k != "cost"} == {k: v for k, v in again.items() if k != "cost"}
    assert set(first["test"]) == set(recipe.AVERAGES)
    assert all(len(values) == TINY.sizes["test"] for values in first["test"].values())
    assert first["cost"]["steps"] == TINY.sizes["train"] // TINY.batch_size


def test_every_arm_is_one_of_three_orders_schedules_and_averages():
    assert len(recipe.ARMS) == len(recipe.ORDERS) * len(recipe.SCHEDULES) * len(recipe.AVERAGES)
    ends = {name: one.floor_ratio for name, one in recipe.SCHEDULES.items()}
    assert ends == {"constant": 1.0, "wsd": 1e-3, "moderate": pytest.approx(1 / 3)}
    assert not set(recipe.cpu(80).seeds) & set(recipe.cpu(80).selection_seeds)


@pytest.mark.parametrize(("make", "width"), [(Perceptron, 8), (ConvolutionalClassifier, 4)])
def test_a_classifier_learns_the_digits_and_training_is_a_function_of_the_seed(make, width):
    torch.set_num_threads(1)
    part = digit_parts({"train": 200}, seed=0)["train"]

    def trained(seed):
        model = fresh(make, width, seed)
        settings = LoopSettings(0.1, 20.0, 20, schedule=ScheduleSettings("none", 1.0))
        cost = train(
            {"model": model},
            part,
            lambda images, labels, _: torch.nn.functional.cross_entropy(model(images)[0], labels),
            settings,
            lambda epoch: np.random.default_rng(epoch).permutation(len(part)),
        )
        assert cost["steps"] == 200
        return model

    model, again, other = trained(0), trained(0), trained(1)
    assert float((model(part.images)[0].argmax(1) == part.labels).float().mean()) > 0.5
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    assert not torch.equal(next(model.parameters()), next(other.parameters()))
