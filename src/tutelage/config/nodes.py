"""Values as they were given, each with where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Node", "of_path", "of_value"]


@dataclass
class Node:
    """A given value, or a section of them.

    ``children`` is None for a plain value (lists are plain values). ``origin`` is the short form kept in the result
    (``"file:12"``, ``"set"``, ``"flag"``), ``where`` the long form for messages. ``raw`` marks text from a command
    line, whose type only the field can tell.
    """

    value: Any = None
    children: dict[str, Node] | None = None
    origin: str = ""
    where: str = ""
    raw: bool = False

    def plain(self) -> Any:
        """The value without its origins."""
        if self.children is None:
            return self.value
        return {key: child.plain() for key, child in self.children.items()}

    def merged(self, other: Node) -> Node:
        """This node overridden by ``other``: sections are merged key by key, values replaced."""
        if self.children is None or other.children is None:
            return other
        children = dict(self.children)
        for key, child in other.children.items():
            children[key] = children[key].merged(child) if key in children else child
        return Node(children=children, origin=other.origin, where=other.where)


def of_value(value: object, origin: str, where: str, lines: Mapping[tuple[str, ...], int] | None = None) -> Node:
    """A node, with all below it, from plain nested mappings.

    Args:
        value: mappings become sections; anything else is a value.
        origin: the origin of all, or the part before ``:LINE`` where lines are known.
        where: the place for messages, likewise.
        lines: line numbers by key path; a path without one takes that of the nearest above.
    """

    def build(part: object, path: tuple[str, ...], line: int | None) -> Node:
        line = (lines or {}).get(path, line)
        suffix = "" if line is None else f":{line}"
        node = Node(origin=origin + suffix, where=where + suffix)
        if isinstance(part, Mapping):
            node.children = {str(key): build(child, (*path, str(key)), line) for key, child in part.items()}
        else:
            node.value = part
        return node

    return build(value, (), None)


def of_path(path: list[str], leaf: Node) -> Node:
    """``leaf`` under the sections named by ``path``."""
    for key in reversed(path):
        leaf = Node(children={key: leaf}, origin=leaf.origin, where=leaf.where)
    return leaf
