"""The suite as a whole: what runs, what is taken over, and the composite."""

import hashlib
from itertools import pairwise

import numpy as np
import pytest

from tutelage import assets
from tutelage.errors import DataError, RangeError
from tutelage.measure import retention
from tutelage.measure.retention.generated import instruction_items, problems
from tutelage.measure.retention.language import general_prompts
from tutelage.measure.retention.ranked import knowledge_items, reading_items
from tutelage.types import Scores

NAMES = ["instructions", "arithmetic", "knowledge", "reading", "text_nll", "kl_to_base"]


def results(value, n=40, flip=0):
    values = np.full(n, float(value))
    values[:flip] = 1 - values[:flip]
    return {name: Scores(name, tuple(f"i{k}" for k in range(n)), values) for name in retention.COMPOSITE}


def test_everything_once_in_order(letters, made_up_rows):
    engine = letters(reply="Penguins have 7 eggs.")
    base = retention.base_replies(engine, retention.size_of("smoke"))
    seen = []
    found = retention.run(engine, "smoke", base=base, on_done=lambda probe, scores: seen.append((probe.name, scores)))
    assert list(found) == NAMES
    assert seen == list(found.items())
    assert all(found[name].metric == name and found[name].version == retention.VERSION for name in found)
    assert set(made_up_rows) == set(retention.ASSETS)
    assert all(found[name].proportion for name in retention.COMPOSITE)


def test_without_base_replies_there_is_no_distance(letters, made_up_rows):
    assert list(retention.run(letters(), "smoke")) == NAMES[:-1]


def test_what_is_there_is_not_measured_again(letters, made_up_rows):
    engine = letters()
    done = {"arithmetic": results(1)["arithmetic"]}
    found = retention.run(engine, "smoke", only=["arithmetic", "reading"], done=done)
    assert list(found) == ["arithmetic", "reading"]
    assert found["arithmetic"] is done["arithmetic"]
    assert engine.samplings == []


def test_refusals(letters):
    with pytest.raises(RangeError, match="tiny"):
        retention.suite("tiny")
    with pytest.raises(RangeError) as caught:
        retention.run(letters(), only=["readng"])
    assert "did you mean 'reading'" in str(caught.value)


def test_sizes_grow_and_beginnings_are_shared(made_up_rows):
    sizes = [vars(retention.SIZES[name]) for name in ("smoke", "quick", "standard", "full")]
    for small, large in pairwise(sizes):
        assert all(small[key] <= large[key] for key in small)
    assert [i.id for i in reading_items(3)] == [i.id for i in reading_items(9)[:3]]


def test_the_composite_is_the_mean_over_abilities():
    found = retention.general_ability(results(1), results(1, flip=10))
    assert found.delta.value == pytest.approx(-0.25)
    assert found.outcome == "A>B"
    assert retention.general_ability_of(results(1, flip=10)).value == pytest.approx(0.75)
    same = retention.general_ability(results(1), results(1), smallest_effect=0.05)
    assert (same.delta.value, same.p) == (0.0, 1.0)
    extra = {**results(1), "text_nll": results(1)["reading"]}
    assert retention.general_ability(extra, results(1)).n_pairs == 160
    with pytest.raises(DataError, match="reading"):
        retention.general_ability_of({k: v for k, v in results(1).items() if k != "reading"})


@pytest.mark.parametrize("name", retention.ASSETS)
def test_every_asset_is_in_the_kit(name):
    assert assets.get(name).tier == "small"


def _digest(ids):
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()[:12]


@pytest.mark.needs_asset("truthfulqa")
@pytest.mark.needs_asset("asdiv")
@pytest.mark.needs_asset("piqa")
@pytest.mark.needs_asset("openbookqa")
@pytest.mark.needs_asset("commonsenseqa")
@pytest.mark.needs_asset("chat")
@pytest.mark.needs_asset("nq-open")
@pytest.mark.needs_asset("factual-summary-pairs")
@pytest.mark.needs_asset("boolq")
def test_the_quick_items_of_this_version_never_change():
    """If this fails on purpose, raise VERSION."""
    size = retention.size_of("quick")
    found = {
        "instructions": _digest([item.prompt for item in instruction_items(size.instructions)]),
        "arithmetic": _digest([item.question for item in problems(size.arithmetic)]),
        "knowledge": _digest([i.lead + "|".join(i.choices) for i in knowledge_items(size.knowledge)]),
        "reading": _digest([i.lead + "|".join(i.choices) for i in reading_items(size.reading)]),
        "replies": _digest([chat[0]["content"] for _, chat in general_prompts(size.replies)]),
    }
    expected = {
        "instructions": "3d1c17903b32",
        "arithmetic": "326376193ad1",
        "knowledge": "404b3866446c",
        "reading": "7b5c021a2811",
        "replies": "fa98ecc2e675",
    }
    assert (retention.VERSION, found) == (1, expected)
