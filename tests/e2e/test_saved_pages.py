"""The made Daily Papers page, opened in Chromium and saved in the ways that can be driven, is imported whole."""

from __future__ import annotations

import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from daily_page import LISTED, PAPERS, as_html
from tutelage.papers.importing import read_papers

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (on Debian `apt-get install chromium`)"),
]
PAGES = {
    "/cards": as_html(data=False, query="?utm_source=mail&utm_medium=x", scrolled=True),
    "/data": as_html(scrolled=True),
    "/whole": as_html(),
}


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        body = PAGES.get(self.path, "").encode()
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def told(path):
    return [(r.title, r.date, r.listed, r.authors, r.comments, r.abstract, r.url) for r in read_papers(path).records]


MEANT = [(p.title, p.date, LISTED, p.authors, p.comments, p.abstract, f"https://arxiv.org/abs/{p.id}") for p in PAPERS]


@pytest.mark.parametrize("page", PAGES)
def test_dumped(address, tmp_path, page):
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", f"--user-data-dir={tmp_path}/u"]
    done = subprocess.run([*command, address + page], capture_output=True, check=True, timeout=120)
    (tmp_path / "page").write_bytes(done.stdout)
    assert told(tmp_path / "page") == MEANT


def test_single_files(address, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api", reason="needs `pip install 'tutelage[browser]'`")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for page in PAGES:
            window = browser.new_page()
            window.goto(address + page)
            session = window.context.new_cdp_session(window)
            saved = session.send("Page.captureSnapshot", {"format": "mhtml"})["data"]
            (tmp_path / "page").write_bytes(saved.encode())
            assert told(tmp_path / "page") == MEANT
        browser.close()
