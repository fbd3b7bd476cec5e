"""Conversations as token ids, and which of them the model has to learn to say.

The ids of a prompt are those that generation starts from: the chat template with its generation header. What the
model learns is the assistant's text and the token that ends its turn, and nothing else: headers, other turns and
the white space that a template puts between turns are outside the mask. Works with any tokenizer of transformers
that has a chat template; without one, :data:`PLAIN_TEMPLATE` is used.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal

from transformers import PreTrainedTokenizerBase
from transformers.utils.chat_template_utils import render_jinja_template

from tutelage.data.conversation import BadRow, check_chat, split_answer
from tutelage.errors import ModelError, RangeError
from tutelage.types import Chat, Message, Row

__all__ = [
    "PLAIN_TEMPLATE",
    "Encoded",
    "completion_ids",
    "encode",
    "end_of_turn_ids",
    "prompt_ids",
    "render",
    "token_counter",
]

PLAIN_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '### ' + message['role'] | capitalize + ':\n' + message['content'] }}"
    "{{ (eos_token or '') if message['role'] == 'assistant' else '' }}{{ '\n\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '### Assistant:\n' }}{% endif %}"
)
"""The format for tokenizers without a template: ``### User:`` and ``### Assistant:`` headings, answers ended by EOS."""

_PROBE = "Zq7Wx9"  # an answer that no template changes; what follows it is the end of the turn
Turns = Literal["last", "all"]


@dataclass(frozen=True)
class Encoded:
    """One conversation as tokens.

    ``ids`` [T]; ``labels_mask`` [T] is True where the token is to be learnt. ``cut`` counts tokens that truncation
    removed, and ``reason`` says what is wrong with the example as it stands (None when nothing is): ``"truncated"``,
    ``"nothing_to_learn"`` (no True is left in the mask) or ``"no_end_of_turn"`` (the tokenizer has no token that ends
    a turn, so the model will not learn to stop).
    """

    ids: tuple[int, ...]
    labels_mask: tuple[bool, ...]
    cut: int = 0
    reason: str | None = None

    @property
    def start(self) -> int:
        """Place of the first token to learn; the length when there is none."""
        return self.labels_mask.index(True) if True in self.labels_mask else len(self.ids)


def encode(
    tokenizer: PreTrainedTokenizerBase,
    row: Row | Chat,
    *,
    turns: Turns | None = None,
    max_length: int | None = None,
) -> Encoded:
    """Tokens of a row or conversation, and the mask of those to learn.

    Up to the last answer the ids equal :func:`prompt_ids` of what stands before it, so training sees what generation
    starts from; the tokens of the answer never merge with the header's. What a template writes after the end of the
    last turn is left out.

    Args:
        tokenizer: of transformers; its chat template decides the format.
        row: a row (prompt and completion), or messages that end with an assistant turn.
        turns: ``"last"`` learns the last assistant turn (default for rows), ``"all"`` every one (default for messages).
        max_length: tokens to keep; the end is cut off, and the result says so.

    Returns:
        Ids, mask, and what is wrong if anything is.

    Raises:
        BadRow: not a conversation, or nothing is answered.
        ModelError: the template refuses the conversation or rewrites its earlier turns.

    Source: own derivation (prefix lengths of the rendered text; ``{% generation %}`` where the template has it).
    """
    if max_length is not None and max_length < 1:
        raise RangeError(f"max_length must be at least 1, not {max_length}")
    if isinstance(row, Mapping):
        chat: list[Message] = check_chat([*row["prompt"], *row["completion"]])
    else:
        chat = check_chat(list(row))
    turns = turns or ("last" if isinstance(row, Mapping) else "all")
    prompt, _ = split_answer(chat)
    form = _form(tokenizer)
    text = render(tokenizer, chat)
    spans = _spans(tokenizer, form, chat, text) if turns == "all" else []
    header = len(_checked_prefix(tokenizer, prompt, text))
    end = _last_end(form, text, header)
    spans = [*(span for span in spans if span[1] <= header), (header, end)]
    ids, mask = _tokens(tokenizer, text[:end], spans)
    reason = None
    if form.end_ids == ():
        eos = tokenizer.eos_token_id
        if eos is None:
            reason = "no_end_of_turn"
        else:
            ids, mask = [*ids, int(eos)], [*mask, True]
    return _truncated(ids, mask, reason, max_length)


def _truncated(ids: list[int], mask: list[bool], reason: str | None, limit: int | None) -> Encoded:
    cut = max(0, len(ids) - limit) if limit is not None else 0
    if cut:
        ids, mask, reason = ids[:limit], mask[:limit], "truncated"
    if True not in mask:
        reason = "nothing_to_learn"
    return Encoded(tuple(ids), tuple(mask), cut, reason)


def completion_ids(encoded: Encoded) -> tuple[int, ...]:
    """The tokens to learn, in order."""
    return tuple(token for token, learn in zip(encoded.ids, encoded.labels_mask, strict=True) if learn)


def prompt_ids(tokenizer: PreTrainedTokenizerBase, messages: Chat) -> list[int]:
    """Tokens that generation starts from: the conversation through the template, then the assistant's header.

    Args:
        tokenizer: of transformers.
        messages: a conversation that ends with a user turn.

    Returns:
        Ids, without any special token that the template does not write.

    Raises:
        BadRow: not a conversation, or it ends with the assistant.
        ModelError: the template refuses it.
    """
    chat = check_chat(list(messages))
    if chat[-1]["role"] != "user":
        raise BadRow("unanswered", f"a prompt must end with the user's turn, not the {chat[-1]['role']}'s")
    return _ids(tokenizer, render(tokenizer, chat, header=True))


def end_of_turn_ids(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """The tokens that end an assistant turn: what the template writes after an answer, up to its first special token.

    For a template that writes no special token there it is the tokenizer's EOS, which :func:`encode` then appends;
    empty when there is none either.

    Raises:
        ModelError: the template refuses even the plainest conversation.
    """
    form = _form(tokenizer)
    eos = tokenizer.eos_token_id
    return form.end_ids or (() if eos is None else (int(eos),))


def token_counter(tokenizer: PreTrainedTokenizerBase) -> Callable[[list[Message]], int]:
    """A function that counts the tokens of a whole conversation, for ``load_dataset_rows(count_tokens=...)``.

    Raises:
        ModelError: (from the function) the template refuses the conversation.
    """

    def count(chat: list[Message]) -> int:
        return len(_ids(tokenizer, render(tokenizer, chat)))

    return count


def render(tokenizer: PreTrainedTokenizerBase, chat: Chat, *, header: bool = False) -> str:
    """The text that the tokenizer's template makes of a conversation, with the assistant's ``header`` at the end.

    Raises:
        ModelError: the template refuses it, for instance because it knows no system turn.
    """
    template = _template(tokenizer)
    try:
        text = tokenizer.apply_chat_template(
            _plain(chat), chat_template=template, tokenize=False, add_generation_prompt=header
        )
    except Exception as error:  # jinja2 raises what the template's author chose
        roles = ", ".join(turn["role"] for turn in chat)
        raise ModelError(
            f"the chat template refuses a conversation of the turns {roles}: {error}",
            where=str(tokenizer.name_or_path) or None,
            hint="many templates know no system turn: move its text into the first user turn",
        ) from error
    return str(text)


def _plain(chat: Chat) -> list[dict[str, str]]:
    return [{"role": turn["role"], "content": turn["content"]} for turn in chat]


def _template(tokenizer: PreTrainedTokenizerBase) -> str:
    template = tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    return str(template) if template else PLAIN_TEMPLATE


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return [int(token) for token in tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]]


@dataclass(frozen=True)
class _Form:
    """How a template ends an assistant turn: ``end`` belongs to the turn, ``tail`` is written between turns."""

    end: str
    tail: str
    end_ids: tuple[int, ...]
    marked: bool


def _form(tokenizer: PreTrainedTokenizerBase) -> _Form:
    return _probe(tokenizer, _template(tokenizer))


@lru_cache(maxsize=16)
def _probe(tokenizer: PreTrainedTokenizerBase, template: str) -> _Form:
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
    return _Form(
        end=after[:length],
        tail=after[length:],
        end_ids=tuple(_ids(tokenizer, after[:length])) if length else (),
        marked="{% generation" in template or "{%- generation" in template,
    )


def _checked_prefix(tokenizer: PreTrainedTokenizerBase, before: Chat, text: str) -> str:
    """The rendered prompt, which must be how the whole conversation begins."""
    prefix = render(tokenizer, before, header=True)
    if not text.startswith(prefix):
        raise ModelError(
            "the chat template writes a prompt differently once its answer follows, so no mask can be right",
            where=str(tokenizer.name_or_path) or None,
            hint="use a template whose generation header is how its assistant turns begin",
        )
    return prefix


def _last_end(form: _Form, text: str, header: int) -> int:
    """Where the last turn ends, its end-of-turn token included."""
    if form.tail and text.endswith(form.end + form.tail):
        return max(header, len(text) - len(form.tail))
    return len(text)


def _spans(tokenizer: PreTrainedTokenizerBase, form: _Form, chat: list[Message], text: str) -> list[tuple[int, int]]:
    """Character spans of all assistant turns but the last, end of turn included."""
    if form.marked:
        return _marked_spans(tokenizer, form, chat, text)
    spans = []
    for place, turn in enumerate(chat[:-1]):
        if turn["role"] != "assistant":
            continue
        try:
            start = len(_checked_prefix(tokenizer, chat[:place], text))
        except ModelError as error:
            raise _rewritten(tokenizer) from error
        alone = render(tokenizer, chat[: place + 1])
        spans.append((start, _turn_end(tokenizer, form, alone, text)))
    return spans


def _turn_end(tokenizer: PreTrainedTokenizerBase, form: _Form, alone: str, text: str) -> int:
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
    tokenizer: PreTrainedTokenizerBase, form: _Form, chat: list[Message], text: str
) -> list[tuple[int, int]]:
    """Spans between the template's own ``{% generation %}`` marks, with the end of turn that follows them."""
    tokens: dict[str, Any] = dict(tokenizer.special_tokens_map)
    result: Any = render_jinja_template(
        [_plain(chat)],
        chat_template=_template(tokenizer),
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


def _tokens(
    tokenizer: PreTrainedTokenizerBase, text: str, spans: Sequence[tuple[int, int]]
) -> tuple[list[int], list[bool]]:
    """Ids of ``text`` and the mask of the tokens inside ``spans``, no token crossing the edge of one.

    The text is tokenized as a whole where its tokens respect the edges, because a piece alone can read differently
    (word-initial marks); where a token would cross an edge, as at generation time none can, the text is cut there.
    """
    edges = sorted({0, len(text), *(edge for span in spans for edge in span)})
    starts = [start for start, _ in spans]
    whole = _ids(tokenizer, text)
    pieces: list[list[int]] = []
    done: list[int] = []
    for first, last in pairwise(edges):
        upto = whole if last == len(text) else _ids(tokenizer, text[:last])
        if upto[: len(done)] == done and whole[: len(upto)] == upto:
            piece = upto[len(done) :]
        else:
            piece = _ids(tokenizer, text[first:last])
        pieces.append(piece)
        done = [*done, *piece]
    ids: list[int] = []
    mask: list[bool] = []
    for (first, _), piece in zip(pairwise(edges), pieces, strict=True):
        at = bisect_right(starts, first) - 1
        learn = at >= 0 and first < spans[at][1]
        ids += piece
        mask += [learn] * len(piece)
    return ids, mask
