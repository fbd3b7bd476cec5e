"""Heads that make a language model a reward model of outcomes or of steps.

Text is read once; a head looks at the last token of every step, or of the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tutelage.data.steps import steps_text, token_spans
from tutelage.errors import DataError, ModelError, RangeError
from tutelage.models.reward import RewardKind
from tutelage.models.rollout import evaluating, plan_groups
from tutelage.models.stepper import causal_model

__all__ = ["HeadRewardModel", "PairTokenHead", "ScalarHead"]


class ScalarHead(nn.Module):
    """A linear map from the hidden state to one logit, of zeros at first: every score starts at one half."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        width = causal_model(model).get_input_embeddings().weight.shape[1]
        self.map = nn.Linear(width, 1)
        nn.init.zeros_(self.map.weight)
        nn.init.zeros_(self.map.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        """[..., D] to [...]: the logit of "right"."""
        logits: Tensor = self.map(hidden)
        return logits[..., 0]


class PairTokenHead(nn.Module):
    """The model's own output layer, read at two tokens only: logit of ``pos`` minus logit of ``neg``.

    Its logistic is the probability of ``pos`` among the two. The output layer is the model's, so what trains the model
    trains it; there is nothing to save beside the model.

    Raises:
        ModelError: one of the marks is not one token, both are the same, or the model has no plain output layer.

    Source: arXiv 2510.00492, official code ("+" and "-").
    """

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, pos: str = "+", neg: str = "-"
    ) -> None:
        super().__init__()
        ids = []
        for mark in (pos, neg):
            found = tokenizer(mark, add_special_tokens=False)["input_ids"]
            if len(found) != 1:
                raise ModelError(
                    f"{mark!r} is {len(found)} tokens to this tokenizer",
                    hint="choose marks that are one token each, such as '+' and '-', with or without a space before",
                )
            ids.append(found[0])
        if ids[0] == ids[1]:
            raise ModelError(f"{pos!r} and {neg!r} are the same token", hint="choose two marks that differ")
        config = causal_model(model).config.get_text_config()
        if getattr(config, "final_logit_softcapping", None) or not isinstance(
            causal_model(model).get_output_embeddings(), nn.Linear
        ):
            raise ModelError("the logits of this model are no linear map of its last state", hint="use a ScalarHead")
        self.pos, self.neg = ids
        self.marks = (pos, neg)
        self._output = [causal_model(model).get_output_embeddings()]  # in a list: not a module of this one

    def forward(self, hidden: Tensor) -> Tensor:
        """[..., D] to [...]: the logit of "right"."""
        output = self._output[0]
        logits: Tensor = hidden @ (output.weight[self.pos] - output.weight[self.neg])
        return logits if output.bias is None else logits + output.bias[self.pos] - output.bias[self.neg]


class HeadRewardModel(nn.Module):
    """A head at the last token of every step (dPRM) or of the last step only (dORM).

    The text is the prompt and every step with a separator after it; the last token of a step is found by character
    offsets, so the tokenizer must be a fast one. Padding is masked; token ids have no meaning of their own here.

    Args:
        model: a causal language model, with or without an adapter.
        tokenizer: of the model.
        head: from hidden states to logits.
        kind: dORM or dPRM.
        separator: what stands after a step.
        prompt: from the question to what stands before the first step, such as a chat template.
        max_tokens: of a text; a longer one is an error, since a cut solution cannot be scored.

    Raises:
        ModelError: a slow tokenizer.
        RangeError: a generative kind.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        head: nn.Module,
        kind: RewardKind = "dPRM",
        *,
        separator: str = "\n\n",
        prompt: Callable[[str], str] = "{}\n\n".format,
        max_tokens: int = 4096,
    ) -> None:
        super().__init__()
        if kind not in ("dORM", "dPRM"):
            raise RangeError(f"a head makes a reward model of the kind dORM or dPRM, not {kind}")
        if not tokenizer.is_fast:
            raise ModelError("steps are found by character offsets, which need a fast tokenizer")
        self.model, self.head, self.kind = model, head, kind
        self.tokenizer, self.separator, self.prompt, self.max_tokens = tokenizer, separator, prompt, max_tokens

    def encode(self, question: str, steps: Sequence[str]) -> tuple[list[int], list[int]]:
        """Token ids, and the place of the last token of each step.

        Raises:
            DataError: no steps, a text that is too long, or a step in which no token ends.
        """
        if not steps:
            raise DataError("a solution without steps cannot be scored", where=f"question {question[:60]!r}")
        text, spans = steps_text(self.prompt(question), steps, self.separator)
        read = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        if len(read["input_ids"]) > self.max_tokens:
            raise DataError(
                f"{len(read['input_ids'])} tokens, at most {self.max_tokens} are read",
                where=f"question {question[:60]!r}",
                hint="raise max_tokens, or leave the solution out",
            )
        return list(read["input_ids"]), [end - 1 for _, end in token_spans(read["offset_mapping"], spans)]

    def logits(self, texts: Sequence[tuple[list[int], list[int]]]) -> list[Tensor]:
        """Logits of the places of every encoded text, with gradient; one forward pass over all, padded on the right."""
        longest = max(len(ids) for ids, _ in texts)
        device = next(self.model.parameters()).device
        table = torch.zeros(len(texts), longest, dtype=torch.int64, device=device)
        mask = torch.zeros_like(table)
        for row, (ids, _) in enumerate(texts):
            table[row, : len(ids)] = torch.tensor(ids, device=device)
            mask[row, : len(ids)] = 1
        decoder: Any = causal_model(self.model).base_model
        hidden = decoder(input_ids=table, attention_mask=mask, use_cache=False).last_hidden_state
        return [self.head(hidden[row, places]).float() for row, (_, places) in enumerate(texts)]

    def score(self, question: str, solutions: Sequence[Sequence[str]]) -> list[list[float]]:
        """As :class:`~tutelage.models.reward.RewardModel` says."""
        return self.score_all([(question, steps) for steps in solutions])

    def score_all(self, pairs: Sequence[tuple[str, Sequence[str]]]) -> list[list[float]]:
        """Scores of (question, steps), whatever the questions: batches of similar length."""
        texts = [self.encode(question, steps) for question, steps in pairs]
        if self.kind == "dORM":
            texts = [(ids, places[-1:]) for ids, places in texts]
        found: dict[int, list[float]] = {}
        with evaluating(self):
            for group in plan_groups([len(ids) for ids, _ in texts], budget=8192, rows=64):
                for i, logits in zip(group, self.logits([texts[i] for i in group]), strict=True):
                    found[i] = logits.sigmoid().tolist()
        return [found[i] for i in range(len(texts))]
