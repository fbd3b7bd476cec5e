"""From a finished run to its report: every number comes from the run's own files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tutelage import assets
from tutelage import config as configuration
from tutelage.io import read_jsonl, write_json, write_text
from tutelage.io.documents import read_json
from tutelage.jobs.compare_pair import Basis, Paired, compare_pair, pair_of
from tutelage.jobs.measuring import DOMAIN, Measurement
from tutelage.jobs.run_folder import RunFolder
from tutelage.jobs.tune_config import TuneConfig
from tutelage.jobs.tune_data import read_rows
from tutelage.measure import retention
from tutelage.measure.retention.generated import instruction_items, problems
from tutelage.measure.task import reference_of
from tutelage.models.loading import LoadedModel
from tutelage.report import card, html
from tutelage.report.document import (
    ArmCost,
    ArmResult,
    AssetUse,
    Cost,
    Curve,
    CurvePoint,
    DataFacts,
    Document,
    FlipCount,
    Measure,
    ModelFacts,
    Note,
    Phase,
    Refinement,
    RegressionCase,
    RegressionSuite,
    RunFacts,
    Setting,
    headline,
    to_json,
)
from tutelage.stats import adjust, estimate
from tutelage.training.methods import method
from tutelage.types import Comparison, Scores

__all__ = ["write_report"]

_WORST = 4
_UNITS = {"text_nll": "nats per token", "kl_to_base": "nats per token"}


def write_report(
    folder: RunFolder,
    config: TuneConfig,
    base: LoadedModel,
    measured: Mapping[str, Measurement],
    facts: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Write ``report.json``, ``report.html`` and the model card.

    Args:
        folder: the run.
        config: its resolved configuration.
        base: the model before tuning.
        measured: scores by arm, the base first.
        facts: what training each arm said of itself.

    Returns:
        The content of ``report.json``.
    """
    document = _document(folder, config, base, measured, facts)
    told = to_json(document)
    write_json(folder.path("report.json"), told)
    write_text(folder.path("report.html"), html.render(document))
    write_text(folder.path("model", "README.md"), card.render(document))
    return told


def _document(
    folder: RunFolder,
    config: TuneConfig,
    base: LoadedModel,
    measured: Mapping[str, Measurement],
    facts: Mapping[str, Mapping[str, Any]],
) -> Document:
    effect = config.measure.smallest_effect
    saved = {arm: f"arms/{arm}/model" for arm in config.arms} | {config.method: "model"}
    arms = tuple(_arm(name, m, measured["base"], effect, saved.get(name)) for name, m in measured.items())
    main = next(arm for arm in arms if arm.name == config.method)
    data = folder.phase("data", dict)
    trivial = data["most_frequent_answer"] if main.domain.unit == "points" else None
    return Document(
        run=_run_facts(folder, config, base, facts),
        headline=headline(
            config.method,
            measured[config.method].domain.metric,
            main.domain.change,
            main.general.change if main.general else None,
            after=main.domain.estimate,
            trivial=trivial,
        ),
        arms=arms,
        curves=_curves(folder, config),
        refinement=Refinement.of(folder.phase("refine", dict)) if folder.is_done("refine") else None,
        regressions=tuple(_regressions(folder, config, measured)),
        data=DataFacts.of(data),
        cost=_cost(folder, facts),
        assets=_assets(config, base, data),
        settings=_settings(folder, config),
        notes=_notes(base, data, facts),
    )


def _arm(name: str, measurement: Measurement, base: Measurement, effect: float, saved: str | None) -> ArmResult:
    """One row of the comparison; the abilities are one family, so their p values are adjusted together."""
    before = None if name == "base" else base
    abilities = [n for n in retention.COMPOSITE if n in measurement.scores]
    paired: dict[str, Paired] = {}
    changes: dict[str, Comparison] = {}
    if before is not None and abilities:
        paired = {n: _paired(before.scores[n], measurement.scores[n], effect) for n in abilities}
        changes = dict(zip(abilities, adjust([each.change for each in paired.values()]), strict=True))
    titles = {probe.name: probe.title for probe in retention.suite("smoke")}
    general = None
    if set(abilities) == set(retention.COMPOSITE):
        level = retention.general_ability_of(measurement.scores)
        change = None
        if before is not None:
            change = retention.general_ability(before.scores, measurement.scores, smallest_effect=effect)
        general = Measure("general", "General ability", level, change)
    return ArmResult(
        name=name,
        domain=_measure(DOMAIN, "Domain", measurement.domain, before.domain if before else None, effect),
        general=general,
        abilities=tuple(
            Measure(
                n,
                titles[n],
                estimate(measurement.scores[n]),
                changes.get(n),
                _flips(paired.get(n)),
            )
            for n in abilities
        ),
        text_nll=_extra("text_nll", "General text, loss", measurement, before),
        kl_to_base=_extra("kl_to_base", "Distance from the base", measurement, before),
        summary="" if name == "base" else method(name).summary,
        saved=saved,
    )


def _measure(name: str, title: str, scores: Scores, before: Scores | None, effect: float) -> Measure:
    paired = _paired(before, scores, effect) if before is not None else None
    return Measure(name, title, estimate(scores), paired.change if paired else None, _flips(paired))


def _extra(name: str, title: str, measurement: Measurement, before: Measurement | None) -> Measure | None:
    if name not in measurement.scores:
        return None
    scores = measurement.scores[name]
    change = _paired(before.scores[name], scores).change if before is not None and name in before.scores else None
    return Measure(name, title, estimate(scores), change, unit=_UNITS[name], higher_is_better=False)


def _paired(before: Scores, after: Scores, effect: float | None = None) -> Paired:
    """The same numbers that ``tutelage compare`` gives."""
    return compare_pair(pair_of(before, after), Basis(smallest_effect=effect))


def _flips(paired: Paired | None) -> FlipCount | None:
    if paired is None or paired.flips.basis == "graded":
        return None
    flips = paired.flips
    return FlipCount(len(flips.negative), len(flips.positive), flips.n, flips.negative_rate)


def _run_facts(
    folder: RunFolder, config: TuneConfig, base: LoadedModel, facts: Mapping[str, Mapping[str, Any]]
) -> RunFacts:
    run, machine = folder.facts, read_json(folder.path("environment.json"))
    versions = machine.pop("versions")
    return RunFacts(
        id=run["id"],
        command=run["command"],
        created=run["created"],
        model=ModelFacts(
            name=base.name,
            revision=base.revision,
            weights_hash=base.weights_hash,
            parameters=sum(p.numel() for p in base.model.parameters()),
            trainable=facts[config.method]["trainable_parameters"],
            tuned=config.model.tune,
            hub_id=base.name if base.source == "hub" else None,
            licence=str(assets.licence_report([base.name])[0]["spdx"]) if base.source == "asset" else None,
        ),
        seed=config.run.seed,
        seconds=sum(phase["seconds"] for phase in folder.phase_costs().values()),
        threads=machine.pop("threads", None),
        versions=versions,
        environment=machine,
    )


def _curves(folder: RunFolder, config: TuneConfig) -> tuple[Curve, ...]:
    points: dict[str, list[CurvePoint]] = {arm: [] for arm in config.arms}
    path = folder.path("metrics.jsonl")
    for line in read_jsonl(path) if path.is_file() else ():
        if line.error is None and line.value["arm"] in points:
            points[line.value["arm"]].append(CurvePoint.of(line.value))
    return tuple(Curve(arm, tuple(found)) for arm, found in points.items() if found)


def _regressions(
    folder: RunFolder, config: TuneConfig, measured: Mapping[str, Measurement]
) -> Iterable[RegressionSuite]:
    """The worst items of every suite with texts, for the main arm."""
    rows = {row["id"]: row for row in read_rows(folder.path("data", "test.jsonl"))}
    asked = {DOMAIN: {i: (row["prompt"][-1]["content"], reference_of(row)) for i, row in rows.items()}}
    if config.measure.retention != "off":
        size = retention.size_of(config.measure.retention)
        asked["instructions"] = {i.id: (i.prompt, "") for i in instruction_items(size.instructions)}
        asked["arithmetic"] = {p.id: (p.question, str(p.answer)) for p in problems(size.arithmetic)}
    base, tuned = measured["base"].scores, measured[config.method].scores
    for name, prompts in asked.items():
        if name not in base:
            continue
        before, after = base[name], tuned[name]
        drop = after.values - before.values
        order = [int(i) for i in np.argsort(drop, kind="stable") if drop[i] < 0]
        cases = tuple(
            RegressionCase(
                id=before.ids[i],
                prompt=prompts.get(before.ids[i], ("", ""))[0],
                before=before.outputs[i] if before.outputs else "",
                after=after.outputs[i] if after.outputs else "",
                score_before=float(before.values[i]),
                score_after=float(after.values[i]),
                reference=prompts.get(before.ids[i], ("", ""))[1] or None,
            )
            for i in order[:_WORST]
        )
        yield RegressionSuite(name, name.capitalize(), config.method, len(before.ids), len(order), cases)


def _cost(folder: RunFolder, facts: Mapping[str, Mapping[str, Any]]) -> Cost:
    phases = folder.phase_costs()
    return Cost(
        arms=tuple(ArmCost(arm, told["steps"], **told["cost"]) for arm, told in facts.items()),
        phases=tuple(Phase(name, **spent) for name, spent in phases.items()),
        peak_memory_mib=max((p["peak_memory_mib"] for p in phases.values()), default=None),
    )


def _assets(config: TuneConfig, base: LoadedModel, data: Mapping[str, Any]) -> tuple[AssetUse, ...]:
    used = {base.name: "the model"} if base.source == "asset" else {}
    used |= dict.fromkeys(data["assets"], "training and test rows")
    if config.measure.retention != "off":
        used |= {name: "measuring what is kept" for name in retention.ASSETS if name not in used}
    known = {asset.name for asset in assets.catalogue()}
    if config.refine_answers and config.refine.encoder in known:
        used.setdefault(config.refine.encoder, "comparing answers")
    return tuple(AssetUse.of(record, used[str(record["name"])]) for record in assets.licence_report(sorted(used)))


def _settings(folder: RunFolder, config: TuneConfig) -> tuple[Setting, ...]:
    origins = read_json(folder.path("origins.json"))
    flat = _flatten(configuration.to_dict(config))
    return tuple(Setting(key, str(value), origins.get(key, "default")) for key, value in flat)


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _notes(base: LoadedModel, data: Mapping[str, Any], facts: Mapping[str, Mapping[str, Any]]) -> tuple[Note, ...]:
    notes = [Note(text, "note") for text in (*base.notes, *data["notes"])]
    if data["overlap_exact"] or data["overlap_near"]:
        found = f"{data['overlap_exact']} training rows stood in the test split, {data['overlap_near']} nearly so"
        notes.append(Note(f"{found}; {data['overlap_removed']} were removed from training.", "note"))
    for arm, told in facts.items():
        if told.get("options"):
            notes.append(Note(f"{arm} was trained with {told['options']}; the arms beside it were not.", "note"))
        if told["context_truncated"]:
            notes.append(Note(f"{arm}: {told['context_truncated']} references were cut to fit the teacher's window."))
        notes += [Note(f"{arm}: {text}") for text in told["damaged_checkpoints"]]
    return tuple(notes)
