"""LoRA adapters: attach one, speak without it, take it off again."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from tutelage.errors import ConfigError, ModelError
from tutelage.models.loading import LoadedModel
from tutelage.seeds import derive

__all__ = ["LoraSettings", "adapter_hash", "adapter_off", "attach_lora", "detach", "has_adapter"]

Layers = Literal["all", "last-third"] | Sequence[int]


@dataclass(frozen=True)
class LoraSettings:
    """A low-rank adapter: W x + (alpha / rank) B A x, with B zero at the start.

    ``targets`` names linear layers by the last part of their name (``"q_proj"``), or is ``"all-linear"``: all but the
    output layer. ``layers`` are block numbers from 0, ``"all"``, or ``"last-third"``: the last third, rounded up.
    """

    rank: int = 16
    alpha: float = 32
    dropout: float = 0.0
    targets: str | Sequence[str] = "all-linear"
    layers: Layers | str = "all"

    def __post_init__(self) -> None:
        problem = None
        if self.rank < 1 or self.alpha <= 0:
            problem = "rank and alpha must be positive"
        elif not 0 <= self.dropout < 1:
            problem = "dropout must lie in [0, 1)"
        elif isinstance(self.layers, str) and self.layers not in ("all", "last-third"):
            problem = f"layers must be 'all', 'last-third' or block numbers, not {self.layers!r}"
        elif not self.targets or (not isinstance(self.layers, str) and not list(self.layers)):
            problem = "at least one target and one layer are needed"
        if problem:
            raise ConfigError(problem, where="lora", hint="the defaults suit most models")


def attach_lora(loaded: LoadedModel, settings: LoraSettings | None = None, *, seed: int = 0) -> LoadedModel:
    """Put a new adapter on a model; its own weights are frozen and never written.

    Right after this the adapter changes nothing, because B is zero.

    Args:
        loaded: a model without an adapter; it is changed in place until :func:`detach`.
        settings: size and place of the adapter.
        seed: for the random start of A.

    Returns:
        The model with the adapter, trainable parameters being the adapter's only.

    Raises:
        ModelError: it has an adapter already, or no layer of the names asked for.
        ConfigError: a block number that the model does not have.
    """
    settings = settings or LoraSettings()
    if has_adapter(loaded.model):
        raise ModelError(
            "the model has an adapter already", where=loaded.name, hint="detach it, or merge it and reload"
        )
    linears = _linear_layers(loaded.model)
    targets: str | list[str] = settings.targets if isinstance(settings.targets, str) else list(settings.targets)
    if isinstance(targets, str) and targets != "all-linear":
        targets = [targets]
    unknown = sorted(set(targets) - set(linears)) if isinstance(targets, list) else []
    if unknown:
        names = ", ".join(sorted(linears)) or "none"
        raise ModelError(f"no linear layer is called {unknown[0]!r}", where=loaded.name, hint=f"there are: {names}")
    blocks = _blocks(loaded.model, settings.layers)
    if blocks is not None and isinstance(targets, str):
        targets = sorted(linears)
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,  # type: ignore[arg-type] # PEFT divides by the rank, any number will do
        lora_dropout=settings.dropout,
        target_modules=targets,
        layers_to_transform=blocks,
        task_type="CAUSAL_LM",
        bias="none",
    )
    devices = [loaded.model.device] if loaded.model.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(derive(seed, "lora"))
        try:
            model: Any = get_peft_model(loaded.model, config)
        except ValueError as error:
            raise ModelError(f"PEFT cannot put the adapter there: {error}", where=loaded.name) from error
    note = f"LoRA rank {settings.rank}, alpha {settings.alpha:g}"
    return dataclasses.replace(loaded, model=model.eval(), notes=(*loaded.notes, note))


def has_adapter(model: object) -> bool:
    """Whether the model is one that PEFT wraps."""
    return isinstance(model, PeftModel)


def _linear_layers(model: PreTrainedModel) -> set[str]:
    """Last parts of the names of all linear layers but the output layer."""
    head = model.get_output_embeddings()
    found = set()
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear | Conv1D) and module is not head:
            found.add(name.rpartition(".")[2])
    return found


def _blocks(model: PreTrainedModel, layers: Layers | str) -> list[int] | None:
    count = int(model.config.get_text_config().num_hidden_layers)
    if layers == "all":
        return None
    if layers == "last-third":
        return list(range(count - -(-count // 3), count))
    blocks = sorted({int(i) for i in layers})
    if blocks[0] < 0 or blocks[-1] >= count:
        raise ConfigError(f"the model has blocks 0 to {count - 1}", where=f"lora.layers = {blocks}")
    return blocks


def _adapter_layers(model: torch.nn.Module) -> list[BaseTunerLayer]:
    return [module for module in model.modules() if isinstance(module, BaseTunerLayer)]


@contextmanager
def adapter_off(model: torch.nn.Module) -> Iterator[None]:
    """Within this context the model computes, bit for bit, what it computed before the adapter was attached.

    Which adapters were on and which parameters need a gradient is restored afterwards.

    Raises:
        ModelError: the model has no adapter.
    """
    layers = _adapter_layers(model)
    if not layers:
        raise ModelError("the model has no adapter to switch off", hint="attach one, or give a frozen copy as teacher")
    were_on = [layer for layer in layers if not layer.disable_adapters]
    gradients = [(p, p.requires_grad) for layer in were_on for p in cast("torch.nn.Module", layer).parameters()]
    for layer in were_on:
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for layer in were_on:
            layer.enable_adapters(True)
        for parameter, needed in gradients:
            parameter.requires_grad_(needed)


def detach(loaded: LoadedModel) -> LoadedModel:
    """Take the adapter off, unmerged: the base model is as it was before, bit for bit.

    Returns:
        The base model; ``loaded.model`` must not be used any more.

    Raises:
        ModelError: there is no adapter.
    """
    if not has_adapter(loaded.model):
        raise ModelError("the model has no adapter to take off", where=loaded.name)
    model: Any = loaded.model
    base = model.unload()
    if hasattr(base, "peft_config"):
        del base.peft_config
    return dataclasses.replace(loaded, model=base, notes=loaded.notes[:-1])


def adapter_hash(model: torch.nn.Module) -> str:
    """SHA-256 over names and values of the adapter weights in use; empty when there is none or it is switched off."""
    layers = _adapter_layers(model)
    if not layers or all(layer.disable_adapters for layer in layers):
        return ""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        if "lora_" in name:
            flat = tensor.detach().cpu().contiguous().view(torch.uint8) if tensor.numel() else tensor.cpu()
            digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}\0".encode() + flat.numpy().tobytes())
    return digest.hexdigest()
