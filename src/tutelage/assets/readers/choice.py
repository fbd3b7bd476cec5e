"""Multiple choice and yes/no questions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tutelage.assets.readers.record import (
    Files,
    Item,
    Record,
    SetAside,
    identify,
    json_lines,
    lettered_answer,
    normalise,
    options,
    split_lines,
)

_FIRST_OPTION = re.compile(r"\n\s*A[.:]")

__all__ = ["boolq", "chat_choice", "choice", "clause_questions"]


def choice(data: Files) -> Iterator[Item]:
    """``question``, ``choices``, ``answer`` (index), and ``passage`` where there is one.

    Rows with two options of the same text, or whose answer is none of the options, are set aside: no scoring of the
    texts could tell right from wrong.

    Args:
        data: JSON lines with ``question``, ``options`` (``"A. x\\nB. y"``), ``answer``, perhaps ``passage``.
    """
    for split, where, raw in split_lines(data):
        answer = raw["answer"][0] if isinstance(raw["answer"], list) else raw["answer"]
        question = raw["question"].replace("\nPlease choose the correct option", "").strip()
        choices = options(raw["options"])
        if "?" not in question and choices and choices[-1].endswith("?") and not any("?" in c for c in choices[:-1]):
            question, choices[-1] = f"{question}?", choices[-1].removesuffix("?").strip()  # it stood after the options
        yield _row(where, split, question, (raw.get("passage") or "").strip(), choices, answer)


def chat_choice(data: Files) -> Iterator[Item]:
    """As :func:`choice`, from chats whose last user turn holds the question and its lettered options.

    Args:
        data: JSON lines with ``input`` (list of messages) and ``ideal`` (a letter).
    """
    for split, where, raw in split_lines(data):
        text = raw["input"][-1]["content"]
        opening = _FIRST_OPTION.search(text)
        if opening is None:
            yield SetAside(where, "no lettered options in the question")
            continue
        question, choices = text[: opening.start()].strip(), options(text[opening.start() :])
        yield _row(where, split, question, "", choices, f"{raw['ideal'].strip()}.")


def boolq(data: Files) -> Iterator[Item]:
    """``question``, ``passage``, ``title``, ``choices`` = ["no", "yes"], ``answer`` (1 = yes), ``group`` (the passage).

    Rows without a label (the hidden test set) are set aside. A row is in split ``dev`` if its question stands in the
    dev file with the same title, else in ``train``.

    Args:
        data: JSON lines under ``combined`` (question, passage, label) and ``dev`` (question, title).
    """
    dev = {(normalise(raw["question"]), normalise(raw["title"])) for path in data["dev"] for _, raw in json_lines(path)}
    for path in data["combined"]:
        for where, raw in json_lines(path):
            if not isinstance(raw.get("label"), bool):
                yield SetAside(where, "no label (hidden test set)")
                continue
            title, _, passage = raw["passage"].partition(" -- ")
            key = (normalise(raw["question"]), normalise(title))
            columns = {
                "question": raw["question"].strip(),
                "passage": (passage or title).strip(),
                "title": title.strip() if passage else "",
                "choices": ["no", "yes"],
                "answer": int(raw["label"]),
                "group": identify(raw["passage"]),
            }
            yield Record(where, "dev" if key in dev else "train", (raw["question"], raw["passage"]), columns)


def clause_questions(data: Files) -> Iterator[Item]:
    """``clause``, ``question``, ``answer`` (1: the clause answers the question), ``group`` (the question).

    Args:
        data: JSON lines with ``context``, ``question`` and ``answer`` (``"True"`` or ``"False"``).
    """
    for split, where, raw in split_lines(data):
        clause, question = raw["context"].strip(), raw["question"].strip()
        answer = {"true": 1, "false": 0}.get(str(raw["answer"]).strip().casefold())
        if answer is None or not clause or not question:
            yield SetAside(where, "no clause, no question, or an answer that is neither True nor False")
            continue
        columns = {"clause": clause, "question": question, "answer": answer, "group": identify(question)}
        yield Record(where, split, (clause, question), columns)


def _row(where: str, split: str, question: str, passage: str, choices: list[str], answer: str) -> Item:
    index, text = lettered_answer(answer)
    if index is None or (text and index < len(choices) and normalise(choices[index]) != normalise(text)):
        same = [i for i, c in enumerate(choices) if normalise(c) == normalise(text)]
        index = same[0] if len(same) == 1 else None
    if len(choices) < 2 or index is None or index >= len(choices):
        return SetAside(where, "the answer is none of the options")
    if any(not c for c in choices) or len({" ".join(c.split()) for c in choices}) < len(choices):
        return SetAside(where, "an option is empty or two have the same text")
    columns: dict[str, Any] = {"question": question}
    if passage:
        columns["passage"] = passage
    return Record(where, split, (passage, question, *choices), columns | {"choices": choices, "answer": index})
