"""Adapters: off means the base model bit for bit; taking one off leaves no trace."""

from __future__ import annotations

import pytest
import torch

from tutelage.errors import ConfigError, ModelError
from tutelage.models import LoadedModel, LoraSettings, adapter_off, attach_lora, detach, load
from tutelage.models.adapter import adapter_hash

IDS = torch.tensor([[1, 5, 9, 200, 300, 7]])


def logits(loaded: LoadedModel) -> torch.Tensor:
    with torch.no_grad():
        return loaded.model(input_ids=IDS).logits


def disturb(loaded: LoadedModel) -> None:
    """Give B other values than zero, as training would."""
    generator = torch.Generator().manual_seed(0)
    for name, parameter in loaded.model.named_parameters():
        if "lora_B" in name:
            parameter.data.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)


def names_with_adapter(loaded: LoadedModel) -> set[str]:
    return {
        name.split("base_model.model.model.")[1].split(".lora_A")[0]
        for name, _ in loaded.model.named_parameters()
        if "lora_A" in name
    }


def test_a_new_adapter_changes_nothing_and_trains_only_itself(tiny: LoadedModel) -> None:
    before = logits(tiny)
    tuned = attach_lora(tiny, LoraSettings(rank=4))
    assert torch.equal(logits(tuned), before)
    assert {"lora" in name for name, p in tuned.model.named_parameters() if p.requires_grad} == {True}


def test_adapter_off_equals_a_separate_base_model_bitwise(tiny: LoadedModel, tiny_model_dir) -> None:
    separate = load(str(tiny_model_dir), dtype="float32", device="cpu")
    tuned = attach_lora(tiny, LoraSettings(rank=4))
    disturb(tuned)
    tuned_logits = logits(tuned)
    with adapter_off(tuned.model):
        assert torch.equal(logits(tuned), logits(separate))
        assert adapter_hash(tuned.model) == ""
    assert not torch.allclose(tuned_logits, logits(separate))
    assert torch.equal(logits(tuned), tuned_logits)


def test_adapter_off_restores_what_needs_a_gradient_even_after_an_error(tiny: LoadedModel) -> None:
    tuned = attach_lora(tiny, LoraSettings(rank=4))
    first = next(p for name, p in tuned.model.named_parameters() if "lora_A" in name)
    first.requires_grad_(False)
    before = [p.requires_grad for p in tuned.model.parameters()]
    with pytest.raises(KeyError), adapter_off(tuned.model):
        raise KeyError
    assert [p.requires_grad for p in tuned.model.parameters()] == before


def test_switching_off_inside_a_step_leaves_the_gradient_alone(tiny: LoadedModel) -> None:
    tuned = attach_lora(tiny, LoraSettings(rank=4))
    disturb(tuned)

    def gradients(*, look_away: bool) -> list[torch.Tensor]:
        tuned.model.zero_grad()
        loss = tuned.model(input_ids=IDS).logits.logsumexp(-1).sum()
        if look_away:
            with torch.no_grad(), adapter_off(tuned.model):
                tuned.model(input_ids=IDS)
        loss.backward()
        return [p.grad.clone() for p in tuned.model.parameters() if p.grad is not None]

    plain, looked = gradients(look_away=False), gradients(look_away=True)
    assert len(plain) == len(looked) > 0
    assert all(torch.equal(a, b) for a, b in zip(plain, looked, strict=True))


def test_detach_brings_the_base_back_bitwise_and_allows_the_next(tiny: LoadedModel) -> None:
    before = {name: tensor.clone() for name, tensor in tiny.model.state_dict().items()}
    for seed in (0, 1):
        tuned = attach_lora(tiny, LoraSettings(rank=4), seed=seed)
        disturb(tuned)
        base = detach(tuned)
        assert base.model is tiny.model
        after = base.model.state_dict()
        assert after.keys() == before.keys()
        assert all(torch.equal(after[name], before[name]) for name in before)
    with pytest.raises(ModelError):
        detach(tiny)


def test_the_seed_decides_the_start_and_the_global_generator_is_left_alone(tiny: LoadedModel) -> None:
    hashes = []
    for seed in (0, 0, 1):
        torch.manual_seed(5)
        tuned = attach_lora(tiny, LoraSettings(rank=4), seed=seed)
        assert torch.initial_seed() == 5
        hashes.append(adapter_hash(tuned.model))
        detach(tuned)
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (LoraSettings(targets=["q_proj"]), {"layers.0.self_attn.q_proj", "layers.1.self_attn.q_proj"}),
        (LoraSettings(targets="up_proj", layers=[0]), {"layers.0.mlp.up_proj"}),
        (
            LoraSettings(targets=["q_proj", "v_proj"], layers="last-third"),
            {"layers.1.self_attn.q_proj", "layers.1.self_attn.v_proj"},
        ),
    ],
)
def test_targets_and_layers(tiny: LoadedModel, settings: LoraSettings, expected: set[str]) -> None:
    assert names_with_adapter(attach_lora(tiny, settings)) == expected


def test_all_linear_is_every_linear_layer_but_the_output(tiny: LoadedModel) -> None:
    assert len(names_with_adapter(attach_lora(tiny, LoraSettings()))) == 2 * 7
    detach_me = attach_lora(load(str(tiny.folder)), LoraSettings(layers=[1]))
    assert len(names_with_adapter(detach_me)) == 7


def test_impossible_adapters_are_refused(tiny: LoadedModel) -> None:
    for wrong in (
        {"rank": 0},
        {"dropout": 1.0},
        {"alpha": 0},
        {"layers": "first-half"},
        {"targets": []},
        {"layers": []},
    ):
        with pytest.raises(ConfigError):
            LoraSettings(**wrong)
    with pytest.raises(ModelError, match="no linear layer is called 'query'"):
        attach_lora(tiny, LoraSettings(targets=["query"]))
    with pytest.raises(ConfigError, match="blocks 0 to 1"):
        attach_lora(tiny, LoraSettings(layers=[2]))
    with pytest.raises(ModelError), adapter_off(tiny.model):
        pass
    tuned = attach_lora(tiny)
    with pytest.raises(ModelError, match="already"):
        attach_lora(tuned)
