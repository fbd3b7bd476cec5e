"""Sentence encoders: texts in, unit vectors out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sentence_transformers import SentenceTransformer

from tutelage.errors import ModelError, NumericalError
from tutelage.models.loading import choose_device, no_bars
from tutelage.models.source import find_source, weight_files, weights_hash
from tutelage.types import FloatArray

__all__ = ["Encoder"]


class Encoder:
    """An encoder of sentence-transformers, from a folder, an embedded asset or the Hub's cache.

    Only safetensors weights are read, and no code of the model's own.

    Args:
        name_or_path: e.g. ``"all-minilm-l6-v2"``.
        device: ``"auto"`` (CUDA, then MPS, then CPU) or a torch device.
        batch_size: texts encoded at a time.

    Raises:
        ModelError: it cannot be found or loaded.
        AssetMissing: an embedded encoder that is not installed.
    """

    def __init__(self, name_or_path: str = "all-minilm-l6-v2", *, device: str = "auto", batch_size: int = 32) -> None:
        source = find_source(name_or_path)
        self.name = source.name
        self.batch_size = batch_size
        files = weight_files(source.folder, index="model.safetensors.index.json")
        self.weights_hash = weights_hash(files)
        try:
            with no_bars():
                self.model = SentenceTransformer(
                    str(source.folder),
                    device=str(choose_device(device)),
                    trust_remote_code=False,
                    local_files_only=True,
                    model_kwargs={"use_safetensors": True},
                )
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            raise ModelError(
                f"sentence-transformers cannot load this encoder: {error}",
                where=str(source.folder),
                hint="give a sentence-transformers folder (modules.json, config.json, model.safetensors)",
            ) from error

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """Unit vectors of texts: [N, D] float32, in the order of the texts; cosine similarity is their product.

        Batches are made of texts of similar length; what else is in a batch changes a row only through rounding.

        Raises:
            NumericalError: the encoder returned something that is not finite.
        """
        width = int(self.model.get_embedding_dimension() or 0)
        if not texts:
            return np.zeros((0, width), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda i: (-len(texts[i]), i))
        rows = self.model.encode(
            [texts[i] for i in order],
            batch_size=self.batch_size,
            show_progress_bar=False,
            convert_to_numpy=True,
            normalize_embeddings=True,
        ).astype(np.float32)
        if not np.isfinite(rows).all():
            bad = order[int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])]
            raise NumericalError("the encoder returned a vector that is not finite", where=f"text {bad}")
        vectors = np.empty_like(rows)
        vectors[order] = rows
        return vectors
