"""The two stages against hand-written steps of the same optimizer."""

import copy

import pytest
import torch

from tutelage.errors import DataError, RegistryError
from tutelage.models.controls import ControlSet, ControlSettings
from tutelage.training.control_tuning import ControlledExample, pointwise, train_controls, train_joint
from tutelage.training.settings import TrainSettings
from tutelage.training.task import Example

SMALL = {"prompt": ControlSettings("prompt", tokens=4), "lora": ControlSettings("lora", rank=2)}
ROWS = [
    ControlledExample(Example("a", (5, 6, 7), (8, 9)), "good"),
    ControlledExample(Example("b", (5, 6, 7), (30, 31, 32, 2)), "bad"),
    ControlledExample(Example("c", (11,), (12, 13, 2)), "good"),
]


def settings(**changes):
    plain = {"max_steps": 1, "batch_size": 3, "learning_rate": 1e-2, "schedule": "constant", "warmup_ratio": 0.0}
    return TrainSettings(**{**plain, "weight_decay": 0.0, "max_grad_norm": 1e9, "optimizer": "sgd", **changes})


def naive_loss(controls, rows):
    """Mean over all completion tokens, one sequence at a time."""
    total, tokens = 0.0, 0
    for one in rows:
        with controls.using(one.attribute):
            front = [*controls.ids(one.attribute), *one.example.prompt]
            logits = controls.model(input_ids=torch.tensor([front + list(one.example.completion)])).logits[0]
        target = torch.tensor(one.example.completion)
        total = total + torch.nn.functional.cross_entropy(logits[len(front) - 1 : -1], target, reduction="sum")
        tokens += len(target)
    return total / tokens


@pytest.mark.parametrize("kind", ["prompt", "lora"])
@pytest.mark.parametrize("budget", [2048, 1])
@pytest.mark.parametrize("joint", [False, True])
def test_one_step_is_that_of_the_undivided_batch(tiny, tmp_path, kind, budget, joint):
    controls = ControlSet(tiny.model, ("good", "bad"), SMALL[kind], seed=1)
    if kind == "lora":
        with torch.no_grad():
            for one in controls.parameters():
                one += 0.05
    before = {name: one.detach().clone() for name, one in controls.model.named_parameters()}
    controls.require_gradients(model=joint)
    naive_loss(controls, ROWS).backward()
    own = {id(one) for one in controls.parameters()}
    expected = {}
    for name, one in controls.model.named_parameters():
        rate = 3e-2 if id(one) in own and joint else 1e-2
        expected[name] = before[name] if one.grad is None else before[name] - rate * one.grad
        one.grad = None
    more = {"control_rate": 3.0} if joint else {}
    train = train_joint if joint else train_controls
    cost = train(
        controls, tiny.tokenizer, ROWS, settings(tokens_per_micro_batch=budget), seed=0, folder=tmp_path, **more
    )
    moved = 0
    for name, one in controls.model.named_parameters():
        torch.testing.assert_close(one.detach(), expected[name], rtol=1e-3, atol=1e-6)
        if not joint and id(one) not in own:
            assert torch.equal(one, before[name])
        moved += not torch.equal(one, before[name])
    assert moved >= (len(before) - 4 if joint else len(own) // 2)
    assert cost.tokens_trained == sum(len(r.example.prompt) + len(r.example.completion) for r in ROWS) + (
        12 if kind == "prompt" else 0
    )


@pytest.mark.parametrize("kind", ["prompt", "lora"])
def test_a_finished_stage_is_restored_not_repeated(tiny, tmp_path, kind):
    base = copy.deepcopy(tiny.model)
    found = []
    for _ in range(2):
        controls = ControlSet(copy.deepcopy(base), ("good", "bad"), SMALL[kind], seed=1)
        train_controls(controls, tiny.tokenizer, ROWS, settings(max_steps=3), seed=0, folder=tmp_path / "one")
        train_joint(controls, tiny.tokenizer, ROWS, settings(max_steps=2), seed=0, folder=tmp_path / "two")
        found.append({name: one.detach().clone() for name, one in controls.model.named_parameters()})
    assert all(torch.equal(one, found[1][name]) for name, one in found[0].items())


def test_a_pair_becomes_two_rows(tiny):
    pair = {"id": "p", "prompt": "Name a fruit.", "chosen": "An apple.", "rejected": "Blue."}
    good, bad = pointwise([pair], tiny.tokenizer)
    assert (good.attribute, bad.attribute) == ("good", "bad")
    assert good.example.prompt == bad.example.prompt
    assert tiny.tokenizer.decode(good.example.completion).startswith("An apple.")
    assert tiny.tokenizer.decode(bad.example.completion).startswith("Blue.")
    messages = {**pair, "prompt": [{"role": "user", "content": "Name a fruit."}]}
    assert pointwise([messages], tiny.tokenizer)[0].example.prompt == good.example.prompt
    with pytest.raises(DataError, match="rejected"):
        pointwise([{"id": "p", "prompt": "x", "chosen": "y"}], tiny.tokenizer)


def test_data_without_every_attribute_is_refused(tiny, tmp_path):
    controls = ControlSet(tiny.model, ("good", "bad"), SMALL["prompt"])
    for train in (train_controls, train_joint):
        with pytest.raises(DataError, match="bad"):
            train(controls, tiny.tokenizer, ROWS[::2], settings(), seed=0, folder=tmp_path)
    odd = ControlledExample(ROWS[0].example, "terse")
    with pytest.raises(RegistryError):
        train_controls(controls, tiny.tokenizer, [*ROWS, odd], settings(), seed=0, folder=tmp_path)
    with pytest.raises(DataError, match="same id"):
        train_controls(controls, tiny.tokenizer, [*ROWS, ROWS[0]], settings(), seed=0, folder=tmp_path)
