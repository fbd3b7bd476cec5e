"""Preferences out of checks: order, ties, provenance, and the files."""

import numpy as np
import pytest

from tutelage.errors import ConfigError, DataError, RangeError
from tutelage.io import read_jsonl
from tutelage.refine.preferences import (
    Asked,
    build_preferences,
    constraints_from,
    engine_sampler,
    preferences_from,
    write_preferences,
)
from tutelage.types import Completion, Sampling
from tutelage.verify.satisfaction import verifier


def ask(name, text="Name a tree."):
    return Asked(name, [{"role": "user", "content": text}])


def given(**texts):
    return lambda prompts, m, seed: list(texts.values())


LENGTH = verifier("y", name="length")(lambda text: min(len(text), 10) / 10)


def test_best_and_worst_make_the_pair_and_all_different_answers_the_list():
    sampler = given(a=["oak tree", "oak", "oak", "a big oak tree"], b=["x", "x", "x", "x"], c=["ab", "cd", "ef", "gh"])
    found = build_preferences([ask("a"), ask("b"), ask("c")], sampler, [LENGTH], m=4)
    (pair,) = found.pairs
    assert (pair["id"], pair["chosen"], pair["rejected"]) == (
        "a",
        [{"role": "assistant", "content": "a big oak tree"}],
        [{"role": "assistant", "content": "oak"}],
    )
    assert (pair["chosen_score"], pair["rejected_score"]) == (1.0, 0.3)
    assert pair["prompt"] == [{"role": "user", "content": "Name a tree."}]
    (many,) = found.lists
    assert many["responses"] == ["a big oak tree", "oak tree", "oak"]
    assert many["scores"] == [1.0, 0.8, 0.3]
    assert found.dropped == [("b", "all answers are the same"), ("c", "the answers differ by 0 only")]
    assert found.provenance["kept"] == 1


def test_a_gap_drops_what_is_nearly_a_tie():
    sampler = given(a=["oak", "pine"])
    assert len(build_preferences([ask("a")], sampler, [LENGTH], m=2).pairs) == 1
    assert build_preferences([ask("a")], sampler, [LENGTH], m=2, min_gap=0.1).pairs == []


def test_constraints_on_sets_see_one_answer_of_every_prompt():
    seen = []

    @verifier("set")
    def alike(some):
        seen.append([one.id for one in some])
        return len({one.text for one in some}) == 1

    found = build_preferences([ask("a"), ask("b")], given(a=["x", "y"], b=["x", "z"]), [alike], m=2)
    assert seen == [["a#0", "b#0"], ["a#1", "b#1"]]
    assert [row["chosen"][0]["content"] for row in found.pairs] == ["x", "x"]


class Parrot:
    name = "parrot"

    def generate(self, prompts, *, sampling, n=1, seed=0):
        draw = np.random.default_rng(seed)
        return [[Completion("word " * int(k), (1,), "stop") for k in draw.permutation(n) + 1] for _ in prompts]


def test_from_rows_to_files_and_back(tmp_path):
    rows = [
        {
            "id": f"r{i}",
            "prompt": [{"role": "user", "content": "Speak."}],
            "completion": [{"role": "assistant", "content": "word"}],
        }
        for i in range(3)
    ]
    found = preferences_from(
        rows, Parrot(), [{"name": "words", "most": 2}, {"name": "words", "least": 2, "as": "long"}], m=4
    )
    again = preferences_from(
        rows, Parrot(), [{"name": "words", "most": 2}, {"name": "words", "least": 2, "as": "long"}], m=4
    )
    assert found.pairs == again.pairs
    assert [row["chosen"][0]["content"].split() for row in found.pairs] == [["word", "word"]] * 3
    assert found.provenance["engine"] == "parrot"
    assert write_preferences(found, tmp_path) == {"pairs": 3, "lists": 3, "dropped": 0, "checks": 12}
    assert [line.value for line in read_jsonl(tmp_path / "pairs.jsonl")] == found.pairs
    assert [line.value for line in read_jsonl(tmp_path / "lists.jsonl")] == found.lists
    assert {line.value["csr"] for line in read_jsonl(tmp_path / "checks.jsonl")} == {0.5, 1.0}


def test_what_cannot_be_built_is_refused():
    with pytest.raises(RangeError, match="m is 1"):
        build_preferences([ask("a")], given(a=["x"]), [LENGTH], m=1)
    with pytest.raises(DataError, match="twice"):
        build_preferences([ask("a"), ask("a")], given(a=["x"]), [LENGTH])
    with pytest.raises(DataError, match="3 answers"):
        build_preferences([ask("a")], given(a=["x", "y"]), [LENGTH], m=3)
    with pytest.raises(RangeError, match="greedy"):
        engine_sampler(Parrot(), Sampling(temperature=0.0))
    with pytest.raises(ConfigError, match="name"):
        constraints_from([{"most": 3}])
    with pytest.raises(ConfigError, match="at least one"):
        constraints_from([])
