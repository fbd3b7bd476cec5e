"""Items that share a category or keywords as a graph, and a small network over it: sparse products only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from tutelage.errors import RangeError, ShapeError
from tutelage.seeds import derive

__all__ = ["RGCNLite", "RelationGraph", "build_relation_graph"]


@dataclass(frozen=True)
class RelationGraph:
    """``relations`` [R] of sparse matrices [V, V] whose rows hold 1/c_v for every neighbour, and 0 rows for none."""

    names: tuple[str, ...]
    relations: tuple[Tensor, ...]

    @property
    def nodes(self) -> int:
        """How many items there are, V."""
        return int(self.relations[0].shape[0])

    def neighbours(self, relation: str, node: int) -> list[int]:
        """The neighbours of one item."""
        row = self.relations[self.names.index(relation)][node].coalesce()
        return [int(one) for one in row.indices()[0]]


def build_relation_graph(
    items: Sequence[str],
    categories: Sequence[str | None],
    keywords: Sequence[Sequence[str]],
    max_degree: int = 20,
    *,
    seed: int = 0,
) -> RelationGraph:
    """Edges "category" between items of one category, and "keywords" between items that share a keyword.

    An item has at most ``max_degree`` neighbours of each kind: those that share most keywords (of equals, and of a
    category, drawn by the seed). So edges need not go both ways.

    Args:
        items: names, unique [V].
        categories: of each [V]; None: no category.
        keywords: of each [V].
        max_degree: most neighbours of a kind, at least 1.
        seed: of the draws.

    Raises:
        ShapeError: not one category and one list of keywords for every item, or a name twice.
        RangeError: ``max_degree`` below 1.

    Source: the two edge types of CoTeachMatch (arXiv 2009.13299); the cap is own derivation.
    """
    if not len(items) == len(categories) == len(keywords) or len(set(items)) != len(items) or not items:
        raise ShapeError(f"{len(items)} items, {len(categories)} categories, {len(keywords)} keyword lists")
    if max_degree < 1:
        raise RangeError(f"max_degree is {max_degree}", hint="at least 1")
    holders: dict[str, list[int]] = {}
    members: dict[str, list[int]] = {}
    for node, (category, words) in enumerate(zip(categories, keywords, strict=True)):
        for word in set(words):
            holders.setdefault(word, []).append(node)
        if category is not None:
            members.setdefault(category, []).append(node)
    same, shared = [], []
    for node, item in enumerate(items):
        draw = np.random.default_rng(derive(seed, "relation graph", item))
        category = categories[node]
        mates = [one for one in members.get(category, ()) if one != node] if category is not None else []
        same.append([mates[k] for k in draw.permutation(len(mates))[:max_degree]])
        counts: dict[int, int] = {}
        for word in sorted(set(keywords[node])):
            for other in holders[word]:
                if other != node:
                    counts[other] = counts.get(other, 0) + 1
        order = [sorted(counts)[k] for k in draw.permutation(len(counts))]
        shared.append(sorted(order, key=lambda one: -counts[one])[:max_degree])  # stable: equals stay as drawn
    return RelationGraph(("category", "keywords"), (_normalised(same), _normalised(shared)))


def _normalised(neighbours: list[list[int]]) -> Tensor:
    rows = [node for node, near in enumerate(neighbours) for _ in near]
    columns = [other for near in neighbours for other in near]
    values = [1 / len(near) for near in neighbours for _ in near]
    size = (len(neighbours), len(neighbours))
    return torch.sparse_coo_tensor(
        torch.tensor([rows, columns], dtype=torch.int64), torch.tensor(values), size, check_invariants=True
    ).coalesce()


class RGCNLite(nn.Module):
    r"""Relational graph convolution, :math:`n^{(l+1)}_v=ReLU(W_0n_v+\sum_r\sum_{u\in N_r(v)}c_{v,r}^{-1}W_rn_u)`.

    The last layer has no ReLU.

    Args:
        relations: how many kinds of edges, R.
        dims: widths from the input to the output, at least two.

    Raises:
        ShapeError: fewer than two widths or no relation.

    Source: Schlichtkrull et al. 2018, the form that CoTeachMatch's spec takes for its relation view.
    """

    def __init__(self, relations: int, dims: Sequence[int]) -> None:
        super().__init__()
        if len(dims) < 2 or relations < 1:
            raise ShapeError(f"{relations} relations, widths {list(dims)}", hint="at least one relation and two widths")
        pairs = list(pairwise(dims))
        self.own = nn.ModuleList(nn.Linear(a, b) for a, b in pairs)
        self.near = nn.ModuleList(
            nn.ModuleList(nn.Linear(a, b, bias=False) for _ in range(relations)) for a, b in pairs
        )

    def forward(self, features: Tensor, graph: RelationGraph) -> Tensor:
        """Vectors of all items [V, D] from their features [V, dims[0]].

        Raises:
            ShapeError: features of another number of items, or a graph of another number of relations.
        """
        if len(features) != graph.nodes or len(graph.relations) != len(self.near[0]):  # type: ignore[arg-type]
            raise ShapeError(f"{len(features)} features and {len(graph.relations)} relations for {graph.nodes} items")
        hidden = features
        for place, (own, near) in enumerate(zip(self.own, self.near, strict=True)):
            total = own(hidden)
            for relation, linear in zip(graph.relations, near, strict=True):  # type: ignore[call-overload]
                total = total + torch.sparse.mm(relation, linear(hidden))
            hidden = total if place == len(self.own) - 1 else total.relu()
        return hidden
