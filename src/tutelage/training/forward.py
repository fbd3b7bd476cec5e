"""From token ids to the hidden states at the counted positions, for the student and for its teacher.

Sequences are right-padded and attention is causal, so padding cannot reach a counted position. The vocabulary
projection is left to the objective, which does it in chunks.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from tutelage.errors import ModelError
from tutelage.functional.fused import Projected

__all__ = ["Backbone", "PrefixCache", "TokenPair", "common_beginning", "student_outputs", "teacher_outputs"]

MIN_SHARED = 8
"""Fewer shared tokens than this are not worth a forward of their own."""


@dataclass(frozen=True)
class TokenPair:
    """A prompt and the completion whose tokens count. Neither is empty."""

    prompt: tuple[int, ...]
    completion: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.completion)


class Backbone:
    """The decoder and the head of a causal LM, seen apart.

    Works for models whose logits are a linear map of the last hidden state, scaled or soft-capped where the model's
    configuration says so; this is checked on a short probe rather than assumed.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        unwrap = getattr(model, "get_base_model", None)  # PEFT's wrapper has it
        causal: Any = unwrap() if callable(unwrap) else model
        self.decoder: Any = causal.get_decoder()
        self.head_module: Any = causal.get_output_embeddings()
        self.causal = causal
        self.keeps_all_states = _keeps_all_states(causal)
        self.scale, self.softcap = _logit_shape(causal.config.get_text_config())
        if self.decoder is None or self.head_module is None:
            raise ModelError(
                f"{type(causal).__name__} has no separate decoder and head", hint="use a causal LM of transformers"
            )

    @property
    def device(self) -> torch.device:
        """Where the inputs go."""
        return torch.device(next(iter(self.decoder.parameters())).device)

    def check(self) -> None:
        """Raise ModelError unless decoder + head give the model's own logits on a probe."""
        ids = torch.arange(1, 9, device=self.device)[None] % self.head_module.weight.shape[0]
        training = self.causal.training
        self.causal.eval()
        with torch.no_grad():
            expected = self.causal(input_ids=ids).logits.float()
            hidden = self.decoder(input_ids=ids).last_hidden_state
            found = self.outputs(hidden[0]).logits(torch.arange(ids.shape[1], device=self.device))
        self.causal.train(training)
        if not torch.allclose(expected[0], found, rtol=1e-3, atol=1e-3):
            raise ModelError(
                f"{type(self.causal).__name__} does not compute its logits from the last hidden state in a known way",
                hint="known are a linear head, its scaling and its soft cap; leave the output layer without an adapter",
            )

    @property
    def can_share_prefix(self) -> bool:
        """Whether keys and values of a prefix may be computed once and continued from."""
        return self.keeps_all_states and not (self.causal.training and self.causal.is_activation_checkpointing)

    @property
    def bias(self) -> Tensor | None:
        """Bias of the head, if it has one."""
        return getattr(self.head_module, "bias", None)

    def outputs(self, hidden: Tensor) -> Projected:
        """Wrap hidden states [N, D] with this model's head."""
        return Projected(hidden, self.head_module.weight, self.bias, self.scale, self.softcap)


def _logit_shape(config: Any) -> tuple[float, float | None]:
    """What multiplies the head's output, and the cap on it: the names that families of transformers use for them."""
    scale = 1.0
    for name in ("logit_scale", "lm_head_multiplier"):
        scale *= float(getattr(config, name, None) or 1.0)
    scale /= float(getattr(config, "logits_scaling", None) or 1.0)
    cap = getattr(config, "final_logit_softcapping", None)
    return scale, float(cap) if cap else None


def _counted(hidden: Tensor, starts: Sequence[int], lengths: Sequence[int]) -> Tensor:
    """Rows of ``hidden`` [B, T, D] that predict the completion: positions start .. start + length - 1 of each row."""
    return torch.cat([hidden[b, s : s + n] for b, (s, n) in enumerate(zip(starts, lengths, strict=True))])


def _right_padded(rows: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    longest = max(map(len, rows))
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    mask = torch.zeros(len(rows), longest, dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
        mask[i, : len(row)] = 1
    return ids.to(device), mask.to(device)


def student_outputs(backbone: Backbone, pairs: Sequence[TokenPair]) -> Projected:
    """Outputs at the positions that predict each completion token, flattened over the sequences in order.

    What all prompts begin with (system turn, wording of the question) is computed once, with gradient, and shared: the
    gradients of the sequences add up in it, so the result is that of the plain forward. The last completion token is
    not fed: nothing counted comes after it.
    """
    lengths = [len(pair.completion) for pair in pairs]
    shared = _common_prefix([pair.prompt for pair in pairs]) if backbone.can_share_prefix else 0
    if len(pairs) < 2 or shared < MIN_SHARED:
        ids, mask = _right_padded([pair.prompt + pair.completion[:-1] for pair in pairs], backbone.device)
        hidden = backbone.decoder(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        return backbone.outputs(_counted(hidden, [len(pair.prompt) - 1 for pair in pairs], lengths))
    prefix = _prefix_states(backbone, pairs[0].prompt[:shared])
    batch = [(k.expand(len(pairs), -1, -1, -1), v.expand(len(pairs), -1, -1, -1)) for k, v in prefix]
    rows = [pair.prompt[shared:] + pair.completion[:-1] for pair in pairs]
    hidden = _continue(backbone, batch, [shared] * len(pairs), rows)
    return backbone.outputs(_counted(hidden, [len(pair.prompt) - shared - 1 for pair in pairs], lengths))


def _common_prefix(prompts: Sequence[tuple[int, ...]]) -> int:
    """Tokens that all prompts begin with, leaving each at least its last one."""
    low, high = min(prompts), max(prompts)
    most = min(map(len, prompts)) - 1
    return next((i for i in range(most) if low[i] != high[i]), most)


def common_beginning(prompts: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """What all ``prompts`` begin with, leaving each at least two tokens; empty when it is too short to be of use.

    Example:
        >>> common_beginning([(*range(20), 7, 7), (*range(20), 8, 9, 9)]) == tuple(range(20))
        True
    """
    if not prompts:
        return ()
    shared = min(_common_prefix(prompts), min(map(len, prompts)) - 2)
    return prompts[0][:shared] if shared >= MIN_SHARED else ()


def _prefix_states(
    backbone: Backbone, prefix: Sequence[int], past: Sequence[tuple[Tensor, Tensor]] = ()
) -> list[tuple[Tensor, Tensor]]:
    """Per layer, keys and values [1, H, P, D] of one sequence, those of what comes before it (``past``) included."""
    cache: Any = DynamicCache()
    for layer, (keys, values) in enumerate(past):
        cache.update(keys, values, layer)
    backbone.decoder(
        input_ids=torch.tensor([list(prefix)], device=backbone.device), past_key_values=cache, use_cache=True
    )
    return [(layer.keys, layer.values) for layer in cache.layers]


def _continue(
    backbone: Backbone, past: Sequence[tuple[Tensor, Tensor]], lengths: Sequence[int], rows: Sequence[Sequence[int]]
) -> Tensor:
    """Hidden states [B, T, D] of ``rows``, attending to left-padded states [B, H, P, D], ``lengths`` of them real."""
    cache = DynamicCache()
    for layer, (keys, values) in enumerate(past):
        cache.update(keys, values, layer)
    longest = past[0][0].shape[2]
    ids, mask = _right_padded(rows, backbone.device)
    before = torch.arange(longest)[None] >= longest - torch.tensor(lengths)[:, None]
    positions = torch.tensor(lengths)[:, None] + torch.arange(ids.shape[1])
    out: Tensor = backbone.decoder(
        input_ids=ids,
        attention_mask=torch.cat([before.long().to(ids.device), mask], dim=1),
        position_ids=positions.to(ids.device),
        past_key_values=cache,
        use_cache=True,
    ).last_hidden_state
    return out


class PrefixCache:
    """Keys and values of the teacher's fixed prompts, computed once per example and reused in every epoch.

    A prefix is computed alone (batch of one), so its bits depend on nothing but the prompt: an entry that was evicted,
    or lost with a killed process, comes back the same. Least recently used entries go when ``limit_mib`` is reached.

    Args:
        limit_mib: memory for the entries.
        beginning: tokens that the prompts of the whole run begin with (:func:`common_beginning` of all of them, not of
            the rows at hand); computed once. A prefix that does not begin so is computed whole.
    """

    def __init__(self, limit_mib: int, beginning: tuple[int, ...] = ()) -> None:
        self.limit = limit_mib * 2**20
        self.beginning = beginning
        self._past: list[tuple[Tensor, Tensor]] = []
        self.held = 0
        self.hits = 0
        self.misses = 0
        self._entries: OrderedDict[tuple[int, ...], list[tuple[Tensor, Tensor]]] = OrderedDict()

    def get(self, backbone: Backbone, prefix: tuple[int, ...]) -> list[tuple[Tensor, Tensor]]:
        """Per layer, keys and values [H, P, D] of ``prefix``."""
        if prefix in self._entries:
            self.hits += 1
            self._entries.move_to_end(prefix)
            return self._entries[prefix]
        self.misses += 1
        entry = [(keys[0], values[0]) for keys, values in self._computed(backbone, prefix)]
        size = sum(k.nbytes + v.nbytes for k, v in entry)
        if size <= self.limit:
            self._entries[prefix] = entry
            self.held += size
        while self.held > self.limit:
            _, old = self._entries.popitem(last=False)
            self.held -= sum(k.nbytes + v.nbytes for k, v in old)
        return entry

    def _computed(self, backbone: Backbone, prefix: tuple[int, ...]) -> list[tuple[Tensor, Tensor]]:
        begun = len(self.beginning)
        if not begun or len(prefix) <= begun or prefix[:begun] != self.beginning:
            return _prefix_states(backbone, prefix)
        if not self._past:
            self._past = _prefix_states(backbone, self.beginning)
        return _prefix_states(backbone, prefix[begun:], self._past)


def teacher_outputs(
    backbone: Backbone,
    pairs: Sequence[TokenPair],
    *,
    as_teacher: Callable[[], AbstractContextManager[object]],
    cache: PrefixCache | None = None,
) -> Projected:
    """Teacher's outputs for the student's tokens after the teacher's own prompts, without gradient.

    Args:
        backbone: the teacher; may be the student's own weights.
        pairs: teacher prompt and the student's completion, in the student's order.
        as_teacher: context in which ``backbone`` is the teacher (adapter off, evaluation mode).
        cache: prefixes to reuse; None scores prompt and completion in one pass.
    """
    with as_teacher(), torch.no_grad():
        if cache is None or not backbone.keeps_all_states or min(len(pair.prompt) for pair in pairs) < 2:
            return student_outputs(backbone, pairs)
        hidden = _continue_from_prefixes(backbone, pairs, cache)
        lengths = [len(pair.completion) for pair in pairs]
        return backbone.outputs(_counted(hidden, [0] * len(pairs), lengths))


def _continue_from_prefixes(backbone: Backbone, pairs: Sequence[TokenPair], cache: PrefixCache) -> Tensor:
    """Hidden states [B, T, D] of last prompt token + completion[:-1], attending to left-padded cached prefixes."""
    prefixes = [cache.get(backbone, pair.prompt[:-1]) for pair in pairs]
    lengths = [len(pair.prompt) - 1 for pair in pairs]
    longest = max(lengths)
    past = [
        (
            torch.stack([_left_padded(prefix[layer][0], longest) for prefix in prefixes]),
            torch.stack([_left_padded(prefix[layer][1], longest) for prefix in prefixes]),
        )
        for layer in range(len(prefixes[0]))
    ]
    return _continue(backbone, past, lengths, [pair.prompt[-1:] + pair.completion[:-1] for pair in pairs])


def _left_padded(states: Tensor, longest: int) -> Tensor:
    """Pad [H, P, D] to [H, longest, D] on the left."""
    return torch.nn.functional.pad(states, (0, 0, longest - states.shape[1], 0))


def _keeps_all_states(model: PreTrainedModel) -> bool:
    """Whether every layer attends to everything before it and keeps its keys and values (no window)."""
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    return kinds == {"full_attention"} and not getattr(model, "_is_stateful", False)
