"""Ask a JSON service over HTTP: bounded retries, bounded size, and a key that never shows."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import urlsplit

import httpx

from tutelage.errors import ConfigError, EngineError

__all__ = ["HttpOptions", "JsonClient"]

_RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_CURES = {
    400: "the server does not understand the request: check the model's name and what the server supports",
    401: "set the environment variable that holds the server's key",
    403: "the key may not use this model",
    404: "check the address (it usually ends in /v1) and the model's name",
    413: "the prompt is too long for the server",
    422: "the server does not support one of the settings",
}


@dataclass(frozen=True)
class HttpOptions:
    """``timeout_s`` for one attempt; ``retries`` after the first; waits of ``backoff_s`` times 1, 2, 4, ... at most
    ``longest_wait_s``; at most ``concurrency`` requests at a time and ``reply_mib`` in one reply.
    """

    timeout_s: float = 120.0
    retries: int = 5
    backoff_s: float = 0.5
    longest_wait_s: float = 60.0
    concurrency: int = 8
    reply_mib: int = 64

    def __post_init__(self) -> None:
        if self.timeout_s <= 0 or self.retries < 0 or self.backoff_s < 0 or self.concurrency < 1 or self.reply_mib < 1:
            raise ConfigError("timeout, concurrency and reply size must be positive, retries and waits not negative")


class JsonClient:
    """Posts JSON and reads JSON.

    The key is read from the environment variable ``key_env`` at each request; it is sent as a bearer token to
    ``base_url`` only (redirects are not followed) and replaced by ``***`` in every message.

    Raises:
        ConfigError: the address is not http(s), or holds a user name or password.
    """

    def __init__(self, base_url: str, key_env: str, options: HttpOptions | None = None) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError("not an http(s) address", hint="use http://host:port/v1")
        if parts.username or parts.password or parts.query:
            raise ConfigError(
                "the address of a server must not hold a password or a query",
                where=parts.hostname,
                hint=f"put the key into the environment variable {key_env}",
            )
        self.options = options or HttpOptions()
        self.base_url = base_url.rstrip("/")
        self.key_env = key_env
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        self._client = httpx.Client(timeout=self.options.timeout_s, trust_env=not local, follow_redirects=False)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def post_all(self, path: str, bodies: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Post several requests, some at a time; replies in the order of the requests.

        Raises:
            EngineError: one of them failed for good; those not yet begun are not sent.
        """
        if not bodies:
            return []
        pool = ThreadPoolExecutor(max_workers=min(self.options.concurrency, len(bodies)))
        try:
            futures = [pool.submit(self.post, path, body) for body in bodies]
            return [future.result() for future in futures]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Post one request and read one JSON object, retrying what may pass: no connection, 429, 5xx, a cut reply.

        Raises:
            EngineError: a refusal, a reply that is not a JSON object, or every attempt failed.
        """
        url = f"{self.base_url}/{path}"
        for attempt in range(self.options.retries + 1):
            last = attempt == self.options.retries
            try:
                status, headers, data = self._attempt(url, body)
            except httpx.HTTPError as error:
                if last:
                    raise self._failed(url, f"{type(error).__name__}: {error}") from error
                self._wait(attempt, None)
                continue
            if status == 200:
                return self._parsed(url, data)
            if status not in _RETRIED or last:
                raise self._refused(url, status, data)
            self._wait(attempt, headers.get("retry-after"))
        raise AssertionError("unreachable")

    def _attempt(self, url: str, body: Mapping[str, Any]) -> tuple[int, httpx.Headers, bytes]:
        key = os.environ.get(self.key_env, "")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        limit = self.options.reply_mib * 2**20
        with self._client.stream("POST", url, json=dict(body), headers=headers) as reply:
            data = bytearray()
            for part in reply.iter_bytes():
                data += part
                if len(data) > limit:
                    raise EngineError(f"the reply is larger than {self.options.reply_mib} MiB", where=url)
            return reply.status_code, reply.headers, bytes(data)

    def _wait(self, attempt: int, asked: str | None) -> None:
        seconds = self.options.backoff_s * 2**attempt
        if asked is not None:
            try:
                named = float(asked)
            except ValueError:  # a date: rare, our own wait will do
                named = 0.0
            seconds = max(seconds, named) if math.isfinite(named) else seconds
        time.sleep(min(seconds, self.options.longest_wait_s))

    def _parsed(self, url: str, data: bytes) -> dict[str, Any]:
        try:
            value = json.loads(data.decode("utf-8"), parse_constant=_refuse_constant)
        except UnicodeDecodeError as error:
            raise EngineError("the reply is not valid UTF-8", where=url, hint="check the server's log") from error
        except (ValueError, RecursionError) as error:
            shown = self._clean(data.decode("utf-8", "replace"))
            raise EngineError(f"the reply is not valid JSON: {shown}", where=url, hint="check the address") from error
        if not isinstance(value, dict):
            raise EngineError("the reply is not a JSON object", where=url, hint="check the address")
        return value

    def _refused(self, url: str, status: int, data: bytes) -> EngineError:
        hint = _CURES.get(status, "check the server's log")
        if status in (401, 403):
            state = "is set" if os.environ.get(self.key_env) else "is not set"
            hint = f"{hint} ({self.key_env} {state})"
        return EngineError(f"HTTP {status}: {self._clean(data.decode('utf-8', 'replace'))}", where=url, hint=hint)

    def _failed(self, url: str, why: str) -> EngineError:
        return EngineError(
            f"no answer in {self.options.retries + 1} attempts: {self._clean(why)}",
            where=url,
            hint="check that the server runs, its address, and timeout_s",
        )

    def _clean(self, text: str) -> str:
        """One short line, without the key."""
        key = os.environ.get(self.key_env, "")
        line = " ".join((text.replace(key, "***") if key else text).split())
        return line[:300] + (" ..." if len(line) > 300 else "")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
