"""Problems for an agent with tools: right solutions are right, errors are where they are said to be."""

import pytest

from tutelage.errors import RangeError
from tutelage.measure.tooluse import replayed
from tutelage.papers.lab.tool_problems import Policy, sample_trajectory, tool_problems

PROBLEMS = tool_problems(40, seed=5)
LOST = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


def runs(policy):
    return [(p, sample_trajectory(p, policy, seed=1, name=f"{p.id}-{k}")) for p in PROBLEMS for k in range(4)]


def test_without_errors_every_answer_is_right_and_one_call_stands_for_each_clause():
    for problem, run in runs(Policy(error_rate=0.0)):
        assert run.outcome
        assert set(run.labels) == {1}
        assert len(run.steps) == len(problem.clauses) + 1
        assert "error" not in problem.gold
    assert {len(one.clauses) for one in PROBLEMS} == {3, 4, 5, 6}


def test_runs_are_the_same_under_the_same_seed_and_are_replayed_by_the_tools():
    policy = Policy(0.3)
    assert [run for _, run in runs(policy)] == [run for _, run in runs(policy)]
    for problem, run in runs(policy):
        assert replayed(run, problem.tools) == []
        assert run.prompt == problem.question


def test_steps_err_as_often_as_the_policy_says():
    labels = [label for _, run in runs(Policy(0.3, retry=0.0)) for label in run.labels[:-1]]
    assert labels.count(0) / len(labels) == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize("kinds", LOST, ids=["tool", "argument", "reading"])
def test_each_kind_of_error_is_what_it_says(kinds):
    tools = {"look": "lookup", "convert": "units", "count": "date", "go": "date"}
    wrong = 0
    for _, run in runs(Policy(0.3, kinds, retry=0.0)):
        previous = ""
        for step, label in zip(run.steps[:-1], run.labels[:-1], strict=True):
            clause = step.thought.partition("Now ")[2]
            right_tool = step.action == tools.get(clause.partition(" ")[0], "calculator")
            had = step.thought.partition("I have ")[2].partition(". ")[0]
            if not previous.startswith("error") and previous:
                assert (had == previous) is (label == 1 or kinds != LOST[2])
            assert right_tool is (label == 1 or kinds != LOST[0])
            wrong += label == 0
            previous = step.observation
    assert wrong > 30


def test_errors_without_a_second_try_rarely_end_right_and_second_tries_help():
    tool = (1.0, 0.0, 0.0)
    without, with_ = (sum(run.outcome for _, run in runs(Policy(0.3, tool, retry))) for retry in (0.0, 0.9))
    assert with_ > without + 30
    rightly = [run.outcome for _, run in runs(Policy(0.3, retry=0.0)) if 0 in run.labels]
    assert sum(rightly) / len(rightly) < 0.2
    assert all(run.outcome for _, run in runs(Policy(0.3)) if 0 not in run.labels)


@pytest.mark.parametrize("bad", [{"error_rate": 1.0}, {"retry": 1.0}, {"retry": -0.1}, {"kinds": (0.0, 0.0, 0.0)}])
def test_policies_that_make_no_sense(bad):
    with pytest.raises(RangeError):
        Policy(**bad)
