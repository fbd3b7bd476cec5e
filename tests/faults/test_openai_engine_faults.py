"""The OpenAI-compatible engine against a real server on this machine that fails in every way servers fail."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from tutelage.errors import ConfigError, EngineError, RangeError
from tutelage.models.json_client import HttpOptions
from tutelage.models.openai_engine import OpenAIEngine
from tutelage.models.opening import open_engine
from tutelage.types import Engine, Sampling, TokenSequence

KEY = "sk-very-secret-0123456789"
CHATS = [[{"role": "user", "content": f"question {i}"}] for i in range(6)]
SHORT = Sampling(max_new_tokens=5, temperature=0.5, stop=("\n",))
Answer = Callable[[dict[str, Any], int], "tuple[int, dict[str, str], bytes | None]"]


class Server:
    """Answers with ``answer(body, number of the request)`` -> status, headers, bytes (None: cut the connection)."""

    def __init__(self) -> None:
        self.answer: Answer = lambda body, number: ok(chat(body))
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.active = self.most_active = 0
        outer = self
        lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with lock:
                    outer.requests.append((self.path, dict(self.headers), body))
                    number = len(outer.requests)
                    outer.active += 1
                    outer.most_active = max(outer.most_active, outer.active)
                try:
                    status, headers, data = outer.answer(body, number)
                finally:
                    with lock:
                        outer.active -= 1
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(data) if data is not None else 1000))
                self.end_headers()
                self.wfile.write(data if data is not None else b'{"choices": [')
                self.close_connection = data is None

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("TEST_KEY", KEY)
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


def engine(server: Server, **changes: Any) -> OpenAIEngine:
    options = HttpOptions(**{"timeout_s": 2.0, "retries": 2, "backoff_s": 0.001, "longest_wait_s": 0.05, **changes})
    return OpenAIEngine(server.url, "some-model", "TEST_KEY", options=options)


def ok(value: object) -> tuple[int, dict[str, str], bytes]:
    return 200, {}, json.dumps(value).encode()


def chat(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    text = f"answer to {body['messages'][-1]['content']} with {body['seed'] % 1000}"
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop", **changes}
    return {"id": "x", "choices": [choice]}


def test_answers_come_in_the_order_of_the_prompts(server: Server) -> None:
    server.answer = lambda body, number: (time.sleep(0.02 * (number % 3)), ok(chat(body)))[1]
    made = engine(server)
    assert isinstance(made, Engine)
    found = made.generate(CHATS, sampling=SHORT, n=2, seed=1)
    assert [len(c) for c in found] == [2] * 6
    for i, completions in enumerate(found):
        assert all(c.text.startswith(f"answer to question {i} ") for c in completions)
        assert completions[0] != completions[1]
    assert made.generate(CHATS[::-1], sampling=SHORT, n=2, seed=1) == found[::-1]
    assert made.generate(CHATS, sampling=SHORT, n=2, seed=2) != found
    assert made.generate([], sampling=SHORT) == []


def test_sampling_is_sent_explicitly(server: Server) -> None:
    engine(server).generate(CHATS[:1], sampling=SHORT)
    path, headers, body = server.requests[0]
    assert path == "/v1/chat/completions"
    assert {k: body[k] for k in ("temperature", "top_p", "max_tokens", "stop", "n", "stream")} == {
        "temperature": 0.5, "top_p": 1.0, "max_tokens": 5, "stop": ["\n"], "n": 1, "stream": False,
    }  # fmt: skip
    assert "top_k" not in body
    assert headers["Authorization"] == f"Bearer {KEY}"


def test_at_most_so_many_requests_at_a_time(server: Server) -> None:
    server.answer = lambda body, number: (time.sleep(0.03), ok(chat(body)))[1]
    engine(server, concurrency=2).generate(CHATS, sampling=SHORT)
    assert server.most_active == 2


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_passing_failures_are_retried(server: Server, status: int) -> None:
    server.answer = lambda body, number: (status, {"retry-after": "0.01"}, b"busy") if number < 3 else ok(chat(body))
    assert engine(server).generate(CHATS[:1], sampling=SHORT)[0][0].text
    assert len(server.requests) == 3


def test_a_cut_reply_and_a_timeout_are_retried(server: Server) -> None:
    def answer(body: dict[str, Any], number: int) -> tuple[int, dict[str, str], bytes | None]:
        if number == 1:
            return 200, {}, None
        if number == 2:
            time.sleep(0.6)
        return ok(chat(body))

    server.answer = answer
    assert engine(server, timeout_s=0.3).generate(CHATS[:1], sampling=SHORT)[0][0].text
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda body, number: (503, {}, b"overloaded"), "HTTP 503: overloaded"),
        (lambda body, number: (200, {}, None), "no answer in 3 attempts"),
    ],
)
def test_lasting_failures_end_after_the_retries(server: Server, answer: Answer, message: str) -> None:
    server.answer = answer
    with pytest.raises(EngineError, match=message):
        engine(server).generate(CHATS[:1], sampling=SHORT)
    assert len(server.requests) == 3


def test_no_server_at_all(server: Server) -> None:
    made = engine(server)
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(EngineError, match="no answer in 3 attempts") as caught:
        made.generate(CHATS[:1], sampling=SHORT)
    assert "check that the server runs" in str(caught.value)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 307])
def test_refusals_are_not_retried_and_never_show_the_key(server: Server, status: int) -> None:
    body = f'{{"error": {{"message": "Incorrect API key provided: {KEY}."}}}}'.encode()
    server.answer = lambda _, number: (status, {"location": "http://127.0.0.1:1/elsewhere"}, body)
    with pytest.raises(EngineError, match=f"HTTP {status}") as caught:
        engine(server).generate(CHATS[:1], sampling=SHORT)
    assert len(server.requests) == 1
    assert KEY not in str(caught.value)
    if status == 401:
        assert "TEST_KEY is set" in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not valid JSON"),
        (b"<html>sign in</html>", "not valid JSON: <html>sign in"),
        (b'{"choices": [', "not valid JSON"),
        (b'{"choices": NaN}', "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"choices": "\xff\xfe"}', "not valid UTF-8"),
        (b"[1, 2]", "not a JSON object"),
        (b"{}", "no choices"),
        (b'{"choices": []}', "0 choices"),
        (b'{"choices": [{}, {}]}', "2 choices"),
        (b'{"choices": [7]}', "1 choices"),
        (b'{"error": {"message": "out of memory"}}', "the server reports: out of memory"),
        (json.dumps({"choices": [{"index": 1}]}).encode(), "number 1, not 0"),
        (json.dumps({"choices": [{"index": 0}]}).encode(), "no text"),
        (json.dumps({"choices": [{"message": {"content": None}}]}).encode(), "no text"),
        (json.dumps({"choices": [{"message": {"content": [{"text": "x"}]}}]}).encode(), "no text"),
        (b'{"choices": [{"message": {"content": "x"}, "finish_reason": "content_filter"}]}', "'content_filter'"),
        (json.dumps({"choices": [{"message": {"content": "x"}}]}).encode(), "because of None"),
        (b" " * (2**20 + 1), "larger than 1 MiB"),
    ],
)  # fmt: skip
def test_nonsense_is_a_clear_error(server: Server, data: bytes, message: str) -> None:
    server.answer = lambda body, number: (200, {}, data)
    with pytest.raises(EngineError, match=message) as caught:
        engine(server, reply_mib=1).generate(CHATS[:1], sampling=SHORT)
    assert caught.value.where


def test_an_empty_text_is_an_answer(server: Server) -> None:
    server.answer = lambda body, number: ok(chat(body, message={"content": ""}))
    [[completion]] = engine(server).generate(CHATS[:1], sampling=SHORT)
    assert (completion.text, completion.finish) == ("", "stop")


def test_the_first_failure_stops_what_has_not_begun(server: Server) -> None:
    server.answer = lambda body, number: (400, {}, b"no") if number == 1 else (time.sleep(0.02), ok(chat(body)))[1]
    with pytest.raises(EngineError):
        engine(server, concurrency=1).generate(CHATS * 20, sampling=SHORT)
    time.sleep(0.05)
    assert len(server.requests) < 10


SEQUENCE = TokenSequence((4, 8, 15, 16), 2)


def prompt_logprobs(body: dict[str, Any]) -> list[Any]:
    """As vLLM answers: null for the first token, then the wanted token and the likeliest ones."""
    tables: list[Any] = [None]
    for token in body["prompt"][1:]:
        table = {str(token): {"logprob": -3.5, "rank": 9}}
        table |= {str(100 + k): {"logprob": -0.5 - k, "rank": k + 1} for k in range(body["prompt_logprobs"])}
        tables.append(table)
    return tables


def test_scoring_by_prompt_logprobs(server: Server) -> None:
    server.answer = lambda body, number: ok({"choices": [{"index": 0, "prompt_logprobs": prompt_logprobs(body)}]})
    [scores] = engine(server).score([SEQUENCE], top_k=2)
    np.testing.assert_array_equal(scores.logprobs, np.float32([-3.5, -3.5]))
    np.testing.assert_array_equal(scores.topk_ids, [[100, 101], [100, 101]])
    np.testing.assert_array_equal(scores.topk_logprobs, np.float32([[-0.5, -1.5], [-0.5, -1.5]]))
    assert server.requests[0][2]["prompt"] == [4, 8, 15, 16]
    assert engine(server).score([TokenSequence((4, 8), 2)])[0].logprobs.shape == (0,)


def test_scoring_by_echo(server: Server) -> None:
    made = OpenAIEngine(server.url, "m", "TEST_KEY", scoring="echo")
    server.answer = lambda body, number: ok({"choices": [{"logprobs": {"token_logprobs": [None, -1, -2, -3, -9]}}]})
    [scores] = made.score([SEQUENCE])
    np.testing.assert_array_equal(scores.logprobs, np.float32([-2, -3]))
    assert scores.topk_ids.shape == (2, 0)
    with pytest.raises(EngineError, match="echo mode"):
        made.score([SEQUENCE], top_k=1)


@pytest.mark.parametrize(
    ("mode", "choice", "message"),
    [
        ("echo", {}, "scored no tokens of 4"),
        ("echo", {"logprobs": None}, "scored no tokens of 4"),
        ("echo", {"logprobs": {"token_logprobs": [None, -1]}}, "scored 2 tokens of 4"),
        ("echo", {"logprobs": {"token_logprobs": [None, -1, -2, None]}}, "None is not a log-probability"),
        ("echo", {"logprobs": {"token_logprobs": [None, -1, -2, 0.5]}}, "0.5 is not a log-probability"),
        ("echo", {"logprobs": {"token_logprobs": [None, -1, -2, True]}}, "True is not a log-probability"),
        ("prompt_logprobs", {}, "scored no tokens of 4"),
        ("prompt_logprobs", {"prompt_logprobs": [None] * 5}, "scored 5 tokens of 4"),
        ("prompt_logprobs", {"prompt_logprobs": [None] * 4}, "not id -> logprob"),
        ("prompt_logprobs", {"prompt_logprobs": [None, None, {"x": {}}, {}]}, "not id -> logprob"),
        ("prompt_logprobs", {"prompt_logprobs": [None, None, {"7": {"logprob": -1}}, {}]}, "did not score token 15"),
    ],
)
def test_wrong_scores_are_a_clear_error(server: Server, mode: Any, choice: dict[str, Any], message: str) -> None:
    server.answer = lambda body, number: ok({"choices": [choice]})
    made = OpenAIEngine(server.url, "m", "TEST_KEY", scoring=mode)
    with pytest.raises(EngineError, match=message) as caught:
        made.score([SEQUENCE])
    assert "sequence 0" in (caught.value.where or "")


def test_what_a_server_cannot_do_is_said_before_asking(server: Server) -> None:
    made = engine(server)
    with pytest.raises(EngineError, match="candidates"):
        made.score([SEQUENCE], candidates=[[1]])
    with pytest.raises(EngineError, match="no tokenizer"):
        made.encode(CHATS[0])
    with pytest.raises(RangeError):
        made.score([TokenSequence((1, 2), 0)])
    with pytest.raises(RangeError):
        made.generate(CHATS, sampling=Sampling(temperature=math.nan))
    assert server.requests == []


@pytest.mark.parametrize("url", ["ftp://h/v1", "localhost:8000", "http://user:pw@h/v1", "http://h/v1?key=abc", ""])
def test_addresses_that_are_not_servers_are_refused(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        OpenAIEngine(url, "m")
    assert "pw" not in str(caught.value)
    assert "abc" not in str(caught.value)


@pytest.mark.parametrize("spec", ["", " ", "self", "openai:", "openai:http://h/v1", "openai:#m", "openai:file:///x#m"])
def test_engine_names_that_mean_nothing(spec: str) -> None:
    with pytest.raises(ConfigError):
        open_engine(spec)


def test_an_engine_is_opened_by_name(server: Server) -> None:
    made = open_engine(f"openai:{server.url}#org/model-7b", api_key_env="TEST_KEY")
    assert isinstance(made, OpenAIEngine)
    assert (made.model, made.name) == ("org/model-7b", "org/model-7b at 127.0.0.1")
    assert KEY not in repr(vars(made)) + repr(vars(made.client))
