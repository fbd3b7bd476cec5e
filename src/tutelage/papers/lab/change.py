"""How far training has moved a model's weights, and the same change at another length."""

from __future__ import annotations

import copy
import math

import torch
from transformers import PreTrainedModel

__all__ = ["relative_change", "scaled_change"]


def relative_change(model: PreTrainedModel, start: PreTrainedModel) -> float:
    r""":math:`\|W - W_0\| / \|W_0\|` over all weights together, each tied one counted once; in float64."""
    moved = held = 0.0
    for new, old in zip(model.parameters(), start.parameters(), strict=True):
        moved += float((new.detach().double() - old.detach().double()).square().sum())
        held += float(old.detach().double().square().sum())
    return math.sqrt(moved / held)


def scaled_change(model: PreTrainedModel, start: PreTrainedModel, factor: float) -> PreTrainedModel:
    """A model at :math:`W_0 + f (W - W_0)`; neither of the two given is changed."""
    found = copy.deepcopy(model)
    with torch.no_grad():
        for new, old in zip(found.parameters(), start.parameters(), strict=True):
            new.copy_(old + factor * (new - old))
    return found
