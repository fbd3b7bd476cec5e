"""WordNet: synsets with their glosses, example sentences and lexicographer categories."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tutelage.assets.readers.record import Files, Item, Record

__all__ = ["CATEGORIES", "wordnet"]

# The 45 lexicographer files, in the order of their numbers.
CATEGORIES = (
    *("adj.all", "adj.pert", "adv.all", "noun.Tops", "noun.act", "noun.animal", "noun.artifact", "noun.attribute"),
    *("noun.body", "noun.cognition", "noun.communication", "noun.event", "noun.feeling", "noun.food", "noun.group"),
    *("noun.location", "noun.motive", "noun.object", "noun.person", "noun.phenomenon", "noun.plant"),
    *("noun.possession", "noun.process", "noun.quantity", "noun.relation", "noun.shape", "noun.state"),
    *("noun.substance", "noun.time", "verb.body", "verb.change", "verb.cognition", "verb.communication"),
    *("verb.competition", "verb.consumption", "verb.contact", "verb.creation", "verb.emotion", "verb.motion"),
    *("verb.perception", "verb.possession", "verb.social", "verb.stative", "verb.weather", "adj.ppl"),
)
_MARKER = re.compile(r"\((?:p|a|ip)\)$")  # syntactic marker of adjectives
_EXAMPLE = re.compile(r'"([^"]+)"')


def wordnet(data: Files) -> Iterator[Item]:
    """``word``, ``words``, ``gloss`` (definition), ``examples``, ``category`` (such as ``noun.animal``), ``synset``.

    The split is the part of speech; ``group`` is the synset.

    Args:
        data: WordNet ``data.*`` files by part of speech; lines that start with two spaces are its licence.
    """
    for split, paths in data.items():
        for path in paths:
            with path.open(encoding="utf-8") as stream:
                for number, line in enumerate(stream, start=1):
                    if not line.startswith("  "):
                        yield _synset(f"{path.name}:{number}", split, line)


def _synset(where: str, split: str, line: str) -> Record:
    left, _, text = line.rstrip("\n").partition(" | ")
    fields = left.split(" ")
    words = [_MARKER.sub("", w).replace("_", " ") for w in fields[4 : 4 + 2 * int(fields[3], 16) : 2]]
    synset = f"{fields[2]}{fields[0]}"
    gloss, _, _ = text.partition('; "')
    columns = {
        "word": words[0],
        "words": words,
        "gloss": gloss.strip(" ;"),
        "examples": _EXAMPLE.findall(text[len(gloss) :]),
        "category": CATEGORIES[int(fields[1])],
        "synset": synset,
        "group": synset,
    }
    return Record(where, split, (synset, text), columns)
