"""The model card: a README in the Hub's layout, from the same document as the page."""

from __future__ import annotations

import re
from typing import Any

import yaml

from tutelage.errors import ConfigError, nearest
from tutelage.report.document import ArmResult, DataFacts, Document, Measure
from tutelage.report.numbers import MISSING, change, count, known, level, number, p_value, scaled
from tutelage.report.untrusted import one_line, visible

__all__ = ["render"]

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&$@])")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_SCHEME = re.compile(r"\b(https?|ftp|mailto|javascript|data):", re.IGNORECASE)


def render(document: Document, *, arm: str | None = None) -> str:
    """A model card for one trained arm: front matter, gain and loss with intervals, data, command, limits.

    Nothing that a model said is on the card. Names, reasons and notes are escaped, and addresses are not links.

    Args:
        document: what the report says.
        arm: whose card; None for the arm that the run is about.

    Returns:
        Markdown with a YAML front matter.

    Raises:
        ConfigError: there is no such arm, or it is the base, which is not ours to describe.
    """
    names = [a.name for a in document.arms if a.name != "base"]
    wanted = arm or document.headline.method
    found = document.arm(wanted)
    if found is None or wanted == "base":
        close = nearest(wanted, names)
        hint = f"did you mean {close!r}?" if close else f"one of {', '.join(names) or 'none'}"
        raise ConfigError(f"no card for the arm {wanted!r}", where="arm", hint=hint)
    parts = [
        _front_matter(document, found),
        f"# {_plain(document.run.model.name, 80)}, tuned with {_plain(found.label, 40)}\n",
        _what(document, found),
        _table(document, found),
        _data(document.data),
        _licences(document),
        _again(document),
        _limits(document),
    ]
    return "\n".join(part for part in parts if part)


def _plain(text: str, limit: int = 300) -> str:
    """Untrusted text on one line that Markdown and HTML show as it stands."""
    escaped = _SPECIAL.sub(r"\\\1", one_line(text, limit)).replace("\\<", "&lt;").replace("\\>", "&gt;")
    return _SCHEME.sub(lambda m: f"{m[1]}&#58;", escaped.replace("\\&", "&amp;"))


def _fenced(text: str) -> str:
    """A code block that its content cannot close."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{visible(text).strip()}\n{fence}\n"


def _front_matter(document: Document, arm: ArmResult) -> str:
    model = document.run.model
    front: dict[str, Any] = {"library_name": "peft" if model.tuned == "lora" else "transformers"}
    if model.licence:
        front["license"] = one_line(model.licence, 40)
    if model.hub_id and _REPOSITORY.fullmatch(model.hub_id):
        front["base_model"] = model.hub_id
        front["base_model_relation"] = "adapter" if model.tuned == "lora" else "finetune"
    front["pipeline_tag"] = "text-generation"
    front["tags"] = ["tutelage", one_line(arm.name, 40)] + (["lora"] if model.tuned == "lora" else [])
    results = [_result(document, measure) for measure in (arm.domain, *arm.abilities)]
    if results := [result for result in results if result]:
        front["model-index"] = [{"name": one_line(f"{model.name} {arm.label}", 120), "results": results}]
    return f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---\n"


def _result(document: Document, measure: Measure) -> dict[str, Any] | None:
    if measure.estimate is None or not known(measure.estimate.value):
        return None
    source = document.data.source if document.data and measure.name == "domain" else measure.title
    return {
        "task": {"type": "text-generation"},
        "dataset": {"name": one_line(source, 80), "type": one_line(measure.name, 80)},
        "metrics": [{"type": "score", "name": one_line(measure.title, 80), "value": round(measure.estimate.value, 4)}],
    }


def _what(document: Document, arm: ArmResult) -> str:
    model = document.run.model
    kind = "A LoRA adapter for" if model.tuned == "lora" else "All weights of"
    lines = [f"{kind} **{_plain(model.name, 120)}**, trained with {_plain(arm.label, 40)}"]
    lines[0] += f": {_plain(arm.summary)}." if arm.summary else "."
    if model.revision:
        lines.append(f"Base revision `{_code(model.revision)}`.")
    if model.weights_hash:
        lines.append(f"Base weights, SHA-256 `{_code(model.weights_hash)}`.")
    if arm.name == document.headline.method:
        lines += ["", f"**{_plain(document.headline.sentence, 600)}**"]
        lines += [f"\nCaution: {_plain(text, 600)}" for text in document.headline.cautions]
    return "\n".join(lines) + "\n"


def _code(text: str) -> str:
    return one_line(text, 120).replace("`", "'")


def _table(document: Document, arm: ArmResult) -> str:
    base = document.arm("base")
    before = {m.name: m for m in _measures(base)} if base else {}
    rows = [
        "## Gain and loss\n",
        "Points out of 100 unless a unit is given, each with its interval. The change is against the base model on the "
        "same items.\n",
        "| | Base | This model | Change | p, adjusted | Items |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for measure in _measures(arm):
        digits = 1 if measure.unit == "points" else 3
        shown = [scaled(m.estimate, m.factor) if m else None for m in (before.get(measure.name), measure)]
        delta = measure.change if measure.name != "kl_to_base" else None
        name = _plain(measure.title, 60) + ("" if measure.unit == "points" else f" ({_plain(measure.unit, 30)})")
        told = change(scaled(delta.delta, measure.factor), digits) if delta else "–"
        items = count(measure.estimate.n) if measure.estimate else MISSING
        levels = " | ".join(level(estimate, digits) for estimate in shown)
        if measure.name == "kl_to_base":
            levels = f"– | {level(shown[1], digits)}"
        rows.append(f"| {name} | {levels} | {told} | {p_value(delta.p_adjusted) if delta else '–'} | {items} |")
    trivial = document.data.most_frequent_answer if document.data else None
    if trivial is not None and known(trivial):
        rows += ["", f"Always giving the most frequent answer scores {number(100 * trivial)} on the domain."]
    rows += ["", f"Metric of the domain: {_plain(document.headline.metric, 80)}."]
    return "\n".join(rows) + "\n"


def _measures(arm: ArmResult) -> list[Measure]:
    found = (arm.domain, arm.general, *arm.abilities, arm.text_nll, arm.kl_to_base)
    return [measure for measure in found if measure is not None]


def _data(data: DataFacts | None) -> str:
    if data is None:
        return f"## Training data\n\n{MISSING}\n"
    rejected = ", ".join(f"{count(n)} × {_plain(reason, 160)}" for reason, n in data.rejected.items()) or "none"
    lines = [
        "## Training data\n",
        f"- Source: {_plain(data.source)}",
        f"- Rows: {count(data.rows_read)} read, {count(data.train_rows)} trained on, {count(data.test_rows)} tested on",
        f"- Set aside: {rejected}",
        f"- Train/test overlap: {count(data.overlap_exact)} exact, {count(data.overlap_near)} near; "
        f"{count(data.overlap_removed)} removed from training",
    ]
    if data.source_hash:
        lines.append(f"- SHA-256 of the source: `{_code(data.source_hash)}`")
    return "\n".join(lines) + "\n"


def _licences(document: Document) -> str:
    if not document.assets:
        return ""
    lines = ["## Licences of embedded data and models\n", "| Name | Used for | Licence | By |", "|---|---|---|---|"]
    for asset in document.assets:
        limits = (("evaluation only", asset.eval_only), ("non-commercial", asset.noncommercial))
        terms = ", ".join([_plain(asset.spdx, 60), *(word for word, holds in limits if holds)])
        cells = (asset.name, asset.use or asset.kind)
        by = _plain(asset.attribution, 200)
        lines.append(f"| {' | '.join(_plain(cell, 120) for cell in cells)} | {terms} | {by} |")
    return "\n".join(lines) + "\n"


def _again(document: Document) -> str:
    run = document.run
    versions = ", ".join(f"{_plain(name, 40)} {_plain(version, 40)}" for name, version in run.versions.items())
    seed = "not recorded" if run.seed is None else str(run.seed)
    told = f"Seed {seed}. Versions: {versions or 'not recorded'}. Started {_plain(run.created, 40)}.\n"
    return f"## Do it again\n\n{_fenced(run.command)}\n{told}"


def _limits(document: Document) -> str:
    lines = [
        "## Limits\n",
        "- One run with one seed. Small differences between methods can change with the seed.",
        "- General ability is a mean of a few public test sets; what they do not cover was not measured.",
        "- Safety, bias and languages other than those of the test sets were not measured.",
        "- What holds at this size says nothing about larger models.",
    ]
    lines += [f"- {_plain(note.text, 600)}" for note in document.notes]
    return "\n".join(lines) + "\n"
