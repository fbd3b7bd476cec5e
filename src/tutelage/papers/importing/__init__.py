"""Papers from saved files: Daily Papers pages (text, HTML, JSON), arXiv listings (Atom), BibTeX. Nothing is fetched."""

from tutelage.papers.importing.reading import read_papers
from tutelage.papers.importing.source import Imported

__all__ = ["Imported", "read_papers"]
