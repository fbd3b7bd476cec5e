"""The RAFT recipe: its verdict rules on made-up results. Its smoke run is in tests/contracts."""

from dataclasses import replace

import numpy as np
import pytest

from tutelage.errors import ModelError
from tutelage.papers.claim import Measured, judge_claim
from tutelage.papers.recipes import load_recipes
from tutelage.papers.recipes import raft as recipe

SEEDS = 5
CLAIMS = {claim.id: claim for claim in recipe.CLAIMS}


def measured(mean, *, spread=0.0, items=40):
    """Per-item values of 0/1 with this mean, shifted from seed to seed by up to ``spread``."""
    values, seeds, ids = [], [], []
    for seed in range(SEEDS):
        shift = spread * (seed - 2) / 2
        values += [mean + shift + 0.01 * ((i % 3) - 1) for i in range(items)]
        seeds += [seed] * items
        ids += [str(i) for i in range(items)]
    return Measured(tuple(seeds), tuple(ids), np.array(values))


def outcome(claim, results):
    return judge_claim(CLAIMS[claim], results, resamples=2000)[0]


def first_results(accuracy=(0.8, 0.8), instructions=(0.9, 0.5), divergence=(0.1, 2.0), spread=0.0):
    names = {"domain_accuracy": accuracy, "instructions": instructions, "divergence": divergence}
    raft = {name: measured(pair[0], spread=spread) for name, pair in names.items()}
    return {"raft": raft, "sft": {name: measured(pair[1]) for name, pair in names.items()}}


def test_h1_has_three_outcomes():
    assert outcome("H1", first_results()) == "replicated"
    assert outcome("H1", first_results(accuracy=(0.78, 0.8))) == "replicated"  # within 3 points
    assert outcome("H1", first_results(accuracy=(0.7, 0.8))) == "not replicated"
    assert outcome("H1", first_results(instructions=(0.4, 0.9))) == "not replicated"
    assert outcome("H1", first_results(divergence=(2.0, 0.1))) == "not replicated"
    assert outcome("H1", first_results(spread=3.0)) == "inconclusive"
    assert outcome("H1", first_results(instructions=(0.9, 0.9))) == "inconclusive"


@pytest.mark.parametrize(
    ("claim", "metric", "arm", "against"),
    [("H2", "divergence", "sft_fused", "sft"), ("H3", "domain_accuracy", "opd", "raft")],
)
def test_h2_and_h3_have_three_outcomes(claim, metric, arm, against):
    def results(of_arm, of_other, spread=0.0):
        return {arm: {metric: measured(of_arm, spread=spread)}, against: {metric: measured(of_other)}}

    assert outcome(claim, results(0.2, 0.6)) == "replicated"
    assert outcome(claim, results(0.6, 0.2)) == "not replicated"
    assert outcome(claim, results(0.5, 0.52, spread=0.4)) == "inconclusive"


def band(mean, spread=0.0):
    return {"in_band": measured(mean, spread=spread)}


@pytest.mark.parametrize(
    ("balanced", "tenth", "one", "expected"),
    [
        (band(0.97), band(0.0), band(0.3), "replicated"),
        (band(0.6), band(0.0), band(0.3), "not replicated"),
        (band(0.97), band(0.0), band(0.99), "not replicated"),
        (band(0.9, 0.1), band(0.0), band(0.3), "inconclusive"),
    ],
)
def test_h4_has_three_outcomes(balanced, tenth, one, expected):
    assert outcome("H4", {"raft": balanced, "raft_fixed_0.1": tenth, "raft_fixed_1": one}) == expected


def test_every_arm_of_a_rule_is_trained():
    for claim in recipe.CLAIMS:
        for part in claim.parts:
            assert {part.arm, part.against} - {None} <= set(recipe.ARMS)


def test_evidence_seeds_are_not_the_selection_seed():
    config = recipe.cpu(5)
    assert config.selection_seed not in config.seeds
    assert len(config.learning_rates) == 3
    assert "raft" in load_recipes()


@pytest.mark.slow
def test_a_base_model_that_cannot_play_its_parts_stops_the_run(tmp_path, monkeypatch):
    import torch

    torch.set_num_threads(1)
    monkeypatch.setenv("TUTELAGE_HOME", str(tmp_path / "home"))
    with pytest.raises(ModelError, match="cannot play"):
        recipe.run(replace(recipe.smoke(2), required=0.8), tmp_path / "run")
    assert not list((tmp_path / "run").glob("results/*"))
