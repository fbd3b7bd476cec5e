from dataclasses import replace

import numpy as np
import pytest

from tutelage.errors import ModelError
from tutelage.papers.lab.chain_choice import picked
from tutelage.papers.lab.chain_models import reward_head
from tutelage.papers.lab.chains import answer_of, chains, spoil, worked
from tutelage.papers.recipes.multi_domain_reward_models import _by_rule, cpu, curves, run, smoke

WORLD = replace(cpu(2).world, rows=400, questions=40)


def test_only_labels_of_steps_are_flipped_and_as_many_as_said():
    clean, noisy = WORLD.labelled(0, 0.0), WORLD.labelled(0, 0.2)
    assert [(one.question, one.steps, one.outcome) for one in clean] == [
        (one.question, one.steps, one.outcome) for one in noisy
    ]
    pairs = zip(clean, noisy, strict=True)
    differ = [a != b for one, other in pairs for a, b in zip(one.labels, other.labels, strict=True)]
    assert abs(np.mean(differ) - 0.2) < 0.03
    assert all(one.outcome == all(one.labels) for one in clean)
    assert 0.4 < np.mean([one.outcome for one in clean]) < 0.6


def test_candidates_are_as_often_right_as_said_and_end_right_only_then():
    rows = WORLD.tested()
    assert rows == WORLD.tested()
    assert rows != replace(WORLD, draw=7).tested()
    solutions = [one for row in rows.values() for one in row]
    assert len(solutions) == 40 * 8
    assert abs(np.mean([one.right for one in solutions]) - 0.3) < 0.08
    for row in rows.values():
        right = {answer_of(one.steps) for one in row if one.right}
        assert len(right) <= 1
        assert not right & {answer_of(one.steps) for one in row if not one.right}


def test_what_is_tested_is_not_labelled_and_what_is_either_is_not_shown_to_the_base(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "tutelage.papers.lab.chain_rewards.pretrained", lambda name, rows, settings, **_: seen.extend(rows)
    )
    WORLD.base(replace(cpu(2).base, steps=500))
    asked = {row[0].chain.question for row in WORLD.tested().values()}
    labelled = {one.question for seed in range(5) for one in WORLD.labelled(seed, 0.0)}
    shown = {one.prompt for one in seen}
    assert len(asked) == 40
    assert len(shown) > 10_000
    assert not asked & labelled
    assert not shown & (asked | labelled)
    assert {one.prompt.count("+") + one.prompt.count("-") for one in seen} == set(range(1, 9))


def test_what_the_base_reads_says_truly_what_is_wrong(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "tutelage.papers.lab.chain_rewards.pretrained", lambda name, rows, settings, **_: seen.extend(rows)
    )
    WORLD.base(replace(cpu(2).base, steps=40))
    marks, taken_back, plain = [], 0, 0
    for one in seen:
        text, _, last = one.reply.rpartition(" ")
        start, _, *moves = one.prompt.removeprefix("Begin ").split()
        answer = (int(start) + sum(int(a + b) for a, b in zip(moves[::2], moves[1::2], strict=True))) % 10
        if last in ("true", "false"):
            marks.append(last == "true")
            assert (int(text.rpartition(" ")[2]) == answer) == marks[-1]
            assert " no " not in text
            continue
        for line in one.reply.removesuffix(" ;").split(" ;"):
            before, sign, number, _, *said = line.split()
            assert int(said[-1]) == (int(before) + int(sign + number)) % 10
            assert len(said) == 1 or (said[1] == "no" and said[0] != said[2])
            taken_back, plain = taken_back + (len(said) == 3), plain + (len(said) == 1)
    assert abs(len(marks) / len(seen) - 0.5) < 0.05
    assert abs(np.mean(marks) - 0.5) < 0.07
    assert abs(taken_back / (taken_back + plain) - 0.2) < 0.03


def test_a_step_is_scored_at_its_result(tmp_path, monkeypatch):
    monkeypatch.setenv("TUTELAGE_HOME", str(tmp_path / "home"))
    config = smoke(1)
    base = config.world.base(config.base)
    model = reward_head(base, base.model, "dPRM")
    row = config.world.labelled(0, 0.0)[1]
    ids, places = model.encode(row.question, row.steps)
    assert [model.tokenizer.decode(ids[: place + 1]).rpartition("=")[2].strip() for place in places] == [
        step.rpartition("=")[2].strip() for step in row.steps
    ]


def test_floors_by_hand():
    chain = chains(1, [3], seed=0)[0]
    wrong = [spoil(chain, [0], seed=seed) for seed in range(20)]
    first, other = wrong[0], next(one for one in wrong if one.steps != wrong[0].steps)
    tested = {"q": [worked(chain), first, worked(chain), other, other, other, other, other]}
    assert _by_rule("random", tested) == {"q": 2 / 8}
    assert _by_rule("random_text", tested) == {"q": 1 / 3}
    assert _by_rule("oracle", tested) == {"q": 1.0}
    assert _by_rule("majority", tested) == {"q": 0.0}
    assert picked(tested, [0.9, 0.5, 0.9, 0.2, 0.2, 0.2, 0.2, 0.2], "best_of_n") == {"q": 1.0}
    assert picked(tested, [0.1, 0.5, 0.1, 0.2, 0.2, 0.2, 0.2, 0.2], "weighted") == {"q": 0.0}


def test_the_curve_ends_in_the_choice_among_all_and_begins_in_that_of_one():
    tested = WORLD.tested()
    solutions = [one for row in tested.values() for one in row]
    rng = np.random.default_rng(0)
    given = [
        list(rng.random(len(solutions)) * 0.5 + 0.3 * np.array([one.right for one in solutions])) for _ in range(2)
    ]
    found = curves(tested, {"dorm": [{"given": one} for one in given], "oracle": [{}]}, (5, 6))
    for how, name in (("best_of_n", "curve"), ("weighted", "curve_weighted")):
        whole = np.mean([np.mean(list(picked(tested, one, how).values())) for one in given])
        if how == "best_of_n":  # a vote's ties depend on the order of the draw
            assert found["dorm"][name]["8"]["mean"] == pytest.approx(whole)
        assert found["dorm"][name]["1"]["mean"] == pytest.approx(found["random"]["curve"]["1"]["mean"])
    assert found["oracle"]["curve"]["8"]["mean"] == np.mean(list(_by_rule("oracle", tested).values()))
    assert found["random"]["curve"]["8"]["mean"] == pytest.approx(np.mean([one.right for one in solutions]), abs=0.03)


def test_verifiers_that_have_not_learnt_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("TUTELAGE_HOME", str(tmp_path / "home"))
    with pytest.raises(ModelError, match="has not learnt"):
        run(replace(smoke(2), required=1.01), tmp_path / "run")
    assert not (tmp_path / "run" / "evidence.json").exists()
