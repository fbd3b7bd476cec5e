"""Texts as frozen vectors: by a pre-trained encoder, computed once and kept, or by random vectors of their words.

The second is the control: as wide, as linear, and it has learnt nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from tutelage.io import content_hash, home
from tutelage.io.tensors import load_tensors, save_tensors
from tutelage.seeds import derive
from tutelage.types import FloatArray

__all__ = ["encoded", "word_vectors"]

WIDTH = 384
BUCKETS = 2**13


def encoded(texts: Sequence[str], encoder: str) -> FloatArray:
    """Unit vectors [N, D] of a sentence encoder; kept under :func:`tutelage.io.home` by texts and weights.

    Args:
        texts: [N].
        encoder: name or folder of a sentence encoder; "words" gives :func:`word_vectors`.
    """
    if encoder == "words":
        return word_vectors(texts)
    from tutelage.models import Encoder

    model = Encoder(encoder, device="cpu")
    path = home() / "lab" / f"texts-{content_hash([list(texts), model.weights_hash])[:16]}.safetensors"
    if not path.exists():
        save_tensors(path, {"vectors": torch.from_numpy(model.embed(texts))})
    found: FloatArray = load_tensors(path)["vectors"].numpy()
    return found


def word_vectors(texts: Sequence[str], *, width: int = WIDTH, seed: int = 0) -> FloatArray:
    """Sum of a random vector for each different word of a text, scaled to unit length: [N, ``width``]."""
    from sklearn.feature_extraction.text import HashingVectorizer

    hashed = HashingVectorizer(n_features=BUCKETS, binary=True, norm=None, alternate_sign=False)
    draw = np.random.default_rng(derive(seed, "word-vectors"))
    vectors = hashed.transform(texts) @ draw.normal(0.0, 1.0, (BUCKETS, width))
    found: FloatArray = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return found
