"""A reward model of steps as the reward of reinforcement, with the outcome where the answer is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tutelage.data.steps import segment
from tutelage.errors import RangeError
from tutelage.functional.shaped_rewards import Shaping, outcome_rewards, shaped_rewards
from tutelage.models.reward import RewardModel
from tutelage.training.reward_heads import HeadRewardModel
from tutelage.types import Chat, Verdict, Verifier

__all__ = ["ProcessReward", "cut_at_blank_lines"]


def cut_at_blank_lines(text: str) -> list[str]:
    """The steps of a solution whose steps are paragraphs."""
    return [text[start:end] for start, end in segment(text)]


def _no_penalty(prompt: Chat, text: str) -> float:
    return 0.0


@dataclass(frozen=True)
class ProcessReward:
    r"""Outcome, shaped scores of steps, and a penalty of form: :math:`R = o + \sum_j r_j - p`, put into [0, 1].

    o is 1 or 0 by ``grader`` where there is a reference, else the constant ``unknown``; :math:`r_j` are
    :func:`~tutelage.functional.shaped_rewards.shaped_rewards`, whose sum is all that matters here:
    :func:`~tutelage.training.grpo.reinforce` takes one reward a completion. A text without steps gets the lowest
    shaped sum. R lies in [b - u - 1, 1 + b]; the verdict is its place in between, which changes no advantage within
    a group. There the constant drops out too: all completions of a group answer one prompt, so that ``unknown`` is
    never compared with true outcomes.

    Args:
        model: scores steps.
        steps: from a completion to its steps.
        grader: judges completions against references; None: no outcome counts.
        penalty: from prompt and completion to a number in [0, 1], such as
            :func:`~tutelage.verify.answer_penalty` of the text.
        scheme: of shaped rewards.
        upper: u, of shaped rewards.
        bonus: b, of shaped rewards.
        unknown: o where no answer is known.

    Raises:
        RangeError: a penalty outside [0, 1], and what :func:`shaped_rewards` refuses.

    Source: arXiv 2403.09472; there PPO with a reward a token, here a sum a sequence.
    """

    model: RewardModel | HeadRewardModel
    steps: Callable[[str], Sequence[str]] = cut_at_blank_lines
    grader: Verifier | None = None
    penalty: Callable[[Chat, str], float] = _no_penalty
    scheme: Shaping = "min"
    upper: float = 0.5
    bonus: float = 0.25
    unknown: float = 0.25

    def __call__(self, prompt: Chat, text: str, reference: str | None) -> Verdict:
        """The reward of ``text``, in [0, 1]."""
        right: bool | None = None
        if self.grader is not None and reference is not None:
            right = self.grader(prompt, text, reference).score >= 1
        shaped = self._shaped(prompt[-1]["content"], self.steps(text))
        cost = self.penalty(prompt, text)
        if not 0 <= cost <= 1:
            raise RangeError(f"the penalty of form is {cost}", hint="between 0 and 1")
        lowest = self.bonus - self.upper - 1
        total = float(outcome_rewards([right], unknown=self.unknown)) + shaped - cost
        return Verdict(
            min(1.0, max(0.0, (total - lowest) / (2 + self.upper))), f"steps {shaped:+.2f}, form {-cost:+.2f}"
        )

    def _shaped(self, question: str, steps: Sequence[str]) -> float:
        if not steps:
            return self.bonus - self.upper
        (scores,) = self.model.score(question, [steps])
        places = list(range(len(scores)))
        found = shaped_rewards(scores, places, len(scores), scheme=self.scheme, upper=self.upper, bonus=self.bonus)
        return float(found.sum())
