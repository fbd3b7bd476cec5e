import json

import pytest

from scripted_engines import ScriptedEngine
from tutelage.errors import EngineError, RangeError
from tutelage.refine import CallCache, engine_identity
from tutelage.types import Sampling

WARM = Sampling(temperature=1.0)


def chat(text):
    return [{"role": "user", "content": text}]


def echo(prompt):
    return prompt[-1]["content"].upper()


def test_equal_prompts_are_asked_once_and_answers_come_in_order():
    engine = ScriptedEngine(echo)
    with CallCache() as calls:
        said = calls.generate(engine, [chat(t) for t in "abac"], sampling=WARM, seed=1)
    assert [one.text for one in said] == ["A", "B", "A", "C"]
    assert len(engine.asked) == 3
    assert (calls.calls, calls.hits, calls.tokens) == (3, 1, 3)


def test_batches_are_cut_to_size():
    engine = ScriptedEngine(echo)
    CallCache(batch_size=4).generate(engine, [chat(str(i)) for i in range(10)], sampling=WARM, seed=1)
    assert engine.batches == [4, 4, 2]


def test_the_key_holds_engine_prompt_sampling_and_seed():
    first, second = ScriptedEngine(echo, name="one"), ScriptedEngine(echo, name="two")
    calls = CallCache()
    asks = [
        (first, chat("a"), WARM, 1),
        (second, chat("a"), WARM, 1),
        (first, chat("b"), WARM, 1),
        (first, [{"role": "system", "content": "a"}], WARM, 1),
        (first, chat("a"), Sampling(temperature=0.5), 1),
        (first, chat("a"), Sampling(temperature=1.0, max_new_tokens=3), 1),
        (first, chat("a"), WARM, 2),
    ]
    for _ in range(2):
        for engine, prompt, sampling, seed in asks:
            calls.generate(engine, [prompt], sampling=sampling, seed=seed)
    assert calls.calls == len(asks)


def test_greedy_answers_do_not_depend_on_the_seed():
    engine, calls = ScriptedEngine(echo), CallCache()
    for seed in (1, 2):
        calls.generate(engine, [chat("a")], sampling=Sampling(temperature=0.0), seed=seed)
    assert len(engine.asked) == 1
    assert engine.seeds == [0]


def test_weights_tell_engines_of_one_name_apart():
    class Loaded:
        weights_hash = "abc"

    engine = ScriptedEngine()
    assert engine_identity(engine) == "scripted"
    engine.loaded = Loaded()
    plain = engine_identity(engine)
    assert plain.startswith("scripted@")
    Loaded.weights_hash = "abd"
    assert engine_identity(engine) != plain
    Loaded.weights_hash, Loaded.tokenizer = "abc", type("Tokenizer", (), {"chat_template": "{{ x }}"})
    assert engine_identity(engine) != plain
    engine.identity = "own"
    assert engine_identity(engine) == "own"


def test_answers_are_on_the_disk_before_the_next_batch_is_asked(tmp_path):
    path = tmp_path / "calls.jsonl"

    class Failing(ScriptedEngine):
        def generate(self, prompts, **rest):
            if self.batches:
                raise EngineError("gone")
            return super().generate(prompts, **rest)

    with CallCache(path, batch_size=2) as calls, pytest.raises(EngineError):
        calls.generate(Failing(echo), [chat(t) for t in "abcd"], sampling=WARM, seed=1)
    assert [json.loads(line)["text"] for line in path.read_text().splitlines()] == ["A", "B"]
    engine = ScriptedEngine(echo)
    with CallCache(path, batch_size=2) as calls:
        calls.generate(engine, [chat(t) for t in "abcd"], sampling=WARM, seed=1)
    assert [prompt[0]["content"] for prompt in engine.asked] == ["c", "d"]


@pytest.mark.parametrize("spoiled", [b"not json\n", b"[1]\n", b'{"key": 1}\n', b"\xff\xfe\n"])
def test_a_damaged_line_is_counted_and_asked_again(tmp_path, spoiled):
    path = tmp_path / "calls.jsonl"
    with CallCache(path) as calls:
        calls.generate(ScriptedEngine(echo), [chat("a"), chat("b")], sampling=WARM, seed=1)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + spoiled)
    engine = ScriptedEngine(echo)
    with CallCache(path) as calls:
        said = calls.generate(engine, [chat("a"), chat("b")], sampling=WARM, seed=1)
    assert calls.damaged == 1
    assert [one.text for one in said] == ["A", "B"]
    assert len(engine.asked) == 1


@pytest.mark.parametrize("answers", [[], [[]], [[1, 2]]])
def test_a_wrong_number_of_answers_is_an_error(answers):
    class Odd(ScriptedEngine):
        def generate(self, prompts, **rest):
            return answers

    with pytest.raises(EngineError, match="came back"):
        CallCache().generate(Odd(), [chat("a")], sampling=WARM, seed=1)


def test_batch_size_must_be_positive():
    with pytest.raises(RangeError):
        CallCache(batch_size=0)
