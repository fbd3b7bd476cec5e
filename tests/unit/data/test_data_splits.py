"""Splits are deterministic, respect groups, and do not depend on the order; overlap is found exactly and nearly."""

from __future__ import annotations

import random
from hashlib import sha256

import pytest

from tutelage.data import (
    OverlapSettings,
    choose,
    drop_overlap,
    group_of,
    overlap,
    split,
    split_by_column,
)
from tutelage.data.splits import normalised
from tutelage.errors import DataError, RangeError
from tutelage.types import Row


def make(name: str, text: str, answer: str = "x", group: str | None = None) -> Row:
    row: Row = {
        "id": name,
        "prompt": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": text}],
        "completion": [{"role": "assistant", "content": answer}],
    }
    if group is not None:
        row["group"] = group
    return row


def ids(rows: list[Row]) -> list[str]:
    return [row["id"] for row in rows]


ROWS = [make(str(number), f"question {number}", group=f"g{number // 3}") for number in range(90)]


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.5, 0.99])
def test_split_is_whole_and_keeps_groups_together(fraction: float) -> None:
    train, test = split(ROWS, fraction, seed=3)
    assert sorted(ids(train) + ids(test)) == sorted(ids(ROWS))
    assert not {row["group"] for row in train} & {row["group"] for row in test}
    assert abs(len(test) - fraction * 90) <= 3
    assert train
    assert test


def test_split_depends_on_seed_alone() -> None:
    train, test = split(ROWS, 0.2, seed=1)
    shuffled = random.Random(0).sample(ROWS, len(ROWS))
    again = split(shuffled, 0.2, seed=1)
    assert set(ids(again[1])) == set(ids(test))
    assert ids(train) == [name for name in ids(ROWS) if name in set(ids(train))]
    assert set(ids(split(ROWS, 0.2, seed=2)[1])) != set(ids(test))


def test_split_rule_is_pinned() -> None:
    """A changed rule would change every user's split: raise SPLIT_RULE and this list together."""
    rows = [make(str(number), f"question {number}") for number in range(12)]
    ranks = {number: sha256(f"tutelage split 1\0{0}\0question {number}".encode()).hexdigest() for number in range(12)}
    first = sorted(ranks, key=lambda number: ranks[number])[:3]
    assert ids(split(rows, 0.25, seed=0)[1]) == [str(number) for number in sorted(first)] == ["0", "6", "10"]


def test_adding_rows_moves_few() -> None:
    before = set(ids(split(ROWS[:60], 0.2)[1]))
    after = set(ids(split(ROWS, 0.2)[1]))
    assert len(before - after) <= 6


def test_same_prompt_is_one_group() -> None:
    rows = [make(f"{number}{answer}", f"Question {number}!", answer) for number in range(20) for answer in "ab"]
    train, test = split(rows, 0.25)
    assert not {group_of(row) for row in train} & {group_of(row) for row in test}
    assert group_of(make("1", "Why  NOT?")) == group_of(make("2", "why not"))
    assert group_of(make("1", "2+2")) != group_of(make("2", "2-2"))


def test_one_huge_group() -> None:
    rows = [make(str(number), "same", str(number)) for number in range(10)] + [make("alone", "other")]
    train, test = split(rows, 0.1)
    assert ids(test) == ["alone"]
    assert len(train) == 10


@pytest.mark.parametrize("rows", [[], ROWS[:1], ROWS[:3]])
def test_too_few_groups(rows: list[Row]) -> None:
    with pytest.raises(DataError, match="cannot be split"):
        split(rows)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -1.0, float("nan")])
def test_fraction_outside(fraction: float) -> None:
    with pytest.raises(RangeError):
        split(ROWS, fraction)


def test_choose_is_stable_and_nested() -> None:
    ten, twenty = choose(ROWS, 10), choose(ROWS, 20)
    assert set(ids(ten)) < set(ids(twenty))
    assert len(ten) == 10
    assert ids(ten) == [name for name in ids(ROWS) if name in set(ids(ten))]
    assert set(ids(choose(list(reversed(ROWS)), 10))) == set(ids(ten))
    assert choose(ROWS, 1_000) == ROWS
    assert choose(ROWS, 0) == []


def test_split_column() -> None:
    names = {"0": "test", "1": "Validation", "2": "extra"}
    parts = split_by_column(ROWS[:6], names)
    assert ids(parts.test) == ["0"]
    assert ids(parts.train) == ["3", "4", "5"]
    assert {name: ids(rows) for name, rows in parts.unused.items()} == {"validation": ["1"], "extra": ["2"]}
    assert ids(split_by_column(ROWS[:6], {"1": "dev"}).test) == ["1"]
    with pytest.raises(DataError, match="no test rows"):
        split_by_column(ROWS[:6], {"0": "extra"})
    with pytest.raises(DataError, match="no training rows"):
        split_by_column(ROWS[:1], {"0": "test"})


LONG = "The committee decided that the bridge over the river should be repaired before the winter begins in the north"


def test_exact_overlap_ignores_case_space_and_punctuation() -> None:
    train = [make("a", "What  is Iron?"), make("b", "What is lead?"), make("c", "what is iron")]
    test = [make("t", "what is IRON!"), make("u", "What is iron?"), make("v", "no")]
    report = overlap(train, test)
    assert [(pair.train_id, pair.test_id, pair.kind) for pair in report.of("exact")] == [
        ("a", "t", "exact"),
        ("c", "t", "exact"),
    ]
    assert report.test_ids == {"t", "u"}
    assert (report.n_train, report.n_test) == (3, 3)


def test_near_overlap_is_the_exact_jaccard() -> None:
    changed = LONG.replace("winter", "autumn")
    report = overlap([make("a", changed), make("b", "Something else altogether")], [make("t", LONG)])

    def shingles(text: str) -> set[str]:
        padded = f" {normalised(text)} "
        return {padded[at : at + 5] for at in range(len(padded) - 4)}

    one, other = shingles(changed), shingles(LONG)
    (pair,) = report.pairs
    assert pair.kind == "near"
    assert pair.similarity == pytest.approx(len(one & other) / len(one | other), abs=0)
    assert not overlap([make("a", changed)], [make("t", LONG)], OverlapSettings(threshold=0.95)).pairs


def test_common_wording_does_not_make_rows_near() -> None:
    """A template around a short question would make everything near; only what differs is compared."""
    words = random.Random(1).sample([a + b for a in "bcdfgklmnprst" for b in ("aroma", "inute", "olver", "ustic")], 50)
    rows = [make(word, f"Which of the following eight skill groups does the skill {word} belong to?") for word in words]
    assert not overlap(rows[:40], rows[40:]).pairs
    plain = OverlapSettings(boilerplate=1.0)
    assert len(overlap(rows[:40], rows[40:], plain).pairs) > 20


def brute_force(train: list[Row], test: list[Row], size: int, threshold: float) -> set[str]:
    def shingles(row: Row) -> set[tuple[str, ...]]:
        words = normalised(row["prompt"][-1]["content"]).split()
        return {tuple(words[at : at + size]) for at in range(max(1, len(words) - size + 1))}

    sets = [shingles(row) for row in test]
    return {
        row["id"]
        for row in train
        for other in sets
        if len(shingles(row) & other) >= threshold * len(shingles(row) | other)
    }


def test_near_overlap_finds_what_brute_force_finds() -> None:
    draw = random.Random(4)
    words = [f"w{number}" for number in range(400)]
    test = [make(f"t{number}", " ".join(draw.choices(words, k=60))) for number in range(40)]
    train = []
    for number in range(200):
        text = test[number % 40]["prompt"][-1]["content"].split()
        for _ in range(number % 8):
            text[draw.randrange(60)] = draw.choice(words)
        train.append(make(f"a{number}", " ".join(text)))
    settings = OverlapSettings(shingle="word", size=3, boilerplate=1.0)
    found = overlap(train, test, settings).train_ids
    expected = brute_force(train, test, 3, 0.8)
    assert found <= expected
    assert len(expected) > 50
    assert len(found) >= 0.97 * len(expected)


def test_drop_overlap_touches_training_rows_only() -> None:
    train = [make("a", LONG), make("b", LONG.replace("winter", "autumn")), make("c", "no")]
    report = overlap(train, [make("t", LONG)])
    kept, removed = drop_overlap(train, report)
    assert (ids(kept), ids(removed)) == (["c"], ["a", "b"])
    kept, removed = drop_overlap(train, report, kinds=("exact",))
    assert (ids(kept), ids(removed)) == (["b", "c"], ["a"])


def test_answers_can_be_compared_too() -> None:
    train, test = [make("a", "Choose", "red")], [make("t", "Choose", "blue")]
    assert overlap(train, test).pairs
    assert not overlap(train, test, OverlapSettings(compare="prompt+completion")).pairs


@pytest.mark.parametrize(("train", "test"), [([], []), ([make("a", "x")], []), ([], [make("t", "x")])])
def test_overlap_of_nothing(train: list[Row], test: list[Row]) -> None:
    assert overlap(train, test).pairs == ()


def test_settings_are_checked() -> None:
    for bad in ({"threshold": 0.0}, {"threshold": 1.1}, {"boilerplate": 0.0}, {"size": 0}, {"permutations": 1}):
        with pytest.raises(RangeError):
            OverlapSettings(**bad)
