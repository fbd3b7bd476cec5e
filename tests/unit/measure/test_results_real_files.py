"""Files that the real lm-eval and inspect wrote (see tests/data/results/README.md), against their own averages."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tutelage.measure.results import TaskResults, align_results, read_results
from tutelage.measure.results.eval_archive import open_archive

FILES = Path(__file__).parents[2] / "data" / "results"
LM_EVAL, INSPECT = FILES / "lm_eval", FILES / "inspect"


@pytest.mark.parametrize("system", ["old", "new"])
def test_means_are_those_that_lm_eval_reports(system: str) -> None:
    results = read_results(LM_EVAL / system)
    averages = json.loads(next((LM_EVAL / system).glob("results_*.json")).read_text())["results"]
    compared = 0
    for task, table in results.tasks.items():
        for metric, values in table.values.items():
            name = metric if "," in metric else f"{metric},none"
            if name in averages[task]:  # of the group lm-eval averages only acc
                assert values.mean() == pytest.approx(averages[task][name], abs=1e-12)
                compared += 1
    assert compared == 5
    assert results.name == system


def test_tasks_of_lm_eval() -> None:
    results = read_results(LM_EVAL / "old")
    assert list(results.tasks) == ["made_science", "made_choice", "made_maths"]
    group = results.tasks["made_science"]
    assert set(group.groups["task"]) == {"made_space", "made_matter"}
    assert group.version == "2.0, 0-shot"
    maths = results.tasks["made_maths"]
    assert tuple(maths.metrics) == ("exact_match,strict-match", "exact_match,flexible-extract")
    assert maths.prompts is not None
    assert maths.prompts[0] == "2 + 2 ="
    assert maths.outputs is not None
    assert len(maths.outputs[0]) > 20
    assert maths.choices is None


def test_a_task_of_perplexities_alone_is_named() -> None:
    notes = read_results(LM_EVAL / "old").notes
    assert any("made_text" in note and "word_perplexity" in note for note in notes)
    assert any("made_choice: brier_score left out" in note for note in notes)


def test_choices_are_the_likeliest_options() -> None:
    table = read_results(LM_EVAL / "old").tasks["made_choice"]
    rows = [json.loads(line) for line in next((LM_EVAL / "old").glob("samples_made_choice_*")).read_text().splitlines()]
    options = [row["doc"]["options"][np.argmax([float(a) for a, _ in row["filtered_resps"]])] for row in rows]
    assert list(table.choices or ()) == options
    right = [option == row["doc"]["options"][row["doc"]["answer"]] for option, row in zip(options, rows, strict=True)]
    np.testing.assert_array_equal(table.values["acc"], right)


def test_one_file_is_the_same_as_its_folder() -> None:
    file = next((LM_EVAL / "old").glob("samples_made_maths_*"))
    same(read_results(file).tasks["made_maths"], read_results(LM_EVAL / "old").tasks["made_maths"])
    averages = next((LM_EVAL / "old").glob("results_*.json"))
    assert read_results(averages).tasks.keys() == read_results(LM_EVAL / "old").tasks.keys()


def test_two_runs_of_lm_eval_match() -> None:
    alignment = align_results(read_results(LM_EVAL / "old"), read_results(LM_EVAL / "new"))
    assert {task.task: len(task.old.ids) for task in alignment.tasks} == {
        "made_science": 8,
        "made_choice": 8,
        "made_maths": 6,
    }
    assert alignment.notes == ()


def same(a: TaskResults, b: TaskResults) -> None:
    for field in ("task", "ids", "prompts", "targets", "outputs", "choices", "clusters", "asked", "missing", "groups"):
        assert getattr(a, field) == getattr(b, field), field
    assert a.values.keys() == b.values.keys()
    for metric, values in a.values.items():
        np.testing.assert_array_equal(values, b.values[metric])


def by_id(table: TaskResults) -> dict[str, tuple[object, ...]]:
    columns = (table.prompts, table.targets, table.outputs, table.asked, table.clusters or table.ids)
    scores = {item: tuple(values[row] for values in table.values.values()) for row, item in enumerate(table.ids)}
    return {
        item: tuple(column[row] for column in columns if column is not None) + tuple(map(str, scores[item]))
        for row, item in enumerate(table.ids)
    }


@pytest.mark.parametrize("task", ["capitals", "quiz"])
def test_both_formats_of_inspect_say_the_same(task: str) -> None:
    archive, document = read_results(INSPECT / f"{task}.eval"), read_results(INSPECT / f"{task}.json")
    assert by_id(archive.tasks[task]) == by_id(document.tasks[task])
    assert archive.name == document.name == "mockllm/model"
    assert align_results(archive, document).tasks[0].only_old == ()


@pytest.mark.parametrize("name", ["capitals.eval", "capitals.json", "quiz.eval", "quiz.json"])
def test_means_are_those_that_inspect_reports(name: str) -> None:
    """Inspect averages the scored epochs of a sample, then the samples."""
    path = INSPECT / name
    if path.suffix == ".eval":
        with open_archive(path) as archive:
            header = archive.json("header.json")
    else:
        header = json.loads(path.read_text())
    table = next(iter(read_results(path).tasks.values()))
    clusters = np.array(table.clusters or table.ids)
    compared = 0
    for score in header["results"]["scores"]:
        metric = score["name"] if score["name"] == score["scorer"] else f"{score['scorer']}.{score['name']}"
        values = table.values[metric]
        scored = ~np.isnan(values)
        means = [values[scored & (clusters == one)].mean() for one in dict.fromkeys(clusters[scored])]
        for kind in ("accuracy", "mean"):
            if kind in score["metrics"]:
                assert np.mean(means) == pytest.approx(score["metrics"][kind]["value"], abs=1e-12)
                compared += 1
    assert compared == (4 if name.startswith("capitals") else 1)


def test_epochs_errors_and_metadata_of_inspect() -> None:
    results = read_results(INSPECT / "capitals.eval", groups=["metadata.continent"])
    table = results.tasks["capitals"]
    assert len(table.ids) == 8
    assert set(table.clusters or ()) == {"norway", "france", "japan", "peru"}
    assert set(table.missing) == {"peru#1", "peru#2"}
    assert "breaks on purpose" in table.missing["peru#1"]
    assert tuple(table.metrics) == ("match", "includes", "manners.length", "manners.polite")
    assert dict(zip(table.ids, table.groups["continent"], strict=True))["japan#2"] == "elsewhere"
    assert table.version == "3"
    assert any("2 of 8 samples ended with an error" in note for note in results.notes)


def test_choices_of_inspect_are_texts() -> None:
    table = read_results(INSPECT / "quiz.eval").tasks["quiz"]
    found = dict(zip(table.ids, zip(table.choices or (), table.targets or (), strict=True), strict=True))
    assert found == {"1": ("iron", "iron"), "2": ("the Moon", "Mars"), "3": ("blue", "blue")}
    prompts = dict(zip(table.ids, table.prompts or (), strict=True))
    assert prompts["1"] == "system: Answer briefly.\nuser: Which is a metal?"


def test_a_folder_of_real_logs(tmp_path: Path) -> None:
    for name in ("capitals.eval", "quiz.json"):
        shutil.copy(INSPECT / name, tmp_path / name)
    assert read_results(tmp_path).tasks.keys() == {"capitals", "quiz"}


def test_the_archives_are_packed_as_inspect_does() -> None:
    """Zstandard, which zipfile of Python 3.11 cannot read."""
    with zipfile.ZipFile(INSPECT / "quiz.eval") as archive:
        assert {info.compress_type for info in archive.infolist()} == {93}


def test_nothing_in_the_files_names_a_machine() -> None:
    texts = [path.read_text() for path in FILES.rglob("*") if path.suffix in (".json", ".jsonl")]
    for path in INSPECT.glob("*.eval"):
        with open_archive(path) as archive:
            texts += [json.dumps(archive.json(name)) for name in archive.names]
    for text in texts:
        for place in ("/home/", "/root/", "/Users/", "/tmp/", "site-packages"):
            assert place not in text
