"""Log-probability of a whole response given its prompt: its own tokens only, with or without the token that ends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tutelage.chat_template import render, token_ids
from tutelage.errors import DataError, ModelError, RangeError, ShapeError
from tutelage.models.prompt import end_of_turn_id
from tutelage.models.scoring import score_sequences
from tutelage.types import Chat, FloatArray, IntArray, TokenScores, TokenSequence

__all__ = ["Ending", "SequenceLogprobs", "response_sequence", "sequence_logprobs", "summed"]

Ending = Literal["end", "none"]
"""Whether the token that ends a response is scored with it. It changes rankings: decide, and say so."""


@dataclass(frozen=True)
class SequenceLogprobs:
    """``sums`` [N] float64, nats, of ``lengths`` [N] tokens."""

    sums: FloatArray
    lengths: IntArray

    @property
    def per_token(self) -> FloatArray:
        """[N] logarithm of the geometric mean probability of a token, nats."""
        found: FloatArray = self.sums / self.lengths
        return found


def response_sequence(
    tokenizer: PreTrainedTokenizerBase,
    prompt: str | Chat,
    response: str,
    *,
    ending: Ending = "end",
    where: str | None = None,
) -> TokenSequence:
    """Prompt and response as token ids; ``start`` is the response's first.

    A text is continued as it stands, with the special tokens that the tokenizer puts before a text; a chat goes through
    the chat template. Prompt and response are tokenised as one text, and it is checked that the prompt's own tokens are
    left as they are: what merges across the border would be scored as neither. A response that ends with the end token
    in writing does not get another.

    Args:
        tokenizer: of the model.
        prompt: text, or messages before the answer.
        response: text, not stripped.
        ending: ``"end"`` adds the token that ends a text or, after a chat, a turn; ``"none"`` adds nothing.
        where: what the row is called in errors.

    Raises:
        DataError: a prompt or response without tokens, or one whose tokens merge.
        ModelError: the template refuses the chat, or there is no token that ends anything.
        RangeError: another ``ending``.

    Source: TRL cuts at the last common token and warns once; own derivation otherwise.
    """
    if ending not in get_args(Ending):
        raise RangeError(f"ending is {ending!r}", hint="use 'end' or 'none'")
    plain = isinstance(prompt, str)
    text = prompt if isinstance(prompt, str) else render(tokenizer, prompt, header=True)
    before, whole = (_ids(tokenizer, one, plain) for one in (text, text + response))
    if not before:
        raise DataError("the prompt has no tokens", where=where, hint="a response is scored given something before it")
    if whole[: len(before)] != before:
        same = next(i for i, pair in enumerate(zip(before, [*whole, -1], strict=False)) if pair[0] != pair[1])
        lost = tokenizer.decode(before[same:])
        raise DataError(
            f"the end of the prompt, {lost!r}, and the beginning of the response become other tokens together",
            where=where,
            hint="end the prompt before its last space or line end, and begin the response with it",
        )
    if len(whole) == len(before):
        raise DataError("the response has no tokens", where=where, hint="leave the row out, or give it a text")
    if ending == "end":
        last = tokenizer.eos_token_id if plain else end_of_turn_id(tokenizer)
        if last is None:
            raise ModelError("the tokenizer has no token that ends a response", hint="score with ending='none'")
        whole = whole if whole[-1] == last else [*whole, int(last)]
    return TokenSequence(tuple(whole), len(before))


def _ids(tokenizer: PreTrainedTokenizerBase, text: str, plain: bool) -> list[int]:
    """Ids of a text; a rendered chat has its special tokens written in it already."""
    return [int(i) for i in tokenizer(text, verbose=False)["input_ids"]] if plain else token_ids(tokenizer, text)


def summed(scores: Sequence[TokenScores]) -> SequenceLogprobs:
    """Sums and lengths of scored tokens, added up in float64.

    Example:
        >>> one = TokenScores(np.array([-1.0, -2.0], dtype=np.float32), np.zeros((2, 0), int), np.zeros((2, 0)))
        >>> summed([one]).per_token
        array([-1.5])
    """
    sums = np.array([float(one.logprobs.sum(dtype=np.float64)) for one in scores], dtype=np.float64)
    return SequenceLogprobs(sums, np.array([len(one.logprobs) for one in scores], dtype=np.int64))


def sequence_logprobs(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str | Chat],
    responses: Sequence[str],
    *,
    ending: Ending = "end",
) -> SequenceLogprobs:
    r"""Log-probability of each response, :math:`\log\pi(y|x)=\sum_t\log\pi(y_t|x,y_{<t})`, over its tokens only.

    Nothing is padded into a sum: sequences are read with their own masks and positions (see
    :func:`tutelage.models.scoring.score_sequences`). Logits are normalised in float32 and summed in float64; a model
    in bfloat16 has rounded them before, so compare close pairs in float32.

    Args:
        model: causal LM in any mode.
        tokenizer: of the model; on which side it pads does not matter.
        prompts: [N] texts or chats.
        responses: [N].
        ending: see :func:`response_sequence`.

    Returns:
        Sums and lengths [N], the end token counted where there is one.

    Raises:
        DataError: see :func:`response_sequence`; the row is named by its place.
        ShapeError: another number of responses.

    Source: definition 2.3 of arXiv 2405.19534.
    """
    if len(prompts) != len(responses):
        raise ShapeError(f"{len(prompts)} prompts but {len(responses)} responses")
    sequences = [
        response_sequence(tokenizer, prompt, response, ending=ending, where=f"row {i}")
        for i, (prompt, response) in enumerate(zip(prompts, responses, strict=True))
    ]
    return summed(score_sequences(model, sequences))
