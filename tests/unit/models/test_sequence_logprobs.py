"""Log-probabilities of whole responses against a naive loop; where a response begins and ends."""

import doctest

import numpy as np
import pytest
import torch

import tutelage.models.sequence_logprobs as module
from tutelage.errors import DataError, ModelError, RangeError, ShapeError
from tutelage.models.prompt import end_of_turn_id
from tutelage.models.sequence_logprobs import response_sequence, sequence_logprobs

CHAT = [{"role": "user", "content": "Name a fruit."}]
PROMPTS = ["Question: a fruit?\nAnswer:", CHAT, "b c", CHAT]
RESPONSES = [" An apple, or two.", "A pear.", " " + "x" * 30, "A pear and a plum."]


def test_the_example_runs_as_printed():
    assert doctest.testmod(module).failed == 0


def naive(model, ids, start):
    total = 0.0
    for t in range(start, len(ids)):
        with torch.no_grad():
            logits = model(torch.tensor([ids[:t]])).logits[0, -1].double()
        total += float(logits[ids[t]] - logits.logsumexp(-1))
    return total


@pytest.mark.parametrize("ending", ["end", "none"])
def test_sums_equal_a_naive_loop_in_double_precision(tiny, ending):
    tok = tiny.tokenizer
    found = sequence_logprobs(tiny.model, tok, PROMPTS, RESPONSES, ending=ending)
    for i, (prompt, response) in enumerate(zip(PROMPTS, RESPONSES, strict=True)):
        text = (
            prompt
            if isinstance(prompt, str)
            else tok.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
        )
        before = tok(text, add_special_tokens=False).input_ids
        ids = tok(text + response, add_special_tokens=False).input_ids + ([tok.eos_token_id] if ending == "end" else [])
        assert found.lengths[i] == len(ids) - len(before)
        assert found.sums[i] == pytest.approx(naive(tiny.model, ids, len(before)), abs=1e-4)
        assert found.per_token[i] == found.sums[i] / found.lengths[i]
    assert found.sums.dtype == np.float64


def test_the_company_and_the_padding_side_change_nothing(tiny):
    together = sequence_logprobs(tiny.model, tiny.tokenizer, PROMPTS, RESPONSES)
    for side in ("left", "right"):
        tiny.tokenizer.padding_side = side
        for i in range(len(PROMPTS)):
            alone = sequence_logprobs(tiny.model, tiny.tokenizer, PROMPTS[i : i + 1], RESPONSES[i : i + 1])
            assert alone.sums[0] == pytest.approx(together.sums[i], abs=1e-5)


def test_the_end_can_turn_a_ranking_round(tiny):
    """An end that is far less likely after one response than after the other."""
    with torch.no_grad():
        found = {
            e: sequence_logprobs(tiny.model, tiny.tokenizer, ["a"] * 2, [" b", " c"], ending=e) for e in ("end", "none")
        }
    ends = found["end"].sums - found["none"].sums
    assert (ends < 0).all()
    assert ends[0] != ends[1]
    assert (found["end"].lengths - found["none"].lengths).tolist() == [1, 1]


def test_an_end_in_writing_is_not_doubled(tiny):
    tok = tiny.tokenizer
    once = response_sequence(tok, "a", " b")
    assert response_sequence(tok, "a", " b<|im_end|>") == once
    assert response_sequence(tok, CHAT, "b").ids[-1] == end_of_turn_id(tok) == tok.eos_token_id


def test_tokens_that_merge_across_the_border_are_refused_with_their_row(tiny):
    tok = tiny.tokenizer
    merged = next(t for t in tok.get_vocab() if t.startswith("Ġ") and len(t) > 2).replace("Ġ", " ")
    assert len(tok(merged).input_ids) == 1
    with pytest.raises(DataError, match="other tokens together") as caught:
        sequence_logprobs(tiny.model, tok, ["Answer:", "Answer: "], [merged, merged[1:]])
    assert "row 1" in str(caught.value)
    assert "last space" in caught.value.hint


def test_what_cannot_be_scored_is_refused(tiny):
    tok = tiny.tokenizer
    with pytest.raises(DataError, match="response has no tokens") as caught:
        sequence_logprobs(tiny.model, tok, ["a", "a"], [" b", ""])
    assert "row 1" in str(caught.value)
    with pytest.raises(DataError, match="prompt has no tokens"):
        response_sequence(tok, "", "a")
    with pytest.raises(ShapeError, match="2 prompts but 1"):
        sequence_logprobs(tiny.model, tok, ["a", "b"], ["c"])
    with pytest.raises(RangeError, match="ending"):
        response_sequence(tok, "a", "b", ending="eos")
    tok.eos_token = None
    with pytest.raises(ModelError, match="no token that ends"):
        response_sequence(tok, "a", " b")
