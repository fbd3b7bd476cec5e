"""``tutelage w2s`` on small files: what is read, how it is split, what comes out, and what is refused with its line."""

import contextlib
import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from tutelage.cli.w2s import w2s as verb
from tutelage.errors import ConfigError, DataError, Interrupted, ModelError, TutelageError
from tutelage.io.tensors import load_tensors
from tutelage.jobs.run_folder import RunFolder
from tutelage.jobs.w2s import resume, w2s
from tutelage.jobs.w2s_config import W2sConfig
from tutelage.jobs.w2s_data import parted, read_table
from tutelage.measure.results import read_results
from tutelage.report.weak_to_strong import points, ratio, render

app = typer.Typer()
app.command()(verb)
WORDS = ("good", "fine", "glad"), ("bad", "poor", "sad")


def written(path, rows, columns=None):
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, columns or list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def number_rows(n=200, seed=0):
    """Three numbers of which the first is a poor sign of the class and all together are a good one."""
    draw = np.random.default_rng(seed)
    truth = draw.integers(2, size=n)
    x = truth[:, None] * np.array([0.8, 1.5, 1.5]) + draw.normal(0, 1, (n, 3))
    return [
        {"id": f"n{i}", "a": f"{r[0]:.4f}", "b": f"{r[1]:.4f}", "c": f"{r[2]:.4f}", "label": "yes" if t else "no"}
        for i, (r, t) in enumerate(zip(x, truth, strict=True))
    ]


@pytest.fixture
def numbers(tmp_path):
    return written(tmp_path / "numbers.csv", number_rows())


def config(data, **more):
    return W2sConfig(data=data, features="a,b,c", weak_features="a", resamples=200, epochs=5, **more)


def test_the_whole_run_on_columns_of_numbers(numbers, tmp_path):
    done = w2s(config(numbers), tmp_path / "out", command="the command")
    told = json.loads((tmp_path / "out" / "results.json").read_text())
    assert told == json.loads(json.dumps(done.summary))
    assert set(told["arms"]) == {"xent", "hard", "conf"}
    assert told["ceiling"]["accuracy"]["value"] > told["weak"]["accuracy"]["value"]
    one = told["arms"]["xent"]
    w, s, c = told["weak"]["accuracy"]["value"], one["accuracy"]["value"], told["ceiling"]["accuracy"]["value"]
    assert one["recovered"]["value"] == pytest.approx((s - w) / (c - w))
    assert one["gap"]["value"] == pytest.approx(c - w)
    assert one["gain"]["value"] == pytest.approx(s - w)
    tables = {arm: read_results(tmp_path / "out" / arm) for arm in ("weak", "conf", "ceiling")}
    assert all("w2s" in one.tasks for one in tables.values())
    lines = [json.loads(line) for line in (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == [f"n{i}" for i in range(200)]
    counts = {part: sum(line["part"] == part for line in lines) for part in ("test", "teacher", "student", "unused")}
    assert counts == {"test": 60, "teacher": 70, "student": 70, "unused": 0}
    tested = [line for line in lines if line["part"] == "test"]
    assert np.mean([max(x["weak"], key=x["weak"].get) == x["truth"] for x in tested]) == pytest.approx(w)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "the command" in page
    assert "<script" not in page
    hostile = render(dict(done.summary) | {"teacher": "<script>x</script>", "notes": ["<img src=x>"]})
    assert "<script" not in hostile
    assert "<img" not in hostile
    assert points(one["accuracy"]) in page


def test_given_labels_from_a_file_of_their_own(tmp_path):
    rows = number_rows()
    known = [{**row, "label": row["label"] if i < 150 else ""} for i, row in enumerate(rows)]
    data = written(tmp_path / "d.csv", known)
    sure = {"yes": {"yes": 0.8, "no": 0.2}, "no": {"yes": 0.3, "no": 0.7}}
    given = [{"id": row["id"], **sure[row["label"]]} for row in rows[20:]]
    weak = written(tmp_path / "w.csv", given)
    chosen = W2sConfig(data=data, features="a,b,c", weak_labels=weak, resamples=200, epochs=2)
    table = read_table(chosen)
    assert np.isnan(table.given[:20]).all()
    assert table.given[20].sum() == pytest.approx(1)
    assert (table.truth[150:] == -1).all()
    parts = parted(table, chosen)
    assert len(parts.teacher) == 0
    assert set(parts.test.tolist()) <= set(range(20, 150))
    assert set(parts.test.tolist()) | set(parts.pool.tolist()) == set(range(20, 200))
    done = w2s(chosen, tmp_path / "out")
    assert done.summary["weak"]["accuracy"]["value"] == 1.0  # these labels are right
    assert done.summary["arms"]["conf"]["recovered"] is None
    assert "no gap" in render(done.summary)
    assert any("Truth is known of" in note for note in done.summary["notes"])
    assert not any("the truth never is" in note for note in done.summary["notes"])
    odd = [{"id": row["id"], "weak_label": "maybe" if i == 60 else row["label"]} for i, row in enumerate(rows)]
    told = w2s(replace(chosen, weak_labels=written(tmp_path / "w3.csv", odd)), tmp_path / "odd").summary["notes"]
    assert any("The labels name 'maybe', which the truth never is" in note for note in told)
    more = [{"id": "stranger", "yes": 1, "no": 0}, *given]
    [left] = read_table(replace(chosen, weak_labels=written(tmp_path / "w4.csv", more))).rejected
    assert (left.line, left.reason) == (2, "label_of_no_row")
    assert "w4.csv: the id 'stranger'" in left.detail
    classes = written(tmp_path / "w2.csv", [{"id": row["id"], "weak_label": row["label"]} for row in rows])
    assert np.isin(read_table(W2sConfig(data=data, features="a", weak_labels=classes)).given, (0, 1)).all()


def test_texts_with_a_bag_of_words_and_labels_in_json_lines(tmp_path, monkeypatch):
    draw = np.random.default_rng(0)
    file = tmp_path / "rows.jsonl"
    rows = []
    for i in range(120):
        label = i % 2
        words = [draw.choice(WORDS[label if draw.random() < 0.8 else 1 - label]) for _ in range(3)]
        rows.append({"text": " ".join([*words, str(i)]), "label": bool(label)})
    rows += [{"text": rows[0]["text"].upper(), "label": False}, {"text": " "}]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    seen = []

    def embedded(name, texts, config, console):
        seen.append(name)
        return name, np.array([[sum(text.count(word) for word in side) for side in WORDS] for text in texts], float)

    monkeypatch.setattr("tutelage.jobs.w2s_models.embedded", embedded)
    chosen = W2sConfig(data=str(file), resamples=200, epochs=3)
    done = w2s(chosen, tmp_path / "out")
    assert seen == ["all-minilm-l6-v2"]
    assert done.summary["teacher"] == "bag of words"
    assert done.summary["classes"] == ["False", "True"]
    assert done.summary["rows"]["rejected"] == 1
    assert "no text" in (tmp_path / "out" / "rejected.jsonl").read_text()
    lines = [json.loads(line) for line in (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()]
    assert lines[0]["part"] == lines[120]["part"]  # the same text in another case stays on one side
    with pytest.raises(ConfigError, match="already holds a run"):
        w2s(chosen, tmp_path / "out")


def everything(folder):
    """All that a run leaves but clocks and identities."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and name not in ("run.json", "report.html") and not name.startswith("phases"):
            found[name] = path.read_bytes()
    told = json.loads(found["results.json"])
    return found | {"results.json": {k: v for k, v in told.items() if k not in ("created", "seconds", "command")}}


PHASES = ("labels", "features", "ceiling", "arm-xent", "arm-hard", "arm-conf")


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("last", PHASES)
def test_a_run_killed_at_any_phase_ends_with_the_same_bits(tmp_path, numbers, monkeypatch, last, when):
    class Killed(BaseException):
        pass

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    w2s(config(numbers), whole)
    phase, made = RunFolder.phase, []

    def dying(self, name, compute):
        if name == last and when == "before":
            compute()  # the arrays are there, the phase is not done
            raise Killed
        found = phase(self, name, compute)
        made.append(name)
        if name == last:
            raise Killed
        return found

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "phase", dying)
        with pytest.raises(Killed):
            w2s(config(numbers), broken)
    assert not (broken / "results.json").exists()
    stamps = {name: (broken / "phases" / f"{name}.json").stat().st_mtime_ns for name in made}
    resume(broken)
    assert everything(broken) == everything(whole)
    assert stamps == {name: (broken / "phases" / f"{name}.json").stat().st_mtime_ns for name in made}
    assert {path.stem for path in (broken / "phases").iterdir()} == set(PHASES)


def test_a_run_goes_on_with_its_own_rows_only_and_by_the_same_command(tmp_path, numbers):
    w2s(config(numbers), tmp_path / "out", command="the command")
    before = everything(tmp_path / "out")
    (tmp_path / "out" / "results.json").unlink()
    from tutelage.cli.resume import resume as resume_verb

    cli = typer.Typer()
    cli.command()(resume_verb)
    done = CliRunner().invoke(cli, [str(tmp_path / "out"), "--json"])
    assert json.loads(done.stdout)["command"] == "the command"
    assert everything(tmp_path / "out") == before
    written(tmp_path / "numbers.csv", number_rows(seed=1))
    with pytest.raises(ConfigError, match="not the run's own inputs: data"):
        resume(tmp_path / "out")
    with pytest.raises(DataError, match="no run here"):
        resume(tmp_path)


def test_asked_to_stop_a_run_stops_before_the_next_phase(tmp_path, numbers, monkeypatch):
    @contextlib.contextmanager
    def asked(say):
        yield lambda: (tmp_path / "out" / "phases" / "features.json").exists()

    with monkeypatch.context() as patch:
        patch.setattr("tutelage.jobs.w2s.stop_requests", asked)
        with pytest.raises(Interrupted):
            w2s(config(numbers), tmp_path / "out")
    assert resume(tmp_path / "out").summary["arms"]


def test_a_student_that_first_learns_to_write_never_sees_a_text_of_the_test(tmp_path, monkeypatch, tiny_model_dir):
    import tutelage.training.generative as generative

    draw = np.random.default_rng(0)
    words = [*WORDS[0], *WORDS[1]]
    rows = [{"text": " ".join(draw.choice(words, 4)), "label": i % 2, "id": i} for i in range(100)]
    rows += [{**row, "id": f"again {row['id']}"} for row in rows[:30]]
    data, seen, tuned = written(tmp_path / "d.csv", rows), [], generative.generatively_tuned

    def noted(loaded, ids, texts, *args, **kwargs):
        seen.extend(texts)
        return tuned(loaded, ids, texts, *args, **kwargs)

    monkeypatch.setattr(generative, "generatively_tuned", noted)
    chosen = W2sConfig(
        data=data, student=str(tiny_model_dir), arms=("hard",), resamples=200, epochs=2, generative_epochs=3,
        generative_learning_rate=0.01, device="cpu", threads=1,
    )  # fmt: skip
    table = read_table(replace(chosen, generative_finetuning=False))
    parts = parted(table, chosen)
    plain = w2s(chosen, tmp_path / "plain")
    assert plain.summary["generative_finetuning"] is None
    assert not seen
    done = w2s(replace(chosen, generative_finetuning=True), tmp_path / "out")
    tested = {table.texts[i] for i in parts.test}
    assert not tested & set(seen)
    assert set(seen) == set(table.texts) - tested
    told = done.summary["generative_finetuning"]
    assert told["loss_after"] < told["loss_before"]
    assert told["texts"] == len(seen)
    assert "fine-tuned on the texts" in done.summary["student"]
    features = [load_tensors(tmp_path / one / "work" / "features.safetensors")["features"] for one in ("plain", "out")]
    assert not features[0].equal(features[1])
    assert not (tmp_path / "out" / "work" / "generative").exists()


def test_only_a_language_model_learns_to_write(tmp_path, numbers, monkeypatch):
    with pytest.raises(ConfigError, match="columns of numbers cannot be written"):
        W2sConfig(data=numbers, features="a", generative_finetuning=True)
    monkeypatch.setattr("tutelage.jobs.w2s_models._is_encoder", lambda name: True)
    data = written(tmp_path / "t.csv", [{"text": f"{i} {WORDS[i % 2][0]}", "label": i % 2} for i in range(60)])
    with pytest.raises(ConfigError, match="writes nothing"):
        w2s(W2sConfig(data=data, generative_finetuning=True), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def changed(**cells):
    rows = number_rows(60)
    rows[3] |= cells
    return rows


@pytest.mark.parametrize(
    ("rows", "more", "says"),
    [
        (changed(a="high"), {}, ":5: 'high' in column 'a'"),
        (changed(id="n2"), {}, ":5: the id 'n2' stands twice, first on line 4"),
        (changed(), {"features": "a,d"}, "no column 'd'"),
        (changed(), {"label": "truth"}, "no column 'truth'"),
        ([row | {"label": ""} for row in number_rows(60)[:50]] + number_rows(60)[50:], {}, "10 rows with truth"),
        ([row | {"label": "yes"} for row in number_rows(60)], {}, "only class is 'yes'"),
    ],
)
def test_bad_files_are_refused_with_the_place(tmp_path, rows, more, says):
    with pytest.raises(DataError) as caught:
        w2s(W2sConfig(**{"data": written(tmp_path / "d.csv", rows), "features": "a,b", **more}), tmp_path / "out")
    assert says in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ({"id": "n3", "yes": "0.9", "no": "0.3"}, ":5: probabilities that sum to 1.2"),
        ({"id": "n3", "yes": "", "no": "1"}, ":5: '' in column 'yes'"),
        ({"id": "n2", "yes": "0", "no": "1"}, "stands twice"),
    ],
)
def test_bad_labels_are_refused_with_the_line(tmp_path, numbers, cells, says):
    given = [{"id": f"n{i}", "yes": "0.5", "no": "0.5"} for i in range(30)]
    given[3] = cells
    weak = written(tmp_path / "w.csv", given)
    with pytest.raises(DataError) as caught:
        read_table(W2sConfig(data=numbers, features="a", weak_labels=weak))
    assert says in str(caught.value)


def test_labels_of_other_rows_and_a_second_teacher_are_refused(tmp_path, numbers):
    weak = written(tmp_path / "w.csv", [{"id": "x1", "weak_label": "yes"}, {"id": "x2", "weak_label": "no"}])
    with pytest.raises(DataError, match="none of these ids"):
        read_table(W2sConfig(data=numbers, features="a", weak_labels=weak))
    with pytest.raises(ConfigError, match="teacher of texts"):
        w2s(W2sConfig(data=numbers, features="a", weak="bow"), tmp_path / "out")
    good = written(tmp_path / "g.csv", [{"id": row["id"], "weak_label": row["label"]} for row in number_rows()])
    with pytest.raises(ConfigError, match="labels are given"):
        w2s(W2sConfig(data=numbers, features="a", weak_labels=good, weak="minilm"), tmp_path / "out")


def test_settings_outside_their_range_are_refused():
    for bad in ({"test": 0.0}, {"split": 1.0}, {"arms": ("conv",)}, {"arms": ()}, {"epochs": 0}, {"resamples": 5},
                {"weak_features": "a"}):  # fmt: skip
        with pytest.raises(ConfigError):
            W2sConfig(**bad)


def test_the_command(numbers, tmp_path):
    out = tmp_path / "out"
    call = [numbers, "--out", str(out), "--features", "a,b,c", "--weak-features", "a", "--set", "resamples=200"]
    done = CliRunner().invoke(app, call)
    assert done.exit_code == 0, done.output
    for text in ("weak", "ceiling", "share of the gap", "agrees with weak where it is right", "leave none"):
        assert text in done.output
    again = CliRunner().invoke(app, [*call[:2], str(tmp_path / "two"), *call[3:], "--json"])
    told = json.loads(again.stdout)
    assert told["weak"] == json.loads((out / "results.json").read_text())["weak"]
    for arguments, says in (([], "DATA is missing"), ([numbers], "--out is missing")):
        refused = CliRunner().invoke(app, arguments)
        assert isinstance(refused.exception, TutelageError)
        assert says in str(refused.exception)


def test_a_share_without_an_interval_says_so(tmp_path):
    rows = number_rows(60)
    other = {"yes": "no", "no": "yes"}
    labels = [other[r["label"]] if i < 2 else r["label"] for i, r in enumerate(rows)]
    given = written(
        tmp_path / "w.csv", [{"id": r["id"], "weak_label": one} for r, one in zip(rows, labels, strict=True)]
    )
    data = written(tmp_path / "d.csv", [r | {"c": "9" if r["label"] == "yes" else "-9"} for r in rows])
    call = [data, "--out", str(tmp_path / "o"), "--features", "c", "--weak-labels", given, "--set", "test=0.8"]
    done = CliRunner().invoke(app, [*call, "--set", "resamples=200", "--set", "epochs=30"])
    assert done.exit_code == 0, done.output
    assert "[no interval]" in done.output


def test_where_classes_are_uneven_balanced_accuracy_leads(tmp_path):
    rows = number_rows(500)
    few = [row for i, row in enumerate(rows) if row["label"] == "no" or i % 4 == 0]
    data = written(tmp_path / "d.csv", few)
    done = w2s(config(data), tmp_path / "out")
    told = done.summary["metric"]
    assert told["name"] == "balanced_accuracy"
    assert told["weak"] == pytest.approx(done.summary["weak"]["balanced_accuracy"])
    one = told["arms"]["hard"]
    assert one["value"] == pytest.approx(done.summary["arms"]["hard"]["balanced_accuracy"])
    assert one["recovered"]["value"] == pytest.approx((one["value"] - told["weak"]) / (told["ceiling"] - told["weak"]))
    assert set(told["all"]) == {"weak", "xent", "hard", "conf", "ceiling"}
    call = [
        data,
        "--out",
        str(tmp_path / "two"),
        "--features",
        "a,b,c",
        "--weak-features",
        "a",
        "--set",
        "resamples=200",
    ]
    page = CliRunner().invoke(app, call)
    assert page.output.index("balanced accuracy, %") < page.output.index("accuracy, %", page.output.index("ceiling"))
    assert "Balanced accuracy" in (tmp_path / "two" / "report.html").read_text()
    area = CliRunner().invoke(app, [*call[:2], str(tmp_path / "three"), *call[3:], "--metric", "roc_auc"])
    assert "roc auc, %" in area.output
    even = w2s(config(written(tmp_path / "e.csv", number_rows())), tmp_path / "four").summary["metric"]
    assert even["name"] == "accuracy"
    with pytest.raises(ConfigError):
        CliRunner().invoke(
            app, [*call[:2], str(tmp_path / "five"), *call[3:], "--metric", "auc"], catch_exceptions=False
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    "student",
    [
        pytest.param("minilm", marks=pytest.mark.needs_asset("all-minilm-l6-v2")),
        pytest.param("smollm2-135m-instruct", marks=pytest.mark.needs_asset("smollm2-135m-instruct")),
    ],
)
def test_real_students_read_real_texts(student, tmp_path):
    animals, tools = ("cat", "horse", "sparrow", "trout", "beetle"), ("hammer", "drill", "saw", "wrench", "lathe")
    frames = ("a {} that is old", "she saw the {}", "this {} is heavy", "two of the {} kind", "the {} by the barn")
    rows = [
        {"text": frame.format(word), "label": name}
        for name, words in (("animal", animals), ("tool", tools))
        for word in words
        for frame in frames
    ]
    config = W2sConfig(
        data=written(tmp_path / "d.csv", rows), student=student, arms=("hard",), resamples=200, threads=1, device="cpu"
    )
    done = w2s(config, tmp_path / "out")
    assert done.summary["ceiling"]["accuracy"]["value"] > 0.7


def test_words_for_what_is_not_there():
    assert ratio(None) == "no gap"
    assert points(None) == "no such item"
    assert ratio({"value": 0.5, "low": None, "high": None}) == "0.50 [no interval]"


def test_what_cannot_be_read_is_said_with_the_line(tmp_path):
    file = tmp_path / "d.csv"
    file.write_text("id,text,label\n")
    with pytest.raises(DataError, match="nothing but column names"):
        read_table(W2sConfig(data=str(file)))
    file.write_text('id,text,label\n1,"open,good\n2,x,bad\n')
    with pytest.raises(DataError, match="line 2: the file ends inside a quoted field"):
        read_table(W2sConfig(data=str(file)))
    file.write_bytes("id,text,label\n1,café,good\n2,tea,bad\n3,ok,good\n".encode("latin-1"))
    table = read_table(W2sConfig(data=str(file)))
    assert (table.ids, [(one.line, one.reason) for one in table.rejected]) == (("2", "3"), [(2, "not_utf8")])
    assert "iconv" in table.rejected[0].detail
    (tmp_path / "r.jsonl").write_text(json.dumps({"text": "bad \udce9", "label": 1}) + "\n")
    with pytest.raises(DataError, match="no row can be read"):
        read_table(W2sConfig(data=str(tmp_path / "r.jsonl")))


@pytest.mark.parametrize("more", [{"student": "no-such-model"}, {"weak": "no-such-model"}])
def test_a_model_that_is_nowhere_leaves_no_folder(tmp_path, more):
    data = written(tmp_path / "t.csv", [{"text": f"{i} {WORDS[i % 2][0]}", "label": i % 2} for i in range(60)])
    with pytest.raises(ModelError, match="no-such-model"):
        w2s(W2sConfig(data=data, **more), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_copy_of_its_teacher_is_no_certainty_and_a_rare_class_is_named(tmp_path):
    draw = np.random.default_rng(0)
    rows = [
        {"id": f"n{i}", "a": f"{draw.normal() + 9 * (i % 20 == 0):.3f}", "label": "harm" if i % 20 == 0 else "fine"}
        for i in range(200)
    ]
    given = written(tmp_path / "w.csv", [{"id": row["id"], "weak_label": "fine"} for row in rows])
    asked = W2sConfig(data=written(tmp_path / "d.csv", rows), features="a", weak_labels=given, resamples=200, epochs=3)
    told = w2s(replace(asked, arms=("hard", "xent")), tmp_path / "out").summary
    one = told["arms"]["hard"]
    assert one["gain"]["value"] == 0
    assert one["gain"]["low"] < 0 < one["gain"]["high"]
    assert one["gap"] == told["arms"]["xent"]["gap"]
    leading = told["metric"]["arms"]["hard"]["gain"]
    assert (leading["value"], leading["low"], leading["high"]) == (0.0, None, None)
    assert any("of the class 'harm', on which balanced accuracy rests" in note for note in told["notes"])


def test_a_run_is_compared_system_by_system(numbers, tmp_path):
    w2s(config(numbers, arms=("hard",)), tmp_path / "out")
    with pytest.raises(DataError, match="several systems") as caught:
        read_results(tmp_path / "out")
    assert str(tmp_path / "out" / "hard") in caught.value.hint
