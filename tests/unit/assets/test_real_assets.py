"""What the installed kit holds. Skipped, with the command, only where it is not installed."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tutelage import assets

QUESTION = "What is the capital of France?"


@pytest.mark.needs_asset("smollm2-135m-instruct")
def test_the_language_model_is_a_plain_float32_folder_with_its_own_pad_token() -> None:
    from safetensors import safe_open

    folder = assets.path("smollm2-135m-instruct")
    config = json.loads((folder / "config.json").read_text())
    generation = json.loads((folder / "generation_config.json").read_text())
    assert "quantization_config" not in config
    assert (config["pad_token_id"], config["eos_token_id"]) == (0, 2)
    assert (generation["pad_token_id"], generation["eos_token_id"]) == (0, 2)
    assert (generation["top_p"], generation["top_k"], generation["temperature"]) == (1.0, 0, 1.0)
    with safe_open(folder / "model.safetensors", "np") as file:
        shapes = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        assert {s.get_dtype() for s in shapes.values()} == {"F32"}
        total = 0
        for piece in shapes.values():
            rows, *columns = piece.get_shape()
            total += rows * (columns[0] if columns else 1)
    assert total == 134_515_008
    added = {t["content"]: t["id"] for t in json.loads((folder / "tokenizer.json").read_text())["added_tokens"]}
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    assert (added[settings["pad_token"]], added[settings["eos_token"]]) == (0, 2)
    assert (settings["pad_token"], settings["eos_token"]) == ("<|endoftext|>", "<|im_end|>")


@pytest.mark.slow
@pytest.mark.needs_asset("smollm2-135m-instruct")
def test_the_language_model_knows_the_capital_of_france() -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = assets.path("smollm2-135m-instruct")
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    assert not getattr(model, "is_quantized", False)
    chat = [{"role": "user", "content": QUESTION}]
    assert tokenizer.apply_chat_template(chat, tokenize=False).endswith(
        "<|im_start|>user\n" + QUESTION + "<|im_end|>\n"
    )
    batch = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    with torch.no_grad():
        output = model.generate(**batch, max_new_tokens=12, do_sample=False)
    assert "The capital of France is Paris." in tokenizer.decode(output[0])


@pytest.mark.slow
@pytest.mark.needs_asset("all-minilm-l6-v2")
def test_the_encoder_knows_what_is_alike() -> None:
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers import AutoModel, AutoTokenizer

    folder = str(assets.path("all-minilm-l6-v2"))
    texts = ["A man is eating food", "Someone is having a meal", "The stock market fell"]
    found = SentenceTransformer(folder, device="cpu").encode(texts, normalize_embeddings=True)
    batch = AutoTokenizer.from_pretrained(folder)(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        states = AutoModel.from_pretrained(folder)(**batch).last_hidden_state
    mask = batch["attention_mask"][..., None]
    mean = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)
    assert found.shape == (3, 384)
    assert found == pytest.approx(mean.numpy(), abs=1e-5)
    eating, meal, market = found
    assert eating @ meal > 0.6
    assert abs(eating @ market) < 0.1


@pytest.mark.needs_asset("esco-skills")
def test_esco_has_the_groups_that_the_main_domain_needs() -> None:
    everything = assets.rows("esco-skills", "all")
    rows = [row for row in everything if row["split"] == "grouped"]
    sizes = {"S1": 2020, "S2": 1534, "S3": 906, "S4": 1124, "S5": 285, "S6": 1245, "S7": 237, "S8": 1167}
    assert Counter(row["group_code"] for row in rows) == sizes
    assert len({row["id"] for row in rows}) == len({row["label"].casefold() for row in rows}) == 8518
    assert len(everything) == 13_412
    assert {r["group_name"] for r in rows if r["group_code"] == "S2"} == {"information skills"}


@pytest.mark.parametrize(
    ("name", "rows", "set_aside", "choices"),
    [
        pytest.param("piqa", 1500, 0, {2}, marks=pytest.mark.needs_asset("piqa")),
        pytest.param("openbookqa", 500, 0, {4}, marks=pytest.mark.needs_asset("openbookqa")),
        pytest.param("commonsenseqa", 1196, 25, {5}, marks=pytest.mark.needs_asset("commonsenseqa")),
        pytest.param("siqa", 1925, 29, {3}, marks=pytest.mark.needs_asset("siqa")),
        pytest.param("mmlu", 2840, 10, {4}, marks=pytest.mark.needs_asset("mmlu")),
        pytest.param("boolq", 12_697, 3245, {2}, marks=pytest.mark.needs_asset("boolq")),
    ],
)
def test_multiple_choice_sets(name: str, rows: int, set_aside: int, choices: set[int]) -> None:
    loaded = assets.load(name)
    assert (len(loaded.rows), len(loaded.set_aside)) == (rows, set_aside)
    assert {len(row["choices"]) for row in loaded.rows} == choices
    assert all(0 <= row["answer"] < len(row["choices"]) for row in loaded.rows)
    assert len({row["id"] for row in loaded.rows}) == rows
    if name == "boolq":  # the numbers of its authors
        assert Counter(row["split"] for row in loaded.rows) == {"train": 9427, "dev": 3270}
        assert sum(row["answer"] for row in loaded.rows if row["split"] == "train") == 5874


@pytest.mark.needs_asset("tech-support", "chat")
def test_the_support_file_holds_ten_pairs_only() -> None:
    loaded = assets.load("tech-support")
    assert (len(loaded.rows), len(loaded.set_aside)) == (10, 1040)
    assert len(assets.rows("chat")) == 888


@pytest.mark.needs_asset("ifbench", "do-not-answer", "harmbench", "advbench", "refusal-judgements", "harm-judgements")
def test_evaluation_sets() -> None:
    sizes = {"ifbench": 294, "do-not-answer": 938, "harmbench": 200, "advbench": 520}
    assert {name: len(assets.rows(name)) for name in sizes} == sizes
    assert Counter(r["split"] for r in assets.rows("refusal-judgements")) == {"main": 105, "extra": 64}
    assert sum(r["scores"][0] for r in assets.rows("refusal-judgements", "main")) == 70
    graded = assets.rows("harm-judgements")
    assert len(graded) == 386
    assert {len(r["scores"]) for r in graded} == {3}


@pytest.mark.needs_asset("asdiv")
def test_arithmetic_problems() -> None:
    rows = assets.rows("asdiv")
    assert len(rows) == 2083
    assert rows[0]["answer"] == 9.0


@pytest.mark.needs_asset("privacy-policy-qa")
def test_clauses_of_privacy_policies() -> None:
    rows = assets.rows("privacy-policy-qa")
    assert len(rows) == 10_923
    assert 0.45 < sum(row["answer"] for row in rows) / len(rows) < 0.55
    assert len({row["group"] for row in rows}) < 400


@pytest.mark.needs_asset("rated-profanity")
def test_words_with_a_severity() -> None:
    rows = assets.rows("rated-profanity")
    assert len(rows) == 1598
    assert all(1 <= row["severity"] <= 3 and row["categories"] for row in rows)
