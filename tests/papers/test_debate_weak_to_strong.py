"""The recipe on debate and the sparse-pixel game that it plays."""

import numpy as np
import pytest
import torch

from tutelage.errors import RangeError, ShapeError
from tutelage.papers.lab.pixel_debate import PixelJudge, pixel_claims, play, random_masks, side_that_starts
from tutelage.papers.recipes import debate_weak_to_strong as recipe
from tutelage.training.labelled_items import Items
from tutelage.training.probes import ProbeSettings


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    torch.set_num_threads(1)
    return recipe.run(recipe.smoke(2), tmp_path_factory.mktemp("debate"))


@pytest.fixture(scope="module")
def game():
    draw = np.random.default_rng(0)
    items = Items(tuple("abcdefghij"), draw.random((10, 64)).astype(np.float32), np.arange(10))
    judge = PixelJudge(ProbeSettings(hidden=(8,), epochs=2, standardise=False), pixels=4, copies=5).fit(items)
    claims = np.stack([np.arange(10), (np.arange(10) + 3) % 10], 1)
    return judge, items.inputs, claims


def test_order_tells_nothing_and_is_told(found):
    assert found["arms"]["order"]["accuracy"]["mean"] == pytest.approx(found["checks"]["truth is argued first"])
    truth = np.arange(4000) % 10
    strong = np.random.default_rng(1).random((4000, 10))
    claims = pixel_claims(truth, strong, seed=5)
    first = side_that_starts(4000, seed=5)
    true_side = (claims[:, 1] == truth).astype(int)
    assert ((claims == truth[:, None]).sum(1) == 1).all()
    for share in (true_side.mean(), first.mean(), (first == true_side).mean()):
        assert abs(share - 0.5) < 0.032  # four standard errors


def test_the_wrong_claim_is_what_the_strong_classifier_likes_best_beside_the_truth():
    strong = np.full((2, 10), 0.05)
    strong[:, 3], strong[:, 7] = 0.4, 0.2
    assert sorted(pixel_claims(np.array([3, 1]), strong, seed=0)[0].tolist()) == [3, 7]
    assert sorted(pixel_claims(np.array([3, 1]), strong, seed=0)[1].tolist()) == [1, 3]


def test_each_turn_takes_the_best_hidden_pixel_of_its_side(game):
    judge, images, claims = game
    sides = [np.zeros(10, int), np.ones(10, int), np.zeros(10, int)]
    masks = play(judge, images, claims, sides)
    assert (masks.sum(1) == 3).all()
    for row in range(10):
        mask = np.zeros(64)
        for side in (0, 1, 0):
            best, place = -np.inf, -1
            for pixel in np.flatnonzero(mask == 0):
                tried = mask.copy()
                tried[pixel] = 1
                share = judge.between(images[[row]], tried[None], claims[[row]])[0]
                odds = np.log(share[side]) - np.log(share[1 - side])
                if odds > best:
                    best, place = odds, pixel
            mask[place] = 1
        assert mask.tolist() == masks[row].tolist()


def test_a_market_reveals_for_the_claim_that_is_believed_less(game):
    judge, images, claims = game
    masks = play(judge, images, claims, [np.ones(10, int), None, None, None])
    taken = []
    for row in range(10):
        mask, sides = np.zeros(64), []
        for turn in range(4):
            now = judge.between(images[[row]], mask[None], claims[[row]])[0]
            side = 1 if turn == 0 or now[1] < now[0] else 0
            tries = np.flatnonzero(mask == 0)
            shown = np.maximum(mask, np.eye(64)[tries])
            shares = judge.between(
                np.repeat(images[[row]], len(tries), 0), shown, np.repeat(claims[[row]], len(tries), 0)
            )
            mask[tries[shares[:, side].argmax()]] = 1
            sides.append(side)
        assert mask.tolist() == masks[row].tolist()
        taken.append(tuple(sides))
    assert len(set(taken)) > 1  # not every judge is moved alike


def test_debaters_do_not_see_the_truth(game):
    judge, images, claims = game
    sides = [np.zeros(10, int), np.ones(10, int)]
    swapped = play(judge, images, claims[:, ::-1], [1 - side for side in sides])
    assert play(judge, images, claims, sides).tolist() == swapped.tolist()


def test_a_judge_sees_what_is_revealed_and_no_more(game):
    judge, images, claims = game
    masks = random_masks(10, 4, seed=1)
    other = np.where(masks > 0, images, 1 - images)
    np.testing.assert_allclose(judge.between(images, masks, claims), judge.between(other, masks, claims))
    np.testing.assert_allclose(judge.between(images, masks, claims).sum(1), 1)


def test_drawn_pixels_follow_the_softmax_of_log_odds(game):
    judge, images, claims = game
    count, temperature = 4000, 0.1
    masks = play(
        judge,
        np.repeat(images[:1], count, 0),
        np.repeat(claims[:1], count, 0),
        [np.zeros(count, int)],
        temperature=temperature,
        seed=3,
    )
    shares = judge.between(np.repeat(images[:1], 64, 0), np.eye(64), np.repeat(claims[:1], 64, 0))
    odds = (np.log(shares[:, 0]) - np.log(shares[:, 1])) / temperature
    wanted = np.exp(odds - odds.max()) / np.exp(odds - odds.max()).sum()
    np.testing.assert_allclose(masks.mean(0), wanted, atol=4 * 0.5 / np.sqrt(count))
    assert not np.allclose(wanted, 1 / 64, atol=0.005)


def test_what_cannot_be_played(game):
    judge, images, claims = game
    with pytest.raises(RangeError, match="0 turns"):
        play(judge, images, claims, [])
    with pytest.raises(RangeError, match="temperature"):
        play(judge, images, claims, [np.zeros(10, int)], temperature=-1.0)
    with pytest.raises(ShapeError):
        play(judge, images, claims[:4], [np.zeros(10, int)])
    with pytest.raises(RangeError, match="65 pixels"):
        random_masks(2, 65, seed=0)


def test_students_and_labels_are_reported(found):
    for arm in recipe.TAUGHT:
        assert 0 <= found["arms"][arm]["student_accuracy"] <= 1
    assert all(0 <= one["macro_f1"] <= 1 for one in found["arms"].values())
