"""Probes by log-probability against sums written out by hand."""

import doctest
import json

import numpy as np
import pytest

from tutelage.errors import DataError
from tutelage.measure.retention import BaseReplies, SuiteSize, base_replies, language
from tutelage.measure.retention.language import general_prompts, kl_to_base, text_nll, truncated_kl
from tutelage.measure.retention.ranked import Ranked, knowledge_items, plain_ids, rank, reading, reading_items

SIZE = SuiteSize(1, 1, 1, 1, 1, 1, 1, 1, replies=7, reply_tokens=5)


def naive_logprob(engine, lead, choice):
    text = lead + " " + choice
    pairs = zip(text[len(lead) - 1 :], text[len(lead) :], strict=False)
    return sum(engine.table[ord(before), ord(after)] for before, after in pairs)


class TestRanked:
    def test_ranking_equals_a_naive_loop(self, letters):
        engine = letters(seed=3)
        items = [Ranked(f"i{k}", f"lead {k}", ("a", "bbb b", f"{k}xyz"), k % 3) for k in range(20)]
        found = rank(engine, "m", items)
        best = [max(item.choices, key=lambda c: naive_logprob(engine, item.lead, c) / len(c)) for item in items]
        assert list(found.outputs) == best
        expected = [float(b == item.choices[item.right]) for b, item in zip(best, items, strict=True)]
        assert found.values.tolist() == expected
        assert 0 < found.values.mean() < 1

    def test_normalisation_is_by_character(self, letters):
        engine = letters()
        engine.table = np.full((128, 128), -2.0)
        engine.table[:, ord("s")] = -1.0
        # " a": -4 over 1 character; " sssss": -2 - 5 over 5. The sum prefers the first, the rate the second.
        assert rank(engine, "m", [Ranked("i", "x", ("a", "sssss"), 1)]).values.tolist() == [1.0]

    def test_plain_ids_have_no_template(self, letters):
        assert plain_ids(letters(), "ab") == (97, 98)

    def test_items(self, made_up_rows):
        items = knowledge_items(8)
        assert [sum(i.id.startswith(n) for i in items) for n in ("piqa", "openbookqa", "commonsenseqa")] == [3, 3, 2]
        assert items == knowledge_items(8)
        assert items[0].choices[2] == "c c"
        assert len(knowledge_items(900)) == 36
        pairs = reading_items(99)
        assert len(pairs) == 12  # the pair of equal texts is left out
        assert all(item.choices[item.right].startswith("good") for item in pairs)

    def test_reading(self, letters, made_up_rows):
        engine = letters()
        engine.table = np.full((128, 128), -3.0)
        engine.table[ord(" "), ord("g")] = -0.1
        assert reading(engine, 5).values.tolist() == [1.0] * 5


class TestText:
    def test_nll_equals_a_naive_loop(self, letters, made_up_rows):
        engine = letters(seed=1)
        found = text_nll(engine, 4, 50)
        assert (len(found.ids), found.higher_is_better) == (4, False)
        for i, value in zip(found.ids, found.values, strict=True):
            letter = 97 + int(i.removeprefix("boolq:g"))
            assert value == pytest.approx(-engine.table[letter, letter], abs=1e-12)

    def test_one_passage_of_each_and_none_too_short(self, letters, made_up_rows):
        assert len(text_nll(letters(), 99, 20).ids) == 6


def exact_kl(p, q, replies):
    out = []
    for s in replies.sequences:
        before = list(s.ids[s.start - 1 : -1])
        out.append(np.mean([np.sum(np.exp(p.table[i]) * (p.table[i] - q.table[i])) for i in before]))
    return np.array(out)


class TestDistance:
    def test_with_every_token_kept_it_is_the_exact_divergence(self, letters, made_up_rows, monkeypatch):
        monkeypatch.setattr(language, "KEPT", 128)
        base, other = letters(0, "hello"), letters(1)
        replies = base_replies(base, SIZE)
        assert kl_to_base(other, replies).values == pytest.approx(exact_kl(base, other, replies), rel=1e-5)

    def test_with_some_kept_it_is_a_lower_bound_and_near(self, letters, made_up_rows):
        base, other = letters(0, "hello"), letters(1)
        replies = base_replies(base, SIZE)
        exact, found = exact_kl(base, other, replies), kl_to_base(other, replies).values
        assert len(replies.kept_ids[0][0]) == 64
        assert (found <= exact + 1e-9).all()
        assert (found > 0.9 * exact).all()

    def test_the_base_is_at_no_distance_from_itself(self, letters, made_up_rows):
        base = letters(0, "hello")
        assert kl_to_base(base, base_replies(base, SIZE)).values == pytest.approx(np.zeros(7), abs=1e-12)

    def test_replies_are_those_that_were_given(self, letters, made_up_rows):
        base = letters(0, "hello")
        replies = base_replies(base, SIZE)
        sampling = base.samplings[0]
        assert (sampling.temperature, sampling.top_p, sampling.top_k, sampling.max_new_tokens) == (1.0, 1.0, 0, 5)
        for i, sequence, text in zip(replies.ids, replies.sequences, replies.texts, strict=True):
            assert "".join(map(chr, sequence.ids[sequence.start :])) == text == "hello"
            assert i.split(":")[0] in ("chat", "nq", "boolq")
        assert len(base_replies(letters(0, ""), SIZE).ids) == 0

    def test_they_survive_a_file(self, letters, made_up_rows):
        replies = base_replies(letters(0, "hello"), SIZE)
        text = json.dumps(replies.to_dict(), allow_nan=False)
        assert BaseReplies.from_dict(json.loads(text)) == replies
        with pytest.raises(DataError, match="version 0"):
            BaseReplies.from_dict({**replies.to_dict(), "version": 0})
        for damaged in ({}, {"version": 1, "replies": [{}]}, {"version": 1, "replies": 3}):
            with pytest.raises(DataError, match="no base replies"):
                BaseReplies.from_dict(damaged)

    def test_prompts_come_from_three_places_and_are_distinct(self, made_up_rows):
        prompts = general_prompts(9)
        assert [i.split(":")[0] for i, _ in prompts] == ["chat", "nq", "boolq"] * 3
        texts = [chat[0]["content"] for _, chat in prompts]
        assert len(set(texts)) == 9
        assert all(text[0].isupper() and text.endswith("?") for text in texts[1::3])

    def test_truncated_kl_at_the_edges(self):
        p = np.log(np.array([[0.5, 0.25], [1.0, 1e-30]]))
        q = np.log(np.array([[0.25, 0.25], [1.0, 1e-30]]))
        expected = 0.5 * np.log(2) + 0.25 * np.log(0.25 / 0.5)
        assert truncated_kl(p, q) == pytest.approx([expected, 0.0], abs=1e-12)
        sure, elsewhere = np.log(np.array([[0.9]])), np.log(np.array([[1.0]]))
        assert np.isfinite(truncated_kl(sure, elsewhere)).all()
        assert doctest.testmod(language).failed == 0
