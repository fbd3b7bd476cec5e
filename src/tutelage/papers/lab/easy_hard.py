"""What happens under one seed of easy-to-hard: a generator, reward models on easy, a choice on hard, reinforcement."""

from __future__ import annotations

import copy
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from transformers import PreTrainedModel

from tutelage.data import easy_steps
from tutelage.data.steps import UNKNOWN, StepRow
from tutelage.models import LoadedModel
from tutelage.models.reward import RewardKind
from tutelage.papers.lab.arm import settings_of, tuned
from tutelage.papers.lab.chain_choice import Solutions, auc, rho, scored, shares, voted
from tutelage.papers.lab.chain_models import (
    Haste,
    Written,
    corrected_model,
    hasty_texts,
    read,
    reward_head,
    sampled,
    supervised_texts,
)
from tutelage.papers.lab.chains import Chain, chains
from tutelage.papers.lab.pretraining import BaseSettings, tokenised
from tutelage.seeds import derive
from tutelage.stats import aggregate
from tutelage.training.grpo import GrpoSettings, reinforce
from tutelage.training.process_reward import ProcessReward
from tutelage.training.reward_fit import RewardFit, fit_reward_model
from tutelage.training.reward_heads import HeadRewardModel
from tutelage.types import Chat, Row, Verdict

__all__ = ["EasyHardConfig", "EasyHardLab"]

Rows = dict[str, dict[str, Any]]
Texts = Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class EasyHardConfig:
    """Defaults: the CPU tier. Paper: 7 and 34 billion parameters, MATH levels 1-3 and 4-5, PRM800K."""

    tier: str = "cpu"
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    base: BaseSettings = field(
        default_factory=lambda: BaseSettings(width=64, layers=4, heads=4, inner=176, steps=3000, batch_size=32)
    )
    longest: int = 12
    rows: int = 20_000
    haste: Haste = field(default_factory=Haste)
    hasty_steps: int = 200
    hasty_rate: float = 5e-4
    easy: tuple[int, ...] = (2, 3, 4)
    hard: tuple[int, ...] = (6, 7, 8, 9, 10)
    taught: int = 2000
    steps: int = 30
    learning_rate: float = 1e-4
    labelled: int = 1200
    fit: RewardFit = field(default_factory=lambda: RewardFit(epochs=4, batch_size=32, learning_rate=3e-2))
    questions: int = 300
    samples: int = 16
    temperature: float = 1.0
    rl_questions: int = 400
    rl_samples: int = 2
    grpo: GrpoSettings = field(
        default_factory=lambda: GrpoSettings(steps=20, prompts=8, group=8, max_new_tokens=66, learning_rate=3e-4)
    )
    required: float = 0.7
    world: int = 100
    resamples: int = 10_000


class EasyHardLab:
    """The base, the hasty writer, the hard questions that are asked, and every arm of a seed."""

    def __init__(self, config: EasyHardConfig, folder: Path, console: Any = None) -> None:
        self.config, self.folder = config, folder
        self.base = corrected_model(config.base, config.longest, rows=config.rows, console=console)
        self.asked = chains(config.questions, config.hard, seed=config.world, label="asked")
        self._started: tuple[int, PreTrainedModel, list[StepRow]] | None = None

    @cached_property
    def hasty(self) -> LoadedModel:
        """The base after hasty texts: what a generator is made of. The same under every seed."""
        c = self.config
        texts = hasty_texts(c.haste, c.hasty_steps * 32, range(1, max(c.hard) + 1))
        return replace(self.base, model=self._tuned(self.base, texts, c.hasty_steps, c.hasty_rate, seed=0))

    def _tuned(self, start: LoadedModel, texts: Texts, steps: int, rate: float, *, seed: int) -> PreTrainedModel:
        settings = settings_of(steps, batch_size=32, learning_rate=rate, schedule="cosine")
        work = self.folder / "work" / str(seed)
        return tuned(start, tokenised(texts, start.tokenizer), settings, seed=seed, folder=work).model

    def choice(self, seed: int) -> Rows:
        """The generator under one seed and what is chosen among its samples: ``{arm: {"scores": .., "cost": ..}}``."""
        started = time.process_time()
        generator, rows = self.start(seed)
        drawn = self.drawn(generator, self.asked, self.config.samples, seed)
        likeliest = [row[0] for row in sampled(self.base, generator, self.asked, temperature=0.0)]
        found: Rows = {
            "generator": {"scores": self.generated(generator, drawn, seed)},
            "greedy": {"scores": {"pass_at_1": {one.chain.id: float(one.right) for one in likeliest}}},
            "majority": {"scores": {"right_of_16": voted(drawn)}},
            "oracle": {"scores": {"right_of_16": {row[0].chain.id: float(any(x.right for x in row)) for row in drawn}}},
        }
        found["generator"]["cost"] = {"cpu_seconds": time.process_time() - started}
        for arm in ("prm", "orm", "oprm", "prm_shuffled"):
            started = time.process_time()
            head, losses = self.fitted(arm, rows, seed)
            scores = self.chosen(head, drawn) | {"easy_auc": {"run": self.easy_auc(head, seed)}}
            scores["loss_at_the_end"] = {"run": float(np.mean(losses[-10:]))}
            found[arm] = {"scores": scores, "cost": {"cpu_seconds": time.process_time() - started}}
        return found

    def reinforcement(self, seed: int) -> Rows:
        """The generator under the same seed after reinforcement by the step verifier, and by easy outcomes."""
        generator, rows = self.start(seed)
        prm, _ = self.fitted("prm", rows, seed)
        return {arm: self.reinforced(arm, generator, prm, seed) for arm in ("rl_prm", "rl_easy")}

    def start(self, seed: int) -> tuple[PreTrainedModel, list[StepRow]]:
        """The generator and the labelled easy solutions; made once for both parts of a seed."""
        if self._started is None or self._started[0] != seed:
            generator = self.taught(seed)
            self._started = seed, generator, self.labelled(generator, seed)
        return self._started[1:]

    def taught(self, seed: int) -> PreTrainedModel:
        """The generator: the hasty writer tuned on right solutions of easy chains."""
        c = self.config
        texts = supervised_texts(chains(c.taught, c.easy, seed=seed, label="taught", repeats=True))
        return self._tuned(self.hasty, texts, c.steps, c.learning_rate, seed=seed)

    def drawn(self, model: PreTrainedModel, given: Sequence[Chain], n: int, seed: int) -> list[list[Written]]:
        """``n`` samples for each."""
        return sampled(self.base, model, given, n, temperature=self.config.temperature, seed=seed)

    def generated(self, model: PreTrainedModel, drawn: Solutions, seed: int) -> dict[str, dict[str, float]]:
        """How good samples are, one value a question; and on easy chains."""
        easy = chains(100, self.config.easy, seed=seed, label="easy checked", repeats=True)
        short = [row[0] for row in self.drawn(model, easy, 1, derive(seed, "easy checked"))]
        return {
            "pass_at_1": shares(drawn, lambda one: one.right),
            "every_step_right": shares(drawn, lambda one: one.right and all(one.labels)),
            "formed": shares(drawn, lambda one: one.formed),
            "easy_pass_at_1": {"run": float(np.mean([one.right for one in short]))},
        }

    def labelled(self, generator: PreTrainedModel, seed: int) -> list[StepRow]:
        """Easy solutions with labels of steps and outcomes: half by the generator, half by the hasty writer."""
        c = self.config
        given = chains(c.labelled, c.easy, seed=seed, label="labelled", repeats=True)
        half = len(given) // 2
        written = [
            *self.drawn(generator, given[:half], 1, derive(seed, "labelled")),
            *self.drawn(self.hasty.model, given[half:], 1, derive(seed, "labelled, hasty")),
        ]
        rows = [one.row(one.chain.id) for (one,) in written]
        kept, _ = easy_steps(
            [row for row in rows if row is not None],
            easy=[one.question for one in given],
            hard=[one.question for one in self.asked],
        )
        return kept

    def fitted(self, arm: str, rows: Sequence[StepRow], seed: int) -> tuple[HeadRewardModel, list[float]]:
        """A head on the base, trained on the arm's labels; and its losses."""
        given = list(rows)
        if arm == "prm_shuffled":
            labels = [label for row in rows for label in row.labels]
            random.Random(derive(seed, "shuffled")).shuffle(labels)
            dealt = iter(labels)
            given = [replace(row, labels=tuple(next(dealt) for _ in row.labels)) for row in rows]
        if arm == "oprm":
            given += [_outcome_only(row) for row in rows]
        kind: RewardKind = "dORM" if arm == "orm" else "dPRM"
        model = reward_head(self.base, self.base.model, kind, frozen=True, seed=seed)
        return model, fit_reward_model(model, given, self.config.fit, seed=seed)

    def chosen(self, model: HeadRewardModel, drawn: Solutions) -> dict[str, dict[str, float]]:
        """Right choices by weighted votes and by the best score; how scores go with outcomes and lengths."""
        flat = [one for row in drawn for one in row]
        steps = scored(model, flat)
        found = {}
        for suffix, how in (("", "min"), ("_product", "prod")) if model.kind == "dPRM" else (("", "last"),):
            scores = [aggregate(one, how) for one in steps]  # type: ignore[arg-type]
            found[f"right_of_16{suffix}"] = voted(drawn, scores, "weighted")
            found[f"best_of_16{suffix}"] = voted(drawn, scores, "best_of_n")
            found[f"auc{suffix}"] = {"run": auc(scores, [one.right for one in flat])}
            found[f"score_by_length{suffix}"] = {"run": rho(scores, [len(one.lines) for one in flat])}
        if model.kind == "dPRM":
            pairs = [pair for one, row in zip(flat, steps, strict=True) for pair in zip(row, one.labels, strict=False)]
            found["step_auc"] = {"run": auc([score for score, _ in pairs], [label for _, label in pairs])}
        return found

    def easy_auc(self, model: HeadRewardModel, seed: int) -> float:
        """How well scores tell right from wrong easy solutions that were not trained on."""
        given = chains(200, self.config.easy, seed=seed, label="easy judged", repeats=True)
        written = [row[0] for row in self.drawn(self.hasty.model, given, 1, derive(seed, "easy judged"))]
        scores = [aggregate(one, "last" if model.kind == "dORM" else "min") for one in scored(model, written)]
        return auc(scores, [one.right for one in written])

    def reinforced(self, arm: str, generator: PreTrainedModel, prm: HeadRewardModel, seed: int) -> dict[str, Any]:
        """The generator after GRPO, and its samples for the questions asked."""
        c, started = self.config, time.process_time()
        lengths = [c.easy] if arm == "rl_easy" else [c.hard, c.easy]
        known: dict[str, Chain] = {}
        rows: list[Row] = []
        for part in lengths:
            for one in chains(
                c.rl_questions // len(lengths), part, seed=seed, label="reinforced", avoid=self.asked, repeats=True
            ):
                known[one.question] = one
                row: Row = {"id": one.id, "prompt": [{"role": "user", "content": one.question}], "completion": []}
                rows.append(row if part == c.hard else {**row, "reference": str(one.answer)})

        def grader(prompt: Chat, text: str, reference: str | None) -> Verdict:
            return Verdict(float(str(read(known[prompt[-1]["content"]], text).answer) == reference))

        def misformed(prompt: Chat, text: str) -> float:
            return float(not read(known[prompt[-1]["content"]], text).formed)

        def steps(text: str) -> tuple[str, ...]:
            return read(self.asked[0], text).steps  # lines are the same whatever was asked

        reward = grader if arm == "rl_easy" else ProcessReward(prm, steps, grader, misformed)
        model = copy.deepcopy(generator).train().requires_grad_(True)
        work = self.folder / "work" / f"{arm}-{seed}"
        done = reinforce(model, self.base.tokenizer, rows, reward, c.grpo, folder=work, seed=seed)
        after = self.drawn(model, self.asked, c.rl_samples, derive(seed, "after", arm))
        scores = {
            "pass_at_1": shares(after, lambda one: one.right),
            "every_step_right": shares(after, lambda one: one.right and all(one.labels)),
            "formed": shares(after, lambda one: one.formed),
            "reward": {str(n): one["reward"] for n, one in enumerate(done.steps)},
        }
        return {"scores": scores, "cost": {"cpu_seconds": time.process_time() - started}}


def _outcome_only(row: StepRow) -> StepRow:
    """The outcome as the label of the last step."""
    hidden = [UNKNOWN] * (len(row.steps) - 1)
    return replace(row, id=f"{row.id} outcome", labels=(*hidden, int(bool(row.outcome))))
