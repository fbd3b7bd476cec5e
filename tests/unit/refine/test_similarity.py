import math

import numpy as np
import pytest

from scripted_engines import WordEncoder
from tutelage.errors import NumericalError, ShapeError
from tutelage.refine import Case, Similarity

QUESTION = "Which group is the drill in?"


class Table:
    """Embeddings by text; remembers what it was asked."""

    name = "table"

    def __init__(self, table):
        self.table, self.asked = table, []

    def embed(self, texts):
        self.asked += texts
        return np.array([self.table[text] for text in texts])


def test_the_cosine_is_that_of_the_definition():
    left, right = [3.0, -1.0, 2.0], [0.5, 4.0, 1.0]
    found = Similarity(Table({"a b": left, "c d": right}), "answer")([Case("q", "a b", "c d")])
    dot = sum(x * y for x, y in zip(left, right, strict=True))
    norm = math.sqrt(sum(x * x for x in left)) * math.sqrt(sum(x * x for x in right))
    assert found == [pytest.approx(dot / norm, abs=1e-12)]


@pytest.mark.parametrize(
    ("compare", "reference", "left"),
    [
        ("answer", "tools", "tools"),
        ("question+answer", "tools", f"{QUESTION} tools"),
        ("auto", "tools", f"{QUESTION} tools"),
        ("auto", "one two three four five six seven eight nine", "one two three four five six seven eight nine"),
        ("question+answer", "one two\nthree", f"{QUESTION} one two\nthree"),
        ("auto", "one two\nthree", "one two\nthree"),
    ],
)
def test_what_the_text_is_compared_with(compare, reference, left):
    assert Similarity(WordEncoder(), compare).side(Case(QUESTION, reference, "text")) == left


def test_the_text_stands_alone_on_its_side():
    encoder = Table({f"{QUESTION} tools": [1.0, 0.0], "It is tools.": [1.0, 1.0]})
    assert Similarity(encoder)([Case(QUESTION, "tools", "It is tools.")]) == [pytest.approx(math.sqrt(0.5))]
    assert sorted(encoder.asked) == sorted([f"{QUESTION} tools", "It is tools."])


def test_equal_texts_are_embedded_once_and_similar_to_themselves():
    encoder = Table({"same text": [0.1, 0.7, 0.3]})
    assert Similarity(encoder, "answer")([Case("q", "same text", "same text")] * 3) == pytest.approx(
        [1.0] * 3, abs=1e-12
    )
    assert encoder.asked == ["same text"]


def test_nothing_gives_nothing():
    assert Similarity(WordEncoder())([]) == []


@pytest.mark.parametrize("bad", [[math.nan, 1.0], [math.inf, 1.0]])
def test_a_useless_embedding_is_named(bad):
    with pytest.raises(NumericalError, match="not finite") as error:
        Similarity(Table({"a": [1.0, 0.0], "b": bad}), "answer")([Case("q", "a", "b")])
    assert "'b'" in str(error.value)


def test_a_text_without_direction_is_like_nothing():
    assert Similarity(Table({"a": [1.0, 0.0], "b": [0.0, 0.0]}), "answer")([Case("q", "a", "b")]) == [0.0]


def test_a_wrong_number_of_embeddings_is_an_error():
    class Short:
        name = "short"

        def embed(self, texts):
            return np.ones((1, 3))

    with pytest.raises(ShapeError, match="2 texts"):
        Similarity(Short(), "answer")([Case("q", "a", "b")])
