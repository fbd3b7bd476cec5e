"""Resumes and job ads: a folder of texts, or a file of rows with ``id``, ``text`` and perhaps ``skills``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutelage.data.delimited import delimited_records, undecodable
from tutelage.data.record import Record
from tutelage.errors import DataError
from tutelage.io import content_hash, read_jsonl

__all__ = ["LONGEST", "SUFFIXES", "Document", "Reading", "SetAside", "read_documents"]

LONGEST = 200_000
"""Characters of one text; a resume has a few thousand."""
SUFFIXES = (".txt", ".md", ".markdown")
MOST = 20_000
_TOO_LONG = f"longer than {LONGEST:,} characters: too long for one resume or ad"
_NOT_UTF8 = "not UTF-8: save it as UTF-8"


@dataclass(frozen=True)
class Document:
    """One resume or job ad; ``skills`` are names that were given beside the text."""

    id: str
    text: str
    skills: tuple[str, ...] = ()

    @property
    def hash(self) -> str:
        """SHA-256 of text and skills."""
        return content_hash([self.text, list(self.skills)])


@dataclass(frozen=True)
class SetAside:
    """Something that could not be read as a document, where it stood, and why."""

    where: str
    why: str


@dataclass(frozen=True)
class Reading:
    """What a folder or file held."""

    documents: tuple[Document, ...]
    set_aside: tuple[SetAside, ...]


class _Unusable(Exception):
    """Why a single document is set aside."""


def read_documents(path: str | os.PathLike[str]) -> Reading:
    """Every document of a folder (``.txt``, ``.md``, not below it) or of a ``.jsonl``, ``.csv`` or ``.tsv`` file.

    In a folder the id is the file's name without its ending. In a file every row has ``id`` and ``text`` and perhaps
    ``skills``: a list of names, or in CSV names separated by ``;``. PDF and Word are not read: save them as text.

    Args:
        path: the folder or file.

    Raises:
        DataError: there is no such path, nothing in it is usable, or an id stands twice.
    """
    place = Path(path)
    if place.is_dir():
        found, hint = list(_folder(place)), f"texts ending in {', '.join(SUFFIXES)}"
    elif place.is_file():
        found, hint = list(_file(place)), "rows with id and text, and perhaps skills"
    else:
        raise DataError("there is no such file or folder", where=str(place), hint="a folder of texts, JSONL or CSV")
    set_aside = tuple(one for _, one in found if isinstance(one, SetAside))
    places: dict[str, str] = {}
    for where, one in found:
        if isinstance(one, Document) and one.id in places:
            hint = f"first: {places[one.id]}; every document needs an id of its own"
            there = place / where if place.is_dir() else place.with_name(where)
            raise DataError(f"the id {one.id!r} stands twice", where=str(there), hint=hint)
        if isinstance(one, Document):
            places[one.id] = where
    documents = tuple(one for _, one in found if isinstance(one, Document))
    if not documents:
        why = f"{set_aside[0].where}: {set_aside[0].why}" if set_aside else "no text in it"
        raise DataError(f"no document can be used ({why})", where=str(place), hint=hint)
    if len(documents) > MOST:
        raise DataError(f"{len(documents)} documents are more than {MOST}", where=str(place), hint="split them")
    return Reading(documents, set_aside)


_Found = tuple[str, Document | SetAside]
"""Where it stands, and what it is."""


def _folder(place: Path) -> Iterator[_Found]:
    root = place.resolve()
    for file in sorted(place.iterdir()):
        if file.name.startswith("."):
            continue
        why = ""
        if not file.resolve().is_relative_to(root):
            why = "a link that leads out of the folder"
        elif file.is_dir():
            why = "a folder, and folders in folders are not read"
        elif file.suffix.lower() not in SUFFIXES:
            why = f"not a text ({', '.join(SUFFIXES)}): save it as one"
        elif not file.is_file():
            why = "not a file"
        elif file.stat().st_size > 4 * LONGEST:
            why = _TOO_LONG
        if why:
            yield file.name, SetAside(file.name, why)
        else:
            yield _made(file.name, lambda file=file: _document(file.stem, file.read_bytes().decode("utf-8-sig")))


def _file(place: Path) -> Iterator[_Found]:
    kind = place.suffix.lower()
    if kind in (".jsonl", ".ndjson"):
        records: Iterator[Record] = (
            Record(line.number, line.value, ("bad", line.error) if line.error else None) for line in read_jsonl(place)
        )
    elif kind in (".csv", ".tsv"):
        records = delimited_records(place, "\t" if kind == ".tsv" else None)
    else:
        raise DataError(
            f"files ending in {kind!r} are not read", where=str(place), hint="JSONL, CSV or TSV, or a folder"
        )
    for record in records:
        where = f"{place.name}:{record.line}"
        if record.problem is not None:
            yield where, SetAside(where, record.problem[1])
        else:
            yield _made(where, lambda record=record: _row(record.value))


def _made(where: str, make: Any) -> _Found:
    try:
        made: Document = make()
        return where, made
    except UnicodeDecodeError:
        return where, SetAside(where, _NOT_UTF8)
    except OSError as error:
        return where, SetAside(where, f"cannot be read: {error.strerror}")
    except _Unusable as error:
        return where, SetAside(where, str(error))


def _row(row: Any) -> Document:
    if not isinstance(row, dict):
        raise _Unusable("not a row with id and text")
    if undecodable(row):
        raise _Unusable(_NOT_UTF8)
    missing = [key for key in ("id", "text") if key not in row]
    if missing:
        raise _Unusable(f"no column {' and no column '.join(missing)}")
    key, text, skills = row["id"], row["text"], row.get("skills")
    if isinstance(key, bool) or not isinstance(key, str | int):
        raise _Unusable("the id is neither a text nor a whole number")
    if isinstance(skills, str):
        skills = [name.strip() for name in skills.split(";") if name.strip()]
    if skills is not None and not (isinstance(skills, list) and all(isinstance(name, str) for name in skills)):
        raise _Unusable("skills is no list of names")
    return _document(str(key), text, tuple(skills or ()))


def _document(key: str, text: Any, skills: tuple[str, ...] = ()) -> Document:
    if not isinstance(text, str):
        raise _Unusable(f"text is no text but {type(text).__name__}")
    if not text.strip():
        raise _Unusable("the text is empty")
    if len(text) > LONGEST:
        raise _Unusable(_TOO_LONG)
    if not key.strip() or len(key) > 200:
        raise _Unusable("the id is empty or longer than 200 characters")
    if any(0xD800 <= ord(mark) < 0xE000 for mark in key + text):
        raise _Unusable(_NOT_UTF8)
    return Document(key, text, skills)
