"""The laboratory's base model: a Llama of about a million parameters, trained once on the general mixture and kept."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from tutelage.models import LoadedModel
from tutelage.papers.lab.instructions import mixture
from tutelage.papers.lab.pretraining import WINDOW, BaseSettings, kept_folder, kept_model, tokenised
from tutelage.papers.lab.tokenizer import lab_tokenizer
from tutelage.papers.lab.world import base_facts, domain_facts

__all__ = ["WINDOW", "BaseSettings", "base_folder", "base_model", "tokenised"]


def base_folder(settings: BaseSettings) -> Path:
    """Where the base model of these settings is kept."""
    world = [
        [vars(fact) for fact in [*base_facts(), *domain_facts()]],
        [vars(one) for one in mixture(400, settings.seed + 1)],
    ]
    return kept_folder("base", settings, world)


def base_model(settings: BaseSettings | None = None, *, console: Console | None = None) -> LoadedModel:
    """The base model, trained on the first call (about six CPU-minutes at the default size) and loaded afterwards.

    Args:
        settings: size and budget.
        console: where the progress of training is shown; None shows nothing.

    Raises:
        CheckpointError: the kept model is damaged; remove its folder to train it again.
    """
    settings = settings or BaseSettings()
    rows = settings.steps * settings.batch_size
    return kept_model(
        base_folder(settings),
        settings,
        lambda: (lab_tokenizer(), mixture(rows, settings.seed + 1)),
        console=console,
    )
