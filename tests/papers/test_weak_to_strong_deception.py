"""The recipe on deception, and the pairs and reward models of digits that it stands on."""

import json

import numpy as np
import pytest
import torch

from tutelage.errors import RangeError, ShapeError
from tutelage.papers.catalogue import entry
from tutelage.papers.lab.digit_classifiers import digit_parts
from tutelage.papers.lab.digit_rewards import DigitReward, Labelled, RewardSettings, digit_pairs
from tutelage.papers.recipes import weak_to_strong_deception as recipe


def pixels(images):
    return images


@pytest.fixture(scope="module")
def parts():
    torch.set_num_threads(1)
    return digit_parts({"train": 400, "test": 400}, seed=3)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    torch.set_num_threads(1)
    place = tmp_path_factory.mktemp("deception")
    found = recipe.run(recipe.smoke(2), place)
    stored = {path.stem: json.loads(path.read_text())["value"] for path in (place / "results").iterdir()}
    return found, stored


def test_pairs_are_labelled_by_digit_and_by_ink(parts):
    part = parts["train"]
    pairs = digit_pairs(part, 300, seed=1)
    digits = {tuple(image.tolist()): int(label) for image, label in zip(part.images, part.labels, strict=True)}
    for a, b, larger, inkier in zip(pairs.first, pairs.second, pairs.larger, pairs.inkier, strict=True):
        one, two = digits[tuple(a.tolist())], digits[tuple(b.tolist())]
        assert one != two
        assert float(larger) == (one > two)
        assert float(inkier) == (sum(a.tolist()) > sum(b.tolist()))
    assert 0.4 < float((pairs.larger == pairs.inkier).float().mean()) < 0.6
    assert digit_pairs(part, 300, seed=1).first.equal(pairs.first)
    assert not digit_pairs(part, 300, seed=2).first.equal(pairs.first)


def test_bad_pairs_and_settings_are_refused(parts):
    with pytest.raises(RangeError):
        digit_pairs(parts["train"], 0, seed=0)
    with pytest.raises(ShapeError):
        Labelled(digit_pairs(parts["train"], 4, seed=0), torch.ones(3))
    for bad in ({"epochs": 0}, {"weight_decay": -1.0}, {"hidden": (0,)}):
        with pytest.raises(RangeError):
            RewardSettings(**bad)


def test_a_reward_learns_the_goal_of_its_labels_and_the_conflicts_pull_it_off(parts):
    train, extra = (digit_pairs(parts["train"], 1000, seed=seed) for seed in (1, 2))
    test = digit_pairs(parts["test"], 1000, seed=3)
    settings = RewardSettings(hidden=(32,), epochs=6, learning_rate=0.005)

    def fitted(labels, *args, **how):
        return DigitReward(pixels, settings, seed=5).fit(Labelled(train, labels), *args, **how)

    plain, ink = fitted(train.larger), fitted(train.inkier)
    margin = ink.margin(test)
    assert plain.right(test).mean() > 0.8
    assert float(((margin > 0) == (test.inkier == 1)).float().mean()) > 0.9
    assert fitted(train.larger, Labelled(extra, extra.inkier)).right(test).mean() < plain.right(test).mean() - 0.03
    unsure = torch.full((len(train),), 0.5)
    assert fitted(unsure, mode="explicit", alpha=2.0).right(test).mean() < 0.4
    sign = np.where(test.larger.numpy() == 1, 1, -1)
    np.testing.assert_allclose(ink.confidence(test), (1 + np.tanh(sign * margin.numpy() / 2)) / 2, atol=1e-12)
    assert fitted(train.larger).margin(test).equal(plain.margin(test))


def test_pairs_mixed_in_leave_the_order_of_the_others(parts, monkeypatch):
    train, extra = (digit_pairs(parts["train"], 90, seed=seed) for seed in (1, 2))
    seen = {}
    for name, more in (("without", None), ("with", Labelled(extra, extra.inkier))):
        orders = seen.setdefault(name, [])
        draw = DigitReward._order

        def noted(self, count, epoch, number, orders=orders, draw=draw):
            found = draw(self, count, epoch, number)
            if number == 0:
                orders.append(found.tolist())
            return found

        with monkeypatch.context() as patch:
            patch.setattr(DigitReward, "_order", noted)
            DigitReward(pixels, RewardSettings(epochs=2), seed=5).fit(Labelled(train, train.larger), more)
    assert seen["with"] == seen["without"]
    assert seen["with"][0] != seen["with"][1]


def test_the_excess_is_the_score_less_chance_and_the_means_are_those_of_the_sizes(run):
    found, stored = run
    for arm, row in found["arms"].items():
        if "chance" in row and "score" in row:
            assert row["excess"]["mean"] == pytest.approx(row["score"]["mean"] - row["chance"]["mean"]), arm
    for kind in ("implicit", "chain"):
        each = [row["students"][kind]["tax"] for row in stored.values()]
        assert len(each) == 2 * len(recipe.WEAK)
        assert found["arms"][kind]["tax"]["mean"] == pytest.approx(sum(each) / len(each))


def test_as_many_pairs_as_the_conflict_costs_are_flipped_where_the_margin_is_smallest(run):
    base, student = np.array([1.0, 1, 0, 1, 1, 1]), np.array([0.0, 1, 0, 0, 1, 1])
    found = recipe._nearest(base, student, np.array([3.0, -0.2, 0.1, 2.0, -0.3, 5.0]))
    assert found.tolist() == [1, 0, 0, 1, 0, 1]
    for row in run[1].values():
        margin, implicit = (row["students"][kind] for kind in ("margin", "implicit"))
        for name in ("tax items", "tax", "chance"):
            assert margin[name] == implicit[name], name


def test_the_trend_is_a_correlation_of_ranks():
    gaps, scores = [0.3, 0.1, 0.2, 0.6], [5.0, 1.0, 7.0, 9.0]
    ranks = [np.argsort(np.argsort(one)) for one in (gaps, scores)]
    assert recipe._spearman(gaps, scores) == pytest.approx(np.corrcoef(*ranks)[0, 1])
    assert recipe._spearman(gaps, [1.0] * 4) == 0.0
    assert recipe._spearman(gaps, [1.0, None, 2.0, 3.0]) is None
    assert recipe._mean([1.0, None]) is None


def test_the_catalogue_states_the_paper_s_claims():
    assert list(entry("weak-to-strong-deception").claims) == [claim.statement for claim in recipe.CLAIMS[:4]]
