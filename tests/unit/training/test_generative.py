"""Generative fine-tuning against a plain loop in torch, and what it reads."""

import math

import numpy as np
import pytest
import torch

from tutelage.errors import DataError, Interrupted, RangeError
from tutelage.models import load
from tutelage.models.last_token import last_token_features
from tutelage.training.generative import GenerativeSettings, documents, generatively_tuned, text_loss

TEXTS = ["the sky is blue", "grass", "an apple is a fruit that grows", "a pear is one too", "blue and green"]
IDS = [f"t{n}" for n in range(len(TEXTS))]


def coded(loaded, limit=10_000):
    return [loaded.tokenizer(text)["input_ids"][-limit:] for text in TEXTS]


def naive_loss(model, rows):
    """Over all tokens but the first of each text, one text at a time."""
    losses = [torch.nn.functional.cross_entropy(model(torch.tensor([one])).logits[0, :-1], torch.tensor(one[1:]),
                                                reduction="none") for one in rows if len(one) > 1]  # fmt: skip
    return torch.cat(losses).mean()


def test_it_is_a_plain_loop_over_all_tokens(tiny, tiny_model_dir, tmp_path):
    other = load(str(tiny_model_dir), dtype="float32", device="cpu").model.train()
    decayed = [p for p in other.parameters() if p.ndim > 1]
    plain = [p for p in other.parameters() if p.ndim == 1]
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1.0)
    for step in range(3):
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * (1 + math.cos(math.pi * step / 3)) / 2
        optimizer.zero_grad()
        naive_loss(other, coded(tiny)).backward()
        torch.nn.utils.clip_grad_norm_(other.parameters(), 1.0)
        optimizer.step()
    rows = len(documents(tiny, IDS, TEXTS))
    settings = GenerativeSettings(epochs=3, learning_rate=1e-3, batch_size=rows)
    assert generatively_tuned(tiny, IDS, TEXTS, tmp_path, settings) == 3
    before = load(str(tiny_model_dir), dtype="float32", device="cpu").model.state_dict()
    for name, wanted in other.state_dict().items():
        assert torch.allclose(tiny.model.state_dict()[name], wanted, atol=1e-5), name
    assert any(not torch.allclose(before[name], wanted, atol=1e-4) for name, wanted in other.state_dict().items())
    assert not tiny.model.training


def test_what_is_learnt_is_what_the_probe_reads(tiny):
    for limit in (3, 100):
        rows = {one.id: (*one.prompt, *one.completion) for one in documents(tiny, IDS, TEXTS, limit)}
        wanted = {name: tuple(one) for name, one in zip(IDS, coded(tiny, limit), strict=True) if len(one) > 1}
        assert rows == wanted
        for name, ids in rows.items():
            with torch.no_grad():
                states = tiny.model.get_decoder()(input_ids=torch.tensor([ids])).last_hidden_state
            text = [TEXTS[IDS.index(name)]]
            assert np.allclose(last_token_features(tiny, text, max_tokens=limit)[0], states[0, -1].numpy(), atol=1e-5)
    assert all(len(one.prompt) == 1 for one in documents(tiny, IDS, TEXTS))


def test_the_loss_of_a_token(tiny, tmp_path):
    with torch.no_grad():
        for limit in (3, 100):
            wanted = float(naive_loss(tiny.model, coded(tiny, limit)))
            assert text_loss(tiny, TEXTS, max_tokens=limit) == pytest.approx(wanted, abs=1e-5)
    before = text_loss(tiny, TEXTS)
    generatively_tuned(tiny, IDS, TEXTS, tmp_path, GenerativeSettings(epochs=5, learning_rate=1e-2, batch_size=5))
    assert text_loss(tiny, TEXTS) < before - 0.3


def test_stopped_and_continued_is_the_same(tiny_model_dir, tmp_path):
    settings = GenerativeSettings(epochs=6, learning_rate=1e-3, batch_size=2)
    models = []
    for stops in (False, True):
        loaded = load(str(tiny_model_dir), dtype="float32", device="cpu")
        if stops:
            asked = iter([False] * 4 + [True] * 100).__next__
            with pytest.raises(Interrupted):
                generatively_tuned(loaded, IDS, TEXTS, tmp_path / "b", settings, should_stop=asked)
            loaded = load(str(tiny_model_dir), dtype="float32", device="cpu")
        generatively_tuned(loaded, IDS, TEXTS, tmp_path / ("b" if stops else "a"), settings)
        models.append(loaded.model.state_dict())
    assert all(models[0][name].equal(one) for name, one in models[1].items())


def test_frozen_weights_are_trained_and_frozen_again(tiny, tmp_path):
    first = next(tiny.model.parameters()).requires_grad_(False)
    before = first.detach().clone()
    generatively_tuned(tiny, IDS, TEXTS, tmp_path, GenerativeSettings(learning_rate=1e-3))
    assert not first.requires_grad
    assert not first.equal(before)


def test_what_is_refused(tiny, tmp_path):
    with pytest.raises(DataError, match="two tokens"):
        generatively_tuned(tiny, ["a"], [""], tmp_path)
    with pytest.raises(DataError, match="two tokens"):
        text_loss(tiny, [])
    for bad in ({"epochs": 0}, {"learning_rate": 0.0}, {"batch_size": 0}, {"max_tokens": 1}):
        with pytest.raises(RangeError):
            GenerativeSettings(**bad)
