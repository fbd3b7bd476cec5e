"""The score cache: exact values back, a key that feels every change, damage that only costs time."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest
import torch

from tutelage.errors import StoreError
from tutelage.models import LoadedModel, LoraSettings, ScoreCache, TransformersEngine, adapter_off, attach_lora, load
from tutelage.models.score_cache import model_identity, score_key
from tutelage.types import TokenScores, TokenSequence

SEQUENCES = [TokenSequence((1, 5, 9, 30 + i), 2) for i in range(4)]


class Counting:
    """An engine's ``score`` that counts what it is asked for."""

    def __init__(self, loaded: LoadedModel) -> None:
        self.engine = TransformersEngine(loaded)
        self.asked = 0

    def __call__(self, sequences, **options) -> list[TokenScores]:
        self.asked += len(sequences)
        return self.engine.score(sequences, **options)


def equal(a: TokenScores, b: TokenScores) -> bool:
    names = ("logprobs", "topk_ids", "topk_logprobs")
    return all(
        np.array_equal(getattr(a, n), getattr(b, n)) and getattr(a, n).dtype == getattr(b, n).dtype for n in names
    )


@pytest.mark.parametrize(
    "options", [{}, {"top_k": 3}, {"candidates": [[7], [8, 9], [], [7, 7]]}, {"top_k": 10**6}], ids=str
)
def test_what_was_scored_comes_back_bit_by_bit_in_a_new_process_too(tiny: LoadedModel, tmp_path: Path, options) -> None:
    score = Counting(tiny)
    cache = ScoreCache(tmp_path / "sub" / "scores.sqlite")
    first = cache.scored(score, "id", SEQUENCES, **options)
    cache.close()
    again = ScoreCache(tmp_path / "sub" / "scores.sqlite")
    second = again.scored(score, "id", SEQUENCES, **options)
    assert score.asked == 4
    assert all(equal(a, b) for a, b in zip(first, second, strict=True))
    assert (again.hits, again.misses, again.size()) == (4, 0, 4)


def test_only_what_is_missing_is_computed_and_the_order_is_kept(tiny: LoadedModel, tmp_path: Path) -> None:
    score, cache = Counting(tiny), ScoreCache(tmp_path / "scores.sqlite")
    cache.scored(score, "id", SEQUENCES[1:3])
    found = cache.scored(score, "id", [*SEQUENCES, SEQUENCES[0]])
    assert score.asked == 4
    expected = score.engine.score([*SEQUENCES, SEQUENCES[0]])
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a.logprobs, b.logprobs, atol=1e-5)
    assert cache.scored(score, "id", []) == []


def test_the_key_feels_every_part_of_the_question() -> None:
    s = TokenSequence((1, 2, 3), 1)
    keys = [
        score_key("id", s, 0, None),
        score_key("other", s, 0, None),
        score_key("id", TokenSequence((1, 2, 4), 1), 0, None),
        score_key("id", TokenSequence((1, 2, 3), 2), 0, None),
        score_key("id", TokenSequence((12, 3), 1), 0, None),
        score_key("id", s, 1, None),
        score_key("id", s, 0, []),
        score_key("id", s, 0, [1]),
    ]
    assert len(set(keys)) == len(keys)


def test_the_identity_feels_every_part_of_the_model(tiny: LoadedModel, tiny_model_dir: Path) -> None:
    identities = [model_identity(tiny)]
    assert model_identity(load(str(tiny_model_dir))) == identities[0]

    with torch.no_grad():
        next(tiny.model.parameters())[3, 3] += 1e-6
    identities.append(model_identity(tiny))

    again = load(str(tiny_model_dir))
    again.tokenizer.chat_template += " "
    identities.append(model_identity(again))
    again = load(str(tiny_model_dir))
    again.tokenizer.add_tokens(["<new>"])
    identities.append(model_identity(again))
    identities.append(model_identity(load(str(tiny_model_dir), dtype="bfloat16")))

    tuned = attach_lora(load(str(tiny_model_dir)), LoraSettings(rank=2))
    identities.append(model_identity(tuned))
    b = next(p for name, p in tuned.model.named_parameters() if "lora_B" in name)
    b.data[0, 0] = 1e-6
    identities.append(model_identity(tuned))
    assert len(set(identities)) == len(identities)
    on = model_identity(tuned)
    with adapter_off(tuned.model):
        assert model_identity(tuned) not in identities[-2:]
    assert model_identity(tuned) == on


def test_a_damaged_value_is_computed_again(tiny: LoadedModel, tmp_path: Path) -> None:
    score, path = Counting(tiny), tmp_path / "scores.sqlite"
    cache = ScoreCache(path)
    first = cache.scored(score, "id", SEQUENCES, top_k=2)
    cache.close()
    with sqlite3.connect(path) as base:
        rows = base.execute("SELECT key, data FROM scores").fetchall()
        base.execute("UPDATE scores SET data = ? WHERE key = ?", (rows[0][1][:-1], rows[0][0]))
        flipped = bytes([rows[1][1][0] ^ 1]) + rows[1][1][1:]
        base.execute("UPDATE scores SET data = ? WHERE key = ?", (flipped, rows[1][0]))
    base.close()
    again = ScoreCache(path)
    second = again.scored(score, "id", SEQUENCES, top_k=2)
    assert again.misses == 2
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a.logprobs, b.logprobs, atol=1e-5)


def test_a_file_that_is_no_cache_is_named(tmp_path: Path) -> None:
    path = tmp_path / "scores.sqlite"
    path.write_bytes(b"this is not a data base, however long one looks at it" * 100)
    with pytest.raises(StoreError, match=r"scores\.sqlite") as caught:
        ScoreCache(path)
    assert "delete the file" in str(caught.value)
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError):
        ScoreCache(tmp_path / "file" / "scores.sqlite")
