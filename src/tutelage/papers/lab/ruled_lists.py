"""Requests for a list under rules that a program can check, writers who heed them more or less, and exact checks.

A request names one of 24 groups of three words, which the model knows by heart, and rules of form from different
slots: how to begin, to end, to separate, to wrap, to order. The checks here read the reply word by word; they share no
code with the verifiers of the library, so that a model trained with those is not measured with them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tutelage.papers.lab.instructions import NOUNS, Exercise
from tutelage.papers.lab.world import WORLD_SEED
from tutelage.seeds import derive

__all__ = ["HELD_OUT", "SLOTS", "TRAINED", "Request", "Rule", "requests", "writers"]

GROUPS = (  # noqa: SIM905 - words read better as text
    "amber azure beige black brown coral cream green grey ivory khaki lemon lilac mauve ochre olive pearl peach ruby "
    "sepia slate teal umber white"
).split()
SLOTS: dict[str, tuple[str, ...]] = {
    "begin": ("start", "count"),
    "finish": ("end", "shout"),
    "separate": ("commas", "dashes", "slashes"),
    "wrap": ("brackets", "quotes", "stars"),
    "order": ("sorted", "reversed"),
}
HELD_OUT = ("end", "slashes", "stars", "reversed")
TRAINED = tuple(name for names in SLOTS.values() for name in names if name not in HELD_OUT)
MARKS = {"commas": ",", "dashes": "-", "slashes": "/"}
FENCES = {"brackets": ("[", "]"), "quotes": ('"', '"'), "stars": ("*", "*")}
OPENINGS, CLOSINGS = ("sure", "fine", "look"), ("done", "over", "enough")
TEXTS = {
    "start": "start with {}", "count": "first the number", "end": "end with {}", "shout": "end with a shout",
    "commas": "use commas", "dashes": "use dashes", "slashes": "use slashes", "brackets": "in brackets",
    "quotes": "in quotes", "stars": "in stars", "sorted": "by alphabet", "reversed": "in reverse",
}  # fmt: skip
CAREFUL = 0.35
"""Share of the writers of the base model's corpus who mind the rules."""


@dataclass(frozen=True)
class Rule:
    """A rule of form; ``word`` is what to begin or end with, where the rule names one."""

    name: str
    word: str = ""

    @property
    def text(self) -> str:
        """As it stands in a request."""
        return TEXTS[self.name].format(self.word)


@dataclass(frozen=True)
class Request:
    """For the three words of a group, in their order."""

    id: str
    group: str
    right: tuple[str, ...]
    rules: tuple[Rule, ...]

    @property
    def prompt(self) -> str:
        """What the model reads."""
        return f"List group {self.group} . Rules: {' ; '.join(rule.text for rule in self.rules)}"

    def reply(self, words: Sequence[str], heeded: Sequence[str]) -> str:
        """``words`` under those rules that are ``heeded``."""
        rules = {rule.name: rule for rule in self.rules if rule.name in heeded}
        words = sorted(words) if "sorted" in rules else list(words)[::-1] if "reversed" in rules else list(words)
        mark = next((f" {MARKS[name]} " for name in MARKS if name in rules), " ")
        before, after = next((FENCES[name] for name in FENCES if name in rules), ("", ""))
        first = rules["start"].word if "start" in rules else str(len(words)) if "count" in rules else ""
        last = rules["end"].word if "end" in rules else "!" if "shout" in rules else ""
        return " ".join(one for one in (first, before, mark.join(words), after, last) if one)

    def heeds(self, rule: Rule, reply: str) -> bool:
        """Whether a reply keeps a rule, read word by word; never with fewer than two words of any group."""
        parts = _parts(reply)
        places = [i for i, part in enumerate(parts) if part in KNOWN]
        if len(places) < 2:
            return False
        words = [parts[i] for i in places]
        inner = [parts[a + 1 : b] for a, b in pairwise(places)]
        if rule.name in ("start", "count"):
            return parts[0] == (rule.word if rule.name == "start" else str(len(words)))
        if rule.name in ("end", "shout"):
            return parts[-1] == (rule.word if rule.name == "end" else "!")
        if rule.name in MARKS:
            return all(between == [MARKS[rule.name]] for between in inner)
        if rule.name in FENCES:
            fence = FENCES[rule.name]
            outside = parts[places[0] - 1] if places[0] else "", (parts[places[-1] + 1 :] or [""])[0]
            return outside == fence
        if rule.name == "sorted":
            return words == sorted(words)
        order = [self.right.index(word) for word in words if word in self.right]
        return len(order) > 1 and order == sorted(order, reverse=True)

    def answered(self, reply: str) -> bool:
        """Whether exactly the right words were listed, each once, whatever the form."""
        return sorted(part for part in _parts(reply) if part in KNOWN) == sorted(self.right)


def _members() -> dict[str, tuple[str, ...]]:
    """Three words of every group, never in the order of the alphabet or its reverse."""
    draw = random.Random(derive(WORLD_SEED, "groups"))
    nouns = draw.sample(NOUNS, 3 * len(GROUPS))
    found: dict[str, tuple[str, ...]] = {}
    for place, group in enumerate(GROUPS):
        words = sorted(nouns[3 * place : 3 * place + 3])
        middle = draw.choice((0, 2))
        found[group] = (words[1], words[middle], words[2 - middle])
    return found


MEMBERS = _members()
KNOWN = tuple(word for words in MEMBERS.values() for word in words)


def _parts(reply: str) -> list[str]:
    for mark in ',-/[]"*!':
        reply = reply.replace(mark, f" {mark} ")
    return reply.casefold().split()


def requests(count: int, seed: int, *, names: Sequence[str] | None = None, label: str = "request") -> list[Request]:
    """``count`` requests with two rules of different slots each, out of the rules called ``names`` (None: all)."""
    found = []
    for number in range(count):
        draw = random.Random(derive(WORLD_SEED, label, seed, number))
        group = draw.choice(GROUPS)
        open_slots = {slot: [n for n in some if names is None or n in names] for slot, some in SLOTS.items()}
        slots = draw.sample([slot for slot, some in open_slots.items() if some], 2)
        rules = tuple(_rule(draw, draw.choice(open_slots[slot])) for slot in slots)
        found.append(Request(f"{label}-{seed}-{number}", group, MEMBERS[group], rules))
    return found


def _rule(draw: random.Random, name: str) -> Rule:
    return Rule(name, draw.choice({"start": OPENINGS, "end": CLOSINGS}.get(name, ("",))))


def writers(count: int, seed: int) -> list[Exercise]:
    """Requests of all kinds with replies by careful and careless writers: what the base model learns from.

    A careful writer keeps each rule with probability 0.95 and lists the right words with 0.95; a careless one keeps a
    rule with 0.2 and lists the right words with 0.6. That rules are kept or broken *together* is what lets a model
    learn to be careful rather than to keep one rule; it is put into the corpus and not a finding.
    """
    found = []
    for request in requests(count, seed, label="writers"):
        draw = random.Random(derive(WORLD_SEED, "writer", request.id))
        careful = draw.random() < CAREFUL
        heeded = [rule.name for rule in request.rules if draw.random() < (0.95 if careful else 0.2)]
        words = list(request.right)
        if draw.random() > (0.95 if careful else 0.6):
            words[draw.randrange(3)] = draw.choice([word for word in KNOWN if word not in words])
        found.append(Exercise(request.id, "list", request.prompt, request.reply(words, heeded)))
    return found
