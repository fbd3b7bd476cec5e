"""The two trainers of ``distillation_step.py``, set to the same task and driven one optimizer step at a time.

Run as a child: ``python bench/distillation_trainers.py SIDE`` reads one JSON command a line and answers each with one.
Both sides are transformers Trainers, so one callback times both, from ``on_step_begin`` to ``on_step_end``.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import transformers

from distillation_floor import rates
from tutelage import assets
from tutelage.data.tasks import domain_rows
from tutelage.functional.divergence import DivergenceSettings
from tutelage.models.adapter import LoraSettings, attach_lora
from tutelage.models.loading import LoadedModel, load
from tutelage.objectives.distillation import RAFT_DIVERGENCE, ContextDistillation
from tutelage.objectives.supervised import SupervisedFineTuning
from tutelage.training import trainer as our_loop
from tutelage.training.balance import EmaBalance, FixedBalance
from tutelage.training.examples import TEACHER_PROMPT, examples
from tutelage.training.settings import RolloutSettings, TrainSettings
from tutelage.training.task import TrainingTask

MODEL = "smollm2-135m-instruct"
PROMPTS, NEW_TOKENS, RANK, ALPHA, STEPS = 8, 48, 16, 32, 10_000
LIKE_FOR_LIKE = DivergenceSettings(support="student", k=100, direction="forward", tail="drop", temperature=1.0)
"""What TRL computes in mode topk_logits with alpha 0: KL(teacher || student), renormalised on the student's top 100."""


class Meter:
    """Seconds (wall and processor) and peak growth of anonymous memory of one step, and seconds of its parts."""

    def __init__(self) -> None:
        self.baseline = 0.0
        self.parts: dict[str, float] = {}
        self.peak = 0.0
        self._running = threading.Event()
        threading.Thread(target=self._sample, daemon=True).start()

    @staticmethod
    def anonymous() -> float:
        """Anonymous resident memory of this process, MiB."""
        text = Path("/proc/self/status").read_text(encoding="ascii")
        return int(text.split("RssAnon:")[1].split()[0]) / 1024

    def _sample(self) -> None:
        while True:
            self._running.wait()
            self.peak = max(self.peak, self.anonymous())
            time.sleep(0.005)

    def start(self) -> None:
        """Begin a step."""
        self.parts, self.peak = {}, self.anonymous()
        self.baseline = self.baseline or self.peak
        self._running.set()
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def stop(self) -> dict[str, Any]:
        """End the step."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        self._running.clear()
        return {"wall": wall, "cpu": cpu, "parts": self.parts, "peak_mib": self.peak - self.baseline}

    def timed(self, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """``call``, with its seconds added to ``part``."""

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                self.parts[part] = self.parts.get(part, 0.0) + time.perf_counter() - start

        return wrapped


class Driver(transformers.TrainerCallback):
    """Waits for a command before each step and answers after it."""

    def __init__(self, meter: Meter, answer: Callable[[dict], None], before: Callable[[dict], None]) -> None:
        self.meter, self.answer, self.before = meter, answer, before

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Wait for the command, then start the clock."""
        line = sys.stdin.readline()
        if not line or (command := json.loads(line)).get("do") == "quit":
            os._exit(0)
        self.before(command)
        self.meter.start()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Stop the clock and answer."""
        found = self.meter.stop()
        inner = found["parts"].pop("training_step")
        known = sum(found["parts"].values())
        found["parts"] |= {"student": inner - known, "optimizer": found["wall"] - inner}
        self.answer(found)


def rows() -> list[dict]:
    """The first prompts of the ESCO task, with their reference answers."""
    return list(domain_rows("esco-skill-groups", n=PROMPTS))


def ours(loaded: LoadedModel, *, raft: bool = False) -> our_loop.Trainer:
    """Our trainer: distillation alone like TRL's, or the whole RAFT step. Nothing ends a completion but its length."""
    report = examples(rows(), loaded.tokenizer, conditioned=True, window=2048, reply_tokens=NEW_TOKENS)
    parts: dict[str, Any] = {"distillation": ContextDistillation(RAFT_DIVERGENCE if raft else LIKE_FOR_LIKE)}
    if raft:
        parts = {"sft": SupervisedFineTuning()} | parts
    return our_loop.Trainer(
        loaded.model,
        loaded.tokenizer,
        TrainingTask(report.examples, parts, Path(tempfile.mkdtemp()), seed=0, stop_ids=frozenset()),
        train=TrainSettings(
            max_steps=STEPS, batch_size=PROMPTS, checkpoint_every=STEPS, schedule="constant", warmup_ratio=0.0
        ),
        balance=EmaBalance(anchor="sft", other="distillation") if raft else FixedBalance(),
        rollout=RolloutSettings(max_new_tokens=NEW_TOKENS),
    )


def theirs(*, checkpointing: bool = False) -> Any:
    """TRL's trainer on the same model, rows, adapter and settings. Nothing ends a completion but its length."""
    from datasets import Dataset
    from peft import LoraConfig
    from trl.experimental.sdft import SDFTConfig, SDFTTrainer

    folder = str(assets.path(MODEL))
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model.generation_config.eos_token_id = None
    settings = SDFTConfig(
        output_dir=tempfile.mkdtemp(),
        max_steps=STEPS,
        per_device_train_batch_size=PROMPTS,
        num_generations=1,
        max_completion_length=NEW_TOKENS,
        temperature=1.0,
        top_p=1.0,
        top_k=0,
        teacher_model_kind="base",
        teacher_prompt_template=TEACHER_PROMPT.replace("{answer}", "{privileged_context}").replace(
            "{question}", "{prompt}"
        ),
        distillation_mode="topk_logits",
        distillation_topk=LIKE_FOR_LIKE.k,
        distillation_alpha=0.0,
        learning_rate=2e-4,
        lr_scheduler_type="constant",
        weight_decay=0.01,
        optim="adamw_torch",
        bf16=False,
        gradient_checkpointing=checkpointing,
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
    )
    data = [{"prompt": r["prompt"], "privileged_context": r["completion"][-1]["content"]} for r in rows()]
    trainer = SDFTTrainer(
        model,
        settings,
        Dataset.from_list(data),
        processing_class=tokenizer,
        peft_config=LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    trainer.generation_config.eos_token_id = None
    trainer.eos_token_ids = [-1]
    return trainer


def our_model() -> LoadedModel:
    """The model with a fresh adapter, in float32."""
    return attach_lora(load(MODEL, dtype="float32", device="cpu"), LoraSettings(rank=RANK, alpha=ALPHA))


def drive_ours(answer: Callable[[dict], None], *, raft: bool) -> None:
    """Step our trainer on command; ``fresh`` forgets the teacher's prefixes first."""
    trainer, meter = ours(our_model(), raft=raft), Meter()
    trainer._rollouts = meter.timed("rollout", trainer._rollouts)  # type: ignore[method-assign]
    our_loop.teacher_outputs = meter.timed("teacher", our_loop.teacher_outputs)
    trainer.training_step = meter.timed("training_step", trainer.training_step)  # type: ignore[method-assign]

    def before(command: dict) -> None:
        if command.get("fresh"):
            trainer.prefixes = trainer._prefix_cache()

    def answered(found: dict) -> None:
        metrics = trainer.last_metrics
        answer(found | {"tokens": metrics["rollout/tokens"] * PROMPTS, "loss": metrics["loss"]})

    trainer.add_callback(Driver(meter, answered, before))
    answer({"ready": True})
    trainer.fit()


def drive_theirs(answer: Callable[[dict], None], *, checkpointing: bool) -> None:
    """Step TRL's trainer on command."""
    trainer, meter = theirs(checkpointing=checkpointing), Meter()
    forward, timed_teacher = trainer._forward_logits, meter.timed("teacher", trainer._forward_logits)
    trainer._forward_logits = lambda **kw: (forward if torch.is_grad_enabled() else timed_teacher)(**kw)
    trainer._generate_transformers = meter.timed("rollout", trainer._generate_transformers)
    trainer.training_step = meter.timed("training_step", trainer.training_step)

    def answered(found: dict) -> None:
        batch = trainer._buffered_inputs[0]
        answer(found | {"tokens": int(batch["completion_mask"].sum())})

    trainer.add_callback(Driver(meter, answered, lambda _: None))
    answer({"ready": True})
    trainer.train()


def check(answer: Callable[[dict], None]) -> None:
    """Loss and adapter gradients of both sides on the same weights and TRL's own rollout."""
    trainer = theirs()
    model = trainer.model
    draw = torch.Generator().manual_seed(0)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:  # zero at the start, where the student is the base model
            parameter.data.normal_(0.0, 0.01, generator=draw)
    model.train()
    batch = trainer._prepare_inputs([trainer.train_dataset[i] for i in range(PROMPTS)])
    trainer.current_gradient_accumulation_steps = 1  # set by the loop, which does not run here
    loss = trainer.compute_loss(model, batch)
    loss.backward()
    trained = [p for p in model.parameters() if p.requires_grad]
    expected = torch.cat([p.grad.flatten() for p in trained])
    model.zero_grad(set_to_none=True)
    loaded = replace(load(MODEL, dtype="float32", device="cpu"), model=model)
    mine = ours(loaded)
    objective = mine.task.parts["distillation"]
    rollouts = [
        our_loop.TokenPair(example.prompt, tuple(ids.tolist()))
        for example, ids in zip(mine.task.examples, batch["completion_ids"], strict=True)
    ]
    for i, example in enumerate(mine.task.examples):
        for key, ids in (("prompt", example.prompt), ("teacher", example.teacher_prompt)):
            name = "prompt" if key == "prompt" else "teacher_input"
            mask = batch["prompt_mask" if key == "prompt" else "teacher_attention_mask"][i].bool()
            found = batch[f"{name}_ids"][i][mask].tolist()
            assert tuple(found[: len(ids)]) == tuple(ids), f"the {key} tokens of row {i} differ"
    value, _ = mine._backward(objective, *mine._sequences(objective, list(mine.task.examples), rollouts))
    gradient = torch.cat([p.grad.flatten() for p in trained])
    answer(
        {
            "loss": [value, float(loss)],
            "loss_gap": abs(value / float(loss) - 1.0),
            "gradient_gap": float((gradient - expected).norm() / expected.norm()),
            "completion_tokens": sum(len(p.completion) for p in rollouts),
            "prompt_tokens": [len(e.prompt) for e in mine.task.examples],
            "teacher_prompt_tokens": [len(e.teacher_prompt or ()) for e in mine.task.examples],
        }
    )


@contextmanager
def answers() -> Iterator[Callable[[dict], None]]:
    """Keep stdout for answers; whatever libraries print goes to stderr."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as stream:
        os.dup2(2, 1)

        def answer(value: dict) -> None:
            stream.write(json.dumps(value) + "\n")
            stream.flush()

        yield answer


def main(side: str) -> None:
    """Be one side."""
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.manual_seed(0)
    with answers() as answer:
        if side == "check":
            check(answer)
        elif side in ("tutelage", "raft"):
            drive_ours(answer, raft=side == "raft")
        elif side == "floor":
            own = examples(
                rows(), (loaded := our_model()).tokenizer, conditioned=True, window=2048, reply_tokens=NEW_TOKENS
            )
            prompt = round(sum(len(e.prompt) for e in own.examples) / PROMPTS)
            teacher = round(sum(len(e.teacher_prompt or ()) for e in own.examples) / PROMPTS)
            answer(rates(loaded, rows=PROMPTS, prompt=prompt, scored=teacher + NEW_TOKENS, new=NEW_TOKENS))
        else:
            drive_theirs(answer, checkpointing=side == "trl-checkpointing")


if __name__ == "__main__":
    main(sys.argv[1])
