"""Every question put to an engine, asked once: a cache by content that survives a kill."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from tutelage.errors import EngineError, RangeError
from tutelage.io import JsonlLog, content_hash
from tutelage.types import Chat, Engine, Sampling

__all__ = ["CallCache", "Said", "engine_identity"]

_FINISHES = ("stop", "length")


@dataclass(frozen=True)
class Said:
    """What an engine answered: the text, how many tokens it took, and whether it came to its own end (``"stop"``)."""

    text: str
    tokens: int
    finish: Literal["stop", "length"]


def engine_identity(engine: Engine) -> str:
    """What tells one engine's answers from another's: its name and, where they can be told, weights and wording.

    An engine's own ``identity`` wins. Else the ``weights_hash`` of the engine or of the model it holds is joined to
    the name, with that model's number format and chat template. An engine behind a server has none of these and is
    known by its name alone; an adapter attached to a model after loading is not seen.
    """
    own = getattr(engine, "identity", None)
    if isinstance(own, str):
        return own
    loaded = getattr(engine, "loaded", None)
    for holder in (engine, loaded):
        weights = getattr(holder, "weights_hash", None)
        if isinstance(weights, str):
            template = getattr(getattr(loaded, "tokenizer", None), "chat_template", None)
            number_format = getattr(getattr(loaded, "model", None), "dtype", None)
            return f"{engine.name}@{content_hash([weights, str(template), str(number_format)])}"
    return engine.name


class CallCache:
    """Answers of engines by content hash, in memory and, with a path, in an append-only log.

    The key is the SHA-256 of the engine's identity, the prompt, the sampling settings and the seed. Prompts that are
    not known are sent ``batch_size`` at a time; each answered batch is on the disk (fsync) before the next is sent.
    A process killed at any moment has therefore lost at most the answers of the one batch that was under way.

    Args:
        path: the log; None keeps the answers in memory only.
        batch_size: prompts sent to an engine in one call.
        before_call: called before each call to an engine; what it raises ends the work, with all answers so far kept.

    Raises:
        RangeError: ``batch_size`` below 1.
        StoreError: the log cannot be opened.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        batch_size: int = 16,
        before_call: Callable[[], None] | None = None,
    ) -> None:
        if batch_size < 1:
            raise RangeError(f"batch_size is {batch_size}, it must be at least 1")
        self.batch_size, self.before_call = batch_size, before_call
        self.calls = self.tokens = self.hits = self.damaged = 0
        self._known: dict[str, Said] = {}
        self._identities: dict[int, tuple[Engine, str]] = {}
        self._log = None if path is None else JsonlLog(Path(path))
        if self._log is not None:
            self._read(self._log)

    def _read(self, log: JsonlLog) -> None:
        for line in log.rows():
            entry = _entry(line.value) if line.error is None else None
            if entry is None:
                self.damaged += 1
            else:
                self._known[entry[0]] = entry[1]

    def identity(self, engine: Engine) -> str:
        """:func:`engine_identity`, computed once for each engine (hashing weights takes seconds)."""
        if id(engine) not in self._identities:
            self._identities[id(engine)] = (engine, engine_identity(engine))
        return self._identities[id(engine)][1]

    def generate(self, engine: Engine, prompts: Sequence[Chat], *, sampling: Sampling, seed: int) -> list[Said]:
        """One answer to each prompt, in order; equal prompts are asked once.

        Args:
            engine: who answers.
            prompts: chats.
            sampling: how to draw.
            seed: any integer; without effect at temperature 0, where nothing is drawn.

        Returns:
            An answer for each prompt, from the log where it is known.

        Raises:
            EngineError: the engine fails, or answers with the wrong number of completions.
            StoreError: the log cannot be written.
        """
        who = self.identity(engine)
        seed = 0 if sampling.temperature == 0 else seed
        keys = [content_hash([who, [dict(turn) for turn in prompt], asdict(sampling), seed]) for prompt in prompts]
        missing = [k for k in dict.fromkeys(keys) if k not in self._known]
        self.hits += len(keys) - len(missing)
        prompt_of = dict(zip(keys, prompts, strict=True))
        for start in range(0, len(missing), self.batch_size):
            batch = missing[start : start + self.batch_size]
            if self.before_call is not None:
                self.before_call()
            answers = engine.generate([prompt_of[k] for k in batch], sampling=sampling, n=1, seed=seed)
            if len(answers) != len(batch) or any(len(answer) != 1 for answer in answers):
                raise EngineError(
                    f"{len(batch)} prompts were sent and {len(answers)} lists of completions came back",
                    where=f"engine {engine.name}",
                )
            said = [Said(a[0].text, len(a[0].token_ids), a[0].finish) for a in answers]
            if self._log is not None:
                lines = [{"key": k, "engine": who, **asdict(s)} for k, s in zip(batch, said, strict=True)]
                self._log.append(*lines, sync=True)
            self._known.update(zip(batch, said, strict=True))
            self.calls += len(batch)
            self.tokens += sum(s.tokens for s in said)
        return [self._known[k] for k in keys]

    def close(self) -> None:
        """Close the log; closing twice does nothing."""
        if self._log is not None:
            self._log.close()

    def __enter__(self) -> CallCache:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _entry(value: Any) -> tuple[str, Said] | None:
    """Key and answer of one line of the log, or None when the line says neither."""
    if not isinstance(value, dict):
        return None
    key, text, tokens, finish = (value.get(name) for name in ("key", "text", "tokens", "finish"))
    if not isinstance(key, str) or not isinstance(text, str) or type(tokens) is not int or finish not in _FINISHES:
        return None
    return key, Said(text, tokens, finish)
