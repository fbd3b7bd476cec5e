"""transformers' own settings of a run: everything that its Trainer would do by itself and we do differently is off."""

from __future__ import annotations

import torch
from transformers import TrainingArguments

from tutelage.training.settings import OWN_SCHEDULES, TrainSettings
from tutelage.training.task import TrainingTask

__all__ = ["arguments"]


def arguments(train: TrainSettings, task: TrainingTask, steps: int, device: torch.device) -> TrainingArguments:
    """Settings of ``steps`` steps; a schedule of our own is put in by the trainer."""
    return TrainingArguments(
        output_dir=str(task.folder),
        max_steps=steps,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=1,
        learning_rate=train.learning_rate,
        lr_scheduler_type="constant" if train.schedule in OWN_SCHEDULES else train.schedule,
        warmup_steps=round(train.warmup_ratio * steps),
        weight_decay=train.weight_decay,
        max_grad_norm=train.max_grad_norm,
        adam_beta1=train.adam_beta1,
        adam_beta2=train.adam_beta2,
        optim=train.optimizer,
        activation_checkpointing=train.gradient_checkpointing,
        seed=task.seed % 2**31,
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        use_cpu=device.type == "cpu",
    )
