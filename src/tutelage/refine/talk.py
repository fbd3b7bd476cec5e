"""Talk that has no place in an answer: about answering, refusing or rewriting, or to whoever grades it."""

from __future__ import annotations

import re

from tutelage.refine.case import Case
from tutelage.verify import refusal_phrase

__all__ = ["addresses_judge", "meta_talk"]

_SOURCE = "(?:reference|answer|information|context)"
_META = re.compile(
    "|".join(
        (
            rf"\b(?:as|according to|based on|from|in) (?:the|this|your) (?:given |provided |correct )?{_SOURCE}\b",
            r"\b(?:reference|original|provided|given|well-worded|correct) answer\b",
            r"\bas an? (?:\w+[- ]){0,4}(?:ai|language model|chatbot|assistant)\b",
            r"\bI(?:['’]| a)m (?:just )?an? (?:ai|chatbot)\b",
            r"\bI(?:['’]| a)m (?:very )?sorry\b",
            r"^(?:sure|certainly|of course|okay)\b[,!.]",
            r"\bhere(?:['’]s| is| are) (?:the|a|my) (?:re\w+|answer|statement)\b",
            r"\bin (?:my|your) own words\b",
            r"\brewrit(?:e|ten|ing)\b",
        )
    ),
    re.IGNORECASE,
)
_GRADE = r"(?:score|grade|rate|rating|mark)s?"
_TO_JUDGE = re.compile(
    "|".join(
        (
            r"\b(?:ignore|disregard|forget) (?:\w+ ){0,3}(?:instruction|rule|prompt|reference|above|previous)",
            rf"\b{_GRADE}\b\W{{0,3}}(?:this|it|the text|me|should|must|is|of|:|=)\W{{0,3}}(?:\w+ ){{0,4}}\d",
            r"\b(?:give|award|assign|output|reply|respond|return|print|say)\b (?:\w+ ){0,6}"
            r"(?:10|ten|1\.0|full marks|highest|maximum)\b",
            r"\b\d+\s*/\s*10\b",
            r"<\|\w+\|>|\[/?INST\]",
        )
    ),
    re.IGNORECASE,
)


def meta_talk(case: Case) -> str | None:
    """Talk about answering, refusing or rewriting that is in neither question nor reference."""
    said = _first(_META, case)
    if said is None and refusal_phrase(case.reference) is None:
        said = refusal_phrase(case.text)
    return said


def addresses_judge(case: Case) -> str | None:
    """Words to whoever grades the text, unless question or reference say them too."""
    return _first(_TO_JUDGE, case)


def _first(pattern: re.Pattern[str], case: Case) -> str | None:
    known = f"{case.question}\n{case.reference}".casefold()
    return next((m.group() for m in pattern.finditer(case.text) if m.group().casefold() not in known), None)
