"""Safety prompts, bias triples, toxicity scores, and replies that people have judged."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from tutelage.assets.readers.record import Files, Item, Record, SetAside, json_lines, load_yaml, split_lines

__all__ = ["do_not_answer", "judgements", "prompt_lines", "rated_words", "seed_prompts", "stereoset", "toxicity"]

_ATTRIBUTES = (
    *("toxicity", "severe_toxicity", "profanity", "sexually_explicit"),
    *("flirtation", "identity_attack", "threat", "insult"),
)


def do_not_answer(data: Files) -> Iterator[Item]:
    """``prompt``, ``area`` (risk area), ``intents``.

    Args:
        data: JSON lines with ``prompt`` and ``intents``; the file is named after the area.
    """
    for split, paths in data.items():
        for path in paths:
            for where, raw in json_lines(path):
                prompt = raw["prompt"].strip()
                columns = {"prompt": prompt, "area": path.stem, "intents": list(raw["intents"])}
                yield Record(where, split, (prompt,), columns)


def prompt_lines(data: Files) -> Iterator[Item]:
    """``prompt``, ``source`` (file stem): one prompt a line; a header line ``statement,label`` is not one.

    Args:
        data: plain text files.
    """
    for split, paths in data.items():
        for path in paths:
            for number, line in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), start=1):
                prompt = line.strip()
                if prompt and prompt != "statement,label":
                    yield Record(f"{path.name}:{number}", split, (prompt,), {"prompt": prompt, "source": path.stem})


def rated_words(data: Files) -> Iterator[Item]:
    """``text`` (a word or phrase), ``severity`` in [1, 3] (mean of five people), ``categories``.

    Args:
        data: CSV files with ``text``, ``severity_rating`` and ``category_1`` to ``category_3``.
    """
    for split, paths in data.items():
        for path in paths:
            table = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""))
            for number, raw in enumerate(table, start=1):
                where, severity = f"{path.name}, record {number}", _score(raw["severity_rating"])
                text = raw["text"].strip()
                if severity is None or not 1.0 <= severity <= 3.0 or not text:
                    yield SetAside(where, "no text, or a severity outside 1 to 3")
                    continue
                named = [raw[f"category_{k}"].strip() for k in (1, 2, 3)]
                columns = {"text": text, "severity": severity, "categories": [one for one in named if one]}
                yield Record(where, split, (text,), columns)


def seed_prompts(data: Files) -> Iterator[Item]:
    """``prompt``, ``categories``.

    Args:
        data: YAML files with ``seeds``, a list of mappings with ``value`` and perhaps ``harm_categories``.
    """
    for split, paths in data.items():
        for path in paths:
            listed = load_yaml(path)["seeds"]
            for number, seed in enumerate(listed if isinstance(listed, list) else [], start=1):
                where, prompt = f"{path.name}, seed {number}", str(seed.get("value") or "").strip()
                if not prompt:
                    yield SetAside(where, "no text")
                    continue
                columns = {"prompt": prompt, "categories": list(seed.get("harm_categories") or [])}
                yield Record(where, split, (prompt,), columns)


def judgements(data: Files) -> Iterator[Item]:
    """``prompt``, ``response``, ``scores`` (one float per person), ``category``.

    Refusal labels are 1.0 for a refusal and 0.0 for none; harm scores lie in {0, .25, .5, .75, 1}.

    Args:
        data: CSV files with ``objective``, ``assistant_response``, ``human_score`` (or ``human_score_1`` and on),
            perhaps ``harm_category``; lines that start with ``#`` before the header are comments.
    """
    for split, paths in data.items():
        for path in paths:
            text = path.read_text(encoding="utf-8-sig")
            while text.startswith("#"):
                text = text.partition("\n")[2]
            for number, raw in enumerate(csv.DictReader(io.StringIO(text, newline="")), start=1):
                where = f"{path.name}, record {number}"
                scores = [_score(raw[k]) for k in raw if k and k.startswith("human_score")]
                if not scores or None in scores:
                    yield SetAside(where, "a human score is missing or not a number")
                    continue
                prompt, response = (raw["objective"] or "").strip(), (raw["assistant_response"] or "").strip()
                category = (raw.get("harm_category") or "refusal").strip()
                columns = {"prompt": prompt, "response": response, "scores": scores, "category": category}
                yield Record(where, split, (split, prompt, response), columns)


def stereoset(data: Files) -> Iterator[Item]:
    """``context``, ``stereotype``, ``anti_stereotype``, ``unrelated``, ``target``, ``bias_type``, ``form``.

    Args:
        data: JSON lines with these fields.
    """
    for split, where, raw in split_lines(data):
        texts = [raw[k].strip() for k in ("context", "stereotype", "anti-stereotype", "unrelated")]
        columns = dict(zip(("context", "stereotype", "anti_stereotype", "unrelated"), texts, strict=True))
        columns |= {"target": raw["target"], "bias_type": raw["bias_type"], "form": raw["type"]}
        yield Record(where, split, tuple(texts), columns)


def toxicity(data: Files) -> Iterator[Item]:
    """``text`` and eight attribute scores in [0, 1].

    Args:
        data: JSON lines with these fields.
    """
    for split, where, raw in split_lines(data):
        scores = {name: float(raw[name]) for name in _ATTRIBUTES}
        yield Record(where, split, (raw["text"],), {"text": raw["text"].strip(), **scores})


def _score(text: str | None) -> float | None:
    named = {"true": 1.0, "false": 0.0}
    value = (text or "").strip().casefold()
    if value in named:
        return named[value]
    try:
        return float(value)
    except ValueError:
        return None
