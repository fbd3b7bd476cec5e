"""The decode loop: distribution, independence of rows, stopping, modes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from tutelage.errors import NumericalError, RangeError, ShapeError
from tutelage.models import LoadedModel, LoraSettings, adapter_off, attach_lora
from tutelage.models.key_value_cache import RowCache
from tutelage.models.rollout import cut_at_stop, evaluating, sample
from tutelage.models.skinny_product import skinny_products
from tutelage.models.token_draw import draw_tokens, uniform_stream
from tutelage.seeds import derive
from tutelage.types import Sampling

PROMPTS = [[1, 9, 30 + i, *range(40, 40 + 3 * (i % 5))] for i in range(12)]
SEEDS = [derive(0, i) for i in range(12)]
FREE = Sampling(max_new_tokens=12)


def rollouts(loaded: LoadedModel, prompts=PROMPTS, sampling=FREE, seeds=SEEDS, stops=(2,)):
    return sample(loaded.model, loaded.tokenizer, prompts, sampling, seeds, stops)


def test_a_row_depends_on_its_own_seed_and_prompt_only(tiny: LoadedModel) -> None:
    together = rollouts(tiny)
    order = [7, 3, 11, 0]
    some = rollouts(tiny, [PROMPTS[i] for i in order], seeds=[SEEDS[i] for i in order])
    assert some == [together[i] for i in order]
    assert rollouts(tiny, seeds=[s + 1 for s in SEEDS]) != together


def test_rows_that_end_early_do_not_disturb_the_rest(tiny: LoadedModel) -> None:
    free = rollouts(tiny, stops=())
    assert all(len(r.token_ids) == 12 and not r.finished for r in free)
    stops = {free[0].token_ids[2], free[5].token_ids[0], free[9].token_ids[6], free[9].token_ids[11]}
    for whole, cut in zip(free, rollouts(tiny, stops=stops), strict=True):
        first = next((i for i, token in enumerate(whole.token_ids) if token in stops), None)
        assert cut.token_ids == (whole.token_ids if first is None else whole.token_ids[: first + 1])
        assert cut.finished == (first is not None)


def test_the_same_prompt_many_times_is_read_once_and_drawn_apart(tiny: LoadedModel) -> None:
    many = rollouts(tiny, [PROMPTS[4]] * 12)
    assert len({r.token_ids for r in many}) == 12
    assert many[3] == rollouts(tiny, [PROMPTS[4]], seeds=[SEEDS[3]])[0]


def test_first_tokens_follow_the_models_distribution(tiny: LoadedModel) -> None:
    n = 4000
    sampling = Sampling(max_new_tokens=1, temperature=1.5)
    with torch.no_grad():
        expected = (tiny.model(torch.tensor([PROMPTS[0]])).logits[0, -1].double() / 1.5).softmax(-1).numpy()
    uniforms = torch.stack([uniform_stream(derive(1, i), 1) for i in range(n)])[:, 0]
    with torch.no_grad():
        logits = tiny.model(torch.tensor([PROMPTS[0]])).logits[:, -1].expand(n, -1)
    drawn = draw_tokens(logits, sampling, uniforms).numpy()
    assert rollouts(tiny, [PROMPTS[0]], sampling, [derive(1, 0)])[0].token_ids == (drawn[0],)
    likely = np.flatnonzero(expected * n >= 5)
    counts = np.append(np.bincount(drawn, minlength=len(expected))[likely], 0)
    counts[-1] = n - counts.sum()
    probs = np.append(expected[likely], 1 - expected[likely].sum())
    assert stats.chisquare(counts, probs * n).pvalue > 1e-3


def test_nothing_is_taken_from_the_generation_config(tiny: LoadedModel) -> None:
    before = rollouts(tiny)
    settings = tiny.model.generation_config
    settings.do_sample, settings.top_k, settings.top_p, settings.temperature = False, 1, 0.01, 0.01
    settings.repetition_penalty, settings.max_length = 5.0, 3
    assert rollouts(tiny) == before


def test_adapter_on_and_off(tiny: LoadedModel) -> None:
    base = rollouts(tiny)
    tuned = attach_lora(tiny, LoraSettings(rank=4))
    for name, parameter in tuned.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(3))
    assert rollouts(tuned) != base
    with adapter_off(tuned.model):
        assert rollouts(tuned) == base


def test_modes_gradients_and_layers_are_as_before(tiny: LoadedModel) -> None:
    tiny.model.train()
    tiny.model.model.layers[0].eval()
    modes = [m.training for m in tiny.model.modules()]
    rollouts(tiny)
    assert [m.training for m in tiny.model.modules()] == modes
    assert not any("forward" in vars(m) for m in tiny.model.modules())
    assert torch.is_grad_enabled()
    with pytest.raises(KeyError), evaluating(tiny.model), skinny_products(tiny.model):
        raise KeyError
    assert [m.training for m in tiny.model.modules()] == modes
    assert not any("forward" in vars(m) for m in tiny.model.modules())


def test_stop_strings_end_a_row_and_are_cut_from_the_text(tiny: LoadedModel) -> None:
    free = rollouts(tiny, stops=())[0]
    text = tiny.tokenizer.decode(free.token_ids)
    stop = text[5:8]
    [cut] = rollouts(tiny, PROMPTS[:1], Sampling(max_new_tokens=12, stop=("never there", stop)), SEEDS[:1], ())
    assert cut.finished
    assert cut.token_ids == free.token_ids[: len(cut.token_ids)]
    assert stop in tiny.tokenizer.decode(cut.token_ids)
    assert stop not in tiny.tokenizer.decode(cut.token_ids[:-1])
    assert cut_at_stop(tiny.tokenizer.decode(cut.token_ids), (stop,)) == text[: text.index(stop)]


def test_groups_are_reported_as_they_are_done(tiny: LoadedModel) -> None:
    seen: list[int] = []
    sample(tiny.model, tiny.tokenizer, PROMPTS * 4, FREE, SEEDS * 4, (2,), on_group=lambda rows, _: seen.extend(rows))
    assert sorted(seen) == list(range(48))


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_new_tokens": 0},
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"top_k": -1},
        {"stop": ("",)},
    ],
)
def test_impossible_settings_are_refused(tiny: LoadedModel, wrong: dict[str, object]) -> None:
    with pytest.raises(RangeError):
        rollouts(tiny, sampling=Sampling(**wrong))


def test_mismatched_input_is_refused(tiny: LoadedModel) -> None:
    with pytest.raises(ShapeError):
        rollouts(tiny, seeds=SEEDS[:3])
    with pytest.raises(ShapeError, match="prompt 1"):
        rollouts(tiny, [[1], []], seeds=[0, 1])
    assert rollouts(tiny, [], seeds=[]) == []


def test_a_broken_model_is_named_as_such(tiny: LoadedModel) -> None:
    tiny.model.model.norm.weight.data[0] = float("nan")
    with pytest.raises(NumericalError):
        rollouts(tiny)


def test_row_cache_drops_copies_and_grows() -> None:
    cache = RowCache(2)
    states = torch.arange(5.0)[:, None, None, None].expand(5, 1, 3, 2) + torch.arange(3.0)[:, None] / 10
    cache.update(states, -states, 0)
    assert cache.drop([0, 3]) == [4, 1, 2]
    assert torch.equal(cache.layers[0].keys, states[[4, 1, 2]])
    more = torch.full((3, 1, 2, 2), 9.0)
    keys, values = cache.update(more, -more, 0)
    assert torch.equal(keys, torch.cat([states[[4, 1, 2]], more], dim=2))
    assert torch.equal(values, -keys)
    copy = cache.taken(torch.tensor([1, 1, 0]), extra=4)
    assert torch.equal(copy.layers[0].keys, keys[[1, 1, 0]])
    copy.update(more, more, 0)
    assert cache.get_seq_length() == 5
    assert copy.get_seq_length() == 7


@pytest.mark.parametrize("rows", [1, 2, 5, 16, 17])
def test_skinny_products_are_the_same_products(rows: int) -> None:
    layer = torch.nn.Linear(40, 70)
    states = torch.randn(rows, 1, 40)
    with torch.no_grad():
        expected = layer(states)
        with skinny_products(layer):
            found = layer(states)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert found.shape == (rows, 1, 70)
