"""Independent random streams by name.

Nothing in Tutelage shares a global generator: whoever needs randomness derives a seed from the run's seed and
the names of what it is for (``derive(seed, "rollout", step, row_id)``). A stream is thus a pure function of its
names: resuming at step 40 needs no saved generator state to draw what the uninterrupted run drew at step 40.
"""

from __future__ import annotations

import hashlib

__all__ = ["derive"]


def derive(seed: int, *labels: str | int) -> int:
    """Seed of the stream named by ``labels`` under ``seed``.

    The first 63 bits of SHA-256 over the length-prefixed labels, so that ("a", "bc") and ("ab", "c") differ and
    any two streams are independent for every practical purpose.

    Args:
        seed: the run's seed, any integer.
        labels: what the stream is for, from coarse to fine.

    Returns:
        Integer in [0, 2**63), accepted by ``torch.Generator.manual_seed`` and ``numpy.random.default_rng``.

    Source: own derivation.

    Example:
        >>> derive(0, "rollout", 3) == derive(0, "rollout", 3)
        True
        >>> derive(0, "rollout", 3) == derive(0, "rollout", 4)
        False
    """
    digest = hashlib.sha256(str(int(seed)).encode())
    for label in labels:
        part = f"{type(label).__name__}:{label}".encode()
        digest.update(len(part).to_bytes(8, "big") + part)
    return int.from_bytes(digest.digest()[:8], "big") >> 1
