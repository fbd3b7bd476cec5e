"""Sentence encoders: unit rows in the order of the texts, whatever else is in the batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from tutelage.errors import ModelError, NumericalError
from tutelage.models.encoder import Encoder

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "man", "is", "eating", "food", "the", "stock", "market", "fell", "."]
TEXTS = [
    "a man is eating food",
    "the stock market fell",
    "food",
    "a man is eating the food . the man fell .",
    "",
    "man",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("encoder")
    core = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)])
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=core, **special).save_pretrained(path / "bert")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
        config = BertConfig(vocab_size=len(WORDS), **shape, max_position_embeddings=32, initializer_range=0.5)
        BertModel(config).save_pretrained(path / "bert")
    encoder = Transformer(str(path / "bert"))
    SentenceTransformer(modules=[encoder, Pooling(16)], device="cpu").save(str(path / "whole"))
    return path / "whole"


def test_rows_are_unit_vectors_in_the_order_of_the_texts(folder: Path) -> None:
    encoder = Encoder(str(folder), device="cpu", batch_size=2)
    rows = encoder.embed(TEXTS)
    assert (rows.shape, rows.dtype) == ((6, 16), np.float32)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)
    for i, text in enumerate(TEXTS):
        np.testing.assert_allclose(encoder.embed([text])[0], rows[i], atol=1e-5)
    plain = SentenceTransformer(str(folder), device="cpu").encode(TEXTS, normalize_embeddings=True)
    np.testing.assert_allclose(rows, plain, atol=1e-5)


def test_no_texts(folder: Path) -> None:
    assert Encoder(str(folder), device="cpu").embed([]).shape == (0, 16)


def test_vectors_that_are_not_finite_are_refused_with_the_text(folder: Path) -> None:
    encoder = Encoder(str(folder), device="cpu")
    next(p for name, p in encoder.model.named_parameters() if "word_embeddings" in name).data[4] = float("nan")
    with pytest.raises(NumericalError, match="text 1"):
        encoder.embed(["food", "a man"])


def test_folders_that_hold_no_encoder(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no \*\.safetensors"):
        Encoder(str(tmp_path))
    with pytest.raises(ModelError):
        Encoder("./nowhere")


def test_the_identity_is_that_of_the_weights(folder: Path) -> None:
    assert len(Encoder(str(folder), device="cpu").weights_hash) == 64
