"""Before and after in ``tune``: one result file a task, complete or absent, read again and never measured twice."""

import json

import pytest
from rich.console import Console

from tutelage.errors import DataError, Interrupted
from tutelage.jobs.measuring import Measuring
from tutelage.jobs.run_folder import RunFolder
from tutelage.jobs.tune_config import MeasureConfig
from tutelage.measure import domain, retention
from tutelage.measure.results import read_native

TASKS = ["domain", "instructions", "arithmetic", "knowledge", "reading", "text_nll", "kl_to_base"]
ROWS = [
    {
        "id": f"r{k}",
        "prompt": [{"role": "user", "content": f"Which group is {k} in?"}],
        "completion": [{"role": "assistant", "content": "caring"}],
        "choices": ["caring", "handling"],
        "group": f"g{k // 2}",
    }
    for k in range(6)
]


@pytest.fixture
def measuring(tmp_path):
    folder = RunFolder.create(tmp_path / "run", command="tutelage tune", config_toml="", origins={})
    stop = {"asked": False}
    made = Measuring(folder, MeasureConfig(retention="smoke"), ROWS, Console(quiet=True), lambda: stop["asked"])
    return made, stop


def test_files_are_those_that_compare_reads(measuring, letters, made_up_rows):
    measure, _ = measuring
    engine = letters(reply="It is handling.")
    found = measure("base", engine)
    assert list(found.scores) == TASKS
    table, system = read_native(measure.folder.root / "measure" / "base" / "domain.jsonl")
    assert (table.task, list(table.values)) == ("domain", ["choice"])
    assert table.choices == ("handling",) * 6
    assert table.targets == ("caring",) * 6
    assert table.clusters == ("g0", "g0", "g1", "g1", "g2", "g2")
    assert table.prompts[0] == "Which group is 0 in?"
    assert system["name"] == "base"
    assert found.domain.metric == "domain/choice"
    assert found.domain.values.tolist() == domain(engine, ROWS).values.tolist()
    known = retention.run(engine, "smoke")
    for name, scores in known.items():
        assert found.scores[name].metric == name
        assert found.scores[name].values.tolist() == scores.values.tolist()
    knowledge, _ = read_native(measure.folder.root / "measure" / "base" / "knowledge.jsonl")
    assert knowledge.choices == knowledge.outputs


def test_what_is_measured_is_read_again(measuring, letters, made_up_rows):
    measure, _ = measuring
    before = measure("base", letters(reply="caring"))
    engine = letters(reply="handling")
    after = measure("base", engine)
    assert engine.samplings == []
    for name in TASKS:
        one, other = before.scores[name], after.scores[name]
        assert (one.ids, one.outputs, one.clusters, one.metric, one.version, one.higher_is_better) == (
            other.ids,
            other.outputs,
            other.clusters,
            other.metric,
            other.version,
            other.higher_is_better,
        )
        assert one.values.tolist() == other.values.tolist()


def test_a_stop_between_tasks_keeps_what_is_done(measuring, letters, made_up_rows):
    measure, stop = measuring

    def reply(prompt):
        stop["asked"] = True
        return "caring"

    with pytest.raises(Interrupted):
        measure("base", letters(reply=reply))
    kept = [path.name for path in (measure.folder.root / "measure" / "base").iterdir()]
    assert kept == ["domain.jsonl"]
    stop["asked"] = False
    assert list(measure("base", letters(reply="caring")).scores) == TASKS


def test_a_run_of_an_older_version_is_not_measured_over(measuring, letters, made_up_rows):
    measure, _ = measuring
    old = measure.folder.path("measure", "base", "domain.json")
    old.write_text(json.dumps({"metric": "domain/choice"}))
    with pytest.raises(DataError, match="older version"):
        measure("base", letters())
