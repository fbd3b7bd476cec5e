"""Texts as the hidden state of a causal language model at their last token: frozen features for a probe."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from tutelage.errors import DataError, NumericalError
from tutelage.models.loading import LoadedModel
from tutelage.types import FloatArray

__all__ = ["last_token_features"]


@torch.inference_mode()
def last_token_features(
    loaded: LoadedModel, texts: Sequence[str], *, max_tokens: int = 512, batch_size: int = 16
) -> FloatArray:
    """Hidden states [N, D] float32 of the last layer, after its norm, at each text's last token.

    Texts are padded on the right and the last real token is found by the mask, never by the id of a padding token: that
    id may be a real token. Of longer texts the last ``max_tokens`` are read.

    Args:
        loaded: model and tokenizer.
        texts: [N], none empty.
        max_tokens: of a text.
        batch_size: texts at a time, of similar length.

    Raises:
        DataError: a text without tokens; names its place.
        NumericalError: a feature that is not finite.
    """
    model, tokenizer = loaded.model, loaded.tokenizer
    limit = min(max_tokens, loaded.context_length)
    ids = [list(map(int, tokenizer(text, verbose=False)["input_ids"]))[-limit:] for text in texts]
    empty = next((i for i, one in enumerate(ids) if not one), None)
    if empty is not None:
        raise DataError("a text without tokens", where=f"text {empty}", hint="leave it out")
    order = sorted(range(len(ids)), key=lambda i: (-len(ids[i]), i))
    found: list[torch.Tensor] = [torch.empty(0)] * len(ids)
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        width = len(ids[rows[0]])
        padded = torch.tensor([ids[i] + [0] * (width - len(ids[i])) for i in rows], device=model.device)
        lengths = torch.tensor([len(ids[i]) for i in rows], device=model.device)
        mask = (torch.arange(width, device=model.device)[None] < lengths[:, None]).long()
        states = model.get_decoder()(input_ids=padded, attention_mask=mask).last_hidden_state
        last = states[torch.arange(len(rows), device=model.device), lengths - 1].float().cpu()
        for i, state in zip(rows, last, strict=True):
            found[i] = state
    features: FloatArray = torch.stack(found).numpy() if found else np.zeros((0, 0), dtype=np.float32)
    if not np.isfinite(features).all():
        bad = int(np.flatnonzero(~np.isfinite(features).all(axis=1))[0])
        raise NumericalError("the model returned a state that is not finite", where=f"text {bad}")
    return features
