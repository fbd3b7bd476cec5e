"""Weak supervisors and strong students among handwritten digits, for experiments on weak labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from tutelage.papers.lab.digit_classifiers import CLASSES, DigitPart
from tutelage.papers.lab.digit_encoder import DigitEncoder, EncoderSettings, pretrained_encoder
from tutelage.training.labelled_items import Items, one_hot
from tutelage.training.probes import FeatureClassifier, ProbeSettings, SklearnClassifier, TorchProbe
from tutelage.training.weak_to_strong import Maker
from tutelage.types import FloatArray

__all__ = ["digit_items", "encoder_of", "frozen_student", "scratch_student", "weak_supervisor"]


def digit_items(part: DigitPart) -> Items:
    """A part as items [N, 64]."""
    return Items(part.ids, part.images.numpy(), part.labels.numpy())


def weak_supervisor(
    part: DigitPart, labelled: int, *, view: Callable[[FloatArray], FloatArray] = np.asarray
) -> FeatureClassifier:
    """Logistic regression on the first ``labelled`` images of ``part``: the fewer, the weaker; trained.

    Args:
        part: with truth.
        labelled: how many images it sees.
        view: what it sees of an image; a coarser view makes it weaker too.
    """
    from sklearn.linear_model import LogisticRegression

    items = digit_items(part).rows(np.arange(labelled))
    model = FeatureClassifier(view, SklearnClassifier(LogisticRegression(max_iter=2_000)))
    return model.fit(items.inputs, one_hot(items.truth, CLASSES))


def encoder_of(parts: Mapping[str, DigitPart], settings: EncoderSettings, *, seed: int) -> DigitEncoder:
    """An encoder pre-trained on the images of "weak" and "student", without their labels."""
    images = torch.cat([parts["weak"].images, parts["student"].images])
    return pretrained_encoder(images, settings, seed=seed)


def frozen_student(encoder: DigitEncoder, settings: ProbeSettings) -> Maker:
    """A probe on the frozen features of ``encoder``."""
    return lambda seed: FeatureClassifier(encoder.features, TorchProbe(settings, seed=seed))


def scratch_student(settings: ProbeSettings) -> Maker:
    """A network on the pixels that knows nothing before it sees the labels."""

    def make(seed: int) -> Any:
        return TorchProbe(settings, seed=seed)

    return make
