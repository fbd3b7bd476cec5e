"""Meaning of papers as unit vectors: rows in the library, and one matrix of them mapped from a file.

The rows (float16) are the truth. The matrix (float32) is made of them when they have changed, so that a search is one
product over memory that the system shares between processes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tutelage.io import atomic_file, clean_stale
from tutelage.papers.library.columns import Mask
from tutelage.papers.library.database import transaction
from tutelage.types import FloatArray

__all__ = ["Embeds", "VectorIndex"]

_BATCH = 64
_TEXT = 2000  # characters of a paper that an encoder is given; MiniLM reads about 256 word pieces


class Embeds(Protocol):
    """What the index needs of an encoder: unit vectors of texts, and a name that changes when its weights do."""

    weights_hash: str

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """Unit vectors [N, D], float32."""
        ...


class VectorIndex:
    """Vectors of the library at ``path``; several threads may use it, each with a connection of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()
        self._version = -1
        self._missing: tuple[object, int] = (None, 0)
        self._seqs: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._matrix: FloatArray = np.zeros((0, 0), dtype=np.float32)

    def made_by(self, connection: sqlite3.Connection, encoder: Embeds) -> bool:
        """Whether the vectors that there are were made by this encoder."""
        known = connection.execute("SELECT value FROM facts WHERE name = 'encoder'").fetchone()
        return known is not None and known[0] == encoder.weights_hash

    def missing(self, connection: sqlite3.Connection, encoder: Embeds) -> int:
        """How many papers have no vector of this encoder; counted once for a state of the library."""
        asked = "SELECT name, value FROM facts WHERE name IN ('papers', 'vectors', 'encoder') ORDER BY name"
        state = (encoder.weights_hash, *connection.execute(asked).fetchall())
        known, missing = self._missing
        if known != state:
            papers, vectors = connection.execute(
                "SELECT (SELECT count(*) FROM papers), (SELECT count(*) FROM vectors)"
            ).fetchone()
            missing = int(papers - vectors if self.made_by(connection, encoder) else papers)
            self._missing = (state, missing)
        return missing

    def fill(
        self,
        connection: sqlite3.Connection,
        encoder: Embeds,
        progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """Compute the vectors that are missing, newest papers first; what is finished stays when it is interrupted.

        Vectors of another encoder are dropped first.

        Args:
            connection: may write.
            encoder: makes the vectors.
            progress: called with how many are done, and how many there are to do.

        Returns:
            How many were computed.
        """
        self._adopt(connection, encoder)
        total, done = self.missing(connection, encoder), 0
        ask = (
            "SELECT seq, title, summary, abstract FROM papers WHERE seq NOT IN (SELECT seq FROM vectors) "
            "ORDER BY date DESC, seq"
        )
        rows = connection.execute(ask).fetchall() if total else []
        for start in range(0, len(rows), _BATCH):
            batch = rows[start : start + _BATCH]
            vectors = encoder.embed([text_of(*row[1:]) for row in batch]).astype("<f2")
            with transaction(connection, self.path):
                connection.executemany(
                    "INSERT OR REPLACE INTO vectors VALUES (?, ?)",
                    [(row[0], vector.tobytes()) for row, vector in zip(batch, vectors, strict=True)],
                )
            done += len(batch)
            if progress is not None:
                progress(done, total)
        return done

    def nearest(
        self, connection: sqlite3.Connection, query: FloatArray, count: int, allowed: Mask | None = None
    ) -> list[tuple[int, float]]:
        """The papers nearest to a unit vector, as (seq, cosine), nearest first.

        Args:
            connection: of the reader.
            query: [D].
            count: how many at most.
            allowed: whether the paper of a number may be answered; None allows all.
        """
        seqs, matrix = self.matrix(connection)
        if not len(seqs) or matrix.shape[1] != len(query):
            return []
        if allowed is not None:
            places = np.flatnonzero(allowed[seqs])
            seqs = seqs[places]
            scores = matrix[places] @ query if len(places) < len(matrix) // 4 else (matrix @ query)[places]
        else:
            scores = matrix @ query
        if not len(scores):
            return []
        top = np.argpartition(-scores, min(count, len(scores)) - 1)[:count]
        top = top[np.lexsort((seqs[top], -scores[top]))]
        return [(int(seqs[n]), float(scores[n])) for n in top]

    def vector(self, connection: sqlite3.Connection, seq: int) -> FloatArray | None:
        """The vector of one paper, if it has one."""
        found = connection.execute("SELECT value FROM vectors WHERE seq = ?", (seq,)).fetchone()
        return None if found is None else np.frombuffer(found[0], dtype="<f2").astype(np.float32)

    def version(self, connection: sqlite3.Connection) -> int:
        """A number that is another whenever the vectors are."""
        return int(connection.execute("SELECT value FROM facts WHERE name = 'vectors'").fetchone()[0])

    def matrix(self, connection: sqlite3.Connection) -> tuple[npt.NDArray[np.int64], FloatArray]:
        """Seqs [N] and their vectors [N, D], read from the mapped file, which is made anew when it is old."""
        version = self.version(connection)
        with self._lock:  # who waits here needs what is being made
            if version != self._version:
                found = connection.execute("SELECT seq FROM vectors ORDER BY seq").fetchall()
                seqs = np.fromiter((row[0] for row in found), dtype=np.int64, count=len(found))
                self._matrix = self._mapped(connection, version, len(seqs))
                self._seqs, self._version = seqs, version
            return self._seqs, self._matrix

    def _adopt(self, connection: sqlite3.Connection, encoder: Embeds) -> None:
        """Vectors of two encoders do not compare."""
        if self.made_by(connection, encoder):
            return
        with transaction(connection, self.path):
            connection.execute("DELETE FROM vectors")
            connection.execute("INSERT OR REPLACE INTO facts VALUES ('encoder', ?)", (encoder.weights_hash,))

    def _mapped(self, connection: sqlite3.Connection, version: int, count: int) -> FloatArray:
        if not count:
            return np.zeros((0, 0), dtype=np.float32)
        file = self.path.with_name(f"{self.path.name}.vectors-{version}.npy")
        for _ in range(2):
            with suppress(OSError, ValueError, EOFError):
                matrix = np.load(file, mmap_mode="r", allow_pickle=False)
                if matrix.dtype == np.float32 and matrix.ndim == 2 and len(matrix) == count:
                    return np.asarray(matrix)
            self._write(connection, file)
        return _stacked(connection)

    def _write(self, connection: sqlite3.Connection, file: Path) -> None:
        matrix = _stacked(connection)
        clean_stale(file.parent)
        with atomic_file(file) as temporary, temporary.open("wb") as stream:
            np.save(stream, matrix, allow_pickle=False)
        for old in file.parent.glob(f"{self.path.name}.vectors-*.npy"):
            if old != file:
                with suppress(OSError):
                    old.unlink()


def _stacked(connection: sqlite3.Connection) -> FloatArray:
    rows = connection.execute("SELECT value FROM vectors ORDER BY seq").fetchall()
    return np.frombuffer(b"".join(row[0] for row in rows), dtype="<f2").reshape(len(rows), -1).astype(np.float32)


def text_of(title: str, summary: str, abstract: str) -> str:
    """What the encoder reads of a paper."""
    return f"{title}. {summary} {abstract}"[:_TEXT].strip()
