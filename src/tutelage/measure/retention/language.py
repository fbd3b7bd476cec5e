"""Probes of the distribution itself: how well general text is predicted, how far a model has moved from the base."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tutelage import assets
from tutelage.errors import DataError
from tutelage.io import content_hash
from tutelage.measure.asking import Answers, Item, Predicting
from tutelage.measure.results.table import MetricFacts
from tutelage.measure.retention.sizes import VERSION, SuiteSize, chosen
from tutelage.measure.suite import Task
from tutelage.types import Chat, Engine, FloatArray, Sampling, Scores, TokenScores, TokenSequence

__all__ = [
    "KEPT",
    "BaseReplies",
    "Distance",
    "base_replies",
    "distance_task",
    "general_prompts",
    "kl_to_base",
    "text_nll",
    "text_task",
    "truncated_kl",
]

KEPT = 64
"""Tokens of the base's distribution that are kept at every position; the rest is one bucket."""

_LEAST_PASSAGE = 500  # characters
_FLOOR = 1e-7  # float32 cannot tell a smaller rest from none


def text_task(n: int, max_tokens: int) -> Task:
    """How badly ``n`` held-out general passages are predicted; see :class:`tutelage.measure.asking.Predicting`.

    The passages are those of BoolQ's development split (Wikipedia), one of each.

    Args:
        n: passages.
        max_tokens: tokens of a passage, at least 2.

    Raises:
        AssetMissing: BoolQ is not installed.

    Source: BoolQ (Clark et al. 2019).
    """
    passages: dict[str, Mapping[str, Any]] = {}
    for row in assets.rows("boolq", "dev"):
        if len(row["passage"]) >= _LEAST_PASSAGE:
            passages.setdefault(row["group"], {"id": row["group"], "passage": row["passage"]})
    items = [Item(f"boolq:{row['id']}", row["passage"]) for row in chosen(passages.values(), n, "text")]
    return Task("text_nll", tuple(items), Predicting(max_tokens, VERSION), str(VERSION))


def text_nll(engine: Engine, n: int, max_tokens: int) -> Scores:
    """The scores of :func:`text_task`."""
    return text_task(n, max_tokens).measure(engine).only()


@dataclass(frozen=True)
class BaseReplies:
    """What the base said to general prompts, and its distribution there: made once, kept with the run.

    ``sequences[i]`` is prompt and reply in token ids; ``kept_ids[i]`` and ``kept_logprobs[i]`` [T, K] the likeliest
    tokens at each reply position; ``texts[i]`` the reply.
    """

    ids: tuple[str, ...]
    sequences: tuple[TokenSequence, ...]
    kept_ids: tuple[tuple[tuple[int, ...], ...], ...]
    kept_logprobs: tuple[tuple[tuple[float, ...], ...], ...]
    texts: tuple[str, ...]
    version: int = VERSION

    def to_dict(self) -> dict[str, Any]:
        """As plain data for a JSON file."""
        return {
            "version": self.version,
            "replies": [
                {"id": i, "ids": list(s.ids), "start": s.start, "kept_ids": k, "kept_logprobs": p, "text": t}
                for i, s, k, p, t in zip(
                    self.ids, self.sequences, self.kept_ids, self.kept_logprobs, self.texts, strict=True
                )
            ],
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> BaseReplies:
        """From :meth:`to_dict`.

        Raises:
            DataError: not such data, or of another version.
        """
        try:
            replies = value["replies"]
            made = cls(
                ids=tuple(str(r["id"]) for r in replies),
                sequences=tuple(TokenSequence(tuple(r["ids"]), int(r["start"])) for r in replies),
                kept_ids=tuple(tuple(tuple(row) for row in r["kept_ids"]) for r in replies),
                kept_logprobs=tuple(tuple(tuple(row) for row in r["kept_logprobs"]) for r in replies),
                texts=tuple(str(r["text"]) for r in replies),
                version=int(value["version"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"these are no base replies: {type(error).__name__}: {error}") from error
        if made.version != VERSION:
            raise DataError(
                f"base replies of version {made.version}, needed is {VERSION}", hint="measure the base again"
            )
        return made


def general_prompts(n: int) -> list[tuple[str, Chat]]:
    """``n`` prompts with their ids, in turn: an opening of a chat, an open question, "Tell me about TITLE.".

    Raises:
        AssetMissing: an asset is not installed.
    """
    openings = {r["group"]: {"id": r["group"], "text": r["prompt"]} for r in assets.rows("chat")}
    questions = [{"id": r["id"], "text": f"{r['question'].strip()}?".capitalize()} for r in assets.rows("nq-open")]
    about = {
        r["title"]: {"id": r["group"], "text": f"Tell me about {r['title']}."} for r in assets.rows("boolq", "dev")
    }
    about.pop("", None)
    sources = (("chat", openings.values()), ("nq", questions), ("boolq", about.values()))
    columns = [
        [(f"{name}:{row['id']}", row["text"]) for row in chosen(rows, math.ceil(n / 3), "replies")]
        for name, rows in sources
    ]
    flat = [item for triple in zip(*columns, strict=False) for item in triple]
    return [(i, [{"role": "user", "content": text}]) for i, text in flat[:n]]


def base_replies(engine: Engine, size: SuiteSize, *, seed: int = 0) -> BaseReplies:
    """Let the base answer general prompts, and keep its 64 highest log-probabilities at every token.

    Sampled at temperature 1, untruncated: the divergence is an expectation over what the base says. Replies without a
    single token are left out.

    Args:
        engine: the base model.
        size: how many prompts and tokens.
        seed: of the sampling.
    """
    prompts = general_prompts(size.replies)
    sampling = Sampling(max_new_tokens=size.reply_tokens)
    said = engine.generate([chat for _, chat in prompts], sampling=sampling, seed=seed)
    kept = [(i, chat, reply[0]) for (i, chat), reply in zip(prompts, said, strict=True) if reply[0].token_ids]
    sequences = []
    for _, chat, reply in kept:
        before = engine.encode(chat)
        sequences.append(TokenSequence((*before.ids[: before.start], *reply.token_ids), before.start))
    scored = engine.score(sequences, top_k=KEPT)
    return BaseReplies(
        ids=tuple(i for i, _, _ in kept),
        sequences=tuple(sequences),
        kept_ids=tuple(tuple(tuple(int(k) for k in row) for row in found.topk_ids) for found in scored),
        kept_logprobs=tuple(tuple(tuple(float(v) for v in row) for row in found.topk_logprobs) for found in scored),
        texts=tuple(reply.text for _, _, reply in kept),
    )


@dataclass(frozen=True)
class Distance:
    r"""KL(base || model) in nats per token, mean over each of the base's own replies.

    :math:`\frac1T\sum_t\big[\sum_{v\in K_t} p_v\log\frac{p_v}{q_v} + \bar p\log\frac{\bar p}{\bar q}\big]` with p the
    base, q the model, :math:`K_t` the base's 64 likeliest tokens and the bar for all others as one bucket. It never
    exceeds the exact divergence (data processing); with a full vocabulary it is the exact one. Model and base must
    share the vocabulary.

    Args:
        base: from :func:`base_replies`.

    Source: own derivation.
    """

    base: BaseReplies
    scores_text: bool = True

    @property
    def metrics(self) -> Mapping[str, MetricFacts]:
        """The distance, lower being nearer."""
        return {"kl": MetricFacts(higher_is_better=False, unit="nats per token", version=VERSION)}

    def settings(self) -> Mapping[str, object]:
        """The tokens of the replies, which the items show as text only."""
        return {"replies": content_hash([list(s.ids) for s in self.base.sequences])}

    def baselines(self, items: Sequence[Item]) -> Mapping[str, float]:
        """None can be told."""
        del items
        return {}

    def cost(self, items: Sequence[Item]) -> tuple[float, float]:
        """Every reply read once."""
        del items
        return 0.0, float(sum(len(s.ids) for s in self.base.sequences))

    def ask(self, engine: Engine, items: Sequence[Item], *, seed: int) -> Answers:
        """Score the base's tokens under ``engine``."""
        del seed
        place = {i: k for k, i in enumerate(self.base.ids)}
        order = [place[item.id] for item in items]
        wanted = [sorted({k for row in self.base.kept_ids[o] for k in row}) for o in order]
        scored = engine.score([self.base.sequences[o] for o in order], candidates=wanted)
        values = []
        for o, found, ids in zip(order, scored, wanted, strict=True):
            kept, logprobs = np.array(self.base.kept_ids[o]), np.array(self.base.kept_logprobs[o])
            values.append(float(truncated_kl(logprobs, _picked(found, ids, kept)).mean()))
        return Answers({"kl": np.array(values, dtype=np.float64)}, outputs=tuple(self.base.texts[o] for o in order))


def distance_task(base: BaseReplies) -> Task:
    """The distance from the base on its own replies; see :class:`Distance`."""
    return Task("kl_to_base", tuple(Item(i, "") for i in base.ids), Distance(base), str(VERSION))


def kl_to_base(engine: Engine, base: BaseReplies) -> Scores:
    """The scores of :func:`distance_task`."""
    return distance_task(base).measure(engine).only()


def _picked(found: TokenScores, ids: list[int], kept: np.ndarray[Any, np.dtype[np.int64]]) -> FloatArray:
    columns = np.searchsorted(np.array(ids), kept)
    picked: FloatArray = np.take_along_axis(np.asarray(found.topk_logprobs, dtype=np.float64), columns, axis=1)
    return picked


def truncated_kl(p_logs: FloatArray, q_logs: FloatArray) -> FloatArray:
    """KL over the kept tokens and one bucket for the rest, at each position.

    Args:
        p_logs: natural-log probabilities of the kept tokens under the first distribution [T, K].
        q_logs: of the same tokens under the second [T, K].

    Returns:
        [T] float64, at least 0. A rest below 1e-7 counts as 1e-7, the resolution of float32.

    Source: own derivation.

    Example:
        >>> float(truncated_kl(np.log([[0.5]]), np.log([[0.25]]))[0].round(4))
        0.1438
    """
    p, q = np.exp(p_logs.astype(np.float64)), np.exp(q_logs.astype(np.float64))
    rest_p, rest_q = np.maximum(1 - p.sum(axis=1), _FLOOR), np.maximum(1 - q.sum(axis=1), _FLOOR)
    kl: FloatArray = (p * (p_logs - q_logs)).sum(axis=1) + rest_p * np.log(rest_p / rest_q)
    return np.maximum(kl, 0.0)
