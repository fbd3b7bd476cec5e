"""Result files that are wrong, each with a part of the error that it must get: what, and file, line or item."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Bad(NamedTuple):
    """``make`` writes the file or folder and returns it; ``says`` and ``where`` are parts of the error."""

    name: str
    make: Callable[[Path], Path]
    says: str
    where: str


def written(name: str, content: str | bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    return make


def lines(name: str, *rows: object) -> Callable[[Path], Path]:
    return written(name, "".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))


def head(**changes: object) -> dict[str, object]:
    return {
        "format": "tutelage-results",
        "version": 1,
        "task": "maths",
        "task_version": "",
        "metrics": {"exact": {}},
        "items": 2,
        "system": {},
    } | changes


def item(name: object = "a", **changes: object) -> dict[str, object]:
    return {"id": name, "scores": {"exact": 1.0}} | changes


def sample(doc_id: object = 0, **changes: object) -> dict[str, object]:
    return {
        "doc_id": doc_id,
        "doc": {"q": f"{doc_id}?"},
        "target": "1",
        "arguments": {"gen_args_0": {"arg_0": "q", "arg_1": {}}},
        "resps": [["1"]],
        "filtered_resps": ["1"],
        "filter": "none",
        "metrics": ["acc"],
        "doc_hash": f"d{doc_id}",
        "prompt_hash": f"p{doc_id}",
        "target_hash": f"t{doc_id}",
        "acc": 1.0,
    } | changes


def log(**changes: object) -> dict[str, object]:
    return {"version": 2, "status": "success", "eval": {"task": "quiz", "model": "m", "config": {}}} | changes


def asked(name: object = "a", **changes: object) -> dict[str, object]:
    scores = {"match": {"value": "C"}}
    return {"id": name, "epoch": 1, "input": "?", "target": "x", "scores": scores} | changes


def packed(members: dict[str, object], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, value in members.items():
            archive.writestr(name, value if isinstance(value, bytes) else json.dumps(value))
    return stream.getvalue()


def archive(members: dict[str, object]) -> Callable[[Path], Path]:
    return written("log.eval", packed(members))


def bomb(folder: Path) -> Path:
    """An archive whose sample claims to be 8 GB."""
    data = bytearray(packed({"header.json": log(), "samples/a_epoch_1.json": asked()}))
    entry = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 1)
    data[entry + 24 : entry + 28] = struct.pack("<I", 2**32 - 16)
    return written("log.eval", bytes(data))(folder)


def true_bomb(folder: Path) -> Path:
    """32 MB of zeros in 32 kB, whose size in the archive's directory is a lie."""
    data = bytearray(packed({"header.json": log(), "samples/a_epoch_1.json": b"0" * (32 << 20)}))
    entry = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 1)
    data[entry + 24 : entry + 28] = struct.pack("<I", 1000)
    return written("log.eval", bytes(data))(folder)


def flipped(folder: Path) -> Path:
    """One byte inside a sample is another one."""
    data = bytearray(packed({"header.json": log(), "samples/a_epoch_1.json": asked()}, zipfile.ZIP_STORED))
    data[data.index(b'"input"') + 1] ^= 1
    return written("log.eval", bytes(data))(folder)


def of_compression(method: int) -> Callable[[Path], Path]:
    """An archive that says it was packed in another way than it was."""

    def make(folder: Path) -> Path:
        data = bytearray(packed({"header.json": log(), "samples/a_epoch_1.json": asked()}))
        entry = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 1)
        data[entry + 10 : entry + 12] = struct.pack("<H", method)
        return written("log.eval", bytes(data))(folder)

    return make


def two_of(*files: tuple[str, str]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        for name, content in files:
            written(f"results/{name}", content)(folder)
        return folder / "results"

    return make


def empty_folder(folder: Path) -> Path:
    (folder / "results").mkdir()
    return folder / "results"


def dumped(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


DEEP = "[" * 10_000 + "]" * 10_000
HUGE = "1" + "0" * 400
TOO_LONG = "1" * 5_000
NATIVE = dumped(head(items=1), item())
TORN_ZIP = packed({"header.json": log(), "samples/a_epoch_1.json": asked()})[:-40]
PLAIN_JSON = '{"a": 1,\n "b": 2}'

NATIVE_FILES = [
    Bad("torn line", lines("r.jsonl", head(), item(), '{"id": "b", "sco'), "torn last line", "r.jsonl:3"),
    Bad("header promises more", lines("r.jsonl", head(items=3), item(), item("b")), "promises 3", "r.jsonl"),
    Bad("header promises text", lines("r.jsonl", head(items="2"), item(), item("b")), "promises '2'", "r.jsonl"),
    Bad("unknown version", lines("r.jsonl", head(version=9), item()), "version 9", "r.jsonl:1"),
    Bad("no task", lines("r.jsonl", head(task=None), item()), "name the task", "r.jsonl:1"),
    Bad("no metrics", lines("r.jsonl", head(metrics={}), item()), "metrics", "r.jsonl:1"),
    Bad("strange metric", lines("r.jsonl", head(metrics={"exact": {"colour": 1}})), "'exact'", "r.jsonl:1"),
    Bad("metric of text", lines("r.jsonl", head(metrics={"exact": "up"})), "'exact'", "r.jsonl:1"),
    Bad(
        "direction of text",
        lines("r.jsonl", head(metrics={"exact": {"higher_is_better": "no"}})),
        "higher_is_better",
        "r.jsonl:1",
    ),
    Bad("system of text", lines("r.jsonl", head(system="m"), item()), "system", "r.jsonl:1"),
    Bad("id twice", lines("r.jsonl", head(), item(), item()), "'a' of task 'maths' stands twice", "r.jsonl:3"),
    Bad("id a number", lines("r.jsonl", head(), item(), item(7)), "id (text)", "r.jsonl:3"),
    Bad("no scores", lines("r.jsonl", head(), item(), {"id": "b"}), "scores", "r.jsonl:3"),
    Bad("other scores", lines("r.jsonl", head(), item(), item("b", scores={"f1": 1})), "['f1']", "r.jsonl:3"),
    Bad("score of text", lines("r.jsonl", head(), item(scores={"exact": "1"})), "'1', not a number", "r.jsonl:2"),
    Bad("score a boolean", lines("r.jsonl", head(), item(scores={"exact": True})), "True", "r.jsonl:2"),
    Bad("NaN", lines("r.jsonl", head(), '{"id": "a", "scores": {"exact": NaN}}\n'), "NaN", "r.jsonl:2"),
    Bad("infinity", lines("r.jsonl", head(), '{"id": "a", "scores": {"exact": -Infinity}}\n'), "Infinity", ":2"),
    Bad("1e999", lines("r.jsonl", head(), '{"id": "a", "scores": {"exact": 1e999}}\n'), "1e999", "r.jsonl:2"),
    Bad(
        "huge whole number", lines("r.jsonl", head(), f'{{"id": "a", "scores": {{"exact": {HUGE}}}}}\n'), "large", ":2"
    ),
    Bad("5000 digits", lines("r.jsonl", head(), f'{{"id": "a", "scores": {{"exact": {TOO_LONG}}}}}\n'), "digits", ":2"),
    Bad("one item has a prompt", lines("r.jsonl", head(), item(prompt="?"), item("b")), "has no prompt", "r.jsonl:3"),
    Bad("output of numbers", lines("r.jsonl", head(), item(output=[1])), "output of item 'a'", "r.jsonl:2"),
    Bad("groups of numbers", lines("r.jsonl", head(), item(groups={"topic": 1})), "groups of item 'a'", "r.jsonl:2"),
    Bad("a list for an item", lines("r.jsonl", head(), [1]), "id (text)", "r.jsonl:2"),
    Bad("key twice", lines("r.jsonl", head(), '{"id": "a", "id": "b", "scores": {}}\n'), "stands twice", "r.jsonl:2"),
    Bad("nested", lines("r.jsonl", head(), DEEP + "\n"), "nested", "r.jsonl:2"),
    Bad("not UTF-8", written("r.jsonl", dumped(head()).encode() + b'{"id": "\xff"}\n'), "not UTF-8", "r.jsonl:2"),
    Bad("a task twice", two_of(("a.jsonl", NATIVE), ("b.jsonl", NATIVE)), "two files hold the task maths", "results"),
]

PLAIN_FILES = [
    Bad("empty", written("r.csv", ""), "empty", "r.csv"),
    Bad("only a mark", written("r.csv", b"\xef\xbb\xbf\n"), "empty", "r.csv"),
    Bad("only a header", written("r.csv", "id,acc\n"), "no items", "r.csv"),
    Bad("no id", written("r.csv", "name,acc\na,1\n"), "no column holds ids", "r.csv:1"),
    Bad("no score", written("r.csv", "id,prompt\na,x\n"), "no column holds scores", "r.csv"),
    Bad("scores of text", written("r.csv", "id,acc\na,good\nb,bad\n"), "acc is 'good'", "r.csv:2"),
    Bad("one score of text", written("r.csv", "id,acc\na,1\nb,0\nc,n/a\n"), "acc is 'n/a'", "r.csv:4"),
    Bad("nan", written("r.csv", "id,acc\na,1\nb,nan\n"), "acc is 'nan'", "r.csv:3"),
    Bad("comma for a point", written("r.csv", "id;acc\na;0,5\nb;0,25\n"), "'0,5'", "r.csv:2"),
    Bad("a cell too many", written("r.csv", "id,acc\na,1\nb,1,2\n"), "3 fields", "r.csv:3"),
    Bad("a cell too few", written("r.csv", "id,acc,f1\na,1,1\nb,1\n"), "2 fields", "r.csv:3"),
    Bad("open quote", written("r.csv", 'id,acc\na,1\n"b,1\n'), "ends inside a quoted field", "r.csv:3"),
    Bad("column twice", written("r.csv", "id,acc,acc\na,1,1\n"), "'acc' stands twice", "r.csv:1"),
    Bad("id twice", written("r.csv", "id,acc\na,1\na,1\n"), "'a'", "r.csv:3"),
    Bad("seed twice", written("r.csv", "id,seed,acc\na,1,1\na,1,0\n"), "'a#1'", "r.csv:3"),
    Bad("no id in a row", written("r.csv", "id,acc\na,1\n,1\n"), "the id is ''", "r.csv:3"),
    Bad("not UTF-8", written("r.csv", b"id,acc,prompt\na,1,x\nb,1,caf\xe9\n"), "not UTF-8", "r.csv:3"),
    Bad("UTF-16", written("r.csv", "id,acc\na,1\n".encode("utf-16")), "UTF-16", "r.csv"),
    Bad("task without scores", written("r.csv", "id,task,acc\na,t,1\nb,u,\n"), "no item of task 'u'", "r.csv"),
    Bad("ids of two kinds", lines("r.jsonl", {"id": 1, "acc": 1}, {"id": "1", "acc": 0}), "'1'", "r.jsonl:2"),
    Bad("id a boolean", lines("r.jsonl", {"id": True, "acc": 1}), "the id is True", "r.jsonl:1"),
    Bad("id 1.5", lines("r.jsonl", {"id": 1.5, "acc": 1}), "the id is 1.5", "r.jsonl:1"),
    Bad("booleans as text", lines("r.jsonl", {"id": "a", "acc": "true"}), "acc is 'true'", "r.jsonl:1"),
    Bad("one boolean as text", lines("r.jsonl", {"id": 1, "acc": True}, {"id": 2, "acc": "no"}), "'no'", "r.jsonl:2"),
    Bad("scores a list", lines("r.jsonl", {"id": "a", "scores": [1]}), "scores must map", "r.jsonl:1"),
    Bad("scores of words", lines("r.jsonl", {"id": "a", "scores": {"acc": "x"}}), "'x'", "r.jsonl:1"),
    Bad("nothing scored", lines("r.jsonl", {"id": "a", "acc": None}), "no column holds scores", "r.jsonl"),
    Bad("a list a line", lines("r.jsonl", {"id": "a", "acc": 1}, [1]), "must be an object", "r.jsonl:2"),
    Bad("torn", written("r.jsonl", '{"id": "a", "acc": 1}\n{"id": "b", "ac'), "torn", "r.jsonl:2"),
    Bad("torn at once", written("r.jsonl", '{"id": "a", "ac'), "torn", "r.jsonl:1"),
    Bad("NaN in JSON", written("r.jsonl", '{"id": "a", "acc": 1}\n{"id": "b", "acc": NaN}\n'), "NaN", "r.jsonl:2"),
    Bad("huge", written("r.jsonl", f'{{"id": "a", "acc": {HUGE}}}\n'), "not a number", "r.jsonl:1"),
    Bad("nested array", written("r.json", DEEP), "nested", "r.json"),
    Bad("torn array", written("r.json", '[{"id": "a", "acc": 1},\n {"id": "b"'), "ends in the middle", "r.json:2"),
    Bad("an empty array", written("r.json", "[]"), "no items", "r.json"),
    Bad("some document", written("r.json", PLAIN_JSON), "no results by item", "r.json"),
]

OTHER_KINDS = [
    Bad("nothing there", lambda folder: folder / "none.csv", "no such file", "none.csv"),
    Bad("empty folder", empty_folder, "holds no results", "results"),
    Bad("Parquet", written("r.parquet", b"PAR1" + bytes(20)), "Parquet", "r.parquet"),
    Bad("pickle", written("r.pkl", b"\x80\x04\x95" + bytes(20)), "pickle", "r.pkl"),
    Bad("gzip", written("r.jsonl.gz", b"\x1f\x8b\x08" + bytes(20)), "gzip", "r.jsonl.gz"),
    Bad("spreadsheet", written("r.xlsx", packed({"xl/workbook.xml": b"<x/>"})), "spreadsheet", "r.xlsx"),
    Bad("weights", written("r.pt", packed({"archive/data.pkl": b"x"})), "arrays or pickles", "r.pt"),
    Bad("some archive", written("r.zip", packed({"a.txt": b"x"})), "no known kind", "r.zip"),
    Bad("binary", written("r.bin", b"\x01\x00\x02" * 9), "binary", "r.bin"),
    Bad("HELM", written("r.json", json.dumps([{"instance_id": "id1", "stats": []}], indent=1)), "HELM", "r.json"),
    Bad(
        "old scores",
        written("r.json", json.dumps({"metric": "exact", "ids": ["a"], "values": [1.0]}, indent=2)),
        "older Tutelage",
        "r.json",
    ),
    Bad(
        "run without measurements",
        two_of(("run.json", "{}"), ("config.toml", 'method = "raft"\n')),
        "no measurements of raft",
        "results",
    ),
    Bad(
        "run without configuration",
        two_of(
            ("run.json", "{}"),
        ),
        "configuration",
        "config.toml",
    ),
]

LM_EVAL_FILES = [
    Bad("tasks in one file", lines("s.jsonl", sample(), sample(doc_hash="other")), "two different questions", ":2"),
    Bad("two runs in one file", lines("s.jsonl", sample(), sample()), "item 0 stands twice", "s.jsonl:2"),
    Bad("other metrics", lines("s.jsonl", sample(), sample(1, metrics=["f1"], f1=1)), "['f1']", "s.jsonl:2"),
    Bad("metrics no list", lines("s.jsonl", sample(metrics="acc")), "list of names", "s.jsonl:1"),
    Bad("only pairs", lines("s.jsonl", sample(acc=[1, 2])), "no metric has one number", "s.jsonl"),
    Bad("only predicted", lines("s.jsonl", sample(metrics=["bypass"], bypass=999)), "--predict_only", "s.jsonl"),
    Bad("no doc_id", lines("s.jsonl", sample(), {"doc": {}}), "no sample of lm-eval", "s.jsonl:2"),
    Bad("doc_id of nothing", lines("s.jsonl", sample(None)), "the id is None", "s.jsonl:1"),
    Bad("torn", lines("s.jsonl", sample(), '{"doc_id": 1, "do'), "not JSON", "s.jsonl:2"),
    Bad("not UTF-8", written("s.jsonl", dumped(sample()).encode() + b"\xff\n"), "not UTF-8", "s.jsonl:2"),
    Bad("nested", lines("s.jsonl", sample(), DEEP), "nested", "s.jsonl:2"),
    Bad(
        "averages alone", written("r.json", json.dumps({"results": {}, "configs": {}}, indent=1)), "averages", "r.json"
    ),
    Bad(
        "two models",
        two_of(("a/samples_t_x.jsonl", dumped(sample())), ("b/samples_t_x.jsonl", dumped(sample()))),
        "several models: a, b",
        "results",
    ),
]

INSPECT_FILES = [
    Bad("torn archive", written("log.eval", TORN_ZIP), "torn", "log.eval"),
    Bad("no header", archive({"samples/a_epoch_1.json": asked()}), "no header", "log.eval"),
    Bad("a claim of 4 GB", bomb, "larger than 256 MiB", "samples/a_epoch_1.json"),
    Bad("a bomb", true_bomb, "damaged", "samples/a_epoch_1.json"),
    Bad("flipped byte", flipped, "damaged", "samples/a_epoch_1.json"),
    Bad("unknown compression", of_compression(77), "samples/a_epoch_1.json", "log.eval"),
    Bad("not zstandard", of_compression(93), "damaged", "samples/a_epoch_1.json"),
    Bad("version 7", archive({"header.json": log(version=7)}), "version 7", "log.eval"),
    Bad("header a list", archive({"header.json": [1]}), "object", "log.eval"),
    Bad("header torn", archive({"header.json": b'{"version": 2'}), "not JSON", "header.json"),
    Bad("no task", archive({"header.json": log(eval={})}), "name its task", "log.eval"),
    Bad("no samples", archive({"header.json": log()}), "no samples", "log.eval"),
    Bad(
        "more were counted",
        archive({"header.json": log(results={"completed_samples": 5}), "samples/a_epoch_1.json": asked()}),
        "counts 5",
        "log.eval",
    ),
    Bad("sample a list", archive({"header.json": log(), "samples/a_epoch_1.json": [1]}), "no sample", "a_epoch_1"),
    Bad("sample nested", archive({"header.json": log(), "samples/a_epoch_1.json": DEEP.encode()}), "nested", "a_epoch"),
    Bad(
        "no scores",
        archive({"header.json": log(), "samples/a_epoch_1.json": asked(scores=None)}),
        "no sample has a score",
        "log.eval",
    ),
    Bad(
        "scores of words",
        archive({"header.json": log(), "samples/a_epoch_1.json": asked(scores={"m": {"value": "B+"}})}),
        "'B+'",
        "log.eval",
    ),
    Bad("id twice", written("log.json", json.dumps(log(samples=[asked(), asked()]), indent=2)), "'a'", "samples[1]"),
    Bad("samples an object", written("log.json", json.dumps(log(samples={"a": 1}), indent=2)), "list", "log.json"),
    Bad(
        "document torn", written("log.json", json.dumps(log(samples=[asked()]), indent=2)[:-9]), "not JSON", "log.json:"
    ),
]

ALL = [*NATIVE_FILES, *PLAIN_FILES, *OTHER_KINDS, *LM_EVAL_FILES, *INSPECT_FILES]
