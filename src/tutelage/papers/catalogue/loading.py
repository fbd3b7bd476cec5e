"""The catalogue as a whole: one small file a paper, read once, newest first."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tutelage.errors import DataError, nearest
from tutelage.io.failure import disk_errors
from tutelage.papers.catalogue.entry_file import Entry, parse_entry
from tutelage.papers.titles import title_key

__all__ = ["entries", "entry", "read_catalogue"]

FOLDER = Path(__file__).with_name("entries")


@cache
def entries() -> tuple[Entry, ...]:
    """Every paper of the catalogue, newest first.

    Example:
        >>> [one.slug for one in entries() if one.date == "2026-05-27"]
        ['graded-formality', 'oversight-case-study']
    """
    return read_catalogue(FOLDER)


def entry(slug: str) -> Entry:
    """The paper called ``slug``.

    Raises:
        DataError: there is none; the hint names the nearest.

    Example:
        >>> entry("muscle").links["paper"]
        'https://arxiv.org/abs/2407.09435'
    """
    found = _by_slug().get(slug)
    if found is None:
        close = nearest(slug, _by_slug())
        hint = f"did you mean {close!r}?" if close else "`tutelage papers list` shows them all"
        raise DataError(f"there is no paper {slug!r} in the catalogue", hint=hint)
    return found


def read_catalogue(folder: Path) -> tuple[Entry, ...]:
    """Read a folder with one TOML file a paper; the file's name is the paper's slug.

    Args:
        folder: holds ``<slug>.toml`` files; anything else in it is passed over.

    Returns:
        The papers, newest first, those of one day by slug.

    Raises:
        DataError: a file is not as it should be, or two tell of the same paper; with file and line.
        StoreError: a file cannot be read.
    """
    found = []
    for path in sorted(folder.glob("*.toml")):
        with disk_errors(path, "read"):
            raw = path.read_bytes()
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError("the file is not UTF-8", where=path.name) from error
        found.append(parse_entry(path.stem, text, where=path.name))
    _no_twins(found)
    return tuple(sorted(found, key=lambda one: (-int(one.date.replace("-", "")), one.slug)))


def _no_twins(found: list[Entry]) -> None:
    seen: dict[str, str] = {}
    for one in found:
        for what, key in (("title", title_key(one.title)), ("arXiv identifier", one.arxiv)):
            if key in seen:
                raise DataError(
                    f"{seen[key]}.toml has the same {what}", where=f"{one.slug}.toml", hint="keep one of the files"
                )
            seen[key] = one.slug


@cache
def _by_slug() -> dict[str, Entry]:
    return {one.slug: one for one in entries()}
