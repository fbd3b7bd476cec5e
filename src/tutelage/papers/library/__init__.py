"""The user's own library of papers: add, find by words and by meaning, filter, save searches."""

from tutelage.papers.library.library import Library
from tutelage.papers.library.record import (
    IMPORTED,
    Added,
    Filters,
    Found,
    Hit,
    Piece,
    Record,
    arxiv_id,
    clean,
    make_record,
    paper_id,
)
from tutelage.papers.titles import title_key

__all__ = [
    "IMPORTED",
    "Added",
    "Filters",
    "Found",
    "Hit",
    "Library",
    "Piece",
    "Record",
    "arxiv_id",
    "clean",
    "make_record",
    "paper_id",
    "title_key",
]
