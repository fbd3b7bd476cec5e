"""Triples: what is bundled, what is accepted, and the rows made of them."""

import numpy as np
import pytest

from tutelage.errors import DataError
from tutelage.refine.triples import (
    BUNDLED,
    GradedTexts,
    build_triples,
    check_triples,
    directed_rows,
    read_triples,
    write_triples,
)
from tutelage.verify.formality import RuleFormality
from tutelage.verify.graded import FORMALITY


class ByFirstWord:
    name, scale = "first word", FORMALITY

    def rate(self, texts):
        return [text.split()[0] for text in texts]


class ByLength:
    def embed(self, texts):
        return np.array([[len(text), 10.0] for text in texts])


def test_what_is_bundled_is_parallel_distinct_and_free_of_duplicates():
    rows = read_triples()
    assert len(rows) >= 160
    for level in FORMALITY.levels:
        texts = {row.texts[level].casefold() for row in rows}
        assert len(texts) == len(rows)
    assert all(len(set(row.texts.values())) == 3 for row in rows)
    assert BUNDLED.stat().st_size < 200_000


def test_the_rubric_orders_most_of_the_bundled_rows_and_never_turns_one_round():
    checks = check_triples(read_triples(), RuleFormality())
    ranks = np.array([FORMALITY.ranks(one.levels) for one in checks])
    assert np.mean([one.accepted for one in checks]) > 0.6
    assert np.mean(ranks[:, 0] < ranks[:, 2]) > 0.95


def test_order_and_similarity_decide():
    rows = [
        GradedTexts("good", {"informal": "informal aa", "casual": "casual aaaa", "formal": "formal aaaa"}),
        GradedTexts("turned", {"informal": "casual aaaa", "casual": "informal aa", "formal": "formal aaaa"}),
        GradedTexts("flat", {"informal": "casual aaaa", "casual": "casual aaaa", "formal": "formal aaaa"}),
        GradedTexts("far", {"informal": "informal aa", "casual": "casual aaaa", "formal": "formal" + " a" * 200}),
    ]
    found = check_triples(rows, ByFirstWord(), ByLength(), least_similarity=0.9)
    assert [one.accepted for one in found] == [True, False, False, False]
    assert "rated casual < informal < formal" in found[1].reasons
    a, b = np.array([11.0, 10.0]), np.array([406.0, 10.0])
    cosine = float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    assert found[3].similarities["informal-formal"] == pytest.approx(cosine)


def test_building_asks_for_each_level_and_keeps_what_passes(tmp_path):
    def generator(text, level):
        return f"{'casual' if text == 'bad' else level} {text}"

    kept, checks = build_triples({"a": "good", "b": "bad"}, generator, ByFirstWord())
    assert [row.id for row in kept] == ["a"]
    assert [one.accepted for one in checks] == [True, False]
    assert write_triples(tmp_path / "x.jsonl", kept, checks) == 1
    assert read_triples(tmp_path / "x.jsonl")[0].texts == kept[0].texts


def test_six_directions_of_each_meaning_stay_together():
    rows = directed_rows(read_triples()[:2])
    assert len(rows) == 12
    assert {row["group"] for row in rows} == {"m001", "m002"}
    assert len({row["id"] for row in rows}) == 12
    assert rows[0]["prompt"][0]["content"].startswith("Rewrite the message so that it is casual.")
    with pytest.raises(DataError, match="not on the scale"):
        directed_rows([], directions=[("informal", "posh")])


@pytest.mark.parametrize(
    ("text", "problem"),
    [('{"id": "a"}\n', "informal"), ("[1]\n", "not an object"), ('{"id": 1', "line 1")],
)
def test_bad_lines_are_named(tmp_path, text, problem):
    (tmp_path / "x.jsonl").write_text(text)
    with pytest.raises(DataError, match=problem):
        read_triples(tmp_path / "x.jsonl")
