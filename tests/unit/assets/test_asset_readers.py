"""Each reader on a few made-up lines in the real layout, quirks of the real files included."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from made_up_assets import Kit
from tutelage import assets
from tutelage.assets.images import read_idx
from tutelage.assets.loading import AssetRows, read
from tutelage.errors import AssetError, DataError


@pytest.fixture
def reading(tmp_path: Path):
    """Rows of the real asset called ``name`` from made-up contents: split -> text, or split -> {file: text}."""

    def run(name: str, **contents: str | dict[str, str]) -> AssetRows:
        files: dict[str, tuple[Path, ...]] = {}
        for split, content in contents.items():
            named = content if isinstance(content, dict) else {f"{split}.txt": content}
            for file, text in named.items():
                (tmp_path / file).write_text(text, encoding="utf-8", newline="")
            files[split] = tuple(tmp_path / file for file in named)
        return read(assets.get(name), files)

    return run


def lines(*values: dict[str, Any]) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


def test_choice(reading) -> None:
    result = reading(
        "siqa",
        test=lines(
            {"passage": "P.", "question": "Q", "options": "A. x\nB. y", "answer": "B. y"},
            {"question": "No passage?", "options": "\nA. B. King\nB. C major ", "answer": "A. B. King"},
            {"question": "Letter only?", "options": "A. x\nB. y", "answer": "B."},
            {"question": "Text only?", "options": "A. x\nB. y", "answer": ["y"]},
            {"question": "Twice?", "options": "A. x\nB. x\nC. z", "answer": "C. z"},
            {"question": "None?", "options": "A. x\nB. y", "answer": "C. z"},
            {"question": "Blank?", "options": "A. \nB. y", "answer": "B. y"},
            {"question": "Case?", "options": "A. BB\nB. Bb", "answer": "B. Bb"},
            {"question": "It stood", "options": "A. here\nB. there?", "answer": "B. there"},
            {"passage": "p.", "question": "q", "options": "A. X\nB. Y", "answer": "B. Y"},
        ),
    )
    expected_id = hashlib.sha1(b"p.\x1fq\x1fx\x1fy").hexdigest()[:16]
    assert result.rows[0] == {
        "id": expected_id,
        "split": "test",
        "question": "Q",
        "passage": "P.",
        "choices": ["x", "y"],
        "answer": 1,
    }
    assert [(r["choices"], r["answer"]) for r in result.rows[1:]] == [
        (["B. King", "C major"], 0),
        (["x", "y"], 1),
        (["x", "y"], 1),
        (["BB", "Bb"], 1),
        (["here", "there"], 1),
    ]
    assert result.rows[-1]["question"] == "It stood?"
    assert [(s.where, s.reason) for s in result.set_aside] == [
        ("test.txt:5", "an option is empty or two have the same text"),
        ("test.txt:6", "the answer is none of the options"),
        ("test.txt:7", "an option is empty or two have the same text"),
        ("test.txt:10", "the same text as an earlier row"),
    ]


def test_boolq_drops_the_hidden_test_rows_and_knows_the_dev_rows(reading) -> None:
    result = reading(
        "boolq",
        combined=lines(
            {"question": "is it so", "passage": "Title -- Text.", "label": True, "idx": 1},
            {"question": "is it not", "passage": "Title -- Text.", "label": False, "idx": 2},
            {"question": "who knows", "passage": "Other -- Text.", "idx": 3},
        ),
        dev=lines({"question": "Is it so", "title": "Title", "answer": "True", "passage": "Text."}),
    )
    assert [(r["split"], r["answer"], r["title"], r["passage"]) for r in result.rows] == [
        ("dev", 1, "Title", "Text."),
        ("train", 0, "Title", "Text."),
    ]
    assert result.rows[0]["group"] == result.rows[1]["group"]
    assert [(s.where, s.reason) for s in result.set_aside] == [("combined.txt:3", "no label (hidden test set)")]


def test_esco_groups(reading) -> None:
    result = reading(
        "esco-skills",
        labels="id,description,hierarchy_levels,type\r\n"
        "u1,manage staff,\"[['S', 'S4', 'S4.5', 'S4.5.0'], ['T', 'T4', None]]\",preferredLabel\r\n"
        "u1,lead staff,\"[['S', 'S4', 'S4.5', 'S4.5.0']]\",altLabels\r\n"
        "u1,Direct staff,\"[['S', 'S4', 'S4.5', 'S4.5.0']]\",altLabels\r\n"
        "u2,\"teach, manage\",\"[['S', 'S4'], ['S', 'S1']]\",preferredLabel\r\n"
        "u3,knowledge,\"[['K', 'K06']]\",preferredLabel\r\n"
        "u4,no path,,preferredLabel\r\n"
        "S4.5,managing,,level_2\r\n",
        groups=json.dumps({"S4": "management skills"}),
    )
    first, *others = result.rows
    assert first | {"id": ""} == {
        "id": "",
        "split": "grouped",
        "label": "manage staff",
        "concept_id": "u1",
        "group": "u1",
        "alternatives": ["Direct staff", "lead staff"],
        "group_code": "S4",
        "group_name": "management skills",
        "skill_groups": ["S4"],
        "hierarchy": ["S", "S4", "S4.5", "S4.5.0", "T", "T4"],
    }
    assert [(r["label"], r["split"], r["group_code"], r["skill_groups"]) for r in others] == [
        ("teach, manage", "other", "", ["S1", "S4"]),
        ("knowledge", "other", "", []),
        ("no path", "other", "", []),
    ]


@pytest.mark.parametrize(
    ("text", "number", "unit"),
    [
        ("9 apples", 9.0, "apples"),
        ("1,200", 1200.0, ""),
        ("$3.50", 3.5, ""),
        ("-4 degrees", -4.0, "degrees"),
        (".5 miles", 0.5, "miles"),
        ("40%", 40.0, "%"),
        ("12 square feet.", 12.0, "square feet."),
        ("15 years old; 5 years old", None, ""),
        ("11; 12", None, ""),
        ("3:45", None, ""),
        ("2/3", None, ""),
        ("6th", None, ""),
        ("1st", None, ""),
        ("Mrs. Hilt", None, ""),
    ],
)
def test_asdiv_keeps_answers_that_are_one_number(reading, text: str, number: float | None, unit: str) -> None:
    result = reading("asdiv", test=lines({"passage": "Some. ", "question": "How many?", "answer": text}))
    if number is None:
        assert (result.rows, len(result.set_aside)) == ([], 1)
    else:
        (row,) = result.rows
        assert (row["question"], row["answer"], row["unit"], row["answer_text"]) == (
            "Some. How many?",
            number,
            unit,
            text,
        )


def test_free_text_sets(reading) -> None:
    (pair,) = reading(
        "factual-summary-pairs",
        test=lines(
            {"article_sent": "a b", "correct_sent": "a", "incorrect_sent": "b"},
            {"article_sent": "a b", "correct_sent": "A ", "incorrect_sent": "a"},
        ),
    ).rows
    assert (pair["document"], pair["chosen"], pair["rejected"]) == ("a b", "a", "b")
    (news,) = reading("xsum", test=lines({"id": "7", "document": " d", "summary": "s "})).rows
    assert (news["document"], news["summary"], news["source_id"]) == ("d", "s", "7")
    (question,) = reading("truthfulqa", test=lines({"question": "q", "answer": ["a", " ", "b"]})).rows
    assert question["answers"] == ["a", "b"]
    (passage,) = reading("wikipedia-passages", all=lines({"0": "text\n", "1": "variant"})).rows
    assert passage["text"] == "text"
    (prompt,) = reading(
        "ifbench",
        test=lines({"key": "0", "prompt": "p ", "instruction_id_list": ["count:x"], "kwargs": [{"N": 3, "end": None}]}),
    ).rows
    assert (prompt["prompt"], prompt["instruction_id_list"], prompt["kwargs"]) == ("p", ["count:x"], [{"N": 3}])


def test_conversations_drop_repeats_and_lone_lines(reading) -> None:
    text = "categories: [x]\nconversations:\n- - Hello\n  - Hi\n  - Hey\n- - Hello\n  - Hi\n- - Alone\n- - 12\n  - no\n"
    result = reading("tech-support", all=text)
    assert [(r["prompt"], r["response"], r["replies"]) for r in result.rows] == [
        ("Hello", "Hi", ["Hi", "Hey"]),
        ("12", "no", ["no"]),
    ]
    assert [s.where for s in result.set_aside] == ["all.txt, conversation 2", "all.txt, conversation 3"]


def test_chat_formatted_samples(reading) -> None:
    chat = [{"role": "system", "content": "S"}, {"role": "user", "content": "code for Metal Worker'"}]
    (row,) = reading("soc-codes", all=lines({"input": chat, "ideal": " Metal Workers"})).rows
    assert (row["system"], row["prompt"], row["answer"]) == ("S", "code for Metal Worker", "Metal Workers")
    ask = "The resistance\n\n A: increases\n B: decreases"
    result = reading(
        "quartz",
        all=lines(
            {"input": [{"role": "user", "content": ask}], "ideal": "B"},
            {"input": [{"role": "user", "content": "no options"}], "ideal": "B"},
        ),
    )
    assert [(r["question"], r["choices"], r["answer"]) for r in result.rows] == [
        ("The resistance", ["increases", "decreases"], 1)
    ]
    assert result.set_aside[0].reason == "no lettered options in the question"
    pairs = reading(
        "instruction-pairs",
        all=lines(
            {"task_prompt": "p", "task_output": "o", "task_type": "akoksal/LongForm"},
            {"task_prompt": "p2", "task_output": "2", "task_type": "lighteval/mmlu"},
        ),
    )
    assert [(r["prompt"], r["response"]) for r in pairs.rows] == [("p", "o")]


def test_safety_sets(reading) -> None:
    (row,) = reading("do-not-answer", test={"malicious_uses.jsonl": lines({"prompt": "p", "intents": ["S1"]})}).rows
    assert (row["prompt"], row["area"], row["intents"]) == ("p", "malicious_uses", ["S1"])
    claims = reading("false-claims", test="statement,label\r\nA, b and c.\r\n\r\nD.\r\n").rows
    assert [r["prompt"] for r in claims] == ["A, b and c.", "D."]
    seeds = reading("advbench", test="seeds:\n- value: v\n  harm_categories: [x, y]\n- value: ''\n- value: w\n")
    assert [(r["prompt"], r["categories"]) for r in seeds.rows] == [("v", ["x", "y"]), ("w", [])]
    assert seeds.set_aside[0].where == "test.txt, seed 2"
    (triple,) = reading(
        "stereoset",
        test=lines(
            {
                **{"type": "t", "target": "g", "bias_type": "b", "context": "c"},
                **{"stereotype": "s", "anti-stereotype": "a", "unrelated": "u"},
            }
        ),
    ).rows
    assert (triple["anti_stereotype"], triple["form"]) == ("a", "t")


def test_judgements_skip_comment_lines_and_keep_every_human_score(reading) -> None:
    header = "# version=1\n# more, with commas\n"
    result = reading(
        "harm-judgements",
        violence=f"{header}harm_category,objective,assistant_response,human_score_1,human_score_2,data_type\n"
        'violence,o,"two\nlines",0.25,1,text\nviolence,o2,r,,1,text\n',
        hate_speech=f"{header}objective,assistant_response,human_score\no,r,True\n",
    )
    assert [(r["split"], r["response"], r["scores"], r["category"]) for r in result.rows] == [
        ("violence", "two\nlines", [0.25, 1.0], "violence"),
        ("hate_speech", "r", [1.0], "refusal"),
    ]
    assert result.set_aside[0].reason == "a human score is missing or not a number"


def test_wordnet_lines(reading) -> None:
    text = (
        "  1 This software and database is being provided\n"
        '00015388 05 n 03 animal 0 animate_being 0 beast 1 000 | a living organism; moves; "see it"; "so"\n'
        "00001740 00 a 01 able(p) 0 000 | (usually followed by `to') having means\n"
    )
    first, second = reading("wordnet", noun=text).rows
    assert (first["word"], first["words"]) == ("animal", ["animal", "animate being", "beast"])
    assert (first["category"], first["gloss"], first["examples"]) == (
        "noun.animal",
        "a living organism; moves",
        ["see it", "so"],
    )
    assert (first["synset"], first["split"]) == ("n00015388", "noun")
    assert (second["word"], second["category"]) == ("able", "adj.all")


@pytest.mark.parametrize("content", ["{not json}\n", "[1]\n", '{"question": "q"}\n', "\xff"])
def test_a_broken_file_names_the_asset_and_the_cure(reading, content: str) -> None:
    with pytest.raises(DataError) as caught:
        reading("piqa", validation=content)
    assert caught.value.where == "asset piqa"
    assert "tutelage assets install piqa" in str(caught.value.hint)


def test_pictures(tmp_path: Path) -> None:
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    header = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in values.shape)
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(header + values.tobytes()))
    np.testing.assert_array_equal(read_idx(path), values)
    for broken in (header + values.tobytes()[:-1], b"", b"\0\0\x0d\x01\0\0\0\0", header[:9]):
        path.write_bytes(gzip.compress(broken))
        with pytest.raises(DataError, match="IDX"):
            read_idx(path)
    path.write_bytes(b"no gzip")
    with pytest.raises(DataError, match="unpacked"):
        read_idx(path)


def test_things_without_rows_or_pictures_say_so(kit: Kit) -> None:
    assets.install("encoder")
    with pytest.raises(AssetError, match="is a encoder and has no rows"):
        assets.rows("encoder")
    with pytest.raises(AssetError, match="has no images"):
        assets.images("encoder", "train")


def test_clause_questions(reading) -> None:
    result = reading(
        "privacy-policy-qa",
        test=lines(
            {"context": "We share data. ", "question": "do you share?", "answer": "True"},
            {"context": "We share data.", "question": "what colour?", "answer": "False"},
            {"context": "we share  data.", "question": "Do you share?", "answer": "False"},
            {"context": "We share data.", "question": "why?", "answer": "perhaps"},
        ),
    )
    assert [(row["clause"], row["question"], row["answer"]) for row in result.rows] == [
        ("We share data.", "do you share?", 1),
        ("We share data.", "what colour?", 0),
    ]
    assert result.rows[0]["group"] != result.rows[1]["group"]
    assert [one.where for one in result.set_aside] == ["test.txt:3", "test.txt:4"]


def test_rated_words(reading) -> None:
    header = "text,canonical_form_1,category_1,category_2,category_3,severity_rating,severity_description\n"
    result = reading(
        "rated-profanity", all=header + "darn it,darn,mild,,other,1.2,Mild\nx,x,a,,,9,Severe\n,,a,,,2,Strong\n"
    )
    (row,) = result.rows
    assert (row["text"], row["severity"], row["categories"]) == ("darn it", 1.2, ["mild", "other"])
    assert len(result.set_aside) == 2
