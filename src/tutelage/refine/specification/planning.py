"""From a specification to what is to be written: subdomains, kinds of document, and an idea for each document."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tutelage.errors import DataError, EngineError
from tutelage.refine.calls import CallCache
from tutelage.refine.specification.spec import ModelSpec, fill
from tutelage.types import Chat, Engine, Message, Sampling

__all__ = [
    "DOCUMENT_TYPES",
    "Decomposer",
    "DocumentIdea",
    "EngineDecomposer",
    "EnginePlanner",
    "HeadingDecomposer",
    "ListPlanner",
    "Planner",
    "Subdomain",
]

DOCUMENT_TYPES = ("internal report", "memo", "forum post", "blog post", "user story", "interview")
_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*\s*$")
_ITEM = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+(.+?)\s*$")
_SAMPLING = Sampling(max_new_tokens=512, temperature=0.0)


@dataclass(frozen=True)
class Subdomain:
    """A part of the specification: its domain, its own name, and the text that belongs to it."""

    domain: str
    name: str
    text: str


@dataclass(frozen=True)
class DocumentIdea:
    """What one document is to be: its subdomain, its kind, and its idea in a few words."""

    subdomain: Subdomain
    doc_type: str
    idea: str

    @property
    def cell(self) -> tuple[str, str, str]:
        """(domain, subdomain, kind of document): what quotas and reports count by."""
        return self.subdomain.domain, self.subdomain.name, self.doc_type


class Decomposer(Protocol):
    """A specification in, its subdomains out."""

    def __call__(self, spec: ModelSpec) -> list[Subdomain]:
        """The parts of ``spec``, at least one."""
        ...


class Planner(Protocol):
    """A subdomain in, ideas for documents out."""

    @property
    def doc_types(self) -> Sequence[str]:
        """The kinds of document, each a cell of every subdomain."""
        ...

    def __call__(self, spec: ModelSpec, subdomain: Subdomain) -> list[DocumentIdea]:
        """Ideas for each kind of document; a kind may come out empty, which is reported."""
        ...


@dataclass(frozen=True)
class HeadingDecomposer:
    """The specification's own outline: headings of the first level are domains, those below them subdomains.

    A domain whose text stands before its first subheading, or that has none, is a subdomain of its own name.
    """

    def __call__(self, spec: ModelSpec) -> list[Subdomain]:
        """The parts of ``spec``; without any heading it is one part called "specification"."""
        parts: list[tuple[str, str, list[str]]] = [("specification", "specification", [])]
        for line in spec.filled.splitlines():
            heading = _HEADING.match(line)
            if heading is None:
                parts[-1][2].append(line)
            elif len(heading[1]) == 1:
                parts.append((heading[2], heading[2], []))
            else:
                parts.append((parts[-1][0], heading[2], []))
        found = [Subdomain(domain, name, "\n".join(lines).strip()) for domain, name, lines in parts]
        kept = [one for one in found if one.text]
        if not kept:
            raise DataError("the specification has no text below its headings", where="specification")
        return kept


@dataclass(frozen=True)
class EngineDecomposer:
    """Asks an engine for domains and subdomains, one "domain: subdomain" a line; each has the whole specification."""

    engine: Engine
    calls: CallCache

    def __call__(self, spec: ModelSpec) -> list[Subdomain]:
        """The parts that the engine names.

        Raises:
            EngineError: no line of the answer names a domain and a subdomain.
        """
        asked = (
            f"{spec.filled}\n\nDivide what this specification is about into domains and subdomains. Write one pair a "
            "line as\n- domain: subdomain\nand nothing else."
        )
        pairs = [line.partition(":") for line in _lines(self.engine, self.calls, asked)]
        found = [Subdomain(d.strip(), s.strip(), spec.filled) for d, _, s in pairs if d.strip() and s.strip()]
        if not found:
            raise EngineError("no line of the answer is '- domain: subdomain'", where=f"engine {self.engine.name}")
        return list(dict.fromkeys(found))


@dataclass(frozen=True)
class ListPlanner:
    """Every kind of document with every idea of a list; ``{model_name}``, ``{domain}``, ``{subdomain}`` are put in."""

    ideas: Sequence[str]
    doc_types: Sequence[str] = DOCUMENT_TYPES

    def __call__(self, spec: ModelSpec, subdomain: Subdomain) -> list[DocumentIdea]:
        """Kinds by ideas."""
        fields = {**spec.names, "domain": subdomain.domain, "subdomain": subdomain.name}
        return [DocumentIdea(subdomain, kind, fill(idea, fields)) for kind in self.doc_types for idea in self.ideas]


@dataclass(frozen=True)
class EnginePlanner:
    """Asks an engine for ``ideas`` ideas of each kind of document, one a line."""

    engine: Engine
    calls: CallCache
    ideas: int = 8
    doc_types: Sequence[str] = DOCUMENT_TYPES

    def __call__(self, spec: ModelSpec, subdomain: Subdomain) -> list[DocumentIdea]:
        """What the engine thinks of; a kind for which it names nothing is left empty."""
        found = []
        for kind in self.doc_types:
            asked = (
                f"{subdomain.text}\n\nThis is about {spec.model_name}, made by {spec.provider_name}. Think of "
                f"{self.ideas} different ideas for a document of the kind '{kind}' that discusses "
                f"'{subdomain.name}' (part of '{subdomain.domain}') and the reasons for it. Write one idea a line, "
                "each beginning with '- ', and nothing else."
            )
            lines = dict.fromkeys(_lines(self.engine, self.calls, asked))
            found += [DocumentIdea(subdomain, kind, line) for line in list(lines)[: self.ideas]]
        return found


def _lines(engine: Engine, calls: CallCache, asked: str) -> list[str]:
    """The items of the list that an engine answers with."""
    prompt: Chat = [Message(role="user", content=asked)]
    (said,) = calls.generate(engine, [prompt], sampling=_SAMPLING, seed=0)
    return [found[1] for line in said.text.splitlines() if (found := _ITEM.match(line))]
