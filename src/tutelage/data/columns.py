"""Which columns of a row hold the question and the answer: TRL's names, unambiguous common ones, or the user's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tutelage.data.conversation import BadRow, check_chat
from tutelage.errors import DataError, nearest
from tutelage.types import Message

__all__ = ["FORMATS", "Layout", "find_layout", "wrong_columns"]

FORMATS = (
    "prompt, completion (text, or lists of messages)",
    "messages (a list of {role, content})",
    "question, answer",
    "instruction, output (and input)",
)

Chat = list[Message]
_SPEAKERS = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system"}
_PAIRS = (("question", "answer"), ("instruction", "output"), ("prompt", "response"), ("instruction", "response"))


@dataclass(frozen=True)
class Layout:
    """How to read a row: ``read`` gives its turns, unchecked as a whole; ``note`` says what was taken for what."""

    name: str
    read: Callable[[Mapping[str, Any]], Chat]
    note: str = ""


def find_layout(
    columns: Iterable[str], prompt_column: str | None = None, completion_column: str | None = None
) -> Layout | None:
    """The layout that a row with these columns has, or None when it has none that is known.

    Names match whatever their case and outer spaces. Order: the named columns; prompt and completion; messages;
    conversations; question and answer; instruction, output and input; prompt and response; instruction and response.

    Args:
        columns: the row's column names.
        prompt_column: the user's name for the prompt column; without it the known names are looked for.
        completion_column: likewise for the answer.

    Raises:
        DataError: two known pairs are there and nothing says which is meant, or only one column was named and the
            other cannot be told.

    Example:
        >>> find_layout(["Question", "Answer"]).note
        'columns Question and Answer were read as prompt and completion'
    """
    actual = {name.strip().casefold(): name for name in columns}
    if prompt_column or completion_column:
        return _named(actual, prompt_column, completion_column)
    if "prompt" in actual and "completion" in actual:
        return _pair(actual, "prompt", "completion")
    if "prompt" in actual and "responses" in actual and "scores" in actual:
        return _best_of(actual["prompt"], actual["responses"], actual["scores"])
    if "messages" in actual:
        return Layout("messages", _messages(actual["messages"]))
    if "conversations" in actual:
        name = actual["conversations"]
        return Layout("conversations", _conversations(name), f"column {name} was read as messages")
    found = [pair for pair in _PAIRS if pair[0] in actual and pair[1] in actual]
    if len(found) > 1:
        names = " or ".join(f"{prompt}/{answer}" for prompt, answer in found)
        raise DataError(f"it is not clear which columns to use: {names}", hint=_CURE)
    if not found:
        return None
    prompt, answer = found[0]
    return _pair(actual, prompt, answer, extra="input" if found[0][0] == "instruction" and "input" in actual else None)


_CURE = "name them with prompt_column and completion_column (--prompt-column, --completion-column)"


def wrong_columns(columns: Iterable[str], where: str) -> DataError:
    """The error for rows in which no question and answer can be found: what is there, what would do, what to do."""
    names = [str(name) for name in columns]
    shown = ", ".join(repr(name[:60]) for name in names[:20]) + (", ..." if len(names) > 20 else "")
    lowered = {name.strip().casefold() for name in names}
    hints = []
    if {"chosen", "rejected"} <= lowered:
        hints.append("this looks like preference data: completion_column='chosen' would train on the preferred answers")
    elif lowered == {"text"}:
        hints.append("this looks like plain text without questions: bring it into prompt and completion")
    for wanted in ("prompt", "completion", "messages"):
        close = nearest(wanted, names)
        if close and close.strip().casefold() != wanted:
            hints.append(f"is {close!r} meant to be {wanted!r}?")
    hints.append(f"rename the columns to one of: {'; '.join(FORMATS)}; or {_CURE}")
    return DataError(
        f"no question and answer columns among the columns found: {shown or 'none'}", where=where, hint=". ".join(hints)
    )


def _named(actual: dict[str, str], prompt: str | None, answer: str | None) -> Layout | None:
    prompts = (prompt,) if prompt else ("prompt", "question", "instruction", "input", "text")
    answers = (answer,) if answer else ("completion", "answer", "output", "response")
    first = [name for name in prompts if name.strip().casefold() in actual]
    second = [name for name in answers if name.strip().casefold() in actual]
    if not first or not second:
        return None
    if len(first) > 1 or len(second) > 1:
        many = first if len(first) > 1 else second
        raise DataError(f"only one column was named and the other could be {' or '.join(many)}", hint=_CURE)
    return _pair(actual, first[0].strip().casefold(), second[0].strip().casefold())


def _pair(actual: dict[str, str], prompt: str, answer: str, extra: str | None = None) -> Layout:
    first, second = actual[prompt], actual[answer]
    third = actual[extra] if extra else None

    def read(row: Mapping[str, Any]) -> Chat:
        question = _as_chat(row.get(first), first, "user", "empty_prompt")
        more = row.get(third) if third else None
        if more:
            if not isinstance(more, str) or len(question) != 1:
                raise BadRow("wrong_type", f"{third} must be text")
            question[0]["content"] += "\n\n" + more
        return question + _as_chat(row.get(second), second, "assistant", "empty_answer")

    plain = (prompt, answer) == ("prompt", "completion")
    joined = f" with {third} below the prompt" if third else ""
    note = "" if plain else f"columns {first} and {second} were read as prompt and completion{joined}"
    return Layout(f"{prompt}/{answer}", read, note)


def _best_of(prompt: str, responses: str, scores: str) -> Layout:
    """Several scored responses: the best is the answer, the earliest of equals."""

    def read(row: Mapping[str, Any]) -> Chat:
        given, values = row.get(responses), row.get(scores)
        if not isinstance(given, list) or not isinstance(values, list) or not given or len(given) != len(values):
            raise BadRow("wrong_type", f"{responses} and {scores} must be lists of the same length")
        if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in values):
            raise BadRow("wrong_type", f"{scores} must be numbers")
        best = given[max(range(len(given)), key=lambda i: (values[i], -i))]
        return _as_chat(row.get(prompt), prompt, "user", "empty_prompt") + _as_chat(
            best, responses, "assistant", "empty_answer"
        )

    return Layout("prompt/responses", read, f"the best of {responses} by {scores} was read as the completion")


def _as_chat(value: Any, column: str, role: str, empty: str) -> Chat:
    """Text as one turn of ``role``; a list as the turns it holds."""
    if isinstance(value, str):
        return [{"role": role, "content": value}]
    if value is None or value == []:
        raise BadRow(empty, f"{column} is empty")
    if isinstance(value, dict) and "role" in value:
        value = [value]
    if not isinstance(value, list):
        kind = "a number" if isinstance(value, int | float) else f"of type {type(value).__name__}"
        raise BadRow("wrong_type", f"{column} is {kind}; it must be text or a list of messages")
    if role == "user":
        return check_chat(value)
    lead: Chat = [{"role": "user", "content": "-"}]  # an answer is checked as what follows a question
    return check_chat([*lead, *value])[1:]


def _messages(column: str) -> Callable[[Mapping[str, Any]], Chat]:
    def read(row: Mapping[str, Any]) -> Chat:
        value = row.get(column)
        if isinstance(value, str):
            value = _parsed(value, column)
        if value is None:
            raise BadRow("empty_chat", f"{column} is null")
        return check_chat(value)

    return read


def _conversations(column: str) -> Callable[[Mapping[str, Any]], Chat]:
    def read(row: Mapping[str, Any]) -> Chat:
        value = row.get(column)
        if isinstance(value, str):
            value = _parsed(value, column)
        if not isinstance(value, list):
            raise BadRow("not_a_chat", f"{column} must be a list of turns")
        return check_chat([_renamed(turn) for turn in value])

    return read


def _renamed(turn: Any) -> Any:
    """A {from, value} turn as {role, content}; anything else untouched."""
    if not isinstance(turn, Mapping) or "from" not in turn:
        return turn
    speaker = turn["from"]
    role = _SPEAKERS.get(speaker, speaker) if isinstance(speaker, str) else speaker
    return {"role": role, "content": turn.get("value")}


def _parsed(text: str, column: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    raise BadRow("not_a_chat", f"{column} must be a list of messages; its text is not JSON")
