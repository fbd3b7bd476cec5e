"""The library: what is added, found again, updated, filtered and saved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from paper_library import ENTRIES, RECORDS, WordEncoder, made_up_entry, made_up_library
from tutelage.errors import ConfigError, DataError
from tutelage.papers.library import Added, Filters, arxiv_id, make_record
from tutelage.papers.library.search import fuse


@pytest.fixture
def library(tmp_path):
    with made_up_library(tmp_path, encoder=WordEncoder()) as made:
        made.add(RECORDS)
        yield made


def ids(hits):
    return [hit.record.id for hit in hits]


def test_the_catalogue_is_always_in_it(tmp_path):
    with made_up_library(tmp_path) as made:
        assert made.count() == 2
        assert made.get("kites").title == "Teaching Kites to Fly"
        assert made.get("kites").source == "catalogue"
    with made_up_library(tmp_path, entries=ENTRIES[:1]) as made:  # a newer catalogue without boats
        assert [record.id for record in made.newest()] == ["kites"]


def test_import_adds_once_updates_and_keeps(library):
    assert library.add(RECORDS) == Added(0, 0, 3)
    newer = replace(RECORDS[1], listed="2026-06-12", comments=5, abstract="")
    assert library.add([newer]) == Added(0, 1, 0)
    kept = library.get(RECORDS[1].id)
    assert (kept.comments, kept.abstract, kept.listed) == (5, "Folding paper planes.", "2026-06-12")
    assert library.add([replace(RECORDS[1], comments=9)]) == Added(0, 0, 1)  # an earlier listing changes nothing
    assert library.count() == 5


def test_an_imported_copy_joins_the_catalogue_entry(library):
    copy = make_record("teaching kites -- to FLY", date="2025-01-01", abstract="They hold the string.", comments=2)
    assert library.add([copy]) == Added(0, 1, 0)
    joined = library.get("kites")
    assert joined.slug == "kites"
    assert joined.abstract == "They hold the string."
    assert joined.comments == 2
    assert library.count() == 5
    assert ids(library.search("string", mode="keyword").hits) == ["kites"]


def test_a_paper_imported_before_its_entry_becomes_the_entry(tmp_path):
    with made_up_library(tmp_path, entries=()) as made:
        made.add([make_record("Boats, and why they float", abstract="Wood.", date="2024-06-02")])
    with made_up_library(tmp_path) as made:
        boats = made.get("boats")
        assert (boats.abstract, boats.slug, made.count()) == ("Wood.", "boats", 2)


def test_known_by_arxiv_id_under_a_new_title_and_apart_under_one_title(library):
    url = "https://arxiv.org/abs/2605.11111"
    assert library.add([make_record("First Title", url=url)]).new == 1
    assert library.add([make_record("Second Title", url=url + "v3")]) == Added(0, 1, 0)
    assert library.get(make_record("First Title").id).title == "Second Title"
    other = make_record("Second Title", url="https://arxiv.org/abs/2605.22222")
    assert library.add([other]) == Added(1, 0, 0)
    assert library.add([other]) == Added(0, 0, 1)
    assert library.count() == 7


def test_two_of_one_title_without_ids_keep_apart_only_by_id(tmp_path):
    pair = [make_record("Reply", url=f"https://arxiv.org/abs/2605.0000{n}", abstract=f"{n}") for n in (1, 2)]
    with made_up_library(tmp_path) as made:
        assert made.add(pair) == Added(2, 0, 0)
        assert made.add(pair) == Added(0, 0, 2)
        assert len({record.id for record in made.newest()}) == 4


def test_filters(library):
    assert library.count(Filters(status="imported")) == 3
    assert library.count(Filters(status="verdict")) == 1
    assert library.count(Filters(family="merging")) == 1
    assert library.count(Filters(since="2026-04-01")) == 2
    assert library.count(Filters(until="2026-04-30")) == 3  # undated papers are not before a day
    assert library.count(Filters(status="nonsense")) == 0
    assert [record.date for record in library.newest(2)] == ["2026-05-01", "2026-04-01"]
    assert library.newest(9)[-1].title == "Undated Balloons"
    assert library.newest(2, 2)[0].id == "kites"
    with pytest.raises(ConfigError):
        Filters(since="yesterday")


@pytest.mark.parametrize("mode", ["keyword", "meaning", "auto"])
def test_search_obeys_filters_and_limit_in_every_mode(library, mode):
    found = library.search("kites glass planes", Filters(status="imported"), mode, 2)
    assert len(found.hits) == 2
    assert all(hit.record.slug is None for hit in found.hits)
    assert library.search("kites", Filters(until="1990-01-01"), mode).hits == ()


def test_keyword_search_stems_marks_and_ranks_titles_first(library):
    assert ids(library.search("kite", mode="keyword").hits)[0] == "kites"  # in the title and in the keywords
    found = library.search("fold kite", mode="keyword")
    assert found.mode == "keyword"
    planes = next(hit for hit in found.hits if hit.record.title == "Paper Planes")
    assert [piece.text for piece in planes.snippet if piece.marked] == ["Folding"]
    assert "".join(piece.text for piece in planes.snippet) == "Folding paper planes."


def test_words_inside_a_script_without_spaces(library):
    hit = library.search("监督", mode="keyword").hits[0]
    assert hit.record.title == "Undated Balloons"
    assert [piece.text for piece in hit.snippet if piece.marked] == ["监督"]
    assert library.search("督监", mode="keyword").hits == ()


def test_a_phrase_in_quotes_stands_together(library):
    assert ids(library.search('"made of glass"', mode="keyword").hits) == [RECORDS[0].id]
    assert library.search('"glass of made"', mode="keyword").hits == ()


def test_fused_by_reciprocal_rank(library):
    found = library.search("a glider made of glass")
    assert found.mode == "fused"
    for hit in found.hits:
        assert hit.score == pytest.approx(sum(1 / (60 + rank) for rank in hit.ranks.values()))
    assert [hit.score for hit in found.hits] == sorted((hit.score for hit in found.hits), reverse=True)
    assert fuse({"a": [7], "b": []}) == [(7, 1 / 61)]


def test_meaning_ranks_by_cosine(library):
    encoder = WordEncoder()
    found = library.search("balloons filled with", mode="meaning", limit=5)
    texts = {hit.record.id: hit for hit in found.hits}
    assert len(texts) == 5
    query = encoder.embed(["balloons filled with"])[0]
    from tutelage.papers.library.vectors import text_of

    rows = library._connection.execute("SELECT id, title, summary, abstract FROM papers").fetchall()
    cosine = {row[0]: float(encoder.embed([text_of(*row[1:])])[0] @ query) for row in rows}
    assert ids(found.hits) == sorted(cosine, key=cosine.__getitem__, reverse=True)


def test_without_an_encoder_it_says_so(tmp_path):
    with made_up_library(tmp_path) as made:
        found = made.search("kites")
        assert found.mode == "keyword"
        assert "assets install" in found.note
        assert ids(found.hits) == ["kites", "boats"]  # "kites" is a keyword of both
        with pytest.raises(ConfigError, match="no encoder"):
            made.search("kites", mode="meaning")
        with pytest.raises(ConfigError):
            made.index()
        assert ids(made.similar("kites", 3)) == ["boats"]  # by words: "kites" is a keyword of both


def test_vectors_are_made_once_and_again_when_a_text_or_the_encoder_changes(tmp_path):
    encoder = WordEncoder()
    with made_up_library(tmp_path, encoder=encoder) as made:
        made.add(RECORDS)
        steps = []
        assert made.index(lambda done, total: steps.append((done, total))) == 5
        assert steps == [(5, 5)]
        assert made.index() == 0
        made.add([replace(RECORDS[0], comments=7)])
        assert made.index() == 0
        made.add([replace(RECORDS[0], abstract="Now about submarines.")])
        assert made.index() == 1
        assert ids(made.search("submarines", mode="meaning").hits)[0] == RECORDS[0].id
        assert len(list(tmp_path.glob("*.npy"))) == 1
    with made_up_library(tmp_path, encoder=WordEncoder("others")) as made:
        assert made.index() == 5


def test_a_damaged_matrix_is_made_anew(tmp_path):
    with made_up_library(tmp_path, encoder=WordEncoder()) as made:
        made.add(RECORDS)
        before = ids(made.search("glass", mode="meaning").hits)
    file = next(tmp_path.glob("*.npy"))
    file.write_bytes(file.read_bytes()[:90])
    with made_up_library(tmp_path, encoder=WordEncoder()) as made:
        assert ids(made.search("glass", mode="meaning").hits) == before
        assert np.load(file, allow_pickle=False).shape == (5, 1024)


def test_similar_leaves_the_paper_itself_out(library):
    near = library.similar(RECORDS[0].id, 10)
    assert len(near) == 4
    assert RECORDS[0].id not in ids(near)
    with pytest.raises(DataError, match="no paper"):
        library.similar("nothing")
    with pytest.raises(DataError) as caught:
        library.get("kite")
    assert "kites" in caught.value.hint


def test_saved_searches(library):
    library.save_search("weekly", "glass", Filters(since="2026-01-01"))
    library.save_search("weekly", "kites", Filters(family="tuning"))
    assert library.saved_searches() == {"weekly": ("kites", Filters(family="tuning"))}
    with pytest.raises(ConfigError) as caught:
        library.saved_search("weekli")
    assert "weekly" in caught.value.hint
    with pytest.raises(ConfigError):
        library.save_search("  ", "x")


def test_addresses_of_papers():
    for url in ("http://arxiv.org/pdf/2401.12345v2", "https://site.example/papers/2401.12345", "arXiv:2401.12345"):
        assert arxiv_id(url) == "2401.12345"
    assert arxiv_id("https://arxiv.org/abs/cs.LG/0112017") == "cs.lg/0112017"
    assert made_up_entry("a", "A").slug == "a"
