"""Malformed data files and what is expected of each."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq

from tutelage.data import ReadOptions

GOOD = b'{"prompt": "Capital of France?", "completion": "Paris"}\n'


@dataclass(frozen=True)
class Case:
    """``good`` rows and ``aside`` (line, reason) are expected, or else an error with ``says`` and ``cure`` in it."""

    name: str
    file: str
    content: bytes | Callable[[], bytes]
    good: int = 0
    aside: tuple[tuple[int, str], ...] = ()
    says: str | None = None
    cure: str = ""
    options: ReadOptions | None = None


def row(**columns: object) -> bytes:
    return json.dumps(columns).encode() + b"\n"


def chat(*turns: tuple[object, object]) -> bytes:
    return row(messages=[{"role": role, "content": content} for role, content in turns])


def parquet(**columns: list[object]) -> bytes:
    sink = BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def zipped() -> bytes:
    sink = BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("a.jsonl", GOOD)
    return sink.getvalue()


U, A, S = "user", "assistant", "system"
JSONL = [
    Case("truncated last line", "a.jsonl", GOOD + b'{"prompt": "What is', 1, ((2, "truncated"),)),
    Case("last line without line end", "a.jsonl", GOOD + GOOD.strip().replace(b"France", b"Spain"), 2),
    Case("byte-order mark", "a.jsonl", b"\xef\xbb\xbf" + GOOD, 1),
    Case(
        "CRLF",
        "a.jsonl",
        GOOD.replace(b"\n", b"\r\n") + b'{"prompt": "", "completion": "x"}\r\n',
        1,
        ((2, "empty_prompt"),),
    ),
    Case("blank lines count", "a.jsonl", b"\n\n" + GOOD + b"\n{bad}\n", 1, ((5, "not_json"),)),
    Case("NaN literal", "a.jsonl", GOOD + b'{"prompt": "a", "completion": "b", "x": NaN}\n', 1, ((2, "not_json"),)),
    Case("Infinity literal", "a.jsonl", GOOD + b'{"prompt": "a", "completion": -Infinity}\n', 1, ((2, "not_json"),)),
    Case("not UTF-8", "a.jsonl", GOOD + b'{"prompt": "caf\xe9", "completion": "x"}\n', 1, ((2, "not_utf8"),)),
    Case(
        "half a surrogate pair", "a.jsonl", GOOD + b'{"prompt": "\\ud83d", "completion": "x"}\n', 1, ((2, "not_utf8"),)
    ),
    Case(
        "same key twice",
        "a.jsonl",
        GOOD + b'{"prompt": "a", "prompt": "b", "completion": "x"}\n',
        1,
        ((2, "not_json"),),
    ),
    Case("nested too deeply", "a.jsonl", lambda: GOOD + b"[" * 200_000 + b"\n", 1, ((2, "nested"),)),
    Case("huge integer", "a.jsonl", lambda: GOOD + b'{"prompt": ' + b"9" * 5_000 + b"}\n", 1, ((2, "not_json"),)),
    Case("row is a list", "a.jsonl", GOOD + b'["a", "b"]\n', 1, ((2, "not_a_row"),)),
    Case("row is a number", "a.jsonl", GOOD + b"7\nnull\n", 1, ((2, "not_a_row"), (3, "not_a_row"))),
    Case("empty prompt", "a.jsonl", GOOD + row(prompt="  \n", completion="x"), 1, ((2, "empty_prompt"),)),
    Case("empty answer", "a.jsonl", GOOD + row(prompt="a", completion=""), 1, ((2, "empty_answer"),)),
    Case(
        "answer of invisible characters",
        "a.jsonl",
        GOOD + row(prompt="a", completion="\u200b\ufeff"),
        1,
        ((2, "empty_answer"),),
    ),
    Case("null answer", "a.jsonl", GOOD + row(prompt="a", completion=None), 1, ((2, "empty_answer"),)),
    Case(
        "mixed types",
        "a.jsonl",
        GOOD + row(prompt="2+2?", completion=4) + row(prompt={"a": 1}, completion="x"),
        1,
        ((2, "wrong_type"), (3, "wrong_type")),
    ),
    Case("exact duplicate", "a.jsonl", GOOD + GOOD, 1, ((2, "duplicate"),)),
    Case("duplicates wanted", "a.jsonl", GOOD + GOOD, 2, options=ReadOptions(keep_duplicates=True)),
    Case("some rows of other columns", "a.jsonl", GOOD + row(text="only text"), 1, ((2, "wrong_columns"),)),
    Case(
        "over-long row",
        "a.jsonl",
        GOOD + row(prompt="a" * 60, completion="b" * 60),
        1,
        ((2, "too_long"),),
        options=ReadOptions(max_chars=100),
    ),
    Case(
        "50 MB line",
        "a.jsonl",
        lambda: (
            GOOD + b'{"prompt": "' + b"a" * 50_000_000 + b'", "completion": "x"}\n' + GOOD.replace(b"France", b"Peru")
        ),
        2,
        ((2, "too_long"),),
    ),
    Case(
        "70 MB line",
        "a.jsonl",
        lambda: GOOD + b"x" * 70_000_000 + b"\n" + GOOD.replace(b"France", b"Peru"),
        2,
        ((2, "too_long"),),
    ),
    Case("bad choices", "a.jsonl", GOOD + row(prompt="a", completion="b", choices=["b", "b"]), 1, ((2, "wrong_type"),)),
    Case("group is a list", "a.jsonl", GOOD + row(prompt="a", completion="b", group=[1]), 1, ((2, "wrong_type"),)),
]
CHATS = [
    Case("empty messages", "a.jsonl", GOOD + row(messages=[]), 1, ((2, "empty_chat"),)),
    Case("messages is text", "a.jsonl", GOOD + row(messages="hello"), 1, ((2, "not_a_chat"),)),
    Case("messages is null", "a.jsonl", GOOD + row(messages=None), 1, ((2, "empty_chat"),)),
    Case("message is text", "a.jsonl", GOOD + row(messages=["hello"]), 1, ((2, "not_a_chat"),)),
    Case("message without role", "a.jsonl", GOOD + row(messages=[{"content": "x"}]), 1, ((2, "not_a_chat"),)),
    Case("unknown role", "a.jsonl", GOOD + chat((U, "a"), ("wizard", "b")), 1, ((2, "unknown_role"),)),
    Case("role is a list", "a.jsonl", GOOD + chat(([U], "a")), 1, ((2, "unknown_role"),)),
    Case("None content", "a.jsonl", GOOD + chat((U, None), (A, "b")), 1, ((2, "no_content"),)),
    Case("content is a number", "a.jsonl", GOOD + chat((U, 3), (A, "b")), 1, ((2, "not_text"),)),
    Case("image part", "a.jsonl", GOOD + chat((U, [{"type": "image", "url": "x"}]), (A, "b")), 1, ((2, "not_text"),)),
    Case("two users in a row", "a.jsonl", GOOD + chat((U, "a"), (U, "b"), (A, "c")), 1, ((2, "two_in_a_row"),)),
    Case("no assistant turn", "a.jsonl", GOOD + chat((S, "s"), (U, "a")), 1, ((2, "no_answer"),)),
    Case("last turn unanswered", "a.jsonl", GOOD + chat((U, "a"), (A, "b"), (U, "c")), 1, ((2, "unanswered"),)),
    Case("assistant first", "a.jsonl", GOOD + chat((A, "a"), (U, "b"), (A, "c")), 1, ((2, "starts_with_assistant"),)),
    Case("system in the middle", "a.jsonl", GOOD + chat((U, "a"), (S, "b"), (A, "c")), 1, ((2, "system_not_first"),)),
    Case(
        "empty turn in the middle",
        "a.jsonl",
        GOOD + chat((U, "a"), (A, " "), (U, "c"), (A, "d")),
        1,
        ((2, "empty_prompt"),),
    ),
    Case(
        "tool call",
        "a.jsonl",
        GOOD + row(messages=[{"role": U, "content": "a"}, {"role": A, "content": "", "tool_calls": [1]}]),
        1,
        ((2, "tool_call"),),
    ),
    Case(
        "speaker unknown",
        "a.jsonl",
        GOOD + row(conversations=[{"from": "robot", "value": "x"}]),
        1,
        ((2, "unknown_role"),),
    ),
]
WHOLE = [
    Case("empty file", "a.jsonl", b"", says="the file is empty"),
    Case("white space only", "a.json", b" \n\r\n", says="the file is empty"),
    Case(
        "wrong columns",
        "a.jsonl",
        row(query="a", reply="b") * 3,
        says="columns found: 'query', 'reply'",
        cure="--prompt-column",
    ),
    Case(
        "misspelt columns",
        "a.jsonl",
        row(promt="a", completions="b"),
        says="'promt', 'completions'",
        cure="is 'promt' meant to be 'prompt'",
    ),
    Case(
        "preference data",
        "a.jsonl",
        row(prompt="a", chosen="b", rejected="c"),
        says="'chosen'",
        cure="completion_column='chosen'",
    ),
    Case("plain text column", "a.jsonl", row(text="a"), says="'text'", cure="plain text without questions"),
    Case(
        "named column missing",
        "a.jsonl",
        GOOD,
        says="columns found: 'prompt', 'completion'",
        options=ReadOptions(prompt_column="ask", completion_column="completion"),
    ),
    Case(
        "two possible pairs",
        "a.jsonl",
        row(question="a", answer="b", instruction="c", output="d"),
        says="question/answer or instruction/output",
        cure="prompt_column",
    ),
    Case(
        "all rows bad",
        "a.jsonl",
        row(prompt="", completion="x") * 2,
        says="none of 2 rows can be used (2 empty_prompt)",
    ),
    Case("UTF-16", "a.jsonl", GOOD.decode().encode("utf-16"), says="UTF-16", cure="iconv"),
    Case("gzip", "a.jsonl", gzip.compress(GOOD), says="gzip-compressed", cure="gunzip"),
    Case("zip or spreadsheet", "a.xlsx", zipped(), says="a zip archive or spreadsheet", cure="CSV"),
    Case("SQLite", "a.db", b"SQLite format 3\0" + bytes(100), says="SQLite"),
    Case("binary", "a.bin", bytes(range(256)) * 4, says="binary file", cure="Parquet"),
    Case(
        "prose",
        "a.txt",
        b"Once upon a time\nthere was a row.\n",
        says="format of this file cannot be told",
        cure="JSON lines",
    ),
    Case(
        "JSON cut off",
        "a.json",
        b'[{"prompt": "a", "completion": "b"},\n {"prompt": "c", "comp',
        says="the document ends in the middle",
        cure="JSON lines",
    ),
    Case(
        "JSON with a missing comma",
        "a.json",
        b'[\n{"prompt": "a", "completion": "b"}\n{"prompt": "c", "completion": "d"}]',
        says="expected , or ]",
    ),
    Case("JSON with a rest", "a.json", b'[\n{"prompt": "a", "completion": "b"}] tail', says="more after the end"),
    Case("JSON of empty list", "a.json", b"[]", says="the file holds no rows"),
    Case("JSON of columns", "a.json", b'{"foo": ["a"], "bar": ["b"]}', says="'foo', 'bar'"),
    Case("JSON of texts", "a.json", b'["a", "b"]', says="none of 2 rows can be used (2 not_a_row)"),
    Case(
        "Parquet cut off", "a.parquet", lambda: parquet(prompt=["a"], completion=["b"])[:-20], says="damaged or cut off"
    ),
    Case("Parquet in name only", "a.parquet", b"prompt,completion\n", says="not a Parquet file"),
    Case("Parquet with wrong columns", "a.parquet", lambda: parquet(x=[1]), says="columns found: 'x'"),
    Case("Parquet without rows", "a.parquet", lambda: parquet(prompt=[], completion=[]), says="the file holds no rows"),
    Case("CSV header only", "a.csv", b"prompt,completion\n", says="the file holds no rows"),
    Case("CSV column twice", "a.csv", b"prompt,prompt,completion\n1,2,3\n", says="'prompt' stands twice"),
    Case(
        "CSV with wrong columns", "a.csv", b"foo,bar\n1,2\n", says="columns found: 'foo', 'bar'", cure="prompt_column"
    ),
]
TABLES = [
    Case(
        "CSV with a short row",
        "a.csv",
        b"prompt,completion\na,b\nc\nd,e,f\n",
        1,
        ((3, "wrong_fields"), (4, "wrong_fields")),
    ),
    Case("CSV with an open quote", "a.csv", b'prompt,completion\na,b\n"c,d\ne,f\n', 1, ((3, "truncated"),)),
    Case("CSV with text after a quote", "a.csv", b'prompt,completion\n"a"x,b\nc,d\n', 1, ((2, "not_csv"),)),
    Case("CSV with an empty answer", "a.csv", b"prompt,completion\na,b\nc,\n", 1, ((3, "empty_answer"),)),
    Case("CSV not UTF-8", "a.csv", b"prompt,completion\na,b\nc,d\xff\n", 1, ((3, "not_utf8"),)),
    Case("CSV with lines in a field", "a.csv", b'prompt,completion\n"a\nb",c\nd,\n', 1, ((4, "empty_answer"),)),
    Case("CSV from a spreadsheet", "a.csv", b"\xef\xbb\xbfprompt;completion\r\na;b\r\n", 1),
    Case(
        "CSV with Python lists",
        "a.csv",
        b"messages,n\n\"[{'role': 'user'}]\",1\n"
        b'"[{""role"": ""user"", ""content"": ""a""}, {""role"": ""assistant"", ""content"": ""b""}]",2\n',
        1,
        ((2, "not_a_chat"),),
    ),
    Case("TSV", "a.tsv", b"question\tanswer\na\tb\nc\n", 1, ((3, "wrong_fields"),)),
    Case(
        "Parquet with nulls",
        "a.parquet",
        lambda: parquet(prompt=["a", None, "c"], completion=["b", "x", None]),
        1,
        ((2, "empty_prompt"), (3, "empty_answer")),
    ),
    Case(
        "Parquet with numbers",
        "a.parquet",
        lambda: parquet(prompt=["a", "b"], completion=["x", "y"], choices=[["x", "y"], ["z"]]),
        1,
        ((2, "wrong_type"),),
    ),
    Case(
        "JSON array with bad elements",
        "a.json",
        b'[\n{"prompt": "a", "completion": "b"},\n3,\n{"prompt": "c", "completion": NaN}\n]',
        1,
        ((3, "not_a_row"), (4, "not_json")),
    ),
    Case(
        "JSON under data",
        "a.json",
        b'{"version": 1, "data": [\n{"prompt": "a", "completion": "b"},\n{"prompt": "", "completion": "b"}]}',
        1,
        ((3, "empty_prompt"),),
    ),
    Case(
        "JSON with bad bytes",
        "a.json",
        b'[{"prompt": "a", "completion": "b"},\n{"prompt": "\xff", "completion": "b"}]',
        1,
        ((2, "not_utf8"),),
    ),
    Case("JSON lines named .json", "a.json", GOOD + b"{bad\n", 1, ((2, "not_json"),)),
    Case(
        "JSON array named .jsonl",
        "a.jsonl",
        b'[{"prompt": "a", "completion": "b"}, {"prompt": "", "completion": "b"}]',
        1,
        ((1, "empty_prompt"),),
    ),
    Case("JSON lines with a bad first line", "a.jsonl", b'{"prompt": "a", \n' + GOOD, 1, ((1, "not_json"),)),
]
