"""The page inside a MIME archive (``.mhtml``), as browsers save one with all that belongs to it."""

from __future__ import annotations

import email
import email.policy
from dataclasses import replace
from datetime import UTC, date
from email.message import EmailMessage
from email.utils import parsedate_to_datetime

from tutelage.papers.importing.source import Source

__all__ = ["unpack_archive"]


def unpack_archive(source: Source) -> Source | None:
    """The first page of an archive as a source of its own, in UTF-8; None when there is none.

    Its lines are those of the archive in errors, and it counts as seen on the day that the archive names.
    """
    message = email.message_from_bytes(source.data, policy=email.policy.default)
    for part in message.walk():
        if part.get_content_type() == "text/html":
            content = part.get_payload(decode=True)
            if isinstance(content, bytes):
                lines = _lines(source.data, part)
                return replace(source, data=_utf8(content, part), seen=_day(message, source.seen), lines=lines)
    return None


def _utf8(content: bytes, part: EmailMessage) -> bytes:
    """Browsers save in UTF-8, and some say so; another encoding counts when it is named and fits."""
    try:
        return content.decode(part.get_content_charset() or "utf-8").encode()
    except (LookupError, UnicodeError):
        return content


def _day(message: EmailMessage, seen: date) -> date:
    try:
        return min(seen, parsedate_to_datetime(str(message["Date"])).astimezone(UTC).date())
    except (TypeError, ValueError, OverflowError):
        return seen


def _lines(data: bytes, part: EmailMessage) -> tuple[int, ...]:
    """For every line of the page the line of the archive that it begins on."""
    raw = str(part.get_payload()).encode("utf-8", "surrogateescape")
    at = data.find(raw)
    first = data.count(b"\n", 0, max(at, 0)) + 1
    quoted = str(part["Content-Transfer-Encoding"] or "").strip().lower() == "quoted-printable"
    found = [first]
    for number, line in enumerate(raw.split(b"\n"), first):
        if quoted:
            found += [number] * line.count(b"=0A")
        if not (quoted and line.rstrip().endswith(b"=")):
            found.append(number + 1)
    return tuple(found)
