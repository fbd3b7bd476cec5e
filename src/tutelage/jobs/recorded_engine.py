"""An engine that is asked once for anything: what it said and scored is on the disk before more is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tutelage.errors import Interrupted, RangeError
from tutelage.models.score_cache import ScoreCache, model_identity
from tutelage.refine.calls import CallCache, engine_identity
from tutelage.types import Chat, Completion, Engine, Sampling, TokenScores, TokenSequence

__all__ = ["RecordedEngine", "identity_of"]

_CHUNK = 128  # sequences scored before they are put on the disk


def identity_of(engine: Engine) -> str:
    """A hash of all that an engine's answers depend on: weights, adapter, tokenizer, chat template, number format.

    An engine behind a server cannot tell its weights; it is known by its name.
    """
    loaded = getattr(engine, "loaded", None)
    return model_identity(loaded) if loaded is not None else engine_identity(engine)


class _Known:
    """An engine under an identity, as :class:`tutelage.refine.calls.CallCache` asks for it."""

    def __init__(self, engine: Engine, identity: str) -> None:
        self.name, self.identity = engine.name, identity
        self.generate, self.score, self.encode = engine.generate, engine.score, engine.encode


class RecordedEngine:
    """``engine`` with a memory in ``folder``: ``calls.jsonl`` for what it said, ``scores.sqlite`` for what it scored.

    Prompts are sent in batches of similar length. A process that is killed loses the batch under way and nothing else;
    the same batches follow, so the answers are those of a run that was never interrupted.

    Args:
        engine: who answers.
        folder: made when missing.
        identity: see :func:`identity_of`; None computes it.
        batch_size: prompts sent together.
        should_stop: asked before each batch.
        on_progress: told how many prompts or sequences of a call are done, and how many there are.

    Raises:
        StoreError: the folder cannot be written.
    """

    def __init__(
        self,
        engine: Engine,
        folder: Path,
        *,
        identity: str | None = None,
        batch_size: int = 32,
        should_stop: Callable[[], bool] | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.name = engine.name
        self.identity = identity or identity_of(engine)
        self._engine = _Known(engine, self.identity)
        self._tokenizer = getattr(engine, "tokenizer", None)
        self._folder = folder
        self._should_stop, self.on_progress = should_stop, on_progress
        self._calls = CallCache(folder / "calls.jsonl", batch_size=batch_size, before_call=self._before_batch)
        self._scores: ScoreCache | None = None
        self._under_way = (0, 0)

    @property
    def tokenizer(self) -> Any:
        """That of the engine, None where it has none."""
        return self._tokenizer

    @property
    def asked(self) -> int:
        """Prompts and sequences that the engine was really asked about."""
        return self._calls.calls + (self._scores.misses if self._scores else 0)

    @property
    def remembered(self) -> int:
        """Prompts and sequences that were known already."""
        return self._calls.hits + (self._scores.hits if self._scores else 0)

    @property
    def tokens(self) -> int:
        """Tokens that the engine spoke."""
        return self._calls.tokens

    def generate(
        self, prompts: Sequence[Chat], *, sampling: Sampling, n: int = 1, seed: int = 0
    ) -> list[list[Completion]]:
        """One completion of each prompt, without its token ids: those are not recorded.

        Raises:
            RangeError: more than one completion was asked for.
            Interrupted: the user asked to stop; every answer so far is kept.
        """
        if n != 1:
            raise RangeError(f"one completion is recorded of each prompt, not {n}")
        order = sorted(range(len(prompts)), key=lambda i: -sum(len(turn["content"]) for turn in prompts[i]))
        self._under_way = (self._calls.calls + self._calls.hits, len(prompts))
        said = self._calls.generate(self._engine, [prompts[i] for i in order], sampling=sampling, seed=seed)
        self._tell(len(prompts), len(prompts))
        place = {i: at for at, i in enumerate(order)}
        found = [said[place[i]] for i in range(len(prompts))]
        return [[Completion(one.text, (), one.finish)] for one in found]

    def score(
        self,
        sequences: Sequence[TokenSequence],
        *,
        top_k: int = 0,
        candidates: Sequence[Sequence[int]] | None = None,
    ) -> list[TokenScores]:
        """Log-probabilities of the tokens from ``start`` on, sequences with one prompt together.

        Raises:
            Interrupted: the user asked to stop; every score so far is kept.
        """
        if self._scores is None:
            self._scores = ScoreCache(self._folder / "scores.sqlite")
        found: dict[int, TokenScores] = {}
        for chunk in _chunks(sequences):
            self._check_stop()
            some = None if candidates is None else [candidates[i] for i in chunk]
            scored = self._scores.scored(
                self._engine.score, self.identity, [sequences[i] for i in chunk], top_k=top_k, candidates=some
            )
            found.update(zip(chunk, scored, strict=True))
            self._tell(len(found), len(sequences))
        return [found[i] for i in range(len(sequences))]

    def encode(self, prompt: Chat, completion: str = "") -> TokenSequence:
        """As the engine does."""
        return self._engine.encode(prompt, completion)

    def close(self) -> None:
        """Close the files; closing twice does nothing."""
        self._calls.close()
        if self._scores is not None:
            self._scores.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _before_batch(self) -> None:
        self._check_stop()
        before, total = self._under_way
        self._tell(self._calls.calls + self._calls.hits - before, total)

    def _check_stop(self) -> None:
        if self._should_stop is not None and self._should_stop():
            raise Interrupted(
                "stopped as asked; everything measured so far is kept",
                where=str(self._folder.parent),
                hint="give the same command again to go on",
            )

    def _tell(self, done: int, total: int) -> None:
        if self.on_progress is not None:
            self.on_progress(done, total)


def _chunks(sequences: Sequence[TokenSequence]) -> list[list[int]]:
    """Indices of sequences in chunks, those with one prompt never apart, longer prompts first."""
    by_prompt: dict[tuple[int, ...], list[int]] = {}
    for i, sequence in enumerate(sequences):
        by_prompt.setdefault(tuple(sequence.ids[: sequence.start]), []).append(i)
    chunks: list[list[int]] = []
    for _, members in sorted(by_prompt.items(), key=lambda entry: -len(entry[0])):
        if not chunks or len(chunks[-1]) >= _CHUNK:
            chunks.append([])
        chunks[-1] += members
    return chunks
