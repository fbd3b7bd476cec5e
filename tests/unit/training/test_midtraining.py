"""Documents as examples against the model's own loss on them, and stages against one trainer after another."""

import copy

import pytest
import torch

from tutelage.errors import ConfigError, DataError, RangeError
from tutelage.training.midtraining import Stage, document_examples, train_stages
from tutelage.training.settings import TrainSettings

DOCUMENTS = {"a": "The sky is blue and the grass is green.", "b": "An apple is a fruit. <|im_end|> 12 plus 30 is 42."}


@pytest.mark.parametrize("window", [2, 7, 10, 400])
def test_every_token_of_a_document_is_learnt_once_and_in_order(tiny, window):
    found = document_examples(DOCUMENTS, tiny.tokenizer, window=window)
    for name, text in DOCUMENTS.items():
        pieces = [one for one in found if one.id.split("#")[0] == name]
        learnt = [token for one in pieces for token in one.completion]
        assert learnt[-1] == tiny.tokenizer.eos_token_id
        assert tiny.tokenizer.decode(learnt[:-1]) == text
        assert learnt.count(tiny.tokenizer.eos_token_id) == 1  # what looks like a marker is text
        assert pieces[0].prompt == (tiny.tokenizer.bos_token_id,)
        assert all(len(one.prompt) == 1 and len(one.completion) < window for one in pieces)
        assert [one.prompt[0] for one in pieces[1:]] == [one.completion[-1] for one in pieces[:-1]]


def test_what_cannot_be_read_is_refused(tiny):
    with pytest.raises(RangeError):
        document_examples(DOCUMENTS, tiny.tokenizer, window=1)
    with pytest.raises(DataError, match="empty"):
        document_examples({"a": " "}, tiny.tokenizer, window=8)
    with pytest.raises(ConfigError):
        train_stages(tiny.model, tiny.tokenizer, [], seed=0, folder=None)


def settings(steps):
    return TrainSettings(
        max_steps=steps, batch_size=2, learning_rate=1e-2, schedule="constant", warmup_ratio=0.0, weight_decay=0.0,
        max_grad_norm=1e9, optimizer="sgd",
    )  # fmt: skip


def test_a_step_on_documents_is_one_on_the_models_own_loss(tiny, tmp_path):
    examples = document_examples(DOCUMENTS, tiny.tokenizer, window=400)
    model = copy.deepcopy(tiny.model).requires_grad_(True)
    total, tokens = 0.0, 0
    for one in examples:
        ids = torch.tensor([one.prompt + one.completion])
        total = total + model(input_ids=ids, labels=ids).loss * (ids.shape[1] - 1)
        tokens += ids.shape[1] - 1
    (total / tokens).backward()
    expected = {name: (one - 1e-2 * one.grad).detach() for name, one in model.named_parameters()}
    tiny.model.requires_grad_(True)
    train_stages(tiny.model, tiny.tokenizer, [Stage("msm", examples, settings(1))], seed=0, folder=tmp_path)
    for name, one in tiny.model.named_parameters():
        torch.testing.assert_close(one.detach(), expected[name], rtol=1e-3, atol=1e-6)


def test_stages_follow_each_other_and_a_cut_call_is_continued(tiny, tmp_path):
    examples = document_examples(DOCUMENTS, tiny.tokenizer, window=8)
    stages = [Stage("msm", examples, settings(3)), Stage("aft", examples[:2], settings(2))]
    base = tiny.model.requires_grad_(True)
    models = [copy.deepcopy(base) for _ in range(3)]
    costs = train_stages(models[0], tiny.tokenizer, stages, seed=0, folder=tmp_path / "whole")
    assert list(costs) == ["msm", "aft"]
    train_stages(models[1], tiny.tokenizer, stages[:1], seed=0, folder=tmp_path / "cut")
    again = train_stages(models[2], tiny.tokenizer, stages, seed=0, folder=tmp_path / "cut")
    assert again["msm"].tokens_trained == costs["msm"].tokens_trained
    for one, other in zip(models[0].parameters(), models[2].parameters(), strict=True):
        assert torch.equal(one, other)
    assert any(not torch.equal(a, b) for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True))
    with pytest.raises(ConfigError, match="different names"):
        train_stages(base, tiny.tokenizer, [stages[0], stages[0]], seed=0, folder=tmp_path)
