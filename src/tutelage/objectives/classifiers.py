"""Distillation of classifiers: logits in, one loss out. For any network with classes, images or text.

Targets are classes [N] or distributions [N, C] (blended by mixup, say); both the student's and the teacher's outputs
must be on the same, equally blended inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tutelage.errors import RangeError, ShapeError
from tutelage.functional.divergence import DivergenceSettings, token_divergence
from tutelage.functional.features import feature_distance
from tutelage.functional.standardised import standardised_logits
from tutelage.types import Loss

__all__ = ["FeatureDistillation", "LogitDistillation", "StandardisedDistillation"]


@dataclass(frozen=True)
class LogitDistillation:
    r""":math:`a\,T^2 KL(softmax(u/T)\,\|\,softmax(v/T)) + (1-a)\,CE(v, y)` of the student's v to the teacher's u.

    Attributes:
        temperature: T > 0.
        weight: a in [0, 1].

    Raises:
        RangeError: a value outside what is said above.

    Source: Hinton et al. 2015 (arXiv 1503.02531); KD capacity (arXiv 2605.31191) for the convex weights.
    """

    temperature: float = 4.0
    weight: float = 0.5

    def __post_init__(self) -> None:
        if not 0.0 <= self.weight <= 1.0:
            raise RangeError(f"weight is {self.weight}", hint="the share of the distillation, in [0, 1]")
        DivergenceSettings(temperature=self.temperature)

    def __call__(self, student: Tensor, teacher: Tensor, targets: Tensor) -> Loss:
        """Mean over the items; ``per_token`` [N].

        Args:
            student: [N, C] logits.
            teacher: [N, C] logits; receives no gradient.
            targets: [N] int64 or [N, C] distributions.
        """
        settings = DivergenceSettings(temperature=self.temperature, statistics=False)
        taught = token_divergence(student, teacher, settings).values
        return _combined(taught, _cross_entropy(student, targets), self.weight, 1 - self.weight)


@dataclass(frozen=True)
class StandardisedDistillation:
    r""":math:`\alpha\,KL(softmax(u/s_u)\,\|\,softmax(v/s_v)) + \gamma\,CE(softmax(v/s_v), y)`, s an item's spread.

    Instead of a temperature every item's logits are divided by their standard deviation over the classes
    (:func:`~tutelage.functional.standardised.standardised_logits`); no factor T^2. The student is trained, and its
    probabilities are to be read, in this scaling; which class comes first does not depend on it.

    Raises:
        RangeError: a negative weight.

    Source: MIX-KD (arXiv 2211.03946), official code; there equal logits give NaN, here the spread has a floor.
    """

    gamma: float = 0.1
    alpha: float = 0.9
    floor: float = 1e-6

    def __post_init__(self) -> None:
        if self.gamma < 0 or self.alpha < 0:
            raise RangeError(f"weights of {self.gamma} and {self.alpha}", hint="0 or more")

    def __call__(self, student: Tensor, teacher: Tensor, targets: Tensor) -> Loss:
        """Mean over the items; arguments as in :class:`LogitDistillation`."""
        own = standardised_logits(student, floor=self.floor)
        other = standardised_logits(teacher, floor=self.floor)
        taught = token_divergence(own, other, DivergenceSettings(statistics=False)).values
        return _combined(taught, _cross_entropy(own, targets), self.alpha, self.gamma)


class FeatureDistillation(nn.Module):
    r""":math:`a\,\overline{d_l} + (1-a)\,CE`, d the distance of projected features, meaned over the layers l.

    Each layer's student features are projected to the teacher's width by a linear map without bias (1 by 1 convolution
    for maps). **The projections are trained**: their parameters belong in the optimizer and under the gradient clip,
    which :func:`tutelage.training.coverage.check_covered` makes sure of.

    Args:
        pairs: layer to (student's channels, teacher's channels).
        beta: weight of the direction in :func:`~tutelage.functional.features.feature_distance`.
        weight: a in [0, 1].
        spreads: the teacher's standard deviation of each layer, to divide by; none: 1.

    Raises:
        RangeError: no layers, a weight outside [0, 1], spreads of other layers.

    Source: KD capacity (arXiv 2605.31191), official code.
    """

    def __init__(
        self,
        pairs: Mapping[str, tuple[int, int]],
        *,
        beta: float = 0.5,
        weight: float = 0.5,
        spreads: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        if not pairs or not 0.0 <= weight <= 1.0:
            raise RangeError(f"{len(pairs)} layers and a weight of {weight}", hint="a layer at least; weight in [0, 1]")
        if spreads is not None and spreads.keys() != pairs.keys():
            raise RangeError(f"spreads of {', '.join(spreads)} for layers {', '.join(pairs)}", hint="one a layer")
        self.beta, self.weight = beta, weight
        self.spreads = dict(spreads or dict.fromkeys(pairs, 1.0))
        maps = {layer: nn.Linear(narrow, wide, bias=False) for layer, (narrow, wide) in pairs.items()}
        for one in maps.values():
            nn.init.xavier_uniform_(one.weight)
        self.projections = nn.ModuleDict(maps)

    def forward(
        self, student: Mapping[str, Tensor], teacher: Mapping[str, Tensor], logits: Tensor, targets: Tensor
    ) -> Loss:
        """Mean over the items.

        Args:
            student: layer to features [N, C] or [N, C, H, W].
            teacher: layer to features of the teacher.
            logits: [N, K] of the student.
            targets: [N] int64 or [N, K] distributions.

        Raises:
            ShapeError: a layer's features are missing.
        """
        missing = sorted(self.projections.keys() - (student.keys() & teacher.keys()))
        if missing:
            raise ShapeError(f"no features of {', '.join(missing)}", hint="give student's and teacher's by layer")
        distances = [
            feature_distance(
                _projected(one, student[layer]), teacher[layer], beta=self.beta, spread=self.spreads[layer]
            )
            for layer, one in self.projections.items()
        ]
        taught = torch.stack(distances).mean(0)
        return _combined(taught, _cross_entropy(logits, targets), self.weight, 1 - self.weight)


def _projected(projection: nn.Module, features: Tensor) -> Tensor:
    if features.ndim == 2:
        flat: Tensor = projection(features)
        return flat
    wide: Tensor = projection(features.movedim(1, -1))
    return wide.movedim(-1, 1)


def _cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    known = targets if targets.ndim == 1 else targets.to(logits.dtype)
    return nn.functional.cross_entropy(logits, known, reduction="none")


def _combined(taught: Tensor, supervised: Tensor, alpha: float, gamma: float) -> Loss:
    each = alpha * taught + gamma * supervised
    stats = {"distilled": float(taught.detach().mean()), "supervised": float(supervised.detach().mean())}
    return Loss(each.mean(), each.detach(), stats)
