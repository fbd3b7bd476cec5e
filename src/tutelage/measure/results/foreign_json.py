"""JSON as other tools write it: like JSON, but NaN and Infinity occur."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tutelage.errors import DataError
from tutelage.io.failure import disk_errors

__all__ = ["DOCUMENT_LIMIT", "decode", "read_document", "read_lines"]

DOCUMENT_LIMIT = 2**30  # bytes of a file that has to be read as a whole
_LINE_LIMIT = 256 * 2**20
_AGAIN = "the file may be cut off or damaged: copy or write it again"


def decode(data: bytes, where: str, first_line: int | None = None) -> Any:
    """The value in ``data``.

    Args:
        data: UTF-8, with or without a byte-order mark.
        where: what to name in an error.
        first_line: number of the first line, when ``where`` is a file whose lines are to be named.

    Raises:
        DataError: it is not UTF-8 or not JSON.
    """
    try:
        return json.loads(data.removeprefix(b"\xef\xbb\xbf").decode())
    except UnicodeDecodeError as error:
        why, line = f"not UTF-8: byte 0x{data[error.start]:02x}", data.count(b"\n", 0, error.start)
    except json.JSONDecodeError as error:
        why, line = f"not JSON: {error.msg} at column {error.colno}", error.lineno - 1
    except RecursionError:
        why, line = "nested too deeply", 0
    except ValueError:
        why, line = "a number has too many digits", 0
    place = where if first_line is None else f"{where}:{first_line + line}"
    raise DataError(why, where=place, hint=_AGAIN)


def read_document(path: Path) -> Any:
    """The value that a file holds.

    Raises:
        DataError: it is larger than 1 GiB, not UTF-8 or not JSON.
        StoreError: it cannot be read.
    """
    with disk_errors(path, "read"):
        if path.stat().st_size > DOCUMENT_LIMIT:
            raise DataError(
                f"the document is larger than {DOCUMENT_LIMIT >> 30} GiB and would have to be read as a whole",
                where=str(path),
                hint="split it, or write it item by item (inspect: `inspect log convert --to eval`)",
            )
        return decode(path.read_bytes(), str(path), 1)


def read_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """Number and value of every line that is not blank.

    Raises:
        DataError: a line is not UTF-8, not JSON or longer than 256 MiB.
        StoreError: the file cannot be read.
    """
    with disk_errors(path, "read"), path.open("rb") as stream:
        number = 0
        while raw := stream.readline(_LINE_LIMIT + 1):
            number += 1
            if len(raw) > _LINE_LIMIT:
                too_long = f"the line is longer than {_LINE_LIMIT >> 20} MiB"
                raise DataError(too_long, where=f"{path}:{number}", hint=_AGAIN)
            if raw.strip():
                yield number, decode(raw, str(path), number)
