"""Who writes the documents: templates, which need no model, or any engine that is shown the specification."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tutelage.errors import ConfigError
from tutelage.io import content_hash
from tutelage.refine.calls import CallCache
from tutelage.refine.specification.planning import DocumentIdea
from tutelage.refine.specification.spec import ModelSpec, fill
from tutelage.seeds import derive
from tutelage.types import Chat, Engine, Message, Sampling

__all__ = ["FRAMES", "DocumentWriter", "EngineWriter", "TemplateWriter"]

_SENTENCE = re.compile(r"(?<=[.!?])\s+")
FRAMES = (
    "{doc_type}: {idea}.\n\nThose who work with {model_name} ask about {subdomain}. {principle} That is how "
    "{provider_name} explains it, and it carries over to cases that nobody wrote down.",
    "{idea} ({doc_type})\n\nWhen {provider_name} made {model_name}, {subdomain} was much discussed. In the words of "
    "one engineer: {principle} The reason matters more than the rule.",
    "A {doc_type} on {domain}\n\nWhat does {model_name} care about when it comes to {subdomain}? {principle} We looked "
    "at this under the title '{idea}' and found the same reason at work everywhere.",
)
"""Plain frames in our own words. They repeat the specification's sentences: good for a small or rule-based run only."""


class DocumentWriter(Protocol):
    """One idea in, one text out."""

    @property
    def name(self) -> str:
        """The ``gen`` of every document's provenance: changes when what is written would."""
        ...

    def write(self, spec: ModelSpec, ideas: Sequence[DocumentIdea], attempt: int) -> list[str]:
        """A text for each idea; another one for each ``attempt`` from 0 on, if the writer has more than one."""
        ...


@dataclass(frozen=True)
class TemplateWriter:
    """Fills a frame: which one, and which sentence of the subdomain is its ``{principle}``, the idea and seed decide.

    Fields of a frame: ``model_name``, ``provider_name``, ``domain``, ``subdomain``, ``doc_type``, ``idea``,
    ``principle`` and the keys of ``words``, of whose values one is drawn.

    Raises:
        ConfigError: no frames.
    """

    frames: Sequence[str] = FRAMES
    words: Mapping[str, Sequence[str]] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.frames:
            raise ConfigError("a template writer needs at least one frame", where="TemplateWriter.frames")

    @property
    def name(self) -> str:
        """``template@`` and a hash of the wording."""
        words = {key: list(value) for key, value in self.words.items()}
        return f"template@{content_hash([list(self.frames), words, self.seed])[:12]}"

    def write(self, spec: ModelSpec, ideas: Sequence[DocumentIdea], attempt: int) -> list[str]:
        """One filled frame for each idea."""
        return [self._one(spec, idea, attempt) for idea in ideas]

    def _one(self, spec: ModelSpec, idea: DocumentIdea, attempt: int) -> str:
        draw = random.Random(derive(self.seed, "document", spec.hash, *idea.cell, idea.idea, attempt))
        sentences = [one for one in _SENTENCE.split(" ".join(idea.subdomain.text.split())) if one]
        fields = {
            **spec.names,
            "domain": idea.subdomain.domain,
            "subdomain": idea.subdomain.name,
            "doc_type": idea.doc_type,
            "idea": idea.idea,
            "principle": draw.choice(sentences),
            **{name: draw.choice(list(values)) for name, values in self.words.items()},
        }
        return fill(draw.choice(list(self.frames)), fields)


@dataclass(frozen=True)
class EngineWriter:
    """Asks an engine for the document, the specification in its context; answers are kept in ``calls``.

    The paper's optional second pass (critique and rewrite) is not here.
    """

    engine: Engine
    calls: CallCache
    sampling: Sampling = field(default_factory=lambda: Sampling(max_new_tokens=1024, temperature=1.0))
    seed: int = 0

    @property
    def name(self) -> str:
        """The engine's name and weights."""
        return self.calls.identity(self.engine)

    def write(self, spec: ModelSpec, ideas: Sequence[DocumentIdea], attempt: int) -> list[str]:
        """One text for each idea; a text that was cut at the token limit comes back empty."""
        seed = derive(self.seed, "document", attempt) % 2**31
        said = self.calls.generate(self.engine, [_prompt(spec, i) for i in ideas], sampling=self.sampling, seed=seed)
        return [one.text.strip() if one.finish == "stop" else "" for one in said]


def _prompt(spec: ModelSpec, idea: DocumentIdea) -> Chat:
    asked = (
        f"{spec.filled}\n\nThe above specifies {spec.model_name}, made by {spec.provider_name}. Write a document of "
        f"the kind '{idea.doc_type}' about '{idea.subdomain.name}' (part of '{idea.subdomain.domain}'). Its idea: "
        f"{idea.idea}. Let it discuss how {spec.model_name} is and for what reasons, in words of its own: do not quote "
        "the specification. Reply with the document only."
    )
    return [Message(role="user", content=asked)]
