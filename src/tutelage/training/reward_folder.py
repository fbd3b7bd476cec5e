"""A trained reward model as a folder, and back: language model, head, and the text around question and steps."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from tutelage.errors import CheckpointError, ModelError
from tutelage.io import atomic_folder, write_json
from tutelage.io.documents import read_json
from tutelage.io.tensors import load_tensors, save_tensors
from tutelage.models.export import TOLERANCE, write_model
from tutelage.models.loading import DtypeName, load
from tutelage.training.reward_heads import HeadRewardModel, PairTokenHead, ScalarHead

__all__ = ["load_reward_model", "save_reward_model"]

FORMAT = "tutelage-reward-model"
VERSION = 1
FACTS, HEAD, MODEL = "reward.json", "head.safetensors", "model"
_MARK = "\x1a"
_PROBE = ("What is 2 + 2?", ("2 + 2 = 4.", "So it is 4."))


def save_reward_model(model: HeadRewardModel, folder: str | Path) -> None:
    """Write ``model`` so that :func:`load_reward_model` gives one with the same scores.

    ``folder/model`` is a plain model in the Hub's layout, with adapters merged; beside it the head and
    ``reward.json``. The folder appears under its name only after what was written has scored a fixed solution like the
    model itself.

    Args:
        model: with a :class:`ScalarHead` or a :class:`PairTokenHead`.
        folder: must not exist.

    Raises:
        ModelError: another head, a prompt that is more than text around the question, or scores that differ.
        StoreError: the folder exists or the disk is full; nothing is left behind.
    """
    facts = {
        "format": FORMAT, "version": VERSION, "kind": model.kind, "separator": model.separator,
        "prompt": _around(model), "max_tokens": model.max_tokens, "head": _head(model),
    }  # fmt: skip
    expected = _scores(model)
    with atomic_folder(folder) as temporary:
        write_model(model.model, model.tokenizer, temporary / MODEL)
        if isinstance(model.head, ScalarHead):
            save_tensors(temporary / HEAD, model.head.state_dict())
        write_json(temporary / FACTS, facts)
        device = next(model.parameters()).device
        dtype: Any = str(model.model.dtype).removeprefix("torch.")
        found = _scores(load_reward_model(temporary, dtype=dtype, device=str(device)))
        if not all(math.isclose(a, b, abs_tol=TOLERANCE[dtype][1]) for a, b in zip(found, expected, strict=True)):
            raise ModelError(f"written, it scores {found} where the model scores {expected}", where=str(folder))


def load_reward_model(folder: str | Path, *, dtype: DtypeName = "auto", device: str = "auto") -> HeadRewardModel:
    """The reward model in ``folder``, in evaluation mode.

    Raises:
        CheckpointError: this is no folder of a reward model, or it is damaged.
        ModelError: the language model in it cannot be loaded.
    """
    place = Path(folder)
    facts = read_json(place / FACTS) if (place / FACTS).is_file() else {}
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise CheckpointError("this is no reward model", where=str(place), hint="save one with save_reward_model")
    if facts.get("version") != VERSION:
        raise CheckpointError(
            f"version {facts.get('version')} of a reward model", where=str(place / FACTS), hint="update tutelage"
        )
    loaded = load(str(place / MODEL), dtype=dtype, device=device)
    try:
        before, after = facts["prompt"]
        head: ScalarHead | PairTokenHead
        if facts["head"] == "scalar":
            head = ScalarHead(loaded.model).to(loaded.model.device)
            head.load_state_dict(load_tensors(place / HEAD))
        else:
            pos, neg = facts["head"]
            head = PairTokenHead(loaded.model, loaded.tokenizer, pos, neg)
        found = HeadRewardModel(
            loaded.model, loaded.tokenizer, head, facts["kind"], separator=facts["separator"],
            prompt=lambda question: before + question + after, max_tokens=facts["max_tokens"],
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"damaged: {error}", where=str(place), hint="save the reward model again") from error
    return found.eval()


def _around(model: HeadRewardModel) -> tuple[str, str]:
    """What stands before and after a question, if that is all that the prompt does."""
    before, found, after = model.prompt(_MARK).partition(_MARK)
    if not found or any(model.prompt(text) != before + text + after for text in (" a\n", "{}")):
        raise ModelError("the prompt is more than text around the question", hint="keep such a model in Python")
    return before, after


def _head(model: HeadRewardModel) -> Any:
    if isinstance(model.head, ScalarHead):
        return "scalar"
    if isinstance(model.head, PairTokenHead):
        return model.head.marks
    raise ModelError(
        f"a head of the type {type(model.head).__name__} has no form on disk", hint="ScalarHead and PairTokenHead have"
    )


def _scores(model: HeadRewardModel) -> list[float]:
    return model.score(_PROBE[0], [_PROBE[1]])[0]
