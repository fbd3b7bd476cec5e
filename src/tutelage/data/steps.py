"""Solutions in steps: where they stand in a text and its tokens, their labels, and TRL's form of them.

Places are found by character offsets. A search for a separator's token id fails as soon as the separator merges with
what stands before it, which tokenizers do with blank lines.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from tutelage.data.rejected import Rejected, excerpt
from tutelage.errors import DataError, RangeError
from tutelage.io import read_jsonl

__all__ = [
    "RIGHT",
    "UNKNOWN",
    "WRONG",
    "StepRow",
    "first_error",
    "from_trl",
    "outcome_label",
    "read_step_rows",
    "segment",
    "step_row",
    "steps_text",
    "to_trl",
    "token_spans",
    "until_first_error",
]

RIGHT, WRONG, UNKNOWN = 1, 0, -1
Span = tuple[int, int]


@dataclass(frozen=True)
class StepRow:
    """A question, one solution in steps, a label for each step, and whether the solution ends right.

    ``labels`` are 1 (right), 0 (wrong) or -1 (unknown), one a step; ``outcome`` is None where nobody checked the final
    answer; ``domain`` groups rows for averages.

    Raises:
        DataError: no steps, a step without text, another number of labels than steps, an unknown label.
    """

    id: str
    question: str
    steps: tuple[str, ...]
    labels: tuple[int, ...]
    outcome: bool | None = None
    domain: str = ""

    def __post_init__(self) -> None:
        where = f"row {self.id!r}"
        if not self.steps or not all(step.strip() for step in self.steps):
            raise DataError("a solution has at least one step, and every step a text", where=where)
        if len(self.labels) != len(self.steps):
            raise DataError(
                f"{len(self.steps)} steps but {len(self.labels)} labels", where=where, hint="-1 says: unknown"
            )
        strange = [label for label in self.labels if label not in (RIGHT, WRONG, UNKNOWN)]
        if strange:
            raise DataError(f"the label {strange[0]!r} of a step", where=where, hint="1 right, 0 wrong, -1 unknown")

    def record(self) -> dict[str, Any]:
        """The row as JSON has it; :func:`step_row` reads it back."""
        return {**asdict(self), "steps": list(self.steps), "labels": list(self.labels)}


def step_row(record: Mapping[str, Any], *, where: str = "") -> StepRow:
    """A row from JSON with the keys ``id``, ``question``, ``steps``, and if known ``labels``, ``outcome``, ``domain``.

    Raises:
        DataError: a key is missing, unknown, or of another type; or what :class:`StepRow` refuses.
    """
    unknown = sorted(record.keys() - StepRow.__dataclass_fields__.keys())
    if unknown:
        raise DataError(f"unknown key {unknown[0]!r}", where=where, hint="id, question, steps, labels, outcome, domain")
    steps, labels, outcome = record.get("steps"), record.get("labels"), record.get("outcome")
    if not isinstance(steps, list) or not all(isinstance(step, str) for step in steps):
        raise DataError("steps is not a list of texts", where=where)
    if labels is None:
        labels = [UNKNOWN] * len(steps)
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise DataError("labels is not a list of whole numbers", where=where, hint="1 right, 0 wrong, -1 unknown")
    if not (outcome is None or type(outcome) is bool):
        raise DataError(f"outcome is {outcome!r}", where=where, hint="true, false or null")
    texts = {key: record.get(key, "" if key == "domain" else None) for key in ("id", "question", "domain")}
    for key, value in texts.items():
        if not isinstance(value, str):
            raise DataError(f"{key} is not a text", where=where)
    try:
        return StepRow(**texts, steps=tuple(steps), labels=tuple(labels), outcome=outcome)
    except DataError as error:
        raise DataError(
            error.what, where=f"{where}: {error.where}" if where else error.where, hint=error.hint
        ) from None


def read_step_rows(
    path: str | os.PathLike[str], read: Callable[[dict[str, Any], str], StepRow] | None = None
) -> tuple[list[StepRow], list[Rejected]]:
    """Rows of a JSON-lines file, and the lines that were set aside with the reason.

    Args:
        path: the file.
        read: ``(record, name of its line)`` to a row; None: :func:`step_row`.

    Raises:
        StoreError: the file cannot be read.
        DataError: an id stands twice.
    """
    rows: dict[str, StepRow] = {}
    lines: dict[str, int] = {}
    rejected = []
    for line in read_jsonl(path):
        where = f"{os.fspath(path)}:{line.number}"
        try:
            if line.error is not None or not isinstance(line.value, dict):
                raise DataError(line.error or "a line holds one JSON object")
            row = read(line.value, f"line {line.number}") if read else step_row(line.value)
        except DataError as error:
            told = f"{error.what}: {error.hint}" if error.hint else error.what
            rejected.append(Rejected(line.number, "bad_row", told, excerpt(line.raw or str(line.value))))
            continue
        if row.id in rows:
            raise DataError(
                f"the id {row.id!r} stands twice, first on line {lines[row.id]}",
                where=where,
                hint="an id names one solution",
            )
        rows[row.id], lines[row.id] = row, line.number
    return list(rows.values()), rejected


def segment(text: str, separator: str = "\n\n") -> list[Span]:
    """Where the steps of a written solution stand: [start, end) in characters, without separators and outer space.

    Args:
        text: the solution.
        separator: what stands between steps; several in a row make no empty step.

    Raises:
        RangeError: an empty separator.

    Example:
        >>> segment("3 + 4 = 7\\n\\n\\n\\n7 * 2 = 14")
        [(0, 9), (13, 23)]
    """
    if not separator:
        raise RangeError("steps are cut at a separator, which cannot be empty")
    found, start = [], 0
    for piece in text.split(separator):
        left = start + len(piece) - len(piece.lstrip())
        if piece.strip():
            found.append((left, left + len(piece.strip())))
        start += len(piece) + len(separator)
    return found


def steps_text(prompt: str, steps: Sequence[str], separator: str) -> tuple[str, list[Span]]:
    """The prompt and the steps, each followed by the separator, and the span of each step with its separator.

    Example:
        >>> steps_text("Q: ", ["a", "bc"], "; ")
        ('Q: a; bc; ', [(3, 6), (6, 10)])
    """
    spans, text = [], prompt
    for step in steps:
        start = len(text)
        text += step + separator
        spans.append((start, len(text)))
    return text, spans


def token_spans(offsets: Sequence[Span], spans: Sequence[Span]) -> list[Span]:
    """Which tokens [first, end) belong to each span of characters: a token belongs where its last character lies.

    So the last token of a step has never read a character of the next one, even where a token crosses the border.
    Tokens without characters (special ones) belong nowhere.

    Args:
        offsets: [T] (start, end) of each token in the text, as fast tokenizers give with ``return_offsets_mapping``.
        spans: [S] (start, end) of each step in the same text, rising, not overlapping.

    Raises:
        DataError: spans that overlap, or a step in which no token ends.

    Example:
        >>> token_spans([(0, 2), (2, 4), (4, 6)], [(0, 3), (3, 6)])
        [(0, 1), (1, 3)]
    """
    found, before = [], 0
    for number, (start, end) in enumerate(spans):
        if start < before or end <= start:
            raise DataError("spans of steps must rise and not overlap", where=f"step {number}")
        before = end
        inside = [i for i, (a, b) in enumerate(offsets) if a < b and start < b <= end]
        if not inside:
            raise DataError(
                "no token ends inside this step: it was cut off, or merged with the next",
                where=f"step {number}",
                hint="allow more tokens, or put a separator between the steps that does not merge",
            )
        found.append((inside[0], inside[-1] + 1))
    return found


def first_error(labels: Sequence[int]) -> int | None:
    """Place of the first step that is wrong; None when none is known to be.

    Example:
        >>> first_error([1, -1, 0, 1]), first_error([1, 1])
        (2, None)
    """
    return next((i for i, label in enumerate(labels) if label == WRONG), None)


def until_first_error(row: StepRow) -> StepRow:
    """The row up to and with its first wrong step: what a process reward model is trained on (arXiv 2510.00492).

    The share of wrong labels then depends on the number of steps; compare models only on rows that were cut alike.
    """
    place = first_error(row.labels)
    if place is None:
        return row
    return replace(row, steps=row.steps[: place + 1], labels=row.labels[: place + 1])


def outcome_label(row: StepRow) -> int:
    """1 or 0 for the whole solution: its outcome; if nobody checked it, 0 when a step is wrong, 1 when all are right.

    -1 where neither says anything. Source: arXiv 2510.00492, official code, which takes unknown steps for right.
    """
    if row.outcome is not None:
        return int(row.outcome)
    if WRONG in row.labels:
        return WRONG
    return UNKNOWN if UNKNOWN in row.labels else RIGHT


def to_trl(row: StepRow) -> dict[str, Any]:
    """The row in TRL's stepwise supervision: ``prompt``, ``completions`` (the steps), ``labels`` (true or false).

    TRL has no label for "unknown": steps from the first unknown on are left out, since what follows would be read
    without it.

    Raises:
        DataError: the first step's label is unknown.
    """
    known = next((i for i, label in enumerate(row.labels) if label == UNKNOWN), len(row.labels))
    if known == 0:
        raise DataError("TRL needs a label of the first step", where=f"row {row.id!r}", hint="leave the row out")
    labels = [label == RIGHT for label in row.labels[:known]]
    return {"prompt": row.question, "completions": list(row.steps[:known]), "labels": labels}


def from_trl(record: Mapping[str, Any], name: str) -> StepRow:
    """A row of TRL's stepwise supervision under the id ``name``; its outcome is not known.

    Raises:
        DataError: keys are missing, or labels that are not true or false.
    """
    labels = record.get("labels")
    if not isinstance(labels, list | tuple) or not all(type(label) is bool for label in labels):
        raise DataError("labels is not a list of true and false", where=f"row {name!r}")
    steps = record.get("completions")
    given = {"id": name, "question": record.get("prompt"), "steps": list(steps) if isinstance(steps, tuple) else steps}
    return step_row({**given, "labels": [int(label) for label in labels]}, where=f"row {name!r}")
