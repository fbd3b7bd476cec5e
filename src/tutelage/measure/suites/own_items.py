"""One item of a user's own suite, checked key by key."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tutelage import verify
from tutelage.errors import ConfigError, DataError, TutelageError, nearest
from tutelage.io import content_hash
from tutelage.measure.asking import Item
from tutelage.types import Message, Verifier

__all__ = ["CHOICE", "FREE_TEXT", "AskingConfig", "OwnItem", "groups_of", "own_item", "prompt_of", "text_of"]

CHOICE, FREE_TEXT = "choice", "free_text"
_RENAMED = {"named-choice": "choice"}  # the verifier of answers that name a choice, beside the choice by probability
_NEED_TARGET = ("exact", "contains", "number", "number-within", "named-choice", CHOICE, FREE_TEXT)
_KEYS = ("id", "prompt", "target", "scorer", "parameters", "choices", "groups", "cluster")
_ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class AskingConfig:
    """How the items of a task are asked and scored, unless an item says otherwise.

    ``scorer`` is the name of a verifier (with ``parameters``), ``choice`` (the option of the highest log-probability),
    ``named-choice`` (the reply names the option) or ``free_text`` (similarity of meaning to the target).
    """

    scorer: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    system: str = ""
    max_new_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    stop: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise ConfigError(f"max_new_tokens must be at least 1, not {self.max_new_tokens}")
        if not (0 <= self.temperature < math.inf and 0 < self.top_p <= 1):
            raise ConfigError("temperature must be 0 or more, top_p above 0 and at most 1")


@dataclass(frozen=True)
class OwnItem:
    """An item, where it stands, its scorer with parameters and, where that is one, the verifier."""

    item: Item
    where: str
    scorer: str
    parameters: Mapping[str, Any]
    verifier: Verifier | None


def own_item(value: Any, where: str, task: AskingConfig) -> OwnItem:
    """The item that ``value`` describes.

    Args:
        value: a table of the keys that :func:`tutelage.measure.suites.own.read_suite` names.
        where: file and line.
        task: what holds for all items of the task.

    Raises:
        DataError: anything in it cannot be used.
    """
    if not isinstance(value, Mapping):
        raise DataError("an item must be an object with a prompt", where=where, hint='{"prompt": ..., "target": ...}')
    for key in value:
        if key not in _KEYS:
            close = nearest(str(key), _KEYS)
            hint = f"did you mean {close!r}?" if close else f"an item has {', '.join(_KEYS)}"
            raise DataError(f"unknown key {key!r}", where=where, hint=hint)
    prompt = prompt_of(value.get("prompt"), task.system, where)
    target, choices = _target(value.get("target"), where), _choices(value.get("choices"), where)
    scorer = text_of(value.get("scorer", task.scorer or (CHOICE if choices else "")), "scorer", where)
    if not scorer:
        raise DataError("no scorer is named", where=where, hint='give the task or the item one, e.g. scorer = "number"')
    if scorer in _NEED_TARGET and not target.strip():
        raise DataError(f"the scorer {scorer!r} needs a target", where=where, hint="give the right answer as target")
    if scorer in (CHOICE, "named-choice"):
        _check_options(scorer, target, choices, where)
    identity = text_of(value.get("id", content_hash([prompt, target, list(choices)])[:16]), "id", where)
    if not identity:
        raise DataError("the id is empty", where=where, hint="leave it out, or give it a text")
    cluster = value.get("cluster")
    item = Item(
        identity,
        prompt,
        target,
        choices,
        groups_of(value.get("groups", {}), where),
        None if cluster is None else text_of(cluster, "cluster", where),
    )
    parameters = value.get("parameters", task.parameters)
    return OwnItem(item, where, scorer, parameters, _verifier(scorer, item, parameters, where))


def prompt_of(value: Any, system: str, where: str) -> str | tuple[Message, ...]:
    """Text as it is or messages, with ``system`` as the first of them where there is none; checked."""
    if isinstance(value, str) and value.strip():
        first: tuple[Message, ...] = ({"role": "system", "content": system}, {"role": "user", "content": value})
        return first if system else value
    if not isinstance(value, list) or not value:
        raise DataError("an item needs a prompt: text, or a list of messages", where=where)
    turns: list[Message] = []
    for k, turn in enumerate(value, start=1):
        if not isinstance(turn, Mapping) or set(turn) != {"role", "content"}:
            raise DataError(f"message {k} must have exactly a role and a content", where=where)
        if turn["role"] not in _ROLES or not isinstance(turn["content"], str):
            raise DataError(
                f"message {k} needs text and a role that is one of {', '.join(_ROLES)}, not {turn['role']!r}",
                where=where,
            )
        turns.append({"role": turn["role"], "content": turn["content"]})
    if turns[-1]["role"] != "user":
        raise DataError("the last message must be the user's: the model answers it", where=where)
    if system and turns[0]["role"] != "system":
        turns.insert(0, {"role": "system", "content": system})
    return tuple(turns)


def _target(value: Any, where: str) -> str:
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return text_of(value, "target", where)


def _choices(value: Any, where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, str) and one.strip() for one in value):
        raise DataError("choices must be a list of texts", where=where, hint='choices = ["yes", "no"]')
    return tuple(value)


def _check_options(scorer: str, target: str, choices: tuple[str, ...], where: str) -> None:
    if len(set(choices)) < 2 or len(set(choices)) < len(choices):
        raise DataError(f"the scorer {scorer!r} needs at least two choices, all different", where=where)
    if target not in choices:
        raise DataError(
            f"the target {target!r} is none of the choices", where=where, hint=f"it must be one of {list(choices)}"
        )


def groups_of(value: Any, where: str) -> dict[str, str]:
    """Labels by the name of their breakdown, checked."""
    if not isinstance(value, Mapping) or not all(isinstance(label, str) for label in value.values()):
        raise DataError("groups must map names to labels", where=where, hint='groups = {topic = "law"}')
    return {str(name): label for name, label in value.items()}


def text_of(value: Any, key: str, where: str) -> str:
    """A text, checked."""
    if not isinstance(value, str):
        raise DataError(f"{key} must be text, not {value!r}"[:200], where=where, hint="put it in quotes")
    return value


def _verifier(scorer: str, item: Item, parameters: Any, where: str) -> Verifier | None:
    """The verifier of that name, tried once so that a wrong parameter is found now and not after an hour."""
    if not isinstance(parameters, Mapping):
        raise DataError("parameters must map names to values", where=where, hint="parameters = {least = 20}")
    if scorer in (CHOICE, FREE_TEXT):
        if parameters:
            raise DataError(f"the scorer {scorer!r} takes no parameters", where=where, hint="leave them out")
        return None
    given = {**parameters, "choices": list(item.choices)} if scorer == "named-choice" else dict(parameters)
    try:
        verifier = verify.get(_RENAMED.get(scorer, scorer), **given)
        for text in ("A text to try it on.", "{}"):
            verifier(item.chat, text, item.target or None)
    except TutelageError as error:
        hint = error.hint
        if scorer not in verify.names():
            hint = f"{hint or ''}; besides these: choice, named-choice, free_text".lstrip("; ")
        raise DataError(error.what, where=where, hint=hint) from error
    except (TypeError, ValueError, AttributeError) as error:
        raise DataError(f"the scorer {scorer!r} cannot use its parameters: {error}", where=where) from error
    return verifier
