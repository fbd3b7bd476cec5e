"""Scores by hand and by a naive loop, reasons that add up, the fewest skills by brute force, and a log that tells."""

import json
import math
from itertools import chain, combinations

import numpy as np
import pytest

from tutelage.errors import DataError, RangeError, StoreError
from tutelage.matching import (
    DecisionLog,
    Document,
    LexicalSpace,
    Matcher,
    MatchSettings,
    Skill,
    SkillBase,
    SkillLinker,
    check_faithfulness,
    counterfactual,
    read_documents,
    verify_log,
)
from tutelage.matching.faithfulness import deleted, swapped, swaps
from tutelage.matching.matcher import sum_of
from tutelage.matching.phrases import words

NAMES = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "theta", "kappa"]
BASE = SkillBase.of(
    [
        Skill("top", "top", kind="group"),
        *(Skill(name, name, (), ("top",) if place < 4 else ()) for place, name in enumerate(NAMES)),
        Skill("alphaplus", "alphaplus", (), ("alpha",)),
    ]
)
JOBS = [
    Document("one", "Must have:\n- alpha\n- beta\n\nNice to have: gamma. We are a small shop."),
    Document("two", "alpha, epsilon and zeta are needed. theta is optional."),
]
RESUMES = [
    Document("p", "I know alpha and epsilon. Small shops."),
    Document("q", "I know alphaplus. Long walks."),
    Document("r", "Nothing of that."),
    Document("s", "beta, gamma, zeta, theta, kappa."),
]


def made(settings=None, jobs=JOBS, resumes=RESUMES):
    texts = [one.text for one in (*jobs, *resumes)]
    return Matcher(SkillLinker(BASE), LexicalSpace(texts), jobs, settings)


def naive(job, resume, settings):
    """The score from the definition, in plain loops."""
    texts = [one.text for one in (*JOBS, *RESUMES)]
    common = made().space.places
    frequency = {form: sum(form in {w.form for w in words(text)} for text in texts) for form in common}

    def vector(text):
        forms = [word.form for word in words(text)]
        return [forms.count(f) * (1 + math.log((1 + len(texts)) / (1 + frequency[f]))) for f in common]

    a, b = vector(job.text), vector(resume.text)
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    norm = math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))
    cosine = dot / norm if norm else 0.0
    asked = [name for name in [*NAMES, "alphaplus"] if name in [w.form for w in words(job.text)]]
    have = [name for name in [*NAMES, "alphaplus"] if name in [w.form for w in words(resume.text)]]
    essential = {"one": {"alpha", "beta"}, "two": {"alpha", "epsilon", "zeta"}}[job.id]
    total = score = 0.0
    for k in asked:
        n = sum(k in [w.form for w in words(one.text)] for one in JOBS)
        w = (1 + math.log(3 / (1 + n))) * (settings.essential if k in essential else 1)
        near = [0.0]
        for j in have:
            if j == k:
                near.append(1.0)
            elif {j, k} == {"alpha", "alphaplus"}:
                near.append(settings.decay)
            elif j in NAMES[:4] and k in NAMES[:4]:
                near.append(settings.decay**2)
        total, score = total + w, score + w * max(near)
    return settings.text_weight * cosine + (1 - settings.text_weight) * score / total


@pytest.mark.parametrize("settings", [MatchSettings(), MatchSettings(0.0, 0.5), MatchSettings(1.0), MatchSettings(0.6)])
def test_scores_are_those_of_a_naive_loop_and_the_reasons_add_up(settings):
    matcher = made(settings)
    for job in JOBS:
        for resume in RESUMES:
            found = matcher.match(job, resume)
            assert found.score == pytest.approx(naive(job, resume, settings), abs=1e-12)
            assert abs(sum_of(found) - found.score) < 1e-12
            assert 0 <= found.score <= 1 + 1e-12


def test_reasons_say_what_was_found_where_and_over_which_path():
    found = made().match(JOBS[0], RESUMES[1])
    reasons = {one.skill: one for one in found.reasons}
    assert reasons["alpha"].state == "partial"
    assert reasons["alpha"].path == ("alpha", "alphaplus")
    assert [span.of(RESUMES[1].text) for span in reasons["alpha"].resume_spans] == ["alphaplus"]
    assert [span.of(JOBS[0].text) for span in reasons["alpha"].job_spans] == ["alpha"]
    assert reasons["alpha"].essential
    assert not reasons["gamma"].essential
    assert reasons["beta"].state == "missing"  # three steps from alphaplus: too far
    assert reasons["beta"].contribution == 0.0


def test_an_ad_without_known_skills_is_scored_by_text_alone():
    jobs = [Document("none", "We are a small shop."), *JOBS]
    found = made(jobs=jobs).match(jobs[0], RESUMES[0])
    assert not found.reasons
    assert found.score == found.text > 0


def test_left_out_sentences_lower_the_score_by_what_is_said():
    matcher = made()
    found = matcher.match(JOBS[0], RESUMES[0])
    best = found.sentences[0]
    text = RESUMES[0].text[: best.span.start] + RESUMES[0].text[best.span.end :]
    assert found.text - matcher.match(JOBS[0], Document("p", text)).text == pytest.approx(best.loss, abs=1e-12)
    assert best.loss > 0


def test_ties_stand_in_the_order_of_their_ids():
    twins = [Document(key, "alpha") for key in ("z", "a", "m")]
    ranking = made(resumes=twins).rank(JOBS[0], twins)
    assert [one.resume for one in ranking] == ["a", "m", "z"]
    assert [one.rank for one in ranking] == [1, 2, 3]


def test_the_fewest_skills_are_those_of_brute_force():
    rng = np.random.default_rng(0)
    for _ in range(15):
        jobs = [Document("j", ", ".join(rng.choice([*NAMES, "alphaplus"], 5, replace=False)))]
        resumes = [Document(str(n), ", ".join(rng.choice(NAMES, rng.integers(0, 4))) + " x") for n in range(5)]
        matcher = made(MatchSettings(text_weight=0.1, top=1), jobs, resumes)
        ranking = matcher.rank(jobs[0], resumes)
        for place in range(1, 5):
            found = counterfactual(matcher, ranking, place)
            own = ranking[place]
            resume = next(one for one in resumes if one.id == own.resume)
            lacking = [one.skill for one in own.reasons if one.similarity < 1]
            enough = []
            for some in chain.from_iterable(combinations(lacking, size) for size in range(1, len(lacking) + 1)):
                more = Document("more", resume.text, tuple(some))
                if matcher.match(jobs[0], more).score > ranking[0].score + 1e-12:
                    enough.append(len(some))
            if found.skills is None:
                assert not enough
            else:
                assert len(found.skills) == min(enough)
                more = matcher.match(jobs[0], Document("more", resume.text, found.skills))
                assert more.score == pytest.approx(found.score)
    assert counterfactual(matcher, ranking, 0).skills == ()
    with pytest.raises(RangeError):
        counterfactual(matcher, ranking, 9)


def test_checks_see_reasons_that_do_not_hold(monkeypatch):
    jobs = [Document("j", "Required: alpha, beta, epsilon. kappa, zeta and theta are optional.")]
    resumes = [Document("p", "She has alpha, beta, epsilon, kappa, zeta and theta.")]
    matcher = made(jobs=jobs, resumes=resumes)
    by_id = ({"j": jobs[0]}, {"p": resumes[0]})
    matches = matcher.rank(jobs[0], resumes)
    found = check_faithfulness(matcher, *by_id, matches)
    assert found.additivity < 1e-12
    assert (found.deletion_tried, found.deletion_passed) == (1, 1)
    assert (found.swap_changed, found.swap_largest) == (1, 0.0)
    upside_down = tuple(type(one)(**{**vars(one), "contribution": -one.contribution}) for one in matches[0].reasons)
    lying = [type(matches[0])(**{**vars(matches[0]), "reasons": upside_down})]
    found = check_faithfulness(matcher, *by_id, lying)
    assert found.additivity > 0.5
    assert found.deletion_passed == 0


def test_words_are_deleted_and_swapped_where_they_stand():
    found = made().match(JOBS[0], RESUMES[0])
    assert deleted(RESUMES[0], [one for one in found.reasons if one.skill == "alpha"]).text == (
        "I know  and epsilon. Small shops."
    )
    assert swapped("ANNA told Peter: she, her, HIS. Annas", swaps()) == "PETER told Anna: he, his, HER. Annas"
    for first, second in swaps().items():
        assert second in swaps() or first in ("hers", "him", "mrs"), first


def test_documents_are_read_and_what_cannot_be_is_told(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("one")
    (folder / "b.MD").write_text("\ufefftwo")
    (folder / "c.pdf").write_bytes(b"%PDF")
    (folder / "d.txt").write_bytes(b"\xff\xfe\x00")
    (folder / "e.txt").write_text("  \n")
    (folder / ".hidden.txt").write_text("no")
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "f.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "g.txt").write_text("x" * 200_001)
    found = read_documents(folder)
    assert [(one.id, one.text) for one in found.documents] == [("a", "one"), ("b", "two")]
    assert [one.where for one in found.set_aside] == ["c.pdf", "d.txt", "e.txt", "f.txt", "g.txt"]
    rows = tmp_path / "rows.jsonl"
    rows.write_text(
        '{"id": 1, "text": "one", "skills": ["R"]}\n{"id": "2"}\n[1]\n{"id": "3", "text": "t", "skills": [1]}\n'
    )
    found = read_documents(rows)
    assert [(one.id, one.skills) for one in found.documents] == [("1", ("R",))]
    assert [one.where for one in found.set_aside] == ["rows.jsonl:2", "rows.jsonl:3", "rows.jsonl:4"]
    table = tmp_path / "rows.csv"
    table.write_bytes(b'id,text\nx,caf\xe9\ny,"  "\nz,fine\n')
    assert [(one.where, one.why[:9]) for one in read_documents(table).set_aside] == [
        ("rows.csv:2", "not UTF-8"),
        ("rows.csv:3", "the text "),
    ]
    table.write_text('id,text,skills\nx,"a\nb","R; Go"\n')
    assert read_documents(table).documents == (Document("x", "a\nb", ("R", "Go")),)


def test_an_id_that_stands_twice_is_named_with_both_places(tmp_path):
    for name in ("ann.txt", "ann.md", "ben.txt"):
        (tmp_path / name).write_text(name)
    with pytest.raises(DataError, match="'ann' stands twice") as caught:
        read_documents(tmp_path)
    assert caught.value.where == str(tmp_path / "ann.txt")
    assert "first: ann.md" in caught.value.hint
    rows = tmp_path / "rows.csv"
    rows.write_text("id,text\na,one\nb,two\na,three\n")
    with pytest.raises(DataError, match="'a' stands twice") as caught:
        read_documents(rows)
    assert caught.value.where == f"{rows}:4"
    assert "first: rows.csv:2" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.jsonl", '{"id": "1", "text": "a"}\n{"id": "1", "text": "b"}\n', "stands twice"),
        ("rows.jsonl", "{}\n", "no document can be used"),
        ("rows.xml", "<a/>", "not read"),
    ],
)
def test_files_without_use_are_refused(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        read_documents(tmp_path / name)
    with pytest.raises(DataError, match="no such"):
        read_documents(tmp_path / "nowhere")


def test_a_log_shows_every_change_but_a_cut_off_end_only_with_its_head(tmp_path):
    path = tmp_path / "log.jsonl"
    with DecisionLog(path) as log:
        log.append([{"score": n / 4} for n in range(3)])
    with DecisionLog(path) as log:
        hashes = log.append([{"score": 0.75}])
        head = log.head
        with pytest.raises(StoreError, match="another process"):
            DecisionLog(path)
        with pytest.raises(DataError, match="'hash'"):
            log.append([{"hash": "x"}])
    assert hashes == [head]
    assert verify_log(path, head) == []
    lines = path.read_text().splitlines(keepends=True)

    def after(changed):
        path.write_text("".join(changed))
        return verify_log(path, head)

    record = json.loads(lines[1])
    forged = json.dumps({**record, "score": 1.0}) + "\n"
    assert [one.line for one in after([lines[0], forged, *lines[2:]])] == [2]
    assert after([lines[0], *lines[2:]])
    assert after([lines[1], lines[0], *lines[2:]])
    assert after(["torn\n", *lines])
    assert [one.what for one in after(lines[:3])] == ["the log does not end with the hash that was noted"]
    assert verify_log(path) == []
    path.write_text("".join([lines[0], forged, *lines[2:]]))
    with pytest.raises(DataError, match="line 2"):
        DecisionLog(path)
