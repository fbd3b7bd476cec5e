"""Does this clause of a privacy policy answer this question? Pairs whose questions and clauses are all new in the test.

The weak model looks at shared words; the strong one compares what a frozen encoder makes of question and clause.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tutelage.assets.licences import refuse_for_training
from tutelage.assets.loading import rows
from tutelage.errors import DataError
from tutelage.seeds import derive
from tutelage.types import FloatArray, IntArray

__all__ = ["ClausePairs", "clause_pairs", "drawn_pairs", "made_up_pairs", "products", "shared_words"]

ASSET = "privacy-policy-qa"
HELD = 0.3  # of the questions, and of the clauses


@dataclass(frozen=True)
class ClausePairs:
    """Different ``questions`` and ``clauses``; ``question`` and ``clause`` [N] are places in them, ``truth`` 1 or 0."""

    questions: tuple[str, ...]
    clauses: tuple[str, ...]
    question: IntArray
    clause: IntArray
    truth: IntArray


def clause_pairs() -> ClausePairs:
    """All pairs of the embedded set.

    Raises:
        AssetMissing: it is not installed; the hint is the command.
    """
    refuse_for_training([ASSET])
    return _paired([(row["question"], row["clause"], row["answer"]) for row in rows(ASSET)])


def made_up_pairs(count: int = 24) -> ClausePairs:
    """A few words asked for and mentioned, for runs that only have to run."""
    subjects = ("email", "location", "contacts", "cookies")
    found = [
        (
            f"question {i} do you share my {subjects[i % 4]}",
            f"clause {j} we may share your {subjects[j % 4]}",
            i % 4 == j % 4,
        )
        for i in range(count)
        for j in range(count)
    ]
    return _paired([(question, clause, int(same)) for question, clause, same in found])


def _paired(triples: Sequence[tuple[str, str, int]]) -> ClausePairs:
    questions = {text: i for i, text in enumerate(dict.fromkeys(row[0] for row in triples))}
    clauses = {text: i for i, text in enumerate(dict.fromkeys(row[1] for row in triples))}
    question, clause, truth = (
        np.array(column)
        for column in zip(*((questions[asked], clauses[said], same) for asked, said, same in triples), strict=True)
    )
    return ClausePairs(tuple(questions), tuple(clauses), question, clause, truth)


def drawn_pairs(given: ClausePairs, sizes: Sequence[int], *, seed: int) -> dict[str, IntArray]:
    """Places of random parts: "weak", "pool" and "test". No question or clause of the test is in the other two.

    Args:
        given: where they come from.
        sizes: of weak, pool and test.
        seed: of the draw.

    Raises:
        DataError: there are not enough pairs for a part.
    """
    draw = np.random.default_rng(derive(seed, "clause-relevance"))
    held_question, held_clause = (
        draw.permutation(len(side)) < HELD * len(side) for side in (given.questions, given.clauses)
    )
    new = held_question[given.question] & held_clause[given.clause]
    old = ~held_question[given.question] & ~held_clause[given.clause]
    learnt, test = (draw.permutation(np.flatnonzero(one)) for one in (old, new))
    parts = {"weak": learnt[: sizes[0]], "pool": learnt[sizes[0] : sizes[0] + sizes[1]], "test": test[: sizes[2]]}
    for (name, places), size in zip(parts.items(), sizes, strict=True):
        if len(places) < size:
            raise DataError(f"{len(places)} pairs for the part {name}, not {size}", hint="ask for fewer")
    return {name: np.sort(places) for name, places in parts.items()}


def shared_words(given: ClausePairs) -> FloatArray:
    """Of each pair [N, 4]: cosine of its word weights (tf-idf over all texts), shared words, and the two lengths."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(token_pattern=r"(?u)\b\w+\b", stop_words="english")
    words.fit([*given.questions, *given.clauses])
    asked, said = words.transform(given.questions)[given.question], words.transform(given.clauses)[given.clause]
    shared = asked.multiply(said)
    columns = [np.asarray(shared.sum(1)).ravel(), np.asarray((shared > 0).sum(1)).ravel()]
    columns += [np.log1p(np.asarray((one > 0).sum(1)).ravel()) for one in (asked, said)]
    found: FloatArray = np.column_stack(columns).astype(np.float64)
    return found


def products(given: ClausePairs, questions: FloatArray, clauses: FloatArray) -> FloatArray:
    """Of each pair [N, D] the products of the features of its question and its clause; their sum is the cosine."""
    found: FloatArray = questions[given.question] * clauses[given.clause]
    return found
