"""Free text: passages, summaries, questions with open answers, arithmetic problems."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tutelage.assets.readers.record import Files, Item, Record, SetAside, normalise, split_lines

__all__ = ["asdiv", "open_answers", "passages", "summary_pairs", "xsum"]

# One number, perhaps with a currency sign, and a unit that is no ordinal ending ("6th" is a rank, not a quantity).
_NUMBER = re.compile(r"\$?(-?\d[\d,]*(?:\.\d+)?|-?\.\d+)(?!st\b|nd\b|rd\b|th\b)\s*(%|[A-Za-z][^\d;]*)?\.?")


def asdiv(data: Files) -> Iterator[Item]:
    """``question`` (story and question), ``answer`` (float), ``answer_text``, ``unit``.

    Problems whose answer is not one number (a name, a time, a ratio, a rank, several numbers) are set aside.

    Args:
        data: JSON lines with ``passage``, ``question``, ``answer``.
    """
    for split, where, raw in split_lines(data):
        question = f"{raw['passage'].strip()} {raw['question'].strip()}".strip()
        text = raw["answer"].strip()
        match = _NUMBER.fullmatch(text)
        if match is None:
            yield SetAside(where, f"the answer is not one number: {text!r}")
            continue
        columns = {
            "question": question,
            "answer": float(match[1].replace(",", "")),
            "answer_text": text,
            "unit": (match[2] or "").strip(),
        }
        yield Record(where, split, (question,), columns)


def xsum(data: Files) -> Iterator[Item]:
    """``document``, ``summary``, ``source_id``.

    Args:
        data: JSON lines with ``id``, ``document``, ``summary``.
    """
    for split, where, raw in split_lines(data):
        document, summary = raw["document"].strip(), raw["summary"].strip()
        if document and summary:
            columns = {"document": document, "summary": summary, "source_id": str(raw["id"])}
            yield Record(where, split, (document,), columns)
        else:
            yield SetAside(where, "the document or the summary is empty")


def summary_pairs(data: Files) -> Iterator[Item]:
    """``document``, ``chosen`` (faithful), ``rejected`` (not faithful).

    Args:
        data: JSON lines with ``article_sent``, ``correct_sent``, ``incorrect_sent``.
    """
    for split, where, raw in split_lines(data):
        document, right, wrong = (raw[k].strip() for k in ("article_sent", "correct_sent", "incorrect_sent"))
        if normalise(right) == normalise(wrong):
            yield SetAside(where, "the faithful and the unfaithful summary are the same text")
            continue
        columns = {"document": document, "chosen": right, "rejected": wrong}
        yield Record(where, split, (document, right, wrong), columns)


def open_answers(data: Files) -> Iterator[Item]:
    """``question``, ``answers`` (list of str, all of them right).

    Args:
        data: JSON lines with ``question`` and ``answer`` (list of str).
    """
    for split, where, raw in split_lines(data):
        question, answers = raw["question"].strip(), [a.strip() for a in raw["answer"] if a.strip()]
        if answers:
            yield Record(where, split, (question,), {"question": question, "answers": answers})
        else:
            yield SetAside(where, "no answer")


def passages(data: Files) -> Iterator[Item]:
    """``text``: field ``0`` of each line; the other fields are variants of the same text.

    Args:
        data: JSON lines with ``0``.
    """
    for split, where, raw in split_lines(data):
        text = raw["0"].strip()
        yield Record(where, split, (text,), {"text": text})
