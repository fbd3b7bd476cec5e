"""An outcome reward model trained two ways on the same texts: our head with cross-entropy, TRL's ``RewardTrainer``.

Both begin with the same small model (chains of clock arithmetic, as in the recipe ``multi-domain-reward-models``) and a
linear head of zeros, and see the same token ids in as many steps: a right and a spoilt solution to each question. Ours
takes each as a row with an outcome; TRL's takes the two as a pair and learns their order (Bradley-Terry). Optimizer,
rate, schedule, batch in texts and clipping are alike; gradient checkpointing, on by default in TRL, is off. Whether TRL
has a trainer of process reward models is looked up and written down.

Timed is the training alone, in processor seconds of one thread, the two sides in turn and in changing order. Judged is
the choice among eight solutions to questions that neither has seen. At the end TRL's weights are put into our head, and
have to give TRL's logits.

    python bench/reward_heads.py [--seeds 5] [--questions 500]

Writes ``results/reward_heads.json``. The base model is trained on the first call (minutes) and kept.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import platform
import random
import tempfile
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from statistics import fmean, median
from typing import Any

import torch
from transformers import LlamaForSequenceClassification

from tutelage.data.steps import StepRow
from tutelage.models import LoadedModel
from tutelage.papers.lab.chain_choice import picked
from tutelage.papers.lab.chain_models import reward_head, step_texts
from tutelage.papers.lab.chain_rewards import ChainRewards
from tutelage.papers.lab.chains import Worked, spoil, worked
from tutelage.papers.recipes.multi_domain_reward_models import cpu
from tutelage.seeds import derive
from tutelage.stats import length_diagnostic, paired_bootstrap, two_level_bootstrap
from tutelage.training.reward_fit import RewardFit, fit_reward_model
from tutelage.training.reward_heads import HeadRewardModel

RESULT = Path(__file__).parent / "results" / "reward_heads.json"
FIT = RewardFit(epochs=3, batch_size=16, learning_rate=1e-3)


def pairs(world: ChainRewards, seed: int) -> list[tuple[Worked, Worked]]:
    """A right and a spoilt solution to each question."""
    draw = random.Random(derive(seed, "bench", "pairs"))
    return [
        (worked(one), spoil(one, [draw.randrange(len(one.moves))], seed=draw.randrange(2**31)))
        for one in world.learnt(seed)
    ]


def ours(base: LoadedModel, rows: list[tuple[Worked, Worked]], seed: int) -> tuple[HeadRewardModel, float]:
    """The trained scorer and the seconds of its training."""
    given = [
        StepRow(f"{one.chain.id}-{one.right}", one.chain.question, step_texts(one.steps), one.labels, one.right)
        for pair in rows
        for one in pair
    ]
    model = reward_head(base, base.model, "dORM")
    started = time.process_time()
    fit_reward_model(model, given, FIT, seed=seed)
    return model, time.process_time() - started


def theirs(base: LoadedModel, rows: list[tuple[Worked, Worked]], seed: int) -> tuple[HeadRewardModel, float, float]:
    """The same by TRL, its weights in our scorer; and how far the logits of the two are apart."""
    from datasets import Dataset
    from trl import RewardConfig, RewardTrainer

    model = reward_head(base, base.model, "dORM")
    classifier = LlamaForSequenceClassification(_config(base))
    classifier.model.load_state_dict(copy.deepcopy(base.model.model.state_dict()))
    torch.nn.init.zeros_(classifier.score.weight)
    ids = [[model.encode(one.chain.question, step_texts(one.steps))[0] for one in pair] for pair in rows]
    settings = RewardConfig(
        output_dir=tempfile.mkdtemp(),
        num_train_epochs=FIT.epochs,
        per_device_train_batch_size=FIT.batch_size // 2,
        learning_rate=FIT.learning_rate,
        weight_decay=FIT.weight_decay,
        max_grad_norm=FIT.clip,
        lr_scheduler_type="cosine",
        warmup_steps=round(FIT.schedule.warmup_ratio * FIT.epochs * 2 * len(rows) / FIT.batch_size),
        optim="adamw_torch",
        bf16=False,
        gradient_checkpointing=False,
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        seed=seed,
    )
    data = Dataset.from_list([{"chosen_ids": good, "rejected_ids": bad} for good, bad in ids])
    trainer = RewardTrainer(classifier, settings, train_dataset=data, processing_class=base.tokenizer)
    started = time.process_time()
    trainer.train()
    seconds = time.process_time() - started
    classifier.eval()
    model.model.model.load_state_dict(classifier.model.state_dict())
    model.head.map.weight.data.copy_(classifier.score.weight)
    model.eval()
    with torch.no_grad():
        text = ids[0][0]
        gap = float(classifier(torch.tensor([text])).logits[0, 0] - model.logits([(text, [len(text) - 1])])[0][0])
    return model, seconds, abs(gap)


def _config(base: LoadedModel) -> Any:
    config = copy.deepcopy(base.model.config)
    config.num_labels = 1
    return config


def quality(model: HeadRewardModel, tested: dict[str, list[Worked]]) -> tuple[dict[str, float], float]:
    """Right choices by question, and the mean AUC over the lengths."""
    solutions = [one for row in tested.values() for one in row]
    scores = [one[-1] for one in model.score_all([(one.chain.question, step_texts(one.steps)) for one in solutions])]
    told = length_diagnostic(scores, [one.right for one in solutions], [len(one.results) for one in solutions])
    return picked(tested, scores, "best_of_n"), fmean(one.auc for one in told.bins)


def process_trainers() -> list[str]:
    """Names of trainers of process reward models in TRL."""
    import pkgutil

    import trl
    import trl.experimental

    names = [*dir(trl), *(module.name for module in pkgutil.iter_modules(trl.experimental.__path__))]
    return [name for name in names if "prm" in name.lower() or "stepwise" in name.lower()]


def main() -> None:
    """Read the arguments, run every seed, keep the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--questions", type=int, default=500)
    options = parser.parse_args()
    torch.set_num_threads(1)
    recipe = cpu(options.seeds)
    world = replace(recipe.world, rows=options.questions)
    base = recipe.world.base(recipe.base)
    tested, load = world.tested(), os.getloadavg()
    found: dict[str, dict[str, list]] = {side: {"seconds": [], "right": [], "auc": []} for side in ("tutelage", "trl")}
    gaps = []
    for place, seed in enumerate(recipe.seeds):
        rows = pairs(world, seed)
        for side in ("tutelage", "trl") if place % 2 == 0 else ("trl", "tutelage"):
            if side == "trl":
                model, seconds, gap = theirs(base, rows, seed)
                gaps.append(gap)
            else:
                model, seconds = ours(base, rows, seed)
            right, auc = quality(model, tested)
            for name, value in (("seconds", seconds), ("right", list(right.values())), ("auc", auc)):
                found[side][name].append(value)
            print(f"seed {seed} {side:<9} {seconds:6.1f} s  right of 8 {fmean(right.values()):.3f}  AUC {auc:.3f}")
    table = [
        [a - b for a, b in zip(one, other, strict=True)]
        for one, other in zip(found["tutelage"]["right"], found["trl"]["right"], strict=True)
    ]
    better = two_level_bootstrap(table).mean
    auc = paired_bootstrap(found["trl"]["auc"], found["tutelage"]["auc"]).delta
    ratios = [t / o for t, o in zip(found["trl"]["seconds"], found["tutelage"]["seconds"], strict=True)]
    result = {
        "bench": "reward_heads",
        "versions": {name: version(name) for name in ("torch", "transformers", "trl")}
        | {"python": platform.python_version()},
        "load_before": load,
        "seeds": options.seeds,
        "texts": 2 * options.questions,
        "steps": round(FIT.epochs * 2 * options.questions / FIT.batch_size),
        "process_trainers_of_trl": process_trainers(),
        "largest_gap_of_logits": max(gaps),
        "sides": {
            side: {
                "cpu_seconds": round(median(one["seconds"]), 2),
                "right_of_8": round(fmean(map(fmean, one["right"])), 4),
                "auc": round(fmean(one["auc"]), 4),
            }
            for side, one in found.items()
        },
        "tutelage_minus_trl": {
            "right_of_8": [round(x, 4) for x in (better.value, better.low, better.high)],
            "auc": [round(x, 4) for x in (auc.value, auc.low, auc.high)],
        },
        "times_faster": [round(x, 2) for x in (median(ratios), min(ratios), max(ratios))],
    }
    RESULT.write_text(json.dumps(result) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
