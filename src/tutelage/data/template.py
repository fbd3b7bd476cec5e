"""Chat templates: what they write for a conversation, and where in it the assistant's turns stand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from transformers import PreTrainedTokenizerBase
from transformers.utils.chat_template_utils import render_jinja_template

from tutelage.chat_template import plain_chat, render, template_of, token_ids
from tutelage.errors import ModelError
from tutelage.types import Chat, Message

__all__ = ["Form", "earlier_spans", "form_of", "last_span"]

_PROBE = "Zq7Wx9"  # an answer that no template changes; what follows it is the end of the turn


@dataclass(frozen=True)
class Form:
    """How a template ends an assistant turn: ``end`` belongs to the turn, ``tail`` is written between turns."""

    end: str
    tail: str
    end_ids: tuple[int, ...]
    marked: bool


def form_of(tokenizer: PreTrainedTokenizerBase) -> Form:
    """How the tokenizer's template ends an assistant turn, found by rendering a plain conversation.

    Raises:
        ModelError: the template refuses even that, or leaves the answer out.
    """
    return _probe(tokenizer, template_of(tokenizer))


@lru_cache(maxsize=16)
def _probe(tokenizer: PreTrainedTokenizerBase, template: str) -> Form:
    """Learn the form from a plain conversation; ``template`` is in the key because it may be changed."""
    probe: list[Message] = [{"role": "user", "content": "a"}, {"role": "assistant", "content": _PROBE}]
    text = render(tokenizer, probe)
    place = text.rfind(_PROBE)
    if place < 0:
        raise ModelError("the chat template does not write the assistant's answer", hint="give the model a template")
    after = text[place + len(_PROBE) :]
    special = set(tokenizer.all_special_tokens) | {str(token) for token in tokenizer.added_tokens_decoder.values()}
    ends = [after.find(token) + len(token) for token in special if token.strip() and token in after]
    length = min(ends, default=0)
    return Form(
        end=after[:length],
        tail=after[length:],
        end_ids=tuple(token_ids(tokenizer, after[:length])) if length else (),
        marked="{% generation" in template or "{%- generation" in template,
    )


def last_span(tokenizer: PreTrainedTokenizerBase, form: Form, prompt: Chat, text: str) -> tuple[int, int]:
    """Characters of the last assistant turn in ``text``: after the header, with its end-of-turn token.

    Raises:
        ModelError: the template writes the prompt differently when generation starts from it.
    """
    start = _prompt_end(tokenizer, prompt, text)
    ends = bool(form.tail) and text.endswith(form.end + form.tail)
    return start, max(start, len(text) - len(form.tail)) if ends else len(text)


def _prompt_end(tokenizer: PreTrainedTokenizerBase, prompt: Chat, text: str) -> int:
    """Length of the rendered prompt, which must be how the whole conversation begins."""
    prefix = render(tokenizer, prompt, header=True)
    if not text.startswith(prefix):
        raise ModelError(
            "the chat template writes a prompt differently once its answer follows, so no mask can be right",
            where=str(tokenizer.name_or_path) or None,
            hint="use a template whose generation header is how its assistant turns begin",
        )
    return len(prefix)


def earlier_spans(
    tokenizer: PreTrainedTokenizerBase, form: Form, chat: list[Message], text: str
) -> list[tuple[int, int]]:
    """Characters of the assistant turns before the last, end-of-turn tokens included.

    Where the template has ``{% generation %}`` marks, they decide; otherwise the lengths of rendered prefixes.

    Raises:
        ModelError: the template rewrites earlier turns when others follow.
    """
    if form.marked:
        return _marked_spans(tokenizer, form, chat, text)
    spans = []
    for place, turn in enumerate(chat[:-1]):
        if turn["role"] != "assistant":
            continue
        try:
            start = _prompt_end(tokenizer, chat[:place], text)
        except ModelError as error:
            raise _rewritten(tokenizer) from error
        alone = render(tokenizer, chat[: place + 1])
        spans.append((start, _turn_end(tokenizer, form, alone, text)))
    return spans


def _turn_end(tokenizer: PreTrainedTokenizerBase, form: Form, alone: str, text: str) -> int:
    """Where a turn ends that others follow: with its end token where the template writes it there, else without."""
    for suffix in (form.tail, form.end + form.tail):
        end = len(alone) - len(suffix) if alone.endswith(suffix) else len(alone)
        if text.startswith(alone[:end]):
            return end
    raise _rewritten(tokenizer)


def _rewritten(tokenizer: PreTrainedTokenizerBase) -> ModelError:
    return ModelError(
        "the chat template rewrites earlier turns when others follow, so they cannot be learnt in one pass",
        where=str(tokenizer.name_or_path) or None,
        hint="learn the last turn only (turns='last')",
    )


def _marked_spans(
    tokenizer: PreTrainedTokenizerBase, form: Form, chat: list[Message], text: str
) -> list[tuple[int, int]]:
    """Spans between the template's own ``{% generation %}`` marks, with the end of turn that follows them."""
    tokens: dict[str, Any] = dict(tokenizer.special_tokens_map)
    result: Any = render_jinja_template(
        [plain_chat(chat)],
        chat_template=template_of(tokenizer),
        return_assistant_tokens_mask=True,
        **tokens,
    )
    rendered, marks = result
    if rendered[0] != text:
        raise ModelError("the chat template renders differently each time", where=str(tokenizer.name_or_path) or None)
    spans = []
    for start, end in marks[0]:
        if form.tail and text[start:end].endswith(form.end + form.tail):
            end -= len(form.tail)
        elif text.startswith(form.end, end):
            end += len(form.end)
        spans.append((start, end))
    return spans
