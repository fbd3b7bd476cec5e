"""VCORE: weigh every token by how much a step on other rows lowers its loss, and keep the steps' size under control."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from tutelage.errors import ConfigError
from tutelage.functional.token_weights import Control, control_factor, vcore_weights
from tutelage.training.reweighting import MicroBatch, Reweighting, StepView, as_flat, as_table
from tutelage.training.utilities import Estimator, probe_gradient, token_utilities

__all__ = ["Vcore", "VcoreSettings"]


@dataclass(frozen=True)
class VcoreSettings:
    """How sharp, how estimated, how controlled.

    Give ``kl_budget`` (our default) or ``kappa``. With kappa the weights are softmax(eps * s / kappa), the paper's
    tuned product tau * eps: 0.5 for its 4B and 8B models on mathematics, 0.8 for code, eps 1e-4 or 1e-5.
    """

    kl_budget: float = field(default=0.1, metadata={"help": "distance from uniform weights that each row may go, nats"})
    kappa: float = field(default=0.0, metadata={"help": "temperature instead of a budget; 0 = use the budget"})
    estimator: Estimator = field(
        default="jvp", metadata={"help": "jvp (exact, forward mode) or fd (finite difference, as released)"}
    )
    eps: float = field(default=1e-4, metadata={"help": "step of the finite difference, and unit of kappa"})
    control: Control = field(
        default="loss_ratio", metadata={"help": "loss_ratio (as released), variance (as written) or none"}
    )

    def __post_init__(self) -> None:
        if self.kappa < 0 or self.kl_budget < 0 or not self.eps > 0:
            raise ConfigError(
                f"kappa is {self.kappa}, kl_budget {self.kl_budget}, eps {self.eps}",
                where="reweight.vcore",
                hint="kappa and kl_budget at least 0, eps above 0",
            )


@dataclass
class Vcore(Reweighting):
    r"""Weights :math:`q_{it} \propto \exp(\tau s_{it})` per example, times its length: long examples keep their share.

    The loss of a step is :math:`\alpha \sum_i n_i \sum_t q_{it} l_{it} / \sum_i n_i`. Utilities come from the gradient
    of an independent batch, without dropout. Cost: one more forward and backward (the probe) and one forward-mode pass
    a step; compare it with plain fine-tuning at equal tokens *and* at equal operations.

    Source: VCORE (arXiv 2510.27462). Unlike the release the utilities are exact unless ``estimator`` is ``fd``, and
    the sharpness of each row is set by a budget unless ``kappa`` is given.
    """

    settings: VcoreSettings = field(default_factory=VcoreSettings)
    name: ClassVar[str] = "vcore"
    _direction: Mapping[str, Tensor] = field(default_factory=dict, init=False, repr=False)
    _seen: list[tuple[Tensor, Tensor, Tensor, list[int]]] = field(default_factory=list, init=False, repr=False)
    _view: StepView | None = field(default=None, init=False, repr=False)

    def begin(self, view: StepView) -> None:
        """Take the gradient of the probe batch."""
        self._view, self._seen = view, []
        self._direction = probe_gradient(
            view.backbone,
            view.probe(),
            tokens_per_micro_batch=view.tokens_per_micro_batch,
            max_norm=view.max_grad_norm,
        )

    def factors(self, micro: MicroBatch) -> Tensor:
        """``n_i q_it`` of each token; 1 everywhere when all utilities of a row are alike."""
        assert self._view is not None
        told = self.settings
        losses, utilities = token_utilities(
            self._view.backbone, micro.pairs, self._direction, estimator=told.estimator, eps=told.eps
        )
        table, mask = as_table(utilities, micro.lengths)
        if told.kappa:
            weights = vcore_weights(table * told.eps, mask, kappa=told.kappa)
        else:
            weights = vcore_weights(table, mask, kl_budget=told.kl_budget)
        flat = as_flat(weights, mask)
        self._seen.append((losses, utilities, flat, micro.lengths))
        return as_flat(weights * mask.sum(1, keepdim=True), mask)

    def scale(self) -> float:
        """alpha of the step."""
        losses, utilities, weights, mask = self._tables()
        return control_factor(losses, weights, mask, utilities=utilities, control=self.settings.control)

    def stats(self) -> dict[str, float]:
        """alpha, the unweighted loss, the mean distance of the weights from uniform in nats, rows without utilities."""
        losses, utilities, weights, mask = self._tables()
        counts = mask.sum(1, keepdim=True)
        distance = torch.special.xlogy(weights, weights * counts).sum(1).mean()
        broken = ((~torch.isfinite(utilities)) & mask).any(1).sum()
        return {
            "alpha": control_factor(losses, weights, mask, utilities=utilities, control=self.settings.control),
            "plain_loss": float(losses[mask].mean()),
            "weights_kl": float(distance),
            "uniform_rows": float(broken),
        }

    def _tables(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        lengths = [length for *_, many in self._seen for length in many]
        tables = [as_table(torch.cat([one[k] for one in self._seen]), lengths) for k in range(3)]  # type: ignore[misc]
        return tables[0][0], tables[1][0], tables[2][0], tables[0][1]

    def state_dict(self) -> dict[str, Any]:
        """Nothing: every step starts anew."""
        return {}
