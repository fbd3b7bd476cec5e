"""Equivalences of the training loop: accumulated = whole, resumed = uninterrupted, adapter off = base."""

import copy
import random

import pytest
import torch

from tutelage.errors import NumericalError
from tutelage.functional.balance import EmaBalancer
from tutelage.functional.divergence import DivergenceSettings
from tutelage.models.adapter import LoraSettings, attach_lora
from tutelage.objectives import ContextDistillation, SupervisedFineTuning
from tutelage.training.balance import EmaBalance, FixedBalance
from tutelage.training.settings import RolloutSettings, TrainSettings
from tutelage.training.task import Example, TrainingTask
from tutelage.training.trainer import Trainer


def make_examples(count, seed=0):
    draw = random.Random(seed)
    common = [draw.randrange(3, 300) for _ in range(10)]

    def tokens(low, high):
        return tuple(draw.randrange(3, 300) for _ in range(draw.randrange(low, high)))

    found = []
    for i in range(count):
        prompt, completion = tuple(common) + tokens(1, 6), (*tokens(1, 7), 2)
        found.append(Example(f"row-{i}", prompt, completion, tuple(common) + completion + prompt[10:]))
    return found


def make_trainer(loaded, folder, *, method="raft", lora=True, should_stop=lambda: False, dropout=0.0, **changes):
    teacher = None
    if lora:
        loaded = attach_lora(loaded, LoraSettings(rank=4, alpha=8, dropout=dropout), seed=3)
    elif method != "sft":
        teacher = copy.deepcopy(loaded.model)
    parts = {
        "sft": SupervisedFineTuning(chunk=7),
        "kl": ContextDistillation(DivergenceSettings(support="teacher", k=20, temperature=1.5), chunk=5),
    }
    if method == "sft":
        del parts["kl"]
    balance = EmaBalance("sft", "kl", EmaBalancer()) if method == "raft" else FixedBalance()
    settings = {"batch_size": 6, "max_steps": 5, "learning_rate": 1e-2, "checkpoint_every": 2, **changes}
    task = TrainingTask(make_examples(14), parts, folder, 5, frozenset({2}), teacher, should_stop)
    return Trainer(
        loaded.model, loaded.tokenizer, task, TrainSettings(**settings), balance, RolloutSettings(max_new_tokens=6)
    )


def trainable(trainer):
    return {n: p.detach().clone() for n, p in trainer.model.named_parameters() if p.requires_grad}


def fresh(tiny_model_dir):
    from tutelage.models import load

    torch.set_num_threads(1)
    return load(str(tiny_model_dir), dtype="float32", device="cpu")


@pytest.mark.parametrize("lora", [True, False])
@pytest.mark.parametrize("method", ["sft", "raft"])
def test_micro_batches_do_not_change_the_step(tiny_model_dir, tmp_path, method, lora):
    results = []
    for budget in (10_000, 40, 1):
        trainer = make_trainer(
            fresh(tiny_model_dir),
            tmp_path / str(budget),
            method=method,
            lora=lora,
            max_steps=1,
            tokens_per_micro_batch=budget,
        )
        trainer.fit()
        results.append((trainer.last_metrics, trainable(trainer)))
    for metrics, weights in results[1:]:
        assert metrics["loss"] == pytest.approx(results[0][0]["loss"], rel=1e-5)
        assert metrics["grad_norm"] == pytest.approx(results[0][0]["grad_norm"], rel=1e-4)
        for name, weight in weights.items():
            torch.testing.assert_close(weight, results[0][1][name], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("lora", "dropout"), [(True, 0.0), (True, 0.2), (False, 0.0)])
def test_a_resumed_run_ends_bit_equal(tiny_model_dir, tmp_path, lora, dropout):
    whole = make_trainer(fresh(tiny_model_dir), tmp_path / "whole", lora=lora, dropout=dropout)
    whole.fit()
    for stop_at in (1, 2, 3, 4):
        folder = tmp_path / f"stopped-{stop_at}"
        seen = []
        first = make_trainer(
            fresh(tiny_model_dir), folder, lora=lora, dropout=dropout, should_stop=lambda s=seen, n=stop_at: len(s) >= n
        )
        first.on_metrics = lambda step, metrics, s=seen: s.append(step)
        first.fit()
        assert first.stopped_early
        second = make_trainer(fresh(tiny_model_dir), folder, lora=lora, dropout=dropout)
        assert second.resume() == []
        assert second.step == stop_at
        second.fit()
        assert second.cost.tokens_generated == whole.cost.tokens_generated
        for name, weight in trainable(whole).items():
            assert torch.equal(weight, trainable(second)[name]), name


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tiny_model_dir, tmp_path):
    whole = make_trainer(fresh(tiny_model_dir), tmp_path)
    whole.fit()
    expected = trainable(whole)
    newest = tmp_path / "step-000005" / "weights.safetensors"
    newest.write_bytes(newest.read_bytes()[:-7])
    again = make_trainer(fresh(tiny_model_dir), tmp_path)
    (message,) = again.resume()
    assert "weights.safetensors" in message
    assert again.step == 4
    again.fit()
    assert all(torch.equal(weight, trainable(again)[name]) for name, weight in expected.items())


def test_a_finished_run_is_restored_without_training(tiny_model_dir, tmp_path):
    whole = make_trainer(fresh(tiny_model_dir), tmp_path)
    whole.fit()
    again = make_trainer(fresh(tiny_model_dir), tmp_path)
    again.resume()
    again.fit()
    assert all(torch.equal(weight, trainable(again)[name]) for name, weight in trainable(whole).items())


def test_the_base_weights_are_never_written(tiny_model_dir, tmp_path):
    before = {n: p.clone() for n, p in fresh(tiny_model_dir).model.named_parameters()}
    trainer = make_trainer(fresh(tiny_model_dir), tmp_path)
    trainer.fit()
    base = trainer.model.unload()
    for name, parameter in base.named_parameters():
        assert torch.equal(parameter, before[name]), name


def test_gradient_norms_belong_to_the_parts(tiny_model_dir, tmp_path):
    trainer = make_trainer(fresh(tiny_model_dir), tmp_path, max_steps=2)
    trainer.fit()
    metrics = trainer.last_metrics
    assert metrics["sft/grad_norm"] > 0
    assert metrics["kl/grad_norm"] > 0
    assert metrics["loss"] == pytest.approx(metrics["sft/loss"] + metrics["kl/weight"] * metrics["kl/loss"])
    assert metrics["grad_norm"] <= metrics["sft/grad_norm"] + metrics["kl/weight"] * metrics["kl/grad_norm"] + 1e-6


def test_a_loss_that_is_not_finite_stops_before_the_step(tiny_model_dir, tmp_path):
    trainer = make_trainer(fresh(tiny_model_dir), tmp_path, method="sft")
    before = trainable(trainer)
    with torch.no_grad():
        trainer.backbone.head_module.weight[5] = float("nan")
    with pytest.raises(NumericalError, match="step 0"):
        trainer.fit()
    assert all(torch.equal(weight, trainable(trainer)[name]) for name, weight in before.items())
    assert not list(tmp_path.glob("step-*"))
