"""Data-side self-distillation: rewriting only, the baseline that RAFT's data half is measured against."""

from __future__ import annotations

from tutelage.refine.raft import RaftRefiner
from tutelage.refine.registered import refiners
from tutelage.refine.settings import RefineSettings
from tutelage.types import Engine

__all__ = ["SdftDataRefiner"]


@refiners.register("sdft_data", paper="https://arxiv.org/abs/2402.13669")
class SdftDataRefiner(RaftRefiner):
    """The model rewrites the answers; a rewrite that lost the value, a number or a name gives way to the original.

    No cosine, no fusion, no judges. Not to be confused with the on-policy SDFT (arXiv 2601.19897), which is a training
    method.
    """

    name = "sdft_data"

    def __init__(self, rewriter: Engine, settings: RefineSettings | None = None, *, seed: int = 0) -> None:
        super().__init__(rewriter, settings, similarity=None, seed=seed)
