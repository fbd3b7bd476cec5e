"""What the laboratory measures: one value per item, paired over arms by the item's id."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tutelage.functional.divergence import token_divergence
from tutelage.models.rollout import evaluating
from tutelage.models.scoring import score_sequences
from tutelage.papers.lab.arm import answers
from tutelage.papers.lab.base_model import tokenised
from tutelage.papers.lab.instructions import Exercise, follows
from tutelage.papers.lab.world import Fact
from tutelage.training.task import Example
from tutelage.types import Scores, TokenSequence

__all__ = ["base_replies", "contains", "divergence_from_base", "domain_accuracy", "instruction_following", "replies"]
__all__ += ["general_nll"]


def replies(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    *,
    temperature: float = 0.0,
    seed: int = 0,
) -> list[str]:
    """One reply of at most 48 tokens to each prompt, greedy unless ``temperature`` says otherwise."""
    return answers(model, tokenizer, prompts, temperature=temperature, seed=seed)


def contains(text: str, value: str) -> bool:
    """Whether ``value`` stands in ``text`` when case and white space do not count: the normalised substring.

    Example:
        >>> contains("ANS |  DUNREK | K7", "Dunrek")
        True
    """
    return _normal(value) in _normal(text)


def _normal(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().casefold()


def domain_accuracy(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, facts: Mapping[str, tuple[str, Fact]]
) -> Scores:
    """1 where the reply to a question holds the fact's value; ``facts`` maps an id to (question, fact)."""
    said = replies(model, tokenizer, [question for question, _ in facts.values()])
    right = [float(contains(text, fact.value)) for text, (_, fact) in zip(said, facts.values(), strict=True)]
    return Scores("domain_accuracy", tuple(facts), np.array(right), outputs=tuple(said))


def instruction_following(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, tasks: Sequence[Exercise]
) -> Scores:
    """1 where the reply obeys the format instruction, by rule."""
    said = replies(model, tokenizer, [task.prompt for task in tasks])
    right = [float(follows(task, text)) for task, text in zip(tasks, said, strict=True)]
    return Scores("instructions", tuple(task.id for task in tasks), np.array(right), outputs=tuple(said))


def base_replies(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, tasks: Sequence[Exercise], *, seed: int
) -> list[Example]:
    """The base model's own replies to general prompts, sampled at temperature 1, as token ids."""
    said = replies(model, tokenizer, [task.prompt for task in tasks], temperature=1.0, seed=seed)
    return tokenised([(task.id, task.prompt, text) for task, text in zip(tasks, said, strict=True)], tokenizer)


def divergence_from_base(base: PreTrainedModel, tuned: PreTrainedModel, written: Sequence[Example]) -> Scores:
    """Mean over each reply's tokens of KL(base || tuned) in nats, exact over the whole vocabulary; lower is better."""
    values = []
    for row in written:
        ids = torch.tensor([row.prompt + row.completion[:-1]], device=base.device)
        first = len(row.prompt) - 1
        with evaluating(base), evaluating(tuned):
            ours, theirs = (model(input_ids=ids).logits[0, first:] for model in (tuned, base))
        values.append(float(token_divergence(ours, theirs).values.mean()))
    ids_of = tuple(row.id for row in written)
    return Scores("divergence", ids_of, np.array(values), higher_is_better=False)


def general_nll(model: PreTrainedModel, rows: Sequence[Example]) -> Scores:
    """Mean negative log-probability of each held-out reply's tokens, in nats; lower is better."""
    scored = score_sequences(model, [TokenSequence(row.prompt + row.completion, len(row.prompt)) for row in rows])
    values = np.array([-float(one.logprobs.mean()) for one in scored])
    return Scores("general_nll", tuple(row.id for row in rows), values, higher_is_better=False)
