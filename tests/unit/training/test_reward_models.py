import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from page_examples import run_page
from scripted_engines import ScriptedEngine
from tutelage.data.steps import StepRow, step_row
from tutelage.errors import DataError, ModelError, RangeError
from tutelage.models import RewardModel, VerdictRewardModel
from tutelage.training.reward_fit import RewardFit, fit_reward_model, reward_losses
from tutelage.training.reward_heads import HeadRewardModel, PairTokenHead, ScalarHead

ROWS = [
    StepRow("a", "Add 3 4", ("3 + 4 = 7",), (1,), True),
    StepRow("b", "Sort b a c", ("first a", "then b", "then c and all of them"), (1, 0, 1), False),
    StepRow("c", "Copy x", ("x", "done"), (1, -1), None),
    StepRow("d", "Add 1 1 and then 5", ("1 + 1 = 2", "2 + 5 = 9"), (1, 0), False),
]


def scored(tiny, kind="dPRM"):
    head = ScalarHead(tiny.model)
    torch.manual_seed(0)
    torch.nn.init.normal_(head.map.weight, std=0.5)
    return HeadRewardModel(tiny.model, tiny.tokenizer, head, kind)


def test_scores_beside_one_another_are_those_alone(tiny):
    model = scored(tiny)
    assert isinstance(model, RewardModel)
    together = model.score_all([(row.question, row.steps) for row in ROWS])
    for row, values in zip(ROWS, together, strict=True):
        assert model.score(row.question, [row.steps])[0] == pytest.approx(values, abs=1e-6)
        assert len(values) == len(row.steps)


def test_a_score_is_the_sigmoid_at_the_last_token_of_the_step(tiny):
    model, row = scored(tiny), ROWS[1]
    values = model.score(row.question, [row.steps])[0]
    text = f"{row.question}\n\n" + "".join(f"{step}\n\n" for step in row.steps)
    ids = tiny.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    with torch.no_grad():
        hidden = tiny.model.model(input_ids=torch.tensor([ids["input_ids"]])).last_hidden_state[0]
    ends = [text.index(step) + len(step) + 2 for step in row.steps]  # after the separator, which belongs to the step
    for value, end in zip(values, ends, strict=True):
        at = max(i for i, (_, stop) in enumerate(ids["offset_mapping"]) if stop <= end)
        with torch.no_grad():
            assert value == pytest.approx(float(torch.sigmoid(model.head(hidden[at]))), abs=1e-6)


def test_an_outcome_is_judged_at_the_last_step_alone(tiny):
    steps = ROWS[1].steps
    process, outcome = (scored(tiny, kind).score("Sort b a c", [steps])[0] for kind in ("dPRM", "dORM"))
    assert outcome == pytest.approx(process[-1:], abs=1e-6)


def test_the_pair_of_tokens_is_a_softmax_over_the_two(tiny):
    head = PairTokenHead(tiny.model, tiny.tokenizer, "a", "b")
    hidden = torch.randn(5, tiny.model.config.hidden_size)
    logits = tiny.model.get_output_embeddings()(hidden)[:, [head.pos, head.neg]]
    torch.testing.assert_close(torch.sigmoid(head(hidden)), logits.softmax(-1)[:, 0])


@pytest.mark.parametrize(("pos", "neg"), [("a", "a"), ("quite unheard-of", "b")])
def test_marks_that_are_the_same_or_many_tokens_are_refused(tiny, pos, neg):
    with pytest.raises(ModelError):
        PairTokenHead(tiny.model, tiny.tokenizer, pos, neg)


@pytest.mark.parametrize("kind", ["dORM", "dPRM"])
def test_however_rows_are_cut_into_micro_batches_the_training_is_the_same(tiny_model_dir, kind):
    from tutelage.models import load

    found = []
    for budget in (8192, 1):
        model = scored(load(str(tiny_model_dir), dtype="float32", device="cpu"), kind)
        settings = RewardFit(epochs=3, batch_size=4, learning_rate=1e-3, tokens_per_micro_batch=budget)
        losses = fit_reward_model(model, ROWS, settings, seed=1)
        found.append((losses, [p.detach().clone() for p in model.parameters()]))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    for one, other in zip(found[0][1], found[1][1], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=2e-5)


def test_the_loss_is_that_of_the_labels_up_to_the_first_error(tiny):
    model = scored(tiny)
    by_hand = []
    for row in ROWS:
        stop = row.labels.index(0) + 1 if 0 in row.labels else len(row.labels)
        scores = model.score(row.question, [row.steps])[0][:stop]
        pairs = [(s, y) for s, y in zip(scores, row.labels[:stop], strict=True) if y != -1]
        by_hand.append(np.mean([-math.log(s if y else 1 - s) for s, y in pairs]))
    assert reward_losses(model, ROWS) == pytest.approx(by_hand, abs=1e-5)


def test_what_cannot_be_scored_or_learnt_is_refused(tiny):
    model = scored(tiny)
    with pytest.raises(DataError, match="without steps"):
        model.score("q", [[]])
    model.max_tokens = 3
    with pytest.raises(DataError, match="at most 3"):
        model.score("a long question", [["a step"]])
    with pytest.raises(RangeError):
        scored(tiny, "gORM")
    unlabelled = [StepRow("u", "q", ("s",), (-1,), None)]
    with pytest.raises(DataError, match="no row has a label"):
        fit_reward_model(scored(tiny), unlabelled, RewardFit(), seed=0)


class Scores(ScriptedEngine):
    """Logs of the words are read off a table."""

    def encode(self, prompt, text):
        return prompt[-1]["content"], text

    def score(self, sequences, **_):
        class Row:
            def __init__(self, value):
                self.logprobs = np.array([value])

        return [Row(-1.0 if text.endswith("Yes") else -3.0 - len(asked) % 2) for asked, text in sequences]


def test_a_spoken_verdict_is_the_share_of_yes_and_a_process_is_asked_step_by_step():
    model = VerdictRewardModel(Scores(lambda *_: ""), "gPRM", prompt="{question}|{solution}")
    steps = ["one", "three {question}"]
    found = model.score("q", [steps, steps[:1]])
    asked = ["q|one", "q|one\n\nthree {question}"]
    expected = [1 / (1 + math.exp(-2.0 - len(one) % 2)) for one in asked]
    assert found[0] == pytest.approx(expected)
    assert found[1] == pytest.approx(expected[:1])
    with pytest.raises(RangeError):
        VerdictRewardModel(Scores(lambda *_: ""), "dORM")


ROOT = Path(__file__).parents[3]


def test_the_examples_of_the_docs_page_say_what_they_give(tiny_model_dir, monkeypatch):
    from tutelage.models import loading

    load = loading.load
    for place in ("loading", "opening"):  # the page's model, but tiny
        monkeypatch.setattr(f"tutelage.models.{place}.load", lambda _: load(str(tiny_model_dir), device="cpu"))
    monkeypatch.chdir(ROOT)
    page = (ROOT / "docs" / "reward-models.md").read_text("utf-8")
    step_row(json.loads(re.search(r"```json\n(.*?)```", page, re.S)[1]))
    said, names = run_page("reward-models.md")
    assert said[:3] == [True, [1, 1], [2, 2]]
    assert [[len(one) for one in scores] for scores in said[3:5]] == [[1, 1], [2, 2]]
    assert said[5] == [0.5, 0.36, 0.73, 0.8]
    assert said[6:9] == ["4", "3", "4"]
    assert said[9] == [(1, pytest.approx(0.5, abs=0.15)), (2, pytest.approx(5 / 6, abs=0.15)), (4, 1.0)]
    assert said[10] == [(2.0, 1.0), (4.0, 1.0), (8.0, 0.0)]
    assert said[11] == (((0, 1), (1, 3)), 0.5)
    assert len(names["rows"]) == 12
    assert not names["rejected"]
