"""The encoder behind search by meaning, without torch: a query is answered before torch would have been imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file
from scipy.special import erf
from tokenizers import Tokenizer

from tutelage import assets
from tutelage.errors import ModelError
from tutelage.io.documents import read_json
from tutelage.papers.library.vectors import Embeds
from tutelage.types import FloatArray

__all__ = ["BulkEncoder", "SmallBert", "open_encoder"]

_MOST_TOKENS = 256  # as the model's own settings have it


class SmallBert:
    """A sentence encoder of the BERT family on numpy: mean of the last layer's tokens, to unit length.

    The same function as :class:`tutelage.models.encoder.Encoder` on the same folder, up to rounding; made for a query
    or a few dozen papers on a processor.

    Args:
        folder: ``config.json``, ``tokenizer.json`` and ``model.safetensors`` of a BERT in float32.
        weights_hash: what vectors of these weights are known by.

    Raises:
        ModelError: the folder holds no such model.
    """

    def __init__(self, folder: Path, weights_hash: str) -> None:
        self.weights_hash = weights_hash
        try:
            config = read_json(folder / "config.json")
            self.heads, self.layers = int(config["num_attention_heads"]), int(config["num_hidden_layers"])
            self.epsilon = float(config["layer_norm_eps"])
            self.weights = _turned(load_file(folder / "model.safetensors"))
            self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            known = config["model_type"] == "bert" and config["hidden_act"] == "gelu"
            known = known and f"encoder.layer.{self.layers - 1}.output.dense.weight" in self.weights
        except (OSError, KeyError, ValueError, TypeError, SafetensorError) as error:
            raise ModelError(f"this is no BERT that numpy can run: {error}", where=str(folder)) from error
        if not known:
            raise ModelError("this is no BERT that numpy can run", where=str(folder))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(_MOST_TOKENS)

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """Unit vectors of texts: [N, D] float32."""
        width = self.weights["embeddings.LayerNorm.weight"].shape[0]
        rows = np.zeros((len(texts), width), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            ids = self.tokenizer.encode(text.encode("utf-8", "replace").decode()).ids
            row[:] = self._states(np.asarray(ids)).mean(axis=0)
        unit: FloatArray = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        return unit

    def _states(self, ids: np.ndarray[Any, Any]) -> FloatArray:
        """Last layer of one text: [T, D]."""
        weights = self.weights
        states: FloatArray = weights["embeddings.word_embeddings.weight"][ids]
        states = states + weights["embeddings.position_embeddings.weight"][: len(ids)]
        states = self._norm(states + weights["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for number in range(self.layers):
            layer = f"encoder.layer.{number}"
            seen = self._dense(self._attend(states, f"{layer}.attention.self"), f"{layer}.attention.output.dense")
            states = self._norm(states + seen, f"{layer}.attention.output.LayerNorm")
            inner = self._dense(states, f"{layer}.intermediate.dense")
            inner *= 0.5 * (1 + erf(inner / np.float32(np.sqrt(2))))
            states = self._norm(states + self._dense(inner, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
        return states

    def _attend(self, states: FloatArray, name: str) -> FloatArray:
        tokens, width = states.shape
        query, key, value = (
            self._dense(states, f"{name}.{part}").reshape(tokens, self.heads, -1).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / np.float32(np.sqrt(width / self.heads))
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        seen: FloatArray = (scores @ value).transpose(1, 0, 2).reshape(tokens, width)
        return seen

    def _dense(self, states: FloatArray, name: str) -> FloatArray:
        product: FloatArray = states @ self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]
        return product

    def _norm(self, states: FloatArray, name: str) -> FloatArray:
        states = states - states.mean(axis=-1, keepdims=True)
        states /= np.sqrt((states**2).mean(axis=-1, keepdims=True) + self.epsilon)
        scaled: FloatArray = states * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]
        return scaled


def _turned(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Matrices of the layers as [in, out], which multiplies a few tokens in about half the time."""
    return {
        name: np.ascontiguousarray(weight.T) if name.startswith("encoder.layer.") else weight
        for name, weight in weights.items()
    }


class BulkEncoder:
    """The same weights on torch, for thousands of papers: batches, and a graphics processor where there is one."""

    def __init__(self, name: str, weights_hash: str) -> None:
        from tutelage.models.encoder import Encoder

        self.weights_hash = weights_hash
        self._encoder = Encoder(name)

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """Unit vectors of texts: [N, D] float32."""
        return self._encoder.embed(texts)


def open_encoder(name: str, *, bulk: bool = False) -> Embeds:
    """The embedded encoder of a name.

    Args:
        name: of the asset.
        bulk: for thousands of texts.

    Raises:
        AssetMissing: it is not installed.
        ModelError: it cannot be loaded.
    """
    folder, mark = assets.path(name), assets.get(name).distribution.sha256
    return BulkEncoder(name, mark) if bulk else SmallBert(folder, mark)
