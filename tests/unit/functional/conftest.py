"""An independent oracle: one position at a time, plain Python floats, textbook formulas, no log-space tricks."""

import math

import pytest


def _softmax(row, temperature):
    top = max(row)
    weights = [math.exp((x - top) / temperature) for x in row]
    total = math.fsum(weights)
    return [x / total for x in weights]


def _kl(a, b):
    return math.fsum(x * math.log(x / y) for x, y in zip(a, b, strict=True) if x > 0)


def _best(row, k):
    return set(sorted(range(len(row)), key=lambda j: -row[j])[:k])


def _divergence(student, teacher, *, support="full", k=1, beta=0.0, tail="drop", temperature=1.0):
    p, q = _softmax(student, temperature), _softmax(teacher, temperature)
    kept = {
        "full": set(range(len(p))),
        "teacher": _best(teacher, k),
        "student": _best(student, k),
        "union": _best(teacher, k) | _best(student, k),
    }[support]
    inside, outside = sorted(kept), [j for j in range(len(p)) if j not in kept]
    cut_p, cut_q = [p[j] for j in inside], [q[j] for j in inside]
    if tail == "bucket":
        if outside:
            cut_p.append(math.fsum(p[j] for j in outside))
            cut_q.append(math.fsum(q[j] for j in outside))
    else:
        cut_p, cut_q = ([x / math.fsum(row) for x in row] for row in (cut_p, cut_q))
    if beta == 0.0:
        return _kl(cut_q, cut_p)
    if beta == 1.0:
        return _kl(cut_p, cut_q)
    mixture = [beta * y + (1 - beta) * x for x, y in zip(cut_p, cut_q, strict=True)]
    return beta * _kl(cut_q, mixture) + (1 - beta) * _kl(cut_p, mixture)


@pytest.fixture(scope="session")
def naive_divergence():
    return _divergence
