"""Per-item scores in and out of the database."""

from __future__ import annotations

import sqlite3

import numpy as np

from tutelage.errors import StoreError
from tutelage.store.encoding import visible
from tutelage.store.records import ScoreSet
from tutelage.types import Scores

__all__ = ["list_scores", "read_scores", "write_scores"]


def write_scores(connection: sqlite3.Connection, run: int, arm: str, scores: Scores) -> None:
    """Replace the scores of a run, arm and metric; ``run`` is the run's row."""
    clusters, outputs = scores.clusters, scores.outputs
    key = (run, arm, scores.metric)
    connection.execute("DELETE FROM score_sets WHERE run = ? AND arm = ? AND metric = ?", key)
    flags = (scores.version, int(scores.higher_is_better), int(clusters is not None), int(outputs is not None))
    seq = connection.execute(
        "INSERT INTO score_sets (run, arm, metric, version, higher_is_better, grouped, spoken)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*key, *flags),
    ).lastrowid
    connection.executemany(
        "INSERT INTO scores (score_set, position, item, value, cluster, output) VALUES (?, ?, ?, ?, ?, ?)",
        (
            (
                seq,
                i,
                visible(item),
                float(value),
                None if clusters is None else visible(clusters[i]),
                None if outputs is None else visible(outputs[i]),
            )
            for i, (item, value) in enumerate(zip(scores.ids, scores.values, strict=True))
        ),
    )


def read_scores(connection: sqlite3.Connection, run: int, arm: str, metric: str) -> Scores:
    """The scores of a run, arm and metric in their order; ``run`` is the run's row.

    Raises:
        StoreError: there are none.
    """
    head = connection.execute(
        "SELECT seq, version, higher_is_better, grouped, spoken FROM score_sets"
        " WHERE run = ? AND arm = ? AND metric = ?",
        (run, arm, metric),
    ).fetchone()
    if head is None:
        known = ", ".join(f"{s.arm}/{s.metric}" for s in list_scores(connection, run)) or "none"
        raise StoreError(f"the run has no scores {arm}/{metric}", hint=f"there are: {known}")
    query = "SELECT item, value, cluster, output FROM scores WHERE score_set = ? ORDER BY position"
    rows = connection.execute(query, head[:1]).fetchall()
    return Scores(
        metric=metric,
        ids=tuple(row[0] for row in rows),
        values=np.array([np.nan if row[1] is None else row[1] for row in rows], dtype=np.float64),
        clusters=tuple(row[2] for row in rows) if head[3] else None,
        outputs=tuple(row[3] for row in rows) if head[4] else None,
        higher_is_better=bool(head[2]),
        version=head[1],
    )


def list_scores(connection: sqlite3.Connection, run: int) -> list[ScoreSet]:
    """Which scores a run has, in the order of entry; ``run`` is the run's row."""
    rows = connection.execute(
        "SELECT arm, metric, version, (SELECT count(*) FROM scores WHERE score_set = score_sets.seq)"
        " FROM score_sets WHERE run = ? ORDER BY seq",
        (run,),
    )
    return [ScoreSet(*row) for row in rows]
