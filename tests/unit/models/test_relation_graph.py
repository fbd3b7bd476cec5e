"""Edges by hand, and convolution against loops over neighbours."""

import pytest
import torch

from tutelage.errors import RangeError, ShapeError
from tutelage.models.relation_graph import RGCNLite, build_relation_graph

ITEMS = ["a", "b", "c", "d", "e"]
CATEGORIES = ["x", "x", "y", None, "x"]
KEYWORDS = [["p", "q"], ["q"], ["p", "q", "q"], [], ["r"]]


def test_edges_are_those_of_categories_and_shared_keywords():
    graph = build_relation_graph(ITEMS, CATEGORIES, KEYWORDS)
    assert [graph.neighbours("category", node) for node in range(5)] == [[1, 4], [0, 4], [], [], [0, 1]]
    assert [graph.neighbours("keywords", node) for node in range(5)] == [[1, 2], [0, 2], [0, 1], [], []]
    capped = build_relation_graph(ITEMS, CATEGORIES, KEYWORDS, 1)
    assert capped.neighbours("keywords", 0) == [2]  # shares two
    assert len(capped.neighbours("category", 4)) == 1


def test_convolution_is_that_of_a_loop_over_neighbours():
    torch.manual_seed(0)
    graph = build_relation_graph(ITEMS, CATEGORIES, KEYWORDS)
    net = RGCNLite(2, (3, 4, 2)).double()
    graph = type(graph)(graph.names, tuple(one.double() for one in graph.relations))
    hidden = torch.randn(5, 3, dtype=torch.float64)
    found = net(hidden, graph)
    for layer in range(2):
        rows = []
        for node in range(5):
            total = net.own[layer](hidden[node])
            for place, name in enumerate(graph.names):
                near = graph.neighbours(name, node)
                for other in near:
                    total = total + net.near[layer][place](hidden[other]) / len(near)
            rows.append(total)
        hidden = torch.stack(rows).relu() if layer == 0 else torch.stack(rows)
    torch.testing.assert_close(found, hidden)
    found.sum().backward()
    assert net.near[0][1].weight.grad is not None


def test_bad_input_is_refused():
    with pytest.raises(ShapeError):
        build_relation_graph(["a", "a"], ["x", "x"], [[], []])
    with pytest.raises(RangeError):
        build_relation_graph(ITEMS, CATEGORIES, KEYWORDS, 0)
    with pytest.raises(ShapeError):
        RGCNLite(2, (3,))
    with pytest.raises(ShapeError):
        RGCNLite(2, (3, 2))(torch.zeros(4, 3), build_relation_graph(ITEMS, CATEGORIES, KEYWORDS))
