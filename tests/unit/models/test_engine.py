"""The in-process engine: greedy equals a naive loop, rows do not influence each other, scores equal a plain forward."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tutelage.errors import DataError, RangeError
from tutelage.models import LoadedModel, TransformersEngine
from tutelage.types import Engine, Sampling, TokenSequence

GREEDY = Sampling(max_new_tokens=24, temperature=0.0)
SAMPLED = Sampling(max_new_tokens=24)
TEXTS = (
    "Hi",
    "Name a fruit.",
    "How much is 12 plus 30?",
    "What colour is the sky? And the grass?",
    "a",
    "b c",
    "To be",
    "x" * 90,
)
CHATS = [[{"role": "user", "content": text}] for text in TEXTS]


@pytest.fixture
def engine(tiny: LoadedModel) -> TransformersEngine:
    return TransformersEngine(tiny)


def naive_greedy(engine: TransformersEngine, ids: list[int], limit: int) -> tuple[int, ...]:
    drawn: list[int] = []
    while len(drawn) < limit:
        with torch.no_grad():
            token = int(engine.loaded.model(torch.tensor([ids + drawn])).logits[0, -1].argmax())
        drawn.append(token)
        if token in engine.stop_ids:
            break
    return tuple(drawn)


def test_engine_satisfies_the_protocol(engine: TransformersEngine) -> None:
    assert isinstance(engine, Engine)


def test_greedy_equals_a_naive_loop_without_cache(engine: TransformersEngine) -> None:
    for chat, [completion] in zip(CHATS, engine.generate(CHATS, sampling=GREEDY), strict=True):
        expected = naive_greedy(engine, list(engine.encode(chat).ids), 24)
        assert completion.token_ids == expected
        assert completion.finish == ("stop" if expected[-1] in engine.stop_ids else "length")
        assert completion.text == engine.tokenizer.decode(expected, skip_special_tokens=True)


@pytest.mark.parametrize("sampling", [GREEDY, SAMPLED])
def test_batch_of_one_and_of_eight_say_the_same(engine: TransformersEngine, sampling: Sampling) -> None:
    together = engine.generate(CHATS, sampling=sampling, n=2, seed=3)
    alone = [engine.generate([chat], sampling=sampling, n=2, seed=3)[0] for chat in CHATS]
    backwards = engine.generate(CHATS[::-1], sampling=sampling, n=2, seed=3)[::-1]
    assert together == alone == backwards


def test_seed_and_number_change_a_sample_and_nothing_else_does(engine: TransformersEngine) -> None:
    first, second = engine.generate(CHATS[:1], sampling=SAMPLED, n=2, seed=0)[0]
    assert first != second
    assert engine.generate(CHATS[:1], sampling=SAMPLED, seed=0)[0][0] == first
    assert engine.generate(CHATS[:1], sampling=SAMPLED, seed=1)[0][0] != first


def test_scores_equal_a_plain_forward(engine: TransformersEngine) -> None:
    sequences = [engine.encode(chat, text) for chat in CHATS for text in (" blue", " apple and pear", "42")]
    for sequence, scores in zip(sequences, engine.score(sequences, top_k=3), strict=True):
        with torch.no_grad():
            logits = engine.loaded.model(torch.tensor([sequence.ids])).logits[0].double()
        expected = logits.log_softmax(-1)[sequence.start - 1 : -1]
        own = expected.gather(1, torch.tensor(sequence.ids[sequence.start :])[:, None])[:, 0]
        np.testing.assert_allclose(scores.logprobs, own, atol=1e-4)
        np.testing.assert_allclose(scores.topk_logprobs, expected.topk(3).values, atol=1e-4)
        assert scores.logprobs.dtype == np.float32
        assert (scores.topk_ids == expected.topk(3).indices.numpy()).all()


def test_candidates_are_scored_at_every_position(engine: TransformersEngine) -> None:
    sequence = engine.encode(CHATS[1], " apple")
    [scores] = engine.score([sequence], candidates=[[7, 300]])
    everything = engine.score([sequence], top_k=10**6)[0]
    for t in range(len(scores.logprobs)):
        for k, token in enumerate((7, 300)):
            where = list(everything.topk_ids[t]).index(token)
            assert scores.topk_logprobs[t, k] == pytest.approx(everything.topk_logprobs[t, where], abs=1e-6)
    np.testing.assert_allclose(np.exp(everything.topk_logprobs).sum(-1), 1.0, atol=1e-5)


def test_nothing_to_score_gives_empty_arrays(engine: TransformersEngine) -> None:
    [scores] = engine.score([engine.encode(CHATS[0])], top_k=2)
    assert scores.logprobs.shape == (0,)
    assert scores.topk_ids.shape == (0, 2)
    assert engine.score([]) == []
    assert engine.generate([], sampling=GREEDY) == []


@pytest.mark.parametrize("start", [0, -1, 4])
def test_start_outside_the_sequence_is_refused(engine: TransformersEngine, start: int) -> None:
    with pytest.raises(RangeError):
        engine.score([TokenSequence((1, 2, 3), start)])


def test_bad_requests_are_refused(engine: TransformersEngine) -> None:
    with pytest.raises(RangeError):
        engine.generate(CHATS, sampling=GREEDY, n=0)
    with pytest.raises(DataError):
        engine.generate([[]], sampling=GREEDY)
    with pytest.raises(RangeError):
        engine.score([TokenSequence((1, 2, 3), 1)], top_k=2, candidates=[[1]])


def test_encode_starts_at_the_completion(engine: TransformersEngine) -> None:
    sequence = engine.encode(CHATS[0], " blue sky")
    assert engine.tokenizer.decode(sequence.ids[sequence.start :]) == " blue sky"
    assert engine.tokenizer.decode(sequence.ids[: sequence.start]).endswith("<|im_start|>assistant\n")
