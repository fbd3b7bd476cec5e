"""Rows become examples: token ids for the student, and the prompt its teacher sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from transformers import PreTrainedTokenizerBase

from tutelage.data import chat
from tutelage.training.task import Example
from tutelage.types import Chat, Message, Row

__all__ = ["ExampleReport", "examples", "reference_chat"]

TEACHER_PROMPT = (
    "Reference answer:\n{answer}\n\n"
    "Use the reference answer to reply to the following message in your own words.\n\n{question}"
)
"""What the answer-conditioned teacher is shown in place of the last user turn. Changing it changes every RAFT run."""


@dataclass(frozen=True)
class ExampleReport:
    """The examples, and how many teacher prompts lost the beginning of their reference to fit the model's window."""

    examples: list[Example]
    context_truncated: int


def reference_chat(prompt: Chat, answer: str) -> list[Message]:
    """``prompt`` with the reference answer put before its last user turn."""
    *before, last = prompt
    asked = TEACHER_PROMPT.format(answer=answer, question=last["content"])
    return [*before, {"role": last["role"], "content": asked}]


def examples(
    rows: Sequence[Row], tokenizer: PreTrainedTokenizerBase, *, conditioned: bool, window: int, reply_tokens: int
) -> ExampleReport:
    """Tokenise ``rows``.

    Args:
        rows: validated rows; the completion is the supervision.
        tokenizer: with a chat template, or the documented plain format.
        conditioned: give the teacher the completion as a reference.
        window: the model's context length.
        reply_tokens: room kept for the student's own tokens after the teacher's prompt.
    """
    found, truncated = [], 0
    for row in rows:
        encoded = chat.encode(tokenizer, row)
        first = encoded.labels_mask.index(True)
        prompt, completion = encoded.ids[:first], encoded.ids[first:]
        teacher = None
        if conditioned:
            teacher, cut = _teacher_prompt(row, tokenizer, window - reply_tokens)
            truncated += cut
        made = Example(row["id"], prompt, completion, teacher, quality=row.get("quality"))
        if "responses" in row:
            made = replace(made, responses=_responses(row, tokenizer), scores=tuple(row["scores"]))
        found.append(made)
    return ExampleReport(found, truncated)


def _responses(row: Row, tokenizer: PreTrainedTokenizerBase) -> tuple[tuple[int, ...], ...]:
    """The tokens of every response that a row has."""
    found = []
    for text in row["responses"]:
        encoded = chat.encode(tokenizer, {**row, "completion": [{"role": "assistant", "content": text}]})
        found.append(tuple(encoded.ids[encoded.labels_mask.index(True) :]))
    return tuple(found)


def _teacher_prompt(row: Row, tokenizer: PreTrainedTokenizerBase, room: int) -> tuple[tuple[int, ...], bool]:
    """The conditioned prompt; a reference too long for ``room`` loses its beginning, never the question."""
    answer = row["completion"][-1]["content"]
    ids = tuple(chat.prompt_ids(tokenizer, reference_chat(row["prompt"], answer)))
    if len(ids) <= room:
        return ids, False
    tokens = tokenizer(answer, add_special_tokens=False)["input_ids"]
    kept = tokens[len(ids) - room :]
    shorter = str(tokenizer.decode(kept, skip_special_tokens=True)) if kept else ""
    return tuple(chat.prompt_ids(tokenizer, reference_chat(row["prompt"], shorter)))[-room:], True
