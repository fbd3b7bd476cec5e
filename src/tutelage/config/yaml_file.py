"""The part of YAML that a configuration needs, with line numbers and without YAML's surprises.

No tags, no merge keys, no duplicate keys; limited size, depth and aliases. Plain scalars follow YAML 1.2's core rules:
only ``true`` and ``false`` are booleans (``no`` is text), ``1e-5`` is a number, dates and ``12:30`` are text.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from tutelage.config.nodes import Node
from tutelage.errors import ConfigError

__all__ = ["read_yaml"]

DEPTH_LIMIT = 32
ALIAS_LIMIT = 64
VALUE_LIMIT = 20_000

_INT = re.compile(r"[-+]?(?:0|[1-9][0-9_]{0,400})")
_HEX = re.compile(r"0x[0-9a-fA-F]{1,64}|0o[0-7]{1,64}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, object] = {"": None, "~": None}
_WORDS |= {form: None for word in ("null",) for form in (word, word.title(), word.upper())}
_WORDS |= {form: word == "true" for word in ("true", "false") for form in (word, word.title(), word.upper())}
_WORDS |= {sign + form: float(sign + "inf") for sign in ("", "+", "-") for form in (".inf", ".Inf", ".INF")}
_WORDS |= {form: float("nan") for form in (".nan", ".NaN", ".NAN")}


def read_yaml(text: str, name: str) -> Node:
    """Parse YAML.

    Args:
        text: one document whose top is a mapping.
        name: the file's name for messages.

    Raises:
        ConfigError: the text is not YAML, uses a tag or a merge key, repeats a key, or goes beyond a limit.
    """
    try:
        _check_events(text, name)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except ConfigError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(f"not YAML: {error.problem or error.context}", where=f"{name}{line}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigError(f"not YAML: {error}", where=name) from error
    built = None if root is None else _Builder(name).build(root, 0)
    if built is None or (built.children is None and built.value is None):  # an empty document
        return Node(children={}, origin="file", where=name)
    return built


def _check_events(text: str, name: str) -> None:
    """Stop at the first tag, or beyond a limit, before anything is built."""
    depth = aliases = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        where = f"{name}:{event.start_mark.line + 1}"  # type: ignore[union-attr]
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise ConfigError(f"tags are not accepted: {tag}", where=where, hint="write a plain value")
        if isinstance(event, yaml.AliasEvent):
            aliases += 1
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH_LIMIT:
            raise ConfigError(f"nested more than {DEPTH_LIMIT} levels deep", where=where, hint="nest less")
        if aliases > ALIAS_LIMIT:
            raise ConfigError(f"more than {ALIAS_LIMIT} aliases", where=where, hint="write the values out")


class _Builder:
    """Nodes from YAML's own, counting values because aliases can multiply them."""

    def __init__(self, name: str) -> None:
        self.name, self.count = name, 0

    def build(self, source: yaml.Node, depth: int) -> Node:
        """``source`` with all below it."""
        line = source.start_mark.line + 1
        where = f"{self.name}:{line}"
        self.count += 1
        if depth > DEPTH_LIMIT or self.count > VALUE_LIMIT:
            raise ConfigError(
                f"the aliases expand to more than {VALUE_LIMIT} values", where=where, hint="write the values out"
            )
        node = Node(origin=f"file:{line}", where=where)
        if isinstance(source, yaml.MappingNode):
            node.children = {}
            for key_node, value_node in source.value:
                key = self._key(key_node)
                if key in node.children:
                    at = f"{self.name}:{key_node.start_mark.line + 1}"
                    raise ConfigError(f"the key {key!r} stands twice", where=at, hint="remove one of them")
                child = node.children[key] = self.build(value_node, depth + 1)
                key_line = key_node.start_mark.line + 1
                child.origin, child.where = f"file:{key_line}", f"{self.name}:{key_line}"
        elif isinstance(source, yaml.SequenceNode):
            node.value = [self.build(item, depth + 1).plain() for item in source.value]
        elif isinstance(source, yaml.ScalarNode):
            node.value = _scalar(source)
        return node

    def _key(self, source: yaml.Node) -> str:
        where = f"{self.name}:{source.start_mark.line + 1}"
        if not isinstance(source, yaml.ScalarNode):
            raise ConfigError("a key must be plain text", where=where, hint="write `name: value`")
        if source.value == "<<" and source.style is None:
            raise ConfigError("merge keys (<<) are not accepted", where=where, hint="write the values out")
        return str(source.value)


def _scalar(source: yaml.ScalarNode) -> Any:
    text = source.value
    if source.style is not None:  # quoted or block text
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _HEX.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text) and not text.lstrip("+-").isdigit():  # 007 stays text
        return float(text)
    return text
