"""The few frozen dataclasses and Protocols that every room shares.

Shapes: B batch, T tokens, V vocabulary, K kept candidates, N items. Importing this module loads no torch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NotRequired, Protocol, TypedDict, runtime_checkable

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError, ShapeError

if TYPE_CHECKING:
    import torch

__all__ = [
    "Arm",
    "Chat",
    "Comparison",
    "Completion",
    "Engine",
    "Estimate",
    "FloatArray",
    "IntArray",
    "Loss",
    "Message",
    "Outcome",
    "Refined",
    "Refiner",
    "Row",
    "Sampling",
    "Scores",
    "TokenScores",
    "TokenSequence",
    "Verdict",
    "Verifier",
]

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]

Arm = Literal["base", "sft", "sdft", "opd", "raft"]


class Message(TypedDict):
    """One turn of a chat, in the Hub's format."""

    role: str
    content: str


Chat = Sequence[Message]


class Row(TypedDict):
    """One supervised example, in TRL's conversational prompt/completion form plus an id.

    ``prompt`` ends with a user turn; ``completion`` holds the assistant's answer to it. ``group`` names the
    cluster a row belongs to (rows of one group never straddle a split); ``choices`` lists the admissible answers
    where the task is a choice; ``reference`` is the gold answer that a metric checks (default: the completion).
    ``quality`` orders the rows of a curriculum; ``responses`` with ``scores`` are answers to be ranked.
    """

    id: str
    prompt: list[Message]
    completion: list[Message]
    group: NotRequired[str]
    choices: NotRequired[list[str]]
    reference: NotRequired[str]
    quality: NotRequired[float]
    responses: NotRequired[list[str]]
    scores: NotRequired[list[float]]


@dataclass(frozen=True)
class Sampling:
    """How to draw tokens. The defaults sample the model's own distribution, untruncated.

    ``top_p`` and ``top_k`` are explicit so that a model's ``generation_config`` can never truncate an on-policy
    distribution silently. ``temperature == 0`` is greedy decoding.
    """

    max_new_tokens: int = 256
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    stop: tuple[str, ...] = ()


@dataclass(frozen=True)
class Completion:
    """What an engine said; ``finish`` is ``"stop"`` (end-of-turn token or stop string) or ``"length"`` (the cap)."""

    text: str
    token_ids: tuple[int, ...]
    finish: Literal["stop", "length"]


@dataclass(frozen=True)
class TokenSequence:
    """Token ids of which those from ``start`` on are to be scored given all before."""

    ids: tuple[int, ...]
    start: int


@dataclass(frozen=True)
class TokenScores:
    """Natural-log probabilities of the scored tokens of one sequence.

    ``logprobs`` [T] float32; ``topk_ids`` [T, K] int64, ``topk_logprobs`` [T, K] float32; K = 0 if none were asked for.
    """

    logprobs: FloatArray
    topk_ids: IntArray
    topk_logprobs: FloatArray


@runtime_checkable
class Engine(Protocol):
    """Something that can speak and score: in process, on vLLM, or behind an OpenAI-compatible server."""

    name: str

    def generate(
        self, prompts: Sequence[Chat], *, sampling: Sampling, n: int = 1, seed: int = 0
    ) -> list[list[Completion]]:
        """``n`` completions of each prompt, in the order of the prompts."""
        ...

    def score(
        self,
        sequences: Sequence[TokenSequence],
        *,
        top_k: int = 0,
        candidates: Sequence[Sequence[int]] | None = None,
    ) -> list[TokenScores]:
        """Log-probabilities of the tokens from ``start`` on; ``candidates`` names ids to score at every position."""
        ...

    def encode(self, prompt: Chat, completion: str = "") -> TokenSequence:
        """Prompt through the chat template, then ``completion`` as plain text; ``start`` is where it begins."""
        ...


@dataclass(frozen=True)
class Verdict:
    """What a verifier found: ``score`` in [0, 1], a short human ``detail``, the verifier's ``version``."""

    score: float
    detail: str = ""
    version: int = 1


class Verifier(Protocol):
    """Prompt, text and reference in, verdict out. Never evaluates the text as code; time-limited."""

    def __call__(self, prompt: Chat, text: str, reference: str | None) -> Verdict:
        """Judge ``text`` as an answer to ``prompt``."""
        ...


@dataclass(frozen=True)
class Refined:
    """One row after refinement: the row (None when dropped), what happened to it, why, and how it came about."""

    row: Row | None
    outcome: Literal["kept", "changed", "dropped"]
    reason: str
    trace: Mapping[str, Any] = field(default_factory=dict)


class Refiner(Protocol):
    """Rows in, rows out, one :class:`Refined` per input row and in its order; resumable."""

    def __call__(self, rows: Iterable[Row]) -> Iterator[Refined]:
        """Refine ``rows`` one by one."""
        ...


@dataclass
class Loss:
    """One scalar to differentiate, with what it is made of.

    ``total`` [] has a gradient; ``per_token`` [B, T] float32 is unreduced and detached; ``stats`` are plain numbers
    for the log (mass, overlap, ...).
    """

    total: torch.Tensor
    per_token: torch.Tensor | None = None
    stats: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Scores:
    """One value per item with its id: the only thing a metric may return.

    ``ids`` [N] unique strings, ``values`` [N] float64, ``clusters`` [N] cluster of each item or None, ``outputs`` [N]
    the text that was judged or None. ``proportion`` says that every value is 0 or 1.
    """

    metric: str
    ids: tuple[str, ...]
    values: FloatArray
    clusters: tuple[str, ...] | None = None
    outputs: tuple[str, ...] | None = None
    higher_is_better: bool = True
    version: int = 1

    def __post_init__(self) -> None:
        n = len(self.ids)
        if self.values.shape != (n,):
            raise ShapeError(f"{self.metric}: {n} ids but values of shape {self.values.shape}")
        for name, column in (("clusters", self.clusters), ("outputs", self.outputs)):
            if column is not None and len(column) != n:
                raise ShapeError(f"{self.metric}: {n} ids but {len(column)} {name}")
        if len(set(self.ids)) != n:
            twice = Counter(self.ids).most_common(1)[0][0]
            raise DataError("an item id stands twice", where=f"metric {self.metric}, item {twice!r}")

    @property
    def proportion(self) -> bool:
        """True when every value is exactly 0 or 1."""
        return bool(np.isin(self.values, (0.0, 1.0)).all())


@dataclass(frozen=True)
class Estimate:
    """A number with its interval: never print one without the other."""

    value: float
    low: float
    high: float
    level: float
    method: str
    n: int
    n_clusters: int
    seed: int | None = None


Outcome = Literal["A>B", "B>A", "tied", "underpowered"]


@dataclass(frozen=True)
class Comparison:
    """``delta`` = mean(b) - mean(a) on the same items; ``discordant`` = (only a right, only b right)."""

    delta: Estimate
    p: float
    p_adjusted: float
    test: str
    n_pairs: int
    discordant: tuple[int, int]
    minimum_detectable: float
    outcome: Outcome
