from __future__ import annotations

import math
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from example_report import example, minimal
from tutelage.report import plots
from tutelage.report.document import Curve, CurvePoint, Document, Histogram
from tutelage.report.figure import drawing
from tutelage.types import Estimate


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def texts(svg: str) -> list[str]:
    return ["".join(element.itertext()) for element in parsed(svg).iter("text")]


def all_pictures(document: Document) -> dict[str, str]:
    told = document.refinement
    found = {"gain": plots.gain_retention(document), "before": plots.before_after(document)}
    found |= {title: svg for title, _, svg in plots.curve_panels(document)}
    if told is not None and told.histogram is not None:
        found["similarity"] = plots.similarity(told.histogram, told.threshold)
    return found


@pytest.fixture(scope="module")
def pictures() -> dict[str, str]:
    return all_pictures(example())


def test_every_picture_is_well_formed_named_and_described(pictures: dict[str, str]) -> None:
    assert len(pictures) == 3 + len(plots.CURVE_PANELS)
    for svg in pictures.values():
        root = parsed(svg)
        title, description = root.find("title"), root.find("desc")
        assert root.get("role") == "img"
        assert title is not None
        assert description is not None
        assert title.text
        assert description.text
        assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"


def test_pictures_are_the_same_every_time(pictures: dict[str, str]) -> None:
    assert all_pictures(example()) == pictures


def test_pictures_refer_to_nothing_outside_and_style_nothing_outside(pictures: dict[str, str]) -> None:
    for svg in pictures.values():
        assert "http" not in svg
        assert "<style" not in svg
        assert "<metadata" not in svg
        ids = set(re.findall(r' id="([^"]+)"', svg))
        assert set(re.findall(r'(?:href="|url\()#([^")]+)', svg)) <= ids


def test_ids_of_two_pictures_never_meet(pictures: dict[str, str]) -> None:
    found = [name for svg in pictures.values() for name in re.findall(r' id="([^"]+)"', svg)]
    assert len(found) == len(set(found))


def test_every_colour_comes_from_the_theme(pictures: dict[str, str]) -> None:
    for svg in pictures.values():
        bare = re.sub(r"var\([^)]*\)", "", svg)
        assert re.findall(r"#[0-9a-fA-F]{6}\b", bare) == []
        assert "#0a0" not in svg  # a stand-in colour left behind


def test_gain_retention_puts_every_arm_where_its_changes_are(pictures: dict[str, str]) -> None:
    shown = texts(pictures["gain"])
    assert {"RAFT", "SFT", "SDFT", "Base"} <= set(shown)
    description = parsed(pictures["gain"]).findtext("desc") or ""
    main = example().main
    assert main is not None
    assert main.domain.change is not None
    assert f"RAFT: domain +{100 * main.domain.change.delta.value:.1f} [" in description


def test_labels_do_not_cover_each_other() -> None:
    """Six arms at nearly one place: their labels still stand apart."""
    main = example().main
    assert main is not None
    arms = tuple(replace(main, name=f"arm{i}", title=f"ARM {i}") for i in range(6))
    svg = plots.gain_retention(replace(example(), arms=(example().arms[0], *arms)))
    labels = [element for element in parsed(svg).iter("text") if (element.text or "").startswith("ARM")]
    places = [(float(element.get("x", "0")), float(element.get("y", "0"))) for element in labels]
    assert len(places) == 6
    for i, (x, y) in enumerate(places):
        for other_x, other_y in places[:i]:
            assert abs(x - other_x) > 30 or abs(y - other_y) > 11


def test_words_of_the_quadrants_stay_where_there_is_room() -> None:
    shown = " ".join(texts(plots.gain_retention(example())))
    assert "gained" in shown
    assert "forgot" in shown


def test_before_and_after_says_the_change_of_each_ability(pictures: dict[str, str]) -> None:
    shown = texts(pictures["before"])
    main = example().main
    assert main is not None
    for measure in (main.domain, *main.abilities):
        assert measure.title in shown


def test_nothing_measured_draws_nothing() -> None:
    document = minimal()
    assert plots.gain_retention(document) == ""
    assert plots.before_after(document) == ""
    assert plots.curve_panels(document) == []
    assert plots.similarity(Histogram((0.0, 1.0), (0,), (0,)), 0.8) == ""


def test_intervals_without_ends_are_left_out() -> None:
    base, main = example().arms[:2]
    assert main.domain.change is not None
    endless = Estimate(0.3, -math.inf, math.inf, 0.95, "t", 2, 2)
    domain = replace(main.domain, estimate=endless, change=replace(main.domain.change, delta=endless))
    document = replace(example(), arms=(base, replace(main, domain=domain)))
    assert "RAFT" in texts(plots.gain_retention(document))
    assert "inf" not in plots.gain_retention(document)
    assert "inf" not in plots.before_after(document)


def test_names_are_text_never_markup_or_formulas() -> None:
    base, main = example().arms[:2]
    nasty = replace(main, title="$\\frac{<b>&", domain=replace(main.domain, title="</text><script>$x^2$"))
    document = replace(example(), arms=(base, nasty))
    assert "$\\frac{<b>&" in texts(plots.gain_retention(document))
    assert "</text><script>$x^2$" in texts(plots.before_after(document))
    assert "<script" not in plots.before_after(document)


def test_a_curve_keeps_its_ends_and_survives_gaps() -> None:
    points = tuple(CurvePoint(i, loss=float("nan") if i == 3 else 1.0 / i) for i in range(1, 2001))
    document = replace(example(), curves=(Curve("raft", points),))
    ((title, _, svg),) = plots.curve_panels(document)
    assert title == "Loss"
    assert "raft: 1 at step 1, 0.0005 at step 2000" in (parsed(svg).findtext("desc") or "")
    assert re.search(r"\bnan\b", svg) is None
    assert len(svg) < 20_000


def test_smoothing_of_a_constant_is_that_constant_and_does_not_lag() -> None:
    assert plots._smooth([2.0] * 50) == [2.0] * 50
    line = plots._smooth([float(i) for i in range(100)])
    assert line[50] == pytest.approx(50.0)


def test_thinning_keeps_means() -> None:
    steps, values = plots._thinned([(i, float(i)) for i in range(1, 1001)])
    assert len(steps) <= 120
    assert steps[-1] == 1000
    assert values[0] == pytest.approx((1 + steps[0]) / 2)


def test_drawing_leaves_the_settings_of_matplotlib_alone() -> None:
    import matplotlib as mpl

    before = mpl.rcParams["svg.fonttype"]
    with drawing(10, 10):
        pass
    assert mpl.rcParams["svg.fonttype"] == before
