"""The state of a paper follows from what exists: recipe, evidence and tools, and from nothing else."""

import json
from pathlib import Path

import pytest

import tutelage
from tutelage.errors import DataError
from tutelage.papers import tools as tools_module
from tutelage.papers.catalogue import entries, evidence_folder, recipe_slugs, state
from tutelage.papers.tools import TOOLS, Tool

OUTCOMES = ["replicated", "not replicated", "inconclusive"]


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes evidence that is taken as checked: what the checks refuse is tested on the real reader."""
    monkeypatch.setattr("tutelage.papers.evidence.read_evidence", lambda path: json.loads(Path(path).read_text()))

    def write(slug: str, verdicts: list[str], *, tier: str = "cpu", name: str | None = None) -> Path:
        path = tmp_path / f"{name or slug}.json"
        claims = [{"id": f"C{place}", "verdict": verdict} for place, verdict in enumerate(verdicts)]
        path.write_text(json.dumps({"slug": slug, "tier": tier, "claims": claims}))
        return path

    return write


@pytest.fixture
def no_tools(monkeypatch):
    monkeypatch.setattr(tools_module, "TOOLS", {})


@pytest.mark.parametrize("verdict", OUTCOMES)
def test_a_recipe_with_evidence_has_a_verdict(tmp_path, written, verdict):
    path = written("raft", [verdict])
    assert vars(state("raft", tmp_path)) == {
        "status": "verdict",
        "verdict": verdict,
        "recipe": "raft",
        "evidence": str(path),
        "note": "",
    }


@pytest.mark.parametrize(
    ("places", "verdict"),
    [
        ([0, 0], "replicated"),
        ([2, 2, 2], "inconclusive"),
        ([2, 0, 1, 0], "2 replicated, 1 not replicated, 1 inconclusive"),
        ([2, 1], "1 not replicated, 1 inconclusive"),
    ],
)
def test_the_verdict_is_that_of_the_claims(tmp_path, written, places, verdict):
    written("raft", [OUTCOMES[place] for place in places])
    assert state("raft", tmp_path).verdict == verdict


def test_a_recipe_without_evidence_is_implemented(tmp_path, no_tools):
    found = state("raft", tmp_path)
    assert (found.status, found.verdict, found.recipe, found.evidence, found.note) == (
        "implemented",
        "",
        "raft",
        None,
        "",
    )


def test_a_tool_that_covers_the_method_makes_it_implemented(tmp_path, monkeypatch):
    whole = {"clip": (Tool("json:loads", "all of it", whole=True),), "deal": (Tool("json:loads", "a part"),)}
    monkeypatch.setattr(tools_module, "TOOLS", whole)
    assert vars(state("clip", tmp_path)) == {
        "status": "implemented",
        "verdict": "",
        "recipe": None,
        "evidence": None,
        "note": "",
    }
    assert state("deal", tmp_path).status == "planned"


def test_measures_alone_do_not_make_muscle_implemented(tmp_path):
    if "muscle" in recipe_slugs():
        pytest.skip("it has a recipe by now")
    assert not any(tool.whole for tool in TOOLS["muscle"])
    assert state("muscle", tmp_path).status == "planned"


def test_evidence_without_a_recipe_is_no_verdict(tmp_path, written, monkeypatch):
    monkeypatch.setattr("tutelage.papers.catalogue.states.recipe_slugs", frozenset)
    written("transitive-expert-error", ["replicated"])
    found = state("transitive-expert-error", tmp_path)
    assert (found.status, found.verdict, found.evidence) == ("planned", "", None)
    assert "no recipe" in found.note


def test_a_smoke_run_is_no_verdict(tmp_path, written):
    written("raft", ["replicated"], tier="smoke")
    found = state("raft", tmp_path)
    assert (found.status, found.verdict, found.evidence) == ("implemented", "", None)
    assert "smoke" in found.note


def test_evidence_of_another_paper_is_no_verdict(tmp_path, written):
    written("clip", ["replicated"], name="raft")
    found = state("raft", tmp_path)
    assert found.status == "implemented"
    assert "evidence of 'clip'" in found.note


def test_new_evidence_is_seen_at_once(tmp_path, written):
    written("raft", ["replicated"])
    assert state("raft", tmp_path).verdict == "replicated"
    written("raft", ["not replicated", "replicated"])
    assert state("raft", tmp_path).verdict == "1 replicated, 1 not replicated"
    (tmp_path / "raft.json").unlink()
    assert state("raft", tmp_path).status == "implemented"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        "null",
        '{"slug": "raft", "verdict": "replicated"}',
        "\x00",
        pytest.param("[" * 100_000, id="deep"),
    ],
)
def test_a_damaged_file_is_no_verdict_and_no_crash(tmp_path, text):
    (tmp_path / "raft.json").write_text(text)
    found = state("raft", tmp_path)
    assert (found.status, found.verdict) == ("implemented", "")
    assert found.note.startswith("raft.json: ")


def test_a_verdict_changed_by_hand_does_not_count(tmp_path):
    found = json.loads(real_evidence().read_text())
    first = found["claims"][0]
    first["verdict"] = next(outcome for outcome in OUTCOMES if outcome != first["verdict"])
    (tmp_path / "raft.json").write_text(json.dumps(found))
    assert state("raft", tmp_path).status == "implemented"
    assert "the parts do not say" in state("raft", tmp_path).note


def test_what_cannot_be_read_is_no_verdict_and_no_crash(tmp_path):
    (tmp_path / "raft.json").mkdir()
    found = state("raft", tmp_path)
    assert (found.status, found.evidence) == ("implemented", None)
    assert found.note.startswith("raft.json: ")
    (tmp_path / "file").write_text("")
    assert state("raft", tmp_path / "file").note == ""


def test_a_folder_that_is_not_there_is_empty(tmp_path):
    assert {state(one.slug, tmp_path / "nowhere").status for one in entries()} <= {"implemented", "planned"}


def test_an_unknown_paper_has_no_state(tmp_path):
    with pytest.raises(DataError, match="no paper"):
        state("../raft", tmp_path)


def real_evidence() -> Path:
    path = evidence_folder() / "raft.json"
    if not path.exists():
        pytest.skip("installed without the source tree")
    return path


def test_the_evidence_of_raft_counts():
    found = state("raft")
    assert (found.status, found.recipe, found.evidence) == ("verdict", "raft", str(real_evidence()))
    outcomes = [claim["verdict"] for claim in json.loads(real_evidence().read_text())["claims"]]
    assert all(outcome in found.verdict for outcome in outcomes)


def test_without_the_source_tree_evidence_is_the_users(tmp_path, monkeypatch):
    installed = tmp_path / "lib" / "site-packages" / "tutelage" / "papers" / "catalogue" / "states.py"
    (tmp_path / "lib" / "evidence").mkdir(parents=True)
    monkeypatch.setattr("tutelage.papers.catalogue.states.__file__", str(installed))
    monkeypatch.setenv("TUTELAGE_HOME", str(tmp_path / "home"))
    assert evidence_folder() == tmp_path / "home" / "evidence"


@pytest.mark.slow
def test_recipes_found_by_name_are_those_that_register():
    from tutelage.papers.recipes import load_recipes
    from tutelage.papers.tool_recipe import tool_recipes

    assert recipe_slugs() == {*load_recipes().names(), *tool_recipes.names()}


EACH_TOOL = [pytest.param(tool, id=tool.target) for each in TOOLS.values() for tool in each]


@pytest.mark.parametrize("tool", EACH_TOOL)
def test_every_tool_is_public_and_there(tool):
    module, _, name = tool.target.partition(":")
    first, *rest = module.split(".")
    assert first == "tutelage"
    assert not any(part.startswith("_") for part in (*rest, name))
    place = Path(tutelage.__file__).parent.joinpath(*rest)
    source = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    assert f'"{name}"' in source.read_text(encoding="utf-8")
    assert tool.covers
    assert not tool.command or tool.command.startswith("tutelage ")


@pytest.mark.slow
@pytest.mark.parametrize("tool", EACH_TOOL)
def test_every_tool_can_be_imported_and_is_documented(tool):
    assert len((tool.load().__doc__ or "").strip().split()) >= 10
