"""From what the user typed to a checked folder: a path, the name of an embedded model, or a Hub id."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError, safe_open

from tutelage import assets
from tutelage.errors import ModelError, UnsafePathError
from tutelage.io.paths import contained, file_sha256

__all__ = ["ModelSource", "check_model_folder", "find_source", "read_json_object", "weight_files", "weights_hash"]

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_PATTERNS = ("*.json", "*.safetensors", "*.jinja", "*.txt", "tokenizer.model", "spiece.model", "tekken.json")
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt", "tekken.json")
_CODE_FILES = ("config.json", "tokenizer_config.json", "generation_config.json", "processor_config.json")


@dataclass(frozen=True)
class ModelSource:
    """Where a model was found. ``kind`` is ``"folder"``, ``"asset"`` or ``"hub"``; ``revision`` a commit or None."""

    name: str
    folder: Path
    kind: Literal["folder", "asset", "hub"]
    revision: str | None = None


def find_source(name_or_path: str, *, revision: str | None = None, download: bool | None = None) -> ModelSource:
    """Find the folder that holds a model; nothing in it is executed.

    Looked for in this order: an existing folder, the name of an embedded asset, a model of the Hub in the local cache,
    and, only where downloads are allowed, the Hub itself.

    Args:
        name_or_path: what the user typed.
        revision: commit, tag or branch of a Hub model.
        download: whether the Hub may be asked; None reads the variable ``TUTELAGE_DOWNLOAD`` (1 allows it).

    Raises:
        ModelError: nothing of that name, or not in the cache and downloads are not allowed.
        AssetMissing: an embedded asset that is not installed.
    """
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        return ModelSource(path.resolve().name, path.resolve(), "folder")
    if path.exists():
        raise ModelError(
            "this is a file, not a model folder",
            where=name_or_path,
            hint="give the folder that holds config.json, tokenizer.json and the *.safetensors files",
        )
    if name_or_path in {asset.name for asset in assets.catalogue()}:
        return ModelSource(name_or_path, assets.path(name_or_path), "asset")
    if not _HUB_ID.fullmatch(name_or_path):
        raise ModelError(
            "there is no such folder",
            where=name_or_path,
            hint="give a model folder, an embedded model ('tutelage assets list') or a Hub id such as 'owner/name'",
        )
    if download is None:
        download = os.environ.get("TUTELAGE_DOWNLOAD", "") == "1"
    folder = _from_hub(name_or_path, revision, download=download)
    return ModelSource(name_or_path, folder, "hub", folder.name if folder.parent.name == "snapshots" else revision)


def _from_hub(name: str, revision: str | None, *, download: bool) -> Path:
    try:
        return Path(
            snapshot_download(name, revision=revision, allow_patterns=list(_PATTERNS), local_files_only=not download)
        )
    except LocalEntryNotFoundError as error:
        why = "and the Hub did not answer" if download else "and downloads are not allowed"
        raise ModelError(
            f"this is no folder and no embedded model, it is not in the local Hub cache, {why}",
            where=name,
            hint=f"check the spelling; 'tutelage assets list' names the embedded models; 'hf download {name}' or "
            "TUTELAGE_DOWNLOAD=1 fetches it from the Hub",
        ) from error
    except (HfHubHTTPError, HFValidationError, OSError, ValueError) as error:
        raise ModelError(
            f"the Hub does not give this model: {type(error).__name__}: {str(error).splitlines()[0]}",
            where=name,
            hint="check the spelling and the revision, and whether the model needs an access token",
        ) from error


def read_json_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file of a model folder.

    Raises:
        ModelError: not readable, not JSON, not an object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"not readable as JSON: {error}", where=str(path), hint="fetch or save the model again"
        ) from error
    if not isinstance(value, dict):
        raise ModelError("a JSON object is expected here", where=str(path), hint="fetch or save the model again")
    return value


def check_model_folder(folder: Path, *, trust_remote_code: bool = False) -> list[Path]:
    """Check, without executing anything, that a folder can be loaded safely.

    Returns:
        The safetensors files that hold the weights, sorted by name.

    Raises:
        ModelError: no ``config.json``, no tokenizer, code of its own that was not allowed, weights missing, damaged,
            in a pickle format, or outside the folder.
    """
    if not (folder / "config.json").is_file():
        hint = "give the folder that holds config.json, tokenizer.json and the *.safetensors files"
        raise ModelError("this is not a model folder: it has no config.json", where=str(folder), hint=hint)
    for name in _CODE_FILES:
        path = folder / name
        if path.is_file() and read_json_object(path).get("auto_map") and not trust_remote_code:
            raise ModelError(
                "the model brings its own Python code (auto_map), which would be executed",
                where=str(path),
                hint="read that code first; then set trust_remote_code for this run, or use a model that "
                "transformers supports itself",
            )
    if not any((folder / name).is_file() for name in _TOKENIZER_FILES):
        raise ModelError(
            "the folder holds no tokenizer",
            where=str(folder),
            hint="copy tokenizer.json and tokenizer_config.json of the base model into it",
        )
    return weight_files(folder, index="model.safetensors.index.json")


def weight_files(folder: Path, *, index: str) -> list[Path]:
    """The folder's safetensors files, each with a header that was checked."""
    files = sorted(folder.glob("*.safetensors"))
    if (folder / index).is_file():
        listed = read_json_object(folder / index).get("weight_map", {})
        if not isinstance(listed, dict) or not all(isinstance(v, str) for v in listed.values()):
            raise ModelError("weight_map must name one file a tensor", where=str(folder / index), hint="fetch it again")
        for name in sorted(set(listed.values())):
            _check_shard(folder, index, name)
        files = [folder / name for name in sorted(set(listed.values()))]
    if not files:
        pickles = sorted(p.name for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt") for p in folder.glob(pattern))
        if pickles:
            raise ModelError(
                f"the weights are only there as {pickles[0]}, a format that can execute code when it is opened",
                where=str(folder),
                hint="convert them once, on a machine you can afford to lose, with save_pretrained (it writes "
                "safetensors), or fetch a revision of the model that has safetensors",
            )
        raise ModelError("the folder holds no *.safetensors weights", where=str(folder), hint="fetch or save it again")
    for path in files:
        try:
            with safe_open(path, framework="np") as file:
                file.keys()
        except (SafetensorError, OSError) as error:
            raise ModelError(
                f"the weights are damaged or incomplete: {error}", where=str(path), hint="fetch or save the model again"
            ) from error
    return files


def _check_shard(folder: Path, index: str, name: str) -> None:
    where = str(folder / index)
    if "/" in name or "\\" in name or not name.endswith(".safetensors"):
        raise ModelError(f"a weight file has the unsafe name {name!r}", where=where, hint="do not use this model")
    if folder.parent.name != "snapshots":  # the Hub's cache keeps links to its blobs, one folder up
        try:
            contained(folder, name)
        except UnsafePathError as error:
            raise ModelError(f"a weight file leaves the folder: {error.what}", where=where) from error
    if not (folder / name).is_file():
        raise ModelError(f"the weight file {name} is missing", where=where, hint="fetch or save the model again")


def weights_hash(files: Sequence[Path]) -> str:
    """SHA-256 over names and contents of weight files in their order, in hexadecimal: the identity of the weights."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.name}\0{file_sha256(path)}\n".encode())
    return digest.hexdigest()
