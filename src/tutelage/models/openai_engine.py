"""An engine behind an OpenAI-compatible server (vLLM, llama.cpp, a hosted service)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, cast
from urllib.parse import urlsplit

import numpy as np
from transformers import PreTrainedTokenizerBase

from tutelage.errors import EngineError, RangeError
from tutelage.io.paths import content_hash
from tutelage.models.json_client import HttpOptions, JsonClient
from tutelage.models.prompt import prompt_ids
from tutelage.models.scoring import check_sequences
from tutelage.models.token_draw import check_sampling
from tutelage.seeds import derive
from tutelage.types import Chat, Completion, Sampling, TokenScores, TokenSequence

__all__ = ["OpenAIEngine"]

Scoring = Literal["prompt_logprobs", "echo"]


class OpenAIEngine:
    """Generates through ``/chat/completions`` and scores through ``/completions``.

    Each completion is a request of its own with a seed of its own, so that a server that honours seeds gives the same
    whatever else is asked. Temperature and top_p are always sent; ``top_k`` only when set, because the original
    service refuses it: for a vLLM server, which otherwise takes the model's ``generation_config``, give
    ``extra={"top_k": -1}``.

    Args:
        base_url: e.g. ``"http://127.0.0.1:8000/v1"``.
        model: the model's name on the server.
        api_key_env: environment variable with the key; the key is never stored, logged or shown.
        tokenizer: the model's tokenizer; needed by :meth:`encode` and for ``token_ids`` of completions.
        scoring: ``"prompt_logprobs"`` (vLLM: token ids, top-k) or ``"echo"`` (llama.cpp and others).
        extra: fields added to every generation request.
        options: timeouts, retries, concurrency.

    Raises:
        ConfigError: the address is not http(s), or holds a password.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key_env: str = "OPENAI_API_KEY",
        *,
        tokenizer: PreTrainedTokenizerBase | None = None,
        scoring: Scoring = "prompt_logprobs",
        extra: Mapping[str, Any] | None = None,
        options: HttpOptions | None = None,
    ) -> None:
        self.client = JsonClient(base_url, api_key_env, options)
        self.model = model
        self.name = f"{model} at {urlsplit(base_url).hostname}"
        self.tokenizer = tokenizer
        self.scoring = scoring
        self.extra = dict(extra or {})
        self.on_progress: Callable[[int, int], None] | None = None

    def generate(
        self, prompts: Sequence[Chat], *, sampling: Sampling, n: int = 1, seed: int = 0
    ) -> list[list[Completion]]:
        """``n`` completions of each prompt, in the order of the prompts.

        ``token_ids`` is the text through the tokenizer, which need not be what the server drew, or empty without one.

        Raises:
            EngineError: the server failed, or answered something else than one completion; the prompt is named.
        """
        check_sampling(sampling)
        if n < 1:
            raise RangeError(f"n is {n}, it must be at least 1")
        bodies = []
        for prompt in prompts:
            messages = [{"role": m["role"], "content": m["content"]} for m in prompt]
            for k in range(n):
                own = derive(seed, "generate", content_hash(messages), k) % 2**31
                bodies.append(self._generation(messages, sampling, own))
        replies = self.client.post_all("chat/completions", bodies)
        flat = [self._completion(reply, f"prompt {i // n}") for i, reply in enumerate(replies)]
        return [flat[i : i + n] for i in range(0, len(flat), n)]

    def _generation(self, messages: list[dict[str, str]], sampling: Sampling, seed: int) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model,
            "messages": messages,
            "max_tokens": sampling.max_new_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "n": 1,
            "seed": seed,
            "stream": False,
        }
        if sampling.top_k:
            body["top_k"] = sampling.top_k
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        return {**body, **self.extra}

    def _completion(self, reply: Mapping[str, Any], where: str) -> Completion:
        choice = _only_choice(reply, where)
        message = choice.get("message")
        text = message.get("content") if isinstance(message, dict) else None
        if not isinstance(text, str):
            raise EngineError("the server's answer has no text", where=where, hint="is this a chat model?")
        if choice.get("finish_reason") not in ("stop", "length"):
            raise EngineError(f"the server ended the answer because of {choice.get('finish_reason')!r}", where=where)
        ids = tuple(self.tokenizer(text, add_special_tokens=False).input_ids) if self.tokenizer else ()
        return Completion(text, ids, cast('Literal["stop", "length"]', choice["finish_reason"]))

    def score(
        self,
        sequences: Sequence[TokenSequence],
        *,
        top_k: int = 0,
        candidates: Sequence[Sequence[int]] | None = None,
    ) -> list[TokenScores]:
        """Natural-log probabilities of the tokens from ``start`` on.

        Raises:
            EngineError: the server cannot do what is asked (arbitrary ``candidates``; ``top_k`` in echo mode), failed,
                or returned a different number of tokens.
        """
        check_sequences(sequences)
        if candidates is not None:
            raise EngineError(
                "an OpenAI-compatible server scores only its own likeliest tokens, not given candidates",
                hint="use an in-process engine, or top_k",
            )
        if top_k and self.scoring == "echo":
            raise EngineError(
                "in echo mode the server names tokens by text, not by id", hint="use scoring='prompt_logprobs'"
            )
        bodies = []
        for sequence in sequences:
            body = {"model": self.model, "prompt": list(sequence.ids), "max_tokens": 1, "temperature": 0}
            how = {"echo": True, "logprobs": 1} if self.scoring == "echo" else {"prompt_logprobs": max(1, top_k)}
            bodies.append({**body, **how})
        replies = self.client.post_all("completions", bodies)
        read = _echoed if self.scoring == "echo" else _prompt_logprobs
        return [
            read(_only_choice(reply, f"sequence {i}"), sequence, top_k, f"sequence {i}")
            for i, (reply, sequence) in enumerate(zip(replies, sequences, strict=True))
        ]

    def encode(self, prompt: Chat, completion: str = "") -> TokenSequence:
        """Prompt through the tokenizer's chat template, then ``completion``; ``start`` is where it begins.

        Raises:
            EngineError: the engine was made without a tokenizer.
        """
        if self.tokenizer is None:
            raise EngineError("this engine has no tokenizer", where=self.name, hint="give it tokenizer=...")
        before = prompt_ids(self.tokenizer, prompt)
        after = self.tokenizer(completion, add_special_tokens=False).input_ids if completion else []
        return TokenSequence((*before, *after), len(before))


def _only_choice(reply: Mapping[str, Any], where: str) -> dict[str, Any]:
    if isinstance(reply.get("error"), dict):
        raise EngineError(f"the server reports: {str(reply['error'].get('message'))[:300]}", where=where)
    choices = reply.get("choices")
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], dict):
        count = len(choices) if isinstance(choices, list) else "no"
        raise EngineError(f"the server returned {count} choices where one was asked for", where=where)
    choice: dict[str, Any] = choices[0]
    if choice.get("index", 0) != 0:
        raise EngineError(f"the server's only choice has number {choice['index']!r}, not 0", where=where)
    return choice


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value) or value > 1e-4:
        raise EngineError(f"{value!r} is not a log-probability", where=where)
    return min(float(value), 0.0)


def _wrong_length(found: object, expected: int, where: str) -> EngineError:
    count = len(found) if isinstance(found, list) else "no"
    return EngineError(
        f"the server scored {count} tokens of {expected}",
        where=where,
        hint="the server may not support scoring of prompts, or its tokenizer is another one",
    )


def _echoed(choice: Mapping[str, Any], sequence: TokenSequence, top_k: int, where: str) -> TokenScores:
    """Scores from ``logprobs.token_logprobs`` of an echoed prompt; the one token that was generated is left out."""
    logprobs = choice.get("logprobs")
    values = logprobs.get("token_logprobs") if isinstance(logprobs, dict) else None
    expected = len(sequence.ids)
    if not isinstance(values, list) or not expected <= len(values) <= expected + 1:
        raise _wrong_length(values, expected, where)
    own = [_number(v, f"{where}, token {t}") for t, v in enumerate(values[:expected]) if t >= sequence.start]
    empty = np.zeros((len(own), 0))
    return TokenScores(np.array(own, np.float32), empty.astype(np.int64), empty.astype(np.float32))


def _prompt_logprobs(choice: Mapping[str, Any], sequence: TokenSequence, top_k: int, where: str) -> TokenScores:
    """Scores from vLLM's ``prompt_logprobs``: for each token a table of id -> {logprob, rank}."""
    tables = choice.get("prompt_logprobs")
    if not isinstance(tables, list) or len(tables) != len(sequence.ids):
        raise _wrong_length(tables, len(sequence.ids), where)
    own, ids, values = [], [], []
    for t in range(sequence.start, len(sequence.ids)):
        place = f"{where}, token {t}"
        table = tables[t]
        if not isinstance(table, dict) or not all(isinstance(v, dict) and k.isdecimal() for k, v in table.items()):
            raise EngineError("the server's table of log-probabilities is not id -> logprob", where=place)
        found = {int(k): _number(v.get("logprob"), place) for k, v in table.items()}
        if sequence.ids[t] not in found:
            raise EngineError(f"the server did not score token {sequence.ids[t]}", where=place)
        own.append(found[sequence.ids[t]])
        best = sorted(found, key=lambda i: (-found[i], i))[:top_k]
        if len(best) < top_k:
            raise EngineError(f"the server returned {len(best)} of {top_k} likeliest tokens", where=place)
        ids.append(best)
        values.append([found[i] for i in best])
    shape = (len(own), top_k)
    return TokenScores(
        np.array(own, np.float32), np.array(ids, np.int64).reshape(shape), np.array(values, np.float32).reshape(shape)
    )
