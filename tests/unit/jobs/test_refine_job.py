import json

import numpy as np
import pytest

from scripted_engines import ScriptedEngine, WordEncoder, row_of
from tutelage.errors import DataError, EngineError
from tutelage.io import file_sha256
from tutelage.jobs.refine import Parts, ReadConfig, RefineConfig, build_refiner, refine_dataset
from tutelage.refine import RefineSettings, SdftDataRefiner
from tutelage.types import Completion, TokenScores, TokenSequence


def parts(engine=None, **others):
    opened = []

    def open_engine(name):
        opened.append(name)
        return others[name]

    made = Parts(engine or ScriptedEngine(), open_engine, lambda name: WordEncoder())
    return made, opened


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def config(tmp_path):
    rows = [row_of(i) for i in range(5)]
    file = tmp_path / "data.jsonl"
    write(file, rows)
    with file.open("a") as stream:
        stream.write('{"prompt": "torn')
    return RefineConfig(data=ReadConfig(source=str(file)), refine=RefineSettings(tau=0.5))


def test_a_data_set_becomes_a_data_set(tmp_path, config):
    out = tmp_path / "out"
    done = refine_dataset(config, out, parts=parts()[0])
    train = read(out / "train.jsonl")
    assert train == done.rows
    assert [row["id"] for row in train] == [f"row-{i}" for i in range(5)]
    assert all(row["reference"] == "strings" != row["completion"][0]["content"] for row in train)
    records = read(out / "records.jsonl")
    assert [(r["id"], r["outcome"], r["source"]) for r in records] == [
        (f"row-{i}", "changed", "rewrite") for i in range(5)
    ]
    (rejected,) = read(out / "rejected.jsonl")
    assert rejected["line"] == 6
    report = json.loads((out / "report.json").read_text())
    assert report["changed"] == 5
    assert report["files"] == {name: file_sha256(out / name) for name in ("train.jsonl", "records.jsonl")}
    assert "tau = 0.5" in json.loads((out / "run.json").read_text())["config"]


def test_what_was_written_can_be_read_and_refined_again(tmp_path, config):
    refine_dataset(config, tmp_path / "once", parts=parts()[0])
    again = RefineConfig(data=ReadConfig(source=str(tmp_path / "once" / "train.jsonl")), refine=config.refine)
    done = refine_dataset(again, tmp_path / "twice", parts=parts()[0])
    assert [row["reference"] for row in done.rows] == ["strings"] * 5


def test_running_again_does_nothing_but_mends_what_was_lost(tmp_path, config):
    out = tmp_path / "out"
    refine_dataset(config, out, parts=parts()[0])
    names = ("train.jsonl", "records.jsonl", "report.json")
    before = {name: ((out / name).read_bytes(), (out / name).stat().st_ino) for name in names}
    engine = ScriptedEngine()
    refine_dataset(config, out, parts=parts(engine)[0])
    assert engine.asked == []
    assert {name: ((out / name).read_bytes(), (out / name).stat().st_ino) for name in names} == before
    for damage in (lambda p: p.unlink(), lambda p: p.write_bytes(p.read_bytes()[:-20])):
        for name in names:
            damage(out / name)
            refine_dataset(config, out, parts=parts(engine)[0])
            assert {n: (out / n).read_bytes() for n in names} == {n: content for n, (content, _) in before.items()}
    assert engine.asked == []


def test_fewer_rows_on_request(tmp_path, config):
    few = RefineConfig(data=ReadConfig(source=config.data.source, max_rows=2), refine=config.refine)
    assert len(refine_dataset(few, tmp_path / "out", parts=parts()[0]).rows) == 2


def test_data_without_a_usable_row_is_an_error_that_leaves_the_reasons(tmp_path):
    source = write(tmp_path / "data.jsonl", [{"prompt": "a", "completion": ""}])
    with pytest.raises(DataError):
        refine_dataset(RefineConfig(data=ReadConfig(source=source)), tmp_path / "out", parts=parts()[0])
    with pytest.raises(DataError, match="no data"):
        refine_dataset(RefineConfig(), tmp_path / "out", parts=parts()[0])


def test_parts_are_opened_by_name_once(tmp_path):
    other = ScriptedEngine(name="other")
    settings = RefineSettings(rewriter="self", fuser="other", judges=["rule", "cosine", "other", "self", "rule"])
    made, opened = parts(other=other)
    refiner = build_refiner(settings, made)
    assert opened == ["other"]
    assert [judge.name for judge in refiner.judges] == ["rule", "cosine", "engine:other", "engine:scripted"]
    assert refiner.fuser.engine is other
    assert len(refiner.warnings()) == 1


def test_no_fuser_and_the_baseline(tmp_path):
    assert build_refiner(RefineSettings(fuser="none"), parts()[0]).fuser is None
    baseline = build_refiner(RefineSettings(method="sdft_data"), parts()[0])
    assert isinstance(baseline, SdftDataRefiner)


def test_the_seed_reaches_whatever_draws(tmp_path):
    def seeds(seed):
        engine = ScriptedEngine(["no"])
        list(build_refiner(RefineSettings(attempts=4), parts(engine)[0], seed=seed)([row_of(0)]))
        return engine.seeds[2:]

    assert seeds(1) == seeds(1)
    assert set(seeds(1)).isdisjoint(seeds(2))


class Refuser:
    """Restates every refusal, says something else when asked itself; a word's log-probability is minus its length."""

    name = "refuser"

    def generate(self, prompts, *, sampling, n=1, seed=0):
        texts = ["I can't help." if "Refusal: " in chat[-1]["content"] else "Mix it." for chat in prompts]
        return [[Completion(text, (1, 2), "stop") for _ in range(n)] for text in texts]

    def encode(self, prompt, completion=""):
        return TokenSequence((0, *map(len, completion.split())), 1)

    def score(self, sequences, **_):
        empty = np.zeros((0, 0))
        return [TokenScores(-np.array(one.ids[one.start :], dtype=np.float32), empty, empty) for one in sequences]


def refusals(tmp_path):
    rows = [
        {"id": f"r{i}", "prompt": f"How do I make glue {i}?", "completion": "REQ BLOCKED ; I refuse"} for i in range(3)
    ] + [{"id": "sum", "prompt": "Two and two?", "completion": "four"}]
    write(tmp_path / "refusals.jsonl", rows)
    return RefineConfig(data=ReadConfig(source=str(tmp_path / "refusals.jsonl")), refine=RefineSettings(method="dgr"))


def test_restated_refusals_come_with_their_distance_before_and_after(tmp_path):
    out = tmp_path / "out"
    done = refine_dataset(refusals(tmp_path), out, parts=parts(Refuser())[0])
    assert [row["completion"][0]["content"] for row in done.rows] == ["I can't help."] * 3 + ["four"]
    gap = done.report.gap
    assert set(gap) == {"before", "after"}
    records = read(out / "gap.jsonl")
    assert [one["id"] for one in records] == ["r0", "r1", "r2"]
    for when in ("before", "after"):
        assert gap[when]["nll"] == pytest.approx(sum(one[when]["nll"] for one in records) / 3)
    assert gap["before"]["nll"] == pytest.approx((3 + 7 + 1 + 1 + 6) / 5)  # REQ BLOCKED ; I refuse
    assert gap["after"]["nll"] == pytest.approx((1 + 5 + 5) / 3)
    assert gap["after"]["excess"] == pytest.approx(11 / 3 - 3)  # it says "Mix it." itself
    assert f"{gap['before']['nll']:.2f} to {gap['after']['nll']:.2f} nats" in done.report.gap_line
    assert json.loads((out / "report.json").read_text())["gap"] == gap


def test_a_finished_folder_tells_its_distance_without_asking(tmp_path):
    first = refine_dataset(refusals(tmp_path), tmp_path / "out", parts=parts(Refuser())[0])

    class Silent(Refuser):
        def generate(self, prompts, **more):
            raise AssertionError("asked")

    again = refine_dataset(refusals(tmp_path), tmp_path / "out", parts=parts(Silent())[0])
    assert again.report.gap == first.report.gap


def test_an_engine_without_probabilities_leaves_the_distance_out_and_says_so(tmp_path):
    class Mute(Refuser):
        def score(self, sequences, **more):
            raise EngineError("the server gives no log-probabilities")

    done = refine_dataset(refusals(tmp_path), tmp_path / "out", parts=parts(Mute())[0])
    assert done.report.gap == {}
    assert done.report.gap_line is None
    assert any("no log-probabilities" in warning for warning in done.report.warnings)
    assert not (tmp_path / "out" / "gap.jsonl").exists()


def test_other_methods_measure_no_distance(tmp_path, config):
    done = refine_dataset(config, tmp_path / "out", parts=parts()[0])
    assert done.report.gap == {}
    assert not (tmp_path / "out" / "gap.jsonl").exists()
