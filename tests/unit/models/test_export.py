"""What is written, reloaded, is what was trained; otherwise nothing is left."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from test_adapter import disturb, logits
from transformers import AutoModelForCausalLM, AutoTokenizer

from tutelage.errors import ModelError, StoreError
from tutelage.io import verify_folder
from tutelage.models import LoadedModel, LoraSettings, attach_lora, load
from tutelage.models import export as export_module
from tutelage.models.export import export


@pytest.fixture
def tuned(tiny: LoadedModel) -> LoadedModel:
    loaded = attach_lora(tiny, LoraSettings(rank=4))
    disturb(loaded)
    return loaded


def test_adapter_and_merged_model_are_the_trained_model(tuned: LoadedModel, tmp_path: Path) -> None:
    before = {name: tensor.clone() for name, tensor in tuned.model.state_dict().items()}
    facts = export(tuned, tmp_path / "out")
    assert facts["adapter_difference"] == 0.0
    assert 0 <= facts["merged_difference"] <= facts["merged_tolerance"]
    assert json.loads(json.dumps(facts)) == facts
    verify_folder(tmp_path / "out")
    expected = logits(tuned)
    assert torch.equal(logits(load(facts["adapter"])), expected)
    torch.testing.assert_close(logits(load(facts["model"])), expected, atol=1e-4, rtol=1e-4)
    assert all(torch.equal(tensor, before[name]) for name, tensor in tuned.model.state_dict().items())


def test_plain_transformers_and_peft_load_what_was_written(tuned: LoadedModel, tmp_path: Path) -> None:
    facts = export(tuned, tmp_path / "out")
    ids = torch.tensor([[1, 5, 9, 200, 300, 7]])
    merged = AutoModelForCausalLM.from_pretrained(facts["model"]).eval()
    adapted = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tuned.folder), facts["adapter"]).eval()
    with torch.no_grad():
        torch.testing.assert_close(merged(ids).logits, logits(tuned), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(adapted(ids).logits, logits(tuned), atol=1e-5, rtol=1e-5)
    for part in ("adapter", "model"):
        tokenizer = AutoTokenizer.from_pretrained(facts[part])
        assert tokenizer.chat_template == tuned.tokenizer.chat_template
    assert merged.generation_config.eos_token_id in (2, [2])
    config = json.loads((Path(facts["adapter"]) / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(tuned.folder)


def test_only_safetensors_and_text_are_written(tuned: LoadedModel, tmp_path: Path) -> None:
    export(tuned, tmp_path / "out")
    names = {p.name for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert {n.rpartition(".")[2] for n in names} <= {"json", "safetensors", "jinja", "txt", "model"}
    assert {"adapter_model.safetensors", "model.safetensors", "tokenizer.json", "generation_config.json"} <= names


def test_a_full_model_is_written_as_it_is(tiny: LoadedModel, tmp_path: Path) -> None:
    next(tiny.model.parameters()).data.mul_(1.5)
    facts = export(tiny, tmp_path / "out")
    assert facts["adapter"] is None
    assert facts["merged_difference"] == 0.0
    assert torch.equal(logits(load(facts["model"])), logits(tiny))


def test_a_model_that_differs_after_reloading_is_not_saved(tuned: LoadedModel, tmp_path: Path, monkeypatch) -> None:
    def broken_load(*args, **kwargs):
        again = load(*args, **kwargs)
        next(p for name, p in again.model.named_parameters() if "lora_B" in name).data.add_(0.01)
        return again

    monkeypatch.setattr(export_module, "load", broken_load)
    with pytest.raises(ModelError, match="is not the trained one"):
        export(tuned, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_ever_replaced(tuned: LoadedModel, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(StoreError):
        export(tuned, tmp_path / "out")


def test_an_adapter_on_other_weights_is_refused(tuned: LoadedModel, tiny_model_dir: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(tiny_model_dir, base)
    facts = export(tuned, tmp_path / "out", merged=False)
    assert facts["model"] is None
    config = Path(facts["adapter"]) / "adapter_config.json"
    config.write_text(config.read_text().replace(str(tiny_model_dir), str(base)))
    assert torch.equal(logits(load(facts["adapter"])), logits(tuned))
    model = AutoModelForCausalLM.from_pretrained(base)
    next(model.parameters()).data.mul_(1.01)
    model.save_pretrained(base)
    with pytest.raises(ModelError, match="trained on other weights"):
        load(facts["adapter"])


def test_sampling_settings_that_transformers_would_refuse_do_not_stop_the_export(
    tuned: LoadedModel, tmp_path: Path
) -> None:
    settings = tuned.model.get_base_model().generation_config
    settings.do_sample, settings.temperature, settings.top_p = False, 0.6, 0.9
    assert export(tuned, tmp_path / "out")["model"]
