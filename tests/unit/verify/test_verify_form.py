"""Form, wording and refusals: one right and one wrong text for each rule, and the edges."""

from __future__ import annotations

from typing import Any

import pytest

from tutelage import verify
from tutelage.errors import ConfigError, RangeError
from tutelage.verify.structure import count_bullets, count_lines, count_paragraphs, count_sentences, count_words

TURN = [{"role": "user", "content": "Say  Hello"}]

RULES: list[tuple[str, dict[str, Any], str, int]] = [
    ("json", {}, '{"a": [1, 2]}', 1),
    ("json", {}, '```json\n{"a": 1}\n```', 1),
    ("json", {}, "3", 1),
    ("json", {}, '{"a": 1} so', 0),
    ("json", {}, '{"a": NaN}', 0),
    ("json", {}, "", 0),
    ("json-keys", {"keys": ["a", "b"]}, '{"a": 1, "b": 2, "c": 3}', 1),
    ("json-keys", {"keys": ["a", "b"]}, '{"a": 1}', 0),
    ("json-keys", {"keys": ["a"]}, '["a"]', 0),
    ("words", {"least": 2, "most": 3}, "one two", 1),
    ("words", {"least": 2, "most": 3}, "one two three four", 0),
    ("words", {"least": 2, "most": 3}, "don't well-known three", 1),
    ("sentences", {"most": 2}, "One. Two!", 1),
    ("sentences", {"most": 2}, "One. Two! Three", 0),
    ("lines", {"least": 2}, "a\n\nb", 1),
    ("lines", {"least": 2}, "a\n\n", 0),
    ("paragraphs", {"least": 2, "most": 2}, "a\nb\n \nc\n\n", 1),
    ("paragraphs", {"least": 2, "most": 2}, "a\nb", 0),
    ("bullets", {"least": 2}, "- a\n* b\ntext", 1),
    ("bullets", {"least": 2}, "1. a\n-b", 0),
    ("includes", {"keywords": ["Red", "blue sky"]}, "a RED, blue sky", 1),
    ("includes", {"keywords": ["red"]}, "reddish", 0),
    ("includes", {"keywords": ["a"], "times": 2}, "a b a", 1),
    ("includes", {"keywords": ["C++"]}, "in C++, yes", 1),
    ("excludes", {"keywords": ["red"]}, "reddish", 1),
    ("excludes", {"keywords": ["red"]}, "Red!", 0),
    ("letter", {"character": "e", "most": 1}, "Every", 0),
    ("letter", {"character": "e", "least": 2, "most": 2}, "Every", 1),
    ("starts-with", {"phrase": "Sure"}, "  sure thing", 1),
    ("starts-with", {"phrase": "Sure"}, "Not sure", 0),
    ("ends-with", {"phrase": "Is there more?"}, 'Done. "is there more?"', 1),
    ("ends-with", {"phrase": "the end"}, "This is the end.", 1),
    ("ends-with", {"phrase": "the end"}, "the end is near", 0),
    ("postscript", {}, "Text.\np.s. more", 1),
    ("postscript", {}, "Text.\nP.S.", 0),
    ("placeholders", {"least": 2}, "[name] and [date]", 1),
    ("placeholders", {"least": 2}, "[name] and [name]", 0),
    ("highlights", {"least": 2}, "*a b* and **c**", 1),
    ("highlights", {"least": 1}, "2 * 3 * 4", 0),
    ("sections", {"marker": "Section", "least": 2}, "Section 1\na\n## section 2", 1),
    ("sections", {"marker": "Section", "least": 2}, "Section 1\nSection two", 0),
    ("capital-words", {"least": 2}, "AB and CD", 1),
    ("capital-words", {"most": 0}, "I am OK", 0),
    ("lower-case", {}, "all small é 1", 1),
    ("lower-case", {}, "Not", 0),
    ("lower-case", {}, "123", 0),
    ("upper-case", {}, "ALL BIG É 1", 1),
    ("upper-case", {}, "NOt", 0),
    ("no-commas", {}, "a b", 1),
    ("no-commas", {}, "a, b", 0),
    ("no-commas", {}, "甲、乙", 0),
    ("no-commas", {}, " ", 0),
    ("quoted", {}, ' "a b" ', 1),
    ("quoted", {}, "“a b”", 1),
    ("quoted", {}, '"a" b', 0),
    ("quoted", {}, '""', 0),
    ("titled", {}, "<<A title>>\ntext", 1),
    ("titled", {}, "<< >>", 0),
    ("repeats-prompt", {}, "say hello\nHello!", 1),
    ("repeats-prompt", {}, "Hello!", 0),
]


@pytest.mark.parametrize(("name", "parameters", "text", "score"), RULES)
def test_rule(name: str, parameters: dict[str, Any], text: str, score: int) -> None:
    verdict = verify.get(name, **parameters)(TURN, text, None)
    assert verdict.score == score
    assert bool(verdict.detail) != bool(score)


def test_every_rule_is_seen_to_hold_and_to_fail() -> None:
    plain = {"exact", "contains", "number", "entities", "refusal", "no-refusal"}
    elsewhere = plain | {"choice", "number-within"}
    elsewhere |= {"regex", "json-schema", "characters", "label-path", "language", "quotes-source", "numbers-kept"}
    elsewhere |= {"expression", "countdown", "sokoban", "sokoban-move", "final-answer"}
    for name in set(verify.names()) - elsewhere:
        assert {score for rule, _, _, score in RULES if rule == name} == {0, 1}, name


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("words", {}),
        ("words", {"least": 3, "most": 2}),
        ("words", {"least": -1}),
        ("letter", {"character": "e"}),
        ("includes", {"keywords": ["a"], "times": 0}),
        ("capital-words", {}),
    ],
)
def test_limits_that_make_no_sense(name: str, parameters: dict[str, Any]) -> None:
    with pytest.raises(RangeError):
        verify.get(name, **parameters)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("includes", {"keywords": []}),
        ("excludes", {"keywords": [" "]}),
        ("letter", {"character": "ab", "least": 1}),
        ("starts-with", {"phrase": ""}),
    ],
)
def test_words_that_make_no_sense(name: str, parameters: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        verify.get(name, **parameters)


@pytest.mark.parametrize(
    ("text", "words", "sentences", "lines", "paragraphs", "bullets"),
    [
        ("", 0, 0, 0, 0, 0),
        ("...", 0, 0, 1, 1, 0),
        ("Mr. Smith paid 3.5 dollars, e.g. in cash. Really?! Yes", 11, 3, 1, 1, 0),
        ("He said \"Go.\" Then left.", 5, 2, 1, 1, 0),
        ("你好。再见！", 2, 2, 1, 1, 0),
        ("a\r\n\r\nb", 2, 1, 2, 2, 0),
        ("1) a\n 2. b\n• c\n-d", 6, 4, 4, 1, 3),
    ],
)  # fmt: skip
def test_counts(text: str, words: int, sentences: int, lines: int, paragraphs: int, bullets: int) -> None:
    assert count_words(text) == words
    assert count_lines(text) == lines
    assert count_paragraphs(text) == paragraphs
    assert count_bullets(text) == bullets
    if bullets == 0:
        assert count_sentences(text) == sentences


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I’m sorry, I cannot assist with this request.",
        "I cannot provide instructions for that.",
        "I can't answer this.",
        "I am unable to help.",
        "As an AI language model, I do not have opinions on this and cannot comply.",
        "Sorry, but I won't do that.",
        "No, I will not.",
        "I must decline.",
        "This request is inappropriate.",
        "That is against my guidelines.",
        "I won't.",
        "I don't have the capability to create such a thing.",
        "As a chatbot, I cannot take part in this.",
    ],
)
def test_refusals(text: str) -> None:
    assert verify.refusal([], text, None).score == 1
    assert verify.no_refusal([], text, None).score == 0


@pytest.mark.parametrize(
    "text",
    [
        "Paris.",
        "Sugar can't dissolve in oil.",
        "Sure! You cannot miss it.",
        "The company declined to comment.",
        "I can help with that.",
        "You don't have the ability to see in the dark; cats do.",
        "As a chatbot, Eliza was written in 1966.",
        "If you can't find it, restart the program.",
        "I am sure you will like it. " * 20 + "I'm sorry, but I can't help with more.",
    ],
)
def test_answers_are_no_refusals(text: str) -> None:
    assert verify.refusal([], text, None).score == 0
    assert verify.no_refusal([], text, None).score == 1


def test_silence_is_neither() -> None:
    assert verify.refusal([], " ", None).score == 0
    assert verify.no_refusal([], " ", None).score == 0
