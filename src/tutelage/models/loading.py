"""Load a causal language model with its tokenizer, safely and ready for batches."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import psutil
import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from tutelage.chat_template import PLAIN_TEMPLATE
from tutelage.errors import ModelError, RangeError
from tutelage.models.source import (
    ModelSource,
    check_model_folder,
    find_source,
    read_json_object,
    weight_files,
    weights_hash,
)

__all__ = [
    "BASE_RECORD",
    "DtypeName",
    "LoadedModel",
    "choose_device",
    "choose_dtype",
    "load",
    "no_bars",
    "set_threads",
]

DtypeName = Literal["auto", "float32", "bfloat16", "float16"]

BASE_RECORD = "base_model.json"
"""File beside an exported adapter that says which weights it was trained on."""

_PAD_NAMES = ("<|endoftext|>", "<pad>", "<|pad|>", "[PAD]", "<|finetune_right_pad_id|>", "<|reserved_special_token_0|>")


@dataclass
class LoadedModel:
    """A causal LM in evaluation mode with its tokenizer.

    ``source`` is ``"folder"``, ``"asset"`` or ``"hub"``; ``revision`` the Hub commit, if there is one; ``notes`` what
    was decided while loading and belongs in a report; ``folder`` where the files lie; ``files`` those with weights.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    name: str
    source: str
    revision: str | None
    folder: Path
    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()

    @cached_property
    def weights_hash(self) -> str:
        """SHA-256 over the weight files as they are on the first call: about 2 s for each GB, so only when needed."""
        return weights_hash(self.files)

    @property
    def context_length(self) -> int:
        """Most tokens the model can attend to, as its configuration says; 2**20 when it sets no limit."""
        return int(getattr(self.model.config.get_text_config(), "max_position_embeddings", None) or 2**20)


def load(
    name_or_path: str,
    *,
    dtype: DtypeName = "auto",
    device: str = "auto",
    trust_remote_code: bool = False,
    revision: str | None = None,
    download: bool | None = None,
) -> LoadedModel:
    """Load a model from a folder, an embedded asset or the Hub's cache.

    Only safetensors weights are read and no code from the model's repository runs unless ``trust_remote_code`` is
    set. A folder with an adapter instead of a model is loaded on its base model.

    Args:
        name_or_path: model folder, adapter folder, name of an embedded model, or Hub id.
        dtype: compute type; ``"auto"`` is float32 on CPU and MPS, bfloat16 on CUDA devices that have it.
        device: ``"auto"`` (CUDA, then MPS, then CPU) or a torch device.
        trust_remote_code: execute Python code that the model brings along.
        revision: commit, tag or branch of a Hub model.
        download: whether the Hub may be asked for what is not in the cache; None reads ``TUTELAGE_DOWNLOAD``.

    Returns:
        The model in evaluation mode; its tokenizer pads on the left, has a chat template and, where the vocabulary
        allows it, a pad token that does not end a turn.

    Raises:
        ModelError: the model cannot be found or loaded; the hint says what to do.
        AssetMissing: an embedded model that is not installed.

    Example:
        >>> loaded = load("smollm2-135m-instruct")  # doctest: +SKIP
    """
    source = find_source(name_or_path, revision=revision, download=download)
    options: dict[str, Any] = {"dtype": dtype, "device": device, "trust_remote_code": trust_remote_code}
    if (source.folder / "adapter_config.json").is_file() and not (source.folder / "config.json").is_file():
        return _load_adapter(source, options)
    files = check_model_folder(source.folder, trust_remote_code=trust_remote_code)
    tokenizer = _load_tokenizer(source.folder, trust_remote_code=trust_remote_code)
    model, notes = _load_weights(source.folder, options)
    notes += _prepare(model, tokenizer, str(source.folder))
    return LoadedModel(
        model, tokenizer, source.name, source.kind, source.revision, source.folder, tuple(files), tuple(notes)
    )


@contextmanager
def no_bars() -> Iterator[None]:
    """Without transformers' progress bars, which small models fill a terminal with."""
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if bars:
            transformers_logging.enable_progress_bar()


def _load_tokenizer(folder: Path, *, trust_remote_code: bool) -> PreTrainedTokenizerBase:
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=trust_remote_code, padding_side="left"
        )
    except Exception as error:  # the tokenizers library raises bare Exception for a damaged file
        raise ModelError(
            f"the tokenizer cannot be loaded: {error}", where=str(folder), hint="copy the base model's tokenizer files"
        ) from error
    return tokenizer


def _load_weights(folder: Path, options: dict[str, Any]) -> tuple[PreTrainedModel, list[str]]:
    device = choose_device(options["device"])
    dtype = choose_dtype(options["dtype"], device)
    auto: Any = AutoModelForCausalLM
    try:
        with no_bars():
            model, info = auto.from_pretrained(
                folder,
                dtype=dtype,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=options["trust_remote_code"],
                output_loading_info=True,
            )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError, ImportError) as error:
        raise ModelError(
            f"transformers cannot load this as a causal language model: {error}",
            where=str(folder),
            hint="check config.json (model_type, architectures) and that the weights belong to it",
        ) from error
    if info["missing_keys"]:
        missing = sorted(info["missing_keys"])
        raise ModelError(
            f"the weights lack {len(missing)} tensors that the model needs, such as {missing[0]}",
            where=str(folder),
            hint="they would start at random; save the whole model, or check that config.json belongs to the weights",
        )
    notes = [f"{len(info['unexpected_keys'])} tensors of the file are not used"] if info["unexpected_keys"] else []
    return model.to(device).eval(), notes


def _load_adapter(source: ModelSource, options: dict[str, Any]) -> LoadedModel:
    from peft import PeftModel  # inside: PEFT takes seconds to import and few models are adapters

    config = read_json_object(source.folder / "adapter_config.json")
    files = weight_files(source.folder, index="adapter_model.safetensors.index.json")
    base = load(_base_of(source.folder, config), **options, revision=config.get("revision"))
    recorded = source.folder / BASE_RECORD
    if recorded.is_file() and read_json_object(recorded).get("weights_hash") not in (None, base.weights_hash):
        raise ModelError(
            f"the adapter was trained on other weights than those of {base.name}",
            where=str(source.folder),
            hint="bring the original base model back; on other weights an adapter means nothing",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PEFT still reads what transformers renamed
        model: Any = PeftModel.from_pretrained(base.model, str(source.folder)).eval()
    return LoadedModel(
        model,
        base.tokenizer,
        source.name,
        source.kind,
        source.revision,
        source.folder,
        (*base.files, *files),
        (*base.notes, f"adapter on {base.name}"),
    )


def _base_of(folder: Path, config: dict[str, Any]) -> str:
    """The base model of an adapter: as PEFT recorded it or, when that folder is gone, by the name we recorded."""
    name = str(config.get("base_model_name_or_path") or "")
    recorded = read_json_object(folder / BASE_RECORD) if (folder / BASE_RECORD).is_file() else {}
    if recorded.get("source") == "asset" and not Path(name).is_dir():
        return str(recorded["name"])
    if not name:
        raise ModelError("the adapter does not name its base model", where=str(folder / "adapter_config.json"))
    return name


def _prepare(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, where: str) -> list[str]:
    embeddings: Any = model.get_input_embeddings()
    rows = int(embeddings.weight.shape[0])
    if len(tokenizer) > rows:
        raise ModelError(
            f"the tokenizer has {len(tokenizer)} tokens but the model only {rows} embeddings",
            where=where,
            hint="the tokenizer belongs to another model, or tokens were added without resizing the embeddings",
        )
    notes = []
    if tokenizer.eos_token_id is None:
        ids = model.generation_config.eos_token_id if model.generation_config else None
        first = ids[0] if isinstance(ids, list) and ids else ids
        if first is None:
            raise ModelError("the tokenizer has no end-of-text token", where=where, hint="set eos_token")
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(first)
    if tokenizer.chat_template is None:
        tokenizer.chat_template = PLAIN_TEMPLATE
        notes.append("the model has no chat template; turns are written under '### User:' and '### Assistant:'")
    notes += _choose_pad(model, tokenizer)
    return notes


def _choose_pad(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """Choose a pad token that does not end a turn, among those the vocabulary already has."""
    if tokenizer.pad_token_id is not None and tokenizer.pad_token_id != tokenizer.eos_token_id:
        return []
    vocabulary = tokenizer.get_vocab()
    candidates = [tokenizer.unk_token, *_PAD_NAMES, tokenizer.bos_token]
    for token in candidates:
        if token in vocabulary and vocabulary[token] != tokenizer.eos_token_id:
            tokenizer.pad_token = token
            if model.generation_config is not None:
                model.generation_config.pad_token_id = vocabulary[token]
            return [f"the pad token is {token!r}, because padding with the end-of-turn token would hide it in training"]
    tokenizer.pad_token = tokenizer.eos_token
    return ["the vocabulary has no other special token to pad with than the end-of-text token"]


def choose_device(device: str = "auto") -> torch.device:
    """The device of that name; ``"auto"`` is CUDA, else MPS, else CPU.

    Raises:
        ModelError: no such device here.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"there is no device {device!r} here: {error}", hint="use --device cpu or auto") from error
    return chosen


def choose_dtype(dtype: DtypeName, device: torch.device) -> torch.dtype:
    """The compute type of that name.

    ``"auto"`` is bfloat16 on CUDA devices that compute in it and float32 everywhere else: on most CPUs bfloat16 is
    several times slower, and one type on all of them keeps their results comparable.

    Raises:
        RangeError: not one of auto, float32, bfloat16, float16.
    """
    if dtype == "auto":
        fast = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if fast else torch.float32
    names = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if dtype not in names:
        raise RangeError(f"unknown dtype {dtype!r}", hint=f"use auto, {', '.join(names)}")
    return names[dtype]


def set_threads(n: int) -> int:
    """Let torch compute with ``n`` threads, 0 meaning one a physical core; returns how many those are.

    Raises:
        RangeError: ``n`` is negative.
    """
    if n < 0:
        raise RangeError(f"{n} threads cannot compute anything", hint="give at least 1, or 0 for one a core")
    torch.set_num_threads(n or psutil.cpu_count(logical=False) or 1)
    return torch.get_num_threads()
