"""Whatever stands in a report's texts, the page keeps its shape: no element, attribute or address of theirs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from example_report import example
from html_page import read
from tutelage.report import html, plots
from tutelage.report.document import CurvePoint, Document, from_json, to_json
from tutelage.report.untrusted import cut, one_line, visible

ATTACKS = {
    "script": "<script>alert(1)</script>",
    "comment": "--><script>alert(1)</script><!--",
    "style": "</style><script>alert(1)</script><style>*{display:none}",
    "attribute": '" onmouseover="alert(1)" x="',
    "single": "' autofocus onfocus='alert(1)",
    "tag": "'\"></span></td></table><img src=x onerror=alert(1)>",
    "link": '<a href="javascript:alert(1)">click</a> javascript:alert(1)',
    "frame": "<iframe src=https://evil.example></iframe><base href=https://evil.example>",
    "meta": "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "css": "}</style>:root{background:url(https://evil.example)}",
    "svg": '</text></svg><svg onload=alert(1)><use href="data:image/svg+xml,x"/>',
    "cdata": "]]><![CDATA[<script>alert(1)</script>",
    "template": "{{ 7 * 7 }}{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "entity": "&lt;script&gt;&#60;script&#62;&quot;",
    "maths": "$\\frac{1}{$ \\input{/etc/passwd} ^_",
    "percent": "%s %(name)s {0} {name} {doc.run}",
    "control": "a\x00b\x08c\x1b[31md\x7fe\x85f\rg",
    "direction": "safe\u202eexe.gpj\u2066\u200f\u061c",
    "hidden": "ok\u200b\u2060\ufeff\U000e0049\U000e0067\U000e006e",
    "surrogate": "a\ud800b",
    "marks": "Z" + "\u0336\u0350\u0351\u0352" * 200,
    "arabic": "\u0645\u0631\u062d\u0628\u0627 <b>",
}
KEPT = {"schema", "outcome", "gain", "loss", "tuned", "level", "method", "arm", "unit"}


def with_text(document: Document, text: str) -> Document:
    """The document with ``text`` before every text that is free (keys of counts too)."""

    def changed(value: Any, key: str) -> Any:
        if isinstance(value, dict):
            free = key in ("rejected", "reasons", "mean_words", "versions", "environment")
            return {(text + k if free else k): changed(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [changed(item, key) for item in value]
        return text + value if isinstance(value, str) and key not in KEPT else value

    told = to_json(document)
    names = [arm["name"] for arm in told["arms"]]
    told = changed(told, "")
    for arm, name in zip(told["arms"], names, strict=True):
        arm["name"] = name
    for note, original in zip(told["notes"], document.notes, strict=True):
        note["level"] = original.level
    return from_json(_with_intervals(told, document))


def _with_intervals(told: dict[str, Any], document: Document) -> dict[str, Any]:
    """Abilities are matched by name between the arms: names stay, titles do not."""
    for arm, original in zip(told["arms"], document.arms, strict=True):
        for ability, was in zip(arm["abilities"], original.abilities, strict=True):
            ability["name"] = was.name
        for key in ("domain", "general", "text_nll", "kl_to_base"):
            if arm[key] is not None:
                arm[key]["name"] = getattr(original, key).name
    return told


NO_PICTURES = dict.fromkeys(("gain", "gain_small", "before", "before_small", "similarity"), "") | {"curves": []}


def shape_of(page: str) -> list[tuple[str, list[str]]]:
    """Tags in order with the names of their attributes."""
    found = read(page)
    assert found.errors == []
    return [(tag, sorted(attributes)) for tag, attributes in found.elements]


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of the time goes into drawing; pictures have tests of their own."""
    monkeypatch.setattr(html, "_pictures", lambda document: NO_PICTURES)


@pytest.fixture(scope="module")
def shape() -> list[tuple[str, list[str]]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(html, "_pictures", lambda document: NO_PICTURES)
        return shape_of(html.render(with_text(example(), "harmless ")))


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_the_shape_of_the_page_does_not_depend_on_its_texts(attack: str, shape: list[tuple[str, list[str]]]) -> None:
    page = html.render(with_text(example(), attack + " "))
    page.encode("utf-8")
    assert shape_of(page) == shape


@pytest.mark.usefixtures("no_pictures")
def test_templates_in_texts_are_not_run() -> None:
    data = example().data
    assert data is not None
    page = html.render(replace(example(), data=replace(data, source="{{ 7919 * 7907 }}")))
    assert "{{ 7919 * 7907 }}" in page
    assert str(7919 * 7907) not in page


@pytest.mark.parametrize("attack", ["tag", "control", "maths"])
def test_the_shape_of_pictures_does_not_depend_on_names(attack: str) -> None:
    def pictures(text: str) -> str:
        document = with_text(example(), text + " ")
        arms = tuple(replace(arm, title=text + arm.label) for arm in document.arms)
        document = replace(document, arms=arms, curves=())
        return plots.gain_retention(document) + plots.before_after(document)

    found = pictures(ATTACKS[attack] + ATTACKS["surrogate"])
    found.encode("utf-8")
    drawn = {"path", "g", "use"}
    hostile = [element for element in shape_of(found) if element[0] not in drawn]
    assert hostile == [element for element in shape_of(pictures("fine")) if element[0] not in drawn]


def test_a_hostile_arm_name() -> None:
    nasty = ATTACKS["tag"]
    arms = (example().arms[0], replace(example().arms[1], name=nasty, title=""))
    curve = example().curves[0]
    curves = (replace(curve, arm=nasty, points=tuple(CurvePoint(p.step, loss=p.loss) for p in curve.points)),)
    found = read(
        html.render(
            replace(example(), arms=arms, curves=curves, headline=replace(example().headline, method=nasty), cost=None)
        )
    )
    assert found.errors == []
    assert "img" not in {tag for tag, _ in found.elements}


def test_huge_texts_are_cut_and_the_cut_is_said() -> None:
    huge = "<b>" + "x" * 3_000_000
    suite = example().regressions[0]
    case = replace(suite.cases[0], prompt=huge, before=huge, after="one line\n" * 100_000, reference=huge, id=huge)
    suites = (replace(suite, cases=(case,), title=huge),)
    page = html.render(replace(example(), regressions=suites, curves=()))
    assert len(page) < 500_000
    assert "2,998,003 more characters, in report.json" in page


@pytest.mark.usefixtures("no_pictures")
def test_thousands_of_rejection_reasons_do_not_break_the_page() -> None:
    data = example().data
    assert data is not None
    reasons = {f"reason {i}": 1 for i in range(5_000)}
    assert "reason 4999" in read(html.render(replace(example(), data=replace(data, rejected=reasons)))).text


def test_controls_and_invisible_characters_become_visible() -> None:
    assert visible("a\x00\x1b\x7f\x85b") == "a\u2400\u241b\u2421\u27e6U+0085\u27e7b"
    assert visible("x\u202ey\u2066z") == "x\u27e6U+202E\u27e7y\u27e6U+2066\u27e7z"
    assert visible("\U000e0041") == "\u27e6U+E0041\u27e7"
    assert visible("a\r\nb\tc\n") == "a\nb\tc\n"
    assert visible("\ud800") == "\ufffd"


def test_joiners_and_ordinary_scripts_stay() -> None:
    for text in ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\U0001f469\u200d\U0001f52c", "e\u0301", "नमस्ते"):
        assert visible(text) == text


def test_piles_of_marks_are_lowered() -> None:
    assert visible("Z" + "\u0336" * 50 + "a") == "Z" + "\u0336" * 4 + "a"


def test_one_line_is_short_and_quick_whatever_comes_in() -> None:
    assert len(one_line("\n".join(["x"] * 1_000_000), 50)) == 50
    assert one_line(" \n ") == ""
    assert cut("", 3) == ("", 0)
