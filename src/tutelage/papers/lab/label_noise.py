"""Labels made wrong on purpose, and what plain classifiers make of them with and without cleaning."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tutelage.errors import RangeError
from tutelage.types import FloatArray, IntArray

__all__ = ["regressed", "wrong_labels"]


def wrong_labels(labels: Tensor, rate: float, *, classes: int, seed: int) -> Tensor:
    """A copy of ``labels`` [N] of which exactly the share ``rate`` (rounded) has another class, each equally likely.

    Raises:
        RangeError: a rate outside [0, 1], fewer than two classes.
    """
    if not 0 <= rate <= 1 or classes < 2:
        raise RangeError(f"a rate of {rate} among {classes} classes", hint="a rate in [0, 1], two classes or more")
    draw = np.random.default_rng(seed)
    rows = torch.from_numpy(draw.permutation(len(labels))[: round(rate * len(labels))])
    shifts = torch.from_numpy(draw.integers(1, classes, len(rows)))
    noisy = labels.clone()
    noisy[rows] = (noisy[rows] + shifts) % classes
    return noisy


def regressed(train: FloatArray, labels: IntArray, test: FloatArray, *, clean: bool, seed: int) -> IntArray:
    """Classes [M] that logistic regression gives ``test`` after ``train``; with ``clean`` without doubted labels.

    What is doubted is decided by cleanlab from out-of-sample probabilities in five folds; classes that would lose all
    their examples keep them.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    model = LogisticRegression(C=1.0, max_iter=300)
    keep = np.ones(len(labels), dtype=bool)
    if clean:
        from cleanlab.filter import find_label_issues

        folds = StratifiedKFold(5, shuffle=True, random_state=seed % 2**32)
        chances = cross_val_predict(model, train, labels, cv=folds, method="predict_proba")
        keep = ~np.asarray(find_label_issues(labels, chances, n_jobs=1))
        for one in np.unique(labels):
            if not keep[labels == one].any():
                keep[labels == one] = True
    found: IntArray = model.fit(train[keep], labels[keep]).predict(test)
    return found
