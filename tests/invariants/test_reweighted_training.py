"""Reweighting, pruning, curricula, schedules and averages keep the loop's equivalences: cut = whole, resumed = not."""

import copy
from dataclasses import replace

import pytest
import torch
from tests.invariants.test_training import fresh, make_examples, trainable

from tutelage.errors import ConfigError
from tutelage.functional.divergence import DivergenceSettings
from tutelage.models.adapter import LoraSettings, attach_lora
from tutelage.objectives import ContextDistillation, SupervisedFineTuning, TokenBatch
from tutelage.training.averaging import AveragingSettings, checkpoint_weights
from tutelage.training.balance import FixedBalance
from tutelage.training.curriculum import CurriculumSettings
from tutelage.training.forward import Backbone, TokenPair
from tutelage.training.pruning import LengthSettings, PruneSettings, Reliability
from tutelage.training.reweighting import DFT, ImportanceSFT, MicroBatch, RandomTokens, StepView
from tutelage.training.schedules import schedule_multiplier
from tutelage.training.settings import RolloutSettings, TrainSettings
from tutelage.training.task import TrainingTask
from tutelage.training.trainer import Trainer
from tutelage.training.utilities import probe_gradient, token_utilities
from tutelage.training.vcore import Vcore, VcoreSettings

REWEIGHTS = {
    "dft": lambda: {"sft": DFT()},
    "iw-sft": lambda: {"sft": ImportanceSFT()},
    "random": lambda: {"sft": RandomTokens(keep=0.5, always=1)},
    "vcore": lambda: {"sft": Vcore()},
    "vcore-variance": lambda: {"sft": Vcore(VcoreSettings(kappa=1e-5, control="variance"))},
    "prune": lambda: {"kl": Reliability(PruneSettings(k=4, w_drop=0.2, length=LengthSettings(4, 2, 6, 1, 1)))},
    "in-flight": lambda: {"kl": Reliability(PruneSettings(k=4, w_drop=0.4, w_base=0.0, block=2))},
    "both": lambda: {"sft": Vcore(), "kl": Reliability(PruneSettings(k=4, w_drop=0.3))},
}


def build(dir_, folder, reweights=None, *, should_stop=lambda: False, task=None, examples=None, **changes):
    loaded = attach_lora(fresh(dir_), LoraSettings(rank=4, alpha=8), seed=3)
    parts = {
        "sft": SupervisedFineTuning(chunk=7),
        "kl": ContextDistillation(DivergenceSettings(support="teacher", k=20, temperature=1.5), chunk=5),
    }
    settings = {"batch_size": 6, "max_steps": 5, "learning_rate": 1e-2, "checkpoint_every": 2, **changes}
    made = TrainingTask(
        examples or make_examples(14),
        parts,
        folder,
        5,
        frozenset({2}),
        None,
        should_stop,
        reweights or {},
        **task or {},
    )
    return Trainer(
        loaded.model,
        loaded.tokenizer,
        made,
        TrainSettings(**settings),
        FixedBalance(),
        RolloutSettings(max_new_tokens=6),
    )


@pytest.mark.parametrize("name", REWEIGHTS)
def test_micro_batches_do_not_change_a_reweighted_step(tiny_model_dir, tmp_path, name):
    results = []
    for budget in (10_000, 40, 1):
        trainer = build(
            tiny_model_dir, tmp_path / str(budget), REWEIGHTS[name](), max_steps=2, tokens_per_micro_batch=budget
        )
        trainer.fit()
        results.append((trainer.last_metrics, trainable(trainer)))
    for metrics, weights in results[1:]:
        assert metrics["loss"] == pytest.approx(results[0][0]["loss"], rel=1e-4)
        for key, weight in weights.items():
            torch.testing.assert_close(weight, results[0][1][key], rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("name", ["vcore", "prune", "both"])
def test_a_resumed_reweighted_run_ends_bit_equal(tiny_model_dir, tmp_path, name):
    average = {"averaging": AveragingSettings("ema", n=2, every=2)}
    whole = build(tiny_model_dir, tmp_path / "whole", REWEIGHTS[name](), task=average)
    whole.fit()
    for stop_at in (1, 3, 4):
        folder, seen = tmp_path / f"stopped-{stop_at}", []
        first = build(
            tiny_model_dir,
            folder,
            REWEIGHTS[name](),
            task=average,
            should_stop=lambda s=seen, n=stop_at: len(s) >= n,
        )
        first.on_metrics = lambda step, metrics, s=seen: s.append(step)
        first.fit()
        second = build(tiny_model_dir, folder, REWEIGHTS[name](), task=average)
        second.resume()
        second.fit()
        assert second.last_metrics == whole.last_metrics
        for key, weight in trainable(second).items():
            assert torch.equal(weight, trainable(whole)[key])
    again = build(tiny_model_dir, tmp_path / "whole", REWEIGHTS[name](), task=average)
    again.resume()  # a finished run is loaded, its average too
    for key, weight in trainable(again).items():
        assert torch.equal(weight, trainable(whole)[key])


def test_the_trained_model_is_the_average_of_the_last_checkpoints(tiny_model_dir, tmp_path):
    settings, seen = AveragingSettings("ema", n=3, alpha=0.3, every=1), []
    trainer = build(tiny_model_dir, tmp_path / "a", task={"averaging": settings})
    trainer.on_metrics = lambda step, metrics: seen.append(trainable(trainer))
    trainer.fit()
    weights = checkpoint_weights(settings)
    for key, found in trainable(trainer).items():
        expected = sum(w * one[key].double() for w, one in zip(weights, seen[-3:], strict=True))
        torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-7)
        assert not torch.equal(found, seen[-1][key])


def test_an_average_that_does_not_fit_is_refused_before_training(tiny_model_dir, tmp_path):
    with pytest.raises(ConfigError, match="do not fit"):
        build(tiny_model_dir, tmp_path / "a", task={"averaging": AveragingSettings(n=6, every=2)})


def test_our_schedules_reach_the_optimizer(tiny_model_dir, tmp_path):
    trainer = build(tiny_model_dir, tmp_path / "a", max_steps=8, schedule="moderate_decay", decay_share=0.5)
    rates = []
    trainer.on_metrics = lambda step, metrics: rates.append(trainer._plain_optimizer().param_groups[0]["lr"])
    trainer.fit()
    shape = trainer.train_settings.own_schedule()
    # the rate seen after step s is the one that step s + 1 will use
    assert rates[:-1] == pytest.approx([1e-2 * schedule_multiplier(s, 8, shape) for s in range(1, 8)])
    assert rates[-2] == pytest.approx(1e-2 / 3)


def test_a_curriculum_shows_the_best_rows_last_and_needs_quality(tiny_model_dir, tmp_path):
    rows = [replace(one, quality=float((7 * i) % 14)) for i, one in enumerate(make_examples(14))]
    told = {"curriculum": CurriculumSettings("ascend")}
    trainer = build(tiny_model_dir, tmp_path / "a", examples=rows, task=told, batch_size=7, max_steps=2)
    shown = [rows[i].quality for step in range(2) for i in trainer.plan[step]]
    assert shown == sorted(shown)
    assert [i for i in trainer.plan.left(1)[0]] == trainer.plan[1]  # noqa: C416 - compares lists
    rows[3] = replace(rows[3], quality=None)
    with pytest.raises(ConfigError, match="row-3"):
        build(tiny_model_dir, tmp_path / "b", examples=rows, task=told)


@pytest.mark.parametrize(
    ("part", "one", "words"), [("kl", Vcore(), "cannot reweight"), ("dpo", DFT(), "does not have")]
)
def test_a_reweighting_that_cannot_work_is_refused_with_the_reason(tiny_model_dir, tmp_path, part, one, words):
    with pytest.raises(ConfigError, match=words):
        build(tiny_model_dir, tmp_path / "a", {part: one})
    with pytest.raises(ConfigError, match="cannot reweight"):
        build(tiny_model_dir, tmp_path / "b", {"sft": Reliability()})


def sharp(dir_):
    """The tiny model with larger weights, so that utilities differ between tokens."""
    loaded = fresh(dir_)
    with torch.no_grad():
        for i, parameter in enumerate(loaded.model.parameters()):
            noise = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(i))
            parameter.add_(noise, alpha=0.05)
    return loaded.model.requires_grad_(True)


def pairs_of(seed, count=4):
    return [TokenPair(e.prompt, e.completion) for e in make_examples(count, seed=seed)]


def test_utilities_are_the_inner_products_of_the_gradients(tiny_model_dir):
    backbone = Backbone(sharp(tiny_model_dir))
    probe, pairs = pairs_of(1), pairs_of(2, 3)
    direction = probe_gradient(backbone, probe, tokens_per_micro_batch=50, max_norm=0.0)
    losses, found = token_utilities(backbone, pairs, direction)
    at = 0
    for pair in pairs:  # naive: one backward a token
        for t in range(len(pair.completion)):
            ids = torch.tensor([pair.prompt + pair.completion])
            logits = backbone.causal(input_ids=ids).logits[0, len(pair.prompt) - 1 + t].double()
            loss = torch.nn.functional.cross_entropy(logits, torch.tensor(pair.completion[t]))
            parameters = dict(backbone.causal.named_parameters())
            slopes = torch.autograd.grad(loss, [parameters[n] for n in direction])
            expected = sum((g.double() * d.double()).sum() for g, d in zip(slopes, direction.values(), strict=True))
            assert float(losses[at]) == pytest.approx(float(loss.detach()), rel=1e-4)
            assert float(found[at]) == pytest.approx(float(expected), rel=2e-3, abs=1e-5)
            at += 1
    assert at == len(found)


def test_the_probe_gradient_is_that_of_the_mean_loss_clipped_and_leaves_nothing_behind(tiny_model_dir):
    backbone = Backbone(sharp(tiny_model_dir))
    probe = pairs_of(1)
    whole = probe_gradient(backbone, probe, tokens_per_micro_batch=10_000, max_norm=0.0)
    parts = probe_gradient(backbone, probe, tokens_per_micro_batch=1, max_norm=0.0)
    for key, value in whole.items():
        torch.testing.assert_close(parts[key], value, rtol=1e-3, atol=1e-6)
    clipped = probe_gradient(backbone, probe, tokens_per_micro_batch=10_000, max_norm=0.5)
    assert float(torch.nn.utils.get_total_norm(list(clipped.values()))) == pytest.approx(0.5, rel=1e-5)
    assert all(p.grad is None for p in backbone.causal.parameters())


def test_exact_and_finite_difference_agree_and_the_weights_come_back_bit_equal(tiny_model_dir):
    backbone = Backbone(sharp(tiny_model_dir))
    before = copy.deepcopy(backbone.causal.state_dict())
    direction = probe_gradient(backbone, pairs_of(1), tokens_per_micro_batch=500, max_norm=1.0)
    exact = token_utilities(backbone, pairs_of(2), direction)[1]
    close = token_utilities(backbone, pairs_of(2), direction, estimator="fd", eps=1e-2)[1]
    assert float(torch.corrcoef(torch.stack([exact, close]))[0, 1]) > 0.99
    for key, value in backbone.causal.state_dict().items():
        assert torch.equal(value, before[key])


def test_utilities_with_an_adapter_move_its_parameters_alone(tiny_model_dir):
    loaded = attach_lora(fresh(tiny_model_dir), LoraSettings(rank=4, alpha=8, dropout=0.3), seed=3)
    loaded.model.train()
    backbone = Backbone(loaded.model)
    direction = probe_gradient(backbone, pairs_of(1), tokens_per_micro_batch=500, max_norm=0.0)
    assert direction
    assert all("lora" in name for name in direction)
    first, second = (token_utilities(backbone, pairs_of(2), direction) for _ in range(2))
    assert torch.equal(first[1], second[1])  # no dropout
    assert loaded.model.training


def test_a_huge_budget_kappa_is_plain_fine_tuning(tiny_model_dir, tmp_path):
    uniform = {"sft": Vcore(VcoreSettings(kappa=1e12))}
    plain, same = (build(tiny_model_dir, tmp_path / n, r, max_steps=3) for n, r in (("a", {}), ("b", uniform)))
    plain.fit()
    same.fit()
    for key, weight in trainable(same).items():
        torch.testing.assert_close(weight, trainable(plain)[key], rtol=1e-4, atol=1e-5)


def test_pruned_rollouts_are_the_plain_ones_where_nothing_is_cut(tiny_model_dir, tmp_path):
    gentle = {"kl": Reliability(PruneSettings(k=4, w_drop=0.0, w_base=0.0))}
    plain, same = (build(tiny_model_dir, tmp_path / n, r, max_steps=3) for n, r in (("a", {}), ("b", gentle)))
    plain.fit()
    same.fit()
    for key, weight in trainable(same).items():
        torch.testing.assert_close(weight, trainable(plain)[key], rtol=1e-5, atol=1e-6)


def test_in_flight_pruning_generates_less(tiny_model_dir, tmp_path):
    torch.manual_seed(0)
    short = build(tiny_model_dir, tmp_path / "b", REWEIGHTS["in-flight"](), max_steps=4, learning_rate=0.3)
    long = build(tiny_model_dir, tmp_path / "a", max_steps=4, learning_rate=0.3)
    short.fit()
    long.fit()
    assert 0 < short.cost.tokens_generated < long.cost.tokens_generated


def test_random_sequences_have_draws_of_their_own_whatever_the_cut():
    one = RandomTokens(keep=0.5)
    one.begin(StepView(3, 5, None, list, 100, 1.0))

    def factors(places):
        pairs = [TokenPair((1,), tuple(range(2, 42))) for _ in places]
        batch = TokenBatch(torch.zeros(40 * len(places), dtype=torch.long), torch.ones(40 * len(places)))
        return one.factors(MicroBatch(pairs, places, None, batch, None)).view(len(places), 40)

    both = factors([0, 1])
    assert not torch.equal(both[0], both[1])
    assert torch.equal(both[1], factors([1])[0])
    assert set(both.flatten().tolist()) == {0.0, 2.0}
