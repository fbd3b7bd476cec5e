"""LaTeX inside titles and abstracts as plain text."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["plain_text"]

_ACCENTS = {
    "`": "\u0300",
    "'": "\u0301",
    "^": "\u0302",
    "~": "\u0303",
    "=": "\u0304",
    "u": "\u0306",
    ".": "\u0307",
    '"': "\u0308",
    "r": "\u030a",
    "H": "\u030b",
    "v": "\u030c",
    "d": "\u0323",
    "c": "\u0327",
    "k": "\u0328",
}
_LETTERS = {
    "ss": "ß", "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "aa": "å",
    "AA": "Å", "i": "ı", "j": "ȷ", "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε",
    "lambda": "λ", "mu": "μ", "pi": "π", "sigma": "σ", "tau": "τ", "phi": "φ", "times": "×", "pm": "±", "leq": "≤",
    "geq": "≥", "approx": "≈", "sim": "∼", "infty": "∞", "textendash": "–", "textemdash": "—", "ldots": "…",
    "dots": "…", "textbackslash": "\\",
}  # fmt: skip
_DOTLESS = {"ı": "i", "ȷ": "j"}
_LETTER = re.compile(r"\\([A-Za-z]+)(?![A-Za-z])\s*(?:\{\})?")
_ACCENT = re.compile(r"\\([`'^~=.\"]|[uvHcdkr](?![A-Za-z]))\s*(?:\{\s*([^\W\d_])\s*\}|([^\W\d_]))")
_SYMBOL = re.compile(r"\\([&%$#_{} ,;])")


def plain_text(text: str) -> str:
    r"""LaTeX as it would be read: accents and letters by name, no braces, commands or mathematics signs.

    Example:
        >>> plain_text(r"{\'E}tude of {G}\"odel's $\alpha$ \textbf{rule} --- 5\% more")
        "Étude of Gödel's α rule — 5% more"
    """
    text = _LETTER.sub(_letter, text)
    text = _ACCENT.sub(_accent, text)
    text = _SYMBOL.sub(lambda found: {"{": "\x02", "}": "\x03", "$": "\x04"}.get(found[1], found[1]), text)
    text = text.replace("---", "—").replace("--", "–").replace("~", " ").replace("``", "“").replace("''", "”")
    text = re.sub(r"\\\\", " ", text)
    text = re.sub(r"[{}$]", "", text)
    return " ".join(text.replace("\x02", "{").replace("\x03", "}").replace("\x04", "$").split())


def _letter(found: re.Match[str]) -> str:
    name = found[1]
    if len(name) == 1 and name in _ACCENTS:
        return found[0]
    if name in _LETTERS:
        return _LETTERS[name]
    return "" if found[0].endswith("{}") else found[0][len(name) + 1 :]


def _accent(found: re.Match[str]) -> str:
    letter = found[2] or found[3]
    return unicodedata.normalize("NFC", _DOTLESS.get(letter, letter) + _ACCENTS[found[1]])
