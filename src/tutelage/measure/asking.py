"""What is asked, and the three ways to ask: let the model speak, let it choose, let it predict a text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal, Protocol

import numpy as np

from tutelage.measure.results.table import MetricFacts
from tutelage.types import Chat, Completion, Engine, FloatArray, Message, Sampling, TokenSequence

__all__ = [
    "Answers",
    "Choosing",
    "Item",
    "Judge",
    "Method",
    "Predicting",
    "Speaking",
    "chance",
    "each",
    "plain_ids",
    "share_of_commonest",
]

CHARACTERS_A_TOKEN = 4.0
"""Of English text, for estimates of cost only."""


@dataclass(frozen=True)
class Item:
    """One thing that is asked.

    ``prompt`` is a chat, or text: a model that speaks gets it as the user's turn, one that chooses or predicts
    continues it as it stands, without the chat template. ``target`` is the right answer, of a choice one of
    ``choices``. ``groups`` are labels for breakdowns; items of one ``cluster`` are not independent.
    """

    id: str
    prompt: str | tuple[Message, ...]
    target: str = ""
    choices: tuple[str, ...] = ()
    groups: Mapping[str, str] = field(default_factory=dict)
    cluster: str | None = None

    @property
    def chat(self) -> Chat:
        """The prompt for a model that speaks."""
        return [{"role": "user", "content": self.prompt}] if isinstance(self.prompt, str) else list(self.prompt)

    @property
    def shown(self) -> str:
        """The prompt for people: its text, or its turns under their roles when there are several."""
        if isinstance(self.prompt, str):
            return self.prompt
        if len(self.prompt) == 1:
            return self.prompt[0]["content"]
        return "\n".join(f"{turn['role']}: {turn['content']}" for turn in self.prompt)


@dataclass(frozen=True)
class Answers:
    """What came of asking, in the order of the items: each metric's values [N] and, where there are such, the texts
    that were judged and the options that were taken. ``baselines`` are those that only the asked engine could tell.
    """

    values: Mapping[str, FloatArray]
    outputs: tuple[str, ...] | None = None
    choices: tuple[str, ...] | None = None
    baselines: Mapping[str, float] = field(default_factory=dict)


class Method(Protocol):
    """A way to ask about items."""

    @property
    def metrics(self) -> Mapping[str, MetricFacts]:
        """What its numbers mean; the first metric is the one that the recorded choice belongs to."""
        ...

    @property
    def scores_text(self) -> bool:
        """Whether it needs log-probabilities of given texts, which not every server gives."""
        ...

    def settings(self) -> Mapping[str, object]:
        """What besides the items decides the answers, for fingerprints."""
        ...

    def baselines(self, items: Sequence[Item]) -> Mapping[str, float]:
        """What guessing would score on these items, by metric, where it can be told."""
        ...

    def cost(self, items: Sequence[Item]) -> tuple[float, float]:
        """About how many tokens are spoken at most and how many are read."""
        ...

    def ask(self, engine: Engine, items: Sequence[Item], *, seed: int) -> Answers:
        """Ask about every item."""
        ...


Judge = Callable[[Sequence[Item], Sequence[Completion]], Mapping[str, FloatArray]]
"""Items and the model's answers to them in, values [N] of each metric out."""


def each(judge: Callable[[Item, Completion], Mapping[str, float]]) -> Judge:
    """A judge of all from a judge of one.

    Example:
        >>> judge = each(lambda item, said: {"correct": float(said.text == item.target)})
        >>> judge([Item("a", "1+1?", "2")], [Completion("2", (), "stop")])["correct"]
        array([1.])
    """

    def judge_all(items: Sequence[Item], said: Sequence[Completion]) -> Mapping[str, FloatArray]:
        found = [judge(item, one) for item, one in zip(items, said, strict=True)]
        names = list(found[0]) if found else []
        return {name: np.array([values[name] for values in found], dtype=np.float64) for name in names}

    return judge_all


@dataclass(frozen=True)
class Speaking:
    """The model answers in its own words, and a judge scores the answers.

    ``guess`` tells what the trivial answer would score; ``taken`` which option an answer names, for tasks with options.
    ``recorded`` is how many characters of an answer are kept in the results; None keeps all.
    """

    sampling: Sampling
    metrics: Mapping[str, MetricFacts]
    judge: Judge
    guess: Callable[[Sequence[Item]], Mapping[str, float]] | None = None
    taken: Callable[[Item, str], str] | None = None
    recorded: int | None = None
    scores_text: bool = False

    def settings(self) -> Mapping[str, object]:
        """The sampling."""
        return asdict(self.sampling)

    def baselines(self, items: Sequence[Item]) -> Mapping[str, float]:
        """From ``guess``."""
        return self.guess(items) if self.guess is not None and items else {}

    def cost(self, items: Sequence[Item]) -> tuple[float, float]:
        """Every answer at its cap, every prompt read once."""
        return len(items) * self.sampling.max_new_tokens, sum(len(i.shown) for i in items) / CHARACTERS_A_TOKEN

    def ask(self, engine: Engine, items: Sequence[Item], *, seed: int) -> Answers:
        """One answer to each prompt."""
        replies = engine.generate([item.chat for item in items], sampling=self.sampling, seed=seed)
        said = [reply[0] for reply in replies]
        named = None
        if self.taken is not None:
            named = tuple(self.taken(item, one.text) for item, one in zip(items, said, strict=True))
        return Answers(self.judge(items, said), tuple(one.text[: self.recorded] for one in said), named)


ChoiceRule = Literal["sum", "per_character", "calibrated"]


@dataclass(frozen=True)
class Choosing:
    r"""The option whose text the model finds the likeliest after the prompt, with a space between.

    With :math:`s_c=\sum_t \log p(c_t\mid prompt, c_{<t})`: ``"sum"`` takes the largest :math:`s_c`,
    ``"per_character"`` the largest :math:`s_c/|c|`, |c| in characters, ``"calibrated"`` the largest
    :math:`s_c - s^0_c`, where :math:`s^0_c` is the same after ``neutral`` text that asks nothing. Of equals the first
    counts. Each metric is 1 where the option taken is the target.

    Args:
        rules: the rule of each metric; the choice that is recorded is that of the first.
        neutral: text that asks nothing.
        version: of the metrics' definition.

    Source: the ``acc`` and ``acc_norm`` of language model evaluation (Brown et al. 2020 normalise likewise);
    calibration by a content-free prompt as pointwise mutual information (Holtzman et al. 2021).
    """

    rules: Mapping[str, ChoiceRule]
    neutral: str = "Answer:"
    version: int = 1
    scores_text: bool = True

    @property
    def metrics(self) -> Mapping[str, MetricFacts]:
        """Shares of right choices."""
        return {name: MetricFacts(unit="share right", version=self.version) for name in self.rules}

    def settings(self) -> Mapping[str, object]:
        """The rules."""
        return {"rules": dict(self.rules), "neutral": self.neutral}

    def baselines(self, items: Sequence[Item]) -> Mapping[str, float]:
        """The better of guessing and always taking the commonest answer; see :func:`chance`."""
        return dict.fromkeys(self.rules, chance(items)) if items else {}

    def cost(self, items: Sequence[Item]) -> tuple[float, float]:
        """Every prompt read once, every option after it."""
        return 0.0, sum(len(i.shown) + sum(map(len, i.choices)) for i in items) / CHARACTERS_A_TOKEN

    def ask(self, engine: Engine, items: Sequence[Item], *, seed: int) -> Answers:
        """Score every option of every item; nothing is drawn."""
        del seed
        sums = _option_sums(engine, [(item.prompt, item.choices) for item in items])
        neutral: dict[str, float] = {}
        if "calibrated" in self.rules.values():
            options = tuple(dict.fromkeys(option for item in items for option in item.choices))
            neutral = dict(zip(options, _option_sums(engine, [(self.neutral, options)])[0].tolist(), strict=True))
        taken: dict[str, list[str]] = {name: [] for name in self.rules}
        for item, found in zip(items, sums, strict=True):
            weights = {
                "sum": found,
                "per_character": found / np.array([max(1, len(option)) for option in item.choices]),
                "calibrated": found - np.array([neutral.get(option, 0.0) for option in item.choices]),
            }
            for name, rule in self.rules.items():
                taken[name].append(item.choices[int(np.argmax(weights[rule]))])
        targets = np.array([item.target for item in items], dtype=object)
        values = {
            name: (np.array(names, dtype=object) == targets).astype(np.float64).reshape(len(items))
            for name, names in taken.items()
        }
        recorded = tuple(taken[next(iter(self.rules))])
        return Answers(values, outputs=recorded, choices=recorded)


def _option_sums(engine: Engine, asked: Sequence[tuple[str | tuple[Message, ...], Sequence[str]]]) -> list[FloatArray]:
    """Log-probability of each option after its prompt; the options of one prompt are read behind it together."""
    sequences: list[TokenSequence] = []
    for prompt, options in asked:
        if isinstance(prompt, str):
            lead = plain_ids(engine, prompt)
            ends = [plain_ids(engine, f" {option}") for option in options]
            sequences += [TokenSequence((*lead, *end), len(lead)) for end in ends]
        else:
            sequences += [engine.encode(prompt, option) for option in options]
    scored = iter(engine.score(sequences))
    return [
        np.array([float(next(scored).logprobs.sum(dtype=np.float64)) for _ in options], dtype=np.float64)
        for _, options in asked
    ]


def plain_ids(engine: Engine, text: str) -> tuple[int, ...]:
    """Token ids of ``text`` by itself, without any chat template."""
    encoded = engine.encode([{"role": "user", "content": "text"}], text)
    return encoded.ids[encoded.start :]


@dataclass(frozen=True)
class Predicting:
    r"""How badly the model predicts a text: :math:`-\frac1{T-1}\sum_{t\ge2}\log p(x_t\mid x_{<t})`, nats per token.

    Args:
        max_tokens: tokens of a text that are read, at least 2.
        version: of the metric's definition.
    """

    max_tokens: int
    version: int = 1
    scores_text: bool = True

    @property
    def metrics(self) -> Mapping[str, MetricFacts]:
        """The loss, lower being better."""
        return {"nll": MetricFacts(higher_is_better=False, unit="nats per token", version=self.version)}

    def settings(self) -> Mapping[str, object]:
        """The cap."""
        return {"max_tokens": self.max_tokens}

    def baselines(self, items: Sequence[Item]) -> Mapping[str, float]:
        """None can be told."""
        del items
        return {}

    def cost(self, items: Sequence[Item]) -> tuple[float, float]:
        """Every text read once, up to the cap."""
        return 0.0, sum(min(len(i.shown) / CHARACTERS_A_TOKEN, self.max_tokens) for i in items)

    def ask(self, engine: Engine, items: Sequence[Item], *, seed: int) -> Answers:
        """Score every text; nothing is drawn."""
        del seed
        sequences = [TokenSequence(plain_ids(engine, item.shown)[: self.max_tokens], 1) for item in items]
        values = [-float(found.logprobs.mean(dtype=np.float64)) for found in engine.score(sequences)]
        return Answers({"nll": np.array(values, dtype=np.float64)})


def chance(items: Sequence[Item]) -> float:
    """What the better of two trivial answers would get right: guessing, mean of 1/(number of options); or, where all
    items have the same options, always the commonest answer.

    Example:
        >>> boolean = [Item(str(k), "?", "yes" if k else "no", ("no", "yes")) for k in range(4)]
        >>> chance(boolean), chance([Item("a", "?", "b", ("b", "c", "d", "e"))])
        (0.75, 0.25)
    """
    guessing = float(np.mean([1 / len(item.choices) for item in items]))
    if len(items) > 1 and len({item.choices for item in items}) == 1:
        return max(guessing, share_of_commonest(items))
    return guessing


def share_of_commonest(items: Sequence[Item]) -> float:
    """How often the commonest target is the right one: what saying it every time would score.

    Example:
        >>> share_of_commonest([Item("a", "?", "2"), Item("b", "?", "3"), Item("c", "?", "2"), Item("d", "?", "5")])
        0.5
    """
    return Counter(item.target for item in items).most_common(1)[0][1] / len(items)
