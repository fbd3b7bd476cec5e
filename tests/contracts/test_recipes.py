"""What every registered recipe must keep, whatever its paper: a new recipe is held to it without being named here."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from datetime import date
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tutelage.cli import app
from tutelage.errors import ConfigError, DataError
from tutelage.papers import catalogue
from tutelage.papers.claim import Claim, Measured, Part, Plan, judge_claim, recipe, rule_hash, rule_records
from tutelage.papers.evidence import evidence_files, evidence_name, read_evidence, validate_evidence
from tutelage.papers.folder import RecipeFolder
from tutelage.papers.recipes import load_recipes, load_tool_recipes

ROOT = Path(__file__).parents[2]
RECIPES = dict(load_recipes().items())
SMOKE_SECONDS = 20.0
SEEDS = 5
every_recipe = pytest.mark.parametrize("slug", RECIPES)


@every_recipe
def test_metadata_is_complete(slug):
    one = RECIPES[slug]
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug)
    assert slug == one.run.__module__.rpartition(".")[2].replace("_", "-")
    assert date.fromisoformat(one.paper.date)
    assert re.fullmatch(r"\d{4}\.\d{4,5}", one.paper.arxiv)
    assert one.paper.title
    assert one.paper.summary.endswith(".")
    entry = catalogue.entry(slug)
    assert (one.paper.arxiv, one.paper.date, one.paper.family) == (entry.arxiv, entry.date, entry.family)
    assert all(one.plan.arms.values())
    assert one.plan.controls
    assert one.plan.seeds >= SEEDS
    assert all(seconds > 0 for seconds in one.plan.seconds.values())
    assert one.plan.seconds["smoke"] < SMOKE_SECONDS


@every_recipe
def test_every_claim_has_a_rule_that_is_hashed_with_the_configuration(slug):
    one = RECIPES[slug]
    assert one.claims
    assert len({claim.id for claim in one.claims}) == len(one.claims)
    for claim in one.claims:
        assert claim.statement.endswith(".")
        assert claim.source
        assert claim.parts
        assert len({part.name for part in claim.parts}) == len(claim.parts)
    config = asdict(one.config("cpu"))
    before = rule_hash(one.claims, config)
    bent = replace(one.claims[0], parts=(replace(one.claims[0].parts[0], margin=0.5), *one.claims[0].parts[1:]))
    assert rule_hash((bent, *one.claims[1:]), config) != before
    assert rule_hash(one.claims, asdict(one.config("cpu", one.plan.seeds + 1))) != before


@every_recipe
def test_a_tier_has_its_seeds_and_an_unknown_one_is_refused(slug):
    one = RECIPES[slug]
    for tier in one.plan.tiers:
        assert len(one.config(tier, 7).seeds) == 7
        assert len(set(one.config(tier).seeds)) == one.plan.seeds
    with pytest.raises(ConfigError, match="no tier"):
        one.config("enormous")


def levels(claim, sign):
    """Per (arm, metric) a mean such that every part of the claim has its difference on the side of ``sign``."""
    found = {(p.arm, p.metric): 0.0 for p in claim.parts}
    found |= {(p.against, p.metric): 0.0 for p in claim.parts if p.against is not None}
    for _ in claim.parts:  # longest chain of comparisons
        for part in claim.parts:
            side = sign * (1 if part.direction == "greater" else -1)
            below = part.threshold if part.against is None else found[part.against, part.metric]
            key = (part.arm, part.metric)
            found[key] = max(found[key], below + 1) if side > 0 else min(found[key], below - 1)
    return found


def made_up(claim, means, noise):
    """Every arm at its mean, with a shift from seed to seed that no two arms share."""
    found = {}
    for place, ((arm, metric), mean) in enumerate(means.items()):
        draw = np.random.default_rng(place)
        shifts = noise * np.array([-2, -1, 0, 1, 2]) * (1 if place % 2 else -1)
        values = [mean + shift + draw.normal(0, 0.01) for shift in shifts for _ in range(8)]
        seeds = tuple(seed for seed in range(SEEDS) for _ in range(8))
        ids = tuple(str(item) for _ in range(SEEDS) for item in range(8))
        found.setdefault(arm, {})[metric] = Measured(seeds, ids, np.array(values))
    return found


@pytest.mark.parametrize(("slug", "claim"), [(s, c.id) for s, one in RECIPES.items() for c in one.claims])
def test_a_verdict_rule_gives_all_three_outcomes(slug, claim):
    rule = next(one for one in RECIPES[slug].claims if one.id == claim)
    assert judge_claim(rule, made_up(rule, levels(rule, 1), 0.0), resamples=500)[0] == "replicated"
    assert judge_claim(rule, made_up(rule, levels(rule, -1), 0.0), resamples=500)[0] == "not replicated"
    none = dict.fromkeys(levels(rule, 1), rule.parts[0].threshold or 0.0)
    assert judge_claim(rule, made_up(rule, none, 5.0), resamples=500)[0] == "inconclusive"


@pytest.mark.parametrize("path", evidence_files(ROOT / "evidence"), ids=lambda path: path.stem)
def test_committed_evidence_is_of_the_committed_rules_and_configuration(path):
    found = read_evidence(path)
    one = RECIPES[found["slug"]]
    assert evidence_name(found["slug"], found["tier"]) == path.name
    assert found["rules"] == json.loads(json.dumps(rule_records(one.claims)))
    config = asdict(one.config(found["tier"], len(found["seeds"])))
    assert found["rule_hash"] == rule_hash(one.claims, config)
    assert found["seeds"] == list(config["seeds"])
    assert set(found["arms"]) <= set(one.plan.arms)


def without_times(evidence):
    return {key: value for key, value in evidence.items() if key not in ("cost", "versions")}


class Cut(Exception):
    """Stands for a kill between two parts of a run."""


_writes: list[str] | None = None


def _audit(event, arguments):
    if _writes is None:
        return
    if event == "open" and isinstance(arguments[0], str) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        _writes.append(arguments[0])
    elif event in ("os.mkdir", "os.remove", "os.rmdir", "os.rename", "os.symlink"):
        _writes.extend(str(one) for one in arguments[:2] if isinstance(one, str))


@pytest.fixture(scope="session")
def audit():
    sys.addaudithook(_audit)  # cannot be removed; it looks only while _writes is a list


@pytest.mark.slow
@every_recipe
def test_a_smoke_run_is_short_repeatable_resumable_and_stays_in_its_folder(slug, tmp_path, monkeypatch, audit):
    import torch

    torch.set_num_threads(1)
    monkeypatch.setenv("TUTELAGE_HOME", str(tmp_path / "home"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    one = RECIPES[slug]
    config = one.config("smoke", 2)
    global _writes
    _writes = []
    started = time.process_time()
    try:
        first = one.run(config, tmp_path / "first")
    finally:
        written, _writes = _writes, None
    assert time.process_time() - started < SMOKE_SECONDS
    validate_evidence(first)
    allowed = (str(tmp_path / "first"), str(tmp_path / "home"), os.devnull)
    places = [path for path in written if Path(path).is_absolute()]  # others are relative to a folder held open
    assert [place for place in places if not place.startswith(allowed)] == []
    assert any(place.startswith(allowed[0]) for place in places)
    assert not list((tmp_path / "elsewhere").iterdir())

    made, once = [], RecipeFolder.once
    parts = sorted(path.relative_to(tmp_path / "first") for path in (tmp_path / "first").rglob("*.json"))

    def cut(self, name, work):
        if len(made) == len(parts) // 2:
            raise Cut
        made.append(name)
        return once(self, name, work)

    with monkeypatch.context() as patch:
        patch.setattr(RecipeFolder, "once", cut)
        with pytest.raises(Cut):
            one.run(config, tmp_path / "second")
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "second").rglob("*.json")}
    second = one.run(config, tmp_path / "second")
    assert without_times(second) == without_times(first)  # deterministic, and resumed equals uninterrupted
    assert {path: path.stat().st_mtime_ns for path in kept} == kept  # nothing finished was done again

    last = sorted((tmp_path / "second" / "results").rglob("*.json"))[-1]
    last.unlink()
    assert without_times(one.run(config, tmp_path / "second")) == without_times(first)
    with pytest.raises(ConfigError, match="another rule"):
        one.run(one.config("smoke", 3), tmp_path / "second")


@pytest.mark.slow
def test_a_killed_run_is_continued_from_the_command_line(tmp_path):
    slug, place = "stationary-representations", tmp_path / "run"
    call = ["papers", "run", slug, "--tier", "smoke", "--seeds", "2", "--out", str(place)]
    code = "import sys; from tutelage.cli import main; sys.argv[0] = 'tutelage'; main()"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen([sys.executable, "-c", code, *call], env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(list(place.glob("results/*.json"))) < 2 and time.monotonic() < deadline and child.poll() is None:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert 2 <= len(list(place.glob("results/*.json"))) < 12
    assert not (place / "evidence.json").exists()

    refused = CliRunner().invoke(app, call)
    assert isinstance(refused.exception, ConfigError)
    assert "--resume" in refused.exception.hint
    done = CliRunner().invoke(app, [*call, "--resume"])
    assert done.exit_code == 0, done.output
    one = RECIPES[slug]
    whole = one.run(one.config("smoke", 2), tmp_path / "whole")
    assert without_times(read_evidence(place / "evidence.json")) == without_times(whole)


def test_a_recipe_that_does_not_hold_together_cannot_be_registered():
    paper = RECIPES["raft"].paper
    claims = (Claim("C", "A beats B.", "here", (Part("a - b", "m", "a", "greater", against="b"),)),)
    tiers = {"smoke": tuple, "cpu": tuple}
    seconds = {"smoke": 1.0, "cpu": 2.0}
    for plan in (
        Plan(tiers, {"a": "new"}, (), seconds),
        Plan(tiers, {"a": "new", "b": "old"}, ("c",), seconds),
        Plan({"cpu": tuple}, {"a": "new", "b": "old"}, (), {"cpu": 2.0}),
        Plan(tiers, {"a": "new", "b": "old"}, (), {"cpu": 2.0}),
    ):
        with pytest.raises(DataError):
            recipe("made-up", paper, claims, plan)


@pytest.mark.parametrize("slug", list(load_tool_recipes().names()))
def test_a_tool_says_what_it_is_and_works_on_its_own_example(slug):
    one = load_tool_recipes().get(slug)
    entry = catalogue.entry(slug)
    assert (one.paper.arxiv, one.paper.date, one.paper.family) == (entry.arxiv, entry.date, entry.family)
    assert one.inputs
    assert one.library
    for path in one.library:
        module, _, name = path.rpartition(".")
        assert callable(getattr(import_module(module), name))
    found = one.run([])
    assert found.text
    assert json.loads(json.dumps(dict(found.record))) == dict(found.record)
