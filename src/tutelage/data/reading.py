"""Any file of questions and answers as rows, with a reason for each row that cannot be used."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tutelage.data.columns import Layout, find_layout, wrong_columns
from tutelage.data.conversation import BadRow, check_chat, split_answer
from tutelage.data.formats import detect, records
from tutelage.data.record import Format, Record
from tutelage.data.rejected import Rejected, excerpt
from tutelage.errors import DataError, RangeError
from tutelage.io import file_sha256
from tutelage.types import Message, Row

__all__ = ["LoadReport", "ReadOptions", "load_dataset_rows", "row_id"]

_PATIENCE = 1_000  # rows without known columns before a file is given up
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True)
class ReadOptions:
    """How a file is read.

    ``prompt_column`` and ``completion_column`` name the columns when they have names of their own; ``system`` is put
    before prompts that have no system turn; a row with more than ``max_chars`` characters, or ``max_tokens`` tokens
    when a counter is given, is set aside; ``keep_duplicates`` keeps rows whose prompt and answer stood before;
    ``quality_column`` holds the number that a curriculum orders the rows by.
    """

    prompt_column: str | None = None
    completion_column: str | None = None
    system: str | None = None
    max_chars: int = 200_000
    max_tokens: int | None = None
    keep_duplicates: bool = False
    quality_column: str = "quality"

    def __post_init__(self) -> None:
        if self.max_chars < 1 or (self.max_tokens is not None and self.max_tokens < 1):
            raise RangeError("max_chars and max_tokens must be at least 1")


@dataclass
class LoadReport:
    """What a file held.

    ``rows`` are usable; ``rejected`` were set aside, in file order. ``splits`` maps row ids to the split that the file
    names for them. ``conflicts`` counts prompts with more than one answer (all kept). ``notes`` say what was assumed.
    """

    rows: list[Row]
    rejected: list[Rejected]
    format: Format
    source_sha256: str
    splits: dict[str, str] = field(default_factory=dict)
    conflicts: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def reasons(self) -> dict[str, int]:
        """How many rows were set aside for each reason, most frequent first."""
        return dict(Counter(row.reason for row in self.rejected).most_common())


def load_dataset_rows(
    path: str | os.PathLike[str],
    options: ReadOptions | None = None,
    *,
    count_tokens: Callable[[list[Message]], int] | None = None,
) -> LoadReport:
    """Read rows from JSON lines, JSON, CSV, TSV, Parquet or a folder that ``datasets`` saved.

    A row is one of :data:`tutelage.data.columns.FORMATS`; of ``messages`` the last assistant turn is the completion
    and all before it the prompt. Optional columns: ``id`` (kept when it is unique in the file, else replaced by a
    hash of the content), ``group``, ``choices``, ``reference``, ``quality``, ``responses`` with ``scores``, ``split``.
    No bad row is dropped silently: each is in ``rejected`` with line, reason and excerpt. The same file always gives
    the same ids.

    Args:
        path: the file or folder.
        options: column names, limits and the like.
        count_tokens: tokens of a whole conversation, for ``max_tokens``; see ``tutelage.data.chat.token_counter``.

    Returns:
        Rows and everything that was noticed.

    Raises:
        DataError: the file is missing, damaged as a whole or of no known kind, has no question and answer columns,
            or holds no usable row.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "pairs.jsonl"
        >>> _ = file.write_text('{"prompt": "2+2?", "completion": "4"}\\n{"prompt": "", "completion": "x"}\\n')
        >>> report = load_dataset_rows(file)
        >>> report.rows[0]["completion"], report.reasons
        ([{'role': 'assistant', 'content': '4'}], {'empty_prompt': 1})
    """
    file = Path(path)
    kind, note = detect(file)
    collector = _Collector(file, options or ReadOptions(), count_tokens)
    for record in records(file, kind):
        collector.add(record)
    report = LoadReport(
        rows=collector.rows,
        rejected=collector.rejected,
        format=kind,
        source_sha256=_source_hash(file),
        splits=collector.splits,
        conflicts=len(collector.conflicting),
        notes=[*([note] if note else []), *collector.notes()],
    )
    if not report.rows:
        raise collector.nothing_usable()
    return report


def row_id(prompt: Sequence[Message], completion: Sequence[Message]) -> str:
    """The stable id of a row without one: 16 hexadecimal digits of a hash of its turns, wherever it stands.

    Example:
        >>> row_id([{"role": "user", "content": "2+2?"}], [{"role": "assistant", "content": "4"}])
        'cc9e903428d9d88d'
    """
    return hashlib.sha256(_digest(prompt) + _digest(completion)).hexdigest()[:16]


def _digest(chat: Sequence[Message]) -> bytes:
    """SHA-256 over the turns, each with its length, so that no two conversations read the same."""
    parts = [f"{turn['role']}:{len(turn['content'])}:{turn['content']}" for turn in chat]
    return hashlib.sha256("".join(parts).encode()).digest()


class _Collector:
    """Turns records into rows and keeps the books."""

    def __init__(self, path: Path, options: ReadOptions, count: Callable[[list[Message]], int] | None) -> None:
        self.path, self.options, self.count = path, options, count
        self.rows: list[Row] = []
        self.rejected: list[Rejected] = []
        self.splits: dict[str, str] = {}
        self.conflicting: set[bytes] = set()
        self._layouts: dict[tuple[str, ...], Layout | None] = {}
        self._notes: Counter[str] = Counter()
        self._lines: dict[bytes, int] = {}  # content -> line where it stood first
        self._answers: dict[bytes, bytes] = {}  # prompt -> its first answer
        self._ids: set[str] = set()
        self._columns: tuple[str, ...] | None = None  # of the first row without known columns
        self._foreign = 0

    def add(self, record: Record) -> None:
        """Take one record into ``rows`` or ``rejected``."""
        if record.problem is not None:
            self.rejected.append(Rejected(record.line, *record.problem, excerpt(record.raw)))
            return
        try:
            self._accept(record)
        except BadRow as bad:
            self._reject(record, bad.code, bad.what)
        except UnicodeEncodeError:
            self._reject(record, "not_utf8", "the text holds bytes or escapes that are not valid Unicode")

    def _reject(self, record: Record, code: str, sentence: str) -> None:
        self.rejected.append(Rejected(record.line, code, sentence, _shown(record.value)))

    def _accept(self, record: Record) -> None:
        value = record.value
        if not isinstance(value, Mapping):
            raise BadRow("not_a_row", f"a row must be an object with named columns, not {type(value).__name__}")
        layout = self._layout(tuple(value))
        if layout is None:
            self._foreign += 1
            self._columns = self._columns or tuple(value)
            if self._foreign >= _PATIENCE and not self.rows:
                raise wrong_columns(self._columns, f"{self.path}:{record.line}")
            raise BadRow(
                "wrong_columns", f"no question and answer among the columns {', '.join(map(str, value))[:200]}"
            )
        prompt, completion = self._turns(layout, value)
        key, answer = _digest(prompt), _digest(completion)
        both = hashlib.sha256(key + answer).digest()
        first = self._lines.setdefault(both, record.line)
        if first != record.line and not self.options.keep_duplicates:
            raise BadRow("duplicate", f"the same prompt and answer stand in line {first}")
        row: Row = {"id": "", "prompt": prompt, "completion": completion}
        _optional(row, value, self.options.quality_column)
        if self._answers.setdefault(key, answer) != answer:
            self.conflicting.add(key)
        row["id"] = self._identity(value.get("id"), both)
        if layout.note:
            self._notes[layout.note] += 1
        split = value.get("split") if record.split is None else record.split
        if isinstance(split, str) and split.strip():
            self.splits[row["id"]] = split.strip()
        self.rows.append(row)

    def _layout(self, columns: tuple[str, ...]) -> Layout | None:
        if columns not in self._layouts:
            try:
                found = find_layout(columns, self.options.prompt_column, self.options.completion_column)
            except DataError as error:
                raise DataError(error.what, where=str(self.path), hint=error.hint) from error
            self._layouts[columns] = found
        return self._layouts[columns]

    def _turns(self, layout: Layout, value: Mapping[str, Any]) -> tuple[list[Message], list[Message]]:
        chat = check_chat(layout.read(value))
        prompt, completion = split_answer(chat)
        if self.options.system is not None and prompt[0]["role"] != "system":
            prompt.insert(0, {"role": "system", "content": self.options.system})
            chat = prompt + completion
        characters = sum(len(turn["content"]) for turn in chat)
        if characters > self.options.max_chars:
            raise BadRow("too_long", f"{characters} characters; the limit is {self.options.max_chars}")
        if self.count is not None and self.options.max_tokens is not None:
            tokens = self.count(chat)
            if tokens > self.options.max_tokens:
                raise BadRow("too_long", f"{tokens} tokens; the limit is {self.options.max_tokens}")
        return prompt, completion

    def _identity(self, given: object, content: bytes) -> str:
        """The given id if it is usable and new, else the content hash, numbered when that is taken too."""
        if isinstance(given, str | int) and not isinstance(given, bool) and str(given).strip():
            text = str(given).strip()
            text.encode()
            if text not in self._ids:
                self._ids.add(text)
                return text
            self._notes["id stood before in the file and was replaced by a content hash"] += 1
        base = name = content.hex()[:16]
        copy = 1
        while name in self._ids:
            copy += 1
            name = f"{base}-{copy}"
        self._ids.add(name)
        return name

    def notes(self) -> list[str]:
        """What was assumed, with the number of rows that it concerns."""
        return [f"{text} ({count} row{'s' * (count != 1)})" for text, count in self._notes.items()]

    def nothing_usable(self) -> DataError:
        """The error for a file without a single good row."""
        total = len(self.rejected)
        if self._columns is not None and 2 * self._foreign > total:
            return wrong_columns(self._columns, str(self.path))
        if not total:
            return DataError("the file holds no rows", where=str(self.path), hint="check how it was written")
        counts = Counter(row.reason for row in self.rejected).most_common(5)
        listed = ", ".join(f"{count} {reason}" for reason, count in counts)
        first = self.rejected[0]
        return DataError(
            f"none of {total} rows can be used ({listed}); the first: {first.detail}",
            where=f"{self.path}:{first.line}",
            hint="mend the rows, or name the columns with prompt_column and completion_column",
        )


def _optional(row: Row, value: Mapping[str, Any], quality_column: str) -> None:
    """Carry group, reference, choices, quality and scored responses over where they are given."""
    _graded(row, value, quality_column)
    for name in ("group", "reference"):
        given = value.get(name)
        if given is None or given == "":
            continue
        if isinstance(given, bool) or not isinstance(given, str | int | float):
            raise BadRow("wrong_type", f"{name} must be text, not {type(given).__name__}")
        row[name] = str(given)
    choices = value.get("choices")
    if choices is None or choices == "":
        return
    texts = list(choices) if isinstance(choices, list | tuple) else []
    if len(texts) < 2 or not all(isinstance(text, str) and text.strip() for text in texts):
        raise BadRow("wrong_type", "choices must be a list of at least two texts")
    if len(set(texts)) != len(texts):
        raise BadRow("wrong_type", "the same choice stands twice")
    row["choices"] = texts


def _graded(row: Row, value: Mapping[str, Any], column: str) -> None:
    """Quality, and responses with their scores."""
    quality = value.get(column)
    if quality is not None and quality != "":
        row["quality"] = _number(quality, column)
    responses, scores = value.get("responses"), value.get("scores")
    if responses is None or scores is None:
        return
    if not isinstance(responses, list | tuple) or not isinstance(scores, list | tuple) or len(responses) != len(scores):
        raise BadRow("wrong_type", "responses and scores must be lists of the same length")
    if len(responses) < 2 or not all(isinstance(text, str) and text.strip() for text in responses):
        raise BadRow("wrong_type", "responses must be at least two texts that are not empty")
    row["responses"], row["scores"] = list(responses), [_number(one, "scores") for one in scores]


def _number(given: object, column: str) -> float:
    """A finite number; CSV holds it as text."""
    try:
        number = float("x" if isinstance(given, bool) else given)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise BadRow("wrong_type", f"{column} must be a finite number, not {str(given)[:40]!r}")
    return number


def _shown(value: object) -> str:
    try:
        return excerpt(_encode(value))
    except (TypeError, ValueError, RecursionError):
        return excerpt(repr(value))


def _source_hash(path: Path) -> str:
    """SHA-256 of a file, or of the names and hashes of a folder's files."""
    if path.is_file():
        return file_sha256(path)
    files: Iterable[Path] = sorted(item for item in path.rglob("*") if item.is_file())
    lines = [f"{item.relative_to(path).as_posix()} {file_sha256(item)}\n" for item in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
