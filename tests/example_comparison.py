"""A comparison as a real one would be: a support model before and after a fine-tune, on four tasks."""

from __future__ import annotations

from functools import cache

import numpy as np

from made_up_results import results, task
from tutelage.jobs.compare import CompareSettings, compare_results
from tutelage.jobs.gate import Gate, Rule
from tutelage.measure.results import MetricFacts, Results
from tutelage.report.comparison import ComparisonDocument

__all__ = ["GATE", "example", "systems"]

TOPICS = ("billing", "delivery", "returns", "account", "warranty", "gift cards")
QUESTIONS = (
    "A customer writes: “I was charged twice for order 48{n:02d}. When do I get the money back?” Which queue?",
    "The parcel for order 77{n:02d} has been at the depot in Leeds for nine days. Which queue is this for?",
    "“The lamp arrived with a cracked shade and I would like a new one, not a refund.” Which queue takes it?",
    "“I can't log in since I changed my e-mail address, the code never arrives.” Pick the queue.",
)
SUMS = "A baker sells {a} loaves in the morning and {b} in the afternoon, and {c} are left. How many did she bake?"
GATE = Gate(
    (
        Rule("support", "gain", name="the domain gains"),
        Rule(["arithmetic", "knowledge"], "no-loss", name="general abilities are kept", margin=0.02),
        Rule("support", "negative-flips", name="few answers break", most=0.03),
        Rule("support", "every-group", name="no queue is left behind", by="topic", margin=0.05),
    )
)


def _binary(rng: np.random.Generator, n: int, right: float, broke: float, mended: float) -> tuple[np.ndarray, ...]:
    old = (rng.random(n) < right).astype(float)
    draw = rng.random(n)
    new = np.where(old == 1, (draw >= broke).astype(float), (draw < mended).astype(float))
    return old, new


def _said(right: float, answer: str, wrong: str) -> str:
    return (
        f"The right queue is {answer}." if right else f"This belongs to {wrong}, I think, because of the order number."
    )


@cache
def systems(seed: int = 7, scale: int = 1) -> tuple[Results, Results]:
    """Old and new; ``scale`` multiplies the number of items."""
    rng = np.random.default_rng(seed)
    tables: tuple[list, list] = ([], [])
    n = 640 * scale
    old, new = _binary(rng, n, 0.58, 0.02, 0.4)
    topics = tuple(TOPICS[min(5, i % 11 // 2)] for i in range(n))
    prompts = tuple(QUESTIONS[i % 4].format(n=i % 100) for i in range(n))
    wrong = tuple(TOPICS[(i * 7 + 1) % 6] for i in range(n))
    for values, into in zip((old, new), tables, strict=True):
        said = tuple(_said(v, t, w) for v, t, w in zip(values, topics, wrong, strict=True))
        groups = {"topic": topics}
        into.append(
            task("support", values, metric="choice", prompts=prompts, targets=topics, outputs=said, groups=groups)
        )
    n = 412 * scale
    old, new = _binary(rng, n, 0.61, 0.16, 0.10)
    sums = [(3 + i % 47, 11 + i % 31, i % 9) for i in range(n)]
    prompts = tuple(SUMS.format(a=a, b=b, c=c) for a, b, c in sums)
    targets = tuple(str(sum(s)) for s in sums)
    for side, (values, into) in enumerate(zip((old, new), tables, strict=True)):
        said = tuple(
            (f"She baked {t} loaves." if side else f"{s[0]} + {s[1]} + {s[2]} = {t}. She baked {t} loaves.")
            if v
            else f"{s[0]} + {s[1]} = {s[0] + s[1]}. She baked {s[0] + s[1]} loaves."
            for v, s, t in zip(values, sums, targets, strict=True)
        )
        into.append(task("arithmetic", values, prompts=prompts, targets=targets, outputs=said))
    n = 900 * scale
    old, new = _binary(rng, n, 0.47, 0.07, 0.06)
    for values, into in zip((old, new), tables, strict=True):
        choice = tuple("BACD"[(i * 3) % 4] if v else "ABDC"[i % 4] for i, v in enumerate(values))
        into.append(task("knowledge", values, metric="acc", choices=choice))
    n = 200 * scale
    loss = rng.normal(2.9, 0.4, n)
    facts = MetricFacts(higher_is_better=False, unit="nats per token")
    for values, into in zip((loss, loss + rng.normal(0.03, 0.06, n)), tables, strict=True):
        into.append(task("text", values, metric="nll", facts=facts))
    facts = {"weights": "sha256:5f1c9a…", "suite": "support-3"}
    return results("support-v1", *tables[0], facts=facts), results("support-v2", *tables[1], facts=facts)


@cache
def example(seed: int = 7, scale: int = 1, gated: bool = True) -> ComparisonDocument:
    """The comparison of :func:`systems`."""
    old, new = systems(seed, scale)
    command = "tutelage compare results/support-v1 results/support-v2 --gate gate.toml --html comparison.html"
    settings = CompareSettings(smallest_effect=0.02)
    return compare_results(old, new, settings, GATE if gated else None, command=command)
