"""Labels from debates: what members read, how their labels are turned back, and that order gives nothing away."""

from functools import partial

import numpy as np
import pytest

from scripted_engines import ScriptedEngine
from tutelage.errors import DataError, RangeError, TutelageError
from tutelage.refine.debate import EngineDebater, consultancy, market_making
from tutelage.training.debate import DebateLabeler, Question, hold_debates, reading
from tutelage.training.probes import SklearnClassifier


def questions(count, *, truth=True, seed=0):
    """The right answer's place varies; the answers' words say nothing but their number."""
    draw = np.random.default_rng(seed)
    sides = draw.integers(0, 2, count)
    return [
        Question(f"q{seed}-{n}", f"Question {n}?", (f"left {n}", f"right {n}"), int(side) if truth else None)
        for n, side in enumerate(sides)
    ]


class Scripted:
    """Tells the truth's side in what it says, or says nothing of use."""

    def __init__(self, asked=(), honest=True):
        self.right = {f"{one.text}": one.answers[one.truth] for one in asked}
        self.honest = honest
        self.seeds = []

    def argue(self, question, my_answer, other_answer, history, *, seed):
        self.seeds.append(seed)
        if not self.honest:
            return "Believe me."
        return "Evidence." if my_answer == self.right[question] else "Believe me."


class FirstHasEvidence:
    """Reads whether evidence stands in the first argument; keeps what it was given."""

    def __init__(self, seed=0):
        self.seed, self.given, self.labels = seed, None, None

    def fit(self, inputs, probs):
        self.given, self.labels = list(inputs), probs
        return self

    def predict_proba(self, inputs):
        said = np.array(["Evidence" in text.splitlines()[1] for text in inputs])
        return np.where(said[:, None], [[0.9, 0.1]], [[0.2, 0.8]])


class OrderOnly(FirstHasEvidence):
    """Always goes with whoever speaks first."""

    def predict_proba(self, inputs):
        return np.tile([[1.0, 0.0]], (len(inputs), 1))


class BySeed(FirstHasEvidence):
    """Says its seed."""

    def predict_proba(self, inputs):
        share = self.seed % 100 / 100
        return np.tile([[share, 1 - share]], (len(inputs), 1))


def test_labels_are_in_the_order_of_the_answers_whoever_spoke_first():
    learnt, fresh = questions(40), questions(60, seed=1)
    labeler = DebateLabeler(FirstHasEvidence, Scripted(learnt + fresh), members=2).fit(learnt)
    found = labeler.label(fresh)
    truth = np.array([one.truth for one in fresh])
    assert (found.argmax(1) == truth).all()
    assert {round(float(p), 6) for p in found.max(1)} <= {0.8, 0.85, 0.9}
    for number, member in enumerate(labeler.trained):
        first = np.array([one.first_side for one in labeler.transcripts(learnt, number)])
        right = np.array([one.truth for one in learnt]) == first
        assert (member.labels[:, 0] == right).all()
        assert member.given == [one.text for one in labeler.transcripts(learnt, number)]


@pytest.mark.parametrize("gold_first", [True, False])
def test_a_judge_that_reads_the_order_alone_scores_at_chance(gold_first):
    asked = questions(4000, seed=2)
    if gold_first:  # even where the right answer always stands first in the data
        asked = [Question(one.id, one.text, one.answers, 0) for one in asked]
    labeler = DebateLabeler(OrderOnly, Scripted(honest=False), members=1, turns=1).fit(asked[:10])
    right = labeler.label(asked).argmax(1) == [one.truth for one in asked]
    assert abs(right.mean() - 0.5) < 0.032  # four standard errors
    first = np.array([one.first_side for one in labeler.transcripts(asked, 0)])
    assert (first[np.array([one.truth for one in asked]) == 0].mean()) == pytest.approx(0.5, abs=0.045)


def test_members_differ_in_debates_or_in_seeds():
    asked = questions(30)
    by_debate = DebateLabeler(FirstHasEvidence, Scripted(asked), members=3, diversity="debate").fit(asked)
    by_seed = DebateLabeler(FirstHasEvidence, Scripted(asked), members=3, diversity="seed").fit(asked)
    assert len({one.seed for one in by_debate.trained}) == 1
    assert len({tuple(one.given) for one in by_debate.trained}) == 3
    assert len({one.seed for one in by_seed.trained}) == 3
    assert len({tuple(one.given) for one in by_seed.trained}) == 1
    assert len(set(by_debate.debater.seeds)) == 3 * len(set(by_seed.debater.seeds))


def test_the_label_is_the_mean_over_members():
    asked = questions(20)
    labeler = DebateLabeler(BySeed, Scripted(honest=False), members=4, diversity="seed").fit(asked)
    first = np.array([one.first_side for one in labeler.transcripts(asked, 0)])
    mean = np.mean([one.seed % 100 / 100 for one in labeler.trained])
    np.testing.assert_allclose(labeler.label(asked)[np.arange(20), first], mean)


def test_truth_is_not_read_when_labelling_and_consultants_are_held_alike():
    asked = questions(20)
    labeler = DebateLabeler(FirstHasEvidence, Scripted(asked), holds=consultancy, turns=1, members=1).fit(asked)
    blind = [Question(one.id, one.text, one.answers) for one in asked]
    assert labeler.label(blind).tolist() == labeler.label(asked).tolist()
    assert all({turn.side for turn in one.turns} == {one.first_side} for one in labeler.transcripts(asked, 0))


def test_a_market_asks_a_trained_member_and_is_labelled_alike():
    asked = questions(40)
    told = DebateLabeler(FirstHasEvidence, Scripted(asked), members=1).fit(asked)
    reader = reading(told.trained[0])
    for one in told.transcripts(asked, 0):
        evidence = "Evidence" in one.turns[0].text
        first = 0.9 if evidence else 0.2
        assert reader(one) == pytest.approx(first if one.first_side == 0 else 1 - first)
    market = DebateLabeler(
        FirstHasEvidence, Scripted(asked), members=1, turns=1, holds=partial(market_making, reader=reader)
    ).fit(asked)
    for one in market.transcripts(asked, 0):
        believes_first = "Evidence" in one.turns[0].text
        assert one.turns[1].side == (1 - one.first_side if believes_first else one.first_side)
    assert (market.label(asked).argmax(1) == [one.truth for one in asked]).all()


def test_a_real_classifier_of_texts_learns_whose_evidence_counts():
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    def weak(seed):
        return SklearnClassifier(make_pipeline(TfidfVectorizer(ngram_range=(2, 6)), LogisticRegression(C=100.0)))

    learnt, fresh = questions(80, seed=5), questions(60, seed=6)
    for one in (learnt, fresh):
        one[:] = [Question(q.id, f"{q.id}?", ("floats", "sinks"), q.truth) for q in one]
    truth = [one.truth for one in fresh]
    scores = []
    for honest in (True, False):
        labeler = DebateLabeler(weak, Scripted(learnt + fresh, honest=honest), members=1, turns=1).fit(learnt)
        scores.append(float((labeler.label(fresh).argmax(1) == truth).mean()))
    assert scores[0] > 0.95
    assert scores[1] < 0.75


def test_an_engine_can_argue_and_the_limit_reaches_the_reader():
    asked = questions(4)
    held = hold_debates(asked, EngineDebater(ScriptedEngine(lambda chat: "A point.")), limit=120, turns=3)
    assert all(len(one.text) <= 120 and one.dropped in (2, 4) for one in held)


def test_what_is_refused():
    asked = questions(3)
    with pytest.raises(RangeError, match="0 members"):
        DebateLabeler(FirstHasEvidence, Scripted(asked), members=0)
    with pytest.raises(RangeError, match="diversity is 'luck'"):
        DebateLabeler(FirstHasEvidence, Scripted(asked), diversity="luck")
    labeler = DebateLabeler(FirstHasEvidence, Scripted(asked))
    with pytest.raises(DataError, match="call fit first"):
        labeler.label(asked)
    with pytest.raises(DataError, match="no questions"):
        labeler.fit([])
    with pytest.raises(DataError, match="question 'q0-0'"):
        labeler.fit(questions(3, truth=False))
    with pytest.raises(DataError, match="stands twice"):
        labeler.fit([asked[0], asked[0]])

    class Broken(FirstHasEvidence):
        def predict_proba(self, inputs):
            return np.full((len(inputs), 2), 0.7)

    with pytest.raises(TutelageError, match="q0-0"):
        DebateLabeler(Broken, Scripted(asked)).fit(asked).label(asked)
