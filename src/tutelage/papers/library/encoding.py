"""The encoder behind search by meaning; loaded here, so that a search by keyword loads no model."""

from __future__ import annotations

from tutelage.models.encoder import Encoder
from tutelage.papers.library.vectors import Embeds

__all__ = ["open_encoder"]


def open_encoder(name: str) -> Embeds:
    """The encoder of a name, on the processor.

    Raises:
        AssetMissing: it is not installed.
        ModelError: it cannot be loaded.
    """
    return Encoder(name, device="cpu")
