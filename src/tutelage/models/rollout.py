"""The one decode loop: used by the engine and by training rollouts alike."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tutelage.errors import ShapeError
from tutelage.models.skinny_product import skinny_products
from tutelage.models.stepper import Stepper, make_stepper
from tutelage.models.token_draw import check_sampling, draw_tokens, uniform_stream
from tutelage.types import Sampling

__all__ = ["Rollout", "cut_at_stop", "evaluating", "plan_groups", "sample"]


@dataclass(frozen=True)
class Rollout:
    """Tokens drawn after a prompt. A ``finished`` one ends with its stop token, or with the token that completes a
    stop string; one that is not finished was cut at ``max_new_tokens``.
    """

    token_ids: tuple[int, ...]
    finished: bool


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode and no gradient; every module's mode is restored afterwards."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module in training:
            module.training = True


def plan_groups(lengths: Sequence[int], *, budget: int, rows: int) -> list[list[int]]:
    """Cut rows into groups of similar length, longest first.

    Args:
        lengths: tokens of each row.
        budget: most ``rows in group * longest of group``; a longer row gets a group of its own.
        rows: most rows in one group.

    Returns:
        Groups of indices into ``lengths``; together they hold each index once.

    Example:
        >>> plan_groups([3, 10, 4, 9], budget=20, rows=8)
        [[1, 3], [2, 0]]
    """
    groups: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        last = groups[-1] if groups else []
        if last and len(last) < rows and (len(last) + 1) * lengths[last[0]] <= budget:
            last.append(index)
        else:
            groups.append([index])
    return groups


def sample(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompt_ids: Sequence[Sequence[int]],
    sampling: Sampling,
    seeds: Sequence[int],
    stop_ids: Collection[int],
    *,
    on_group: Callable[[list[int], list[Rollout]], None] | None = None,
    stepper: Callable[[int], Stepper] | None = None,
) -> list[Rollout]:
    """Draw one continuation of each prompt.

    Exactly the distribution that ``sampling`` names: the model's ``generation_config`` (top_p, top_k, penalties, ...)
    is not read. A row's tokens are a function of its own seed and prompt; the other rows change them only through the
    rounding of batched sums.

    Args:
        model: causal LM, with or without adapter, in any mode; its mode is restored.
        tokenizer: to look for stop strings.
        prompt_ids: [B] prompts of at least one token each.
        sampling: how to draw, how long at most, stop strings.
        seeds: [B] seed of each row's own stream.
        stop_ids: ids that end a row; they are part of what is returned.
        on_group: called with row numbers and rollouts whenever a group of rows is done.
        stepper: makes what reads the prompts, given the most tokens to come; None is the model itself.

    Returns:
        [B] rollouts in the order of the prompts.

    Raises:
        ShapeError: not one seed a prompt, or an empty prompt.
        RangeError: sampling settings out of range.
        NumericalError: the model's logits are not finite.

    Source: own derivation.
    """
    check_sampling(sampling)
    if len(seeds) != len(prompt_ids):
        raise ShapeError(f"{len(prompt_ids)} prompts but {len(seeds)} seeds")
    for i, prompt in enumerate(prompt_ids):
        if not prompt:
            raise ShapeError("a prompt has no tokens", where=f"prompt {i}", hint="render it with the chat template")
    done: dict[int, Rollout] = {}
    budget, rows = (8192, 32) if model.device.type == "cpu" else (262144, 256)
    lengths = [len(p) + sampling.max_new_tokens for p in prompt_ids]
    with evaluating(model), skinny_products(model):
        for group in plan_groups(lengths, budget=budget, rows=rows):
            loop = _Loop(model, tokenizer, sampling, frozenset(stop_ids), stepper)
            rollouts = loop.run([prompt_ids[i] for i in group], [seeds[i] for i in group])
            done.update(zip(group, rollouts, strict=True))
            if on_group is not None:
                on_group(group, rollouts)
    return [done[i] for i in range(len(prompt_ids))]


@dataclass(frozen=True)
class _Loop:
    """Decodes one group of prompts to its end."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    sampling: Sampling
    stop_ids: frozenset[int]
    stepper: Callable[[int], Stepper] | None = None

    def run(self, prompts: Sequence[Sequence[int]], seeds: Sequence[int]) -> list[Rollout]:
        limit = self.sampling.max_new_tokens
        stepper = self.stepper(limit) if self.stepper is not None else make_stepper(self.model, limit)
        uniforms = torch.stack([uniform_stream(seed, limit) for seed in seeds]).to(self.model.device)
        drawn: list[list[int]] = [[] for _ in prompts]
        finished = [False] * len(prompts)
        active = list(range(len(prompts)))
        logits = stepper.prefill(prompts)
        for step in range(limit):
            tokens = draw_tokens(logits, self.sampling, uniforms[active, step])
            ended = []
            for place, token in enumerate(tokens.tolist()):
                row = active[place]
                drawn[row].append(token)
                if token in self.stop_ids or self._at_stop_string(drawn[row]):
                    finished[row] = True
                    ended.append(place)
            if len(ended) == len(active) or step == limit - 1:
                break
            if ended:
                order = stepper.drop(ended)
                active = [active[place] for place in order]
                tokens = tokens[order]
            logits = stepper.step(tokens)
        return [Rollout(tuple(ids), end) for ids, end in zip(drawn, finished, strict=True)]

    def _at_stop_string(self, ids: list[int]) -> bool:
        if not self.sampling.stop:
            return False
        longest = max(len(text.encode()) for text in self.sampling.stop)
        tail = self.tokenizer.decode(ids[-longest - 4 :], skip_special_tokens=True)
        return any(text in tail for text in self.sampling.stop)


def cut_at_stop(text: str, stops: Sequence[str]) -> str:
    """``text`` up to the first of the stop strings in it.

    Example:
        >>> cut_at_stop("42. Next question", [". ", "Next"])
        '42'
    """
    places = [text.index(stop) for stop in stops if stop in text]
    return text[: min(places)] if places else text
