"""Fixtures shared by all tests. No network, no asset: the tiny model is made here, from a seed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tutelage.models import LoadedModel

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test marked ``needs_asset("name")`` only when that asset is absent, and say how to get it."""
    for mark in item.iter_markers("needs_asset"):
        from tutelage import assets

        for name in mark.args:
            if assets.problem(assets.get(name)) is not None:
                pytest.skip(f"needs the asset {name!r}: run `tutelage assets install {name}`")


TINY_TEXT = (
    "You are a helpful assistant. Answer with one word.",
    "What colour is the sky? The sky is blue and the grass is green.",
    "Name a fruit. An apple is a fruit, and so is a pear.",
    "How much is 12 plus 30? 12 plus 30 is 42.",
    "system user assistant the and of to in that it was he for on are with as his they at be this",
)

TINY_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def make_tiny_tokenizer(vocab_size: int = 400):
    """Byte-level BPE with ChatML-like specials; bos, eos, pad are three different tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(TINY_TEXT, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=TINY_TEMPLATE,
    )


def make_tiny_model(vocab_size: int, *, seed: int = 0, **changes: object):
    """Two-layer random Llama with grouped-query attention and tied embeddings, float32, about 60k parameters."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        **{
            "vocab_size": vocab_size,
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 512,
            "initializer_range": 0.2,
            "tie_word_embeddings": True,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "pad_token_id": 0,
            **changes,
        }
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config).eval()


@pytest.fixture(scope="session")
def tiny_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder in the Hub's layout with a tiny random causal LM and its tokenizer. Read only: copy before changing."""
    folder = tmp_path_factory.mktemp("tiny") / "tiny-llama"
    tokenizer = make_tiny_tokenizer()
    tokenizer.save_pretrained(folder)
    make_tiny_model(len(tokenizer)).save_pretrained(folder)
    return folder


@pytest.fixture
def tiny(tiny_model_dir: Path) -> LoadedModel:
    """The tiny model, freshly loaded: a test may change it."""
    import torch

    from tutelage.models import load

    torch.set_num_threads(1)
    return load(str(tiny_model_dir), dtype="float32", device="cpu")


@pytest.fixture
def kit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A small made-up catalogue with its wheels and an empty home; see ``made_up_assets.py``."""
    from made_up_assets import make_kit

    return make_kit(tmp_path, monkeypatch)
