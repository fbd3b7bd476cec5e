"""Chats as token ids, and the tokens that end an answer."""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tutelage.chat_template import render, token_ids
from tutelage.errors import DataError
from tutelage.types import Chat

__all__ = ["end_of_turn_id", "prompt_ids", "stop_token_ids"]


def prompt_ids(tokenizer: PreTrainedTokenizerBase, prompt: Chat) -> list[int]:
    """Token ids of a chat up to the place where the assistant speaks next.

    Args:
        tokenizer: with a chat template.
        prompt: at least one message; the last is usually the user's.

    Raises:
        DataError: the chat is empty, or the template makes nothing of it.
        ModelError: the template refuses it.
    """
    if not prompt:
        raise DataError("a prompt needs at least one message", hint="give [{'role': 'user', 'content': ...}]")
    ids = token_ids(tokenizer, render(tokenizer, prompt, header=True))
    if not ids:
        raise DataError("the chat template turns this chat into nothing", hint="check the model's chat template")
    return ids


def stop_token_ids(model: PreTrainedModel | None, tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """Ids of all tokens that end an answer, sorted.

    The end-of-text token, every end token that the model's generation settings name, and the special token that the
    chat template puts after an assistant's turn.
    """
    found = {tokenizer.eos_token_id}
    named = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    found.update(named if isinstance(named, list) else [named])
    found.add(_end_of_turn(tokenizer))
    return tuple(sorted(int(i) for i in found if i is not None))


def end_of_turn_id(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """The token that ends an assistant's turn: the one that the chat template writes, else the end-of-text token."""
    written = _end_of_turn(tokenizer)
    return tokenizer.eos_token_id if written is None else written


def _end_of_turn(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """First special token after the content of an assistant's turn, if the template writes one."""
    if not tokenizer.chat_template:
        return None
    answer = "qzx"
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": answer}]
    try:
        text = str(tokenizer.apply_chat_template(messages, tokenize=False))
    except Exception:  # a template that needs other roles or tools: the other stop tokens remain
        return None
    tail = text[text.rindex(answer) + len(answer) :] if answer in text else ""
    special = set(tokenizer.all_special_ids) | _added_special(tokenizer)
    return next((i for i in tokenizer(tail, add_special_tokens=False).input_ids if i in special), None)


def _added_special(tokenizer: PreTrainedTokenizerBase) -> set[int]:
    added: dict[int, Any] = getattr(tokenizer, "added_tokens_decoder", {})
    return {i for i, token in added.items() if token.special}
