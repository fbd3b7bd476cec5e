"""The newest or best-matching papers as a mail: text and HTML, nothing remote in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from pathlib import Path
from textwrap import fill, indent

from markupsafe import Markup

from tutelage.errors import ConfigError, TutelageError
from tutelage.io import write_bytes
from tutelage.papers.library import Filters, Library, Record
from tutelage.report.untrusted import one_line

__all__ = ["Digest", "Item", "compose", "mail", "parse_since", "write_mail"]

_SUMMARY = 600
_AGO = re.compile(r"(\d{1,5})\s*([dw])")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Item:
    """One paper of a digest, with what is said of it."""

    record: Record
    summary: str
    family: str
    status: str


@dataclass(frozen=True, slots=True)
class Digest:
    """Papers for a mail.

    Args:
        since: the first day, ISO, or empty.
        query: what was searched for, or empty.
        items: the papers, best or newest first.
        note: how it was searched, where that matters.
    """

    since: str
    query: str
    items: tuple[Item, ...]
    note: str = ""

    @property
    def subject(self) -> str:
        """Subject of the mail, on one line."""
        about = f" on {one_line(self.query, 60)!r}" if self.query else ""
        since = f" since {self.since}" if self.since else ""
        return f"{len(self.items)} paper{'' if len(self.items) == 1 else 's'}{about}{since}"


def parse_since(text: str, today: date | None = None) -> str:
    """A day as ISO, from an ISO date, or from ``7d`` or ``2w`` ago.

    Args:
        text: what was written.
        today: counted back from; default: today.

    Raises:
        ConfigError: it is neither.

    Example:
        >>> parse_since("2w", date(2026, 6, 15))
        '2026-06-01'
    """
    found = _AGO.fullmatch(text.strip().lower())
    try:
        if found:
            days = int(found[1]) * (7 if found[2] == "w" else 1)
            return ((today or datetime.now(tz=UTC).date()) - timedelta(days=days)).isoformat()
        return date.fromisoformat(text.strip()).isoformat()
    except (ValueError, OverflowError):
        raise ConfigError(f"{text[:40]!r} is not a day", where="--since", hint="write 2026-06-10, 7d or 2w") from None


def compose(
    library: Library, since: str = "", query: str = "", filters: Filters | None = None, limit: int = 20
) -> Digest:
    """The papers of a digest: those that fit the query best, or the newest.

    Args:
        library: where to look.
        since: first day, ISO; empty leaves it to the filters.
        query: words to search for; empty takes the newest.
        filters: which papers count.
        limit: how many at most.
    """
    chosen = filters or Filters()
    if since:
        chosen = replace(chosen, since=max(since, chosen.since or since))
    note = ""
    if query.strip():
        found = library.search(query, chosen, limit=limit)
        records, note = [hit.record for hit in found.hits], found.note
    else:
        records = list(library.newest(limit, 0, chosen))
    items = tuple(
        Item(record, _summary(record), library.family(record.slug), library.status(record.slug)) for record in records
    )
    return Digest(chosen.since or "", query.strip(), items, note)


def mail(digest: Digest, sender: str, recipients: Sequence[str]) -> EmailMessage:
    """The digest as a mail with a text and an HTML part; no header can be smuggled in by any text.

    Args:
        digest: what to say.
        sender: a plain address.
        recipients: plain addresses, at least one.

    Raises:
        ConfigError: an address that is none.
    """
    if not recipients:
        raise ConfigError("the mail has no recipient", hint="name one with --mail-to")
    message = EmailMessage(policy=SMTP)
    message["Subject"] = digest.subject
    message["From"] = _address(sender, "--mail-from")
    message["To"] = ", ".join(_address(one, "--mail-to") for one in recipients)
    message["Date"] = format_datetime(datetime.now(tz=UTC))
    message["Message-ID"] = make_msgid(domain="tutelage.invalid")
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(as_text(digest), cte="quoted-printable")
    message.add_alternative(as_html(digest), subtype="html", cte="quoted-printable")
    return message


def write_mail(message: EmailMessage, path: Path) -> None:
    """Write a mail to a file, as mail programs read it.

    Raises:
        StoreError: it cannot be written.
    """
    write_bytes(path, message.as_bytes())


def as_text(digest: Digest) -> str:
    """The digest as plain text, in lines of at most 76 characters."""
    lines = [digest.subject, "=" * min(76, len(digest.subject)), ""]
    if digest.note:
        lines += [fill(digest.note, 76), ""]
    for number, item in enumerate(digest.items, 1):
        lines.append(fill(one_line(f"{number}. {item.record.title}", 600), 76, subsequent_indent="   "))
        lines.append(f"   {_facts(item)}")
        if item.summary:
            lines.append(indent(fill(one_line(item.summary, _SUMMARY), 72), "   "))
        if _link(item.record):
            lines.append(f"   {_link(item.record)}")
        lines.append("")
    return "\n".join(lines)


_PAGE = Markup(
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    '<meta name="color-scheme" content="light dark"><title>{title}</title></head>\n'
    '<body style="font-family: sans-serif; line-height: 1.5; max-width: 40em; margin: 1em auto; padding: 0 1em">\n'
    '<h1 style="font-size: 1.3em">{title}</h1>\n{note}{items}</body></html>\n'
)
_ITEM = Markup(
    '<h2 style="font-size: 1.05em; margin-bottom: 0">{title}</h2>\n<p style="margin: 0">{facts}</p>\n{summary}'
)
_PARAGRAPH = Markup("<p>{}</p>\n")
_ANCHOR = Markup('<a href="{}">{}</a>')


def as_html(digest: Digest) -> str:
    """The digest as a page without scripts, images or anything that would be fetched."""
    items = Markup("")
    for item in digest.items:
        title, link = one_line(item.record.title, 600), _link(item.record)
        items += _ITEM.format(
            title=_ANCHOR.format(link, title) if link else title,
            facts=_facts(item),
            summary=_PARAGRAPH.format(one_line(item.summary, _SUMMARY)) if item.summary else "",
        )
    note = _PARAGRAPH.format(digest.note) if digest.note else ""
    return str(_PAGE.format(title=digest.subject, note=note, items=items))


def _facts(item: Item) -> str:
    record = item.record
    authors = f"{record.authors} author{'' if record.authors == 1 else 's'}" if record.authors else ""
    return ", ".join(part for part in (record.date, authors, item.family, item.status) if part)


def _link(record: Record) -> str:
    return record.url if re.fullmatch(r"https?://[!#-;=?-~]+", record.url) else ""


def _summary(record: Record) -> str:
    """Our own words for a catalogued paper, else its abstract."""
    if record.slug is not None:
        from tutelage.papers.catalogue import entry

        try:
            return entry(record.slug).summary
        except TutelageError:  # an entry of another catalogue
            return record.abstract
    return record.abstract


def _address(text: str, where: str) -> str:
    if not _ADDRESS.fullmatch(text):
        raise ConfigError(f"{one_line(text, 80)!r} is not a mail address", where=where, hint="name@example.org")
    return text
