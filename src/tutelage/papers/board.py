"""The board: claim, what was measured here with its interval, verdict; made from the evidence files alone."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutelage.errors import DataError
from tutelage.io import write_text
from tutelage.papers.evidence import evidence_files, evidence_name, read_evidence
from tutelage.types import Estimate

__all__ = ["BEGIN", "END", "BoardRow", "board", "is_stale", "render_markdown", "rows_of", "write_board"]

BEGIN, END = "<!-- board:begin -->", "<!-- board:end -->"
"""What stands around the generated table in a page."""


@dataclass(frozen=True)
class BoardRow:
    """One claim of one paper.

    Attributes:
        slug: of the paper.
        title: of the paper.
        claim: the claim's name and statement.
        measured: a line for every part of the claim: what was compared and what came out.
        interval: of every part, in the same order.
        verdict: replicated, not replicated or inconclusive.
        command: what makes the run again.
        tier: smoke (no verdict), cpu or gpu.
        seeds: how many.
        arxiv: number of the paper.
        claim_id: the claim's name alone.
        cpu_seconds: what the run took, None if it was not recorded.
    """

    slug: str
    title: str
    claim: str
    measured: tuple[str, ...]
    interval: tuple[Estimate, ...]
    verdict: str
    command: str
    tier: str
    seeds: int
    arxiv: str = ""
    claim_id: str = ""
    cpu_seconds: float | None = None


def board(folder: str | os.PathLike[str]) -> tuple[BoardRow, ...]:
    """The rows of all evidence in ``folder``, by the files' names.

    Raises:
        DataError: the folder is missing, or a file in it is not valid evidence or bears another paper's name.
    """
    rows: list[BoardRow] = []
    for path in evidence_files(folder):
        found = read_evidence(path)
        name = evidence_name(found["slug"], found["tier"])
        if name != path.name:
            what = f"it is the evidence of {found['slug']!r}, tier {found['tier']}"
            raise DataError(what, where=str(path), hint=f"name it {name}")
        rows += rows_of(found)
    return tuple(rows)


def rows_of(evidence: Mapping[str, Any]) -> tuple[BoardRow, ...]:
    """The rows of one paper's evidence, which has been checked."""
    return tuple(
        BoardRow(
            slug=evidence["slug"],
            title=evidence["paper"]["title"],
            claim=f"{claim['id']}: {claim['statement']}",
            measured=tuple(_measured(part) for part in claim["parts"]),
            interval=tuple(Estimate(**part["delta"]) for part in claim["parts"]),
            verdict=claim["verdict"],
            command=evidence["command"],
            tier=evidence["tier"],
            seeds=len(evidence["seeds"]),
            arxiv=evidence["paper"]["arxiv"],
            claim_id=claim["id"],
            cpu_seconds=evidence["cost"].get("cpu_seconds"),
        )
        for claim in evidence["claims"]
    )


def _measured(part: Mapping[str, Any]) -> str:
    delta = part["delta"]
    text = f"{part['name']}: {delta['value']:+.3g} [{delta['low']:.3g}, {delta['high']:.3g}]"
    if part["outcome"] == "inconclusive":
        text += f", would have found {part['minimum_detectable']:.2g}"
    return text


def render_markdown(rows: Sequence[BoardRow]) -> str:
    """The rows as Markdown: a heading a paper with what makes the run again, and a table of its claims.

    Example:
        >>> print(render_markdown([]), end="")
        No evidence yet.
    """
    if not rows:
        return "No evidence yet.\n"
    blocks = []
    for run in dict.fromkeys((row.slug, row.tier) for row in rows):
        own = [row for row in rows if (row.slug, row.tier) == run]
        blocks.append(_paper(own))
    return "\n".join(blocks)


def _paper(rows: Sequence[BoardRow]) -> str:
    first = rows[0]
    spent = "" if first.cpu_seconds is None else f", {first.cpu_seconds:,.0f} CPU-seconds"
    where = ", on a GPU" if first.tier == "gpu" else ""
    lines = [
        f"### [{_cell(first.title)}](https://arxiv.org/abs/{first.arxiv}){where}",
        "",
        f"`{first.command}` ({first.seeds} seeds{spent})",
        "",
        "| claim | measured here (95 % interval) | verdict |",
        "|---|---|---|",
    ]
    for row in rows:
        verdict = row.verdict if row.tier != "smoke" else "none (smoke run)"
        lines.append(f"| {_cell(row.claim)} | {'<br>'.join(map(_cell, row.measured))} | {verdict} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """``text`` inside a table: nothing in it is markup or ends the cell."""
    for mark, safe in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|"), ("[", "\\["), ("]", "\\]"), ("\n", " ")):
        text = text.replace(mark, safe)
    return text


def _page_with(rows: Sequence[BoardRow], path: Path) -> tuple[str, str]:
    """The page at ``path`` as it is and as it should be."""
    try:
        page = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise DataError("the page is missing", where=str(path), hint=f"make it, with {BEGIN} and {END}") from error
    except UnicodeDecodeError as error:
        raise DataError("the page is not UTF-8", where=str(path)) from error
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise DataError("the page has no place for the board", where=str(path), hint=f"write {BEGIN} and {END} in it")
    return page, f"{before}{BEGIN}\n{render_markdown(rows)}{END}{after}"


def write_board(rows: Sequence[BoardRow], path: str | os.PathLike[str]) -> bool:
    """Put the table between the marks of a page; True when that changed it.

    Raises:
        DataError: the page is missing or has no marks.
    """
    page, wanted = _page_with(rows, Path(path))
    if page != wanted:
        write_text(path, wanted)
    return page != wanted


def is_stale(rows: Sequence[BoardRow], path: str | os.PathLike[str]) -> bool:
    """Whether the table in a page is not the one that the evidence makes.

    Raises:
        DataError: the page is missing or has no marks.
    """
    page, wanted = _page_with(rows, Path(path))
    return page != wanted
