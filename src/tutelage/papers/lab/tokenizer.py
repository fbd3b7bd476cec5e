"""The laboratory's own byte-level BPE of at most 2,048 tokens, with a ChatML-like template."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from tutelage.papers.lab.instructions import mixture

__all__ = ["VOCABULARY", "lab_tokenizer", "trained_tokenizer"]

VOCABULARY = 2048
SEEN = 30  # a pair of tokens must occur this often to be merged: syllables and words do, whole invented names do not
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def lab_tokenizer(exercises: int = 4000) -> PreTrainedTokenizerBase:
    """The tokenizer of the general mixture; the same bits every time."""
    return trained_tokenizer(f"{one.prompt}\n{one.reply}" for one in mixture(exercises, seed=0))


def trained_tokenizer(texts: Iterable[str], *, seen: int = SEEN) -> PreTrainedTokenizerBase:
    """Train a tokenizer on ``texts``; a pair of tokens is merged when it occurs at least ``seen`` times."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        min_frequency=seen,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=TEMPLATE,
        padding_side="left",
    )
