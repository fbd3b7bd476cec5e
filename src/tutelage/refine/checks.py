"""Is a rewrite usable: what must stay is there, nothing was added, and it talks about the matter only."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from tutelage.refine.calls import Said
from tutelage.refine.case import Case, asked, is_terse, words
from tutelage.refine.prompts import EXAMPLE_WORDS
from tutelage.refine.similarity import Similarity
from tutelage.refine.stages import Check
from tutelage.refine.talk import meta_talk
from tutelage.verify import entities_preserved

__all__ = ["cleaned", "find_value", "is_sane_length", "validate", "what_is_lost"]

_NEGATION = re.compile(r"\b(?:not|no|never|none|neither|nor|without|cannot)\b|n['’]t\b", re.IGNORECASE)
_QUOTED = re.compile(r"(?<!\w)(['\"‘“])(?=\S)(.{1,80}?)(?<=\S)(?:['\"’”])(?!\w)")


def cleaned(text: str) -> str:
    """The text without the space and the pair of quotes that models put around a whole answer."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == '"' and '"' not in text[1:-1]:
        text = text[1:-1].strip()
    return text


def find_value(value: str, text: str) -> tuple[int, int] | None:
    """Where ``value`` stands in ``text`` as whole words, case and spacing apart; None if it does not.

    ``5`` does not stand in ``50``, ``1.5``, ``-5`` or ``5.2``, nor ``negative`` in ``non-negative``. A single letter
    (a choice) must have its case and not be a sentence's first word, where ``A`` is an article.
    """
    value = value.strip().rstrip(".").strip()
    if not value:
        return None
    body = r"\s+".join(re.escape(part) for part in unicodedata.normalize("NFC", value).split())
    pattern = rf"(?<![\w\-−])(?<!\d[.,]){body}(?![\w]|[.,]\d|-\w)"
    letter = len(value) == 1 and value.isalpha()
    for found in re.finditer(pattern, text, re.NOFLAG if letter else re.IGNORECASE):
        if not letter or not re.match(r"(?:^|.*[.!?]\s+)$", text[: found.start()], re.DOTALL):
            return found.span()
    return None


def _says(value: str, text: str) -> bool:
    return find_value(value, text) is not None


def is_sane_length(case: Case) -> bool:
    """At most four times the reference's words plus 40, and no word five times in a row."""
    said = [word.casefold() for word in words(case.text)]
    if not said or len(said) > 4 * len(words(case.reference)) + 40:
        return False
    return not any(len(set(said[i : i + 5])) == 1 for i in range(len(said) - 4))


def what_is_lost(case: Case, terse_words: int) -> Check:
    """The strict part: value, numbers, names, negation and quoted words, whatever the cosine says."""
    known = f"{case.question} {case.reference}"
    if is_terse(case.reference, terse_words) and not _says(case.reference, case.text):
        return Check(False, "value_missing", f"{case.reference!r} is not in it")
    for choice in case.choices:
        if choice != case.reference and _says(choice, case.text) and not _says(choice, asked(case.question)):
            return Check(False, "other_choice", f"it speaks of {choice!r} too")
    lost = entities_preserved(case.reference, case.text).missing
    if lost:
        return Check(False, "entity_missing", f"not in it: {', '.join(entity.text for entity in lost[:5])}")
    new = [entity.text for entity in entities_preserved(case.text, known).missing if entity.kind != "answer"]
    if new:
        return Check(False, "entity_added", f"stands nowhere: {', '.join(new[:5])}")
    if (_NEGATION.search(case.text) is None) != (_NEGATION.search(case.reference) is None) and (
        _NEGATION.search(case.question) is None
    ):
        return Check(False, "negation", "a negation was added or lost")
    for quoted in _QUOTED.finditer(case.text):
        if not _says(quoted.group(2).strip(",. "), known):
            return Check(False, "new_quote", f"it quotes {quoted.group(2)!r}, which stands nowhere")
    for mark in EXAMPLE_WORDS:
        if _says(mark, case.text) and not _says(mark, known):
            return Check(False, "example_copied", f"{mark!r} is from the prompt's example")
    return Check(True)


def _form(case: Case, said: Said | None) -> Check:
    if not case.text:
        return Check(False, "empty", "nothing was said")
    if said is not None and said.finish == "length":
        return Check(False, "cut_off", f"cut off after {said.tokens} tokens")
    meta = meta_talk(case)
    if meta is not None:
        return Check(False, "meta_talk", f"it says {meta!r}")
    return Check(True) if is_sane_length(case) else Check(False, "length", f"{len(words(case.text))} words")


def validate(
    cases: Sequence[Case], said: Sequence[Said | None], *, terse_words: int, similarity: Similarity | None, tau: float
) -> list[Check]:
    """One check per case: form first, then what must stay, then (with ``similarity``) the cosine against ``tau``.

    The cosine is computed and recorded for every non-empty text, also for those that fail before it.
    """
    filled = [case for case in cases if case.text]
    cosines = dict(zip(filled, similarity(filled), strict=True)) if similarity is not None else {}
    checks = []
    for case, one in zip(cases, said, strict=True):
        check = _form(case, one)
        if check.ok:
            check = what_is_lost(case, terse_words)
        cosine = cosines.get(case)
        if check.ok and cosine is not None and cosine < tau:
            check = Check(False, "similarity", f"cosine {cosine:.2f} is below {tau:g}")
        checks.append(Check(check.ok, check.reason, check.detail, cosine))
    return checks
