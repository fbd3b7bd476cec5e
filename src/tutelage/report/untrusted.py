"""What a model said, made fit to be shown: nothing in it may act, hide, or reach beyond its box.

Escaping for HTML is the template's, for Markdown the card's; here characters are made visible that would steer a
terminal, turn the direction of the text around it, or carry hidden words.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["cut", "one_line", "visible"]

_FORMATTING = re.compile(
    "[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_MARKS = 4  # combining marks kept on one character


def visible(text: str) -> str:
    """``text`` with every control and invisible formatting character shown as a symbol; line breaks and tabs stay.

    C0 controls become their control pictures (U+2400 and on), C1 controls and invisible formatting (directional
    overrides, zero-width characters, tag characters) their code point in brackets, lone surrogates U+FFFD. Joiners
    that scripts need (U+200C, U+200D) stay. Of more than four combining marks in a row the rest are dropped.

    Args:
        text: anything.

    Source: own derivation; the directional characters are those of Unicode Standard Annex 9.

    Example:
        >>> visible("a\\x1b[31mb\\u202ec")
        'a\u241b[31mb\u27e6U+202E\u27e7c'
    """
    text = text.replace("\r\n", "\n")
    text = _SURROGATE.sub("\ufffd", text)
    text = _CONTROL.sub(_picture, text)
    text = _FORMATTING.sub(_code, text)
    return _unstacked(text)


def one_line(text: str, limit: int = 200) -> str:
    """``text`` on one line, at most ``limit`` characters, with an ellipsis where it was cut.

    Example:
        >>> one_line("two\\n lines"), one_line("abcdef", 4)
        ('two lines', 'abc\u2026')
    """
    line = " ".join(visible(text[: 4 * limit + 4]).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}\u2026"


def cut(text: str, limit: int) -> tuple[str, int]:
    """The first ``limit`` characters of ``text`` and how many are left out.

    Example:
        >>> cut("abcdef", 4)
        ('abcd', 2)
    """
    return text[:limit], max(0, len(text) - limit)


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else _code(match)


def _code(match: re.Match[str]) -> str:
    return f"\u27e6U+{ord(match[0]):04X}\u27e7"


def _unstacked(text: str) -> str:
    if text.isascii():
        return text
    kept, marks = [], 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= _MARKS:
            kept.append(character)
    return "".join(kept)
