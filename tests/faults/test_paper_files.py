"""Files and libraries that are cut, damaged, foreign or busy: an error of ours, and nothing half done."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import textwrap

import pytest

from paper_library import RECORDS, WordEncoder, made_up_library
from tutelage.errors import DataError, StoreError, TutelageError
from tutelage.papers.importing import read_papers
from tutelage.papers.library import Library, make_record

GOOD = {
    "page.txt": "Jun 10\n\nKites\n\nKites are taught to fly, which takes long.\n\n  • 3 authors\n·\nMay 28, 2025\n",
    "page.json": '[{"title": "Kites", "summary": "They fly.", "publishedAt": "2025-05-28"}]',
    "feed.xml": "<feed><entry><title>Kites</title><published>2025-05-28T00:00:00Z</published></entry></feed>",
    "kites.bib": "@article{k, title = {Kites}, year = 2025}",
    "page.html": "<html><article><h3><a href='/papers/2505.00001'>Kites</a></h3><p>They fly.</p></article></html>",
}


@pytest.mark.parametrize("name", GOOD)
def test_a_file_cut_anywhere_is_read_whole_or_refused(tmp_path, name):
    path, data = tmp_path / name, GOOD[name].encode()
    path.write_bytes(data)
    [whole] = read_papers(path).records
    assert whole.title == "Kites"
    for end in range(len(data)):
        path.write_bytes(data[:end])
        found = outcome(path)
        assert found == ["Kites"] or str(found).startswith(str(path))


def outcome(path):
    """The titles of a file, or where it was refused."""
    try:
        return [record.title for record in read_papers(path).records]
    except DataError as error:
        return error.where


@pytest.mark.parametrize(
    "data", [b"", b"  \n", b"\xff\xfe\x00", b"PK\x03\x04\x00\x00", b"\x89PNG\r\n\x1a\n\x00", b"\xe4bc"]
)
def test_what_is_no_text_is_refused(tmp_path, data):
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(TutelageError) as caught:
        read_papers(path)
    assert caught.value.hint


def test_missing_file_and_folder(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(StoreError):
            read_papers(path)


def test_foreign_and_damaged_libraries_are_left_alone(tmp_path):
    path = tmp_path / "papers.sqlite"
    for content in (b"this is no database, it is text that somebody wrote" * 40, _foreign(tmp_path)):
        path.write_bytes(content)
        with pytest.raises(StoreError) as caught:
            Library(path, entries=())
        assert caught.value.hint
        assert path.read_bytes() == content


def _foreign(folder):
    other = folder / "other.sqlite"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE theirs (a)")
    connection.commit()
    connection.close()
    return other.read_bytes()


def test_a_library_of_a_newer_version_is_refused(tmp_path):
    made_up_library(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "papers.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="newer"):
        made_up_library(tmp_path)


def test_an_import_that_is_interrupted_keeps_whole_batches(tmp_path):
    records = [make_record(f"Kite number {n}") for n in range(5000)]

    def stop(done, total):
        if done >= 4000:
            raise KeyboardInterrupt

    with made_up_library(tmp_path) as made:
        with pytest.raises(KeyboardInterrupt):
            made.add(records, stop)
        assert made.count() == 4002
        assert made.add(records) == (1000, 0, 4000)


def test_vectors_that_are_interrupted_are_continued(tmp_path):
    class Failing(WordEncoder):
        def embed(self, texts):
            if self.asked >= 64:
                raise KeyboardInterrupt
            return super().embed(texts)

    with made_up_library(tmp_path, encoder=Failing()) as made:
        made.add([make_record(f"Kite number {n}") for n in range(98)])
        with pytest.raises(KeyboardInterrupt):
            made.index()
    with made_up_library(tmp_path, encoder=WordEncoder()) as made:
        assert made.index() == 36


def test_two_processes_write_at_once(tmp_path):
    script = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from tutelage.papers.library import Library, make_record
        with Library(Path(sys.argv[1]), entries=(), encoder=None) as made:
            for n in range(40):
                made.add([make_record(f"Kite {sys.argv[2]} {n}"), make_record(f"Shared {n}")])
        """
    )
    command = [sys.executable, "-c", script, str(tmp_path / "papers.sqlite")]
    running = [subprocess.Popen([*command, name], stderr=subprocess.PIPE) for name in ("a", "b")]
    assert [process.communicate(timeout=60)[1] for process in running] == [b"", b""]
    with Library(tmp_path / "papers.sqlite", entries=(), encoder=None) as made:
        assert made.count() == 120


def test_closed_library_and_records_of_the_kit_do_not_crash(tmp_path):
    made = made_up_library(tmp_path)
    made.add(RECORDS)
    made.close()
    with pytest.raises(StoreError):
        made.count()
