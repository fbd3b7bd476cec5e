"""Rankings watched during TRL's DPO: its own losses, log-probabilities and reward accuracies are the oracle."""

import random

import numpy as np
import pytest
import torch

from tutelage.errors import ConfigError, DataError, RangeError
from tutelage.functional.preference import dpo_gamma_loss
from tutelage.models.sequence_logprobs import response_sequence
from tutelage.stats import pair_difficulty
from tutelage.training.dpo import DpoSettings, prefer
from tutelage.training.ranking_callback import RankingAccuracyCallback, pair_logprobs, trl_pairs, watch_rankings
from tutelage.types import TokenSequence

pytest.importorskip("trl")
BETA = 0.2
PAIRS = [
    {"prompt": f"Question {i}?\nAnswer:", "chosen": " " + "yes " * (1 + i % 3) + "b", "rejected": " no" + "o" * (i % 4)}
    for i in range(6)
]


def settings(**more):
    return DpoSettings(**{"epochs": 4, "batch_size": 6, "learning_rate": 3e-3, "beta": BETA, "every": 1, **more})


@pytest.fixture
def done(tiny, tmp_path):
    return prefer(tiny.model, tiny.tokenizer, PAIRS, settings(), folder=tmp_path, seed=1)


def loss(point, reference):
    sides = (point.chosen.sums, point.rejected.sums, reference.chosen.sums, reference.rejected.sums)
    return dpo_gamma_loss(*map(torch.from_numpy, sides), beta=BETA).numpy()


def test_losses_logprobs_and_reward_accuracies_are_those_that_trl_logs(done):
    """One batch holds all pairs, so what is logged at step k is of the model after step k - 1."""
    assert [step for step, _ in done.points] == [0, 1, 2, 3, 4]
    reference = done.points[0][1]
    for entry, (_, before), (_, after) in zip(done.steps, done.points, done.points[1:], strict=False):
        assert entry["loss"] == pytest.approx(loss(before, reference).mean(), abs=1e-4)
        assert entry["logps/chosen"] == pytest.approx(before.chosen.sums.mean(), abs=1e-3)
        assert entry["logps/rejected"] == pytest.approx(before.rejected.sums.mean(), abs=1e-3)
        if before is not reference:
            grown = before.difference > reference.difference
            assert entry["rewards/accuracies"] == pytest.approx(grown.mean())
        assert entry["ranking/accuracy"] == pytest.approx((after.chosen.sums >= after.rejected.sums).mean())
        per_token = after.chosen.per_token >= after.rejected.per_token
        assert entry["ranking/accuracy_normalised"] == pytest.approx(per_token.mean())
        was, now = reference.difference >= 0, after.difference >= 0
        assert entry["ranking/turned_right"] == pytest.approx((~was & now).mean())
        assert entry["ranking/turned_wrong"] == pytest.approx((was & ~now).mean())
    assert loss(done.points[-1][1], reference).mean() < loss(reference, reference).mean()


def test_right_is_a_loss_below_the_required_one_at_every_measurement(done):
    reference = done.points[0][1]
    required = pair_difficulty(reference.chosen.sums, reference.rejected.sums, BETA).required_loss
    for _, point in done.points:
        found = loss(point, reference)
        clear = np.abs(found - required) > 1e-9
        assert ((found <= required) == point.right())[clear].all()


def test_tokens_are_those_of_trl(tiny, tmp_path):
    from tutelage.training.dpo import _trainer

    trainer = _trainer(tiny.model, tiny.tokenizer, PAIRS, settings(), tmp_path, 0)
    watched = watch_rankings(trainer, 1, most=4)
    assert trainer.callback_handler.callbacks[0] is watched
    assert watched.pairs == [
        tuple(response_sequence(tiny.tokenizer, row["prompt"], row[side]) for side in ("chosen", "rejected"))
        for row in PAIRS[:4]
    ]


@pytest.mark.slow
def test_the_same_call_gives_the_same_weights_and_leaves_generators_and_mode_alone(tiny_model_dir, tmp_path):
    from tutelage.models import load

    before = random.getstate(), torch.random.get_rng_state().tolist()
    runs = []
    for _ in range(2):
        loaded = load(str(tiny_model_dir), dtype="float32", device="cpu")
        runs.append(
            prefer(loaded.model, loaded.tokenizer, PAIRS, settings(epochs=1, batch_size=3), folder=tmp_path, seed=5)
        )
        assert not loaded.model.training
        torch.rand(3) if len(runs) == 2 else None
    assert (random.getstate(), len(before[1])) == (before[0], len(torch.random.get_rng_state()))
    first, second = (run.points[-1][1] for run in runs)
    assert (first.chosen.sums == second.chosen.sums).all()


def test_numbers_reach_the_log_with_the_callback_in_trls_own_list(tiny, tmp_path):
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    pairs = [
        tuple(response_sequence(tiny.tokenizer, row["prompt"], row[side]) for side in ("chosen", "rejected"))
        for row in PAIRS
    ]
    seen = RankingAccuracyCallback(pairs, every=2)
    arguments = DPOConfig(
        output_dir=str(tmp_path), max_steps=3, per_device_train_batch_size=2, logging_steps=1, save_strategy="no",
        report_to="none", use_cpu=True, bf16=False, disable_tqdm=True,
    )  # fmt: skip
    trainer = DPOTrainer(
        model=tiny.model, args=arguments, train_dataset=Dataset.from_list(PAIRS), processing_class=tiny.tokenizer,
        callbacks=[seen],
    )  # fmt: skip
    trainer.train()
    assert [step for step, _ in seen.points] == [0, 2, 3]
    logged = [entry for entry in trainer.state.log_history if "ranking/accuracy" in entry]
    assert [entry["step"] for entry in logged] == [1, 2, 3]  # the start is told with the first entry there is
    assert all("rewards/accuracies" in entry for entry in logged)


def test_chats_and_an_adapter_in_trls_own_trainer(tiny, tmp_path):
    """The reference is the model without the adapter, and TRL scores what the template writes after the answer too."""
    from datasets import Dataset
    from peft import LoraConfig
    from trl import DPOConfig, DPOTrainer

    def turn(role, text):
        return [{"role": role, "content": text}]

    rows = [
        {"prompt": turn("user", f"Question {i}?"), "chosen": turn("assistant", "yes " * (1 + i % 3) + "b"),
         "rejected": turn("assistant", "noo")}
        for i in range(4)
    ]  # fmt: skip
    arguments = DPOConfig(
        output_dir=str(tmp_path), max_steps=2, per_device_train_batch_size=4, logging_steps=1, save_strategy="no",
        report_to="none", use_cpu=True, bf16=False, disable_tqdm=True, learning_rate=3e-2, gradient_checkpointing=False,
    )  # fmt: skip
    trainer = DPOTrainer(
        model=tiny.model, args=arguments, train_dataset=Dataset.from_list(rows), processing_class=tiny.tokenizer,
        peft_config=LoraConfig(r=4, target_modules=["q_proj", "v_proj"]),
    )  # fmt: skip
    watched = watch_rankings(trainer, 1)
    trainer.train()
    logged = [entry for entry in trainer.state.log_history if "loss" in entry]
    for entry, (_, point) in zip(logged, watched.points, strict=False):
        assert entry["logps/chosen"] == pytest.approx(point.chosen.sums.mean(), abs=1e-3)
    assert abs(watched.points[2][1].difference - watched.points[0][1].difference).max() > 0.1


def test_a_resumed_run_needs_the_reference_and_takes_a_given_one(tiny):
    pairs = [(TokenSequence((5, 6, 7), 1), TokenSequence((5, 9), 1))]

    class State:
        global_step, max_steps, log_history = 3, 4, ()

    callback = RankingAccuracyCallback(pairs, every=1)
    with pytest.raises(ConfigError, match="resumed"):
        callback.on_train_begin(None, State, None, model=tiny.model)
    reference = pair_logprobs(tiny.model, pairs)
    callback = RankingAccuracyCallback(pairs, 1, reference)
    callback.on_train_begin(None, State, None, model=tiny.model)
    assert callback.points[0][1].chosen.sums == reference.chosen.sums


def test_bad_input_is_refused(tiny, tmp_path):
    with pytest.raises(RangeError, match="every"):
        RankingAccuracyCallback([(TokenSequence((1, 2), 1), TokenSequence((1, 3), 1))], 0)
    with pytest.raises(DataError, match="no pairs"):
        RankingAccuracyCallback([], 1)
    with pytest.raises(DataError, match="train_dataset") as caught:
        trl_pairs([{"prompt_ids": [1], "chosen_ids": [2], "rejected_ids": [3]}, PAIRS[0]])
    assert "row 1" in str(caught.value)
    with pytest.raises(DataError, match="no pairs"):
        prefer(tiny.model, tiny.tokenizer, [], settings(), folder=tmp_path)
    with pytest.raises(ConfigError, match="positive"):
        settings(beta=0.0)
