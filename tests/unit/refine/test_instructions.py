import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripted_engines import ScriptedEngine
from tutelage.data.sokoban import generate_level, move_rows
from tutelage.errors import ConfigError, DataError, RangeError
from tutelage.refine import (
    InstructionVariants,
    ProgrammaticReasoning,
    ReasoningSettings,
    SampledReasoning,
    diversify,
    probe_rows,
    run,
)
from tutelage.refine.instructions import COMMON_WORDS, NAMED_VARIANTS, Renaming
from tutelage.types import Sampling
from tutelage.verify import exact

NAMES = ("Up", "Down", "Left", "Right")
ROWS = list(move_rows([generate_level(6, 1, seed=s) for s in range(6)]))
VARIANTS = InstructionVariants(NAMES)


def declared(row):
    """Move by name, read from the prompt."""
    return dict(re.findall(r"(\S+) = (\w+)wards", row["prompt"][0]["content"]))


@pytest.mark.parametrize("how", ["per_sample", 1, 3])
def test_prompt_and_answer_stay_consistent_and_names_differ(how):
    made = diversify(ROWS, VARIANTS, how, seed=5)
    assert [row["id"] for row in made] == [row["id"] for row in ROWS]
    for old, new in zip(ROWS, made, strict=True):
        assert len(declared(new)) == 4
        old_move = declared(old)[old["completion"][0]["content"]]
        assert declared(new)[new["completion"][0]["content"]] == old_move
        assert set(declared(new)) <= set(COMMON_WORDS)
    vocabularies = {tuple(declared(row)) for row in made}
    assert len(vocabularies) <= how if isinstance(how, int) else len(vocabularies) > len(ROWS) // 2
    assert made == diversify(ROWS, VARIANTS, how, seed=5)


def test_words_held_out_or_in_the_row_never_become_names():
    pool = ("floor", "wall", "oak", "elm", "fig", "ash", "yew", "box", "yew")
    variants = InstructionVariants(NAMES, pool, frozenset({"yew"}))
    for row in diversify(ROWS, variants):
        assert set(declared(row)) == {"oak", "elm", "fig", "ash"}
    with pytest.raises(DataError, match="words are left"):
        diversify(ROWS, InstructionVariants(NAMES, pool[:6], frozenset({"ash"})))


@given(st.permutations(NAMES))
def test_swapped_names_stay_apart_and_can_be_swapped_back(order):
    there = VARIANTS.fixed(order)
    back = Renaming({new: old for old, new in there.names.items()})
    for row in ROWS[:3]:
        assert back.row(there.row(row)) == row


def test_references_and_choices_follow_and_parts_of_words_do_not():
    row = {**ROWS[0], "reference": "Up", "choices": ["Up", "Uphill"]}
    made = VARIANTS.fixed(NAMED_VARIANTS["symbols"]).row(row)
    assert (made["reference"], made["choices"]) == ("*", ["*", "Uphill"])


def test_a_probe_keeps_the_old_answer_under_a_new_prompt():
    for old, new in zip(ROWS, probe_rows(ROWS, VARIANTS, ("oak", "elm", "fig", "ash")), strict=True):
        assert new["completion"] == old["completion"]
        assert set(declared(new)) == {"oak", "elm", "fig", "ash"}


def test_the_pool_has_each_word_once_and_all_are_drawn():
    assert len(set(COMMON_WORDS)) == len(COMMON_WORDS) > 200
    drawn = Counter(word for seed in range(2000) for word in VARIANTS.sample(seed).names.values())
    assert set(drawn) == set(COMMON_WORDS)
    assert max(drawn.values()) < 80  # 8,000 draws of some 230 words: 35 each


def test_what_cannot_be_renamed_is_refused():
    with pytest.raises(DataError, match="does not declare"):
        diversify([{"id": "x", "prompt": [{"role": "user", "content": "Up"}], "completion": []}], VARIANTS)
    with pytest.raises(DataError, match="not different"):
        InstructionVariants(("a", "a"))
    with pytest.raises(DataError, match="too few"):
        InstructionVariants(NAMES, ("x", "x", "y", "z"))
    with pytest.raises(DataError):
        VARIANTS.fixed(("a", "b", "c", "c"))
    with pytest.raises(RangeError):
        diversify(ROWS, VARIANTS, 0)


def question(name, text, answer):
    return {
        "id": name,
        "prompt": [{"role": "user", "content": text}],
        "completion": [{"role": "assistant", "content": answer}],
    }


SUMS = [question("s1", "1+1", "2"), question("s2", "2+2", "4"), question("s3", "9+9", "18")]


def test_written_reasoning_stands_before_the_answer():
    refiner = ProgrammaticReasoning(lambda row: "" if row["id"] == "s3" else "we add", version="1")
    made = list(refiner(SUMS))
    assert [one.outcome for one in made] == ["changed", "changed", "kept"]
    assert made[0].row["completion"][0]["content"] == "we add\n2"
    assert refiner.fingerprint() != ProgrammaticReasoning(lambda row: "", version="2").fingerprint()
    with pytest.raises(ConfigError):
        ProgrammaticReasoning(lambda row: "", version="1", layout="{answer} {reasoning}")


class Guessing(ScriptedEngine):
    """Right on its n-th try of a question; ``never`` is always wrong."""

    def __init__(self, tries):
        super().__init__(self.answer)
        self.tries, self.seen = tries, Counter()

    def answer(self, prompt):
        text = prompt[-1]["content"].split("\n")[0]
        self.seen[text] += 1
        right = {"1+1": "2", "2+2": "4", "9+9": "18"}[text]
        return f"adding them\n{right if self.seen[text] == self.tries[text] else '0'}"


def test_samples_are_kept_only_where_the_verifier_accepts(tmp_path):
    engine = Guessing({"1+1": 1, "2+2": 3, "9+9": 99})
    settings = ReasoningSettings(samples=4, sampling=Sampling(max_new_tokens=20))
    result = run(SUMS, SampledReasoning(engine, exact, settings, seed=1), tmp_path)
    assert [one.outcome for one in result.refined] == ["changed", "changed", "dropped"]
    assert [one.trace["tries"] for one in result.refined] == [1, 3, 4]
    assert result.refined[1].row["completion"][0]["content"] == "adding them\n4"
    assert engine.seen == {"1+1": 1, "2+2": 3, "9+9": 4}  # no sample is drawn in vain
    again = run(SUMS, SampledReasoning(engine, exact, settings, seed=1), tmp_path)
    assert again.calls == 0
    assert [one.row for one in again.refined] == [one.row for one in result.refined]
    assert len(set(engine.seeds)) == 4


def test_an_unsolved_row_can_be_kept_and_a_cut_sample_is_not_right():
    settings = ReasoningSettings(samples=2, otherwise="keep")
    cut = ScriptedEngine(lambda prompt: "2", finish="length")
    assert [one.outcome for one in SampledReasoning(cut, exact, settings)(SUMS[:1])] == ["kept"]
    with pytest.raises(ConfigError, match="greedy"):
        ReasoningSettings(samples=2, sampling=Sampling(temperature=0.0))
