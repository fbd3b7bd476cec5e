"""OLD and NEW as a user names them: result files are read, models are measured first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from tutelage import assets
from tutelage.errors import ConfigError
from tutelage.measure.results import Results, read_results
from tutelage.measure.results.dotted import label_name

__all__ = ["Measurement", "is_model", "open_results", "open_systems"]


@dataclass(frozen=True)
class Measurement:
    """How models are measured before they are compared.

    ``suite`` is a suite's name or file, ``size`` that of a built-in one; ``folder`` keeps the results, in ``old`` and
    ``new``; what is there already is not measured again.
    """

    suite: str | None = None
    size: str = "quick"
    folder: Path | None = None
    console: Console | None = None
    should_stop: Callable[[], bool] | None = None


def is_model(source: str, *, measuring: bool = False) -> bool:
    """Whether ``source`` names a model: a folder of weights or of an adapter, an embedded model, a Hub id, a server.

    Args:
        source: as the user wrote it.
        measuring: a suite is given; the folder of a ``tutelage tune`` run then stands for its tuned model.

    Example:
        >>> is_model("org/name"), is_model("results/new.jsonl"), is_model("openai:http://localhost:8000/v1#name")
        (True, False, True)
    """
    path = Path(source).expanduser()
    if path.exists():
        files = ("config.json", "adapter_config.json", *(("run.json",) if measuring else ()))
        return path.is_dir() and any((path / name).is_file() for name in files)
    if source.startswith("openai:"):
        return True
    if any(asset.name == source and asset.kind == "model" for asset in assets.catalogue()):
        return True
    return source.count("/") == 1 and not source.startswith((".", "/", "~")) and path.suffix not in _FILES


_FILES = (".jsonl", ".ndjson", ".json", ".eval", ".csv", ".tsv")


def open_systems(
    old: str,
    new: str,
    measurement: Measurement | None = None,
    *,
    by: Sequence[str] = (),
    lower_is_better: Sequence[str] = (),
) -> tuple[Results, Results]:
    """The results of both, measured first where a model is named; they never bear the same name.

    Args:
        old: a model, a run folder or a result file.
        new: the same.
        measurement: on what and where to models are measured.
        by: breakdowns wanted; those that a file does not declare are looked for by column or place.
        lower_is_better: metrics of which less is better, where the files do not say so.

    Raises:
        ConfigError: a model without a suite, or without a folder to keep its results in.
        DataError: files that cannot be read as results.
    """
    how = measurement or Measurement()
    found = [
        open_results(str(_results_of(source, side, how)), by=by, lower_is_better=lower_is_better)
        for source, side in ((old, "old"), (new, "new"))
    ]
    if found[0].name != found[1].name:
        return found[0], found[1]
    one, two = _told_apart(old, new)
    return replace(found[0], name=one), replace(found[1], name=two)


def open_results(source: str, *, by: Sequence[str] = (), lower_is_better: Sequence[str] = ()) -> Results:
    """Results from files, with the breakdowns wanted.

    Args:
        source: file or folder.
        by: breakdowns wanted.
        lower_is_better: metrics of which less is better.

    Raises:
        DataError: the files cannot be read, or no item has such a breakdown.
    """
    results = read_results(source, lower_is_better=lower_is_better)
    known = {name for table in results.tasks.values() for name in table.groups}
    wanted = [path for path in by if label_name(path) not in known]
    return read_results(source, groups=wanted, lower_is_better=lower_is_better) if wanted else results


def _results_of(source: str, side: str, how: Measurement) -> Path:
    if not is_model(source, measuring=how.suite is not None):
        return Path(source).expanduser()
    if how.suite is None:
        raise ConfigError(
            f"{source!r} is a model: say what to measure it on",
            where="--suite",
            hint="for example --suite retention, or a file of your own; or give result files instead of models",
        )
    if how.folder is None:
        raise ConfigError(
            "measuring a model needs a folder for its results",
            where="--out",
            hint="add --out FOLDER; what is measured there is not measured again",
        )
    from tutelage.config import from_dict
    from tutelage.jobs.measure import MeasureConfig, measure  # not needed to compare files

    out, console = how.folder / side, how.console or Console(quiet=True)
    console.print(f"measuring the {side} system on {how.suite}", highlight=False)
    config = from_dict(MeasureConfig, {"size": how.size})
    measure(source, how.suite, out, config=config, console=console, should_stop=how.should_stop)
    return out


def _told_apart(old: str, new: str) -> tuple[str, str]:
    """The end of each path, as much of it as tells the two apart."""
    one, two = Path(old).parts, Path(new).parts
    for depth in range(1, max(len(one), len(two)) + 1):
        ends = "/".join(one[-depth:]), "/".join(two[-depth:])
        if ends[0] != ends[1]:
            return ends
    return f"{old} (old)", f"{new} (new)"
