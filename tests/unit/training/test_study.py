"""The test set is looked at once per method and seed, after the choice; leaks are named."""

import numpy as np
import pytest

from tutelage.errors import ConfigError
from tutelage.training.study import kd_study
from tutelage.types import Scores

GRIDS = {"base": (1, 2), "kd": (1, 2, 3), "leaky": (1, 2, 3)}


def recorder(calls):
    def evaluate(method, setting, seed, split):
        calls.append((method, setting, seed, split))
        best = 2 if split == "validation" else 3  # the two splits disagree about the best setting
        return Scores("accuracy", ("a", "b"), np.array([1.0, float(setting == best)]))

    return evaluate


def test_validation_chooses_and_only_the_named_leak_sees_the_test_set_before():
    calls = []
    report = kd_study(GRIDS, recorder(calls), selection_seeds=(0,), seeds=(1, 2), leaks=("leaky",))
    assert report.chosen == {"base": 2, "kd": 2, "leaky": 3}
    assert report.selected_on == {"base": "validation", "kd": "validation", "leaky": "test"}
    assert report.selection["kd"] == ((1, 0.5), (2, 1.0), (3, 0.5))
    tested = [call for call in calls if call[3] == "test" and call[0] != "leaky"]
    assert tested == [(method, 2, seed, "test") for method in ("base", "kd") for seed in (1, 2)]
    last_choice = max(place for place, call in enumerate(calls) if call[3] == "validation")
    assert all(calls.index(call) > last_choice for call in tested)
    assert report.means("kd") == [0.5, 0.5]
    assert report.means("leaky") == [1.0, 1.0]


def test_the_first_of_equals_is_chosen_by_the_mean_of_the_selection_seeds():
    def evaluate(method, setting, seed, split):
        return Scores("accuracy", ("a",), np.array([{1: (0.0, 0.0), 2: (1.0, 0.0), 3: (0.5, 0.5)}[setting][seed]]))

    assert kd_study({"m": (1, 2, 3)}, evaluate, selection_seeds=(0, 1), seeds=(0,)).chosen == {"m": 2}


@pytest.mark.parametrize(
    "wrong",
    [{"grids": {}}, {"grids": {"a": ()}}, {"seeds": ()}, {"selection_seeds": ()}, {"seeds": (1, 1)}, {"leaks": ("b",)}],
)
def test_a_study_that_cannot_be_fair_is_refused(wrong):
    given = {"grids": {"a": (1,)}, "selection_seeds": (0,), "seeds": (1,)} | wrong
    with pytest.raises(ConfigError):
        kd_study(given.pop("grids"), recorder([]), **given)
