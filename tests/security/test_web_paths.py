"""Files are found by number and run, never by path: nothing that an address says can open another file."""

from __future__ import annotations

import json
import os
import sys
from urllib.parse import quote

import pytest

from made_up_site import MadeUpSite, add_run, ask

CANARY = b"canary that must not be read"
opened: list[str] = []
watching = False


def _hook(event, arguments):
    if (
        watching
        and event in ("open", "os.listdir", "os.scandir")
        and arguments
        and isinstance(arguments[0], str | bytes)
    ):
        opened.append(os.fsdecode(arguments[0]))


sys.addaudithook(_hook)

TRICKS = [
    "../secret.txt",
    "../../secret.txt",
    "..%2fsecret.txt",
    "..%2f..%2fsecret.txt",
    "%2e%2e/secret.txt",
    "%2e%2e%2fsecret.txt",
    "%252e%252e%252fsecret.txt",
    "..%252fsecret.txt",
    "..%c0%afsecret.txt",
    "..\\secret.txt",
    "..%5csecret.txt",
    "....//secret.txt",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "//etc/passwd",
    "file:///etc/passwd",
    "C:%5cWindows%5cwin.ini",
    "C:/Windows/win.ini",
    "secret.txt%00.html",
    "%00",
    ".",
    "..",
    "~root",
    "1;../secret.txt",
    "1%23/../../secret.txt",
    "1%3f/../../secret.txt",
    "1/../../secret.txt",
    "-1",
    "99999999999999999999",
    "1.0",
    "0x1",
    "\u0661",
]
PLACES = [
    "/run/run-one/file/{}",
    "/run/{}/report",
    "/run/{}",
    "/run/{}/file/1",
    "/{}",
    "/paper/{}",
    "/style-{}.css",
    "/static/{}",
]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    root = tmp_path_factory.mktemp("site")
    (root / "secret.txt").write_bytes(CANARY)
    made = MadeUpSite(root, count=5)
    ask(made.app, "/run/run-one")  # templates are read once
    ask(made.app, "/paper/clip")
    ask(made.app, "/nowhere")
    yield made
    made.close()


@pytest.mark.parametrize("place", PLACES)
def test_no_address_opens_a_file(site, place):
    global watching
    for trick in TRICKS:
        target = place.format(quote(trick, safe="/%\\:;~.-"))
        opened.clear()
        watching = True
        try:
            answer = ask(site.app, target)
        finally:
            watching = False
        assert answer.status == 404, target
        assert CANARY not in answer.body
        assert b"root:" not in answer.body
        strange = [name for name in opened if not name.startswith(str(site.evidence)) and "anyio" not in name]
        assert strange == [], target


def number_of(site, run):
    return site.store.artifacts(run)[0].id


def test_a_file_that_became_a_link_or_lies_elsewhere_is_not_given(site):
    add_run(site.store, site.root / "runs" / "linked", "linked", 0.0)
    folder = site.root / "runs" / "linked"
    (folder / "notes.txt").unlink()
    (folder / "notes.txt").symlink_to(site.root / "secret.txt")
    (folder / "report.html").unlink()
    (folder / "report.html").symlink_to(site.root / "secret.txt")
    outside = site.store.add_artifact("linked", "outside", site.root / "secret.txt", "")
    dotted = site.store.add_artifact("linked", "dotted", folder / ".." / ".." / "secret.txt", "")
    directory = site.store.add_artifact("linked", "directory", folder, "")
    targets = [f"/run/linked/file/{n}" for n in (number_of(site, "linked"), outside, dotted, directory)]
    for target in [*targets, "/run/linked/report"]:
        answer = ask(site.app, target)
        assert (answer.status, CANARY in answer.body) == (404, False), target
    assert "Open the report" not in ask(site.app, "/run/linked").text


def test_a_pipe_in_place_of_a_file_blocks_nobody(site):
    add_run(site.store, site.root / "runs" / "pipe", "pipe", 0.0)
    (site.root / "runs" / "pipe" / "notes.txt").unlink()
    os.mkfifo(site.root / "runs" / "pipe" / "notes.txt")
    assert ask(site.app, f"/run/pipe/file/{number_of(site, 'pipe')}").status == 404


def test_the_number_of_another_run_is_not_answered(site):
    other = number_of(site, "run-two")
    assert ask(site.app, f"/run/run-two/file/{other}").status == 200
    assert ask(site.app, f"/run/run-one/file/{other}").status == 404


def test_a_folder_that_now_holds_another_run_gives_nothing(site):
    add_run(site.store, site.root / "runs" / "reused", "reused", 0.0)
    assert ask(site.app, "/run/reused/report").status == 200
    (site.root / "runs" / "reused" / "run.json").write_text(json.dumps({"id": "a later run"}))
    assert ask(site.app, "/run/reused/report").status == 404
    assert ask(site.app, f"/run/reused/file/{number_of(site, 'reused')}").status == 404


@pytest.mark.parametrize("folder", ["/", "", "/proc/self", "\0", "x" * 5000])
def test_a_strange_folder_in_the_store_gives_nothing(site, folder):
    name = f"strange {len(folder)} {folder[:1]!r}"
    site.store.create_run(name, "tune", folder, {}, "c", "2031-01-01")
    number = site.store.add_artifact(name, "passwd", "/etc/passwd", "")
    assert ask(site.app, f"/run/{quote(name, safe='')}").status == 200
    assert ask(site.app, f"/run/{quote(name, safe='')}/report").status == 404
    assert ask(site.app, f"/run/{quote(name, safe='')}/file/{number}").status == 404
