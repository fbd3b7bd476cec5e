"""Feed a batch of prompts and then one token a row at a time, and get the logits of what comes next.

Two ways: :class:`RowStepper` for models whose layers all attend to everything before (row cache, shared prefixes,
dropped rows), :class:`PlainStepper` for every other causal LM of transformers (sliding windows, recurrent layers).
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tutelage.models.key_value_cache import RowCache

__all__ = [
    "PlainStepper",
    "RowStepper",
    "Stepper",
    "attention_mask",
    "causal_model",
    "common_prefix",
    "full_attention",
    "make_stepper",
]

PREFIX_WORTH = 8  # a shared prefix shorter than this is not worth a forward of its own


class Stepper(Protocol):
    """What the decode loop needs of a model."""

    def prefill(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """Read the prompts; [B, V] logits of each row's next token."""
        ...

    def step(self, tokens: Tensor) -> Tensor:
        """Append one token [b] to each row that is left; [b, V] logits of the next."""
        ...

    def drop(self, rows: list[int]) -> list[int]:
        """Forget rows; for each row that is left, its former number."""
        ...


def common_prefix(rows: Sequence[Sequence[int]]) -> int:
    """How many leading tokens all rows share.

    Example:
        >>> common_prefix([[1, 2, 3], [1, 2], [1, 2, 4]])
        2
    """
    low, high = min(map(tuple, rows)), max(map(tuple, rows))
    return next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))


def causal_model(model: Any) -> Any:
    """The causal LM inside: the model itself, or what an adapter was put on (with the adapter's layers in place)."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def attention_mask(model: Any, visible: Tensor) -> Tensor:
    """A [B, 1, Q, K] mask (True = sees) in the form that the model's kind of attention takes."""
    if _attention(model) != "eager":
        return visible
    return torch.zeros(visible.shape, dtype=model.dtype, device=visible.device).masked_fill_(
        ~visible, torch.finfo(model.dtype).min
    )


def _parameters(model: Any) -> frozenset[str]:
    return frozenset(inspect.signature(causal_model(model).forward).parameters)


def _logits(model: Any, accepts: frozenset[str], inputs: dict[str, Any]) -> Any:
    if "logits_to_keep" in accepts:
        inputs["logits_to_keep"] = 1
    return model(**{k: v for k, v in inputs.items() if k in accepts}, use_cache=True, return_dict=True)


class RowStepper:
    """Steps a model of full-attention layers; rows are independent and can be dropped."""

    def __init__(self, model: PreTrainedModel, new_tokens: int) -> None:
        self.model: Any = model
        self.accepts = _parameters(model)
        self.device = model.device
        self.new_tokens = new_tokens
        self.visible, self.position = torch.zeros(0, dtype=torch.bool), torch.zeros(0, dtype=torch.long)

    def prefill(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """Read the prompts, each distinct one once and the prefix that all share once; [B, V] logits."""
        distinct = list(dict.fromkeys(map(tuple, prompts)))
        shared = min(common_prefix(distinct), min(map(len, distinct)) - 1) if len(distinct) > 1 else 0
        shared = shared if shared >= PREFIX_WORTH else 0
        longest = max(map(len, distinct))
        self.cache = RowCache(longest + min(self.new_tokens, 64))
        if shared:
            self._forward(torch.tensor([distinct[0][:shared]]), None, torch.arange(shared)[None])
            room = longest - shared + min(self.new_tokens, 64)
            self.cache = self.cache.taken(torch.zeros(len(distinct), dtype=torch.long, device=self.device), room)
        logits = self._read(distinct, shared, longest)
        if len(distinct) < len(prompts):
            number = {prompt: i for i, prompt in enumerate(distinct)}
            rows = torch.tensor([number[tuple(p)] for p in prompts])
            self.cache = self.cache.taken(rows.to(self.device), min(self.new_tokens, 64))
            logits = logits[rows.to(self.device)]
            self.visible, self.position = self.visible[rows], self.position[rows]
        self.padded = not bool(self.visible.all())
        self.visible = self.visible.to(self.device)
        self.position = self.position.to(self.device)
        self.length = longest
        return logits

    def _read(self, prompts: Sequence[tuple[int, ...]], shared: int, longest: int) -> Tensor:
        """Left-padded forward over what follows the shared prefix."""
        width = longest - shared
        ids = torch.zeros(len(prompts), width, dtype=torch.long)
        self.visible = torch.ones(len(prompts), longest + self.new_tokens, dtype=torch.bool)
        self.position = torch.tensor([len(p) for p in prompts])
        for i, prompt in enumerate(prompts):
            pad = longest - len(prompt)
            ids[i, pad:] = torch.tensor(prompt[shared:])
            self.visible[i, shared : shared + pad] = False
        positions = (torch.arange(shared, longest)[None] - (longest - self.position)[:, None]).clamp_min(0)
        if not shared and bool(self.visible.all()):
            return self._forward(ids, None, positions)
        columns = torch.arange(longest)
        queries = torch.arange(shared, longest)
        causal = columns[None, :] <= queries[:, None]
        itself = columns[None, :] == queries[:, None]  # a pad sees itself, so that no row of the softmax is empty
        mask = (causal & self.visible[:, None, :longest]) | itself
        return self._forward(ids, mask[:, None], positions)

    def step(self, tokens: Tensor) -> Tensor:
        """Append one token [b] to each row that is left; [b, V] logits of the next."""
        self.length += 1
        mask = self.visible[:, None, None, : self.length] if self.padded else None
        logits = self._forward(tokens[:, None], mask, self.position[:, None])
        self.position = self.position + 1
        return logits

    def drop(self, rows: list[int]) -> list[int]:
        """Forget rows; for each row that is left, its former number."""
        order = self.cache.drop(rows)
        self.visible, self.position = self.visible[order], self.position[order]
        return order

    def _forward(self, ids: Tensor, mask: Tensor | None, positions: Tensor) -> Tensor:
        inputs = {
            "input_ids": ids.to(self.device),
            "attention_mask": None if mask is None else attention_mask(self.model, mask.to(self.device)),
            "position_ids": positions.to(self.device),
            "past_key_values": self.cache,
        }
        logits: Tensor = _logits(self.model, self.accepts, inputs).logits[:, -1]
        return logits


class PlainStepper:
    """Steps any causal LM with its own kind of cache; dropped rows are still computed, and ignored."""

    def __init__(self, model: PreTrainedModel, new_tokens: int) -> None:
        self.model: Any = model
        self.accepts = _parameters(model)
        self.device = model.device
        self.new_tokens = new_tokens

    def prefill(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """Read the left-padded prompts; [B, V] logits of each row's next token."""
        longest = max(map(len, prompts))
        ids = torch.zeros(len(prompts), longest, dtype=torch.long)
        self.mask = torch.ones(len(prompts), longest + self.new_tokens, dtype=torch.long)
        for i, prompt in enumerate(prompts):
            ids[i, longest - len(prompt) :] = torch.tensor(prompt)
            self.mask[i, : longest - len(prompt)] = 0
        self.mask = self.mask.to(self.device)
        self.rows = torch.arange(len(prompts), device=self.device)
        self.cache: Any = None
        self.length = longest
        positions = (self.mask[:, :longest].cumsum(-1) - 1).clamp_min(0)
        self.position = positions[:, -1:] + 1
        return self._forward(ids.to(self.device), positions)

    def step(self, tokens: Tensor) -> Tensor:
        """Append one token [b] to each row that is left; [b, V] logits of the next."""
        self.length += 1
        ids = torch.zeros(len(self.mask), 1, dtype=torch.long, device=self.device)
        ids[self.rows, 0] = tokens
        logits = self._forward(ids, self.position)
        self.position = self.position + 1
        return logits

    def drop(self, rows: list[int]) -> list[int]:
        """Forget rows; for each row that is left, its former number."""
        order = [i for i in range(len(self.rows)) if i not in set(rows)]
        self.rows = self.rows[order]
        return order

    def _forward(self, ids: Tensor, positions: Tensor) -> Tensor:
        inputs = {"input_ids": ids, "attention_mask": self.mask[:, : self.length], "position_ids": positions}
        for name in ("past_key_values", "cache_params"):
            if name in self.accepts and self.cache is not None:
                inputs[name] = self.cache
        out = _logits(self.model, self.accepts, inputs)
        self.cache = getattr(out, "past_key_values", None)
        if self.cache is None:
            self.cache = getattr(out, "cache_params", None)
        logits: Tensor = out.logits[:, -1]
        return logits[self.rows]


def _attention(model: Any) -> str:
    return str(getattr(model.config, "_attn_implementation", ""))


_CHECKED: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


def full_attention(model: PreTrainedModel) -> bool:
    """Whether :class:`RowStepper` computes what the model itself computes.

    The configuration must promise full attention in every layer, and a probe of two short prompts of different
    length must give the logits of the plain forward. The answer is remembered for each model object.
    """
    causal = causal_model(model)
    if causal not in _CHECKED:
        _CHECKED[causal] = _promises_full_attention(causal) and _probe(causal)
    return _CHECKED[causal]


def _promises_full_attention(model: Any) -> bool:
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    window = getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True)
    known = kinds == {"full_attention"} and (not window or bool(getattr(config, "layer_types", None)))
    accepts = _parameters(model)
    return known and _attention(model) in ("sdpa", "eager") and {"past_key_values", "position_ids"} <= accepts


def _probe(model: Any) -> bool:
    size = int(model.get_input_embeddings().weight.shape[0])
    prompts = [[(7 * i + 3) % size for i in range(n)] for n in (12, 10)]
    stepper = RowStepper(model, 2)
    try:
        first = stepper.prefill(prompts)
        second = stepper.step(torch.tensor([5 % size, 9 % size], device=model.device))
        for row, (prompt, token) in enumerate(zip(prompts, (5, 9), strict=True)):
            ids = torch.tensor([[*prompt, token % size]], device=model.device)
            expected = model(input_ids=ids, use_cache=False).logits[0, -2:].float()
            found = torch.stack([first[row], second[row]]).float()
            scale = expected.abs().max().clamp_min(1.0)
            tolerance = 1e-3 if model.dtype == torch.float32 else 5e-2
            if not bool(((found - expected).abs().max() / scale) < tolerance):
                return False
    except (RuntimeError, TypeError, ValueError, AttributeError, IndexError):
        return False
    return True


def make_stepper(model: PreTrainedModel, new_tokens: int) -> Stepper:
    """The fastest stepper that computes what the model computes; the model must be in evaluation mode.

    Args:
        model: causal LM, with or without an adapter.
        new_tokens: most tokens that will be appended to a prompt.
    """
    return RowStepper(model, new_tokens) if full_attention(model) else PlainStepper(model, new_tokens)
