"""Hostile resumes and ads: their time grows with their length, they cannot act on the page, and paths stay inside."""

import pytest

from html_page import read
from linear_time import too_slow
from tutelage.jobs.match import match
from tutelage.jobs.match_config import MatchConfig
from tutelage.matching import Document, LexicalSpace, Matcher, SkillBase, SkillLinker
from tutelage.matching.phrases import sentences, words

SIZE = 100_000
PIECES = [
    *("a", " ", "\n", ".", ". ", "-", "- ", "\n- ", "_", "C", "C ", "C++", "+", "Go ", "R&", "no ", "Python ", "'"),
    *("machine ", "machine\n", "must ", "must have:\n", "nice to have ", "Python, ", "Node.", "é", "\u0301", "\u2028"),
    *("a plus ", "1. ", "@", "#", "**", "React\n", "x" * 80 + "\n", "ＳＱＬ ", "\t", "A/B ", "C\n- Go\n"),
]
LINKER = SkillLinker(SkillBase.load())


def read_all(text):
    words(text)
    sentences(text)
    LINKER.link(text)


@pytest.mark.slow
@pytest.mark.parametrize("piece", PIECES)
def test_time_grows_with_the_length(piece):
    text = (piece * (SIZE // len(piece) + 1))[:SIZE]
    assert not too_slow(read_all, text, quick=0.3, never=15.0)


@pytest.mark.slow
@pytest.mark.parametrize("piece", ["Python, ", "must have:\n- C++\n", "x. "])
def test_a_whole_match_grows_with_the_length(piece):
    def match(text):
        job, resume = Document("j", text), Document("r", text)
        Matcher(LINKER, LexicalSpace([text, text]), [job]).match(job, resume)

    assert not too_slow(match, (piece * (SIZE // len(piece) + 1))[:SIZE], quick=0.3, never=15.0)


ATTACK = (
    "<script>alert(1)</script> Python </mark></span><img src=x onerror=alert(1)> SQL \"' onmouseover=x "
    "{{ 7 * 7 }} \x1b[31m \u202e Docker &lt;b&gt; Airflow Kafka"
)


def test_texts_and_names_cannot_act_on_the_page(tmp_path):
    for folder in ("jobs", "resumes"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "'\"><img src=x>.txt").write_text(ATTACK)
        (tmp_path / folder / "plain.txt").write_text("Python. She. " + ATTACK)
    (tmp_path / "g.csv").write_text('id,group\nplain,"<script>x</script>"\n')
    config = MatchConfig(encoder="none", resamples=100)
    match(tmp_path / "jobs", tmp_path / "resumes", tmp_path / "out", config, groups=tmp_path / "g.csv")
    text = (tmp_path / "out" / "report.html").read_text()
    page = read(text)
    assert not page.errors
    names = {name for name, _ in page.elements}
    assert not names & {"script", "img", "svg", "iframe", "b\x00"}
    assert not [key for _, attributes in page.elements for key in attributes if key.startswith("on")]
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "{{ 7 * 7 }}" in page.text or "49" not in page.text
