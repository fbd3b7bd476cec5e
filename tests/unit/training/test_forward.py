"""Hidden states at the counted positions against a plain forward of each sequence alone."""

import contextlib
import random

import pytest
import torch
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GraniteConfig,
    GraniteForCausalLM,
)

from tutelage.errors import ModelError
from tutelage.functional.logprobs import projected_cross_entropy
from tutelage.training.forward import (
    Backbone,
    PrefixCache,
    TokenPair,
    _common_prefix,
    common_beginning,
    student_outputs,
    teacher_outputs,
)


def make_pairs(count, *, shared, seed=0):
    draw = random.Random(seed)
    common = [draw.randrange(3, 300) for _ in range(shared)]
    return [
        TokenPair(
            tuple(common + [draw.randrange(3, 300) for _ in range(draw.randrange(1, 9))]),
            tuple(draw.randrange(3, 300) for _ in range(draw.randrange(1, 11))),
        )
        for _ in range(count)
    ]


def naive_logits(model, pairs):
    rows = []
    for pair in pairs:
        logits = model(input_ids=torch.tensor([pair.prompt + pair.completion])).logits[0]
        rows.append(logits[len(pair.prompt) - 1 : -1])
    return torch.cat(rows)


@pytest.mark.parametrize("shared", [0, 5, 30])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_student_outputs_equal_the_plain_forward(tiny, shared, count):
    pairs = make_pairs(count, shared=shared)
    out = student_outputs(Backbone(tiny.model), pairs)
    torch.testing.assert_close(out.hidden @ out.weight.T, naive_logits(tiny.model, pairs), rtol=1e-4, atol=1e-4)


def test_sharing_a_prefix_changes_no_gradient(tiny):
    pairs = make_pairs(5, shared=30)
    model = tiny.model.train()
    backbone = Backbone(model)
    gradients = []
    for sharing in (True, False):
        backbone.keeps_all_states = sharing
        model.zero_grad()
        out = student_outputs(backbone, pairs)
        torch.nn.functional.cross_entropy(
            out.hidden @ out.weight.T, torch.tensor([t for p in pairs for t in p.completion])
        ).backward()
        gradients.append({n: p.grad.clone() for n, p in model.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], rtol=1e-4, atol=1e-6)


def test_cached_prefixes_give_the_teacher_the_same_outputs(tiny):
    pairs = make_pairs(6, shared=4)
    cache = PrefixCache(64)
    backbone = Backbone(tiny.model)
    for _ in range(2):
        found = teacher_outputs(backbone, pairs, as_teacher=contextlib.nullcontext, cache=cache)
        torch.testing.assert_close(found.hidden @ found.weight.T, naive_logits(tiny.model, pairs), rtol=1e-4, atol=1e-4)
    assert (cache.hits, cache.misses) == (6, 6)


def test_an_evicted_prefix_comes_back_bit_equal(tiny):
    backbone = Backbone(tiny.model)
    pairs = make_pairs(4, shared=0)
    with torch.no_grad():
        roomy, tight = PrefixCache(64), PrefixCache(0)
        first = teacher_outputs(backbone, pairs, as_teacher=contextlib.nullcontext, cache=roomy)
        for _ in range(2):
            again = teacher_outputs(backbone, pairs, as_teacher=contextlib.nullcontext, cache=tight)
            assert torch.equal(first.hidden, again.hidden)
    assert tight.held == 0


def test_a_common_beginning_is_computed_once_and_changes_nothing(tiny, monkeypatch):
    pairs = [*make_pairs(5, shared=20), TokenPair((5, 6, 7, 8), (9, 10))]  # the last one does not begin so
    backbone = Backbone(tiny.model)
    cache = PrefixCache(64, pairs[0].prompt[:18])
    fed = []
    monkeypatch.setattr(backbone.decoder, "forward", counting(fed, backbone.decoder.forward))
    found = teacher_outputs(backbone, pairs, as_teacher=contextlib.nullcontext, cache=cache)
    assert fed[0] == 18
    assert fed[1:-1] == [len(p.prompt) - 19 for p in pairs[:-1]] + [3]
    torch.testing.assert_close(found.hidden @ found.weight.T, naive_logits(tiny.model, pairs), rtol=1e-4, atol=1e-4)


def test_the_bits_of_a_prefix_do_not_depend_on_what_was_asked_before(tiny):
    pairs = make_pairs(4, shared=20)
    backbone, beginning = Backbone(tiny.model), pairs[0].prompt[:20]
    with torch.no_grad():
        one, other = PrefixCache(64, beginning), PrefixCache(0, beginning)
        forwards = [one.get(backbone, pair.prompt) for pair in pairs]
        backwards = [other.get(backbone, pair.prompt) for pair in reversed(pairs)][::-1]
    for a, b in zip(forwards, backwards, strict=True):
        assert all(torch.equal(x[i], y[i]) for x, y in zip(a, b, strict=True) for i in (0, 1))


@pytest.mark.parametrize(
    ("prompts", "expected"),
    [([], 0), ([(1,) * 30], 28), ([(1,) * 30, (1,) * 12], 10), ([(1,) * 30, (1,) * 9], 0), ([(1,) * 30, (2,) * 30], 0)],
)
def test_common_beginning(prompts, expected):
    assert len(common_beginning(prompts)) == expected


def counting(lengths, forward):
    def counted(*args, **kwargs):
        lengths.append(kwargs["input_ids"].shape[1])
        return forward(*args, **kwargs)

    return counted


def test_common_prefix_leaves_every_prompt_its_last_token():
    assert _common_prefix([(1, 2, 3), (1, 2, 3)]) == 2
    assert _common_prefix([(1, 2, 3), (1, 2, 4, 5)]) == 2
    assert _common_prefix([(1,), (1, 2)]) == 0
    assert _common_prefix([(5, 1, 2), (6, 1, 2)]) == 0


SHAPED = {
    "scaled": (GraniteForCausalLM, GraniteConfig, {"logits_scaling": 3.0}),
    "capped": (Gemma2ForCausalLM, Gemma2Config, {"head_dim": 8, "final_logit_softcapping": 2.0}),
    "multiplied": (CohereForCausalLM, CohereConfig, {"logit_scale": 0.25}),
}


@pytest.mark.parametrize("kind", SHAPED)
def test_scaled_and_capped_logits_are_those_of_the_model(kind):
    model_class, config_class, special = SHAPED[kind]
    torch.manual_seed(0)
    config = config_class(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.5,
        **special,
    )
    model = model_class(config).eval()
    backbone = Backbone(model)
    backbone.check()
    pairs = make_pairs(3, shared=0)
    expected = naive_logits(model, pairs)
    found = student_outputs(backbone, pairs)
    torch.testing.assert_close(found.detached().logits(torch.arange(len(expected))), expected, rtol=1e-4, atol=1e-4)
    assert (found.scale, found.softcap) != (1.0, None)
    labels = torch.tensor([token for pair in pairs for token in pair.completion])
    loss, _ = projected_cross_entropy(found, labels, torch.full((len(labels),), 1 / len(labels)))
    slope = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
    plain = torch.nn.functional.cross_entropy(naive_logits(model, pairs), labels)
    for ours, theirs in zip(
        slope, torch.autograd.grad(plain, list(model.parameters()), allow_unused=True), strict=True
    ):
        if theirs is not None:
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)


def test_logits_that_are_made_in_an_unknown_way_are_refused(tiny):
    backbone = Backbone(tiny.model)
    backbone.check()
    plain = tiny.model.forward

    def capped(*args, **kwargs):
        out = plain(*args, **kwargs)
        out.logits = 5 * torch.tanh(out.logits / 5)
        return out

    tiny.model.forward = capped
    with pytest.raises(ModelError, match="in a known way"):
        Backbone(tiny.model).check()
