"""The recipe beyond accuracy and its laboratory: parts kept apart, metrics by item, mistakes not repeated."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tutelage.errors import DataError
from tutelage.models import LoadedModel
from tutelage.papers.lab import clause_relevance, prompt_safety, toxic_texts, toxic_writing
from tutelage.papers.lab.frozen_texts import encoded, word_vectors
from tutelage.papers.lab.pretraining import BaseSettings
from tutelage.papers.lab.toxic_writing import WritingSizes, base_writer, writing_task
from tutelage.papers.recipes import weak_to_strong_beyond_accuracy as recipe
from tutelage.stats import CLASSIFIER_METRICS, WRITER_METRICS, classifier_rows


def test_the_own_metric_of_a_task_is_the_mean_of_its_items():
    draw = np.random.default_rng(0)
    rows = classifier_rows((draw.random(90) < 0.2).astype(int), draw.dirichlet((1, 1), 90))
    assert recipe.own_metric("legal", rows).mean() == pytest.approx(CLASSIFIER_METRICS["balanced_accuracy"].of(rows))
    scores = draw.random((40, 6))
    with_words = np.column_stack([scores, draw.integers(9, size=40)])
    assert recipe.own_metric("toxicity", with_words).mean() == pytest.approx(WRITER_METRICS["expected_max"].of(scores))


def test_gain_within_gap_is_positive_only_where_there_is_a_gap():
    def rows(rate):
        truth = np.arange(100) % 2
        wrong = np.arange(100) >= 100 * rate
        return np.column_stack([truth, np.where(wrong, 1 - truth, truth), np.full((100, 2), 0.5)]).tolist()

    for top, least in ((0.9, 0.2), (0.5, -0.1)):
        arms = {"weak": rows(0.6), "plain": rows(0.8), "ceiling": rows(top)}
        told = recipe._scores({"legal": {"ids": [str(i) for i in range(100)], "arms": arms, "contrast": {}}}, "plain")
        assert told["legal gain within gap"]["seed"] == pytest.approx(least)
        assert np.mean(list(told["legal gain"].values())) == pytest.approx(0.2)


def test_sources_and_texts_of_the_safety_test_are_new():
    given = prompt_safety.made_up_prompts(200)
    one = prompt_safety.drawn_prompts(given, (40, 60, 50), seed=1)
    two = prompt_safety.drawn_prompts(given, (40, 60, 50), seed=2)
    assert {name: len(places) for name, places in one.items()} == {"weak": 40, "pool": 60, "test": 50}
    assert all(given.truth[places].mean() == 0.5 for places in one.values())
    assert not set(one["weak"]) & set(one["pool"])
    assert {given.part[i] for name in ("weak", "pool") for i in one[name]} == {"learnt"}
    assert {given.part[i] for i in one["test"]} == {"held out"}
    assert one["test"].tolist() != two["test"].tolist()


def test_contrast_pairs_cannot_be_told_apart_by_their_form():
    given = prompt_safety.made_up_prompts()
    places = given.of("contrast")
    assert given.truth[places].mean() == 0.5
    assert len(places) >= 60
    for harmless, harmful in prompt_safety.CONTRASTS:
        assert prompt_safety.plain_form(harmless) == harmless
        assert prompt_safety.plain_form(harmful) == harmful
        assert len(set(harmless.split()) & set(harmful.split())) >= 3
    assert prompt_safety.function_words("how do i keep a lantern") == "how do i a"


def test_questions_and_clauses_of_the_legal_test_are_new():
    given = clause_relevance.made_up_pairs(30)
    parts = clause_relevance.drawn_pairs(given, (100, 200, 60), seed=3)
    with pytest.raises(DataError, match="the part test"):
        clause_relevance.drawn_pairs(given, (100, 200, 500), seed=3)
    learnt = np.concatenate([parts["weak"], parts["pool"]])
    for column in (given.question, given.clause):
        assert not set(column[learnt]) & set(column[parts["test"]])
    assert not set(parts["weak"]) & set(parts["pool"])
    shared = clause_relevance.shared_words(given)
    assert shared[given.truth == 1, 0].mean() > shared[given.truth == 0, 0].mean()
    sides = word_vectors(given.questions), word_vectors(given.clauses)
    cosine = np.array([sides[0][q] @ sides[1][c] for q, c in zip(given.question, given.clause, strict=True)])
    assert clause_relevance.products(given, *sides).sum(1) == pytest.approx(cosine)


def test_random_vectors_know_words_and_nothing_else():
    vectors = encoded(["a boat goes", "goes a boat boat", "ship sails"], "words")
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1)
    assert vectors[0] @ vectors[1] == pytest.approx(1)
    assert abs(vectors[0] @ vectors[2]) < 0.2


def test_a_word_list_scores_whole_words():
    score = toxic_texts.WordList({"darn": 0.9, "heck": 0.4})
    assert [score(text) for text in ("Darn! heck", "what the heck", "darning", "")] == [0.9, 0.4, 0.0, 0.0]


def test_counted_words_follow_what_they_have_read():
    writer = toxic_texts.CountedWords(["one two three four", "one two three five", "two six"], 4)
    first = writer.write(["one two"] * 40, seed=0)
    assert {text.split()[0] for text in first} == {"three"}
    assert {text.split()[1] for text in first} == {"four", "five"}
    assert {len(text.split()) for text in first} == {4}
    assert writer.write(["zzz two"], 1)[0].split()[0] in ("three", "six")  # back to the last word
    assert writer.write(["one two"] * 3, seed=0) == first[:3]


@pytest.fixture(scope="module")
def writing(tmp_path_factory):
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUTELAGE_HOME", str(tmp_path_factory.mktemp("home")))
        sizes = WritingSizes(read=20, repeat=1, aside=30, openings=4, texts=3, steps=1)
        source = toxic_texts.made_up_web()
        base = base_writer(source, sizes, BaseSettings(width=16, layers=1, heads=2, inner=16, steps=2, batch_size=4))
        return source, base, writing_task(source, base, sizes, tmp_path_factory.mktemp("work") / "w", seed=0)


def test_curated_texts_are_clean_and_of_one_model_only(writing):
    source, _, task = writing
    assert all(source.score(f"{opening} {rest}") < 0.5 for opening, rest in task.pool)
    assert not {f"{opening} {rest}" for opening, rest in task.pool} & set(task.counted)
    assert any(source.score(text) >= 0.5 for text in task.counted)  # the web; its own curated texts come after it
    assert all(source.score(text) < 0.5 for text in task.counted[-15 * 4 :])
    assert toxic_texts.halved("a b c d e") == ("a b", "c d e")
    assert task.clean([("a", "darn"), ("b", "heck"), ("darn", "c")]) == [("b", "heck"), ("darn", "c")]


def test_an_opening_is_read_in_the_same_form_in_training_and_in_the_test(writing, monkeypatch):
    """The public script puts a prefix before prompts in the test that was never there in training."""
    _, base, _ = writing
    asked = []

    def sampled(model, tokenizer, prompts, *rest):
        asked.extend(prompts)
        raise StopIteration

    monkeypatch.setattr(toxic_writing, "sample", sampled)
    with pytest.raises(StopIteration):
        base.write(["the boat goes"], 0)
    assert asked == [base.example("x", ("the boat goes", "home")).prompt]


def test_a_continuation_is_decoded_from_its_own_tokens(writing, monkeypatch):
    """The public script cuts the decoded text at the length of the prompt, which decoding may have changed."""
    _, base, _ = writing
    tokenizer = base.loaded.tokenizer
    ids = tuple(tokenizer(" home at noon", add_special_tokens=False)["input_ids"])

    class Drawn:
        token_ids = ids

    monkeypatch.setattr(toxic_writing, "sample", lambda *a: [Drawn()])
    opening = "<|im_end|>the  boat"  # a special token that decoding drops: the text is shorter than the prompt
    whole = tokenizer.decode([*base.opened(opening), *ids], skip_special_tokens=True)
    assert whole[len(opening) :].strip() != "home at noon"
    assert base.write([opening], 0) == ["home at noon"]


def test_neither_padding_nor_openings_are_learnt(writing, tmp_path):
    """The loss of the first step is that of the continuations alone, by a loop over rows without any padding."""
    _, base, task = writing
    pairs = [("the boat", "goes home at noon and rain falls and rain"), ("rain falls and the boat goes", "at noon")]
    total = count = 0.0
    loaded: LoadedModel = base.loaded
    for pair in pairs:
        example = base.example("x", pair)
        ids = torch.tensor([[*example.prompt, *example.completion]])
        with torch.no_grad():
            logps = loaded.model(input_ids=ids).logits[0].double().log_softmax(-1)
        for place in range(len(example.prompt), ids.shape[1]):
            total -= float(logps[place - 1, ids[0, place]])
            count += 1
    seen = []
    original = toxic_writing.tuned

    def watched(*args, **more):
        arm = original(*args, **more)
        seen.append(arm)
        return arm

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(toxic_writing, "tuned", watched)
        replace(task, folder=tmp_path / "w", batch_size=2).student(pairs, 0)
    assert seen[0].steps[0]["loss"] == pytest.approx(total / count, rel=1e-4)


def test_rows_are_scores_and_a_length(writing):
    _, base, task = writing
    rows = task.rows(base, 3)
    assert rows.shape == (4, 4)
    texts = task.written(base, 3)
    assert rows[1, 0] == task.score(texts[1][0])
    assert rows[2, -1] == pytest.approx(np.mean([len(text.split()) for text in texts[2]]))
    assert toxic_writing.TEXT_METRICS["mean"].of(rows) == pytest.approx(rows[:, :-1].mean())
    fresh = [toxic_writing.fresh_writer(base, seed).loaded.model.state_dict() for seed in (0, 0, 1)]
    name = next(iter(fresh[0]))
    assert fresh[0][name].equal(fresh[1][name])
    assert not fresh[0][name].equal(fresh[2][name])


@pytest.mark.needs_asset("do-not-answer", "piqa", "nq-open", "harmbench", "advbench", "instruction-pairs")
def test_real_prompts_in_plain_form():
    given = prompt_safety.prompts()
    assert len(set(given.texts)) == len(given.texts)
    held = given.of("held out")
    assert min((given.truth[held] == one).sum() for one in (0, 1)) >= 200
    assert all(5 <= len(given.texts[i].split()) <= 25 for i in given.of("learnt"))


@pytest.mark.needs_asset("openwebtext-passages", "toxicity", "rated-profanity", "toxic-openings")
def test_no_text_of_the_real_web_begins_like_an_opening_of_the_test():
    found = toxic_texts.web()
    begun = {opening.casefold()[:25] for opening in found.openings}
    assert not any(text.casefold()[:25] in begun for text in found.toxic)
    assert np.mean([found.score(text) >= 0.5 for text in found.toxic]) > 0.2
    assert np.mean([found.score(text) >= 0.5 for text in found.neutral]) < 0.01
