"""Which of two responses a model finds likelier, pair by pair; beside a reference, what preference training did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tutelage.errors import ConfigError, EngineError
from tutelage.measure.asking import CHARACTERS_A_TOKEN, Answers, Item
from tutelage.measure.results.table import MetricFacts
from tutelage.measure.suite import Suite, Task
from tutelage.stats import idealized_ranking_accuracy, pair_difficulty, ranked_right
from tutelage.stats.preference_optimum import BETAS
from tutelage.types import Engine, FloatArray

if TYPE_CHECKING:
    from tutelage.models.sequence_logprobs import Ending, SequenceLogprobs

__all__ = ["AgainstReference", "PairSums", "Ranking", "with_ending", "with_reference", "with_reference_scores"]

_SHARE = "share of pairs"
_SUFFIX = "-reference"


@dataclass(frozen=True)
class PairSums:
    """Log-probabilities of the preferred and the rejected response of N pairs."""

    chosen: SequenceLogprobs
    rejected: SequenceLogprobs

    def right(self, votes: FloatArray, *, normalised: bool = False) -> FloatArray:
        """[N] 1 where a pair is ranked right; see :func:`tutelage.stats.ranked_right`."""
        lengths = (self.chosen.lengths, self.rejected.lengths) if normalised else (None, None)
        return ranked_right(self.chosen.sums, self.rejected.sums, *lengths, votes=votes).astype(np.float64)

    @property
    def difference(self) -> FloatArray:
        """[N] nats by which the preferred response is the likelier."""
        return np.asarray(self.chosen.sums - self.rejected.sums, dtype=np.float64)


@dataclass(frozen=True)
class Ranking:
    """Whether the preferred response is the likelier: an item's first choice against its second.

    ``ranked`` compares whole responses, ``ranked_norm`` per token, ``margin`` is the difference in nats. ``shorter`` is
    what the responses' lengths alone would rank right; equal lengths count one half.

    Args:
        votes: share of raters who prefer the first, by item; 1 where none is given. At one half the pair is a tie.
        ending: whether the end token is scored too.
        places: file and line by item, for errors.

    Source: arXiv 2405.19534, definitions 2.3 and C.1.
    """

    votes: Mapping[str, float] = field(default_factory=dict)
    ending: Ending = "end"
    places: Mapping[str, str] = field(default_factory=dict)
    scores_text: bool = True

    @property
    def metrics(self) -> Mapping[str, MetricFacts]:
        """Rankings first."""
        return {
            "ranked": MetricFacts(unit=_SHARE),
            "ranked_norm": MetricFacts(unit=_SHARE),
            "shorter": MetricFacts(unit=_SHARE),
            "margin": MetricFacts(unit="nats"),
        }

    def settings(self) -> Mapping[str, object]:
        """The end of a response."""
        return {"ending": self.ending}

    def baselines(self, items: Sequence[Item]) -> Mapping[str, float]:
        """Lengths are counted in tokens, which only the engine knows."""
        del items
        return {}

    def cost(self, items: Sequence[Item]) -> tuple[float, float]:
        """Every prompt read once, both responses after it."""
        return 0.0, sum(len(i.shown) + sum(map(len, i.choices)) for i in items) / CHARACTERS_A_TOKEN

    def ask(self, engine: Engine, items: Sequence[Item], *, seed: int) -> Answers:
        """Score both responses of every pair; nothing is drawn."""
        del seed
        sums = self.sums(engine, items)
        votes = self.shares(items)
        ranked = sums.right(votes)
        shorter = np.sign(sums.rejected.lengths - sums.chosen.lengths) / 2 + 0.5
        values = {
            "ranked": ranked,
            "ranked_norm": sums.right(votes, normalised=True),
            "shorter": shorter,
            "margin": sums.difference,
        }
        likelier = tuple(i.choices[0 if d >= 0 else 1] for i, d in zip(items, sums.difference, strict=True))
        return Answers(values, likelier, likelier, {"ranked": float(shorter.mean())})

    def sums(self, engine: Engine, items: Sequence[Item]) -> PairSums:
        """Log-probabilities of both responses.

        Raises:
            EngineError: the engine has no tokenizer.
            DataError: a response without tokens, or whose tokens merge with the prompt's; file and line are named.
        """
        from tutelage.models.sequence_logprobs import SequenceLogprobs, response_sequence, summed  # loads torch

        tokenizer: Any = getattr(engine, "tokenizer", None)
        if tokenizer is None:
            raise EngineError("ranking responses needs the model's tokenizer", where=engine.name)
        sequences = [
            response_sequence(
                tokenizer,
                item.prompt,
                response,
                ending=self.ending,
                where=self.places.get(item.id, f"item {item.id}"),
            )
            for item in items
            for response in item.choices
        ]
        found = summed(engine.score(sequences))
        first, second = (SequenceLogprobs(found.sums[k::2], found.lengths[k::2]) for k in (0, 1))
        return PairSums(first, second)

    def shares(self, items: Sequence[Item]) -> FloatArray:
        """[N] share of raters who prefer the first response."""
        return np.array([self.votes.get(item.id, 1.0) for item in items], dtype=np.float64)


@dataclass(frozen=True)
class AgainstReference(Ranking):
    """What lies between a reference model and this one, pair by pair.

    ``reward_ranked`` is the reward accuracy that trainers log: the preferred response has gained more than the other.
    ``reference_ranked`` is the reference's ranking, ``turned_right`` whether a wrong pair became right, ``kept`` is 0
    where a right one became wrong.
    ``ideal`` is whether the optimum of the training objective ranks the pair right, for the median of the betas that
    are tried, ``ideal_min`` and ``ideal_max`` for the greatest and the least; ``gap`` is ``ideal`` minus what the model
    does. ``difficulty`` is the nats by which the reference prefers the wrong response, ``dpo_loss`` the model's loss.
    Where raters were divided there is no ideal and no gap.

    Args:
        identity: of the reference, for fingerprints.
        beta: of the loss.
        reference: its log-probabilities by item.

    Source: arXiv 2405.19534, remark 2.5, corollary 3.3, theorem 4.1.
    """

    identity: str = ""
    beta: float = 0.1
    reference: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def metrics(self) -> Mapping[str, MetricFacts]:
        """The reward accuracy first."""
        lower = {"gap": _SHARE, "difficulty": "nats", "dpo_loss": "nats"}
        higher = ("reward_ranked", "reference_ranked", "turned_right", "kept", "ideal", "ideal_min", "ideal_max")
        return {name: MetricFacts(unit=_SHARE) for name in higher} | {
            name: MetricFacts(higher_is_better=False, unit=unit) for name, unit in lower.items()
        }

    def settings(self) -> Mapping[str, object]:
        """Also the reference and the loss."""
        return {**super().settings(), "reference": self.identity, "beta": self.beta, "betas": list(BETAS)}

    def ask(self, engine: Engine, items: Sequence[Item], *, seed: int) -> Answers:
        """Score both responses of every pair; the reference's scores are there already."""
        del seed
        sums, votes = self.sums(engine, items), self.shares(items)
        first, second = np.array([self.reference[item.id] for item in items], dtype=np.float64).T
        before = first - second
        after = sums.difference
        was, now = ranked_right(first, second, votes=votes), sums.right(votes) == 1
        ideal = _ideal(first, second, votes)
        return Answers(
            {
                "reward_ranked": (after > before).astype(np.float64),
                "reference_ranked": was.astype(np.float64),
                "turned_right": (~was & now).astype(np.float64),
                "kept": (~was | now).astype(np.float64),
                "ideal": ideal["median"],
                "ideal_min": ideal["minimum"],
                "ideal_max": ideal["maximum"],
                "gap": ideal["median"] - now,
                "difficulty": pair_difficulty(first, second, self.beta).c,
                "dpo_loss": np.logaddexp(0.0, -self.beta * (after - before)),
            }
        )


def _ideal(first: FloatArray, second: FloatArray, votes: FloatArray) -> Mapping[str, FloatArray]:
    """By pair, NaN for ties. A lesser beta never makes a right pair wrong, so pairs follow the order of the betas."""
    if not (votes > 0.5).any():
        return dict.fromkeys(("minimum", "median", "maximum"), np.full(len(votes), np.nan))
    found = idealized_ranking_accuracy(first, second, votes, betas=BETAS)
    right = np.where(found.counted, found.right.astype(np.float64), np.nan)
    return {"minimum": right.min(axis=0), "median": np.median(right, axis=0), "maximum": right.max(axis=0)}


def with_ending(suite: Suite, ending: Ending) -> Suite:
    """The suite with that end of responses in its tasks of preference pairs."""
    return replace(
        suite,
        tasks=tuple(
            replace(task, method=replace(task.method, ending=ending)) if isinstance(task.method, Ranking) else task
            for task in suite.tasks
        ),
    )


def with_reference(suite: Suite, name: str, identity: str, beta: float) -> Suite:
    """The suite with a further task beside each of preference pairs: the same pairs against a reference model.

    Raises:
        ConfigError: it has no preference pairs.
    """
    more: list[Task] = []
    for task in suite.tasks:
        method = task.method
        if isinstance(method, Ranking):
            beside = AgainstReference(method.votes, method.ending, method.places, identity=identity, beta=beta)
            more.append(replace(task, name=task.name + _SUFFIX, method=beside))
    if not more:
        raise ConfigError(
            f"the suite {suite.name!r} has no preference pairs, so a reference model has no use",
            where="--reference",
            hint="leave it out, or measure a file of rows with prompt, chosen and rejected",
        )
    note = f"reference model: {name} ({identity[:12]}), beta {beta:g}"
    return replace(suite, tasks=(*suite.tasks, *more), notes=(*suite.notes, note))


def with_reference_scores(suite: Suite, reference: Engine) -> Suite:
    """The suite of :func:`with_reference` once the reference model has scored its pairs."""
    tasks = []
    for task in suite.tasks:
        if isinstance(task.method, AgainstReference):
            sums = task.method.sums(reference, task.items)
            columns = zip(sums.chosen.sums.tolist(), sums.rejected.sums.tolist(), strict=True)
            known = {item.id: pair for item, pair in zip(task.items, columns, strict=True)}
            task = replace(task, method=replace(task.method, reference=known))
        tasks.append(task)
    return replace(suite, tasks=tuple(tasks))
