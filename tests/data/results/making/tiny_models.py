"""Two models of a few thousand random weights, and a tokenizer of single bytes, as folders `old` and `new`."""

import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

# bytes of printable ASCII, the line end, and of the few other letters in the items, each as ByteLevel writes it
bytes_used = Tokenizer(models.BPE())
bytes_used.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
printable = "".join(map(chr, range(32, 127))) + "\n°ö"
alphabet = sorted(set(bytes_used.pre_tokenizer.pre_tokenize_str(printable)[0][0]))
vocabulary = {"<eos>": 0, **{letter: i + 1 for i, letter in enumerate(alphabet)}}
tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<eos>", pad_token="<eos>", bos_token="<eos>")
for name, seed in (("old", 1), ("new", 2)):
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=256,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
        initializer_range=0.4,
    )
    folder = Path(sys.argv[1]) / name
    LlamaForCausalLM(config).save_pretrained(folder)
    fast.save_pretrained(folder)
