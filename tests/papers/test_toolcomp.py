"""The recipe on ToolComp: equal features, fair choices, and scores that are those of the library."""

import doctest
from dataclasses import replace

import numpy as np
import pytest

from tutelage.measure.tooluse import ToolStep, ToolTrajectory
from tutelage.papers.lab import tool_problems as lab_problems
from tutelage.papers.lab import tool_rewards as lab_rewards
from tutelage.papers.lab.tool_problems import Policy, sample_trajectory, tool_problems
from tutelage.papers.lab.tool_rewards import chosen_reward, hits, step_words
from tutelage.papers.recipes import toolcomp as recipe
from tutelage.stats import rank_at_k

POLICY = Policy(0.18, retry=0.25)


def groups(count, seed):
    problems = tool_problems(count, seed=seed)
    return [[sample_trajectory(p, POLICY, seed=seed, name=f"{p.id}-{k}") for k in range(4)] for p in problems]


def right(found):
    return [[int(one.outcome) for one in group] for group in found]


def test_hits_are_rank_at_one():
    draw = np.random.default_rng(0)
    scores, correct = draw.integers(0, 3, (50, 4)) / 2, draw.integers(0, 2, (50, 4)).tolist()
    assert np.mean(hits(scores.ravel(), correct)) == rank_at_k(list(scores), correct).value.value


def test_words_say_where_what_is_copied_comes_from():
    steps = (
        ToolStep("Now look up the load of Ilford.", "lookup", "places | ilford | load_kg", "412"),
        ToolStep("I have 421. Now add 5 to it.", "calculator", "421 + 7", "428"),
        ToolStep("I have 428. That is the result.", "finish", "[428]"),
    )
    first, second, third = step_words(ToolTrajectory("t", "q", ("lookup", "calculator"), "", steps))
    assert "from:word:thought" in first
    assert not any(word.startswith("had:") for word in first)
    assert {"had:False", "from:#:thought", "from:#:nowhere", "x:add:+", "x:add:calculator"} <= set(second)
    assert {"had:True", "from:#:thought"} <= set(third)
    assert not any(sign.isdigit() for words in (first, second, third) for word in words for sign in word)


def test_only_the_label_differs_between_the_two_verifiers_of_steps():
    """With one step label for all steps of a trajectory, equal to its outcome, both learn the same."""
    found, validation = groups(20, 1), groups(10, 2)
    train = [one for group in found for one in group]
    same = [replace(one, labels=(int(one.outcome),) * len(one.steps)) for one in train]
    flat = [one for group in validation for one in group]
    by_steps, by_outcome = (chosen_reward(same, validation, labels, (1.0,)) for labels in ("steps", "outcome on steps"))
    assert np.array_equal(by_steps.scores(flat), by_outcome.scores(flat))
    other = chosen_reward(train, validation, "steps", (1.0,))
    assert not np.array_equal(other.scores(flat), by_outcome.scores(flat))


def test_the_choice_is_the_best_on_validation():
    train, validation = [one for group in groups(30, 3) for one in group], groups(20, 4)
    flat = [one for group in validation for one in group]
    reached = {
        strengths: np.mean(hits(chosen_reward(train, validation, "outcome", strengths).scores(flat), right(validation)))
        for strengths in ((1.0,), (100.0,), (1.0, 100.0))
    }
    assert reached[1.0, 100.0] == max(reached.values())


def test_verifiers_learn_and_random_ones_do_not():
    train, validation, test = [one for group in groups(60, 5) for one in group], groups(20, 6), groups(60, 7)
    flat, lot = [one for group in test for one in group], np.mean(right(test))
    for labels in ("steps", "outcome"):
        fit = chosen_reward(train, validation, labels, (10.0,))
        assert np.mean(hits(fit.scores(flat), right(test))) > lot + 0.15
        assert (fit.rule is None) is (labels == "outcome")


@pytest.mark.parametrize(
    ("first", "second", "size"),
    [
        ([0.5, 0.6, 0.7], [0.4, 0.5, 0.6], None),
        ([0.5, 0.6, 0.7], [0.5, 0.5, 0.7], 300),
        ([0.5, 0.6, 0.7], [0.6, 0.6, 0.7], 100),
        ([0.5, 0.6, 0.7], [0.6, 0.7, 0.6], None),
    ],
)
def test_the_crossover_is_where_the_second_stays_level(first, second, size):
    assert recipe.crossover((100, 200, 300), first, second) == size


def test_parts_share_no_problem_and_small_sets_have_many():
    config = recipe.smoke(2)
    parts = {name: recipe._sampled(config, config.policy, name, 0) for name in ("train", "validation", "test")}
    asked = {name: {group[0].prompt for group in found} for name, found in parts.items()}
    assert not asked["train"] & asked["test"]
    assert not asked["validation"] & asked["test"]
    assert len({one.id for group in parts["train"] for one in group}) == max(config.sizes)
    tuned = recipe._sampled(config, config.tuned, "test", 0)
    assert [group[0].prompt for group in tuned] == [group[0].prompt for group in parts["test"]]


def test_controls_are_what_they_say():
    found = groups(30, 8)
    arms = recipe._by_rule(found)
    assert arms["random"] == pytest.approx(np.mean(right(found), axis=1))
    assert arms["oracle"] == [float(max(one)) for one in right(found)]
    assert np.mean(arms["oracle"]) >= max(np.mean(arms["random"]), np.mean(arms["shortest"]))
    for arm, choose in (("shortest", min), ("longest", max)):
        picked = [choose(group, key=lambda one: sum(len(step.text()) for step in one.steps)) for group in found]
        assert arms[arm] == [float(one.outcome) for one in picked]
    views = recipe._views("any", arms["oracle"], found)
    assert set(views["rank1_mixed_any"].values()) == {1.0}
    assert len(views["rank1_mixed_any"]) == sum(0 < sum(one) < 4 for one in right(found))


@pytest.mark.parametrize("module", [recipe, lab_problems, lab_rewards])
def test_examples(module):
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0
