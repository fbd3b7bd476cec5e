"""The page of a comparison: whole, self-contained, and telling the answer first."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from example_comparison import example
from html_page import read
from tutelage.report import comparison_html, comparison_plots
from tutelage.report.comparison import from_json, to_json
from tutelage.report.document import RegressionCase, RegressionSuite


@pytest.fixture(scope="module")
def page() -> str:
    return comparison_html.render(example())


def test_the_page_is_one_balanced_document_that_loads_nothing(page):
    found = read(page)
    assert found.errors == []
    assert page.startswith("<!doctype html>")
    assert page.count("<h1") == 1
    tags = {tag for tag, _ in found.elements}
    assert not tags & {"script", "iframe", "object", "embed", "form", "base", "img"}
    for tag, attributes in found.elements:
        for name in ("src", "href", "srcset", "data", "action", "xlink:href"):
            value = attributes.get(name)
            assert value is None or value.startswith("#") or value == "data:,", (tag, name, value)
        assert not any(name.startswith("on") for name in attributes)
    assert re.search(r"url\(\s*['\"]?(?!#)", page) is None
    assert "default-src 'none'" in page


def test_ids_are_unique_and_inner_links_have_their_end(page):
    found = read(page)
    ids = [a["id"] for _, a in found.elements if "id" in a]
    assert len(ids) == len(set(ids))
    ends = {a["href"][1:] for tag, a in found.elements if tag == "a" and (a.get("href") or "").startswith("#")}
    labels = {name for _, a in found.elements for name in (a.get("aria-labelledby") or "").split()}
    assert ends | labels <= set(ids)


def test_the_answer_the_reason_and_the_next_step_stand_first(page):
    text, document = read(page).text, example()
    assert document.answer.decision == "fail"
    first = text[: text.index("Every metric, old against new")]
    for words in (document.answer.sentence, document.answer.next_step, "How sure", *(r.name for r in document.rules)):
        assert words in first
    assert document.plan.fingerprint in text
    assert document.command in text


def test_every_number_of_the_table_is_there(page):
    text = read(page).text
    for one in example().metrics:
        factor, digits = (100, 1) if one.unit == "points" else (1, 3)
        for estimate in (one.old, one.new):
            assert f"{factor * estimate.value:.{digits}f}" in text
    for suite in example().regressions:
        for case in suite.cases[:3]:
            assert case.id in text


def test_without_a_gate_and_with_nothing_worse():
    found = read(comparison_html.render(example(gated=False)))
    assert found.errors == []
    assert "No gate" in found.text
    bare = replace(example(), groups=(), rules=(), regressions=(), notes=("a note",), cautions=("careful",))
    found = read(comparison_html.render(bare))
    assert found.errors == []
    assert "careful" in found.text


def test_the_picture_says_in_words_what_it_shows():
    (shares, nats) = comparison_plots.forests(example().metrics, example().rules)
    for title in ("support", "arithmetic", "knowledge"):
        assert f"{title}:" in shares
    assert "<desc" in shares
    assert "nats per token" in nats
    assert comparison_plots.forests((), ()) == []


HOSTILE = {
    "script": "</p></section><script>alert(1)</script>",
    "attribute": '" onmouseover="alert(1)" x="',
    "control": "a\x00b\x1b[31m\x08c\x7f",
    "direction": "safe\u202eexe.txt\u2066",
    "surrogate": "x\ud800y",
    "template": "{{ 7 * 7 }}{% for x in y %}",
    "svg": "</text></svg><svg onload=alert(1)>",
    "formula": "$\\frac{1}{$",
}


def _parts(parts, text):
    return tuple(replace(part, title=text, sentence=text) for part in parts)


def with_text(text: str):
    """The example with ``text`` in every free text that a model, a file or a person may have written."""
    document = example()
    case = RegressionCase(text, text, text, text, 1.0, 0.0, text)
    suite = RegressionSuite(text, text, text, 10, 1, (case,))
    metrics = tuple(replace(m, task=text, metric=text, title=text, flips=None) for m in document.metrics[:1])
    groups = tuple(replace(g, title=text, breakdown=text, group=text, flips=None) for g in document.groups[:2])
    rules = tuple(
        replace(r, name=text, statement=text, sentence=text, parts=_parts(r.parts, text)) for r in document.rules
    )
    return replace(
        document,
        old=replace(document.old, name=text, source=text, facts={text: text}),
        new=replace(document.new, name=text, source=text, facts={text: text}),
        answer=replace(document.answer, sentence=text, next_step=text),
        metrics=metrics,
        groups=groups,
        rules=rules,
        regressions=(suite,),
        cautions=(text,),
        notes=(text,),
        command=text,
        versions={text: text},
    )


@pytest.fixture(params=HOSTILE)
def hostile(request, monkeypatch):
    """One attack; most of the time goes into drawing, so pictures are drawn only for those that aim at them."""
    if request.param not in ("svg", "surrogate"):
        monkeypatch.setattr(comparison_html, "_pictures", lambda compared, document, name: [])
    return HOSTILE[request.param]


def shape(page: str):
    found = read(page)
    assert found.errors == []
    drawn = {"path", "g", "use"}
    return [(tag, sorted(a)) for tag, a in found.elements if tag not in drawn]


def test_the_shape_of_the_page_does_not_depend_on_its_texts(hostile):
    page = comparison_html.render(with_text("x " + hostile))
    page.encode("utf-8")
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert shape(page) == shape(comparison_html.render(with_text("harmless")))


def test_a_formula_in_a_name_is_drawn_as_it_stands():
    (metric,) = (replace(m, title="$\\frac{1}{$") for m in example().metrics[:1])
    (picture,) = comparison_plots.forests((metric,), ())
    assert "$\\frac{1}{$" in picture


def test_a_megabyte_of_text_is_cut():
    page = comparison_html.render(with_text("<b>" + "x" * 1_000_000))
    assert len(page) < 700_000
    assert "more characters, in the result file" in page


def test_json_and_back():
    document = example()
    told = json.loads(json.dumps(to_json(document), allow_nan=False))
    assert from_json(told) == document
    assert to_json(from_json(told)) == told
