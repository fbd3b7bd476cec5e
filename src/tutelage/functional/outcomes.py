"""Divergences between two categorical distributions given by unnormalised logits, with their analytic gradient.

Everything here works in place on scratch rows: the caller gives buffers away and gets the gradient back in them.
The full vocabulary, the kept tokens, and the kept tokens plus one bucket are all "outcomes" to these functions.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["divergence_", "normalise_"]


def normalise_(logits: Tensor) -> Tensor:
    """Log normaliser log sum_j exp(x_j) of each row; ``logits`` is overwritten by its softmax.

    A row of nothing but -inf has log normaliser -inf and becomes a row of zeros.

    Args:
        logits: [N, M] float32 or float64, contiguous rows, values below +inf. Overwritten.

    Returns:
        [N] of the same dtype, nats.

    Source: own derivation; the normaliser comes from the largest logit and its own probability,
        log Z = max x - log max softmax(x), which spares a second pass of exponentials.

    Example:
        >>> x = torch.tensor([[0.0, 0.0]])
        >>> normalise_(x), x
        (tensor([0.6931]), tensor([[0.5000, 0.5000]]))
    """
    if logits.shape[-1] == 0:
        return logits.new_full(logits.shape[:-1], -torch.inf)
    top = logits.amax(-1)
    if logits.device.type == "cpu":
        torch.softmax(logits, -1, out=logits)  # one fused pass a row; safe in place on CPU
        log_normaliser = top - logits.amax(-1).log()
    else:
        total = logits.sub_(top[:, None]).exp_().sum(-1)
        logits.div_(total[:, None])
        log_normaliser = top + total.log()
    empty = top == -torch.inf
    if bool(empty.any()):
        logits[empty] = 0.0
        log_normaliser = log_normaliser.masked_fill(empty, -torch.inf)
    return log_normaliser


def divergence_(student: Tensor, teacher: Tensor, beta: float, *, gradient: bool, impossible: bool) -> Tensor:
    """Generalised Jensen-Shannon divergence of each row, unreduced; the gradient is left in ``student``.

    With p = softmax(student), q = softmax(teacher) and m = (1 - beta) p + beta q:
    beta = 0 is KL(q || p), beta = 1 is KL(p || q), otherwise beta KL(q || m) + (1 - beta) KL(p || m).
    Gradients with respect to the student's logits: p - q; p (log p/q - KL); (1 - beta) p (log p/m - KL(p || m)).

    Args:
        student: [N, M] float32 or float64. Overwritten by the gradient, or by scratch if ``gradient`` is False.
        teacher: [N, M] same dtype. Overwritten by scratch.
        beta: in [0, 1].
        gradient: fill ``student`` with the gradient.
        impossible: some logits are -inf (outcomes without probability); such an outcome of the weighting
            distribution contributes 0. Costs one more pass.

    Returns:
        [N], nats, at least 0. NaN or infinite where the logits are.

    Source: gradients: own derivation. Convention of beta: see ``tutelage.functional.divergence``.

    Example:
        >>> student = torch.tensor([[0.0, 0.0]])
        >>> divergence_(student, torch.tensor([[1.0, 1.0]]), 0.0, gradient=True, impossible=False), student
        (tensor([0.]), tensor([[0., 0.]]))
    """
    if beta == 0.0:
        values = _forward_(student, teacher, gradient, impossible)
    elif beta == 1.0:
        values = _reverse_(student, teacher, gradient, impossible)
    else:
        values = _mixture_(student, teacher, beta, gradient, impossible)
    return values.clamp_(min=0.0)  # below 0 only by rounding; the gradient does not pass here


def _forward_(student: Tensor, teacher: Tensor, gradient: bool, impossible: bool) -> Tensor:
    ratio = teacher - student
    log_teacher, log_student = normalise_(teacher), normalise_(student)
    if impossible:
        ratio.masked_fill_(teacher == 0, 0.0)
    values = ratio.mul_(teacher).sum(-1).sub_(log_teacher).add_(log_student)
    if gradient:
        student.sub_(teacher)
    return values


def _reverse_(student: Tensor, teacher: Tensor, gradient: bool, impossible: bool) -> Tensor:
    ratio = student - teacher
    log_teacher, log_student = normalise_(teacher), normalise_(student)
    ratio.sub_((log_student - log_teacher)[:, None])
    if impossible:
        ratio.masked_fill_(student == 0, 0.0)
    values = torch.mul(ratio, student, out=teacher).sum(-1)
    if gradient:
        student.mul_(ratio.sub_(values[:, None]))
    return values


def _mixture_(student: Tensor, teacher: Tensor, beta: float, gradient: bool, impossible: bool) -> Tensor:
    student_ratio, teacher_ratio = student.clone(), teacher.clone()
    log_student, log_teacher = normalise_(student), normalise_(teacher)
    # The floor only matters where p and q both underflow: there log m must stay finite for 0 * log m to be 0.
    log_mixture = torch.lerp(student, teacher, beta).clamp_(min=torch.finfo(student.dtype).tiny).log_()
    student_ratio.sub_(log_student[:, None]).sub_(log_mixture)
    teacher_ratio.sub_(log_teacher[:, None]).sub_(log_mixture)
    if impossible:
        student_ratio.masked_fill_(student == 0, 0.0)
        teacher_ratio.masked_fill_(teacher == 0, 0.0)
    student_part = torch.mul(student_ratio, student, out=log_mixture).sum(-1)
    values = teacher_ratio.mul_(teacher).sum(-1).mul_(beta).add_(student_part, alpha=1.0 - beta)
    if gradient:
        student.mul_(student_ratio.sub_(student_part[:, None])).mul_(1.0 - beta)
    return values
