"""Turn a quantised GGUF file into a plain float32 folder in the Hub's layout. Run as a process of its own:

``python -m tutelage.assets.convert FILE.gguf FOLDER``, so that the memory goes back to the system afterwards.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, GgufConfig

from tutelage.errors import ModelError

__all__ = ["convert"]

PAD_TOKEN = "<|endoftext|>"
END_OF_TURN = "<|im_end|>"


def convert(gguf: Path, folder: Path) -> None:
    """Write the de-quantised model and its tokenizer to ``folder``.

    The pad token becomes ``<|endoftext|>``: the file's own pad is the end-of-turn token, and masking pads would mask
    the very token that teaches a model to stop. The generation settings are neutral (temperature 1, top_p 1,
    top_k 0), so that nothing truncates a sampled distribution unasked.

    Args:
        gguf: the quantised file.
        folder: an existing folder.

    Raises:
        ModelError: the special tokens are not the expected ones, or the model is still quantised.
    """
    source = gguf.parent
    tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=gguf.name)
    tokenizer.pad_token = PAD_TOKEN
    pad, eos = (tokenizer.convert_tokens_to_ids(token) for token in (PAD_TOKEN, END_OF_TURN))
    if pad in (None, eos) or eos is None or tokenizer.eos_token_id != eos:
        raise ModelError(f"unexpected special tokens: pad {pad}, end of turn {eos}", where=gguf.name)
    model = AutoModelForCausalLM.from_pretrained(
        source,
        gguf_file=gguf.name,
        dtype=torch.float32,
        quantization_config=GgufConfig(gguf_file=gguf.name, dequantize=True),
    )
    if getattr(model, "is_quantized", False) or {p.dtype for p in model.parameters()} != {torch.float32}:
        raise ModelError("the model is still quantised after loading", where=gguf.name)
    model.config.pad_token_id = pad
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=eos,
        pad_token_id=pad,
        do_sample=True,
        temperature=1.0,
        top_p=1.0,
        top_k=0,
    )
    model.save_pretrained(folder, max_shard_size="100GB")
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
