"""Training in stages: documents are read as they are, then demonstrations are learnt.

A document is plain text: no chat template, no loss mask, every token counts. What a stage does, the house's loop does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tutelage.data import chat
from tutelage.errors import ConfigError, DataError, RangeError
from tutelage.io import contained
from tutelage.objectives import SupervisedFineTuning
from tutelage.training.balance import FixedBalance
from tutelage.training.settings import RolloutSettings, TrainSettings
from tutelage.training.task import Cost, Example, TrainingTask
from tutelage.training.trainer import Trainer

__all__ = ["Stage", "document_examples", "train_stages"]


@dataclass(frozen=True)
class Stage:
    """One stage: a name for its folder, what is learnt, and how."""

    name: str
    examples: Sequence[Example]
    settings: TrainSettings


def document_examples(
    documents: Mapping[str, str], tokenizer: PreTrainedTokenizerBase, *, window: int
) -> list[Example]:
    """Documents for next-token training on all of their tokens.

    The prompt of each example is one token that starts a text (the tokenizer's beginning, else its end of text);
    everything after it counts, the end of text included. A document longer than ``window`` is cut into pieces, each
    but the first beginning with the last token of the piece before, so that every token is learnt once.

    Args:
        documents: texts by id.
        tokenizer: without a template; special tokens in the texts are read as text.
        window: most tokens of an example.

    Raises:
        RangeError: a window below 2 tokens.
        DataError: an empty document, or a tokenizer without a token to begin and end a text with.

    Example:
        >>> document_examples({"a": "Spring is early."}, tokenizer, window=64)[0].prompt  # doctest: +SKIP
        (1,)
    """
    if window < 2:
        raise RangeError(f"a window of {window} tokens holds no prediction")
    end = tokenizer.eos_token_id
    start = end if tokenizer.bos_token_id is None else tokenizer.bos_token_id
    if start is None or end is None:
        raise DataError("the tokenizer has no token that ends a text", hint="set eos_token")
    for name, text in documents.items():
        if not text.strip():
            raise DataError("a document is empty", where=f"document {name}")
    coded = tokenizer(list(documents.values()), add_special_tokens=False, split_special_tokens=True)["input_ids"]
    found = []
    for name, body in zip(documents, coded, strict=True):
        ids = (start, *body, end)
        cuts = range(0, len(ids) - 1, window - 1)
        for number, at in enumerate(cuts):
            piece = ids[at : at + window]
            found.append(Example(name if len(cuts) == 1 else f"{name}#{number}", piece[:1], piece[1:]))
    return found


def train_stages(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    stages: Sequence[Stage],
    *,
    seed: int,
    folder: Path,
) -> dict[str, Cost]:
    """Train ``model`` in place, one stage after the other, each with an optimizer of its own.

    A call that was cut is continued by the same call: finished stages are read back, the one under way goes on.

    Args:
        model: causal LM; the parameters that require a gradient are trained.
        tokenizer: of the model.
        stages: in order, such as midtraining on documents and alignment fine-tuning.
        seed: of the order of the rows.
        folder: one folder a stage is made in it.

    Returns:
        What each stage cost.

    Raises:
        ConfigError: no stages, or two of one name.

    Source: the order of stages is that of arXiv 2605.02087; their optimizers were not published.
    """
    names = [one.name for one in stages]
    if not stages or len(set(names)) != len(names):
        raise ConfigError(f"stages need different names, not {names}", where="train_stages")
    costs = {}
    for stage in stages:
        task = TrainingTask(
            examples=stage.examples,
            parts={"sft": SupervisedFineTuning()},
            folder=contained(folder, stage.name),
            seed=seed,
            stop_ids=frozenset(chat.end_of_turn_ids(tokenizer)),
        )
        trainer = Trainer(model, tokenizer, task, stage.settings, FixedBalance(), RolloutSettings())
        trainer.resume()
        trainer.fit()
        costs[stage.name] = trainer.cost
    model.eval()
    return costs
