"""The engine that speaks and scores in process, with transformers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tutelage.errors import RangeError
from tutelage.io.paths import content_hash
from tutelage.models.loading import LoadedModel
from tutelage.models.prompt import prompt_ids, stop_token_ids
from tutelage.models.rollout import Rollout, cut_at_stop, sample
from tutelage.models.scoring import score_sequences
from tutelage.seeds import derive
from tutelage.types import Chat, Completion, Sampling, TokenScores, TokenSequence

__all__ = ["TransformersEngine"]


class TransformersEngine:
    """Generates and scores with a loaded model.

    Deterministic: a completion is a function of the model, the prompt, ``seed`` and its number among the ``n``; what
    else is in the call changes it only through rounding. Hence the same prompt given twice gets the same completions:
    ask for ``n=2`` to get two.

    Args:
        loaded: model and tokenizer; an adapter may be attached, switched on or off at any time.
        on_progress: called with (completions done, completions in all) as generation goes on.
    """

    def __init__(self, loaded: LoadedModel, *, on_progress: Callable[[int, int], None] | None = None) -> None:
        self.loaded = loaded
        self.name = loaded.name
        self.tokenizer = loaded.tokenizer
        self.on_progress = on_progress
        self.stop_ids = stop_token_ids(loaded.model, loaded.tokenizer)

    def generate(
        self, prompts: Sequence[Chat], *, sampling: Sampling, n: int = 1, seed: int = 0
    ) -> list[list[Completion]]:
        """``n`` completions of each prompt, in the order of the prompts.

        Args:
            prompts: chats, rendered with the model's chat template.
            sampling: how to draw; nothing is taken from the model's ``generation_config``.
            n: completions of each prompt; the prompt is read once.
            seed: any integer.

        Returns:
            ``len(prompts)`` lists of ``n``. ``token_ids`` are all tokens drawn, the one that ended the turn included;
            ``text`` leaves out special tokens, and everything from a stop string on.

        Raises:
            RangeError: ``n`` below 1 or sampling settings out of range.
            DataError: the chat template refuses a prompt.
        """
        if n < 1:
            raise RangeError(f"n is {n}, it must be at least 1")
        ids = [prompt_ids(self.tokenizer, prompt) for prompt in prompts]
        seeds = [derive(seed, "generate", content_hash(row), k) for row in ids for k in range(n)]
        done = 0

        def report(group: list[int], _: list[Rollout]) -> None:
            nonlocal done
            done += len(group)
            if self.on_progress is not None:
                self.on_progress(done, len(seeds))

        rows = [row for row in ids for _ in range(n)]
        rollouts = sample(self.loaded.model, self.tokenizer, rows, sampling, seeds, self.stop_ids, on_group=report)
        completions = [self._completion(rollout, sampling) for rollout in rollouts]
        return [completions[i : i + n] for i in range(0, len(completions), n)]

    def _completion(self, rollout: Rollout, sampling: Sampling) -> Completion:
        ids = rollout.token_ids
        text = str(self.tokenizer.decode(list(ids), skip_special_tokens=True))
        return Completion(cut_at_stop(text, sampling.stop), ids, "stop" if rollout.finished else "length")

    def score(
        self,
        sequences: Sequence[TokenSequence],
        *,
        top_k: int = 0,
        candidates: Sequence[Sequence[int]] | None = None,
    ) -> list[TokenScores]:
        """Natural-log probabilities of the tokens from ``start`` on; see :func:`score_sequences`."""
        return score_sequences(
            self.loaded.model, sequences, top_k=top_k, candidates=candidates, on_progress=self.on_progress
        )

    def encode(self, prompt: Chat, completion: str = "") -> TokenSequence:
        """Prompt through the chat template, then ``completion`` as plain text; ``start`` is where it begins.

        The two are tokenized apart, as when the model speaks, so that ``start`` falls on a token boundary. No
        end-of-turn token is added.
        """
        before = prompt_ids(self.tokenizer, prompt)
        after = self.tokenizer(completion, add_special_tokens=False).input_ids if completion else []
        return TokenSequence((*before, *after), len(before))
