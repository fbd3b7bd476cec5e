"""Ranking from what is remembered, against SQLite's own ``bm25()``; filters against SQL; paging, deadlines."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from paper_library import WordEncoder, made_up_entry, made_up_library
from tutelage.errors import StoreError, TookTooLong
from tutelage.papers.library import Filters, Library, make_record, remembered, search
from tutelage.papers.library.query import expression, terms, weighed
from tutelage.papers.library.readers import Deadline
from tutelage.papers.library.remembered import Memory, Posting, Recent, ranked
from tutelage.papers.library.stems import Stems

WORDS = ("kite", "kites", "boat", "glass", "teach", "teaching", "universe", "on-policy", "学习", "été", "a", "model")
QUERIES = (
    "kites",
    "kite kites",  # two words of one stem
    "model kites glass",
    '"kite boat" model',
    "on-policy teaching of a universe",
    "学习 été",
    "nothing of this",
    'NOT kites OR (title:boat*) "unclosed ; DROP TABLE papers',
    "🪁 ² kites",
    " ".join(WORDS),
)
FILTERS = (
    Filters(),
    Filters(since="2025-03-01"),
    Filters(until="2025-06-30"),
    Filters(since="2024-01-01", until="2025-02-01", status="imported"),
    Filters(family="tuning"),
    Filters(family=""),
    Filters(status="planned"),
    Filters(status="verdict", since="1990-01-01"),
    Filters(status="nonsense"),
    Filters(family="\ud800"),
)


def text(generator, count):
    return " ".join(generator.choice(WORDS, count, p=np.arange(1, 13) / 78))


def records(count, seed=0):
    generator = np.random.default_rng(seed)
    dates = ("", "2024", "2025-02", "2025-03-01", "2025-06-30", "2025-06-30T10:00", "2026-01-05", "soon")
    return [
        make_record(f"{text(generator, 3)} {seed}-{n}", abstract=text(generator, n % 30), date=str(dates[n % 8]))
        for n in range(count)
    ]


@pytest.fixture
def library(tmp_path):
    entries = [
        made_up_entry(f"e{n}", f"Kites {n}", family=("tuning", "merging")[n % 2], date="2025-03-02") for n in range(6)
    ]
    with made_up_library(tmp_path, entries=entries) as made:
        made.add(records(300))
        yield made


def plain(library, query, filters=None, limit=1000):
    """What the index of words itself says: ids and scores."""
    where, values = library._where(filters or Filters())
    match = expression(terms(query))
    if not match:
        return []
    ask = (
        f"SELECT p.id, bm25(words, {remembered.WEIGHTS}) AS score FROM words JOIN papers p ON p.seq = words.rowid "
        f"WHERE words MATCH ? AND words.rowid IN (SELECT seq FROM papers p{where}) ORDER BY score, words.rowid LIMIT ?"
    )
    return library._connection.execute(ask, (match, *values, limit)).fetchall()


def remembered_scores(library, query):
    """Seq and score as the library sums them."""
    words, stems = terms(query), Stems()
    with library._readers.lend() as connection:
        state = library._search._memory.at(connection)
        postings = [
            state.posting(connection, expression((word,)), one)
            for word, one in zip(words, stems.of(words), strict=True)
            if one
        ]
    return ranked(postings, 1000)


def found(library, query, filters=None, limit=1000, offset=0):
    hits = library.search(query, filters or Filters(), "keyword", limit, offset=offset).hits
    return [hit.record.id for hit in hits]


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
def test_scores_and_order_are_those_of_the_index(library, query):
    oracle = plain(library, query)
    assert found(library, query) == [one for one, _ in oracle]
    scores = [score for _, score in remembered_scores(library, query)]
    np.testing.assert_allclose(scores, [score for _, score in oracle], rtol=1e-12)
    assert (len(oracle) > 0) == ("nothing" not in query)


@pytest.mark.parametrize("filters", FILTERS, ids=range(len(FILTERS)))
def test_filters_let_the_same_papers_pass_as_in_the_database(library, filters):
    for query in QUERIES:
        assert found(library, query, filters) == [one for one, _ in plain(library, query, filters)]
    where, values = library._where(filters)
    seqs = [row[0] for row in library._connection.execute(f"SELECT seq FROM papers p{where}", values)]
    with library._readers.lend() as connection:
        columns = library._search._memory.at(connection).columns(connection)
    assert np.flatnonzero(columns.allowed(filters, library._slugs(filters))).tolist() == sorted(seqs)


def test_prepared_or_not_the_ranking_is_the_same(library, monkeypatch):
    before = {query: found(library, query) for query in QUERIES}
    monkeypatch.setattr(remembered, "_FREQUENT", 20)
    library.add(records(1, seed=9))  # what was remembered is dropped
    library.prepare()
    state = library._search._memory._state
    assert state.prepared
    known = set(state._postings._known)
    assert {("model",), ("kite",), ("boat",)} <= known
    library.prepare()
    for query in QUERIES:
        assert found(library, query) == [one for one, _ in plain(library, query)]
    assert {query: found(library, query) for query in QUERIES} != before


def test_a_stem_that_is_no_stem_of_itself_is_not_mistaken():
    stems = Stems()
    for word in ("university", "generalization", "added", "decided", "iterations"):
        (stem,) = stems.of([word])
        again = stems.of(stem)[0]
        assert (again == stem) == (stems.of([" ".join(stem)]) == [stem])  # what `prepare` goes by


def test_imports_updates_and_removals_are_seen_at_once(library):
    assert found(library, "zeppelin") == []
    library.add([make_record("A zeppelin", date="2025-01-01")])
    one = found(library, "zeppelin")
    assert len(one) == 1
    assert found(library, "zeppelin", Filters(since="2025-02-01")) == []
    library.add([replace(library.get(one[0]), date="2025-03-03")])
    assert found(library, "zeppelin", Filters(since="2025-02-01")) == one
    library.add([replace(library.get(one[0]), abstract="An airship, not a boat.")])
    assert found(library, "airship") == one
    library._connection.execute("DELETE FROM papers WHERE id = ?", one)
    assert found(library, "zeppelin") == []
    for query in QUERIES:
        assert found(library, query) == [one for one, _ in plain(library, query)]


def test_what_another_process_changes_is_seen_at_once(library):
    before = found(library, "kites model")
    script = """
        import sys
        from pathlib import Path
        from tutelage.papers.library import Library, make_record
        with Library(Path(sys.argv[1]), encoder=None) as made:
            made.add([make_record("Kites of model kites", abstract="kites")])
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(library.path)], check=True)
    after = found(library, "kites model")
    assert after == [one for one, _ in plain(library, "kites model")]
    assert len(after) > len(before)


def test_pages_of_an_answer_fit_together(library, tmp_path):
    whole = found(library, "model kites", limit=200)
    pages = [found(library, "model kites", limit=20, offset=start) for start in range(0, 200, 20)]
    assert [one for page in pages for one in page] == whole
    assert found(library, "model kites", limit=20, offset=5000) == []
    fused = Library(tmp_path / "fused.sqlite", entries=(), encoder=WordEncoder())
    with fused:
        fused.add(records(120))
        pages = [
            hit.record.id for start in (0, 20, 40) for hit in fused.search("kite boat", limit=20, offset=start).hits
        ]
        assert pages == [hit.record.id for hit in fused.search("kite boat", limit=60).hits]
        assert len(set(pages)) == 60


def test_a_ranking_is_made_once(library, monkeypatch):
    asked = []
    monkeypatch.setattr(search, "ranked", lambda *given: asked.append(given) or ranked(*given))
    for start in (0, 20, 0):
        library.search("kites", limit=20, offset=start)
    assert len(asked) == 1
    library.search("kites", Filters(since="2025-01-01"))
    assert len(asked) == 2
    first = library.similar("e0")
    assert library.similar("e0") == first
    assert len(asked) == 3


def test_too_frequent_words_are_left_out_first():
    counts = {"the": 90, "kite": 2, "boat": 5, "gone": 0}
    assert weighed(("the", "kite", "boat", "gone"), counts.__getitem__, 50) == ("kite", "boat", "gone")
    assert weighed(("the",), counts.__getitem__, 50) == ("the",)
    assert weighed(("the", "kite"), counts.__getitem__, 92) == ("the", "kite")


def test_words_beyond_the_budget_do_not_rank(library, monkeypatch):
    monkeypatch.setattr(search, "_BUDGET", 200)
    assert found(library, "model universe") == [one for one, _ in plain(library, "universe")]


def test_ties_go_by_number_and_only_the_deepest_are_cut():
    posting = Posting(np.arange(1, 9, dtype=np.int32), np.array([-1.0, -2, -1, -2, -1, -1, -3, -1]))
    assert [seq for seq, _ in ranked([posting], 5)] == [7, 2, 4, 1, 3]
    allowed = np.array([True, False, True, True, True, False, True, True, True])
    assert [seq for seq, _ in ranked([posting], 4, allowed)] == [7, 2, 4, 3]
    assert ranked([], 5) == []


def test_what_was_not_used_longest_is_forgotten():
    made = []
    kept: Recent[str] = Recent(10)
    for key in (1, 2, 1, 3, 1, 2):
        assert kept.made(key, lambda key=key: made.append(key) or f"{key}", lambda _: 3) == f"{key}"
    assert made == [1, 2, 3, 2]


def test_an_older_reader_gets_its_own_state(library):
    memory = Memory()
    with library._readers.lend() as old:
        first = memory.at(old)
        library.add([make_record("Newer")])
        with library._readers.lend() as new:
            assert memory.at(new).version > first.version
        assert memory.at(old).version == first.version
        assert memory.at(old) is not first  # forgotten, and not confused with the new one
        assert len(memory.at(old).columns(old).present) < 308


ENDLESS = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*), 0 FROM n WHERE ? <> ''"


def test_a_search_ends_when_its_time_is_over_and_keeps_nobody_waiting(library, monkeypatch):
    """The query would never end by itself, so only the deadline can end it."""
    monkeypatch.setattr(
        remembered, "_read_posting", lambda connection, term: connection.execute(ENDLESS, (term,)).fetchall()
    )
    outcome = []

    def slow():
        started = time.monotonic()
        with pytest.raises(TookTooLong, match="time was over"):
            library.search("kites", seconds=1.0)
        outcome.append(time.monotonic() - started)

    thread = threading.Thread(target=slow, daemon=True)
    thread.start()
    time.sleep(0.1)
    started = time.monotonic()
    assert library.count() == 306
    assert library.add([make_record("While it searches")]).new == 1
    assert len(library.newest(5)) == 5
    waited = time.monotonic() - started
    assert thread.is_alive()
    assert not outcome
    thread.join(30)
    assert not thread.is_alive()
    assert waited < outcome[0]
    assert 1.0 <= outcome[0] < 10
    monkeypatch.undo()
    assert found(library, "kites")  # its connection serves again, without a deadline
    assert all(connection.in_transaction is False for connection in library._readers._idle)


def test_many_threads_search_while_one_imports(library):
    problems = []

    def searches(number):
        try:
            for round_ in range(15):
                query = f"{WORDS[(number + round_) % 9]} model"
                one = found(library, query, limit=20)
                assert len(set(one)) == 20
                library.similar("e1")
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=searches, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for seed in range(20, 30):
        library.add(records(8, seed))
    for thread in threads:
        thread.join(60)
    assert problems == []
    for query in QUERIES:
        assert found(library, query) == [one for one, _ in plain(library, query)]


def test_like_this_and_preparing_have_an_end_too(library):
    for work in (lambda: library.similar("e0", seconds=-1), lambda: library.prepare(seconds=-1)):
        with pytest.raises(TookTooLong):
            work()
    assert Deadline().left() == float("inf")


def test_a_writer_elsewhere_does_not_stop_a_search(tmp_path):
    with made_up_library(tmp_path, encoder=WordEncoder()) as made:
        made.add(records(20))
        made.index()
        made.add([make_record("One more kite")])
        other = sqlite3.connect(made.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        answer = made.search("kite", seconds=0.5)
        assert "One more kite" in {hit.record.title for hit in answer.hits}
        assert "1 papers are not searched by meaning yet" in answer.note
        other.execute("ROLLBACK")
        other.close()
        assert made.search("kite").note == ""


def test_vectors_of_another_encoder_are_not_compared_and_not_made_again_by_a_search(tmp_path):
    with made_up_library(tmp_path, encoder=WordEncoder()) as made:
        made.add(records(150))
        made.index()
    other = WordEncoder("others")
    with made_up_library(tmp_path, encoder=other) as made:
        answer = made.search("kite boat")
        assert "not searched by meaning yet" in answer.note
        assert other.asked <= 1  # the query
        assert not any("meaning" in hit.ranks for hit in answer.hits)
        made.index()
        assert made.search("kite boat").note == ""


def test_a_library_of_the_first_version_is_brought_up_to_date(library):
    path = library.path
    library.close()
    with pytest.raises(StoreError, match="closed"):
        library.search("kites")
    old = sqlite3.connect(path, isolation_level=None)
    for (name,) in old.execute("SELECT name FROM sqlite_master WHERE name LIKE 'papers_counted%'").fetchall():
        old.execute(f"DROP TRIGGER {name}")
    old.execute("DELETE FROM facts WHERE name = 'papers'")
    old.execute("PRAGMA user_version = 1")
    old.close()
    with Library(path, encoder=None, entries=()) as made:
        assert made._connection.execute("PRAGMA user_version").fetchone()[0] == 2
        assert found(made, "zeppelin") == []
        made.add([make_record("A zeppelin")])
        assert len(found(made, "zeppelin")) == 1
