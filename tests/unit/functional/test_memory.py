import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tutelage.functional.divergence import DivergenceSettings
from tutelage.functional.logprobs import projected_cross_entropy
from tutelage.functional.projection import Projected, projected_divergence

CHUNK, V, D = 4, 300, 3


class Largest(TorchDispatchMode):
    """Size of the largest tensor that any operation gave back."""

    def __init__(self):
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, torch.Tensor):
                self.elements = max(self.elements, leaf.numel())
        return out


def largest(loss):
    with Largest() as seen:
        loss().backward()
    return seen.elements


@pytest.mark.parametrize("support", ["full", "teacher", "student", "union"])
@pytest.mark.parametrize("tail", ["drop", "bucket"])
@pytest.mark.parametrize("positions", [8, 64])
def test_no_tensor_is_larger_than_a_chunk_of_logits(support, tail, positions):
    student = Projected(torch.randn(positions, D, requires_grad=True), torch.randn(V, D, requires_grad=True))
    teacher = Projected(torch.randn(positions, D), torch.randn(V, D))
    settings = DivergenceSettings(support, 10, tail=tail)

    def loss():
        return projected_divergence(student, teacher, torch.ones(positions), settings, chunk=CHUNK).loss

    assert largest(loss) == CHUNK * V


def test_cross_entropy_too():
    student = Projected(torch.randn(64, D, requires_grad=True), torch.randn(V, D, requires_grad=True))
    ids = torch.zeros(64, dtype=torch.long)
    assert largest(lambda: projected_cross_entropy(student, ids, torch.ones(64), chunk=CHUNK)[0]) == CHUNK * V
