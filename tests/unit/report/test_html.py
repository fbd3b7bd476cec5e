from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest

from example_report import example, minimal
from html_page import read
from tutelage.report import html
from tutelage.report.document import ArmResult, Cost, Measure, Note, RegressionSuite
from tutelage.types import Estimate

BRIEF = replace(example(), curves=())  # most of the time goes into drawing


@pytest.fixture(scope="module")
def page() -> str:
    return html.render(example())


def test_the_page_is_one_balanced_document(page: str) -> None:
    found = read(page)
    assert found.errors == []
    assert page.startswith("<!doctype html>")
    assert page.count("<h1") == 1


def test_nothing_is_loaded_from_anywhere(page: str) -> None:
    found = read(page)
    assert {tag for tag, _ in found.elements} & {"script", "iframe", "object", "embed", "form", "base", "img"} == set()
    for tag, attributes in found.elements:
        for name in ("src", "href", "srcset", "data", "action", "poster", "background", "xlink:href"):
            value = attributes.get(name)
            assert value is None or value.startswith("#") or value == "data:,", (tag, name, value)
        assert not any(name.startswith("on") for name in attributes)
    assert re.search(r"url\(\s*['\"]?(?!#)", page) is None
    assert "@import" not in page


def test_the_policy_forbids_everything_but_our_own_style(page: str) -> None:
    (policy,) = [a["content"] for tag, a in read(page).elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")
    assert "script-src" not in policy


def test_ids_are_unique_and_every_inner_link_has_its_end(page: str) -> None:
    found = read(page)
    ids = [a["id"] for _, a in found.elements if "id" in a]
    assert len(ids) == len(set(ids))
    ends = {a["href"][1:] for tag, a in found.elements if tag == "a" and (a.get("href") or "").startswith("#")}
    labels = {name for _, a in found.elements for name in (a.get("aria-labelledby") or "").split()}
    assert ends <= set(ids)
    assert labels <= set(ids)


def test_the_headline_the_next_step_and_the_numbers_are_there(page: str) -> None:
    text = read(page).text
    headline = example().headline
    assert headline.sentence in text
    assert headline.next_step in text
    for arm in example().arms:
        assert arm.domain.estimate is not None
        assert f"{100 * arm.domain.estimate.value:.1f}" in text
    assert example().run.command in text
    for setting in example().settings:
        assert setting.key in text
    for asset in example().assets:
        assert asset.spdx in text


def test_the_document_has_its_language_and_works_without_a_mouse(page: str) -> None:
    found = read(page)
    assert ("html", {"lang": "en"}) in found.elements
    assert 'class="skip"' in page
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page


def test_the_same_document_gives_the_same_page(page: str) -> None:
    assert html.render(example()) == page


def test_what_is_missing_is_said_and_nothing_crashes() -> None:
    text = read(html.render(minimal())).text
    assert text.count("not measured") >= 6
    assert "nan" not in text.lower().split()


def test_nan_everywhere_renders_as_not_measured() -> None:
    nan = Estimate(math.nan, math.nan, math.nan, 0.95, "t", 0, 0)
    main = example().arms[1]
    assert main.domain.change is not None
    change = replace(main.domain.change, delta=nan, p=math.nan, p_adjusted=math.nan, minimum_detectable=math.nan)
    broken = Measure("domain", "Domain", nan, change)
    arms = tuple(ArmResult(name, broken, broken, (broken,), broken, broken) for name in ("base", "raft"))
    document = replace(BRIEF, arms=arms, cost=Cost(peak_memory_mib=math.nan))
    found = read(html.render(document))
    assert found.errors == []
    assert re.search(r"\bnan\b|\binf\b", found.text, re.IGNORECASE) is None


def test_an_arm_that_nobody_knows_and_a_method_without_an_arm() -> None:
    arms = (*BRIEF.arms, replace(BRIEF.arms[1], name="my-own", title=""))
    document = replace(BRIEF, arms=arms, headline=replace(BRIEF.headline, method="absent"))
    found = read(html.render(document))
    assert found.errors == []
    assert "MY-OWN" in found.text


def test_a_report_without_a_base() -> None:
    assert read(html.render(replace(BRIEF, arms=BRIEF.arms[1:]))).errors == []
    assert read(html.render(replace(BRIEF, arms=()))).errors == []


def test_many_regressions_are_shown_in_part_and_counted() -> None:
    case = BRIEF.regressions[0].cases[0]
    cases = tuple(replace(case, id=f"item-{i}") for i in range(30))
    document = replace(BRIEF, regressions=(RegressionSuite("d", "D", "raft", 50, 30, cases),))
    text = read(html.render(document)).text
    assert "22 more in report.json" in text
    assert text.count("item-") == 8


def test_warnings_stand_at_the_top_and_notes_do_not() -> None:
    notes = (Note("look out"), Note("by the way", "note"))
    text = read(html.render(replace(BRIEF, notes=notes))).text
    assert text.index("look out") < text.index("Gain and loss, every arm") < text.index("by the way")


def test_the_page_stays_small(page: str) -> None:
    assert len(page) < 400_000


def test_a_long_text_scrolls_in_its_box_by_keyboard_too(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = dict.fromkeys(("gain", "gain_small", "before", "before_small", "similarity", "curves"), "")
    monkeypatch.setattr(html, "_pictures", lambda document: pictures)
    suite = BRIEF.regressions[0]
    for text, scrolls in (("word " * 100, False), ("word " * 200, True), ("line\n" * 30, True)):
        case = replace(suite.cases[0], after=text)
        page = html.render(replace(BRIEF, regressions=(replace(suite, cases=(case,)),), refinement=None))
        boxes = [attributes for tag, attributes in read(page).elements if attributes.get("class") == "said"]
        assert any("tabindex" in attributes for attributes in boxes) == scrolls
