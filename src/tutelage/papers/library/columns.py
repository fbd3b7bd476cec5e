"""Dates and places in the catalogue of all papers as arrays, so that a filter is a comparison of arrays."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tutelage.papers.library.record import IMPORTED, Filters

__all__ = ["Columns", "Mask", "read_columns"]

Mask = npt.NDArray[np.bool_]
_DATE = "S16"  # an ISO date, and enough of anything else to compare it as the database would


@dataclass(frozen=True)
class Columns:
    """Facts of papers, at the place of their number.

    Args:
        present: whether there is a paper of that number: [S].
        dates: [S], compared byte by byte as the database compares texts; empty for undated papers.
        catalogued: slug and family of papers of the catalogue, by number.
    """

    present: Mask
    dates: npt.NDArray[np.bytes_]
    catalogued: dict[int, tuple[str, str]]

    def allowed(self, filters: Filters, slugs: Collection[str] | None) -> Mask:
        """Which papers pass: [S].

        Args:
            filters: that must pass.
            slugs: entries of the catalogue with the status that ``filters`` name; None when it names none of theirs.
        """
        mask = self.present.copy()
        if filters.since is not None:
            mask &= self.dates >= filters.since.encode()
        if filters.until is not None:
            mask &= (self.dates != b"") & (self.dates <= filters.until.encode())
        if filters.status == IMPORTED:
            mask[list(self.catalogued)] = False
        if filters.family is not None or slugs is not None:
            kept = np.full_like(mask, slugs is None and not filters.family)  # papers outside have no family
            for seq, (slug, family) in self.catalogued.items():
                kept[seq] = filters.family in (None, family) and (slugs is None or slug in slugs)
            mask &= kept
        return mask


def read_columns(connection: sqlite3.Connection) -> Columns:
    """The columns of all papers."""
    rows = connection.execute("SELECT seq, date FROM papers ORDER BY date DESC, seq").fetchall()  # the index has both
    seqs = np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))
    size = int(seqs.max()) + 1 if len(seqs) else 0
    present, dates = np.zeros(size, dtype=bool), np.zeros(size, dtype=_DATE)
    present[seqs] = True
    dates[seqs] = np.array([row[1].encode("utf-8", "replace") for row in rows], dtype=_DATE)
    known = connection.execute("SELECT seq, slug, family FROM papers WHERE slug IS NOT NULL")
    return Columns(present, dates, {int(seq): (slug, family) for seq, slug, family in known})
