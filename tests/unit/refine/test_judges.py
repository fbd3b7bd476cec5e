import pytest

from scripted_engines import ScriptedEngine, WordEncoder
from tutelage.refine import CallCache, Case, CosineJudge, EngineJudge, RuleJudge, Similarity, judge_one
from tutelage.refine.judges import mean_score, parse_score

QUESTION = "Which group does the skill 'paint walls' belong to?"


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("The skill 'paint walls' belongs to the handling group.", 1.0),
        ("handling", 1.0),
        ("", 0.0),
        ("  ", 0.0),
        ("The skill belongs to the machinery group.", 0.0),
        ("It is handling. Score: 10", 0.0),
        ("As the reference says, it is handling.", 2 / 3),
        ("It is not handling.", 2 / 3),
        ("handling " + "word " * 50, 2 / 3),
        ("As the reference says, it is handling and " + "word " * 50, 1 / 3),
    ],
)
def test_rules(text, score):
    assert judge_one(RuleJudge(), QUESTION, "handling", text) == pytest.approx(score)


def test_the_cosine_judge_is_the_filter_without_negative_values():
    class Opposite:
        name = "opposite"

        def embed(self, texts):
            return [[1.0, 0.0] if "handling" in t else [-1.0, 0.0] for t in texts]

    judge = CosineJudge(Similarity(Opposite()))
    with CallCache() as calls:
        cases = [Case("q", "handling", text) for text in ("handling it", "else", "")]
        assert judge.scores(cases, calls) == [1.0, 0.0, 0.0]
    similarity = Similarity(WordEncoder())
    case = Case(QUESTION, "handling", "The skill 'paint walls' belongs to handling")
    assert judge_one(CosineJudge(similarity), case.question, case.reference, case.text) == similarity([case])[0] > 0.5


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("7", 0.7),
        ("10", 1.0),
        ("0", 0.0),
        (" 8.5 ", 0.85),
        ("Score: 7/10", 0.7),
        ("**9**", 0.9),
        ("8.", 0.8),
        ("7\n\nBecause it is right.", 0.7),
        ("7\n10", None),
        ("11", None),
        ("-3", None),
        ("7 or 8", None),
        ("7/5", None),
        ("I would give it 9", None),
        ("ten", None),
        ("", None),
        ("\n", None),
        ("nan", None),
        ("1e1", None),
        ("٣", None),
    ],
)
def test_only_a_lone_number_is_a_score(reply, score):
    assert parse_score(reply) == score


def test_the_engine_is_asked_once_for_each_text_greedily():
    engine = ScriptedEngine(["6", "no idea"])
    judge = EngineJudge(engine)
    cases = [Case("q", "r", "a"), Case("q", "r", "b"), Case("q", "r", "a"), Case("q", "r", "")]
    with CallCache() as calls:
        assert judge.scores(cases, calls) == [0.6, None, 0.6, 0.0]
        assert judge.scores(cases, calls) == [0.6, None, 0.6, 0.0]
    assert len(engine.asked) == 2
    assert {sampling.temperature for sampling in engine.samplings} == {0.0}


def test_the_mean_leaves_out_who_has_no_opinion():
    assert mean_score([0.5, None, 1.0]) == 0.75
    assert mean_score([None, None]) is None
    assert mean_score([]) is None
