"""Good files of every format give the same rows; ids are stable; what was assumed is said."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tutelage.data import ReadOptions, load_dataset_rows, row_id
from tutelage.errors import DataError, RangeError
from tutelage.io import file_sha256

PAIRS = [("Capital of France?", "Paris"), ("2 + 2?", "4, of course"), ('Say "hi",\nplease', "hi\n")]


def turns(question: str, answer: str) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    return [{"role": "user", "content": question}], [{"role": "assistant", "content": answer}]


def write_as(kind: str, folder: Path) -> Path:
    rows = [{"prompt": question, "completion": answer} for question, answer in PAIRS]
    chats = [{"messages": [*turns(*pair)[0], *turns(*pair)[1]]} for pair in PAIRS]
    parts = [dict(zip(("prompt", "completion"), turns(*pair), strict=True)) for pair in PAIRS]
    path = folder / f"rows.{kind.split()[0]}"
    if kind.endswith("chat"):
        rows = chats
    elif kind.endswith("parts"):
        rows = parts
    if kind.startswith("jsonl"):
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    elif kind == "json wrapped":
        path.write_text(json.dumps({"about": {"data": 1}, "data": rows}, indent=2), "utf-8")
    elif kind.startswith("json"):
        path.write_text(json.dumps(rows, indent=None if "line" in kind else 1), "utf-8")
    elif kind in ("csv", "tsv"):
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, ["prompt", "completion"], delimiter="," if kind == "csv" else "\t")
            writer.writeheader()
            writer.writerows(rows)
    elif kind.startswith("parquet"):
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=2)
    else:
        import datasets

        path = folder / "saved"
        table = datasets.Dataset.from_list([{"prompt": "extra", "completion": "x"}, *rows])
        table.select(range(1, len(table))).save_to_disk(str(path))
    return path


KINDS = [
    "jsonl",
    "jsonl chat",
    "jsonl parts",
    "json",
    "json in one line",
    "json wrapped",
    "json chat",
    "csv",
    "tsv",
    "parquet",
    "parquet chat",
    "parquet parts",
    "datasets",
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_gives_the_same_rows(kind: str, tmp_path: Path) -> None:
    report = load_dataset_rows(write_as(kind, tmp_path))
    assert [(row["prompt"], row["completion"]) for row in report.rows] == [turns(*pair) for pair in PAIRS]
    assert [row["id"] for row in report.rows] == [row_id(*turns(*pair)) for pair in PAIRS]
    assert report.rejected == []
    assert report.format == kind.split()[0]


def test_hash_is_of_the_bytes(tmp_path: Path) -> None:
    path = write_as("jsonl", tmp_path)
    assert load_dataset_rows(path).source_sha256 == file_sha256(path)


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_messages_split_before_the_last_answer(tmp_path: Path) -> None:
    chat = [("system", "s"), ("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d")]
    messages = [{"role": role, "content": text} for role, text in chat]
    row = load_dataset_rows(lines(tmp_path / "a.jsonl", {"messages": messages})).rows[0]
    assert row["prompt"] == messages[:4]
    assert row["completion"] == messages[4:]


def test_text_parts_are_joined_and_nulls_left_out(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    messages = [{"role": "user", "content": parts, "tool_calls": None}, {"role": "assistant", "content": "c"}]
    row = load_dataset_rows(lines(tmp_path / "a.jsonl", {"messages": messages})).rows[0]
    assert row["prompt"] == [{"role": "user", "content": "ab"}]


@pytest.mark.parametrize(
    ("row", "prompt", "note"),
    [
        ({"question": "q", "answer": "a"}, "q", "columns question and answer were read as prompt and completion"),
        ({" Question": "q", "ANSWER": "a"}, "q", "columns  Question and ANSWER were read"),
        ({"instruction": "q", "input": "x", "output": "a"}, "q\n\nx", "with input below the prompt"),
        ({"instruction": "q", "input": "", "output": "a"}, "q", "instruction and output"),
        ({"prompt": "q", "response": "a"}, "q", "prompt and response"),
        ({"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}, "q", "conversations"),
    ],
)
def test_other_names_are_read_and_said(row: dict[str, object], prompt: str, note: str, tmp_path: Path) -> None:
    report = load_dataset_rows(lines(tmp_path / "a.jsonl", row))
    assert report.rows[0]["prompt"][-1]["content"] == prompt
    assert report.rows[0]["completion"][0]["content"] == "a"
    assert len(report.notes) == 1
    assert note in report.notes[0]
    assert report.notes[0].endswith("(1 row)")


@pytest.mark.parametrize(("first", "second"), [("ask", "reply"), ("Ask", " reply"), ("ask", None), (None, "reply")])
def test_named_columns(first: str | None, second: str | None, tmp_path: Path) -> None:
    row = {"ask" if first else "question": "q", "reply" if second else "answer": "a", "text": "no"}
    if first is None:
        del row["text"]
    report = load_dataset_rows(lines(tmp_path / "a.jsonl", row), ReadOptions(first, second))
    assert report.rows[0]["prompt"][0]["content"] == "q"
    assert report.rows[0]["completion"][0]["content"] == "a"


def test_one_named_column_with_a_doubt(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", {"ask": "q", "answer": "a", "output": "b"})
    with pytest.raises(DataError, match="answer or output"):
        load_dataset_rows(path, ReadOptions(prompt_column="ask"))


def test_system_turn_is_added_only_where_there_is_none(tmp_path: Path) -> None:
    own = [{"role": "system", "content": "own"}, {"role": "user", "content": "b"}]
    path = lines(tmp_path / "a.jsonl", {"prompt": "a", "completion": "x"}, {"prompt": own, "completion": "x"})
    rows = load_dataset_rows(path, ReadOptions(system="mine")).rows
    assert [row["prompt"][0] for row in rows] == [{"role": "system", "content": text} for text in ("mine", "own")]


def test_ids_given_and_made(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "a.jsonl",
        {"id": 7, "prompt": "a", "completion": "x"},
        {"id": "7", "prompt": "b", "completion": "x"},
        {"id": "", "prompt": "c", "completion": "x"},
        {"id": True, "prompt": "d", "completion": "x"},
    )
    report = load_dataset_rows(path)
    made = [row_id(*turns(text, "x")) for text in "bcd"]
    assert [row["id"] for row in report.rows] == ["7", *made]
    assert report.notes == ["id stood before in the file and was replaced by a content hash (1 row)"]


def test_kept_duplicates_have_ids_of_their_own(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", *[{"prompt": "a", "completion": "x"}] * 3)
    rows = load_dataset_rows(path, ReadOptions(keep_duplicates=True)).rows
    base = row_id(*turns("a", "x"))
    assert [row["id"] for row in rows] == [base, f"{base}-2", f"{base}-3"]


def test_ids_do_not_depend_on_the_place(tmp_path: Path) -> None:
    rows = [{"prompt": f"q{number}", "completion": "x"} for number in range(5)]
    forward = load_dataset_rows(lines(tmp_path / "a.jsonl", *rows)).rows
    backward = load_dataset_rows(lines(tmp_path / "b.jsonl", *reversed(rows))).rows
    assert {row["id"] for row in forward} == {row["id"] for row in backward}


def test_turns_cannot_be_mistaken_for_one_another() -> None:
    assert row_id(*turns("ab", "c")) != row_id(*turns("a", "bc"))
    assert row_id(*turns("a", "x")) != row_id([{"role": "system", "content": "a"}], turns("a", "x")[1])


def test_conflicts_are_kept_and_counted(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "a.jsonl",
        *[{"prompt": "a", "completion": answer} for answer in "xyz"],
        {"prompt": "b", "completion": "x"},
    )
    report = load_dataset_rows(path)
    assert len(report.rows) == 4
    assert report.conflicts == 1


def test_optional_columns_are_carried(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "a.jsonl",
        {
            "id": "1",
            "prompt": "a",
            "completion": "x",
            "group": 3,
            "choices": ["x", "y"],
            "reference": "x",
            "split": "test",
        },
        {"id": "2", "prompt": "b", "completion": "x", "group": None, "choices": None, "reference": ""},
    )
    report = load_dataset_rows(path)
    first, second = report.rows
    assert (first["group"], first["choices"], first["reference"]) == ("3", ["x", "y"], "x")
    assert set(second) == {"id", "prompt", "completion"}
    assert report.splits == {"1": "test"}


def test_csv_with_choices_as_json(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('prompt,completion,choices\na,x,"[""x"", ""y""]"\n[not json,x,\n')
    rows = load_dataset_rows(path).rows
    assert rows[0]["choices"] == ["x", "y"]
    assert rows[1]["prompt"][0]["content"] == "[not json"


def test_text_that_looks_like_a_chat_stays_text_in_json(tmp_path: Path) -> None:
    text = '[{"role": "user", "content": "x"}]'
    rows = load_dataset_rows(lines(tmp_path / "a.jsonl", {"prompt": text, "completion": "a"})).rows
    assert rows[0]["prompt"] == [{"role": "user", "content": text}]


def test_splits_of_saved_datasets_and_of_json(tmp_path: Path) -> None:
    import datasets

    part = {name: datasets.Dataset.from_list([{"prompt": name, "completion": "x"}]) for name in ("train", "test")}
    datasets.DatasetDict(part).save_to_disk(str(tmp_path / "saved"))
    (tmp_path / "a.json").write_text(
        json.dumps({name: [{"prompt": name, "completion": "x"}] for name in ("train", "test")})
    )
    for path in (tmp_path / "saved", tmp_path / "a.json"):
        report = load_dataset_rows(path)
        named = {row["prompt"][0]["content"]: report.splits[row["id"]] for row in report.rows}
        assert named == {"train": "train", "test": "test"}


def test_content_decides_and_the_report_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('{"prompt": "a", "completion": "x"}\n{"prompt": "b", "completion": "x"}\n')
    report = load_dataset_rows(path)
    assert report.format == "jsonl"
    assert report.notes == ["the name says csv, the content is jsonl"]
    nameless = tmp_path / "rows"
    nameless.write_text("question\tanswer\na\tb\n")
    assert load_dataset_rows(nameless).format == "tsv"


def test_token_limit_counts_the_whole_row(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", {"prompt": "a b", "completion": "c"}, {"prompt": "a b c", "completion": "d e"})

    def count(chat: list[dict[str, str]]) -> int:
        return sum(len(turn["content"].split()) for turn in chat)

    for limit, kept in ((5, 2), (4, 1), (3, 1)):
        report = load_dataset_rows(path, ReadOptions(max_tokens=limit), count_tokens=count)
        assert len(report.rows) == kept
    assert report.rejected[0].detail == "5 tokens; the limit is 3"


def test_limits_must_make_sense() -> None:
    with pytest.raises(RangeError):
        ReadOptions(max_chars=0)
    with pytest.raises(RangeError):
        ReadOptions(max_tokens=0)


def test_columns_may_differ_from_row_to_row(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "a.jsonl",
        {"prompt": "a", "completion": "x"},
        {"question": "b", "answer": "x"},
        {"messages": [*turns("c", "x")[0], *turns("c", "x")[1]]},
    )
    assert [row["prompt"][0]["content"] for row in load_dataset_rows(path).rows] == ["a", "b", "c"]
