"""Preference sets: rankings against a naive loop over the model, a reference beside it, and what rows are refused."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from tutelage.cli import app
from tutelage.errors import ConfigError, DataError, EngineError, TutelageError
from tutelage.jobs.measure import MeasureConfig, measure
from tutelage.measure import open_suite
from tutelage.measure.preferences import with_ending, with_reference, with_reference_scores
from tutelage.measure.results import read_native

CHAT = [{"role": "user", "content": "Name a fruit."}]
ROWS = [
    {"id": "a", "prompt": "A fruit?", "chosen": " An apple.", "rejected": " A dog, I think, or a cat."},
    {"id": "b", "prompt": "A fruit?", "chosen": " A pear, and it is sweet.", "rejected": " No."},
    {"id": "c", "prompt": CHAT, "chosen": [{"role": "assistant", "content": "Plum."}], "rejected": "A plum of stone."},
    {"id": "d", "prompt": "b", "chosen": " word word", "rejected": " c", "votes": [2, 2], "groups": {"kind": "tie"}},
    {"id": "e", "prompt": "c", "chosen": " d", "rejected": " the sky", "votes": 0.75},
]
QUICK = MeasureConfig(batch_size=8, threads=1)


@pytest.fixture
def engine(tiny):
    from tutelage.models import TransformersEngine

    return TransformersEngine(tiny)


@pytest.fixture
def base(tiny_model_dir):
    """The tiny model with other weights: a reference."""
    from tutelage.models import TransformersEngine, load

    loaded = load(str(tiny_model_dir), dtype="float32", device="cpu")
    with torch.no_grad():
        for parameter in loaded.model.parameters():
            parameter.mul_(0.7)
    return TransformersEngine(loaded)


def pairs(tmp_path, rows=ROWS, name="pairs.jsonl"):
    file = tmp_path / name
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def naive(engine, row, ending):
    """Sum and length of both responses, token by token in double precision."""
    tok, model = engine.tokenizer, engine.loaded.model
    prompt = row["prompt"]
    text = (
        prompt
        if isinstance(prompt, str)
        else tok.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
    )
    found = []
    for side in ("chosen", "rejected"):
        response = row[side] if isinstance(row[side], str) else row[side][0]["content"]
        before = tok(text, add_special_tokens=False).input_ids
        ids = tok(text + response, add_special_tokens=False).input_ids + ([tok.eos_token_id] if ending == "end" else [])
        with torch.no_grad():
            logs = model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
        total = sum(float(logs[t - 1, ids[t]]) for t in range(len(before), len(ids)))
        found.append((total, len(ids) - len(before)))
    return found


@pytest.mark.parametrize("ending", ["end", "none"])
def test_pairs_are_ranked_as_a_naive_loop_ranks_them(engine, tmp_path, ending):
    suite = with_ending(open_suite(str(pairs(tmp_path))), ending)
    found = suite.tasks[0].measure(engine)
    assert list(found.values) == ["ranked", "ranked_norm", "shorter", "margin"]
    shorter = []
    for i, row in enumerate(ROWS):
        (w, n), (l, m) = naive(engine, row, ending)  # noqa: E741 - the paper's
        assert found.values["margin"][i] == pytest.approx(w - l, abs=1e-4)
        tied = row["id"] == "d"
        expected = abs(math.exp(w) - math.exp(l)) < 0.01 if tied else w >= l
        normalised = abs(math.exp(w / n) - math.exp(l / m)) < 0.01 if tied else w / n >= l / m
        assert (found.values["ranked"][i], found.values["ranked_norm"][i]) == (expected, normalised)
        shorter.append(0.5 if n == m else float(n < m))
        assert found.choices[i] == row["chosen" if w >= l else "rejected"] or isinstance(row["chosen"], list)
    assert found.values["shorter"].tolist() == shorter
    assert found.metrics["ranked"].baseline == pytest.approx(np.mean(shorter))
    assert found.clusters[0] == found.clusters[1] != found.clusters[2]  # one prompt
    assert found.groups == {"kind": ("", "", "", "tie", "")}


def test_the_example_of_the_docs_can_be_read_and_measured(engine):
    (task,) = open_suite(str(Path(__file__).parents[3] / "examples" / "preferences.jsonl")).tasks
    found = task.measure(engine)
    assert len(found.ids) == 8
    assert not np.isnan(found.values["ranked"]).any()
    assert task.method.shares(task.items)[found.ids.index("joke")] == 0.5


def test_beside_a_reference(engine, base, tmp_path):
    suite = with_reference_scores(with_reference(open_suite(str(pairs(tmp_path))), "base", "0" * 64, 0.5), base)
    (plain, beside) = suite.tasks
    assert (plain.name, beside.name) == ("pairs", "pairs-reference")
    found, ranked = beside.measure(engine), plain.measure(engine).values["ranked"]
    for i, row in enumerate(ROWS):
        now, before = ((lambda s: s[0][0] - s[1][0])(naive(one, row, "end")) for one in (engine, base))
        value = {name: float(column[i]) for name, column in found.values.items()}
        assert value["difficulty"] == pytest.approx(-before, abs=1e-4)
        assert value["dpo_loss"] == pytest.approx(math.log1p(math.exp(-0.5 * (now - before))), abs=1e-4)
        assert value["reward_ranked"] == float(now > before)
        assert value["turned_right"] == float(ranked[i] and not value["reference_ranked"])
        assert value["kept"] == float(not (value["reference_ranked"] and not ranked[i]))
        if row["id"] == "d":
            assert math.isnan(value["ideal"])
            assert math.isnan(value["gap"])
            continue
        alpha = min(row.get("votes", 1.0), 0.999)
        ideal = [float(before + math.log(alpha / (1 - alpha)) / beta > 0) for beta in (0.01, 0.1, 1.0, 5.0, 10.0)]
        assert (value["ideal_max"], value["ideal"], value["ideal_min"]) == (ideal[0], ideal[2], ideal[4])
        assert value["gap"] == ideal[2] - ranked[i]


def test_the_job_writes_what_compare_reads_and_asks_nothing_twice(engine, tiny_model_dir, tmp_path):
    file, config = pairs(tmp_path), MeasureConfig(batch_size=8, threads=1, reference=str(tiny_model_dir))
    done = measure(engine, str(file), tmp_path / "out", config=config)
    assert sorted(done.results) == ["pairs", "pairs-reference"]
    beside = done.results["pairs-reference"].values
    assert beside["dpo_loss"] == pytest.approx(np.full(5, math.log(2)))  # the model is its own reference
    assert (beside["turned_right"].tolist(), beside["kept"].tolist()) == ([0.0] * 5, [1.0] * 5)
    assert done.summary["notes"][0].startswith(f"reference model: {tiny_model_dir}")
    assert done.summary["tasks"]["pairs-reference"]["metrics"]["gap"]["missing"] == 1
    read, _ = read_native(tmp_path / "out" / "pairs-reference.jsonl")
    np.testing.assert_array_equal(read.values["ideal"], beside["ideal"])
    assert done.summary["cost"]["asked"] == 10  # by the reference; the model gives the same answers
    again = measure(engine, str(file), tmp_path / "out", config=config)
    assert again.summary["cost"]["asked"] == 0


def test_a_tie_changes_no_fingerprint_and_an_ending_does(tmp_path):
    first = open_suite(str(pairs(tmp_path))).tasks[0]
    voted = open_suite(str(pairs(tmp_path, [{**ROWS[0], "votes": 0.9}, *ROWS[1:]], "voted.jsonl"))).tasks[0]
    assert first.fingerprints() == voted.fingerprints()
    assert first.version != voted.version
    suite = open_suite(str(pairs(tmp_path)))
    assert with_ending(suite, "none").tasks[0].fingerprints() != first.fingerprints()


GOOD = {"prompt": "A fruit?", "chosen": " An apple.", "rejected": " No."}
BAD = {
    "no prompt": ({"chosen": "a", "rejected": "b"}, "prompt of its own"),
    "an unknown key": ({**GOOD, "reject": "x"}, "did you mean 'rejected'"),
    "one response": ({"prompt": "a", "chosen": " b"}, "rejected must be text"),
    "an empty response": ({**GOOD, "rejected": "  "}, "not empty"),
    "the same twice": ({**GOOD, "rejected": GOOD["chosen"]}, "are the same"),
    "messages after text": ({**GOOD, "chosen": [{"role": "assistant", "content": "a"}]}, "chosen must be text"),
    "the wrong role": ({**GOOD, "prompt": CHAT, "chosen": [{"role": "user", "content": "a"}]}, "of the assistant"),
    "a whole conversation": ({**GOOD, "prompt": CHAT, "chosen": [*CHAT, *CHAT]}, "earlier turns belong to the prompt"),
    "votes the other way": ({**GOOD, "votes": [1, 4]}, "swap chosen and rejected"),
    "votes in words": ({**GOOD, "votes": "most"}, "share of raters"),
    "a count without the other": ({**GOOD, "votes": 4}, "at most 1"),
    "no votes": ({**GOOD, "votes": [0, 0]}, "nobody voted"),
    "a number as id": ({**GOOD, "id": 3}, "id must be text"),
    "no object": ([1], "object with prompt"),
    "one id twice": ({**ROWS[0]}, "stands twice"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_row_is_named_with_file_line_and_cure(case, tmp_path):
    row, message = BAD[case]
    file = pairs(tmp_path, [ROWS[0], row])
    with pytest.raises(DataError) as caught:
        open_suite(str(file))
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{file}:2: ")


def test_tokens_that_merge_are_refused_with_file_and_line(engine, tmp_path):
    merged = next(t for t in engine.tokenizer.get_vocab() if t.startswith("Ġ") and len(t) > 2).replace("Ġ", "")
    file = pairs(tmp_path, [ROWS[0], {"prompt": "A fruit? ", "chosen": merged, "rejected": "x"}])
    with pytest.raises(DataError, match="other tokens together") as caught:
        measure(engine, str(file), tmp_path / "out", config=QUICK)
    assert f"{file}:2" in str(caught.value)


def test_a_reference_without_pairs_and_an_engine_without_tokenizer_are_refused(engine, tmp_path):
    config = MeasureConfig(reference="nowhere", threads=1)
    question = {"prompt": "How much is 3 and 4?", "target": 7, "scorer": "number"}
    with pytest.raises(ConfigError, match="no preference pairs"):
        measure(engine, str(pairs(tmp_path, [question], "questions.jsonl")), tmp_path / "out", config=config)
    engine.tokenizer = None
    with pytest.raises(EngineError, match="tokenizer"):
        open_suite(str(pairs(tmp_path))).tasks[0].measure(engine)
    with pytest.raises(ConfigError, match="beta"):
        MeasureConfig(beta=0.0)


def test_the_command_from_a_file_to_a_comparison(tiny_model_dir, base, tmp_path):
    rows = [
        {"prompt": f"Fruit {k}?", "chosen": " An apple." + " b" * (k % 5), "rejected": " No" + " c" * (k % 7)}
        for k in range(24)
    ]
    file = pairs(tmp_path, rows)
    base.loaded.model.save_pretrained(tmp_path / "base")
    base.tokenizer.save_pretrained(tmp_path / "base")
    flags = ["--suite", str(file), "--set", "threads=1", "--set", "device=cpu"]

    def run(*args):
        done = CliRunner().invoke(app, [str(arg) for arg in args])
        if isinstance(done.exception, TutelageError):
            raise done.exception
        return done

    shown = run("measure", tiny_model_dir, *flags, "--reference", tmp_path / "base", "--out", tmp_path / "tuned")
    assert shown.exit_code == 0, shown.output
    for word in ("ranked_norm", "shorter", "reward_ranked", "gap", "difficulty", "95 % of"):
        assert word in shown.output
    told = run("measure", tmp_path / "base", *flags, "--out", tmp_path / "before", "--json")
    summary = json.loads(told.stdout)
    assert summary["tasks"]["pairs"]["metrics"]["ranked"]["estimate"]["n"] == 24
    compared = run("compare", tmp_path / "before", tmp_path / "tuned", "--json")
    assert "ranked" in compared.stdout
    assert compared.exit_code == 0, compared.output


def test_a_csv_file_holds_pairs_as_json_lines_do(tmp_path):
    rows = [row for row in ROWS if row["id"] in "abe"]
    lines = ["id,prompt,chosen,rejected,votes"]
    lines += [",".join(f'"{row[k]}"' for k in ("id", "prompt", "chosen", "rejected")) for row in rows]
    lines[1:] = [f"{line},{row.get('votes', '')}" for line, row in zip(lines[1:], rows, strict=True)]
    file = tmp_path / "pairs.csv"
    file.write_text("\n".join([*lines, '"f","b"," c"," d","[4, 1]"']), encoding="utf-8")
    expected = [*rows, {"id": "f", "prompt": "b", "chosen": " c", "rejected": " d", "votes": [4, 1]}]
    task, same = open_suite(str(file)).tasks[0], open_suite(str(pairs(tmp_path, expected))).tasks[0]
    assert task.items == same.items
    assert task.method.votes == same.method.votes == {"e": 0.75, "f": 0.8}
    assert task.method.places["f"].endswith("pairs.csv:5")
    assert open_suite(str(file)).fingerprint() == open_suite(str(tmp_path / "pairs.jsonl")).fingerprint()


@pytest.mark.parametrize(
    ("text", "said", "place"),
    [
        (b"prompt,chosen,rejected\na,b\n", "2 fields where the header has 3", "p.csv:2"),
        (b"prompt,chosen,rejected\na, caf\xe9, c\n", "not UTF-8", "p.csv:2"),
        (b"prompt,chosen,rejected,votes\na, b, c,many\n", "votes must be the share", "p.csv:2"),
        (b"prompt,chosen,rejected\na,, c\n", "chosen must be text, and not empty", "p.csv:2"),
        (b"question,answer\na,b\n", "has the columns prompt, chosen and rejected", "p.csv:2"),
        ("prompt,chosen,rejected\na, b, c\n".encode("utf-16"), "UTF-16", "p.csv"),
        (b"prompt,chosen,rejected\n", "no items", "p.csv"),
    ],
)
def test_a_csv_file_that_is_no_set_of_pairs_is_refused_with_its_line(tmp_path, text, said, place):
    (tmp_path / "p.csv").write_bytes(text)
    with pytest.raises(TutelageError, match=said) as caught:
        open_suite(str(tmp_path / "p.csv"))
    assert place in str(caught.value)
