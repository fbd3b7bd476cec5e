"""What a file of results is, told by what it holds; and what to do with one that cannot be read."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any, Literal

from tutelage.errors import DataError
from tutelage.io.failure import disk_errors
from tutelage.measure.results.native import is_native

__all__ = ["Kind", "is_native_file", "kind_of"]

Kind = Literal["native", "rows", "table", "lm-eval samples", "lm-eval averages", "inspect archive", "inspect document"]
"""``rows`` and ``table`` were written by a user: JSON lines or a JSON array, and CSV."""

_HEAD = 1 << 20
READABLE = (
    "readable are: result files of Tutelage, samples_*.jsonl of lm-eval (--log_samples), .eval and .json logs of "
    "inspect, and CSV or JSON lines with an id and a score in each row"
)
_EXPORT = "export one row for each item, with an id and its scores, as CSV or JSON lines"
_MAGIC = {
    b"PAR1": ("a Parquet file (lighteval writes its details so)", f"{_EXPORT}: pandas.read_parquet(FILE).to_csv(...)"),
    b"\x1f\x8b": ("gzip-compressed", "unpack it first: gunzip FILE"),
    b"\x28\xb5\x2f\xfd": ("zstd-compressed", "unpack it first: unzstd FILE"),
    b"BZh": ("bzip2-compressed", "unpack it first: bunzip2 FILE"),
    b"\xfd7zXZ": ("xz-compressed", "unpack it first: unxz FILE"),
    b"\xd0\xcf\x11\xe0": ("an old spreadsheet", "save the sheet as CSV"),
    b"SQLite format 3": ("an SQLite database", _EXPORT),
    b"ARROW1": ("an Arrow file", _EXPORT),
    b"%PDF": ("a PDF", _EXPORT),
    b"\xff\xfe": ("UTF-16 text", "save it as UTF-8: iconv -f UTF-16 -t UTF-8 FILE > NEW"),
    b"\xfe\xff": ("UTF-16 text", "save it as UTF-8: iconv -f UTF-16 -t UTF-8 FILE > NEW"),
    **{bytes([0x80, v]): ("a pickle, which can run code when read and is never opened", _EXPORT) for v in (2, 3, 4, 5)},
}


def kind_of(path: Path) -> Kind:
    """The kind of result file that ``path`` is.

    Raises:
        DataError: it is empty, of a kind that is known but cannot be read, or of no known kind.
        StoreError: it cannot be read.
    """
    with disk_errors(path, "read"), path.open("rb") as stream:
        head = stream.read(_HEAD)
    if not head.removeprefix(b"\xef\xbb\xbf").strip():
        raise DataError("the file is empty", where=str(path), hint="look at what wrote it")
    for magic, (what, cure) in _MAGIC.items():
        if head.startswith(magic):
            raise DataError(f"this is {what}", where=str(path), hint=cure)
    if head.startswith(b"PK\x03\x04") or head.startswith(b"PK\x05\x06"):
        return _archive(path)
    text = head.decode("utf-8-sig", "replace").lstrip()
    if text[0] in "{[":
        return _json(path, text, len(head) < _HEAD)
    if b"\0" in head.partition(b"\n")[0]:
        raise DataError("this is a binary file of no known kind", where=str(path), hint=READABLE)
    return "table"


def is_native_file(path: Path) -> bool:
    """Whether a file begins as one of our own result files; damage is not looked for."""
    with disk_errors(path, "read"), path.open("rb") as stream:
        first = stream.readline(_HEAD)
    try:
        return is_native(json.loads(first))
    except (ValueError, RecursionError):
        return False


def _archive(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError(
            f"the archive is torn or damaged: {error}",
            where=str(path),
            hint="copy it again; of a run that was killed, `inspect log recover` can make a readable log",
        ) from error
    if "xl/workbook.xml" in names:
        raise DataError("this is a spreadsheet", where=str(path), hint="save the sheet as CSV")
    if any(name.endswith(("data.pkl", ".npy")) for name in names):
        raise DataError("this archive holds arrays or pickles, not results by item", where=str(path), hint=_EXPORT)
    if names & {"header.json", "_journal/start.json"}:
        return "inspect archive"
    if any(name.startswith("samples/") for name in names):
        raise DataError(
            "this log of inspect has no header (no header.json, no _journal/start.json)",
            where=str(path),
            hint="copy it again, or write it again with `inspect log convert`",
        )
    raise DataError("this is an archive of no known kind", where=str(path), hint=f"unpack it; {READABLE}")


def _json(path: Path, text: str, whole: bool) -> Kind:
    """Lines when the first line is a value of its own, else one document."""
    first, _, rest = text.partition("\n")
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        return _document(path, text)
    if isinstance(value, list) or (whole and not rest.strip() and isinstance(value, dict) and _of_document(value)):
        return _document(path, text)
    if is_native(value):
        return "native"
    return "lm-eval samples" if _is_sample(value) else "rows"


def _is_sample(value: Any) -> bool:
    marks = {"filtered_resps", "resps", "doc_hash"}
    return isinstance(value, dict) and "doc_id" in value and bool(marks & value.keys())


def _of_document(value: dict[str, Any]) -> bool:
    return bool({"eval", "status"} <= value.keys() or {"results", "configs"} <= value.keys() or "ids" in value)


def _document(path: Path, text: str) -> Kind:
    """One JSON document, told by the names near its start, for it may be too large to be parsed twice."""
    start = text[:20_000]
    if text.startswith("{"):
        if '"eval"' in start and ('"status"' in start or '"version"' in start):
            return "inspect document"
        if '"results"' in start and ('"configs"' in text or '"n-shot"' in text or '"group_subtasks"' in text):
            return "lm-eval averages"
        if '"ids"' in start and '"values"' in start and '"metric"' in start:
            raise DataError(
                "these are scores as an older Tutelage kept them",
                where=str(path),
                hint="measure again: measure and tune now write a JSON-lines file for each task",
            )
        if '"doc_id"' in start and '"arguments"' in text:
            return "lm-eval samples"
        if _is_value(text):
            raise DataError("this JSON document holds no results by item", where=str(path), hint=READABLE)
        return "rows"
    if '"instance_id"' in start and '"stats"' in start:
        raise DataError("these are statistics of HELM, which cannot be read", where=str(path), hint=_EXPORT)
    return "lm-eval samples" if '"doc_id"' in start and '"resps"' in start else "rows"


def _is_value(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
