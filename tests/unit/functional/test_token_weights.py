"""Token weights against closed forms and naive loops in float64."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from tutelage.errors import RangeError, ShapeError
from tutelage.functional.token_weights import (
    control_factor,
    dft_weights,
    importance_weights,
    random_weights,
    reliability_weights,
    vcore_weights,
)


def table(rows, width=None):
    """Rows of different lengths as a padded table (padding is NaN) and its mask."""
    width = width or max(map(len, rows))
    values = torch.full((len(rows), width), torch.nan, dtype=torch.float64)
    mask = torch.zeros(len(rows), width, dtype=torch.bool)
    for i, row in enumerate(rows):
        values[i, : len(row)] = torch.tensor(row, dtype=torch.float64)
        mask[i, : len(row)] = True
    return values, mask


rows = st.lists(st.lists(st.floats(-3, 3), min_size=1, max_size=7), min_size=1, max_size=4)


@given(rows, st.floats(0.05, 20))
def test_vcore_is_a_softmax_over_each_examples_own_tokens(found, kappa):
    values, mask = table(found)
    weights = vcore_weights(values, mask, kappa=kappa)
    for i, row in enumerate(found):
        scores = [math.exp((x - max(row)) / kappa) for x in row]
        np.testing.assert_allclose(weights[i, : len(row)], np.array(scores) / sum(scores), rtol=1e-9)
    assert torch.all(weights[~mask] == 0)
    wider = vcore_weights(*table(found, mask.shape[1] + 3), kappa=kappa)
    assert torch.equal(wider[:, : mask.shape[1]], weights)  # padding changes nothing


def test_a_large_kappa_is_uniform_and_a_small_one_takes_the_best_token():
    values, mask = table([[0.3, -0.2, 0.9], [1.0]])
    np.testing.assert_allclose(vcore_weights(values, mask, kappa=1e12)[0], 1 / 3, atol=1e-9)
    np.testing.assert_allclose(vcore_weights(values, mask, kappa=1e-4)[0], [0, 0, 1], atol=1e-9)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e4])
@pytest.mark.parametrize("budget", [0.001, 0.1, 0.5])
def test_the_budget_is_spent_exactly_as_a_root_finder_says(scale, budget):
    row = np.array([0.1, -0.4, 0.35, 0.9, 0.0])

    def softmax(tau):
        exps = np.exp(tau * (row - row.max()))
        return exps / exps.sum()

    def distance(tau):
        q = softmax(tau)
        return float((q * np.log(q * len(q))).sum())

    tau = brentq(lambda t: distance(t) - budget, 1e-9, 100)
    weights = vcore_weights(*table([list(row * scale)]), kl_budget=budget)
    np.testing.assert_allclose(weights[0], softmax(tau), rtol=1e-6)


def test_a_budget_that_cannot_be_spent_takes_the_best_tokens_alike_and_none_is_uniform():
    values, mask = table([[1.0, 1.0, 0.0, 0.0]])
    np.testing.assert_allclose(vcore_weights(values, mask, kl_budget=5.0)[0], [0.5, 0.5, 0, 0], atol=1e-6)
    np.testing.assert_allclose(vcore_weights(values, mask, kl_budget=0.0)[0], 0.25, atol=1e-4)
    same, mask = table([[2.0, 2.0, 2.0]])
    np.testing.assert_allclose(vcore_weights(same, mask, kl_budget=0.3)[0], 1 / 3, rtol=1e-9)


def test_rows_without_tokens_are_zero_and_broken_rows_uniform():
    values = torch.tensor([[1.0, 2.0], [torch.inf, 0.0], [torch.nan, 0.0]])
    mask = torch.tensor([[0, 0], [1, 1], [1, 1]])
    weights = vcore_weights(values, mask, kappa=1.0)
    assert weights.tolist() == [[0, 0], [0.5, 0.5], [0.5, 0.5]]


@pytest.mark.parametrize("settings", [{}, {"kappa": 1.0, "kl_budget": 1.0}, {"kappa": 0.0}, {"kl_budget": -1.0}])
def test_a_temperature_or_a_budget_in_range(settings):
    with pytest.raises(RangeError):
        vcore_weights(torch.zeros(1, 2), torch.ones(1, 2), **settings)
    with pytest.raises(ShapeError):
        vcore_weights(torch.zeros(1, 2), torch.ones(1, 3), kappa=1.0)


def test_the_controls_against_a_loop():
    draw = np.random.default_rng(0)
    lengths = [3, 5, 2]
    losses, utilities = ([list(draw.uniform(0, 2, n)) for n in lengths] for _ in range(2))
    values, mask = table(losses)
    gains, _ = table(utilities)
    weights = vcore_weights(gains, mask, kappa=0.2)
    q = [weights[i, :n].numpy() for i, n in enumerate(lengths)]
    uniform = sum(map(sum, losses)) / sum(lengths)
    sharp = sum(n * float(np.dot(a, b)) for n, a, b in zip(lengths, q, losses, strict=True)) / sum(lengths)
    clean = values.nan_to_num(7.0)  # what stands in the padding must not matter
    assert control_factor(clean, weights, mask) == pytest.approx(min(1.0, uniform / sharp))
    plain = np.var([np.mean(u) for u in utilities], ddof=1)
    weighted = np.var([float(np.dot(a, u)) for a, u in zip(q, utilities, strict=True)], ddof=1)
    found = control_factor(clean, weights, mask, utilities=gains.nan_to_num(7.0), control="variance")
    assert found == pytest.approx(math.sqrt(plain / weighted))
    assert control_factor(clean, weights, mask, control="none") == 1.0
    with pytest.raises(RangeError, match="needs utilities"):
        control_factor(clean, weights, mask, control="variance")


def test_the_loss_ratio_is_never_above_one():
    losses, mask = table([[0.1, 5.0]])
    low = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    assert control_factor(losses, low, mask) == 1.0
    assert control_factor(losses, 1 - low, mask) == pytest.approx(2.55 / 5.0)


def test_importance_is_one_weight_an_example_and_clipped():
    now, mask = table([[-1.0, -2.0], [-9.0]])
    before, _ = table([[-2.0, -2.0], [-1.0]])
    weights = importance_weights(now.nan_to_num(), before.nan_to_num(), mask, clip=3.0)
    np.testing.assert_allclose(weights, [[math.exp(0.5)] * 2, [1 / 3, 0.0]])
    assert torch.equal(dft_weights(now.nan_to_num(), mask)[0], torch.tensor([-1.0, -2.0]).double().exp())


def test_random_keeps_its_share_and_the_last_tokens():
    mask = torch.ones(400, 20, dtype=torch.bool)
    mask[:, 15:] = False
    weights = random_weights(mask, keep=0.2, always=3, seed=1)
    assert torch.all(weights[:, 12:15] == 1)
    assert torch.all(weights[:, 15:] == 0)
    share = float(weights[:, :12].mean())
    assert abs(share - 0.2) < 4 * math.sqrt(0.2 * 0.8 / 4800)
    assert torch.equal(weights, random_weights(mask, keep=0.2, always=3, seed=1))
    assert not torch.equal(weights, random_weights(mask, keep=0.2, always=3, seed=2))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.01, 1), st.floats(0, 0.6), st.floats(0, 1))
def test_reliability_never_rises_and_is_the_loop(row, theta, drop, base):
    overlap = torch.tensor([row], dtype=torch.float64)
    weights, effective = reliability_weights(overlap, torch.ones_like(overlap), theta=theta, w_drop=drop, w_base=base)
    bad, expected, alive = 0, [], 0
    for value in overlap[0].tolist():
        bad += value < theta
        w = min(1.0, max(0.0, 1.0 - drop * bad))
        expected.append(w + base)
        alive += w > 1e-6
    np.testing.assert_allclose(weights[0], expected, atol=1e-5)
    assert torch.all(weights[0].diff() <= 1e-6)
    assert abs(int(effective[0]) - alive) <= sum(abs(w - base) < 1e-5 for w in expected)


@pytest.mark.parametrize("settings", [{"theta": 0.0}, {"theta": 1.1}, {"w_drop": -0.1}, {"w_base": -0.1}])
def test_reliability_settings_in_range(settings):
    with pytest.raises(RangeError):
        reliability_weights(torch.ones(1, 2), torch.ones(1, 2), **settings)
