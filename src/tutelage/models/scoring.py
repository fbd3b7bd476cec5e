"""Log-probabilities of given tokens: prompts read once, and the vocabulary projection only where a token counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tutelage.errors import NumericalError, RangeError
from tutelage.models.key_value_cache import RowCache
from tutelage.models.rollout import evaluating, plan_groups
from tutelage.models.stepper import attention_mask, causal_model, common_prefix, full_attention
from tutelage.types import TokenScores, TokenSequence

__all__ = ["check_sequences", "score_sequences"]

CHUNK = 256  # positions projected to the vocabulary at a time
PREFIX_WORTH = 16  # tokens that all sequences share, from which on they are read once for all
LONGEST_ROW = 1024  # tokens of completions that are put behind one prompt


def check_sequences(sequences: Sequence[TokenSequence]) -> None:
    """Raise RangeError unless every ``start`` lies in 1 .. length: a first token has nothing before it to be given."""
    for i, sequence in enumerate(sequences):
        if not 1 <= sequence.start <= len(sequence.ids):
            raise RangeError(
                f"start is {sequence.start} in a sequence of {len(sequence.ids)} tokens",
                where=f"sequence {i}",
                hint="start must leave at least one token before it and lie within the sequence",
            )


def score_sequences(
    model: PreTrainedModel,
    sequences: Sequence[TokenSequence],
    *,
    top_k: int = 0,
    candidates: Sequence[Sequence[int]] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[TokenScores]:
    """log p(ids[t] | ids[:t]) for each t >= start, in float32.

    Sequences with the same prompt are read as one row: the prompt once, then the completions beside each other, each
    seeing the prompt and itself only. What all sequences of the call begin with is read once for all.

    Args:
        model: causal LM in any mode; its mode is restored.
        sequences: [N], each with 1 <= start <= length.
        top_k: also the K likeliest tokens at every position, likeliest first (at most the whole vocabulary).
        candidates: [N] ids to score at every position of the sequence instead; ``topk_ids`` repeats them.
        on_progress: called with (sequences done, sequences in all).

    Returns:
        [N] scores in the order of the sequences; ``logprobs`` [T] with T = length - start.

    Raises:
        RangeError: a start, id or candidate out of range, or both top_k and candidates.
        NumericalError: the model's logits are not finite.

    Source: own derivation (attention restricted to a tree of one level).
    """
    check_sequences(sequences)
    _check_request(model, sequences, top_k, candidates)
    scores: dict[int, TokenScores] = {}
    budget = 2048 if model.device.type == "cpu" else 65536
    with evaluating(model):
        reader = _Reader(model, sequences)
        rows = reader.rows()
        for group in plan_groups([row.length for row in rows], budget=budget, rows=64):
            chosen = [rows[i] for i in group]
            members = [i for row in chosen for i in row.members]
            states = reader.states(chosen)
            wanted = None if candidates is None else [candidates[i] for i in members]
            targets = [sequences[i].ids[sequences[i].start :] for i in members]
            scores.update(zip(members, _project(reader.head, states, targets, top_k, wanted), strict=True))
            if on_progress is not None:
                on_progress(len(scores), len(sequences))
    return [scores[i] for i in range(len(sequences))]


def _check_request(
    model: PreTrainedModel, sequences: Sequence[TokenSequence], top_k: int, candidates: Sequence[Sequence[int]] | None
) -> None:
    if top_k < 0:
        raise RangeError(f"top_k is {top_k}, it must be 0 (off) or more")
    if top_k and candidates is not None:
        raise RangeError("top_k and candidates exclude each other", hint="call score twice")
    if candidates is not None and len(candidates) != len(sequences):
        raise RangeError(f"{len(sequences)} sequences but {len(candidates)} lists of candidates")
    size = causal_model(model).get_input_embeddings().weight.shape[0]
    for i, sequence in enumerate(sequences):
        ids = [*sequence.ids, *(candidates[i] if candidates is not None else ())]
        if min(ids) < 0 or max(ids) >= size:
            raise RangeError(f"a token id is outside the vocabulary of {size}", where=f"sequence {i}")


@dataclass
class _Row:
    """A prompt and the sequences that continue it; their completions but the last token stand one after another."""

    prompt: tuple[int, ...]
    members: list[int] = field(default_factory=list)
    segments: list[tuple[int, ...]] = field(default_factory=list)

    @property
    def length(self) -> int:
        return len(self.prompt) + sum(map(len, self.segments))


class _Reader:
    """Turns sequences into rows, and rows into the states that predict each completion token."""

    def __init__(self, model: PreTrainedModel, sequences: Sequence[TokenSequence]) -> None:
        self.model: Any = model
        self.sequences = sequences
        self.decoder, self.head = _split(model)
        self.shares = full_attention(model)
        self.prefix: RowCache | None = None
        self.shared = 0

    def rows(self) -> list[_Row]:
        """One row a prompt (a sequence, for models that cannot share); reads the common prefix if it is worth it."""
        rows: list[_Row] = []
        current: dict[tuple[int, ...], _Row] = {}
        for i, sequence in enumerate(self.sequences):
            prompt, segment = sequence.ids[: sequence.start], sequence.ids[sequence.start : -1]
            row = current.get(prompt) if self.shares else None
            if row is None or row.length + len(segment) > len(prompt) + LONGEST_ROW:
                row = _Row(tuple(prompt))
                rows.append(row)
                current[prompt] = row
            row.members.append(i)
            row.segments.append(tuple(segment))
        if self.shares and len(rows) > 2:
            shared = min(common_prefix([row.prompt for row in rows]), min(len(row.prompt) for row in rows) - 1)
            if shared >= PREFIX_WORTH:
                self._read_prefix(rows[0].prompt[:shared])
        return rows

    def _read_prefix(self, prefix: tuple[int, ...]) -> None:
        self.prefix = RowCache(len(prefix))
        ids = torch.tensor([prefix], device=self.model.device)
        self.decoder(input_ids=ids, past_key_values=self.prefix, use_cache=True)
        self.shared = len(prefix)

    def states(self, rows: Sequence[_Row]) -> Tensor:
        """[sum of T, D] states that predict the completion tokens, member after member."""
        skip = self.shared
        width = max(row.length for row in rows) - skip
        ids, positions = (torch.zeros(len(rows), width, dtype=torch.long) for _ in range(2))
        segment = torch.full((len(rows), width), -1)
        for b, row in enumerate(rows):
            at = len(row.prompt) - skip
            ids[b, :at] = torch.tensor(row.prompt[skip:])
            positions[b, :at] = torch.arange(skip, len(row.prompt))
            segment[b, :at] = 0
            for number, tokens in enumerate(row.segments, start=1):
                end = at + len(tokens)
                ids[b, at:end] = torch.tensor(tokens, dtype=torch.long)
                positions[b, at:end] = torch.arange(len(row.prompt), len(row.prompt) + len(tokens))
                segment[b, at:end] = number
                at = end
        hidden = self._forward(ids, positions, segment, plain=all(len(row.members) == 1 for row in rows))
        wanted = []
        for b, row in enumerate(rows):
            last, at = len(row.prompt) - skip - 1, len(row.prompt) - skip
            for i, tokens in zip(row.members, row.segments, strict=True):
                if self.sequences[i].start < len(self.sequences[i].ids):
                    wanted += [b * width + last, *range(b * width + at, b * width + at + len(tokens))]
                at += len(tokens)
        return hidden.reshape(-1, hidden.shape[-1])[torch.tensor(wanted, dtype=torch.long, device=hidden.device)]

    def _forward(self, ids: Tensor, positions: Tensor, segment: Tensor, *, plain: bool) -> Tensor:
        inputs: dict[str, Any] = {"input_ids": ids, "use_cache": False}
        if not plain or self.prefix is not None:
            before = torch.ones(len(ids), ids.shape[1], self.shared, dtype=torch.bool)
            causal = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril()
            own = (segment[:, None, :] == 0) | (segment[:, None, :] == segment[:, :, None])
            mask = torch.cat([before, causal & own], dim=2)[:, None]
            inputs |= {"attention_mask": attention_mask(self.model, mask), "position_ids": positions}
        inputs = {k: v.to(self.model.device) if isinstance(v, Tensor) else v for k, v in inputs.items()}
        if self.prefix is not None:
            inputs |= {
                "past_key_values": self.prefix.taken(ids.new_zeros(len(ids)).to(self.model.device), ids.shape[1]),
                "use_cache": True,
            }
        out = self.decoder(**inputs)
        hidden: Tensor = out.last_hidden_state if hasattr(out, "last_hidden_state") else out.logits
        return hidden


def _project(
    head: Callable[[Tensor], Tensor],
    states: Tensor,
    targets: Sequence[Sequence[int]],
    top_k: int,
    candidates: Sequence[Sequence[int]] | None,
) -> list[TokenScores]:
    """Scores of each member from the states [N, D] of all of them, a chunk of positions at a time."""
    flat = torch.tensor([t for row in targets for t in row], dtype=torch.long, device=states.device)
    kept = max((len(c) for c in candidates), default=0) if candidates is not None else top_k
    listed = torch.zeros(len(flat), kept, dtype=torch.long, device=states.device) if candidates is not None else None
    at = 0
    for row, names in zip(targets, candidates or [], strict=candidates is not None):
        assert listed is not None
        listed[at : at + len(row), : len(names)] = torch.tensor(names, dtype=torch.long, device=states.device)
        at += len(row)
    parts = []
    for first in range(0, len(flat), CHUNK):
        logits = head(states[first : first + CHUNK]).float()
        norm = logits.logsumexp(-1, keepdim=True)
        if not bool(torch.isfinite(norm).all()):
            raise NumericalError("the model's logits are not finite", hint="load it in float32")
        own = logits.gather(-1, flat[first : first + CHUNK, None]) - norm
        if listed is not None:
            ids = listed[first : first + CHUNK]
            values = logits.gather(-1, ids)
        else:
            values, ids = logits.topk(min(top_k, logits.shape[-1]), dim=-1)
        parts.append((own[:, 0].cpu(), ids.cpu(), (values - norm).cpu()))
    if not parts:
        parts = [(torch.zeros(0), torch.zeros(0, kept, dtype=torch.long), torch.zeros(0, kept))]
    logprobs, listing, kept_logprobs = (torch.cat([part[j] for part in parts]).numpy() for j in range(3))
    scores, at = [], 0
    for i, row in enumerate(targets):
        k = len(candidates[i]) if candidates is not None else listing.shape[1]
        rows = slice(at, at + len(row))
        scores.append(TokenScores(logprobs[rows].copy(), listing[rows, :k].copy(), kept_logprobs[rows, :k].copy()))
        at += len(row)
    return scores


_SPLIT: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


def _split(model: PreTrainedModel) -> tuple[Callable[..., Any], Callable[[Tensor], Tensor]]:
    """Decoder and head of a model, if head(decoder(x)) is the model; else the model itself and the identity.

    Tried once for each model object on a short probe, because some families scale or squash their logits.
    """
    causal = causal_model(model)
    decoder, head = causal.get_decoder(), causal.get_output_embeddings()
    if causal not in _SPLIT:
        _SPLIT[causal] = decoder is not None and head is not None and _probe(causal, decoder, head)
    if _SPLIT[causal]:
        return decoder, head
    return causal, lambda states: states


def _probe(causal: Any, decoder: Any, head: Any) -> bool:
    ids = torch.arange(3, 11, device=causal.device)[None] % causal.get_input_embeddings().weight.shape[0]
    try:
        expected = causal(input_ids=ids, use_cache=False).logits.float()
        found = head(decoder(input_ids=ids, use_cache=False).last_hidden_state).float()
    except (RuntimeError, TypeError, ValueError, AttributeError):
        return False
    return bool((found - expected).abs().max() <= 1e-4 * expected.abs().max())
