"""Teacher and student vocabularies: compared by what the tokens say, not by how many there are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from tutelage.errors import ModelError
from tutelage.models.compatibility import match_vocabularies


@pytest.fixture
def tokenizer(tiny_model_dir: Path) -> PreTrainedTokenizerFast:
    return AutoTokenizer.from_pretrained(tiny_model_dir)


def changed(tiny_model_dir: Path, folder: Path, change) -> PreTrainedTokenizerFast:
    value = json.loads((tiny_model_dir / "tokenizer.json").read_text())
    change(value["model"])
    folder.mkdir()
    (folder / "tokenizer.json").write_text(json.dumps(value))
    return PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))


def test_a_tokenizer_matches_itself_whatever_its_padding(tokenizer, tiny_model_dir: Path) -> None:
    other = AutoTokenizer.from_pretrained(tiny_model_dir, padding_side="right")
    other.pad_token = None
    match = match_vocabularies(tokenizer, other)
    assert (match.size, match.teacher_only, match.student_only) == (len(tokenizer), (), ())


def test_tokens_added_at_the_end_are_allowed_and_named(tokenizer, tiny_model_dir: Path) -> None:
    other = AutoTokenizer.from_pretrained(tiny_model_dir)
    other.add_tokens(["<a>", "<b>"])
    assert match_vocabularies(tokenizer, other).student_only == ("<a>", "<b>")
    match = match_vocabularies(other, tokenizer)
    assert (match.size, match.teacher_only) == (len(tokenizer), ("<a>", "<b>"))


def test_the_same_size_with_permuted_strings_is_refused(tokenizer, tiny_model_dir: Path, tmp_path: Path) -> None:
    def swap(model: dict) -> None:
        vocab = model["vocab"]
        vocab["a"], vocab["b"] = vocab["b"], vocab["a"]

    other = changed(tiny_model_dir, tmp_path / "t", swap)
    assert len(other) == len(tokenizer)
    with pytest.raises(ModelError, match="disagree on 2 token ids"):
        match_vocabularies(tokenizer, other)


def test_different_added_tokens_under_one_id_are_refused(tokenizer, tiny_model_dir: Path) -> None:
    other = AutoTokenizer.from_pretrained(tiny_model_dir)
    other.add_tokens(["<a>"])
    tokenizer.add_tokens(["<b>"])
    with pytest.raises(ModelError, match="'<b>' to the teacher and '<a>' to the student"):
        match_vocabularies(tokenizer, other)
