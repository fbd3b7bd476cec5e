"""A comparison's files: the page, JUnit XML, and the whole of it as JSON."""

from __future__ import annotations

from pathlib import Path

from tutelage.io import write_json, write_text
from tutelage.report.comparison import ComparisonDocument, to_json

__all__ = ["write_reports"]


def write_reports(
    document: ComparisonDocument, *, folder: Path | None = None, html: Path | None = None, junit: Path | None = None
) -> list[Path]:
    """Write what is asked for, each file whole or not at all.

    Args:
        document: the comparison.
        folder: receives ``comparison.html``, ``comparison.json`` and ``comparison.xml``.
        html: a further place for the page.
        junit: a further place for the JUnit XML.

    Returns:
        The files written.

    Raises:
        StoreError: the disk is full, the folder read-only, ...
    """
    pages = [*([folder / "comparison.html"] if folder else []), *([html] if html else [])]
    suites = [*([folder / "comparison.xml"] if folder else []), *([junit] if junit else [])]
    tables = [folder / "comparison.json"] if folder else []
    for file in (*pages, *suites, *tables):
        file.parent.mkdir(parents=True, exist_ok=True)
    if pages:
        from tutelage.report import comparison_html  # loads matplotlib

        page = comparison_html.render(document)
        for file in pages:
            write_text(file, page)
    if suites:
        from tutelage.report import comparison_junit

        for file in suites:
            write_text(file, comparison_junit.junit(document))
    for file in tables:
        write_json(file, to_json(document))
    return [*pages, *suites, *tables]
