"""What a classifier's outputs are like, item by item: how true to a teacher, and how smooth."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tutelage.errors import ShapeError
from tutelage.functional.divergence import DivergenceSettings, token_divergence
from tutelage.types import Scores

__all__ = ["accuracy", "fidelity", "smoothness"]


@torch.no_grad()
def accuracy(logits: Tensor, labels: Tensor, ids: Sequence[str]) -> Scores:
    """Whether the likeliest class is the right one, 0 or 1 for each item.

    Raises:
        ShapeError: logits [N, C], labels [N] and ids [N] do not fit together.
    """
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ShapeError(f"logits {tuple(logits.shape)} and labels {tuple(labels.shape)}")
    return _scores("accuracy", ids, logits.argmax(1) == labels)


@torch.no_grad()
def fidelity(
    student: Tensor, teacher: Tensor, ids: Sequence[str], *, temperatures: Sequence[float] = (1.0, 4.0)
) -> dict[str, Scores]:
    r"""How closely a student follows its teacher, which is not the same as being right.

    Args:
        student: [N, C] logits.
        teacher: [N, C] logits.
        ids: [N].
        temperatures: T of the divergences :math:`KL(softmax(u/T) \| softmax(v/T))`, nats, without the factor T^2.

    Returns:
        ``top1_agreement`` (0 or 1) and ``kl_T<T>`` (at least 0, lower is better), each with a value per item.

    Raises:
        ShapeError: other items or classes.

    Source: the measures of KD capacity (arXiv 2605.31191).

    Example:
        >>> found = fidelity(torch.tensor([[2.0, 0.0]]), torch.tensor([[1.0, 0.0]]), ["a"])
        >>> list(found), float(found["top1_agreement"].values[0])
        (['top1_agreement', 'kl_T1', 'kl_T4'], 1.0)
    """
    if student.ndim != 2 or student.shape != teacher.shape:
        raise ShapeError(f"student logits are {tuple(student.shape)}, the teacher's {tuple(teacher.shape)}")
    found = {"top1_agreement": _scores("top1_agreement", ids, student.argmax(1) == teacher.argmax(1))}
    for temperature in temperatures:
        name = f"kl_T{temperature:g}"
        settings = DivergenceSettings(temperature=temperature, temperature_squared=False, statistics=False)
        values = token_divergence(student.double(), teacher.double(), settings).values
        found[name] = _scores(name, ids, values, higher_is_better=False)
    return found


@torch.no_grad()
def smoothness(
    logits: Tensor, labels: Tensor, ids: Sequence[str], *, features: Tensor | None = None
) -> dict[str, Scores]:
    r"""How smooth a classifier's outputs are, a value per item.

    ``entropy`` of the class probabilities (nats), ``confidence`` (the largest probability), ``logit_spread`` (standard
    deviation of the logits over the classes), and ``dispersion``: squared distance of the item's features to the centre
    of its class, divided by the mean squared distance of the class centres to their own centre. The higher, the less
    tight the clusters of the classes.

    Args:
        logits: [N, C].
        labels: [N] int64, two classes at least.
        ids: [N].
        features: [N, D] for the dispersion; default the logits.

    Raises:
        ShapeError: what is given does not fit together, or all items are of one class.

    Source: MIX-KD (arXiv 2211.03946) compares the first three; it shows clusters as pictures, the number is our own.
    """
    places = logits if features is None else features
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or len(places) != len(logits):
        raise ShapeError(f"logits {tuple(logits.shape)}, labels {tuple(labels.shape)}, features {tuple(places.shape)}")
    logp = logits.double().log_softmax(1)
    return {
        "entropy": _scores("entropy", ids, -(logp.exp() * logp).sum(1)),
        "confidence": _scores("confidence", ids, logp.max(1).values.exp()),
        "logit_spread": _scores("logit_spread", ids, logits.double().std(1)),
        "dispersion": _scores("dispersion", ids, _dispersion(places.double(), labels), higher_is_better=False),
    }


def _dispersion(places: Tensor, labels: Tensor) -> Tensor:
    known = labels.unique()
    if len(known) < 2:
        raise ShapeError("all items are of one class", hint="dispersion compares classes")
    centres = torch.stack([places[labels == one].mean(0) for one in known])
    between = (centres - centres.mean(0)).square().sum(1).mean()
    own = centres[torch.searchsorted(known, labels)]
    return (places - own).square().sum(1) / between


def _scores(name: str, ids: Sequence[str], values: Tensor, *, higher_is_better: bool = True) -> Scores:
    return Scores(name, tuple(ids), values.double().cpu().numpy(), higher_is_better=higher_is_better)
