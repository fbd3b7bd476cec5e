"""Who teaches and what the student sees in ``tutelage w2s``: bags of words, columns of numbers, frozen models."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from tutelage.errors import AssetMissing, ConfigError
from tutelage.jobs.w2s_config import W2sConfig
from tutelage.jobs.w2s_data import Parts, Table
from tutelage.jobs.w2s_files import Arrays
from tutelage.training.probes import SklearnClassifier
from tutelage.types import FloatArray

if TYPE_CHECKING:
    from tutelage.models.source import ModelSource

__all__ = ["check_student", "check_teacher", "embedded", "student_features", "teacher"]

_WEAK_NAMES = ("auto", "bow")
_MINILM = "all-minilm-l6-v2"


def check_teacher(table: Table, config: W2sConfig) -> None:
    """Refuse a teacher that the rows have no use for.

    Raises:
        ConfigError: a teacher is named for labels that are given, or for columns of numbers.
    """
    if table.given is not None and config.weak != "auto":
        raise ConfigError(
            "labels are given and a teacher is named", where="weak", hint="leave --weak out, or the labels"
        )
    if table.numbers is not None and config.weak != "auto":
        raise ConfigError("a teacher of texts for columns of numbers", where="weak", hint="use --weak-features")


def teacher(table: Table, config: W2sConfig, console: Console) -> tuple[str, Any, SklearnClassifier | None]:
    """Name, inputs of every row, and the untrained teacher; no teacher where labels are given.

    Raises:
        ModelError: a model cannot be loaded.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    regression = LogisticRegression(max_iter=2_000)
    if table.given is not None:
        return "given labels", None, None
    if table.weak_numbers is not None:
        scaled = make_pipeline(StandardScaler(), regression)
        return (
            f"logistic regression on {', '.join(config.columns('weak_features'))}",
            table.weak_numbers,
            (SklearnClassifier(scaled)),
        )
    assert table.texts is not None
    if config.weak in _WEAK_NAMES:
        words = make_pipeline(TfidfVectorizer(token_pattern=r"(?u)\b\w+\b"), regression)
        return "bag of words", list(table.texts), SklearnClassifier(words)
    name, vectors = embedded(config.weak, table.texts, config, console)
    return f"probe on {name}", vectors, SklearnClassifier(regression)


def check_student(config: W2sConfig) -> None:
    """Refuse models that are nowhere, before there is a folder, and to let a sentence encoder learn to write.

    Raises:
        ConfigError: that was asked for.
        ModelError: there is no such student or teacher.
    """
    named = () if config.features else (config.student, *((config.weak,) if config.weak not in _WEAK_NAMES else ()))
    for name in named:
        with suppress(AssetMissing):  # can be installed, and the run continued
            _source(name)
    if config.generative_finetuning and _is_encoder(config.student):
        raise ConfigError(
            f"{config.student} is an encoder of sentences and writes nothing",
            where="generative_finetuning",
            hint="give a language model: --student smollm2-135m-instruct",
        )


def student_features(
    table: Table, parts: Parts, config: W2sConfig, work: Path, console: Console, should_stop: Callable[[], bool]
) -> tuple[Arrays, dict[str, Any]]:
    """What the student's probe reads of every row, [N, D] under ``features``, and the student's name.

    Args:
        table: the rows.
        parts: who learns from which.
        config: names the student, and says whether it first learns to write the texts.
        work: folder of that training's checkpoints.
        console: shows progress.
        should_stop: asked in that training.

    Raises:
        ModelError: a model cannot be loaded.
        Interrupted: ``should_stop`` said so.
    """
    if table.numbers is not None:
        return {"features": table.numbers}, {"name": f"probe on {', '.join(config.columns())}"}
    assert table.texts is not None
    if config.generative_finetuning:
        return _after_writing(table, parts, config, work, console, should_stop)
    name, vectors = embedded(config.student, table.texts, config, console)
    return {"features": vectors}, {"name": f"probe on {name}"}


def _after_writing(
    table: Table, parts: Parts, config: W2sConfig, work: Path, console: Console, should_stop: Callable[[], bool]
) -> tuple[Arrays, dict[str, Any]]:
    """Features of a language model that has read, without labels, every text that is not tested on."""
    from tutelage.models import load
    from tutelage.models.last_token import last_token_features
    from tutelage.models.loading import set_threads
    from tutelage.training.generative import GenerativeSettings, generatively_tuned, text_loss

    assert table.texts is not None
    set_threads(config.threads)
    loaded = load(config.student, dtype="float32", device=config.device)
    held = {table.groups[i] for i in parts.test}
    rows = [i for i, group in enumerate(table.groups) if group not in held]
    tested = [table.texts[i] for i in parts.test]
    console.print(f"{loaded.name} learns to write {len(rows)} texts", highlight=False)
    before = text_loss(loaded, tested, max_tokens=config.max_tokens)
    settings = GenerativeSettings(
        config.generative_epochs,
        config.generative_learning_rate,
        config.generative_batch_size,
        max_tokens=config.max_tokens,
        seed=config.seed,
    )
    ids, texts = [table.ids[i] for i in rows], [table.texts[i] for i in rows]
    steps = generatively_tuned(loaded, ids, texts, work, settings, should_stop=should_stop)
    after = text_loss(loaded, tested, max_tokens=config.max_tokens)
    told = {"texts": len(rows), "steps": steps, "loss_before": before, "loss_after": after}
    features = last_token_features(loaded, table.texts, max_tokens=config.max_tokens)
    name = f"probe on the last token of {loaded.name}, fine-tuned on the texts"
    return {"features": features}, {"name": name, "generative": told}


def embedded(name: str, texts: tuple[str, ...], config: W2sConfig, console: Console) -> tuple[str, FloatArray]:
    """Frozen features by a sentence encoder (a folder with modules.json) or a language model (any other)."""
    from tutelage.models import Encoder, load
    from tutelage.models.last_token import last_token_features
    from tutelage.models.loading import set_threads

    set_threads(config.threads)
    console.print(f"reading {len(texts)} texts with {name}", highlight=False)
    name = _MINILM if name == "minilm" else name
    if _is_encoder(name):
        encoder = Encoder(name, device=config.device)
        return encoder.name, encoder.embed(texts)
    loaded = load(name, device=config.device)
    return f"the last token of {loaded.name}", last_token_features(loaded, texts, max_tokens=config.max_tokens)


def _is_encoder(name: str) -> bool:
    """Whether a model's folder is a sentence encoder's."""
    return (_source(name).folder / "modules.json").is_file()


def _source(name: str) -> ModelSource:
    from tutelage.models.source import find_source

    return find_source(_MINILM if name == "minilm" else name)
