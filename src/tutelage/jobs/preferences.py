"""``tutelage refine --preferences``: from prompts and constraints to preference data in TRL's format."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tutelage.data import BadRow, Rejected, check_chat, row_id, write_rejected
from tutelage.data.rejected import excerpt
from tutelage.errors import ConfigError, DataError, TutelageError
from tutelage.io import file_sha256, read_jsonl
from tutelage.refine import (
    Asked,
    PreferenceSet,
    build_preferences,
    constraints_from,
    engine_identity,
    engine_sampler,
    write_preferences,
)
from tutelage.refine.kept_answers import resumable
from tutelage.types import Engine, Sampling
from tutelage.verify import Constraint

__all__ = ["PreferenceConfig", "preference_data"]


@dataclass(frozen=True)
class PreferenceConfig:
    """How answers are sampled and ranked; ACT (arXiv 2403.06326) does not give these numbers."""

    constraints: list[Any] = field(
        default_factory=list, metadata={"help": 'of all prompts: "json", {name = "words", most = 50}'}
    )
    answers: int = field(default=6, metadata={"help": "answers sampled for each prompt, at least 2"})
    min_gap: float = field(default=0.0, metadata={"help": "least difference in rate between best and worst"})
    temperature: float = field(default=1.0, metadata={"help": "of sampling, above 0"})
    max_new_tokens: int = field(default=128, metadata={"help": "longest answer"})

    def __post_init__(self) -> None:
        if self.answers < 2:
            raise ConfigError(f"answers is {self.answers}, there must be at least 2 to compare", where="answers")
        if not 0.0 <= self.min_gap < 1.0:
            raise ConfigError(f"min_gap is {self.min_gap}, it must lie in [0, 1)", where="min_gap")
        if self.temperature <= 0 or self.max_new_tokens < 1:
            raise ConfigError("temperature must be above 0 and max_new_tokens at least 1")


def preference_data(
    source: str, config: PreferenceConfig, engine: Engine, out: str | os.PathLike[str], *, seed: int = 0
) -> PreferenceSet:
    """Sample answers to every prompt of a file, count the constraints they meet, and write the pairs.

    A line holds ``prompt`` (text or messages that end with the user's) and may hold ``id``, ``reference``, which checks
    may look at, and ``constraints``, its own beside those of ``config``. A line that cannot be used goes to
    ``rejected.jsonl`` with its number and reason; the other files are those of
    :func:`tutelage.refine.write_preferences`, of which ``pairs.jsonl`` is for TRL. Answers are kept in ``work/`` as
    they come: the same call after a kill goes on with the rest.

    Raises:
        DataError: no line can be used.
        ConfigError: a constraint of ``config`` that does not exist or has wrong parameters.
        StoreError: the file cannot be read, or the folder not written.
    """
    shared = constraints_from(config.constraints) if config.constraints else []
    asked: list[Asked] = []
    checks: dict[str, list[Constraint]] = {}
    rejected: list[Rejected] = []
    for line in read_jsonl(source):
        try:
            one, own = _read(line.value, line.error)
            if one.id in checks:
                raise BadRow("duplicate", f"the id {one.id!r} stands twice")
            if not shared and not own:
                raise BadRow("no_constraints", "the row has no constraints, and none were given for all rows")
            checks[one.id] = [*shared, *own]
            asked.append(one)
        except BadRow as bad:
            rejected.append(Rejected(line.number, bad.code, bad.what, excerpt(repr(line.value))))
    write_rejected(Path(out) / "rejected.jsonl", rejected)
    if not asked:
        first = f"the first: line {rejected[0].line}, {rejected[0].detail}" if rejected else "it is empty"
        raise DataError(f"no prompt can be used; {first}", where=source, hint='rows like {"prompt": ..., "id": ...}')
    sampling = Sampling(config.max_new_tokens, config.temperature)
    who = engine_identity(engine)
    sampler = resumable(
        engine_sampler(engine, sampling), Path(out) / "work" / "answers.jsonl", identity=[who, asdict(sampling)]
    )
    found = build_preferences(asked, sampler, checks, config.answers, config.min_gap, seed=seed)
    told = {"engine": who, "source_sha256": file_sha256(source), "set_aside": len(rejected)}
    found = replace(found, provenance={**found.provenance, **told})
    write_preferences(found, out)
    return found


def _read(value: Any, error: str | None) -> tuple[Asked, list[Constraint]]:
    if error is not None or not isinstance(value, dict):
        raise BadRow("not_a_row", error or "a row must be an object with named columns")
    prompt = value.get("prompt")
    chat = check_chat([{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt)
    if chat[-1]["role"] != "user" or not chat[-1]["content"].strip():
        raise BadRow("empty_prompt", "the prompt must end with words of the user")
    reference, given = value.get("reference"), value.get("constraints", [])
    if reference is not None and not isinstance(reference, str):
        raise BadRow("wrong_type", "reference must be text")
    if not isinstance(given, list):
        raise BadRow("wrong_type", "constraints must be a list of names or objects with a name")
    try:
        own = constraints_from(given) if given else []
    except TutelageError as wrong:
        raise BadRow("wrong_constraint", wrong.what) from wrong
    return Asked(str(value.get("id") or row_id(chat, [])), chat, reference), own
