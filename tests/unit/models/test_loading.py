"""Loading: what is accepted, what is chosen, and a clear refusal for everything else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from tutelage.errors import ModelError, RangeError
from tutelage.models import load
from tutelage.models.loading import choose_device, choose_dtype, set_threads
from tutelage.models.prompt import prompt_ids, stop_token_ids


@pytest.fixture
def folder(tiny_model_dir: Path, tmp_path: Path) -> Path:
    target = tmp_path / "a model"
    shutil.copytree(tiny_model_dir, target)
    return target


def change_json(path: Path, **changes: object) -> None:
    value = json.loads(path.read_text())
    for key, new in changes.items():
        value.pop(key, None) if new is None else value.update({key: new})
    path.write_text(json.dumps(value))


def test_a_folder_is_loaded_ready_for_batches(folder: Path) -> None:
    loaded = load(str(folder))
    assert (loaded.name, loaded.source, loaded.revision, loaded.notes) == ("a model", "folder", None, ())
    assert not loaded.model.training
    assert loaded.tokenizer.padding_side == "left"
    assert len({loaded.tokenizer.pad_token_id, loaded.tokenizer.eos_token_id, loaded.tokenizer.bos_token_id}) == 3
    assert loaded.context_length == 512


def test_the_hash_follows_the_weights_and_nothing_else(folder: Path) -> None:
    first = load(str(folder)).weights_hash
    change_json(folder / "generation_config.json", temperature=0.5)
    assert load(str(folder)).weights_hash == first
    weights = load_file(folder / "model.safetensors")
    name = sorted(weights)[0]
    weights[name] = weights[name].clone()
    weights[name].view(-1)[0] += 1e-3
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert load(str(folder)).weights_hash != first


def test_a_pad_token_that_ends_turns_is_replaced(folder: Path) -> None:
    change_json(folder / "tokenizer_config.json", pad_token="<|im_end|>")
    loaded = load(str(folder))
    assert loaded.tokenizer.pad_token == "<|endoftext|>"
    assert loaded.model.generation_config.pad_token_id == 0
    assert "pad token" in loaded.notes[0]
    assert len(loaded.tokenizer) == len(AutoTokenizer.from_pretrained(folder))


def test_without_a_chat_template_the_documented_format_is_used(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()
    loaded = load(str(folder))
    assert "no chat template" in loaded.notes[0]
    text = loaded.tokenizer.decode(prompt_ids(loaded.tokenizer, [{"role": "user", "content": "Hi"}]))
    assert text == "### User:\nHi\n\n### Assistant:\n"
    assert stop_token_ids(loaded.model, loaded.tokenizer) == (loaded.tokenizer.eos_token_id,)


def test_every_way_to_end_a_turn_is_known(folder: Path) -> None:
    change_json(folder / "generation_config.json", eos_token_id=[2, 7])
    change_json(folder / "tokenizer_config.json", eos_token="<|endoftext|>", pad_token=None)
    loaded = load(str(folder))
    assert stop_token_ids(loaded.model, loaded.tokenizer) == (0, 2, 7)


def test_an_end_token_only_known_to_the_generation_settings(folder: Path) -> None:
    change_json(folder / "tokenizer_config.json", eos_token=None)
    assert load(str(folder)).tokenizer.eos_token == "<|im_end|>"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "config.json").unlink(), "no config.json"),
        (lambda f: (f / "config.json").write_text("{"), "not readable as JSON"),
        (lambda f: (f / "config.json").write_text("[]"), "JSON object is expected"),
        (lambda f: change_json(f / "config.json", model_type="no-such-model"), "cannot load this"),
        (lambda f: change_json(f / "config.json", hidden_size=32), "cannot load this"),
        (lambda f: change_json(f / "config.json", num_hidden_layers=3), "lack 9 tensors"),
        (lambda f: (f / "tokenizer.json").unlink(), "no tokenizer"),
        (lambda f: (f / "tokenizer.json").write_text("{}"), "tokenizer cannot be loaded"),
        (lambda f: (f / "model.safetensors").unlink(), r"no \*.safetensors weights"),
        (lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"), "execute code"),
        (lambda f: (f / "model.safetensors").write_bytes(b""), "damaged"),
        (lambda f: (f / "model.safetensors").write_bytes((f / "model.safetensors").read_bytes()[:-100]), "damaged"),
        (lambda f: (f / "model.safetensors").write_bytes(b"\xff" * 8 + b"{}"), "damaged"),
    ],
)
def test_unusable_folders_are_refused_with_the_place_and_the_cure(folder: Path, damage, message: str) -> None:
    damage(folder)
    with pytest.raises(ModelError, match=message) as caught:
        load(str(folder))
    assert str(folder) in (caught.value.where or "")
    assert caught.value.hint


def test_a_tokenizer_larger_than_the_model_is_refused(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens([f"<extra{i}>" for i in range(5)])
    tokenizer.save_pretrained(folder)
    with pytest.raises(ModelError, match="385 tokens but the model only 380"):
        load(str(folder))


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at all", "a/b/c", "..", "~nobody/x y", "", "-x"])
def test_names_that_are_nothing_are_refused(name: str) -> None:
    with pytest.raises(ModelError):
        load(name)


def test_a_file_is_not_a_folder(folder: Path) -> None:
    with pytest.raises(ModelError, match="a file, not a model folder"):
        load(str(folder / "model.safetensors"))


def test_a_hub_model_that_is_not_cached_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.delenv("TUTELAGE_DOWNLOAD", raising=False)
    with pytest.raises(ModelError, match="downloads are not allowed") as caught:
        load("nobody/no-such-model-at-all")
    assert "hf download nobody/no-such-model-at-all" in str(caught.value)


def test_dtype_and_device() -> None:
    cpu = torch.device("cpu")
    assert choose_dtype("auto", cpu) == torch.float32
    assert choose_dtype("bfloat16", cpu) == torch.bfloat16
    with pytest.raises(RangeError):
        choose_dtype("float8", cpu)  # type: ignore[arg-type]
    assert choose_device("cpu") == cpu
    with pytest.raises(ModelError):
        choose_device("abacus")


def test_threads() -> None:
    assert set_threads(1) == 1
    assert set_threads(0) >= 1
    assert set_threads(1) == 1
    with pytest.raises(RangeError):
        set_threads(-1)
