"""What is particular to the recipe on DGR: the world, who is trained on what, what counts as a refusal, the drop."""

from dataclasses import replace

import pytest
import torch

from tutelage.errors import ModelError
from tutelage.papers.lab import refusals as world
from tutelage.papers.lab.change import relative_change, scaled_change
from tutelage.papers.lab.sums import last_number
from tutelage.papers.recipes import safety_tax
from tutelage.papers.recipes.safety_tax import LADDER, MIXES, SafetyTaxConfig, refuses, smoke, targets
from tutelage.refine.case import case_of
from tutelage.refine.dgr import check_refusal

ROWS = world.safety_rows(48, seed=7)
OWN = [f"mine {number}" for number in range(48)]


def said(rows):
    return [row["completion"][-1]["content"] for row in rows]


def test_the_reasoner_has_read_neither_hazard_nor_a_tested_sum_and_never_says_a_foreign_refusal():
    exercises = world.reasoner_exercises(3000)
    tested = {one.prompt for one in world.held_sums(SafetyTaxConfig().tested)}
    assert len(tested) == SafetyTaxConfig().tested
    assert {one.kind for one in exercises} == {"sum", "request", "mention", "restate refusal"}
    for one in exercises:
        assert not any(name in one.prompt + one.reply for name in world.HAZARDS)
        assert one.prompt not in tested
        assert refuses(one.reply) == (one.kind == "restate refusal")
        assert not any(one.reply.startswith(text.partition("{")[0]) for text in world.FOREIGN)


def test_the_answer_to_a_thought_sum_is_right():
    for one in world.thought_sums():
        assert last_number(one.reply) == sum(int(word) for word in one.prompt.split()[1:])
    assert len({one.prompt for one in world.thought_sums()}) == 9**3


def test_the_wordings_that_are_tested_are_not_trained_on():
    trained = {row["prompt"][0]["content"] for row in ROWS}
    tested = world.asked_for(world.HAZARDS[0], world.REQUESTS[world.TRAINED :], world.WRAPPERS)
    assert trained == set(world.asked_for(world.HAZARDS[0], world.REQUESTS[: world.TRAINED]))
    assert not trained & set(tested)
    assert len(tested) == 12


def test_a_refusal_is_not_found_in_help_in_a_thought_or_in_a_thought_without_end():
    name = world.HAZARDS[0]
    assert refuses(world.own_refusal(name))
    assert all(refuses(world.foreign_refusal(name, number)) for number in range(3))
    assert not refuses(world.helped(name))
    assert not refuses("<think> I refuse . </think> Mix it with water .")
    assert not refuses("<think> I can't help with it .")
    assert not refuses("")
    assert not any(refuses(one.reply) for one in world.thought_sums()[:5])


def test_what_the_reasoner_would_say_passes_the_check_of_restatements_and_help_does_not():
    case = case_of(ROWS[0])
    assert check_refusal(replace(case, text=world.own_refusal(world.HAZARDS[0])), thinking=True).ok
    assert check_refusal(replace(case, text=world.helped(world.HAZARDS[0]))).reason == "no_refusal"


def test_every_mix_restates_its_share_and_holds_the_smaller_ones():
    before: set[int] = set()
    for arm, eighths in zip(LADDER, range(9), strict=True):
        texts = said(targets(arm, ROWS, OWN))
        restated = {place for place, text in enumerate(texts) if text == OWN[place]}
        assert len(restated) == 6 * eighths
        assert before <= restated
        assert all(texts[place] == said(ROWS)[place] for place in range(48) if place not in restated)
        before = restated
    assert set(MIXES.values()) == {eighths / 8 for eighths in range(1, 8)}


def test_a_row_that_could_not_be_restated_falls_back_or_is_left_out():
    own = [None, *OWN[1:]]
    assert said(targets("dgr", ROWS, own)) == [said(ROWS)[0], *OWN[1:]]
    assert said(targets("dgr_drop", ROWS, own)) == OWN[1:]
    assert said(targets("dgr_ten", ROWS, own)) == [said(ROWS)[0], *OWN[1:10]]
    for arm in ("foreign", "foreign_tokens", "foreign_norm"):
        assert targets(arm, ROWS, own) == ROWS


class Trained:
    """Stands for the training of an arm: keeps what it was asked for, returns the base model, moved."""

    def __init__(self):
        self.steps = []

    def __call__(self, base, examples, settings, **_):
        self.steps.append(settings.max_steps)
        model = scaled_change(base.model, base.model, 1.0)
        with torch.no_grad():
            next(model.parameters()).add_(0.01)
        return safety_tax_arm(model)


def safety_tax_arm(model):
    from tutelage.papers.lab.arm import TrainedArm

    return TrainedArm(model, [], {})


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUTELAGE_HOME", str(tmp_path_factory.mktemp("home")))
        config = smoke(1)
        return safety_tax.pretrained("reasoner", world.reasoner_exercises(24), config.base)


def test_the_arm_of_equal_tokens_takes_more_steps_and_that_of_equal_length_is_scaled(base, tmp_path, monkeypatch):
    trained = Trained()
    monkeypatch.setattr(safety_tax, "tuned", trained)
    monkeypatch.setattr(safety_tax, "_scores", lambda *_: {"accuracy": {"a": 1.0}})
    own = [world.own_refusal(world.HAZARDS[0])] * 48
    arms = safety_tax._Arms(replace(smoke(1), steps=20), base, ROWS, own, 0, tmp_path)
    plain, _, scaled = (arms.made(arm, length) for arm, length in (
        ("foreign", None), ("foreign_tokens", None), ("foreign_norm", 0.5),
    ))  # fmt: skip
    tokens = {arm: sum(len(one.completion) for one in arms._examples(arm)) for arm in ("foreign", "dgr")}
    assert trained.steps == [20, round(20 * tokens["dgr"] / tokens["foreign"]), 20]
    assert trained.steps[1] > 20
    assert scaled["scores"]["change"]["run"] == pytest.approx(0.5, rel=1e-3)
    assert plain["scores"]["change"]["run"] != pytest.approx(0.5, rel=1e-3)


def test_change_and_its_scaling_against_a_plain_loop():
    torch.manual_seed(0)
    start, end = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    moved = held = 0.0
    for new, old in zip(end.parameters(), start.parameters(), strict=True):
        for a, b in zip(new.flatten().tolist(), old.flatten().tolist(), strict=True):
            moved, held = moved + (a - b) ** 2, held + b**2
    assert relative_change(end, start) == pytest.approx((moved / held) ** 0.5)
    assert relative_change(scaled_change(end, start, 0.25), start) == pytest.approx(0.25 * (moved / held) ** 0.5)
    assert torch.equal(scaled_change(end, start, 0.0).weight, start.weight)


def test_a_correlation_of_mixes_that_do_not_differ_is_none():
    assert safety_tax._rho([3, 2, 1], [0.3, 0.2, 0.1]) == pytest.approx(1.0)
    assert safety_tax._rho([3, 2, 1], [0.1, 0.2, 0.3]) == pytest.approx(-1.0)
    assert safety_tax._rho([3, 2, 1], [0.1, 0.1, 0.1]) == 0.0


@pytest.mark.slow
def test_the_drop_is_what_the_base_had_and_a_base_that_cannot_add_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("TUTELAGE_HOME", str(tmp_path / "home"))
    adds = {"base": {"a": 1.0, "b": 1.0}, "arm": {"a": 1.0, "b": 0.0}}
    names = ["refusal", "refusal_unseen", "refusal_bread", "over_refusal", "refusal_contrast"]
    rest = {name: {"0": 0.0} for name in names}

    def scores(model, base, config):
        return {"accuracy": adds["base" if model is base.model else "arm"], **rest}

    monkeypatch.setattr(safety_tax, "_scores", scores)
    found = safety_tax.run(replace(smoke(2), guard=0.8), tmp_path / "run")
    assert found["arms"]["dgr"]["drop"]["mean"] == pytest.approx(0.5)
    assert found["checks"]["base_accuracy"] == 1.0
    adds["base"] = {"a": 1.0, "b": 0.0}
    with pytest.raises(ModelError, match="adds 50%"):
        safety_tax.run(replace(smoke(2), guard=0.8), tmp_path / "other")
