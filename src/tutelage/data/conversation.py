"""What counts as a conversation: the checks that every row and every prompt passes before a model sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tutelage.errors import DataError
from tutelage.types import Message

__all__ = ["ROLES", "BadRow", "check_chat", "is_blank", "split_answer"]

ROLES = ("system", "user", "assistant")

_INVISIBLE = " \t\r\n\v\f\u00a0\u200b\u200c\u200d\u2060\ufeff"


class BadRow(DataError):
    """A row or conversation that cannot be used; ``code`` is the reason in one word, for counting."""

    def __init__(self, code: str, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        self.code = code
        super().__init__(what, where=where, hint=hint)


def is_blank(text: str) -> bool:
    """True when a text holds nothing but white space and invisible characters."""
    return not text.strip(_INVISIBLE)


def check_chat(value: object) -> list[Message]:
    """The turns of a conversation, each with a role and a text.

    A conversation is an optional system turn, then user and assistant turns in alternation, the user's first.
    Content given as parts (``[{"type": "text", "text": ...}]``) is joined when every part is text; keys other than
    role and content are left out unless they carry meaning that would be lost (tool calls).

    Args:
        value: a list of ``{"role": ..., "content": ...}``.

    Returns:
        New messages holding role and content only.

    Raises:
        BadRow: codes ``not_a_chat``, ``empty_chat``, ``unknown_role``, ``no_content``, ``not_text``,
            ``system_not_first``, ``two_in_a_row``, ``starts_with_assistant``, ``tool_call``.

    Example:
        >>> check_chat([{"role": "user", "content": "Hi", "name": None}])
        [{'role': 'user', 'content': 'Hi'}]
    """
    if not isinstance(value, list | tuple):
        raise BadRow("not_a_chat", f"a chat must be a list of messages, not {_kind(value)}")
    if not value:
        raise BadRow("empty_chat", "the chat has no messages")
    chat = [_turn(item, place) for place, item in enumerate(value, start=1)]
    previous = ""
    for place, turn in enumerate(chat, start=1):
        role = turn["role"]
        if role == "system" and place > 1:
            raise BadRow("system_not_first", f"message {place} is a system turn; only the first may be one")
        if role == previous:
            raise BadRow("two_in_a_row", f"messages {place - 1} and {place} are both the {role}'s")
        if role == "assistant" and previous in ("", "system"):
            raise BadRow("starts_with_assistant", "the assistant speaks before the user")
        previous = role
    return chat


def split_answer(chat: Sequence[Message]) -> tuple[list[Message], list[Message]]:
    """A checked conversation as (all before the last assistant turn, that turn).

    Raises:
        BadRow: codes ``no_answer`` (no assistant turn), ``unanswered`` (turns after the last assistant turn),
            ``empty_prompt``, ``empty_answer``.

    Example:
        >>> split_answer([{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}])[1]
        [{'role': 'assistant', 'content': '4'}]
    """
    if not any(turn["role"] == "assistant" for turn in chat):
        raise BadRow("no_answer", "the chat has no assistant turn")
    if chat[-1]["role"] != "assistant":
        raise BadRow("unanswered", f"the last turn is the {chat[-1]['role']}'s; nothing answers it")
    prompt, answer = list(chat[:-1]), [chat[-1]]
    for place, turn in enumerate(prompt, start=1):
        if turn["role"] != "system" and is_blank(turn["content"]):
            raise BadRow("empty_prompt", f"message {place}, the {turn['role']}'s, is empty")
    if is_blank(answer[0]["content"]):
        raise BadRow("empty_answer", "the answer is empty")
    return prompt, answer


def _turn(item: object, place: int) -> Message:
    if not isinstance(item, dict):
        raise BadRow("not_a_chat", f"message {place} must be an object with role and content, not {_kind(item)}")
    if "role" not in item:
        found = ", ".join(str(key) for key in list(item)[:8]) or "none"
        raise BadRow("not_a_chat", f"message {place} has no role (keys: {found})")
    role = item["role"]
    if role not in ROLES:
        raise BadRow("unknown_role", f"message {place} has the role {str(role)[:40]!r}; known: {', '.join(ROLES)}")
    if item.get("tool_calls"):
        raise BadRow("tool_call", f"message {place} calls tools, which cannot be trained on here")
    return {"role": role, "content": _content(item.get("content"), place)}


def _content(content: Any, place: int) -> str:
    if isinstance(content, str):
        return content
    if content is None:
        raise BadRow("no_content", f"the content of message {place} is null or missing")
    if isinstance(content, list) and content:
        texts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
        if len(texts) == len(content) and all(isinstance(text, str) for text in texts):
            return "".join(str(text) for text in texts)
    raise BadRow("not_text", f"the content of message {place} is {_kind(content)}, not text")


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)
