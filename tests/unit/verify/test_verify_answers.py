"""Answers: exact, contained, the one choice, the number. Each table is written by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tutelage import verify
from tutelage.errors import ConfigError, RangeError, RegistryError
from tutelage.verify.numbers import numbers

GROUPS = ["communication", "caring", "handling", "hot handling", "3.5"]


@pytest.mark.parametrize(
    ("text", "reference", "right"),
    [
        ("Paris", "paris.", 1),
        ("  The  Paris \n", "Paris", 1),
        ("“Paris”", "Paris", 1),
        ("Paris, France", "Paris", 0),
        ("pari", "Paris", 0),
        ("the", "the", 1),
        ("A", "a", 1),
        ("caf\u00e9", "cafe\u0301", 1),
        ("3.5", "3.5.", 1),
        ("35", "3.5", 0),
        ("-3", "3", 0),
        ("", "x", 0),
        ("", "", 1),
    ],
)
def test_exact(text: str, reference: str, right: int) -> None:
    assert verify.exact([], text, reference).score == right


@pytest.mark.parametrize(
    ("text", "reference", "right"),
    [
        ("It is Paris, of course", "paris", 1),
        ("comparison", "paris", 0),
        ("New York City", "york city", 1),
        ("York, a city", "york city", 0),
        ("It is 3.5 m", "3.5", 1),
        ("It is 13.5 m", "3.5", 0),
        ("anything", "...", 0),
    ],
)
def test_contains(text: str, reference: str, right: int) -> None:
    assert verify.contains([], text, reference).score == right


@pytest.mark.parametrize(
    ("text", "reference", "right"),
    [
        ("caring", "caring", 1),
        ("It belongs to **Caring**.", "caring", 1),
        ("caring, not handling", "caring", 0),
        ("hot handling", "hot handling", 1),
        ("hot handling", "handling", 0),
        ("handling and hot handling", "hot handling", 0),
        ("uncaring", "caring", 0),
        ("B", "caring", 1),
        ("(b)", "caring", 1),
        ("b) because", "caring", 1),
        ("The answer is B", "caring", 1),
        ("The answer is (C).", "handling", 1),
        ("Z", "caring", 0),
        ("A communication", "communication", 1),
        ("value 3.5", "3.5", 1),
        ("", "caring", 0),
        ("caring caring", "caring", 1),
    ],
)
def test_choice(text: str, reference: str, right: int) -> None:
    assert verify.choice(GROUPS)([], text, reference).score == right


def test_choice_says_why() -> None:
    judge = verify.choice(GROUPS)
    assert judge([], "caring or handling", "caring").detail == "names 2 choices"
    assert judge([], "no idea", "caring").detail == "names none of the choices"
    for bad in ([], ["one"], ["a b", "A  b!"], ["x", "?"]):
        with pytest.raises(ConfigError):
            verify.choice(bad)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        ("none", []),
        ("42", [42]),
        ("#### 42", [42]),
        ("It is 42.", [42]),
        ("1,250 and 1,2,3", [1250, 1, 2, 3]),
        ("1,234,567.89", [Fraction(123456789, 100)]),
        ("12,34", [12, 34]),
        ("-5, +6, 10-5, 3–5, −7", [-5, 6, 10, 5, 3, 5, -7]),
        ("3/4, 1 1/2, 5/0", [Fraction(3, 4), Fraction(3, 2), 5, 0]),
        ("-1 1/2", [Fraction(-3, 2)]),
        ("in 2020 1/2 of it", [Fraction(4041, 2)]),
        ("in 12020 1/2 of it", [12020, Fraction(1, 2)]),
        ("½ and 2½", [Fraction(1, 2), Fraction(5, 2)]),
        (r"\frac{3}{4} \dfrac{-1}{2}", [Fraction(3, 4), Fraction(-1, 2)]),
        ("1.5e3, 2E-2, 1.5×10^3, 2 * 10**{-1}", [1500, Fraction(1, 50), 1500, Fraction(1, 5)]),
        ("$5, 50%, 5kg, 3rd, £1.50", [5, 50, 5, 3, Fraction(3, 2)]),
        ("H2O v2 abc123", []),
        (".5 and 0.5", [Fraction(1, 2), Fraction(1, 2)]),
        ("1.2.3", [Fraction(6, 5)]),
        ("٣", [3]),
        ("9" * 401, []),
        ("1e401", []),
        ("1e400", [Fraction(10) ** 400]),
    ],
)
def test_numbers_in_text(text: str, values: list[int | Fraction]) -> None:
    assert numbers(text) == [Fraction(value) for value in values]


@pytest.mark.parametrize(
    ("text", "reference", "right"),
    [
        ("First 3, then 42 apples.", "42", 1),
        ("42, then 3", "42", 0),
        ("so 1,250.00 dollars", "1250", 1),
        ("0.5", "1/2", 1),
        ("0.3333333", "1/3", 1),
        ("0.333", "1/3", 0),
        ("1e3", "1000", 1),
        ("-42", "42", 0),
        ("42", "We add 1 and 41. #### 42", 1),
        ("none", "42", 0),
        ("42", "none", 0),
        ("0", "0.0", 1),
        ("0.0000001", "0", 0),
    ],
)
def test_number(text: str, reference: str, right: int) -> None:
    assert verify.number([], text, reference).score == right


def test_number_within() -> None:
    judge = verify.get("number-within", absolute=0.5)
    assert [judge([], text, "3").score for text in ("3.5", "3.51", "2.5")] == [1, 0, 1]
    judge = verify.get("number-within", relative=0.1)
    assert [judge([], text, "-100").score for text in ("-110", "-110.1", "100")] == [1, 0, 0]
    with pytest.raises(RangeError):
        verify.number_within(absolute=-1)
    with pytest.raises(RangeError):
        verify.number_within(relative=float("nan"))


@pytest.mark.parametrize("name", ["exact", "contains", "number", "entities"])
def test_without_reference(name: str) -> None:
    verdict = verify.get(name)([], "x", None)
    assert (verdict.score, verdict.detail) == (0.0, "there is no reference to compare with")


def test_get_finds_both_kinds_and_helps() -> None:
    assert verify.get("exact") is verify.exact
    assert verify.get("words", most=3)([], "a b", None).score == 1
    with pytest.raises(RegistryError, match="no verifier 'exactt'") as caught:
        verify.get("exactt")
    assert "exact" in str(caught.value.hint)
    with pytest.raises(ConfigError, match="takes no parameters"):
        verify.get("exact", strict=True)
    with pytest.raises(ConfigError, match="unexpected keyword") as error:
        verify.get("words", maximum=3)
    assert "most" in str(error.value.hint)
    with pytest.raises(ConfigError, match="missing"):
        verify.get("choice")
    assert {"exact", "choice", "words", "refusal"} <= set(verify.names())
