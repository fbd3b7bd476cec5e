"""How the parts of a loss are weighed, decided once per optimizer step from the losses of the whole step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from tutelage.functional.balance import EmaBalancer

__all__ = ["Balance", "EmaBalance", "FixedBalance"]


class Balance(Protocol):
    """Losses of one optimizer step in, a weight per part out; its state travels with the checkpoint."""

    def weights(self, losses: dict[str, float]) -> dict[str, float]:
        """Weight of each part; called once per optimizer step."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """What resuming needs, as JSON."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from ``state``."""
        ...


@dataclass
class FixedBalance:
    """The same weights at every step; parts without one count fully."""

    fixed: dict[str, float] = field(default_factory=dict)

    def weights(self, losses: dict[str, float]) -> dict[str, float]:
        """``fixed[name]`` or 1."""
        return {name: self.fixed.get(name, 1.0) for name in losses}

    def state_dict(self) -> dict[str, Any]:
        """Nothing to save."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to load."""


@dataclass
class EmaBalance:
    """``lambda = EMA(anchor loss) / EMA(other loss)``, bias-corrected and capped (RAFT Eq. 10-12)."""

    anchor: str
    other: str
    balancer: EmaBalancer = field(default_factory=EmaBalancer)

    def weights(self, losses: dict[str, float]) -> dict[str, float]:
        """1 for the anchor, lambda for the other part."""
        other = max(losses[self.other], 0.0)  # equal distributions may differ from 0 by rounding
        return {self.anchor: 1.0, self.other: self.balancer.update(losses[self.anchor], other)}

    def state_dict(self) -> dict[str, Any]:
        """The balancer's averages and step count."""
        return dict(self.balancer.state_dict())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from ``state``."""
        self.balancer.load_state_dict(state)
