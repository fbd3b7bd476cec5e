"""The encoder without torch says what sentence-transformers says."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from paper_library import ENTRIES
from tutelage.errors import ModelError
from tutelage.papers.library import Library
from tutelage.papers.library.encoding import SmallBert, open_encoder

TEXTS = (
    "forgetting after fine-tuning",
    "",
    "Ünïcode 学习 🦊",
    "word " * 400,
    "A longer sentence, with punctuation: yes!",
)


@pytest.mark.slow
@pytest.mark.needs_asset("all-minilm-l6-v2")
def test_same_vectors_as_sentence_transformers():
    small = open_encoder("all-minilm-l6-v2").embed(TEXTS)
    whole = open_encoder("all-minilm-l6-v2", bulk=True).embed(TEXTS)
    np.testing.assert_allclose(small, whole, atol=2e-6)


@pytest.mark.needs_asset("all-minilm-l6-v2")
def test_meaning_without_shared_words(tmp_path):
    with Library(tmp_path / "papers.sqlite", entries=ENTRIES) as library:
        found = library.search("vessels on water", mode="meaning")
        assert [hit.record.id for hit in found.hits] == ["boats", "kites"]
        assert np.isfinite(library._search.encoder().embed(["\ud800 lone", "x" * 10_000])).all()


@pytest.mark.needs_asset("all-minilm-l6-v2")
def test_a_query_loads_no_torch(tmp_path):
    code = (
        "import sys; from pathlib import Path; from tutelage.papers.library import Library\n"
        f"found = Library(Path({str(tmp_path / 'papers.sqlite')!r}), entries=()).search('kites')\n"
        "assert found.mode == 'fused', found; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_what_is_no_bert_is_refused(tmp_path):
    for text in ("{}", "[]", "no JSON"):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(ModelError):
            SmallBert(tmp_path, "x")
