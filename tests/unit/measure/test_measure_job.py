"""The job: files, resuming, the memory of what was asked, and what it refuses."""

import json

import numpy as np
import pytest

from tutelage.errors import ConfigError, EngineError, Interrupted, ModelError, RangeError
from tutelage.jobs.measure import MeasureConfig, measure, model_folder
from tutelage.jobs.recorded_engine import RecordedEngine, identity_of
from tutelage.measure.asking import Choosing, Item, Predicting, Speaking, each
from tutelage.measure.results import MetricFacts, read_native
from tutelage.measure.suite import Suite, Task
from tutelage.types import Sampling, TokenSequence

WORDS = [*("sky", "grass", "apple", "pear", "blue", "green", "fruit", "word"), *"abcdefgh"]


def speaking(n=40, tokens=5, temperature=0.0):
    facts = {"length": MetricFacts(unit="characters")}
    method = Speaking(Sampling(tokens, temperature), facts, each(lambda item, said: {"length": float(len(said.text))}))
    items = [
        Item(f"s{k}", f"{WORDS[k % 16]} {'and ' * (k % 5)}{k}?", groups={"even": str(k % 2 == 0)}) for k in range(n)
    ]
    return Task("speak", tuple(items), method)


def choosing(n=60):
    items = [Item(f"c{k}", f"{WORDS[k % 16]} is", WORDS[k % 3], tuple(WORDS[:3])) for k in range(n)]
    return Task("choose", tuple(items), Choosing({"correct": "sum", "correct_norm": "per_character"}))


def suite(*tasks, version="1"):
    made = tasks or (speaking(), choosing(), Task("text", (Item("t", "the sky is blue"),), Predicting(4)))
    return Suite("made-up", version, made)


class Counting:
    """An engine that counts what it is asked, and can ask for a stop after some calls."""

    def __init__(self, engine, stop_after=None):
        self.engine, self.name, self.loaded = engine, engine.name, engine.loaded
        self.said = self.scored = self.calls = 0
        self.stop_after = stop_after

    def generate(self, prompts, **more):
        self.said += len(prompts)
        self.calls += 1
        return self.engine.generate(prompts, **more)

    def score(self, sequences, **more):
        self.scored += len(sequences)
        self.calls += 1
        return self.engine.score(sequences, **more)

    def encode(self, prompt, completion=""):
        return self.engine.encode(prompt, completion)

    def should_stop(self):
        return self.stop_after is not None and self.calls >= self.stop_after


@pytest.fixture
def engine(tiny):
    from tutelage.models import TransformersEngine

    return TransformersEngine(tiny)


QUICK = MeasureConfig(batch_size=8, threads=1)


def files(out):
    return {path.name: path.read_bytes() for path in sorted(out.glob("*.jsonl"))}


def test_what_is_written(engine, tmp_path):
    out = tmp_path / "out"
    done = measure(engine, suite(), out, config=QUICK, command="tutelage measure x")
    assert sorted(path.name for path in out.iterdir()) == [
        "choose.jsonl",
        "results.json",
        "speak.jsonl",
        "text.jsonl",
        "work",
    ]
    told = json.loads((out / "results.json").read_text())
    assert told == json.loads(json.dumps(done.summary))
    assert told["model"]["weights_hash"] == engine.loaded.weights_hash
    assert told["command"] == "tutelage measure x"
    assert (told["suite"]["name"], told["suite"]["version"], told["suite"]["size"]) == ("made-up", "1", "quick")
    assert told["cost"]["asked"] == 40 + 16 * 3 + 1  # of the 60 choices 16 are different
    length = told["tasks"]["speak"]["metrics"]["length"]
    assert length["estimate"]["n"] == 40
    assert set(length["groups"]["even"]) == {"True", "False"}
    assert told["tasks"]["choose"]["metrics"]["correct"]["baseline"] == pytest.approx(1 / 3)
    back, system = read_native(out / "choose.jsonl")
    assert set(back.choices) <= set(WORDS[:3])
    assert system["weights_hash"] == engine.loaded.weights_hash


def test_the_memory_changes_nothing(engine, tmp_path):
    done = measure(engine, suite(), tmp_path / "out", config=QUICK)
    for task in suite().tasks:
        direct = task.measure(engine)
        kept = done.results[task.name]
        assert direct.outputs == kept.outputs
        for name, values in direct.values.items():
            assert kept.values[name] == pytest.approx(values, abs=1e-5)


def test_the_same_again_asks_nothing(engine, tmp_path):
    measure(engine, suite(), tmp_path / "out", config=QUICK)
    before = files(tmp_path / "out")
    counting = Counting(engine)
    done = measure(counting, suite(), tmp_path / "out", config=QUICK)
    assert (counting.said, counting.scored) == (0, 0)
    assert done.summary["cost"]["asked"] == 0
    assert done.summary["cost"]["remembered"] > 0
    assert files(tmp_path / "out") == before


@pytest.mark.parametrize("calls", [1, 2, 4, 6])
def test_stopped_and_continued_equals_uninterrupted(engine, tmp_path, calls):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    counted = Counting(engine)
    measure(counted, suite(), whole, config=QUICK)
    first = Counting(engine, stop_after=calls)
    with pytest.raises(Interrupted):
        measure(first, suite(), broken, config=QUICK, should_stop=first.should_stop)
    assert not (broken / "results.json").exists()
    second = Counting(engine)
    measure(second, suite(), broken, config=QUICK)
    assert files(whole) == files(broken)
    assert (first.said + second.said, first.scored + second.scored) == (counted.said, counted.scored)


def test_a_log_with_a_torn_end_is_no_obstacle(engine, tmp_path):
    out = tmp_path / "out"
    measure(engine, suite(), out, config=QUICK)
    before = files(out)
    log = out / "work" / "calls.jsonl"
    log.write_bytes(log.read_bytes()[:-30])
    counting = Counting(engine)
    measure(counting, suite(), out, config=QUICK)
    assert counting.said == 1
    assert files(out) == before


def test_sampling_depends_on_the_seed_alone(engine, tmp_path):
    sampled = suite(speaking(temperature=1.0))
    tables = [
        measure(engine, sampled, tmp_path / name, config=MeasureConfig(seed=seed, batch_size=size)).results["speak"]
        for name, seed, size in (("a", 0, 8), ("b", 0, 40), ("c", 1, 8))
    ]
    assert tables[0].outputs == tables[1].outputs
    assert tables[0].outputs != tables[2].outputs


def test_another_model_or_suite_is_refused(engine, tmp_path, tiny):
    import torch

    out = tmp_path / "out"
    measure(engine, suite(), out, config=QUICK)
    with pytest.raises(ConfigError, match="holds results of"):
        measure(engine, Suite("other", "1", suite().tasks), out, config=QUICK)
    with torch.no_grad():
        tiny.model.get_input_embeddings().weight[5] += 1
    with pytest.raises(ConfigError, match="holds results of"):
        measure(engine, suite(), out, config=QUICK)


def test_a_larger_suite_goes_on_and_leaves_nothing_behind(engine, tmp_path):
    out = tmp_path / "out"
    measure(engine, suite(speaking(10), choosing()), out, config=QUICK)
    counting = Counting(engine)
    done = measure(counting, suite(speaking(40)), out, config=QUICK)
    assert counting.said == 30
    assert list(done.results) == ["speak"]
    assert [path.name for path in out.glob("*.jsonl")] == ["speak.jsonl"]


def test_most_items(engine, tmp_path):
    done = measure(engine, suite(), tmp_path / "out", config=MeasureConfig(max_items=3, batch_size=8))
    assert {name: len(table.ids) for name, table in done.results.items()} == {"speak": 3, "choose": 3, "text": 1}


def test_a_folder_with_other_things_is_refused_before_anything(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="not empty"):
        measure("no-such-model", suite(), tmp_path)
    with pytest.raises(ConfigError, match="must not be negative"):
        MeasureConfig(max_items=-1)


class Speechonly:
    """An engine behind a server that cannot score."""

    name = "a model somewhere"

    def generate(self, prompts, *, sampling, n=1, seed=0):
        from tutelage.types import Completion

        return [[Completion("yes", (), "stop")] for _ in prompts]

    def score(self, sequences, **more):
        raise AssertionError("must not be asked")

    def encode(self, prompt, completion=""):
        raise EngineError("this engine has no tokenizer", where=self.name)


def test_an_engine_that_cannot_score_does_the_rest(tmp_path):
    done = measure(Speechonly(), suite(), tmp_path / "out")
    assert list(done.results) == ["speak"]
    assert set(done.summary["left_out"]) == {"choose", "text"}
    assert "no tokenizer" in done.summary["left_out"]["choose"]
    with pytest.raises(EngineError, match="log-probabilities") as caught:
        measure(Speechonly(), suite(choosing()), tmp_path / "other")
    assert "safety" in caught.value.hint


def test_a_run_of_tune_means_its_tuned_model(tmp_path):
    run = tmp_path / "run"
    (run / "model" / "adapter").mkdir(parents=True)
    (run / "run.json").write_text("{}")
    assert model_folder(str(run)) == str(run / "model" / "adapter")
    (run / "model" / "merged").mkdir()
    assert model_folder(str(run)) == str(run / "model" / "merged")
    assert model_folder("smollm2-135m-instruct") == "smollm2-135m-instruct"
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "run.json").write_text("{}")
    with pytest.raises(ModelError, match="not saved its model"):
        model_folder(str(tmp_path / "begun"))


class TestRecorded:
    def test_sequences_with_one_prompt_stay_together(self, engine, tmp_path):
        sequences = [TokenSequence((1, 2 + k % 90, 5 + k % 3), 2) for k in range(300)]
        with RecordedEngine(engine, tmp_path) as recorded:
            found = recorded.score(sequences)
        direct = engine.score(sequences)
        for one, other in zip(found, direct, strict=True):
            np.testing.assert_allclose(one.logprobs, other.logprobs, atol=1e-5)

    def test_progress_ends_at_the_total(self, engine, tmp_path):
        seen = []
        with RecordedEngine(engine, tmp_path, batch_size=4, on_progress=lambda *at: seen.append(at)) as recorded:
            recorded.generate([[{"role": "user", "content": w}] for w in WORDS], sampling=Sampling(2, 0.0))
        assert seen[0] == (0, 16)
        assert seen[-1] == (16, 16)
        assert [done for done, _ in seen] == sorted(done for done, _ in seen)

    def test_one_completion_only(self, engine, tmp_path):
        with RecordedEngine(engine, tmp_path) as recorded, pytest.raises(RangeError, match="one completion"):
            recorded.generate([[{"role": "user", "content": "x"}]], sampling=Sampling(2, 0.0), n=2)

    def test_identity_sees_weights_template_and_adapter(self, engine, tiny):
        import torch

        from tutelage.models.adapter import LoraSettings, attach_lora

        first = identity_of(engine)
        assert identity_of(engine) == first
        tiny.tokenizer.chat_template += " "
        second = identity_of(engine)
        with torch.no_grad():
            tiny.model.get_input_embeddings().weight[5] += 1
        third = identity_of(engine)
        attach_lora(tiny, LoraSettings(rank=2), seed=0)
        fourth = identity_of(engine)
        assert len({first, second, third, fourth}) == 4
        assert identity_of(Speechonly()) == "a model somewhere"
