"""The scale, the rubric on sentences written for this test, and the rater on embeddings."""

import numpy as np
import pytest

from tutelage.errors import ConfigError, DataError, ShapeError
from tutelage.verify.formality import RuleFormality, formality_signs
from tutelage.verify.graded import FORMALITY, EmbeddingRater, GradedScale


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("u coming 2nite", "informal"),
        ("that's sooooo nice.", "informal"),  # two signs of haste; one alone is a slip
        ("That's sooooo nice.", "casual"),
        ("no capital and no mark", "informal"),
        ("We're leaving at six.", "casual"),
        ("She likes the garden.", "casual"),
        ("Can I get a bit more?", "casual"),
        ("Participants are required to register prior to arrival.", "formal"),
        ("We regret the delay.", "formal"),
        ("It was decided that the meeting be held in May.", "formal"),
        ("I don't require assistance.", "casual"),  # a contraction rules the top level out
    ],
)
def test_the_rubric(text, level):
    assert RuleFormality().rate([text]) == [level]


def test_signs_are_shown():
    found = formality_signs("i gotta go, it’s late!!")
    assert found.slang == ("gotta",)
    assert found.contractions == ("it's",)
    assert set(found.sloppy) == {"no capital at the start", "drawn out", "small i"}


def test_a_scale_knows_its_order():
    assert FORMALITY.strictly_rising(["informal", "formal"])
    assert not FORMALITY.strictly_rising(["casual", "casual"])
    assert len(FORMALITY.directions()) == 6
    with pytest.raises(DataError, match="posh"):
        FORMALITY.rank("posh")
    with pytest.raises(ConfigError, match="two different"):
        GradedScale(("a", "a"))


class Letters:
    """Counts of three letters: separable on purpose."""

    def embed(self, texts):
        return np.array([[text.count(letter) for letter in "abc"] for text in texts], dtype=np.float32)


def test_the_head_on_embeddings_learns_what_can_be_told_apart():
    texts = ["aaa", "aab", "bbb", "bba", "ccc", "cca"]
    levels = ["informal", "informal", "casual", "casual", "formal", "formal"]
    rater = EmbeddingRater(Letters(), texts, levels)
    assert rater.rate(["aaaa", "bbbb", "cccc"]) == ["informal", "casual", "formal"]
    assert rater.rate([]) == []
    with pytest.raises(DataError, match="formal"):
        EmbeddingRater(Letters(), texts[:4], levels[:4])
    with pytest.raises(ShapeError, match="6 texts"):
        EmbeddingRater(Letters(), texts, levels[:5])
