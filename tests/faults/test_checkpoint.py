"""A checkpoint is complete or absent; a damaged one is named and passed over."""

import errno

import pytest
import torch

from tutelage.errors import CheckpointError, StoreError
from tutelage.training import checkpoint


@pytest.fixture
def trained():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
    model[0].bias.requires_grad_(False)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.ones(5, 3)).square().sum().backward()
        optimizer.step()
    return model, optimizer


def weights(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def test_round_trip_restores_weights_moments_and_scalars(trained, tmp_path):
    model, optimizer = trained
    checkpoint.save(tmp_path, 2, model, optimizer, {"balance": {"steps": 2}})
    before, moments = weights(model), optimizer.state_dict()["state"]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1 if parameter.requires_grad else 0)
    optimizer.state.clear()
    found, damaged = checkpoint.latest(tmp_path)
    assert (found.step, damaged) == (2, [])
    assert checkpoint.restore(found, model, optimizer) == {"balance": {"steps": 2}}
    assert all(torch.equal(before[name], p) for name, p in model.named_parameters())
    after = optimizer.state_dict()["state"]
    assert all(torch.equal(moments[i][key], after[i][key]) for i in moments for key in moments[i])
    assert not list(tmp_path.rglob("*.bin")) + list(tmp_path.rglob("*.pt"))


@pytest.mark.parametrize("name", ["weights.safetensors", "optimizer.safetensors", "state.json"])
@pytest.mark.parametrize("how", ["truncated", "flipped", "emptied", "removed"])
def test_damage_is_named_and_the_one_before_is_used(trained, tmp_path, name, how):
    model, optimizer = trained
    for step in (1, 2):
        checkpoint.save(tmp_path, step, model, optimizer, {})
    file = tmp_path / "step-000002" / name
    content = file.read_bytes()
    if how == "removed":
        file.unlink()
    else:
        flipped = content[:-1] + bytes([content[-1] ^ 1])
        file.write_bytes({"truncated": content[:-3], "flipped": flipped, "emptied": b""}[how])
    found, (message,) = checkpoint.latest(tmp_path)
    assert found.step == 1
    assert name in message


def test_folders_without_a_manifest_and_strays_are_passed_over(trained, tmp_path):
    model, optimizer = trained
    checkpoint.save(tmp_path, 1, model, optimizer, {})
    (tmp_path / "step-000009").mkdir()
    (tmp_path / "step-000009" / "weights.safetensors").write_bytes(b"x")
    (tmp_path / ".tmp-half").mkdir()
    (tmp_path / "step-notes").mkdir()
    found, damaged = checkpoint.latest(tmp_path)
    assert found.step == 1
    assert len(damaged) == 1


def test_a_full_disk_leaves_the_previous_checkpoint(trained, tmp_path, monkeypatch):
    model, optimizer = trained
    checkpoint.save(tmp_path, 1, model, optimizer, {})

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StoreError, match=r"(?i)space|full"):
        checkpoint.save(tmp_path, 2, model, optimizer, {})
    monkeypatch.undo()
    assert checkpoint.latest(tmp_path)[0].step == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-000001"]


def test_only_the_newest_are_kept(trained, tmp_path):
    model, optimizer = trained
    for step in (1, 2, 3, 10):
        checkpoint.save(tmp_path, step, model, optimizer, {}, keep=2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-000003", "step-000010"]


def test_another_model_is_refused(trained, tmp_path):
    model, optimizer = trained
    checkpoint.save(tmp_path, 1, model, optimizer, {})
    model[0].bias.requires_grad_(True)
    found, _ = checkpoint.latest(tmp_path)
    with pytest.raises(CheckpointError, match=r"0\.bias"):
        checkpoint.restore(found, model, optimizer)


def test_another_format_is_refused(trained, tmp_path):
    model, optimizer = trained
    found = checkpoint.save(tmp_path, 1, model, optimizer, {})
    state = found.folder / "state.json"
    state.write_text(state.read_text().replace('"format": 1', '"format": 99'))
    with pytest.raises(CheckpointError, match="format 99"):
        checkpoint.restore(found, model, optimizer)
