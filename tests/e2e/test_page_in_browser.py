"""The page in a real browser, with `tutelage serve` as people start it: mouse, keyboard alone, a phone, no script."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from made_up_site import MadeUpSite

playwright = pytest.importorskip("playwright.sync_api", reason="needs `pip install 'tutelage[browser]'`")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (on Debian `apt-get install chromium`)"),
]
EXPECTED = re.compile("status of 404|Blocked script execution in '[^']*/report'")
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1100, "height": 800}
PAGES = ["/", "/search?q=lanterns", "/paper/raft", "/board", "/runs", "/run/run-two", "/compare?a=run-one&b=run-two"]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    root = tmp_path_factory.mktemp("site")
    made = MadeUpSite(root)
    made.close()
    command = [sys.executable, "-c", "from tutelage.cli import main; main()", "serve", "--port", "0"]
    command += ["--library", str(root / "papers.sqlite"), "--evidence", str(root / "evidence")]
    environment = {**os.environ, "TUTELAGE_HOME": str(root)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        yield process.stdout.readline().strip().rstrip("/")
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser, address):
    """Opens a page in a context of its own; at the end nothing may have gone elsewhere or been refused."""
    opened, strange = [], []

    def start(path="/", **settings):
        context = browser.new_context(**{"viewport": DESK, "java_script_enabled": False, **settings})
        opened.append(context)
        page = context.new_page()
        page.on("request", lambda one: strange.append(one.url) if not one.url.startswith((address, "data:")) else None)
        page.on(
            "console",
            lambda one: strange.append(one.text) if one.type == "error" and not EXPECTED.search(one.text) else None,
        )
        page.on("pageerror", lambda one: strange.append(str(one)))
        page.goto(address + path)
        return page

    yield start
    cookies = [cookie for context in opened for cookie in context.cookies()]
    for context in opened:
        context.close()
    assert (strange, cookies) == ([], [])


def test_search_open_back_and_compare_with_the_mouse(visit):
    page = visit()
    page.get_by_label("Search papers").fill("lanterns")
    page.get_by_role("button", name="Search").click()
    assert page.title().startswith("lanterns")
    first = page.locator("h2.name a").first
    title = first.inner_text()
    first.click()
    assert page.get_by_role("heading", level=1).inner_text() == title
    page.go_back()
    assert page.get_by_label("Search papers").input_value() == "lanterns"
    page.get_by_role("link", name="Next page").click()
    assert "page 2" in page.title()
    page.get_by_role("link", name="Runs").click()
    page.get_by_label("First run").select_option("run-one")
    page.get_by_label("Second run").select_option("run-two")
    page.get_by_role("button", name="Compare").click()
    assert page.get_by_role("row", name=re.compile("domain.choice ?raft.*\\+0.300.*better")).count() == 1
    page.go_back()
    page.get_by_role("link", name="run-two").click()
    page.get_by_role("link", name="Open the report").click()
    assert "made-up report" in page.inner_text("body")
    page.go_back()
    assert page.get_by_role("heading", level=1).inner_text() == "Run run-two"


def test_a_report_cannot_act_even_with_script_allowed(browser, address):
    context = browser.new_context()
    page = context.new_page()
    page.goto(address + "/run/run-two/report")
    assert page.title() == "report"  # its script would have changed that
    assert page.evaluate("self.origin") == "null"
    context.close()


def test_with_the_keyboard_alone(visit):
    page = visit()
    page.keyboard.press("Tab")
    skip = page.locator(":focus")
    assert skip.inner_text() == "Skip to the content"
    assert skip.bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.locator(":focus").get_attribute("id") == "q"
    page.keyboard.type("harbour")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("q=harbour"), timeout=10_000)
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.locator("h2.name a:focus").count():
            break
    focused = page.locator("h2.name a:focus")
    title = focused.inner_text()
    assert title.startswith("Made-up study")
    page.keyboard.press("Enter")
    page.wait_for_url("**/paper/**")
    assert page.get_by_role("heading", level=1).inner_text() == title
    page.go_back()  # Alt and the left arrow are the browser's own, which a test cannot press
    assert "q=harbour" in page.url


@pytest.mark.parametrize("path", PAGES)
def test_everything_that_takes_the_focus_shows_it(visit, path):
    page = visit(path, java_script_enabled=True)
    seen = 0
    for _ in range(25):
        page.keyboard.press("Tab")
        outline = page.evaluate(
            "() => { const e = document.activeElement; if (e === document.body) return null;"
            " const s = getComputedStyle(e); return [s.outlineStyle, parseFloat(s.outlineWidth)]; }"
        )
        if outline is None:
            break
        seen += 1
        assert outline[0] != "none"
        assert outline[1] >= 2
    assert seen >= 4


@pytest.mark.parametrize("path", [*PAGES, "/nowhere"])
def test_a_phone_needs_no_sideways_scrolling(visit, path):
    page = visit(path, viewport=PHONE, java_script_enabled=True, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    small = page.evaluate(
        "() => [...document.querySelectorAll('button, input:not([type=hidden]), select')]"
        ".filter(e => e.getBoundingClientRect().height < 40).length"
    )
    assert small == 0
    wide = page.evaluate(
        "() => [...document.querySelectorAll('section')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
    )
    assert wide == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", [*PAGES, "/nowhere"])
def test_axe_finds_nothing(browser, address, path, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs `pip install 'tutelage[browser]'`")
    context = browser.new_context(viewport=DESK, color_scheme=scheme, bypass_csp=True)  # axe is a script
    page = context.new_page()
    page.goto(address + path)
    found = axe.Axe().run(page)
    context.close()
    told = [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in found.response["violations"]]
    assert told == []
    assert len(found.response["passes"]) > 10


def test_dark_is_dark(visit):
    backgrounds = []
    for scheme in ("light", "dark"):
        page = visit("/", color_scheme=scheme, java_script_enabled=True)
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        backgrounds.append(sum(map(int, re.findall(r"\d+", colour)[:3])))
    assert backgrounds[0] > 600
    assert backgrounds[1] < 200


def test_ctrl_c_ends_the_server_at_once(tmp_path):
    command = [sys.executable, "-c", "from tutelage.cli import main; main()", "serve", "--port", "0"]
    environment = {**os.environ, "TUTELAGE_HOME": str(tmp_path)}

    def listening() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that it is ignored

    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True,
        preexec_fn=listening,
    ) as process:  # fmt: skip
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        started = time.monotonic()
        process.send_signal(2)
        _, errors = process.communicate(timeout=30)
        assert time.monotonic() - started < 20
        assert "Traceback" not in errors
        assert process.returncode in (0, 130)
