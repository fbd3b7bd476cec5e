"""Free text: passages, summaries, questions with open answers, arithmetic problems, chats, definitions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from tutelage.assets.readers.record import Files, Item, SetAside, identify, json_lines

__all__ = [
    "asdiv",
    "chat_sample",
    "conversations",
    "ifbench",
    "instruction_pairs",
    "open_answers",
    "passages",
    "summary_pairs",
    "wordnet",
    "xsum",
]

_NUMBER = re.compile(r"\s*\$?(-?\d[\d,]*(?:\.\d+)?|-?\.\d+)\s*(%|[A-Za-z][^\d]*)?\.?\s*")


def load_yaml(path: Path) -> dict[str, object]:
    """A mapping from a YAML file, plain values only.

    Raises:
        ValueError: it is not YAML, or not a mapping.
    """
    try:
        value = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise ValueError(f"{path.name}: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path.name} is not a mapping")
    return value


def asdiv(data: Files) -> Iterator[Item]:
    """``question`` (story and question), ``answer`` (float), ``answer_text``, ``unit``.

    Problems whose answer is not one number (a name, a time, a ratio, several numbers) are set aside.

    Args:
        data: JSON lines with ``passage``, ``question``, ``answer``.
    """
    for split, paths in data.items():
        for where, raw in (line for path in paths for line in json_lines(path)):
            question = f"{raw['passage'].strip()} {raw['question'].strip()}".strip()
            match = _NUMBER.fullmatch(raw["answer"])
            if match is None or ";" in raw["answer"]:
                yield SetAside(where, f"the answer is not one number: {raw['answer']!r}")
                continue
            yield {
                "id": identify(question),
                "split": split,
                "question": question,
                "answer": float(match[1].replace(",", "")),
                "answer_text": raw["answer"].strip(),
                "unit": (match[2] or "").strip(),
            }


def xsum(data: Files) -> Iterator[Item]:
    """``document``, ``summary``, ``source_id``.

    Args:
        data: JSON lines with ``id``, ``document``, ``summary``.
    """
    for split, paths in data.items():
        for where, raw in (line for path in paths for line in json_lines(path)):
            if not raw["document"].strip() or not raw["summary"].strip():
                yield SetAside(where, "the document or the summary is empty")
                continue
            yield {
                "id": identify(raw["document"]),
                "split": split,
                "document": raw["document"].strip(),
                "summary": raw["summary"].strip(),
                "source_id": str(raw["id"]),
            }


def summary_pairs(data: Files) -> Iterator[Item]:
    """``document``, ``chosen`` (faithful), ``rejected`` (not faithful).

    Args:
        data: JSON lines with ``article_sent``, ``correct_sent``, ``incorrect_sent``.
    """
    for split, paths in data.items():
        for where, raw in (line for path in paths for line in json_lines(path)):
            document, right, wrong = (raw[k].strip() for k in ("article_sent", "correct_sent", "incorrect_sent"))
            if identify(right) == identify(wrong):
                yield SetAside(where, "the faithful and the unfaithful summary are the same text")
                continue
            key = identify(document, right, wrong)
            yield {"id": key, "split": split, "document": document, "chosen": right, "rejected": wrong}


def open_answers(data: Files) -> Iterator[Item]:
    """``question``, ``answers`` (list of str, all of them right).

    Args:
        data: JSON lines with ``question`` and ``answer`` (list of str).
    """
    for split, paths in data.items():
        for where, raw in (line for path in paths for line in json_lines(path)):
            answers = [a.strip() for a in raw["answer"] if a.strip()]
            if not answers:
                yield SetAside(where, "no answer")
                continue
            question = raw["question"].strip()
            yield {"id": identify(question), "split": split, "question": question, "answers": answers}


def ifbench(data: Files) -> Iterator[Item]:
    """``prompt``, ``instruction_id_list``, ``kwargs`` (one mapping per instruction, nulls left out), ``key``.

    Args:
        data: JSON lines with these fields.
    """
    for split, paths in data.items():
        for _, raw in (line for path in paths for line in json_lines(path)):
            yield {
                "id": identify(raw["prompt"]),
                "split": split,
                "prompt": raw["prompt"].strip(),
                "instruction_id_list": list(raw["instruction_id_list"]),
                "kwargs": [{k: v for k, v in kw.items() if v is not None} for kw in raw["kwargs"]],
                "key": str(raw["key"]),
            }


def conversations(data: Files) -> Iterator[Item]:
    """``prompt``, ``response`` (the first reply), ``replies`` (all), ``topic``.

    The lists hold an opening line and the replies to it, mostly alternatives, sometimes the turns that follow; only
    the first pair is a safe example of question and answer.

    Args:
        data: YAML files with ``conversations``, a list of lists of lines.
    """
    for path in (path for paths in data.values() for path in paths):
        listed = load_yaml(path)["conversations"]
        for number, turns in enumerate(listed if isinstance(listed, list) else [], start=1):
            lines = [str(turn).strip() for turn in turns or [] if turn is not None and str(turn).strip()]
            if len(lines) < 2:
                yield SetAside(f"{path.name}, conversation {number}", "fewer than two lines")
                continue
            key = identify(lines[0], lines[1])
            yield {
                "id": key,
                "split": "all",
                "prompt": lines[0],
                "response": lines[1],
                "replies": lines[1:],
                "topic": path.stem,
                "group": identify(lines[0]),
            }


def passages(data: Files) -> Iterator[Item]:
    """``text``: field ``0`` of each line; the other fields are variants of the same text.

    Args:
        data: JSON lines with ``0``.
    """
    for split, paths in data.items():
        for _, raw in (line for path in paths for line in json_lines(path)):
            yield {"id": identify(raw["0"]), "split": split, "text": raw["0"].strip()}


def chat_sample(data: Files) -> Iterator[Item]:
    """``system``, ``prompt`` (the last user turn), ``answer``.

    A stray quote or bracket that the source leaves at the end of a prompt is taken off.

    Args:
        data: JSON lines with ``input`` (messages) and ``ideal`` (str).
    """
    for split, paths in data.items():
        for where, raw in (line for path in paths for line in json_lines(path)):
            answer = raw["ideal"].strip() if isinstance(raw["ideal"], str) else ""
            if not answer:
                yield SetAside(where, "no single answer")
                continue
            system = " ".join(m["content"] for m in raw["input"] if m["role"] == "system").strip()
            prompt = raw["input"][-1]["content"].strip()
            if prompt.count("'") == 1:
                prompt = prompt.removesuffix("'")
            key = identify(prompt, answer)
            yield {"id": key, "split": split, "system": system, "prompt": prompt, "answer": answer}


def instruction_pairs(data: Files) -> Iterator[Item]:
    """``prompt``, ``response``, ``source``; the multiple-choice rows among them are set aside.

    Args:
        data: JSON lines with ``task_prompt``, ``task_output``, ``task_type``.
    """
    for split, paths in data.items():
        for where, raw in (line for path in paths for line in json_lines(path)):
            prompt, response, source = (raw[k].strip() for k in ("task_prompt", "task_output", "task_type"))
            if source.endswith("mmlu") or not prompt or not response:
                yield SetAside(where, f"not an instruction pair ({source})")
                continue
            yield {"id": identify(prompt), "split": split, "prompt": prompt, "response": response, "source": source}


def wordnet(data: Files) -> Iterator[Item]:
    """``word``, ``words``, ``gloss`` (definition), ``examples``, ``category`` (such as ``noun.animal``), ``synset``.

    Split = part of speech.

    Args:
        data: WordNet ``data.*`` files by part of speech.
    """
    for split, paths in data.items():
        for path in paths:
            with path.open(encoding="utf-8") as stream:
                for line in stream:
                    if not line.startswith("  "):
                        yield _synset(split, line)


def _synset(split: str, line: str) -> Item:
    left, _, gloss = line.rstrip("\n").partition(" | ")
    fields = left.split(" ")
    count = int(fields[3], 16)
    words = [re.sub(r"\((?:p|a|ip)\)$", "", w).replace("_", " ") for w in fields[4 : 4 + 2 * count : 2]]
    definition, *rest = gloss.strip().split('; "')
    synset = f"{fields[2]}{fields[0]}"
    return {
        "id": identify(synset, gloss),
        "split": split,
        "word": words[0],
        "words": words,
        "gloss": definition.strip().rstrip(";").strip(),
        "examples": [part.strip().strip('";').strip() for part in rest],
        "category": CATEGORIES[int(fields[1])],
        "synset": synset,
        "group": synset,
    }


CATEGORIES = (
    *("adj.all", "adj.pert", "adv.all", "noun.Tops", "noun.act", "noun.animal", "noun.artifact", "noun.attribute"),
    *("noun.body", "noun.cognition", "noun.communication", "noun.event", "noun.feeling", "noun.food", "noun.group"),
    *("noun.location", "noun.motive", "noun.object", "noun.person", "noun.phenomenon", "noun.plant"),
    *("noun.possession", "noun.process", "noun.quantity", "noun.relation", "noun.shape", "noun.state"),
    *("noun.substance", "noun.time", "verb.body", "verb.change", "verb.cognition", "verb.communication"),
    *("verb.competition", "verb.consumption", "verb.contact", "verb.creation", "verb.emotion", "verb.motion"),
    *("verb.perception", "verb.possession", "verb.social", "verb.stative", "verb.weather", "adj.ppl"),
)
