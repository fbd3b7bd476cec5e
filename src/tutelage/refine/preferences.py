"""From prompts and checks to preferences: sample several answers, count what each meets, rank them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tutelage.errors import ConfigError, DataError, RangeError
from tutelage.io import write_json, write_jsonl
from tutelage.refine.calls import engine_identity
from tutelage.seeds import derive
from tutelage.types import Chat, Engine, Message, Row, Sampling
from tutelage.verify import get
from tutelage.verify.satisfaction import Constraint, CsrTable, Response, constraint_of, csr

__all__ = [
    "Asked",
    "PreferenceSet",
    "Sampler",
    "build_preferences",
    "constraints_from",
    "engine_sampler",
    "preferences_from",
    "write_preferences",
]

_ROUNDING = 1e-9  # of weighted means

Sampler = Callable[[Sequence[Chat], int, int], Sequence[Sequence[str]]]
"""(prompts, m, seed) to m answers of each prompt."""


@dataclass(frozen=True)
class Asked:
    """A prompt to be answered: id, chat, and the reference that checks may look at."""

    id: str
    prompt: Sequence[Message]
    reference: str | None = None


@dataclass(frozen=True)
class PreferenceSet:
    """What was learnt about the sampled answers.

    Attributes:
        pairs: rows ``id, prompt, chosen, rejected`` in TRL's conversational form, with ``chosen_score`` and
            ``rejected_score``: the best and the worst answer of each prompt.
        lists: rows ``id, prompt, responses, scores`` with all different answers, best first.
        dropped: (prompt id, reason): all answers alike, or none better than the others by more than the gap.
        table: what every answer met of every constraint.
        provenance: how the set came about.
    """

    pairs: list[dict[str, Any]]
    lists: list[dict[str, Any]]
    dropped: list[tuple[str, str]]
    table: CsrTable
    provenance: Mapping[str, Any] = field(default_factory=dict)


def build_preferences(
    prompts: Sequence[Asked],
    sampler: Sampler,
    verifiers: Sequence[Constraint] | Mapping[str, Sequence[Constraint]],
    m: int = 6,
    min_gap: float = 0.0,
    *,
    seed: int = 0,
    groups: Callable[[Sequence[Response]], Sequence[Sequence[str]]] | None = None,
) -> PreferenceSet:
    """Sample ``m`` answers of each prompt and order them by the share of constraints they meet.

    An answer that was sampled twice counts once. A prompt whose best and worst answer do not differ by more than
    ``min_gap`` is a tie and is dropped.

    Args:
        prompts: with ids that are unique.
        sampler: gives the answers; see :func:`engine_sampler`.
        verifiers: the constraints of all prompts, or of each by its id.
        m: answers a prompt, at least 2. The paper does not say how many; 4 to 8 are usual.
        min_gap: difference in rate between best and worst above which a prompt is kept; 0 keeps all but ties.
        seed: of the sampler.
        groups: ids of answers that constraints on sets look at together; None puts the answers of one place in the
            order of sampling together (the first answers of all prompts, the second, ...).

    Raises:
        RangeError: fewer than two answers, or a gap outside [0, 1).
        DataError: an id stands twice, or the sampler gave another number of answers.

    Source: ACT (arXiv 2403.06326); m, deduplication and gap are inferred.

    Example:
        >>> from tutelage.verify.satisfaction import verifier
        >>> short = verifier("y", name="short")(lambda text: len(text) < 4)
        >>> ask = Asked("q", [{"role": "user", "content": "Hello?"}])
        >>> found = build_preferences([ask], lambda prompts, m, seed: [["yes", "certainly"]], [short], m=2)
        >>> [(row["chosen"][0]["content"], row["rejected"][0]["content"]) for row in found.pairs]
        [('yes', 'certainly')]
    """
    if m < 2 or not 0.0 <= min_gap < 1.0:
        raise RangeError(f"m is {m} and min_gap {min_gap}", hint="at least 2 answers, and a gap in [0, 1)")
    if len({one.id for one in prompts}) != len(prompts):
        raise DataError("a prompt id stands twice")
    said = sampler([one.prompt for one in prompts], m, seed)
    if len(said) != len(prompts) or any(len(some) != m for some in said):
        raise DataError(f"the sampler did not give {m} answers to each of {len(prompts)} prompts")
    responses = [
        Response(f"{one.id}#{k}", one.prompt, text, one.reference, one.id)
        for one, some in zip(prompts, said, strict=True)
        for k, text in enumerate(some)
    ]
    slots = [[f"{one.id}#{k}" for one in prompts] for k in range(m)]
    table = csr(responses, verifiers, groups=slots if groups is None else groups(responses))
    pairs, lists, dropped = [], [], []
    for place, one in enumerate(prompts):
        rated = dict[str, float]()
        for k, text in enumerate(said[place]):
            rated.setdefault(text, float(table.rates[place * m + k]))
        ordered = sorted(rated.items(), key=lambda item: -item[1])  # stable: sampling order among equals
        gap = ordered[0][1] - ordered[-1][1]
        if gap <= min_gap + _ROUNDING:
            alike = "all answers are the same" if len(ordered) == 1 else f"the answers differ by {gap:g} only"
            dropped.append((one.id, alike))
            continue
        asked = [dict(turn) for turn in one.prompt]
        (best, high), (worst, low) = ordered[0], ordered[-1]
        pairs.append(
            {
                "id": one.id, "prompt": asked, "chosen": _turn(best), "rejected": _turn(worst),
                "chosen_score": high, "rejected_score": low,
            }
        )  # fmt: skip
        texts, scores = (list(column) for column in zip(*ordered, strict=True))
        lists.append({"id": one.id, "prompt": asked, "responses": texts, "scores": scores})
    provenance = {
        "method": "constraint satisfaction", "paper": "https://arxiv.org/abs/2403.06326", "responses": m,
        "min_gap": min_gap, "seed": seed, "constraints": list(table.names), "prompts": len(prompts),
        "kept": len(pairs), "errors": len(table.errors), "constant": list(table.constant),
    }  # fmt: skip
    return PreferenceSet(pairs, lists, dropped, table, provenance)


def _turn(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def engine_sampler(engine: Engine, sampling: Sampling | None = None) -> Sampler:
    """Answers of an engine, by default at temperature 1 and without truncation.

    Raises:
        RangeError: greedy decoding, which gives one answer m times.
    """
    settings = sampling or Sampling()
    if settings.temperature <= 0:
        raise RangeError("greedy decoding gives the same answer every time", hint="a temperature above 0, such as 1")

    def sampler(prompts: Sequence[Chat], m: int, seed: int) -> list[list[str]]:
        drawn = engine.generate(prompts, sampling=settings, n=m, seed=derive(seed, "preferences"))
        return [[one.text for one in some] for some in drawn]

    return sampler


def constraints_from(wanted: Iterable[str | Mapping[str, Any]]) -> list[Constraint]:
    """Constraints as they stand in a configuration: a name, or a mapping with ``name`` and parameters.

    ``weight`` is the constraint's weight and ``as`` its name in tables, so that one verifier may be used twice; both
    may be left out.

    Raises:
        ConfigError: no constraint, a mapping without a name, or wrong parameters.
        RegistryError: no such verifier.

    Example:
        >>> [one.name for one in constraints_from(["json", {"name": "words", "most": 5}])]
        ['json', 'words']
    """
    found = []
    for one in wanted:
        given: dict[str, Any] = {"name": one} if isinstance(one, str) else dict(one)
        if not isinstance(given.get("name"), str):
            raise ConfigError("a constraint needs a name", hint=f"got {sorted(given)}")
        name, weight, shown = given.pop("name"), given.pop("weight", 1.0), given.pop("as", None)
        found.append(constraint_of(shown or name, get(name, **given), weight=weight))
    if not found:
        raise ConfigError("at least one constraint is needed", hint="such as 'json' or {name = 'words', most = 50}")
    return found


def preferences_from(
    rows: Sequence[Row],
    engine: Engine,
    constraints: Iterable[str | Mapping[str, Any]],
    *,
    m: int = 6,
    min_gap: float = 0.0,
    sampling: Sampling | None = None,
    seed: int = 0,
) -> PreferenceSet:
    """:func:`build_preferences` for rows of a data set and constraints of a configuration, sampled from an engine.

    Checks see the row's reference, or else its completion, as the reference.
    """
    asked = [Asked(row["id"], row["prompt"], _reference(row)) for row in rows]
    sampler, checks = engine_sampler(engine, sampling), constraints_from(constraints)
    found = build_preferences(asked, sampler, checks, m, min_gap, seed=seed)
    settings = asdict(sampling or Sampling())
    drawn = {"engine": engine_identity(engine), "sampling": {**settings, "stop": list(settings["stop"])}}
    return replace(found, provenance={**found.provenance, **drawn})


def _reference(row: Row) -> str | None:
    said = row["completion"][0]["content"] if row["completion"] else None
    return row.get("reference", said)


def write_preferences(found: PreferenceSet, folder: str | os.PathLike[str]) -> dict[str, int]:
    """Write ``pairs.jsonl``, ``lists.jsonl``, ``dropped.jsonl``, ``checks.jsonl`` and ``provenance.json``.

    Returns:
        How many rows each JSONL file has.

    Raises:
        StoreError: the disk is full or the folder cannot be written.
    """
    place = Path(folder)
    table = found.table
    checks = [
        {
            "id": owner, "csr": float(rate),
            "met": {name: float(v) for name, v in zip(table.names, values, strict=True) if v == v},
        }
        for owner, rate, values in zip(table.ids, table.rates, table.values, strict=True)
    ]  # fmt: skip
    dropped = [{"id": owner, "reason": reason} for owner, reason in found.dropped]
    files = {"pairs": found.pairs, "lists": found.lists, "dropped": dropped, "checks": checks}
    counts = {name: write_jsonl(place / f"{name}.jsonl", rows) for name, rows in files.items()}
    write_json(place / "provenance.json", {**found.provenance, "files": counts})
    return counts
