"""A classifier whose class directions never move, and a loss that ties a model to the one before it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tutelage.functional.contrastive import SameClass, paired_contrast
from tutelage.functional.simplex import simplex_prototypes

__all__ = ["HOCLoss", "SimplexClassifier"]


class SimplexClassifier(nn.Module):
    """Logits against the corners of a regular simplex; only the map into its space is learnt.

    Features of models that were trained apart are comparable because their classes have the same directions. The
    feature is not normalised for the logits; normalise it to search.

    Args:
        in_dim: width of what comes in; mapped to K-1 without bias, unless it is K-1 already.
        num_classes: K, classes yet to come included.

    Source: Biondi et al. 2024 (arXiv 2405.02581). The official code hands out corners from the last backwards, which
    changes nothing but names.

    Example:
        >>> features, logits = SimplexClassifier(8, 4)(torch.zeros(5, 8))
        >>> tuple(features.shape), tuple(logits.shape)
        ((5, 3), (5, 4))
    """

    prototypes: Tensor

    def __init__(self, in_dim: int, num_classes: int) -> None:
        super().__init__()
        self.register_buffer("prototypes", simplex_prototypes(num_classes))
        width = num_classes - 1
        self.projection = nn.Identity() if in_dim == width else nn.Linear(in_dim, width, bias=False)

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Features [..., K-1] and logits [..., K] of ``hidden`` [..., in_dim]."""
        features: Tensor = self.projection(hidden)
        return features, features @ self.prototypes.T.to(features.dtype)


class HOCLoss(nn.Module):
    """Cross-entropy and contrast to the previous model, ``weight`` * CE + (1 - ``weight``) * contrast, per item.

    Args:
        weight: of the cross-entropy, in [0, 1]; 0.1 in the paper.
        scale: inverse temperature of the contrast; 10 in the paper.
        same_class: what items of the same class are in the contrast, see
            :func:`tutelage.functional.contrastive.paired_contrast`.

    Source: Biondi et al. 2024 (arXiv 2405.02581), Eq. 3 and 4.
    """

    def __init__(self, weight: float = 0.1, scale: float = 10.0, same_class: SameClass = "exclude") -> None:
        super().__init__()
        self.weight, self.scale, self.same_class = weight, scale, same_class

    def forward(self, features: Tensor, logits: Tensor, labels: Tensor, previous: Tensor | None = None) -> Tensor:
        """The loss of each item [N].

        Args:
            features: [N, D] of the model in training.
            logits: [N, K] of the same.
            labels: [N] classes.
            previous: [N, D] features of the same items from the frozen previous model; None for the first model,
                which is trained by cross-entropy alone.
        """
        supervised = nn.functional.cross_entropy(logits, labels, reduction="none")
        if previous is None:
            return supervised
        contrast = paired_contrast(
            previous.detach(), features, labels, scale=self.scale, same_class=self.same_class
        )  # fmt: skip
        return torch.lerp(contrast, supervised.to(contrast.dtype), self.weight)
