"""Write a trained model in the Hub's layout, and prove that what was written is what was trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tutelage.errors import ModelError
from tutelage.io.atomic import atomic_folder, write_json
from tutelage.models.adapter import has_adapter
from tutelage.models.loading import BASE_RECORD, LoadedModel, load, no_bars
from tutelage.models.prompt import prompt_ids, stop_token_ids
from tutelage.models.rollout import evaluating
from tutelage.models.stepper import causal_model

__all__ = ["TOLERANCE", "export", "write_model"]

PROMPTS = (
    "What is the capital of France?",
    "How much is 12 plus 30? Answer with the number only.",
    "Write one sentence about the sea.",
)
"""Fixed prompts on which a written model is compared with the trained one."""

TOLERANCE = {"float32": (1e-5, 1e-3), "bfloat16": (2e-2, 6e-2), "float16": (5e-3, 2e-2)}
"""Largest difference of logits allowed, relative to the largest logit: (same weights, merged weights)."""


def export(loaded: LoadedModel, folder: Path, *, merged: bool = True) -> dict[str, Any]:
    """Write the adapter and the whole model, reload them, and compare their logits with the trained model's.

    With an adapter, ``folder/adapter`` holds it and, if ``merged``, ``folder/merged`` a plain model with W + (alpha /
    rank) B A in place of W; without one, ``folder/merged`` holds the model as it is. All in the Hub's layout with
    tokenizer and generation settings, safetensors and JSON only. The trained model is not changed. The folder
    appears under its name only after every comparison has passed.

    Args:
        loaded: the trained model.
        folder: must not exist.
        merged: whether to write the whole model beside an adapter.

    Returns:
        ``adapter`` and ``model`` (paths or None), ``prompts`` (how many were compared), and for each part its
        ``*_difference`` (largest difference of a logit over the largest logit) and ``*_tolerance``.

    Raises:
        ModelError: a reloaded model differs by more than the tolerance; nothing is left behind.
        StoreError: the folder exists or the disk is full; nothing is left behind.
    """
    chats = [prompt_ids(loaded.tokenizer, [{"role": "user", "content": text}]) for text in PROMPTS]
    expected = _logits(loaded.model, chats)
    same, loose = TOLERANCE[str(loaded.model.dtype).removeprefix("torch.")]
    is_adapter = has_adapter(loaded.model)
    facts: dict[str, Any] = {"adapter": None, "model": None, "prompts": len(chats)}
    with atomic_folder(folder) as temporary:
        if is_adapter:
            _write_adapter(loaded, temporary / "adapter")
            facts |= _compare("adapter", temporary / "adapter", loaded, chats, expected, same)
            facts["adapter"] = str(Path(folder) / "adapter")
        if merged or not is_adapter:
            write_model(loaded.model, loaded.tokenizer, temporary / "merged")
            facts |= _compare("merged", temporary / "merged", loaded, chats, expected, loose if is_adapter else same)
            facts["model"] = str(Path(folder) / "merged")
    return facts


def _write_adapter(loaded: LoadedModel, target: Path) -> None:
    model: Any = loaded.model
    config = model.peft_config[model.active_adapter]
    config.base_model_name_or_path = loaded.name if loaded.source == "hub" else str(loaded.folder)
    config.revision = loaded.revision if loaded.source == "hub" else None
    with no_bars():
        model.save_pretrained(str(target), safe_serialization=True)
    (target / "README.md").unlink(missing_ok=True)  # PEFT's empty card; the run writes its own
    loaded.tokenizer.save_pretrained(str(target))
    record = {"name": loaded.name, "source": loaded.source, "revision": loaded.revision}
    write_json(target / BASE_RECORD, {**record, "weights_hash": loaded.weights_hash})


def write_model(model: Any, tokenizer: PreTrainedTokenizerBase, target: Path) -> None:
    """Write the whole model, adapters merged into copies of its weights, with its tokenizer; nothing is compared."""
    base: PreTrainedModel = causal_model(model)
    settings = base.generation_config
    if settings is not None:
        ends = stop_token_ids(base, tokenizer)
        settings.eos_token_id = list(ends) if len(ends) > 1 else ends[0]
        settings.pad_token_id = tokenizer.pad_token_id
        if not settings.do_sample and any(getattr(settings, n, None) for n in ("temperature", "top_p", "top_k")):
            settings.do_sample = True  # transformers refuses to save sampling settings that are not used
    weights = _merged_weights(base) if has_adapter(model) else None
    with no_bars():
        base.save_pretrained(str(target), state_dict=weights)
    tokenizer.save_pretrained(str(target))


def _merged_weights(base: PreTrainedModel) -> dict[str, Tensor]:
    """State of the base model with every adapter added to its layer, as new tensors only where there is one."""
    deltas: dict[str, Tensor] = {}
    for name, layer in base.named_modules():
        if isinstance(layer, LoraLayer):
            module: Any = layer
            active = [a for a in module.active_adapters if a in module.lora_A]
            if active:
                deltas[name] = torch.stack([module.get_delta_weight(adapter).float() for adapter in active]).sum(0)
    weights = {}
    for key, tensor in base.state_dict().items():
        if ".lora_" in key:
            continue
        owner, _, leaf = key.rpartition(".base_layer.")
        plain = f"{owner}.{leaf}" if owner else key
        if leaf == "weight" and owner in deltas:
            tensor = (tensor.float() + deltas[owner]).to(tensor.dtype)
        weights[plain] = tensor
    return weights


def _logits(model: PreTrainedModel, chats: Sequence[Sequence[int]]) -> list[Tensor]:
    with evaluating(model):
        return [model(input_ids=torch.tensor([ids], device=model.device)).logits[0].float().cpu() for ids in chats]


def _compare(
    part: str,
    folder: Path,
    loaded: LoadedModel,
    chats: Sequence[Sequence[int]],
    expected: Sequence[Tensor],
    tolerance: float,
) -> dict[str, float]:
    """Reload a part with our own loader and compare its logits; raise ModelError if they are too far apart."""
    dtype: Any = str(loaded.model.dtype).removeprefix("torch.")
    again = load(str(folder), dtype=dtype, device=str(loaded.model.device))
    found = _logits(again.model, chats)
    worst = max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(found, expected, strict=True))
    same_tokens = all(again.tokenizer(text).input_ids == loaded.tokenizer(text).input_ids for text in PROMPTS)
    if not worst <= tolerance or not same_tokens:
        what = f"its logits differ by {worst:.2e} of the largest" if same_tokens else "its tokenizer differs"
        raise ModelError(
            f"the {part} model, reloaded, is not the trained one: {what} (allowed: {tolerance:.0e})",
            where=str(folder),
            hint="nothing was saved; the checkpoint is intact. Retry in float32, and report this if it persists",
        )
    return {f"{part}_difference": worst, f"{part}_tolerance": tolerance}
