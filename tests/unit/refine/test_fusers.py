import pytest

from scripted_engines import ScriptedEngine
from tutelage.refine import CallCache, Case, EngineFuser, TemplateFuser


@pytest.mark.parametrize(
    ("reference", "rewrite", "fused"),
    [
        ("Au", "The symbol is Au.", "The symbol is Au."),
        ("Au", "The symbol is AU.", "The symbol is Au."),
        ("falcons", "Falcons is the team.", "Falcons is the team."),
        ("falcons", "He won. Falcons is the team.", "He won. Falcons is the team."),
        ("FALCONS", "Falcons is the team.", "FALCONS is the team."),
        ("40 mg", "The dose is 40  mg.", "The dose is 40 mg."),
        ("handling", "It is a skill of hands.", "It is a skill of hands (handling)."),
        ("handling", "It is a skill of hands", "It is a skill of hands (handling)"),
        ("handling.", "It is the handling group.", "It is the handling group."),
        ("one two three four five six seven eight nine", "Nine words.", "Nine words."),
    ],
)
def test_the_exact_value_is_put_in(reference, rewrite, fused):
    with CallCache() as calls:
        said = TemplateFuser().fuse([Case("q?", reference, rewrite)], 0, calls)
    assert [one.text for one in said] == [fused]
    assert said[0].tokens == 0


def test_the_engine_is_greedy_first_and_draws_with_another_seed_in_each_round():
    engine = ScriptedEngine(lambda prompt: ' "fused" ')
    fuser = EngineFuser(engine, temperature=0.9, seed=5)
    case = Case("question?", "reference", "rewrite")
    with CallCache() as calls:
        texts = [fuser.fuse([case], number, calls)[0].text for number in (0, 1, 2, 1)]
    assert texts == ["fused"] * 4
    assert [s.temperature for s in engine.samplings] == [0.0, 0.9, 0.9]
    assert len(set(engine.seeds)) == 3
    for part in ("question?", "reference", "rewrite"):
        assert part in engine.asked[0][0]["content"]


def test_versions_differ_when_results_may():
    engine = ScriptedEngine()
    versions = {
        EngineFuser(engine, temperature=t, seed=s, max_new_tokens=m).version
        for t in (0.1, 0.2)
        for s in (1, 2)
        for m in (8, 9)
    }
    assert len(versions) == 8
