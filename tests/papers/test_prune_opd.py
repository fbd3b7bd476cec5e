"""What is particular to the Prune-OPD recipe: the length controller on a scripted run, and blocks that are cut."""

import pytest

from tutelage.models.rollout import Rollout
from tutelage.papers.recipes.prune_opd import LENGTH, PruneConfig
from tutelage.training.pruning import LengthController, LengthSettings, in_blocks


def test_the_controller_follows_the_released_rule():
    control = LengthController(
        LengthSettings(start=20, minimum=8, maximum=28, step=4, margin=4, hit_ratio=0.5, patience=2)
    )
    script = [
        ([16, 3], 24),  # half of them reach 20 - 4: longer
        ([19, 19], 24),  # none reaches 20: the first miss
        ([20, 20], 28),  # hit: the misses start again
        ([28, 28], 28),  # never beyond the maximum
        ([1, 1], 28),
        ([1, 1], 24),  # the second miss in a row
        *[([1, 1], limit) for limit in (24, 20, 20, 16, 16, 12, 12, 8, 8, 8)],
    ]
    assert [control.update(effective) for effective, _ in script] == [limit for _, limit in script]
    assert control.update([8]) == 12  # at the minimum the minimum itself is what must be reached


def test_rollouts_are_drawn_on_only_where_they_live():
    asked = []

    def draw(rows, said, most, block):
        asked.append((tuple(rows), most, block))
        return [Rollout((block,) * (1 if row == 2 else most), row == 2) for row in rows]

    found = in_blocks(3, 7, 3, draw, lambda rows, said: [row == 0 for row in rows])
    assert found == [(0, 0, 0), (0, 0, 0, 1, 1, 1, 2), (0,)]
    assert asked == [((0, 1, 2), 3, 0), ((1,), 3, 1), ((1,), 1, 2)]


def test_a_row_that_stops_with_its_block_is_not_drawn_on():
    calls = []

    def draw(rows, said, most, block):
        calls.append(rows)
        return [Rollout((5,) * most, True) for _ in rows]

    assert in_blocks(1, 6, 3, draw, lambda rows, said: [False]) == [(5, 5, 5)]
    assert calls == [[0]]


def test_lengths_of_the_verdict_can_be_pruned_to_a_fifth():
    assert LENGTH.minimum <= 0.2 * LENGTH.maximum
    assert PruneConfig().pruning.w_drop * LENGTH.maximum > 1


@pytest.mark.parametrize("wrong", [{"start": 4}, {"start": 64}, {"step": 0}, {"hit_ratio": 2}, {"patience": 0}])
def test_lengths_that_make_no_sense(wrong):
    from tutelage.errors import ConfigError

    with pytest.raises(ConfigError):
        LengthSettings(**{"start": 20, "minimum": 8, "maximum": 40, **wrong})
