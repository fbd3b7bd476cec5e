"""Traces of several agents: checks, figures and credit against brute force on small and random traces."""

import copy
import itertools
import json
import math

import networkx
import numpy as np
import pytest

from tutelage.errors import DataError, NumericalError, RangeError
from tutelage.measure.traces import (
    findings,
    leave_one_out,
    parse_trace,
    read_traces,
    shapley,
    tainted_calls,
    trace_figures,
)


def event(name, t, kind="message", agent="lead", **more):
    return {"id": name, "t": t, "type": kind, "agent": agent, **more}


def made(events, edges=(), *, tokens=0, clock=0):
    return {
        "trace_id": "t", "task_id": "q", "events": list(events), "rewards": {},
        "edges": [{"src": s, "dst": d, "type": k} for s, d, k in edges],
        "costs": {"tokens": tokens, "wall_clock_s": clock},
    }  # fmt: skip


def two_workers(trusted=True):
    """lead 0-1-2 hands to a (2-5) and b (2-9), which return to the lead at 10."""
    return made(
        [
            event("plan", 0, "orchestrator_decision"),
            event("new-a", 1, "spawn", to="a"),
            event("new-b", 1.5, "spawn", to="b"),
            event("page", 2, "tool_result", "a", trusted=trusted),
            event("call", 4, "tool_call", "a"),
            event("back-a", 5, "return", "a"),
            event("work", 2, "message", "b", tokens=30),
            event("back-b", 9, "return", "b"),
            event("end", 10, "aggregate"),
        ],
        [
            ("plan", "new-a", "causal"), ("new-a", "page", "spawn"), ("new-b", "work", "spawn"),
            ("page", "call", "causal"), ("call", "back-a", "causal"), ("work", "back-b", "causal"),
            ("back-b", "end", "return"), ("plan", "end", "temporal"),
        ],
        tokens=120, clock=10,
    )  # fmt: skip


def test_figures_worked_by_hand():
    found = trace_figures(parse_trace(two_workers()))
    # lead: plan 1, new-a 0.5 (new-b is next), new-b 0.5 (b takes over); a: 2 + 1; b: 7
    assert found.work_s == pytest.approx(12.0)
    assert found.critical_s == pytest.approx(1 + 0.5 + 0.5 + 7)
    assert found.parallelism == pytest.approx(12 / 9)
    assert found.speedup == pytest.approx(1.2)
    assert (found.overhead, found.overhead_from) == (0.25, "tokens")
    assert found.spawn_efficiency == 0.5  # back-a led to nothing
    assert (found.agents, found.events, dict(found.tainted)) == (3, 9, {})
    assert findings(parse_trace(two_workers())) == ()


def test_untrusted_content_is_followed_to_the_calls_it_could_steer():
    assert tainted_calls(parse_trace(two_workers(trusted=False))) == {"call": "page"}
    value = two_workers(trusted=False)
    value["edges"] = [e for e in value["edges"] if e["src"] != "page"] + [
        {"src": "page", "dst": "call", "type": "temporal"}
    ]
    assert tainted_calls(parse_trace(value)) == {}


def test_without_tokens_or_times_figures_say_so():
    found = trace_figures(parse_trace(made([event("a", 0), event("b", 0, "aggregate")])))
    assert (found.parallelism, found.speedup, found.spawn_efficiency) == (None, None, None)
    assert (found.overhead, found.overhead_from) == (0.5, "events")


def random_trace(seed):
    rng = np.random.default_rng(seed)
    count = 14
    kinds = rng.choice(["message", "tool_call", "tool_result"], count)
    times = np.sort(rng.uniform(0, 50, count))
    events = [
        event(f"e{i}", float(times[i]), str(kinds[i]), f"agent{rng.integers(4)}", trusted=bool(rng.random() > 0.15))
        for i in range(count)
    ]
    types = ["causal", "message", "temporal", "tool_dependency"]
    edges = [
        (f"e{i}", f"e{j}", str(rng.choice(types)))
        for i, j in itertools.combinations(range(count), 2)
        if rng.random() < 0.12
    ]
    return made(events, edges, clock=60)


@pytest.mark.parametrize("seed", range(25))
def test_reach_and_critical_path_agree_with_networkx(seed):
    value = random_trace(seed)
    trace, graph = parse_trace(value), networkx.DiGraph()
    graph.add_nodes_from(one["id"] for one in value["events"])
    graph.add_edges_from((e["src"], e["dst"]) for e in value["edges"] if e["type"] != "temporal")
    untrusted = [one["id"] for one in value["events"] if not one["trusted"]]
    reached = set(untrusted).union(*(networkx.descendants(graph, name) for name in untrusted))
    calls = {one["id"] for one in value["events"] if one["type"] == "tool_call"}
    found = tainted_calls(trace)
    assert set(found) == reached & calls
    assert all(networkx.has_path(graph, source, call) for call, source in found.items())

    figures = trace_figures(trace)
    agent = {one["id"]: one["agent"] for one in value["events"]}
    at = {one["id"]: one["t"] for one in value["events"]}
    for name in sorted(set(agent.values())):
        own = sorted((one for one in agent if agent[one] == name), key=at.get)
        networkx.add_path(graph, own)
    lasts = dict.fromkeys(agent, 0.0)
    for one in agent:
        own_later = [at[other] for other in agent if agent[other] == agent[one] and at[other] > at[one]]
        handed = [
            at[e["dst"]]
            for e in value["edges"]
            if e["src"] == one and e["type"] != "temporal" and agent[e["dst"]] != agent[one]
        ]
        if own_later:
            lasts[one] = min(own_later + handed) - at[one]
    assert figures.work_s == pytest.approx(sum(lasts.values()))
    for first, second in graph.edges:
        graph[first][second]["weight"] = lasts[first]
    longest = networkx.dag_longest_path_length(graph)
    assert figures.critical_s == pytest.approx(longest)  # the last event of a chain lasts no time or is counted in it
    assert figures.critical_s <= max(at.values()) - min(at.values()) + 1e-9


def rules(value):
    return {one.rule for one in findings(parse_trace(value))}


def changed(change):
    value = copy.deepcopy(two_workers())
    change(value)
    return value


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda v: v["events"].append(event("plan", 11)), "unique"),
        (lambda v: v["edges"].append({"src": "end", "dst": "nowhere", "type": "causal"}), "known"),
        (lambda v: v["edges"].append({"src": "call", "dst": "page", "type": "causal"}), "acyclic"),
        (lambda v: v["edges"].append({"src": "end", "dst": "plan", "type": "message"}), "in time"),
        (lambda v: v["events"].append(event("back-c", 8, "return", "c")), "return"),
        (lambda v: v["events"].append(event("end-2", 12, "aggregate")), "final"),
        (lambda v: v["events"].pop(), "final"),
    ],
)
def test_each_rule_finds_what_breaks_it(change, rule):
    assert rules(two_workers()) == set()
    assert rule in rules(changed(change))


def test_figures_of_a_broken_trace_are_refused():
    for change in (
        lambda v: v["events"].append(event("plan", 11)),
        lambda v: v["edges"].append({"src": "call", "dst": "page", "type": "causal"}),
    ):
        with pytest.raises(DataError, match=r"one id|circle"):
            trace_figures(parse_trace(changed(change)))


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v.pop("costs"),
        lambda v: v.update(extra=1),
        lambda v: v.update(events=[]),
        lambda v: v.update(topology="ring"),
        lambda v: v["events"][0].update(type="thought"),
        lambda v: v["events"][0].update(t=-1),
        lambda v: v["events"][0].update(t=math.nan),
        lambda v: v["events"][0].update(id=""),
        lambda v: v["edges"][0].update(weight=2),
        lambda v: v["costs"].update(tokens=-5),
        lambda v: v["costs"].update(money=math.inf),
    ],
)
def test_another_form_is_refused(change):
    with pytest.raises(DataError):
        parse_trace(changed(change))


@pytest.mark.parametrize("value", [None, [], "trace", 3, {}])
def test_other_values_are_refused(value):
    with pytest.raises(DataError):
        parse_trace(value)


def test_files_are_read_and_the_bad_line_is_named(tmp_path):
    (tmp_path / "one.json").write_text(json.dumps(two_workers()))
    (tmp_path / "two.jsonl").write_text((json.dumps(two_workers()) + "\n") * 2)
    assert len(read_traces([tmp_path / "one.json", tmp_path / "two.jsonl"])) == 3
    (tmp_path / "two.jsonl").write_text(json.dumps(two_workers()) + "\n{broken\n")
    with pytest.raises(DataError) as caught:
        read_traces([tmp_path / "two.jsonl"])
    assert caught.value.where.endswith("two.jsonl:2")
    with pytest.raises(DataError):
        read_traces([tmp_path / "none.json"])


def test_a_chain_of_thousands_is_no_recursion():
    events = [event(f"e{i}", i, "tool_call", trusted=i > 0) for i in range(5000)]
    found = trace_figures(parse_trace(made(events, [(f"e{i}", f"e{i + 1}", "causal") for i in range(4999)])))
    assert found.critical_s == 4999
    assert len(found.tainted) == 5000


def glove(kept):
    """Pairs of one left (a, b) and right (c) glove are worth 1, d always adds 2, and e and a together add 0.5."""
    return float(bool({"a", "b"} & kept) and "c" in kept) + 2 * ("d" in kept) + 0.5 * ({"a", "e"} <= kept)


def exact(units, reward):
    orders = list(itertools.permutations(units))
    return {
        unit: sum(reward(frozenset(o[: o.index(unit) + 1])) - reward(frozenset(o[: o.index(unit)])) for o in orders)
        / len(orders)
        for unit in units
    }


def test_shapley_values_near_those_of_all_orders_and_adding_up():
    units = ["a", "b", "c", "d", "e"]
    found, expected = shapley(units, glove, permutations=600, seed=3), exact(units, glove)
    for unit in units:
        assert abs(found.values[unit] - expected[unit]) <= 4 * found.standard_errors[unit] + 1e-12
    assert sum(found.values.values()) == pytest.approx(glove(frozenset(units)) - glove(frozenset()))
    assert found.values["d"] == pytest.approx(2.0)
    assert found.standard_errors["d"] == pytest.approx(0.0, abs=1e-12)
    assert shapley(units, glove, seed=3) == shapley(units, glove, seed=3)


def test_leaving_one_out_finds_the_decisive_message_and_no_other():
    rng = np.random.default_rng(0)
    for _ in range(50):
        units = [f"m{i}" for i in range(8)]
        decisive = str(rng.choice(units))
        credit = leave_one_out(units, lambda kept, d=decisive: float(d in kept))
        assert max(credit, key=credit.get) == decisive
        assert sorted(credit.values()) == [0.0] * 7 + [1.0]


def test_credit_refuses_what_has_no_meaning():
    with pytest.raises(DataError):
        shapley([], glove)
    with pytest.raises(DataError):
        leave_one_out(["a", "a"], glove)
    for permutations in (0, 1, 3):
        with pytest.raises(RangeError):
            shapley(["a"], glove, permutations=permutations)
    with pytest.raises(NumericalError):
        leave_one_out(["a"], lambda kept: math.nan)
