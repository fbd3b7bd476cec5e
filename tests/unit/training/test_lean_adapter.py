"""The short forward of LoRA layers against PEFT's own."""

import pytest
import torch

from tutelage.models.adapter import LoraSettings, adapter_off, attach_lora
from tutelage.training.lean_adapter import lean_adapters

IDS = torch.arange(3, 15).view(2, 6)


@pytest.fixture
def adapted(tiny):
    model = attach_lora(tiny, LoraSettings(rank=4, alpha=12, dropout=0.3)).model
    draw = torch.Generator().manual_seed(0)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(0.0, 0.1, generator=draw)
    return model.eval()


def logits(model):
    with torch.no_grad():
        return model(input_ids=IDS).logits


def test_the_same_logits_up_to_rounding(adapted):
    expected = logits(adapted)
    with adapter_off(adapted):
        assert not torch.allclose(expected, logits(adapted), atol=1e-2)
    with lean_adapters(adapted):
        assert sum("forward" in vars(module) for module in adapted.modules()) > 0
        torch.testing.assert_close(logits(adapted), expected, rtol=1e-4, atol=1e-5)
    assert torch.equal(logits(adapted), expected)


def test_adapters_that_are_off_merged_or_of_another_kind_are_left_alone(adapted):
    with adapter_off(adapted), lean_adapters(adapted):
        assert not any("forward" in vars(module) for module in adapted.modules())
    adapted.merge_adapter()
    with lean_adapters(adapted):
        assert not any("forward" in vars(module) for module in adapted.modules())
    adapted.unmerge_adapter()


def test_layers_are_restored_when_the_work_fails(adapted):
    with pytest.raises(RuntimeError), lean_adapters(adapted):
        raise RuntimeError
    assert not any("forward" in vars(module) for module in adapted.modules())
    hidden = adapted(input_ids=IDS).logits
    assert hidden.requires_grad


def test_a_model_without_an_adapter_is_untouched(tiny):
    with lean_adapters(tiny.model):
        assert not any("forward" in vars(module) for module in tiny.model.modules())
