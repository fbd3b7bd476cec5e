"""What there is for a paper here: a verdict, an implementation, or a plan. Always derived, never written down.

A recipe is a file of :mod:`tutelage.papers.recipes`, named like the paper (hyphens become underscores); it is found
by its name, because importing it would bring torch in. A verdict needs the recipe and evidence that passes every
check of :func:`tutelage.papers.evidence.read_evidence`, from a real run. An implementation is a recipe without
evidence, be it a tool or not run yet, or an object named in :mod:`tutelage.papers.tools` that covers the method.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from typing import Literal

from tutelage.errors import TutelageError
from tutelage.io import home
from tutelage.papers.catalogue.loading import entry
from tutelage.papers.tools import tools

__all__ = ["State", "Status", "evidence_folder", "recipe_slugs", "state"]

Status = Literal["verdict", "implemented", "planned"]
ORDER = ("replicated", "not replicated", "inconclusive")


@dataclass(frozen=True)
class State:
    """What there is for a paper.

    Attributes:
        status: ``verdict`` when its recipe has evidence, ``implemented`` when it can be run or used, else ``planned``.
        verdict: the outcome of its claims, ``inconclusive`` or ``1 replicated, 3 inconclusive``; empty without one.
        recipe: name of the recipe, for ``tutelage papers run``.
        evidence: path of the file that holds the verdict.
        note: why a file of evidence that is there does not count, or what a GPU's evidence beside it says.
    """

    status: Status
    verdict: str = ""
    recipe: str | None = None
    evidence: str | None = None
    note: str = ""


def state(slug: str, folder: Path | None = None) -> State:
    """Derive what there is for the paper ``slug``.

    Args:
        slug: a paper of the catalogue.
        folder: where the evidence lies, ``<slug>.json`` and ``<slug>.gpu.json``; :func:`evidence_folder` when None.

    Raises:
        DataError: there is no such paper.
    """
    entry(slug)
    recipe = slug if slug in recipe_slugs() else None
    place = evidence_folder() if folder is None else folder
    path = place / f"{slug}.json"
    verdict, note = _judged(path, slug)
    large = place / f"{slug}.gpu.json"
    on_gpu, why = _judged(large, slug)
    if on_gpu and not verdict:
        path, verdict = large, on_gpu
    elif on_gpu:
        note = f"on a GPU: {on_gpu} ({large.name})"
    note = note or why
    if verdict and recipe is None:
        verdict, note = "", "there is evidence, but no recipe that could have made it"
    if verdict:
        return State("verdict", verdict, recipe, str(path), note)
    ready = recipe is not None or any(tool.whole for tool in tools(slug))
    return State("implemented" if ready else "planned", recipe=recipe, note=note)


@cache
def recipe_slugs() -> frozenset[str]:
    """The papers that have a recipe, found without importing any."""
    package = find_spec("tutelage.papers.recipes")
    places = package.submodule_search_locations if package else None
    return frozenset(module.name.replace("_", "-") for module in iter_modules(places or []))


def evidence_folder() -> Path:
    """``evidence`` of the source tree this was installed from, or that of the user's own folder without one."""
    source = Path(__file__).parents[3]
    tree = source.parent / "evidence"
    return tree if source.name == "src" and tree.is_dir() else home() / "evidence"


def _judged(path: Path, slug: str) -> tuple[str, str]:
    """The verdict in ``path``, or why there is none; nothing of either without the file."""
    try:
        seen = path.stat()
        return _read(path, slug, seen.st_mtime_ns, seen.st_size)
    except (FileNotFoundError, NotADirectoryError):
        return "", ""
    except TutelageError as error:
        return "", f"{path.name}: {error.what}"
    except OSError as error:
        return "", f"{path.name}: {error.strerror or error}"
    except RecursionError:
        return "", f"{path.name}: it is nested too deeply"


@lru_cache(maxsize=512)
def _read(path: Path, slug: str, changed: int, size: int) -> tuple[str, str]:
    """``changed`` and ``size`` are there for the cache: a file that was written anew is read anew."""
    from tutelage.papers.evidence import (
        evidence_name,
        read_evidence,
    )  # brings scipy, which a planned paper need not wait for

    found = read_evidence(path)
    if found["slug"] != slug:
        return "", f"{path.name}: it is the evidence of {found['slug']!r}"
    if evidence_name(slug, found["tier"]) != path.name:
        return "", f"{path.name}: evidence of the tier {found['tier']} is called {evidence_name(slug, found['tier'])}"
    if found["tier"] == "smoke":
        return "", f"{path.name}: a smoke run has no verdict"
    return _summed([claim["verdict"] for claim in found["claims"]]), ""


def _summed(verdicts: Sequence[str]) -> str:
    """One outcome, or how many of each."""
    counted = Counter(verdicts)
    if len(counted) == 1:
        return verdicts[0]
    known = [name for name in ORDER if name in counted]
    return ", ".join(f"{counted[name]} {name}" for name in [*known, *sorted(set(counted) - set(known))])
