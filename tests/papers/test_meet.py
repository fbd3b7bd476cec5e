"""What is particular to the MEET recipe: two ways to answer, equal rows for every arm, and a choice that is fair."""

from dataclasses import replace

import pytest

from tutelage.models.controls import ControlSet, ControlSettings
from tutelage.papers.recipes import meet
from tutelage.training.task import Cost

PARTS = meet.exercises(meet.cpu(10))


def test_every_exercise_can_be_answered_both_ways():
    for one in (each for part in PARTS.values() for each in part):
        assert meet.is_brief(meet.brief(one))
        assert not meet.is_brief(one.reply)
        assert one.reply.endswith(meet.brief(one))
    total = next(one for one in PARTS["train"] if one.kind == "sum")
    assert int(meet.brief(total)) == sum(int(word) for word in total.prompt.split() if word.isdigit())


def test_training_choice_and_test_are_full_and_share_no_prompt():
    config = meet.cpu(10)
    assert {name: len(part) for name, part in PARTS.items()} == {
        "test": config.held_out, "validation": config.chosen_on, "train": config.pairs
    }  # fmt: skip
    prompts = [one.prompt for part in PARTS.values() for one in part]
    assert len(prompts) == len(set(prompts))
    assert not set(config.seeds) & set(config.selection_seeds)


def recorded(monkeypatch, tiny, arm, tmp_path, **changes):
    """What each stage of an arm was given: its name, rows, steps and rate."""
    stages = []

    def stage(name):
        def train(controls, tokenizer, rows, settings, **more):
            stages.append((name, [one.example.id for one in rows], settings.max_steps, settings.learning_rate))
            return Cost()

        return train

    monkeypatch.setattr(meet, "train_controls", stage("alone"))
    monkeypatch.setattr(meet, "train_joint", stage("joint"))
    config = replace(meet.cpu(10), **changes)
    meet.trained(meet.ARMS[arm], 3, config, tiny, PARTS["train"][:20], tmp_path / "work")
    return stages


@pytest.mark.parametrize("arm", meet.ARMS)
def test_every_arm_sees_as_many_rows_and_both_attributes_of_each(arm, monkeypatch, tiny, tmp_path):
    stages = recorded(monkeypatch, tiny, arm, tmp_path)
    assert sum(steps for _, _, steps, _ in stages) == 30 * (2 if arm == "special_token_twice" else 1)
    expected = {f"{one.id}/{name}" for one in PARTS["train"][:20] for name in (meet.BRIEF, meet.LONG)}
    orders = [rows for _, rows, _, _ in stages]
    assert all(sorted(rows) == sorted(expected) for rows in orders)
    assert all(rows == orders[0] for rows in orders)
    names = [name for name, *_ in stages]
    two_stages, frozen = arm in ("meet_prompt", "meet_lora"), arm == "stage_1_only"
    assert names == (["alone", "joint"] if two_stages else ["alone"] if frozen else ["joint"])


def test_the_arm_that_tells_the_order_apart_differs_in_nothing_else():
    assert replace(meet.ARMS["prompt_joint"], alone=0.5) == meet.ARMS["meet_prompt"]
    assert replace(meet.ARMS["special_token_twice"], effort=1.0) == meet.ARMS["special_token"]


def test_equal_controls_neither_separate_nor_follow(tiny):
    settings = ControlSettings("prompt", 3, initial={meet.BRIEF: (5, 6, 7), meet.LONG: (5, 6, 7)})
    controls = ControlSet(tiny.model, (meet.BRIEF, meet.LONG), settings)
    scores = meet._scores(controls, tiny, PARTS["test"][:3])
    assert list(scores["separation"].values()) == pytest.approx([0.0] * 3, abs=1e-5)
    accuracy = scores["control_accuracy"]  # the same reply is right under one of two controls
    assert all(accuracy[f"{one.id}/brief"] + accuracy[f"{one.id}/long"] == 1 for one in PARTS["test"][:3])


def test_the_scale_is_chosen_on_validation_and_applied_to_every_rate(monkeypatch, tiny, tmp_path):
    calls = []

    def measured(plan, scale, seed, config, base, shown, asked, work):
        on_test = asked == meet.exercises(config)["test"]
        assert on_test == (seed in config.seeds)
        calls.append(scale)
        good = scale == (3.0 if on_test else 1.0)
        rows = {one.id: float(good) + i / 100 for i, one in enumerate(asked)}
        accuracy = {f"{name}/{way}": 1.0 for name in rows for way in (meet.BRIEF, meet.LONG)}
        found = {"separation": rows, "control_accuracy": accuracy, "fluency_nll": accuracy}
        return {"scores": found, "cost": {"tokens_trained": 1.0, "cpu_seconds": 1.0}}

    monkeypatch.setattr(meet, "_measured", measured)
    monkeypatch.setattr(meet, "base_model", lambda settings, console: tiny)
    evidence = meet.run(meet.smoke(2), tmp_path / "run")
    assert {evidence["arms"][arm]["rate_scale"] for arm in meet.ARMS} == {1.0}
    assert evidence["cost"]["tokens_trained"] == len(calls) == len(meet.ARMS) * (2 + 2)


def test_a_scale_multiplies_the_rates(monkeypatch, tiny, tmp_path):
    seen = []
    monkeypatch.setattr(meet, "_scores", lambda *given: {})
    monkeypatch.setattr(meet, "trained", lambda plan, seed, config, *more: seen.append(config) or (None, {}))
    meet._measured(meet.ARMS["meet_lora"], 3.0, 0, meet.cpu(1), tiny, [], [], tmp_path)
    plain = meet.cpu(1)
    assert [getattr(seen[0], name) / getattr(plain, name) for name in meet.RATES] == pytest.approx([3.0] * 4)
    assert seen[0].control_rate == plain.control_rate  # a multiple of the model's rate
