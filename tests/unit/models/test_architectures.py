"""Decoding and scoring agree with the plain forward for very different kinds of causal LMs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from tutelage.models.rollout import sample
from tutelage.models.scoring import score_sequences
from tutelage.models.stepper import full_attention
from tutelage.types import Sampling, TokenSequence

V = 97
COMMON = {"vocab_size": V, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
LLAMA_LIKE = {
    **COMMON,
    "intermediate_size": 48,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "initializer_range": 0.3,
}
GPT2 = {"vocab_size": V, "n_embd": 32, "n_layer": 2, "n_head": 4, "initializer_range": 0.3}
OPT = {**COMMON, "ffn_dim": 48, "word_embed_proj_dim": 32, "max_position_embeddings": 128, "init_std": 0.3}
BLOOM = {"vocab_size": V, "hidden_size": 32, "n_layer": 2, "n_head": 4, "initializer_range": 0.3}
MAMBA = {"vocab_size": V, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 4}
FULL, OTHER = True, False
BUILD: dict[str, tuple[type[PreTrainedModel], type[PreTrainedConfig], dict[str, object], bool]] = {
    "llama": (LlamaForCausalLM, LlamaConfig, LLAMA_LIKE, FULL),
    "llama-eager": (LlamaForCausalLM, LlamaConfig, {**LLAMA_LIKE, "attn_implementation": "eager"}, FULL),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config, {**LLAMA_LIKE, "head_dim": 8}, FULL),
    "gpt2": (GPT2LMHeadModel, GPT2Config, GPT2, FULL),
    "granite-scaled-logits": (GraniteForCausalLM, GraniteConfig, {**LLAMA_LIKE, "logits_scaling": 3.0}, FULL),
    "opt": (OPTForCausalLM, OPTConfig, OPT, FULL),
    "mistral-window": (MistralForCausalLM, MistralConfig, {**LLAMA_LIKE, "sliding_window": 6}, OTHER),
    "gemma2-softcap": (Gemma2ForCausalLM, Gemma2Config, {**LLAMA_LIKE, "head_dim": 8, "sliding_window": 6}, OTHER),
    "bloom-alibi": (BloomForCausalLM, BloomConfig, BLOOM, OTHER),
    "mamba": (MambaForCausalLM, MambaConfig, MAMBA, OTHER),
}
PREFIX = [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21]
PROMPTS = [[*PREFIX, 40], [*PREFIX, 41, 42, 43, 44], [*PREFIX, 50, 51], [*PREFIX, 40]]
TOKENIZER: PreTrainedTokenizerFast = None  # type: ignore[assignment] # no stop strings: never asked


@pytest.fixture(scope="module", params=list(BUILD))
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    model_class, config_class, values, full = BUILD[request.param]
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        built = model_class(config_class(**values)).eval()
    built.expected_full_attention = full
    return built


def next_logits(model: PreTrainedModel, ids: list[int]) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].double()


def test_the_kind_of_model_is_recognised(model: PreTrainedModel) -> None:
    assert full_attention(model) is model.expected_full_attention


def test_greedy_rollouts_equal_a_naive_loop(model: PreTrainedModel) -> None:
    stops = (3, 30, 60, 90)
    for shift in (0, 17):  # with and without a prefix that all prompts share
        prompts = [[*p[shift:], i] if shift else p for i, p in enumerate(PROMPTS, start=70)]
        found = sample(model, TOKENIZER, prompts, Sampling(max_new_tokens=9, temperature=0), [0] * 4, stops)
        for prompt, rollout in zip(prompts, found, strict=True):
            drawn: list[int] = []
            while len(drawn) < 9 and not (drawn and drawn[-1] in stops):
                drawn.append(int(next_logits(model, prompt + drawn)[-1].argmax()))
            assert rollout.token_ids == tuple(drawn)
            assert rollout.finished == (drawn[-1] in stops)


def test_scores_equal_a_plain_forward(model: PreTrainedModel) -> None:
    ends = ([1], [2, 3, 4], [5, 6], [])
    sequences = [TokenSequence((*p, *end), len(p)) for p in PROMPTS for end in ends]
    for sequence, scores in zip(sequences, score_sequences(model, sequences, top_k=2), strict=True):
        expected = next_logits(model, list(sequence.ids)).log_softmax(-1)[sequence.start - 1 : -1]
        own = expected.gather(1, torch.tensor(sequence.ids[sequence.start :], dtype=torch.long)[:, None])[:, 0]
        np.testing.assert_allclose(scores.logprobs, own, atol=1e-4)
        np.testing.assert_allclose(scores.topk_logprobs, expected.topk(2).values, atol=1e-4)
