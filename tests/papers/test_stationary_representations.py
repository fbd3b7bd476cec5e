"""The laboratory of the simplex recipe: what may not overlap, what must be the same, and what the controls are."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from tutelage.errors import RangeError
from tutelage.papers.lab.digits import split_digits
from tutelage.papers.lab.digits_versions import VersionPlan, VersionSettings, class_orders, train_versions
from tutelage.papers.recipes import stationary_representations as recipe

TINY = VersionSettings(classes=(4, 10), epochs=1, batch_size=256)


@pytest.fixture(scope="module")
def split():
    torch.set_num_threads(1)
    return split_digits(200, 197)


def test_no_image_is_in_two_parts_of_the_split(split):
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    parts = [split.train, split.gallery, split.query]
    assert [len(images) for images, _ in parts] == [1400, 200, 197]
    rows = np.vstack([np.column_stack([images.numpy() * 16, classes.numpy()]) for images, classes in parts])
    expected = np.column_stack([pixels, labels])
    assert sorted(map(tuple, rows)) == sorted(map(tuple, expected))
    places = [int(name.removeprefix("digit-")) for name in split.query_ids]
    assert np.array_equal(pixels[places], split.query[0].numpy() * 16)
    assert np.array_equal(labels[places], split.query[1].numpy())
    with pytest.raises(RangeError):
        split_digits(900, 900)


def test_versions_know_growing_sets_of_classes_drawn_by_the_seed(split):
    orders = class_orders(VersionSettings(), 100)
    assert [len(known) for known in orders] == [4, 6, 8, 10]
    assert all(set(first) < set(second) for first, second in pairwise(orders))
    assert class_orders(VersionSettings(), 101) != orders
    assert set(split.training(orders[0])[1].tolist()) == set(orders[0])


def test_arms_start_and_see_the_same_and_fixed_directions_stay(split):
    trained = {arm: train_versions(recipe.ARMS[arm], split, TINY, 3)[0] for arm in recipe.ARMS}
    corners = trained["simplex"][0].classifier.prototypes
    for arm in ("simplex", "simplex_hoc", "simplex_longer", "hoc_untrained"):
        assert all(torch.equal(one.directions, corners) for one in trained[arm])
    first, second = trained["random_directions"]
    assert torch.equal(first.directions, second.directions)
    assert not torch.equal(first.directions, corners)
    learnt, again = trained["learnable"]
    assert not torch.equal(learnt.directions, again.directions)
    assert not first.directions.requires_grad
    # until there is a previous model, HOC is the plain simplex
    for one, other in zip(trained["simplex"][0].parameters(), trained["simplex_hoc"][0].parameters(), strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(trained["simplex"][1].body[0].weight, trained["simplex_hoc"][1].body[0].weight)
    assert not torch.equal(trained["hoc_untrained"][1].body[0].weight, trained["simplex_hoc"][1].body[0].weight)


def test_more_effort_is_more_steps_and_is_counted(split):
    plain = train_versions(VersionPlan(), split, replace(TINY, epochs=2), 0)[1]
    longer = train_versions(VersionPlan(effort=1.5), split, replace(TINY, epochs=2), 0)[1]
    assert longer["steps"] == 1.5 * plain["steps"]
    assert plain["rows_trained"] == 2 * sum(len(split.training(known)[0]) for known in class_orders(TINY, 0))


def test_doing_nothing_gains_nothing_and_ac_is_counted_over_the_same_pairs(tmp_path):
    config = replace(recipe.smoke(2), versions=TINY)
    found = recipe.run(config, tmp_path)
    unchanged = found["arms"]["unchanged"]
    assert unchanged["gain"] == {"mean": 0.0, "lowest_seed": 0.0, "highest_seed": 0.0}
    assert unchanged["compatible"]["mean"] == 0.0
    assert unchanged["average_accuracy"] == unchanged["final_accuracy"]
    arms = found["arms"]
    difference = arms["simplex_hoc"]["compatible"]["mean"] - arms["learnable"]["compatible"]["mean"]
    assert arms["simplex_hoc"]["ac_above_learnable"]["mean"] == pytest.approx(difference)
    assert set(found["controls"]) == set(recipe.CONTROLS)
