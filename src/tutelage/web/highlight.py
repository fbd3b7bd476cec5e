"""The words of a query, marked where they stand in a text."""

from __future__ import annotations

import re
from functools import lru_cache

from markupsafe import Markup

from tutelage.report.untrusted import visible

__all__ = ["highlight"]

_WORD = re.compile(r"\w+")
_WORDS = 24  # of a query that are marked
_STEM = 5  # letters that suffice for a longer word, so that "forgetting" marks "forgets"


def highlight(text: str, query: str) -> Markup:
    """``text`` escaped, with the words of ``query`` (and longer words that begin like them) in ``<mark>``.

    Args:
        text: from anywhere.
        query: what was searched for.

    Example:
        >>> highlight("Tuning <b>without</b> forgetting", "tune forget")
        Markup('Tuning &lt;b&gt;without&lt;/b&gt; <mark>forgetting</mark>')
    """
    shown = visible(text)
    pattern = _pattern(query)
    if pattern is None:
        return Markup("{}").format(shown)
    pieces, end = [], 0
    for match in pattern.finditer(shown):
        pieces += [Markup("{}").format(shown[end : match.start()]), Markup("<mark>{}</mark>").format(match[0])]
        end = match.end()
    return Markup("").join([*pieces, Markup("{}").format(shown[end:])])


@lru_cache(maxsize=64)
def _pattern(query: str) -> re.Pattern[str] | None:
    words = dict.fromkeys(word.casefold() for word in _WORD.findall(query) if len(word) > 1 or not word.isascii())
    starts = dict.fromkeys(word[:_STEM] if len(word) > _STEM + 1 else word for word in list(words)[:_WORDS])
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, starts))})\w*", re.IGNORECASE) if starts else None
