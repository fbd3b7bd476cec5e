from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest
import torch

from tutelage.errors import CheckpointError, DataError, StoreError
from tutelage.io.tensors import load_metadata, load_tensors, save_tensors

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int8, torch.uint8, torch.bool]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 4)])
def test_bits_and_shapes_come_back(tmp_path: Path, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    tensor = (torch.randn(shape, generator=torch.Generator().manual_seed(0)) * 50).to(dtype)
    save_tensors(tmp_path / "a", {"x": tensor})
    back = load_tensors(tmp_path / "a")["x"]
    assert (back.dtype, back.shape) == (dtype, tensor.shape)
    assert torch.equal(back, tensor)


def test_special_floats_keep_their_bits(tmp_path: Path) -> None:
    bits = torch.tensor([0x7FC00001, 0x7F800000, -0x800000, -0x80000000, 1], dtype=torch.int32)
    save_tensors(tmp_path / "a", {"x": bits.view(torch.float32)})
    assert torch.equal(load_tensors(tmp_path / "a")["x"].view(torch.int32), bits)


def test_shared_strided_and_trainable_tensors(tmp_path: Path) -> None:
    base = torch.arange(12.0).reshape(3, 4).requires_grad_()
    given = {
        "base": base,
        "tied": base,
        "row": base[1],
        "turned": base.T,
        "step": base[:, ::2],
        "wide": base[:1].expand(5, 4),
    }
    save_tensors(tmp_path / "a", given, {"step": "3", "ü": "ü"})
    back = load_tensors(tmp_path / "a")
    assert back.keys() == given.keys()
    assert all(torch.equal(back[name], given[name]) for name in given)
    assert {"step": "3", "ü": "ü"}.items() <= load_metadata(tmp_path / "a").items()
    assert base.requires_grad


def test_nothing_to_save(tmp_path: Path) -> None:
    save_tensors(tmp_path / "a", {})
    assert load_tensors(tmp_path / "a") == {}


def test_what_cannot_be_saved_leaves_the_old_file(tmp_path: Path) -> None:
    save_tensors(tmp_path / "a", {"x": torch.ones(2)})
    with pytest.raises(DataError, match="'y' is not a dense tensor"):
        save_tensors(tmp_path / "a", {"y": [1.0]})  # type: ignore[dict-item]
    with pytest.raises(DataError, match="'y' is not a dense tensor"):
        save_tensors(tmp_path / "a", {"y": torch.eye(3).to_sparse()})
    with pytest.raises(DataError, match="metadata"):
        save_tensors(tmp_path / "a", {}, {"step": 3})  # type: ignore[dict-item]
    assert torch.equal(load_tensors(tmp_path / "a")["x"], torch.ones(2))
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_limit_of_the_disk_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    save_tensors(path, {"x": torch.ones(2)})
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
            with pytest.raises(StoreError) as caught:
                save_tensors(path, {"x": torch.zeros(10_000)})
            code = int(caught.value.where != str(path))
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0
    assert [p.name for p in tmp_path.iterdir()] == ["weights"]
    assert torch.equal(load_tensors(path)["x"], torch.ones(2))


def test_every_truncation_is_refused_with_the_name(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    save_tensors(path, {"x": torch.ones(4), "y": torch.ones(4)})
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        for load in (load_tensors, load_metadata):
            with pytest.raises(CheckpointError) as caught:
                load(path)
            assert caught.value.where == str(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(CheckpointError):
        load_tensors(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(CheckpointError, match="no such file"):
            load_tensors(path)
