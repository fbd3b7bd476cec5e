from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from tutelage.assets.readers.record import identify, lettered_answer, normalise, options

words = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=20)
plain = st.text(string.ascii_lowercase + " ,'()0123456789", min_size=1, max_size=20).map(str.strip).filter(bool)
spaces = st.text(" \t\n\u00a0\u2003", min_size=1, max_size=4)


@given(st.lists(plain, min_size=2, max_size=8))
def test_options_give_back_what_was_lettered(choices: list[str]) -> None:
    text = "\n".join(f"{letter}. {choice}" for letter, choice in zip("ABCDEFGH", choices, strict=False))
    assert options(text) == choices
    assert options("\n" + text.replace(". ", ": ")) == [choice.replace(". ", ": ") for choice in choices]


@given(plain, st.integers(0, 7))
def test_a_lettered_answer_is_taken_apart(text: str, index: int) -> None:
    assert lettered_answer(f"{'ABCDEFGH'[index]}. {text}") == (index, text)
    assert lettered_answer(text) == (None, text)


@given(words)
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once or normalise(normalise(once)) == normalise(once)


@given(st.lists(plain, min_size=1, max_size=5), spaces)
def test_ids_do_not_see_white_space_and_case(parts: list[str], gap: str) -> None:
    text = " ".join(parts)
    assert identify(text) == identify(gap + gap.join(text.upper().split()) + gap)
    assert len(identify(text)) == 16
    assert set(identify(text)) <= set("0123456789abcdef")


@given(plain, plain)
def test_ids_keep_fields_apart(left: str, right: str) -> None:
    assert identify(left, right) != identify(f"{left} {right}")
    assert identify(left, right) != identify(left + right)
    if normalise(left) != normalise(right):
        assert identify(left, right) != identify(right, left)
