"""A model folder from a stranger: nothing in it is executed, and nothing outside it is opened."""

from __future__ import annotations

import json
import pickle
import shutil
import struct
from pathlib import Path

import pytest

from tutelage.errors import ModelError
from tutelage.models import load
from tutelage.models.source import check_model_folder


@pytest.fixture
def folder(tiny_model_dir: Path, tmp_path: Path) -> Path:
    target = tmp_path / "model"
    shutil.copytree(tiny_model_dir, target)
    return target


class Payload:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.write_text, (self.canary, "executed")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.pth", "model.ckpt"])
def test_pickled_weights_are_never_opened(folder: Path, tmp_path: Path, name: str) -> None:
    canary = tmp_path / "canary"
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps(Payload(canary)))
    with pytest.raises(ModelError, match=name):
        load(str(folder))
    assert not canary.exists()


def test_pickles_beside_good_weights_are_left_alone(folder: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    for name in ("pytorch_model.bin", "training_args.bin", "optimizer.pt", "tokenizer.bin", "adapter_model.bin"):
        (folder / name).write_bytes(pickle.dumps(Payload(canary)))
    load(str(folder))
    assert not canary.exists()


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_code_of_the_model_is_refused(folder: Path, tmp_path: Path, file: str) -> None:
    canary = tmp_path / "canary"
    (folder / "evil.py").write_text(f"open({str(canary)!r}, 'w').write('executed')")
    value = json.loads((folder / file).read_text())
    value["auto_map"] = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model", "AutoTokenizer": "evil.T"}
    (folder / file).write_text(json.dumps(value))
    with pytest.raises(ModelError, match="auto_map"):
        load(str(folder))
    assert not canary.exists()


@pytest.mark.parametrize(
    "name",
    ["../outside.safetensors", "/etc/passwd", "..\\outside.safetensors", "sub/x.safetensors", "pytorch_model.bin"],
)
def test_an_index_cannot_point_elsewhere(folder: Path, name: str) -> None:
    shutil.copy(folder / "model.safetensors", folder.parent / "outside.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": {"w": name}}))
    with pytest.raises(ModelError, match="unsafe name"):
        check_model_folder(folder)


def test_a_link_out_of_the_folder_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder.parent / "outside.safetensors")
    (folder / "model.safetensors").symlink_to(folder.parent / "outside.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"w": "model.safetensors"}}))
    with pytest.raises(ModelError, match="leaves the folder"):
        check_model_folder(folder)


@pytest.mark.parametrize("weight_map", [[], {"w": 3}, "x", {"w": None}])
def test_a_malformed_index_is_refused(folder: Path, weight_map: object) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    with pytest.raises(ModelError, match="weight_map"):
        check_model_folder(folder)


def safetensors(header: object, data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.mark.parametrize(
    "content",
    [
        struct.pack("<Q", 2**62) + b"{}",
        struct.pack("<Q", 2**40),
        safetensors({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 2**50]}}, b"\0" * 8),
        safetensors({"a": {"dtype": "F32", "shape": [2**60], "data_offsets": [0, 8]}}, b"\0" * 8),
        safetensors(
            {
                "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
                "b": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]},
            },
            b"\0" * 12,
        ),
        safetensors([1, 2]),
        b"PK\x03\x04" + b"\0" * 60,
    ],
)
def test_malicious_headers_are_refused(folder: Path, content: bytes) -> None:
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match="damaged") as caught:
        check_model_folder(folder)
    assert "model.safetensors" in str(caught.value)


def test_a_template_cannot_reach_the_interpreter(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("{{ ().__class__.__bases__[0].__subclasses__() }}")
    loaded = load(str(folder))
    from tutelage.models.prompt import prompt_ids

    with pytest.raises(ModelError, match="refuses"):
        prompt_ids(loaded.tokenizer, [{"role": "user", "content": "x"}])
