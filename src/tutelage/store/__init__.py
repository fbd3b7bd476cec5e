"""Runs, their metrics, per-item scores and artefacts, in one SQLite file that many processes may share."""

from tutelage.store.records import Artifact, Curve, Run, Scalar, ScoreSet
from tutelage.store.store import Store

__all__ = ["Artifact", "Curve", "Run", "Scalar", "ScoreSet", "Store"]
