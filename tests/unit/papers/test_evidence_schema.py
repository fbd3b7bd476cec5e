"""Nothing that a verdict rests on can be changed in a file of evidence without being noticed."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from tutelage.errors import DataError
from tutelage.papers.claim import Claim, Measured, Part, judge_part
from tutelage.papers.evidence import SCHEMA, evidence_files, is_evidence, read_evidence, validate_evidence
from tutelage.stats import verdict
from tutelage.types import Estimate

ROOT = Path(__file__).parents[3]
COMMITTED = evidence_files(ROOT / "evidence")
UNSEEN = {"n", "seed", "method"}
"""What an interval says of how it came about cannot be told from its ends."""


def leaves(value, way=()):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*way, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from leaves(inner, (*way, place))
    else:
        yield way, value


def other(value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 0.001
    return "changed" if value is None else f"{value}x"


def test_there_is_evidence_to_look_at():
    assert {path.stem for path in COMMITTED} >= {"raft", "stationary-representations"}


@pytest.mark.slow
@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_every_changed_leaf_of_claims_rules_and_configuration_is_refused(path):
    good = read_evidence(path)
    tried = 0
    for part in ("claims", "rules", "config", "rule_hash", "seeds"):
        for way, value in leaves(good[part], (part,)):
            if way[-1] in UNSEEN and "delta" in way:
                continue
            bent = {**good, part: copy.deepcopy(good[part])}
            place = bent
            for key in way[:-1]:
                place = place[key]
            place[way[-1]] = other(value)
            tried += 1
            if part == "seeds":  # another whole number would do: which seeds they were is in the configuration
                place[way[-1]] = value + 0.5
            with pytest.raises(DataError):
                validate_evidence(bent, str(way))
    assert tried > 100


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_every_mean_that_a_rule_compares_is_held_to_the_interval(path):
    good = read_evidence(path)
    for rule in good["rules"]:
        for part in rule["parts"]:
            for arm in {part["arm"], part["against"]} - {None}:
                bent = copy.deepcopy(good)
                bent["arms"][arm][part["metric"]]["mean"] += 1e-6
                with pytest.raises(DataError, match="differ by"):
                    validate_evidence(bent)


def test_the_error_names_the_place():
    bent = read_evidence(ROOT / "evidence" / "raft.json")
    bent["claims"][1]["parts"][0]["delta"]["level"] = "high"
    with pytest.raises(DataError) as caught:
        validate_evidence(bent, "raft.json")
    assert caught.value.where == "raft.json.claims[1].parts[0].delta.level"


def test_the_schema_is_a_schema_and_knows_no_open_object_on_the_way_to_a_verdict():
    schema = json.loads(SCHEMA.read_text())
    Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    for name in ("rule", "claim", "delta"):
        assert schema["$defs"][name]["additionalProperties"] is False


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"a": NaN}', "\x00"])
def test_a_file_that_is_no_evidence_is_an_error_of_ours(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(DataError):
        read_evidence(tmp_path / "x.json")
    with pytest.raises(DataError):
        read_evidence(tmp_path)


def test_other_results_in_the_folder_are_left_alone(tmp_path):
    (tmp_path / "bench.json").write_text('{"results": [1, 2]}')
    (tmp_path / "broken-claim.json").write_text('{"claims": []}')
    assert [path.name for path in evidence_files(tmp_path)] == ["broken-claim.json"]
    assert not is_evidence([1])
    with pytest.raises(DataError, match="no such folder"):
        evidence_files(tmp_path / "none")


def test_a_difference_without_spread_may_miss_its_interval_by_the_last_bits():
    found = read_evidence(ROOT / "evidence" / "stationary-representations.json")
    part = found["claims"][0]["parts"][0]
    part["delta"] |= {"low": part["delta"]["value"] + 1e-16, "high": part["delta"]["value"] + 1e-16}
    again = verdict(Estimate(**part["delta"]), "greater")
    part["minimum_detectable"] = again.minimum_detectable
    assert validate_evidence(found)


def test_two_level_intervals_resample_items_too_and_need_the_same_ones():
    ids = tuple(str(item) for _ in range(6) for item in range(12))
    seeds = tuple(seed for seed in range(6) for _ in range(12))
    by_item = np.tile(np.linspace(-1, 2, 12), 6)  # items differ, seeds do not
    results = {"a": {"m": Measured(seeds, ids, by_item)}}
    part = Part("a", "m", "a", "greater", threshold=0.0)
    both = Part("a", "m", "a", "greater", threshold=0.0, resampled="seeds and items")
    narrow, wide = judge_part(part, results, resamples=500), judge_part(both, results, resamples=500)
    assert [narrow.interval.value, wide.interval.value] == pytest.approx([0.5, 0.5])
    assert narrow.interval.high - narrow.interval.low == pytest.approx(0.0, abs=1e-9)
    assert wide.interval.high - wide.interval.low > 0.5
    assert wide.interval.n_clusters == 6
    shuffled = Measured(seeds, (*ids[:-2], ids[-1], ids[-2]), by_item)
    with pytest.raises(DataError, match="same items"):
        judge_part(both, {"a": {"m": shuffled}}, resamples=500)


def test_what_is_resampled_is_part_of_the_rule_only_where_it_was_chosen():
    plain = Claim("C", "It is.", "here", (Part("a", "m", "a", "greater", threshold=0.0),))
    assert "resampled" not in plain.record()["parts"][0]
    both = Part("a", "m", "a", "greater", threshold=0.0, resampled="seeds and items")
    assert both.record()["resampled"] == "seeds and items"
