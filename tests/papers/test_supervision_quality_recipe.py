"""What the arms train on: exact rates, the same chains, equal tokens, nothing of the test."""

from dataclasses import replace

import pytest

from tutelage.data.supervision import inject_errors
from tutelage.measure.supervision import supervision_quality
from tutelage.papers.lab.chain_supervision import asked, hard_tasks, parts_of, quality_rows, reworded
from tutelage.papers.lab.chains import Chain
from tutelage.papers.lab.tokenizer import trained_tokenizer
from tutelage.papers.recipes.supervision_quality import DESCRIBED, GRID, chains_asked, cpu, supervision

CONFIG = replace(cpu(5), rows=40)
AVOID = chains_asked(CONFIG)[""]


class Base:
    """Only the tokenizer of a model: one token a word."""

    tokenizer = trained_tokenizer(
        [f" {k} + - = ; Begin From then go {k}" for k in range(10)] * 40
        + ["user\nBegin 5 then + 3 - 2 assistant\n From 5 go"] * 40
    )


def decoded(example):
    decode = Base.tokenizer.decode
    return decode(list(example.prompt)), decode(list(example.completion), skip_special_tokens=True)


@pytest.mark.parametrize(("outcome", "step"), [(0.9, 0.15), (0.9, 0.6), (0.5, 0.4)])
def test_wrong_ends_are_exact_and_wrong_steps_nearly(outcome, step):
    tasks = hard_tasks(300, (6, 7, 8), step / outcome, avoid=AVOID, seed=1)
    rows = inject_errors([one.pair for one in tasks], outcome, seed=1)
    found = supervision_quality(quality_rows(rows, tasks))
    assert found.outcome.value == outcome
    assert found.step.value == pytest.approx(step, abs=0.015)
    assert (found.lucky, found.unexplained) == (0, 0)


def test_no_tested_chain_is_supervised():
    tested = {(one.start, one.moves) for one in AVOID}
    assert not tested & {
        (one.chain.start, one.chain.moves) for one in hard_tasks(300, (6, 7, 8), 0.2, avoid=AVOID, seed=2)
    }


def test_parts_are_right_chains_that_hold_every_move_once():
    tasks = hard_tasks(40, (6, 7, 8), 0.2, avoid=AVOID, seed=3)
    parts = parts_of(tasks, 2, 4, seed=3)
    for task in tasks:
        own = [one.chain for one in parts if one.chain.id.startswith(f"{task.chain.id}/")]
        assert sum((one.moves for one in own), ()) == task.chain.moves
        assert own[-1].answer == task.chain.answer
        assert all(2 <= len(one.moves) <= 4 for one in own)


def test_another_wording_asks_the_same():
    assert asked(Chain("a", 7, (("-", 4), ("+", 9))), 1) == "From 7 go - 4 + 9"
    tasks = hard_tasks(5, (6,), 0.2, avoid=(), seed=0)
    for one, other in zip(tasks, reworded(tasks), strict=True):
        assert one.pair.id != other.pair.id
        assert one.pair.question.split()[3:] == other.pair.question.split()[3:]
        assert (one.pair.right, one.pair.wrong) == (other.pair.right, other.pair.wrong)


def test_every_arm_learns_as_many_lines_for_its_steps():
    lines = {}
    for arm in DESCRIBED:
        if arm == "base":
            continue
        made = supervision(arm, 1000, Base, AVOID, CONFIG)
        count = sum(decoded(one)[1].count("=") for one in made.rows)
        lines[arm] = count / (2 if arm in ("hard_parts", "hard_reworded") else 1)
        assert made.times == (2 if arm in ("hard_parts", "hard_reworded") else 1)
        assert (made.found is None) == arm.startswith("parts")
        if arm in GRID:
            assert made.found.outcome == GRID[arm].outcome
    whole = lines["hard_clean"]
    assert all(0.97 * whole < count <= whole for count in lines.values())


def test_noisy_arms_share_their_chains_and_the_same_ones_are_wrong():
    def wrong(arm):
        rows = supervision(arm, 1001, Base, AVOID, CONFIG).rows
        right = {one.id: one for one in supervision("hard_clean", 1001, Base, AVOID, CONFIG).rows}
        return {one.id for one in rows if decoded(one) != decoded(right[one.id])}

    assert len(wrong("hard_90_15")) == 36
    assert wrong("hard_90_15") == wrong("hard_90_60")
    assert wrong("hard_50_40") < wrong("hard_90_15")


def test_the_other_wording_repeats_the_same_mistakes():
    rows = supervision("hard_reworded", 1002, Base, AVOID, CONFIG).rows
    said = {}
    for one in rows:
        said.setdefault(one.id.partition(":")[0], set()).add(decoded(one)[1])
    assert all(len(texts) == 1 for texts in said.values())
    assert len(rows) == 2 * len(said)


def test_parts_in_place_are_the_lines_of_the_whole():
    rows = supervision("parts_in_place", 1003, Base, AVOID, CONFIG).rows
    whole = {one.id.partition(":")[0]: one for one in supervision("hard_clean", 1003, Base, AVOID, CONFIG).rows}
    alone = supervision("parts", 1003, Base, AVOID, CONFIG).rows
    assert [one.id.partition(":")[0] for one in alone] == [one.id for one in rows]
    together = {}
    for one in rows:
        name, _, _ = one.id.partition("/")
        assert one.prompt[: len(whole[name].prompt)] == whole[name].prompt
        assert (*one.prompt, *one.completion) == (*whole[name].prompt, *whole[name].completion)[
            : len(one.prompt) + len(one.completion)
        ]
        together[name] = together.get(name, ()) + one.completion
    assert together == {name: one.completion for name, one in whole.items()}
    for one, part in zip(rows, alone, strict=True):
        assert decoded(one)[1].strip() == decoded(part)[1].strip()


def test_what_is_tested_is_the_same_under_every_seed():
    assert chains_asked(CONFIG) == chains_asked(replace(CONFIG, seeds=(1,)))
    assert {len(one.moves) for one in chains_asked(CONFIG)["_short"]} == {2, 3, 4}
