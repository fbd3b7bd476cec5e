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
from itertools import pairwise
from typing import Literal

from transformers import PreTrainedTokenizerBase

from tutelage.chat_template import PLAIN_TEMPLATE, render, token_ids
from tutelage.data.conversation import BadRow, check_chat, split_answer
from tutelage.data.template import earlier_spans, form_of, last_span
from tutelage.errors import RangeError
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
    form = form_of(tokenizer)
    text = render(tokenizer, chat)
    start, end = last_span(tokenizer, form, prompt, text)
    earlier = earlier_spans(tokenizer, form, chat, text) if turns == "all" else []
    spans = [*(span for span in earlier if span[1] <= start), (start, end)]
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
    return token_ids(tokenizer, render(tokenizer, chat, header=True))


def end_of_turn_ids(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """The tokens that end an assistant turn: what the template writes after an answer, up to its first special token.

    For a template that writes no special token there it is the tokenizer's EOS, which :func:`encode` then appends;
    empty when there is none either.

    Raises:
        ModelError: the template refuses even the plainest conversation.
    """
    form = form_of(tokenizer)
    eos = tokenizer.eos_token_id
    return form.end_ids or (() if eos is None else (int(eos),))


def token_counter(tokenizer: PreTrainedTokenizerBase) -> Callable[[list[Message]], int]:
    """A function that counts the tokens of a whole conversation, for ``load_dataset_rows(count_tokens=...)``.

    Raises:
        ModelError: (from the function) the template refuses the conversation.
    """

    def count(chat: list[Message]) -> int:
        return len(token_ids(tokenizer, render(tokenizer, chat)))

    return count


def _tokens(
    tokenizer: PreTrainedTokenizerBase, text: str, spans: Sequence[tuple[int, int]]
) -> tuple[list[int], list[bool]]:
    """Ids of ``text`` and the mask of the tokens inside ``spans``, no token crossing the edge of one.

    The text is tokenized as a whole where its tokens respect the edges, because a piece alone can read differently
    (word-initial marks); where a token would cross an edge, as at generation time none can, the text is cut there.
    """
    edges = sorted({0, len(text), *(edge for span in spans for edge in span)})
    starts = [start for start, _ in spans]
    whole = token_ids(tokenizer, text)
    pieces: list[list[int]] = []
    done: list[int] = []
    for first, last in pairwise(edges):
        upto = whole if last == len(text) else token_ids(tokenizer, text[:last])
        if upto[: len(done)] == done and whole[: len(upto)] == upto:
            piece = upto[len(done) :]
        else:
            piece = token_ids(tokenizer, text[first:last])
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
