"""What two spellings of one title have in common."""

from __future__ import annotations

import unicodedata

__all__ = ["title_key"]


def title_key(title: str) -> str:
    """What two spellings of one title share: letters and digits, without case, accents, spaces and marks.

    Example:
        >>> title_key("Weak-to-Strong: a Pilot") == title_key("Weak to strong -- A pilot ")
        True
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", title) if not unicodedata.combining(c)).casefold()
    return "".join(c for c in plain if c.isalnum()) or " ".join(plain.split())
