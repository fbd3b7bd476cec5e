"""Speaking under a control, and against another: the tokens that tell two controls apart are made likelier."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from torch import Tensor
from transformers import PreTrainedTokenizerBase

from tutelage.errors import ConfigError
from tutelage.models.controls import ControlSet
from tutelage.models.rollout import Rollout, sample
from tutelage.models.stepper import Stepper, make_stepper
from tutelage.types import Sampling

__all__ = ["ContrastStepper", "generate"]


class ContrastStepper:
    r"""Reads every row under two controls and gives log p_c + w (log p_c - log p_a) for the next token.

    c is the control asked for and a the one to keep away from; w = 0 is c alone. Rows see the same tokens under both.
    """

    def __init__(self, controls: ControlSet, control: str, against: str, weight: float, new_tokens: int) -> None:
        self.controls, self.names, self.weight = controls, (control, against), weight
        self.steppers: list[Stepper] = []
        for name in self.names:
            with controls.using(name):
                self.steppers.append(make_stepper(controls.model, new_tokens))

    def prefill(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """Read the prompts, each behind both controls; [B, V] contrasted log-probabilities."""
        found = []
        for name, stepper in zip(self.names, self.steppers, strict=True):
            with self.controls.using(name):
                found.append(stepper.prefill([[*self.controls.ids(name), *prompt] for prompt in prompts]))
        return self._contrasted(found)

    def step(self, tokens: Tensor) -> Tensor:
        """Append one token [b] to each row that is left; [b, V] contrasted log-probabilities of the next."""
        found = []
        for name, stepper in zip(self.names, self.steppers, strict=True):
            with self.controls.using(name):
                found.append(stepper.step(tokens))
        return self._contrasted(found)

    def drop(self, rows: list[int]) -> list[int]:
        """Forget rows; for each row that is left, its former number."""
        first, second = (stepper.drop(list(rows)) for stepper in self.steppers)
        assert first == second
        return first

    def _contrasted(self, found: Sequence[Tensor]) -> Tensor:
        wanted, other = (one.float().log_softmax(-1) for one in found)
        return wanted + self.weight * (wanted - other)


def generate(
    controls: ControlSet,
    tokenizer: PreTrainedTokenizerBase,
    prompt_ids: Sequence[Sequence[int]],
    *,
    control: str,
    sampling: Sampling,
    seeds: Sequence[int],
    stop_ids: Collection[int],
    contrast: float = 0.0,
    against: str | None = None,
) -> list[Rollout]:
    """One continuation of each prompt under ``control``.

    Args:
        controls: the model and its controls.
        tokenizer: to look for stop strings.
        prompt_ids: [B] prompts, without the control's tokens.
        control: the attribute asked for.
        sampling: how to draw, how long at most.
        seeds: [B] seed of each row's own stream.
        stop_ids: ids that end a row.
        contrast: w in log p_control + w (log p_control - log p_against); 0 reads the prompts once instead of twice.
        against: the attribute to keep away from; with two attributes it is the other one.

    Raises:
        RegistryError: an attribute that there is no control for.
        ConfigError: a contrast without ``against`` among more than two attributes, or against the control itself.

    Source: the contrast is our addition to MEET (arXiv 2310.00819), after contrastive and guided decoding.
    """
    if not contrast:
        whole = [(*controls.ids(control), *prompt) for prompt in prompt_ids]
        with controls.using(control):
            return sample(controls.model, tokenizer, whole, sampling, seeds, stop_ids)
    other = _other(controls, control, against)
    return sample(
        controls.model, tokenizer, prompt_ids, sampling, seeds, stop_ids,
        stepper=lambda limit: ContrastStepper(controls, control, other, contrast, limit),
    )  # fmt: skip


def _other(controls: ControlSet, control: str, against: str | None) -> str:
    controls.check(control)
    if against is None:
        rest = [name for name in controls.attributes if name != control]
        if len(rest) > 1:
            raise ConfigError(
                "a contrast among more than two attributes must say against which",
                where="generate(against=...)",
                hint=f"one of {', '.join(rest)}",
            )
        return rest[0]
    controls.check(against)
    if against == control:
        raise ConfigError(f"{control!r} cannot be contrasted with itself", where="generate(against=...)")
    return against
