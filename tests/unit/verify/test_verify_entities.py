"""Facts that must survive a rewrite: what counts as one, and in which forms it is found again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.verify import entities, entities_preserved
from tutelage.verify.dates import dates


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("It rains.", ["answer:rains"]),
        ("communication", ["answer:communication"]),
        ("The Paris.", ["name:Paris"]),
        ("Paris", ["answer:Paris"]),
        ("yes", ["answer:yes"]),
        ("42", ["number:42"]),
        ("Ada Lovelace wrote it.", ["name:Ada", "name:Lovelace"]),
        ("Restart Windows and wait a while.", ["name:Windows"]),
        ("It's raining. That's all I know. We stay here.", []),
        ("Einstein's idea was that it bends.", ["name:Einstein's"]),
        ("We met Bob. Bob was late that day.", ["name:Bob"]),
        ("On March 5, 2024 we paid $1,250.50 for 3-5 days.", ["date:March 5, 2024", "number:$1,250.50", "number:3-5"]),
        ("It was 3rd at 10:30am and -5°C.", ["number:3rd", "number:10:30am", "number:-5°C"]),
        ("It was 50% of 20kg then.", ["number:50%", "number:20kg"]),
        ("Mail bob@x.org or see https://x.org/a?b=1, please now.", ["code:https://x.org/a?b=1", "code:bob@x.org"]),
        ("The ISO-9001 port of GPT-4o v1.2.3 in my_file uses TCP on iPhone.",
         ["code:ISO-9001", "code:GPT-4o", "code:v1.2.3", "code:my_file", "code:TCP", "code:iPhone"]),
        ("HOW TO COOK PASTA IN TEN MINUTES", []),
        ("Ten Ways To Improve Your Garden", []),
        ("HOW TO COOK PASTA IN 10 MINUTES", ["number:10"]),
    ],
)  # fmt: skip
def test_what_must_survive(text: str, expected: list[str]) -> None:
    found = [f"{entity.kind}:{entity.text}" for entity in entities(text)]
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize(
    ("reference", "text", "missing"),
    [
        ("It cost 1,250 dollars", "It was 1250 dollars", []),
        ("It cost 1,250 dollars", "It was 1,205 dollars", ["1,250"]),
        ("It cost 1/2 of that", "It cost 0.5 of that", []),
        ("It took 21 days to do", "twenty-one days", []),
        ("It took 3 days to do", "Three days", []),
        ("It took 3 days to do", "13 days", ["3"]),
        ("It is -5 degrees outside", "It is 5 degrees", ["-5"]),
        ("It is 3-5 days away", "between 3 and 5 days", []),
        ("It is 3-5 days away", "3 days", ["3-5"]),
        ("We met on March 5, 2024 there", "met 2024-03-05", []),
        ("We met on 2024-03-05 there", "the 5th of March 2024", []),
        ("We met on March 5, 2024 there", "March 2024", ["March 5, 2024"]),
        ("We met in March 2024 there", "5 March 2024", []),
        ("We met on 3/4/2024 there", "4 March 2024", []),
        ("We met on 3/4/2024 there", "3 April 2024", []),
        ("We met on 3/4/2024 there", "3 May 2024", ["3/4/2024"]),
        ("We asked Maxwell about Laws there", "maxwell's law", []),
        ("We asked Maxwell about it there", "Maxwellian", ["Maxwell"]),
        ("We use the API of AB-12 here", "apis of ab-12", []),
        ("We use the API of AB-12 here", "capital AB-123", ["AB-12", "API"]),
        ("It belongs to caring", "caring work", []),
        ("handling", "This is about handling things.", []),
        ("handling", "This is about caring.", ["handling"]),
        ("Marie Curie found it early", "Curie found it", ["Marie"]),
        ("We like New-York a lot", "new york", ["New-York"]),
        ("We like C3PO a lot", "c3po", []),
    ],
)
def test_what_survives(reference: str, text: str, missing: list[str]) -> None:
    kept = entities_preserved(reference, text)
    assert sorted(entity.text for entity in kept.missing) == sorted(missing)
    assert bool(kept) == (not missing)
    assert kept.score == pytest.approx(1 - len(missing) / kept.total if kept.total else 1)


@given(st.text(st.sampled_from("aBcD 12.,-/:'’$%°()\n3é_@") | st.characters(exclude_categories=["Cs"]), max_size=60))
def test_a_text_keeps_its_own_facts(text: str) -> None:
    assert entities_preserved(text, text).missing == ()


@pytest.mark.parametrize(
    ("text", "year", "month", "day"),
    [
        ("2024-03-05", 2024, 3, 5),
        ("5 March 2024", 2024, 3, 5),
        ("the 5th of March, 2024", 2024, 3, 5),
        ("MAR. 5, 2024", 2024, 3, 5),
        ("Sept 3rd", None, 9, 3),
        ("June 2024", 2024, 6, None),
        ("25/12/2023", 2023, 12, 25),
        ("12.25.2023", 2023, 12, 25),
    ],
)
def test_dates(text: str, year: int | None, month: int, day: int | None) -> None:
    (date,), rest = dates(text)
    assert (date.year, date.month, date.day) == (year, month, day)
    assert len(rest) == len(text)


@pytest.mark.parametrize("text", ["2024-13-05", "32/32/2024", "0 March 2024x", "1.2.3", "may be", "1/2"])
def test_no_dates(text: str) -> None:
    assert dates(text)[0] == []
