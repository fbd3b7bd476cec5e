"""What happens after each optimizer step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

if TYPE_CHECKING:
    from tutelage.training.trainer import Trainer

__all__ = ["StepEnd"]


class StepEnd(TrainerCallback):
    """Average, report, checkpoint, and stop when asked."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Report the step's numbers, write a checkpoint when it is time, stop when asked."""
        trainer = self.trainer
        trainer._step_done()
        metrics = {**trainer.last_metrics, "learning_rate": float(trainer._scheduler().get_last_lr()[0])}
        trainer.on_metrics(state.global_step, metrics)
        stop = trainer.task.should_stop()
        if (
            stop
            or state.global_step % trainer.train_settings.checkpoint_every == 0
            or state.global_step >= state.max_steps
        ):
            trainer.save_checkpoint()
        control.should_training_stop = control.should_training_stop or stop
        return control
