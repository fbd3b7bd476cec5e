"""Reward models on disk: what comes back scores like what was kept, and what cannot be kept or read is said."""

import json

import pytest
import torch

from tutelage.errors import CheckpointError, ModelError, StoreError
from tutelage.models import attach_lora, load
from tutelage.training.reward_folder import load_reward_model, save_reward_model
from tutelage.training.reward_heads import HeadRewardModel, PairTokenHead, ScalarHead

QUESTION, STEPS = "Add 3 4", [["3 + 4 = 7", "so 7"], ["3 + 4 = 8"]]


def made(folder, *, head="scalar", kind="dPRM", lora=False, **more):
    loaded = load(str(folder), dtype="float32", device="cpu")
    if lora:
        loaded = attach_lora(loaded)
        torch.manual_seed(1)
        for name, weight in loaded.model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.1)
    if head == "scalar":
        found = ScalarHead(loaded.model)
        torch.manual_seed(0)
        torch.nn.init.normal_(found.map.weight, std=0.5)
    else:
        found = PairTokenHead(loaded.model, loaded.tokenizer, "a", "b")
    return HeadRewardModel(loaded.model, loaded.tokenizer, found, kind, **more)


@pytest.mark.parametrize("lora", [False, True])
@pytest.mark.parametrize(("head", "kind"), [("scalar", "dPRM"), ("scalar", "dORM"), ("pair", "dPRM")])
def test_what_comes_back_scores_alike(tiny_model_dir, tmp_path, head, kind, lora):
    more = {"separator": " ;", "prompt": "Q: {} A:".format, "max_tokens": 99}
    model = made(tiny_model_dir, head=head, kind=kind, lora=lora, **more)
    expected = model.score(QUESTION, STEPS)
    save_reward_model(model, tmp_path / "kept")
    assert model.score(QUESTION, STEPS) == expected  # keeping changes nothing
    again = load_reward_model(tmp_path / "kept", device="cpu")
    assert (again.kind, again.separator, again.max_tokens, again.prompt("x")) == (kind, " ;", 99, "Q: x A:")
    assert not again.training
    for one, other in zip(again.score(QUESTION, STEPS), expected, strict=True):
        assert one == pytest.approx(other, abs=1e-5 if lora else 0)
    assert max(expected[0]) - min(expected[0] + expected[1]) > 1e-3 or kind == "dORM"


def test_what_has_no_form_on_disk_is_refused_and_leaves_nothing(tiny_model_dir, tmp_path):
    turned = made(tiny_model_dir, prompt=lambda question: question.upper())
    with pytest.raises(ModelError, match="more than text around"):
        save_reward_model(turned, tmp_path / "kept")
    other = made(tiny_model_dir)
    other.head = torch.nn.Sequential(ScalarHead(other.model))
    with pytest.raises(ModelError, match="Sequential has no form"):
        save_reward_model(other, tmp_path / "kept")
    assert list(tmp_path.iterdir()) == []
    model = made(tiny_model_dir)
    save_reward_model(model, tmp_path / "kept")
    with pytest.raises(StoreError):
        save_reward_model(model, tmp_path / "kept")


def test_folders_that_hold_none_or_a_damaged_one_are_named(tiny_model_dir, tmp_path):
    with pytest.raises(CheckpointError, match="no reward model"):
        load_reward_model(tiny_model_dir)
    place = tmp_path / "kept"
    save_reward_model(made(tiny_model_dir), place)
    facts = json.loads((place / "reward.json").read_text())
    for change, said in (({"version": 9}, "version 9"), ({"prompt": "x"}, "damaged"), ({"head": ["a"]}, "damaged")):
        (place / "reward.json").write_text(json.dumps(facts | change))
        with pytest.raises(CheckpointError, match=said):
            load_reward_model(place)
    (place / "reward.json").write_text(json.dumps(facts))
    head = place / "head.safetensors"
    head.write_bytes(head.read_bytes()[:-4])
    with pytest.raises(CheckpointError, match=r"head\.safetensors"):
        load_reward_model(place)


def test_a_model_that_comes_back_otherwise_is_not_kept(tiny_model_dir, tmp_path, monkeypatch):
    from tutelage.training import reward_folder

    monkeypatch.setattr(reward_folder, "save_tensors", lambda path, tensors: None)
    with pytest.raises(CheckpointError):
        save_reward_model(made(tiny_model_dir), tmp_path / "lost")
    monkeypatch.undo()
    kept = reward_folder.save_tensors
    monkeypatch.setattr(
        reward_folder, "save_tensors", lambda path, tensors: kept(path, {k: -v for k, v in tensors.items()})
    )
    with pytest.raises(ModelError, match="written, it scores"):
        save_reward_model(made(tiny_model_dir), tmp_path / "turned")
    assert list(tmp_path.iterdir()) == []
