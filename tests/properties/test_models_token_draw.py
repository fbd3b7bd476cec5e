"""Drawing tokens: agrees with a naive float64 loop, ignores constants, respects every truncation."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tutelage.models.rollout import plan_groups
from tutelage.models.stepper import common_prefix
from tutelage.models.token_draw import draw_tokens
from tutelage.types import Sampling

LOGITS = hnp.arrays(np.float32, (7,), elements=st.floats(-30, 30, width=16))
UNIFORM = st.floats(0, 1, exclude_max=True)


def probabilities(logits: np.ndarray, temperature: float) -> np.ndarray:
    scaled = logits.astype(np.float64) / temperature
    weights = np.exp(scaled - scaled.max())
    return weights / weights.sum()


@settings(max_examples=60, deadline=None)
@given(LOGITS, UNIFORM, st.floats(0.3, 3), st.integers(0, 9))
def test_draw_inverts_the_cumulative_distribution(logits, u, temperature, top_k) -> None:
    logits = logits + np.arange(7, dtype=np.float32) / 64  # fewer ties: which of two equal tokens is cut is not defined
    sampling = Sampling(temperature=temperature, top_k=top_k)
    token = int(draw_tokens(torch.tensor(logits)[None], sampling, torch.tensor([u], dtype=torch.float64)))
    probs = probabilities(logits, temperature)
    if 0 < top_k < 7:
        probs[probs < np.sort(probs)[-top_k]] = 0
        probs /= probs.sum()
    assert probs[:token].sum() - 1e-5 <= u <= probs[: token + 1].sum() + 1e-5


@settings(max_examples=60, deadline=None)
@given(LOGITS, UNIFORM, st.floats(0.05, 1))
def test_a_drawn_token_lies_in_the_nucleus(logits, u, top_p) -> None:
    token = int(draw_tokens(torch.tensor(logits)[None], Sampling(top_p=top_p), torch.tensor([u], dtype=torch.float64)))
    probs = probabilities(logits, 1.0)
    assert probs[probs > probs[token] * (1 + 1e-6)].sum() < top_p + 1e-5


def test_every_token_of_the_nucleus_is_drawn_and_no_other() -> None:
    logits = torch.tensor([[0.1, 0.4, 0.2, 0.3]]).log().expand(1000, -1)
    uniforms = torch.arange(1000, dtype=torch.float64) / 1000
    drawn = draw_tokens(logits, Sampling(top_p=0.69), uniforms)
    counts = torch.bincount(drawn, minlength=4).tolist()
    assert counts[0] == counts[2] == 0
    assert abs(counts[1] - 1000 * 0.4 / 0.7) <= 1


@settings(max_examples=40, deadline=None)
@given(LOGITS, UNIFORM, st.integers(-5, 5))
def test_a_constant_added_to_the_logits_changes_nothing(logits, u, constant) -> None:
    uniforms = torch.tensor([u], dtype=torch.float64)
    moved = torch.tensor(logits + np.float32(constant))[None]
    first = draw_tokens(torch.tensor(logits)[None], Sampling(), uniforms)
    assert torch.equal(first, draw_tokens(moved, Sampling(), uniforms))


@settings(max_examples=40, deadline=None)
@given(LOGITS, UNIFORM)
def test_top_1_and_tiny_top_p_and_zero_temperature_are_greedy(logits, u) -> None:
    logits = logits + np.arange(7, dtype=np.float32) / 64
    uniforms = torch.tensor([u], dtype=torch.float64)
    for sampling in (Sampling(temperature=0), Sampling(top_k=1), Sampling(top_p=1e-6)):
        assert int(draw_tokens(torch.tensor(logits)[None], sampling, uniforms)) == int(logits.argmax())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 100), st.integers(1, 9))
def test_groups_hold_each_row_once_within_the_limits(lengths, budget, rows) -> None:
    groups = plan_groups(lengths, budget=budget, rows=rows)
    assert sorted(i for group in groups for i in group) == list(range(len(lengths)))
    for group in groups:
        assert len(group) <= rows
        assert len(group) == 1 or len(group) * max(lengths[i] for i in group) <= budget


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 2), max_size=6), min_size=1, max_size=6))
def test_common_prefix_is_the_longest(rows) -> None:
    length = common_prefix(rows)
    assert all(row[:length] == rows[0][:length] and len(row) >= length for row in rows)
    assert length == min(map(len, rows)) or len({row[length] for row in rows}) > 1
