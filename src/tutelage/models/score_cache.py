"""Scores that were computed once, kept on disk under a hash of everything they depend on."""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from tutelage.errors import StoreError
from tutelage.io.paths import content_hash
from tutelage.models.adapter import adapter_hash
from tutelage.models.loading import LoadedModel
from tutelage.types import TokenScores, TokenSequence

__all__ = ["ScoreCache", "model_identity", "score_key", "tokenizer_hash"]

Score = Callable[..., list[TokenScores]]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS scores (
  key TEXT PRIMARY KEY, tokens INTEGER NOT NULL, kept INTEGER NOT NULL, crc INTEGER NOT NULL, data BLOB NOT NULL
) STRICT
"""


def tokenizer_hash(tokenizer: PreTrainedTokenizerBase) -> str:
    """SHA-256 of vocabulary, merges, added and special tokens (the fast tokenizer's own JSON where there is one)."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    vocabulary: object = backend.to_str() if backend is not None else sorted(tokenizer.get_vocab().items())
    return content_hash([vocabulary, sorted(tokenizer.all_special_tokens)])


def model_identity(loaded: LoadedModel) -> str:
    """SHA-256 of what the model computes now: weight files, weights in memory, adapter, tokenizer, template, dtype.

    The weights in memory enter by the sum of the bit patterns of each tensor, which every optimizer step changes;
    it costs one pass over them.
    """
    memory = {name: _bit_sum(tensor) for name, tensor in loaded.model.state_dict().items() if "lora_" not in name}
    return content_hash(
        {
            "files": loaded.weights_hash,
            "memory": memory,
            "adapter": adapter_hash(loaded.model),
            "tokenizer": tokenizer_hash(loaded.tokenizer),
            "template": str(loaded.tokenizer.chat_template),
            "dtype": str(loaded.model.dtype),
        }
    )


def _bit_sum(tensor: torch.Tensor) -> int:
    bits = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[tensor.element_size()]
    return int(tensor.detach().contiguous().view(bits).sum(dtype=torch.int64))


def score_key(identity: str, sequence: TokenSequence, top_k: int, candidates: Sequence[int] | None) -> str:
    """Key of the scores of one sequence: a hash of the model's identity and of all that was asked."""
    asked = None if candidates is None else list(candidates)
    return content_hash([identity, list(sequence.ids), sequence.start, top_k, asked])


class ScoreCache:
    """Token scores in one SQLite file; several processes may use it at once.

    A value that does not match its checksum counts as missing and is computed again.

    Args:
        path: the file; made when missing.

    Raises:
        StoreError: the file cannot be opened, or is not such a cache.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.hits = 0
        self.misses = 0
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(self.path, timeout=30)
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=NORMAL")
            with self._base:
                self._base.execute(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise self._failed("open", error) from error

    def close(self) -> None:
        """Close the file."""
        self._base.close()

    def get(self, key: str) -> TokenScores | None:
        """The scores under ``key``, or None."""
        try:
            row = self._base.execute("SELECT tokens, kept, crc, data FROM scores WHERE key = ?", (key,)).fetchone()
        except sqlite3.Error as error:
            raise self._failed("read", error) from error
        return None if row is None else _unpack(*row)

    def put(self, scores: dict[str, TokenScores]) -> None:
        """Store scores by key, all or none; what is there already is replaced."""
        rows = [(key, *_pack(value)) for key, value in scores.items()]
        try:
            with self._base:
                self._base.executemany("INSERT OR REPLACE INTO scores VALUES (?, ?, ?, ?, ?)", rows)
        except sqlite3.Error as error:
            raise self._failed("write", error) from error

    def scored(
        self,
        score: Score,
        identity: str,
        sequences: Sequence[TokenSequence],
        *,
        top_k: int = 0,
        candidates: Sequence[Sequence[int]] | None = None,
    ) -> list[TokenScores]:
        """The scores of ``sequences``, computed by ``score`` where they are not there yet.

        Args:
            score: an engine's ``score``.
            identity: of the model behind it: :func:`model_identity`, or a name and version for a server.
            sequences: as for ``score``.
            top_k: as for ``score``.
            candidates: as for ``score``.
        """
        keys = [
            score_key(identity, sequence, top_k, None if candidates is None else candidates[i])
            for i, sequence in enumerate(sequences)
        ]
        found = {key: value for key in dict.fromkeys(keys) if (value := self.get(key)) is not None}
        missing = {key: i for i, key in reversed(list(enumerate(keys))) if key not in found}
        self.hits += len(found)
        self.misses += len(missing)
        if missing:
            order = sorted(missing.values())
            some = None if candidates is None else [candidates[i] for i in order]
            fresh = score([sequences[i] for i in order], top_k=top_k, candidates=some)
            new = {keys[i]: value for i, value in zip(order, fresh, strict=True)}
            self.put(new)
            found |= new
        return [found[key] for key in keys]

    def size(self) -> int:
        """How many sequences are stored."""
        with closing(self._base.execute("SELECT COUNT(*) FROM scores")) as cursor:
            return int(cursor.fetchone()[0])

    def _failed(self, doing: str, error: Exception) -> StoreError:
        return StoreError(
            f"cannot {doing} the score cache: {error}",
            where=str(self.path),
            hint="it only saves time: delete the file (with its -wal and -shm) and run again",
        )


def _pack(scores: TokenScores) -> tuple[int, int, int, bytes]:
    parts: list[tuple[Any, str]] = [(scores.logprobs, "<f4"), (scores.topk_ids, "<i8"), (scores.topk_logprobs, "<f4")]
    data = b"".join(np.ascontiguousarray(array, dtype=kind).tobytes() for array, kind in parts)
    return len(scores.logprobs), scores.topk_ids.shape[1], zlib.crc32(data), data


def _unpack(tokens: int, kept: int, crc: int, data: bytes) -> TokenScores | None:
    if len(data) != 4 * tokens + 12 * tokens * kept or zlib.crc32(data) != crc:
        return None
    first, second = 4 * tokens, 4 * tokens + 8 * tokens * kept
    return TokenScores(
        np.frombuffer(data[:first], "<f4").copy(),
        np.frombuffer(data[first:second], "<i8").reshape(tokens, kept).copy(),
        np.frombuffer(data[second:], "<f4").reshape(tokens, kept).copy(),
    )
