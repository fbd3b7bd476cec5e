import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from tutelage.errors import ConfigError, DataError
from tutelage.papers.lab.tokenizer import trained_tokenizer
from tutelage.training import grpo, trl_session
from tutelage.training.grpo import GrpoSettings, group_advantages, reinforce, reward_function
from tutelage.training.trl_session import generators_kept, quiet
from tutelage.types import Verdict
from tutelage.verify import countdown, exact

pytest.importorskip("trl")
TOKENIZER = trained_tokenizer(["12 3 = ab"], seen=10**6)


def tiny():
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(TOKENIZER), hidden_size=16, intermediate_size=32, num_hidden_layers=1,
            num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=64,
            bos_token_id=TOKENIZER.bos_token_id, eos_token_id=TOKENIZER.eos_token_id,
            pad_token_id=TOKENIZER.pad_token_id,
        )
    )  # fmt: skip


def row(name, text="1", answer="a", **more):
    turns = [{"role": "user", "content": text}], [{"role": "assistant", "content": answer}]
    return {"id": name, "prompt": turns[0], "completion": turns[1], **more}


ROWS = [row(f"r{i}", str(i)) for i in range(4)]


def starts_low(prompt, text, reference):
    """About half of what an untrained model says."""
    return Verdict(float(bool(text) and ord(text[0]) % 2 == 0))


def short(**more):
    return GrpoSettings(**{"steps": 2, "prompts": 2, "group": 4, "max_new_tokens": 4, "learning_rate": 1e-2, **more})


def global_states():
    return random.getstate(), np.random.get_state()[1].tolist(), torch.random.get_rng_state().tolist()  # noqa: NPY002


@pytest.mark.slow
def test_the_same_call_gives_the_same_weights_and_leaves_the_generators_alone(tmp_path):
    first, second, other = tiny(), tiny(), tiny()
    before = global_states()
    found = reinforce(first, TOKENIZER, ROWS, starts_low, short(), folder=tmp_path, seed=3)
    assert global_states() == before
    torch.rand(5)
    again = reinforce(second, TOKENIZER, ROWS, starts_low, short(), folder=tmp_path, seed=3)
    reinforce(other, TOKENIZER, ROWS, starts_low, short(), folder=tmp_path, seed=4)
    weights = [torch.cat([p.flatten() for p in m.parameters()]) for m in (tiny(), first, second, other)]
    assert torch.equal(weights[1], weights[2])
    assert not torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[1], weights[3])
    assert [one["reward"] for one in found.steps] == [one["reward"] for one in again.steps]
    assert len(found.steps) == 2
    assert 0 <= found.zero_variance <= 1
    assert not list(tmp_path.iterdir())


def test_groups_without_variance_move_nothing_and_are_counted(tmp_path):
    model = tiny()
    before = [p.clone() for p in model.parameters()]
    found = reinforce(model, TOKENIZER, ROWS, lambda *_: Verdict(1.0), short(), folder=tmp_path)
    assert found.zero_variance == 1.0
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_the_gradient_is_that_of_a_naive_policy_gradient(tmp_path):
    """TRL's loss against sums that are written out, on the very samples it drew."""
    seen = {}
    rows = [row("r0", "1")]

    def watching(prompt, text, reference):
        return Verdict(float(len(text) % 2))

    model = tiny()
    with generators_kept(), quiet():
        settings = short(steps=1, prompts=1)
        trainer = grpo._trainer(model, TOKENIZER, rows, reward_function(watching, rows), settings, tmp_path, 0)
        original = trainer._compute_loss

        def keeping(model, inputs):
            loss = original(model, inputs)
            seen.update(inputs=inputs, grads=torch.autograd.grad(loss, list(model.parameters()), retain_graph=True))
            return loss

        trainer._compute_loss = keeping
        start = tiny()
        trainer.train()
    inputs = seen["inputs"]
    texts = TOKENIZER.batch_decode(inputs["completion_ids"], skip_special_tokens=True)
    rewards = torch.tensor([[float(len(text) % 2) for text in texts]])
    advantages, _ = group_advantages(rewards)
    assert torch.allclose(inputs["advantages"], advantages[0], atol=1e-6)
    total, tokens = torch.zeros(()), 0
    for n in range(4):
        prompt = inputs["prompt_ids"][n][inputs["prompt_mask"][n].bool()]
        said = inputs["completion_ids"][n][inputs["completion_mask"][n].bool()]
        logits = start(input_ids=torch.cat([prompt, said])[None]).logits[0]
        for place, token in enumerate(said):
            total = total - advantages[0, n] * torch.log_softmax(logits[len(prompt) - 1 + place], -1)[token]
            tokens += 1
    naive = torch.autograd.grad(total / tokens, list(start.parameters()))
    for ours, theirs in zip(naive, seen["grads"], strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)


def test_advantages_against_numpy():
    rewards = np.array([[1.0, 0.0, 0.0, 1.0], [1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 1.0]])
    found, share = group_advantages(torch.tensor(rewards))
    expected = (rewards - rewards.mean(1, keepdims=True)) / (rewards.std(1, ddof=1, keepdims=True) + 1e-4)
    assert found.numpy() == pytest.approx(expected)
    assert share == pytest.approx(1 / 3)
    assert found.sum(1).numpy() == pytest.approx(np.zeros(3), abs=1e-12)


def test_a_reward_reads_its_own_row():
    rows = [row("x", reference="8 3 = 24"), row("y", answer="b")]
    reward = reward_function(countdown, rows)
    said = [[{"role": "assistant", "content": "8*3"}], [{"role": "assistant", "content": "8+3"}]]
    assert reward(completions=said, id=["x", "x"], prompts=[], trainer_state=None) == [1.0, 0.0]
    assert reward_function(exact, rows)(completions=["b", "a"], id=["y", "y"]) == [1.0, 0.0]
    with pytest.raises(DataError, match="twice"):
        reward_function(exact, [rows[0], rows[0]])


def test_without_trl_the_message_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setattr(trl_session, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"tutelage\[trl\]"):
        reinforce(tiny(), TOKENIZER, ROWS, exact, short(), folder=tmp_path)


@pytest.mark.slow
def test_importing_it_needs_no_trl():
    code = "import sys; sys.modules['trl'] = None; import tutelage.training.grpo"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("bad", [{"group": 1}, {"steps": 0}, {"temperature": 0.0}, {"beta": -1.0}])
def test_impossible_settings_are_refused(bad):
    with pytest.raises(ConfigError):
        short(**bad)
