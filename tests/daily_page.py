"""A made Daily Papers page: the same papers as plain text, as the server's HTML in two layouts, and as its data."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html import escape


@dataclass(frozen=True)
class Paper:
    """What the page shows of a paper; ``date`` is the submission, ``markup`` the abstract as the page has it."""

    id: str
    title: str
    abstract: str
    date: str  # ISO
    shown: str  # as the page writes it
    authors: int
    comments: int = 0
    upvotes: int = 3
    markup: str = field(default="")

    @property
    def html(self) -> str:
        return self.markup or escape(self.abstract)


LISTED = "2026-06-10"
PAPERS = (
    Paper(
        "2605.00001",
        "Teaching Kites & Boats <Fast>: a Study of \u201cStrings\u201d",
        "Kites are hard to teach (p < 0.05 & more). We hold the string for them, and 12 authors watched it on May 3.",
        "2026-05-28",
        "May 28",
        5,
        upvotes=12,
    ),
    Paper(
        "2510.00002",
        "Boats: \u03b1-Floating \U0001f6a3",
        "Boats float because water is heavy; that it is so heavy was known, and we say it again with 3 figures.",
        "2025-10-10",
        "Oct 10, 2025",
        1,
        comments=2,
        markup="Boats <em>float</em> because <!-- -->water&nbsp;is <b>heavy</b>; that it is so heavy was known, and we "
        "say it again with 3&#160;figures.",
    ),
    Paper(
        "2402.12345",
        "Lanterns at Noon",
        "A lantern at noon is not seen, which we show in 1,024 streets with a lantern each and 7 without any of them.",
        "2024-02-29",
        "Feb 29, 2024",
        47,
        comments=1017,
        upvotes=1,
    ),
    Paper(
        "1705.08741",
        "Slow Clocks Are Right Less Often Than Stopped Ones",
        "A stopped clock is right twice a day; a slow one, over the years that we could fund, was right only once.",
        "2017-05-24",
        "May 24, 2017",
        3,
        upvotes=0,
    ),
    Paper(
        "2606.00009",
        "Listed Without Authors",
        "This paper has no line of authors on the page although its day is there, and it must not take another's.",
        "2026-06-01",
        "Jun 1",
        0,
    ),
    Paper(
        "2604.10101",
        "The Last of the Page",
        "It follows the others, and whoever scrolls down far enough sees it, because the page loads it only then.",
        "2026-04-30",
        "Apr 30",
        2,
        comments=1,
    ),
)


def as_text(papers: tuple[Paper, ...] = PAPERS) -> str:
    """The page as a browser saves it as text."""
    cards = []
    for one in papers:
        authors = f"  \u2022 {one.authors} authors\n" if one.authors else ""
        number = f" {one.comments}" if one.comments else ""
        cards.append(f"{one.title}\n\n{one.abstract}\n\n{authors}\u00b7\n{one.shown}{number}\n")
    return "new\n\nSubscribe\n\nDaily Papers\n\nbyAK and the research community\n\nJun 10\n\n" + "\n".join(cards)


def as_data(papers: tuple[Paper, ...] = PAPERS) -> str:
    """The papers as the page carries them in an attribute, for its scripts."""
    rows = [
        {
            "paper": {
                "id": one.id,
                "authors": [{"_id": f"{n:x}", "name": f"Author {n}", "hidden": False} for n in range(one.authors)],
                "publishedAt": f"{one.date}T00:00:00.000Z",
                "submittedOnDailyAt": f"{LISTED}T11:22:33.000Z",
                "title": one.title,
                "summary": one.abstract.replace(", ", ",\n", 1),
                "upvotes": one.upvotes,
                "ai_summary": "A made-up summary.",
            },
            "publishedAt": f"{one.date}T02:00:00.000Z",
            "title": one.title,
            "thumbnail": f"https://thumbnails.example/{one.id}.png",
            "numComments": one.comments,
            "isAuthorParticipating": False,
        }
        for one in papers
    ]
    return json.dumps({"periodType": "day", "dateString": LISTED, "dailyPapers": rows, "isLoggedIn": False})


_CARD = """
<article class="relative flex flex-col overflow-hidden rounded-xl border"><a href="/papers/{id}{query}" class="peer">
<img src="/thumbnails/{id}.png" loading="lazy" alt="" class="h-full"></a>
<div class="absolute">Submitted by <img alt="" src="/avatars/{id}.png" loading="lazy"> someone</div>
<div class="flex"><a rel="nofollow" href="/login?next=%2Fpapers%2F{id}"><div class="shadow">
<input type="checkbox" disabled class="peer hidden"> <svg><title>upvote</title><path d="M0 0"/></svg>
<div class="leading-none">{upvotes}</div></div></a>
<div class="w-full"><h3 class="mb-1"><a href="/papers/{id}{query}" class="line-clamp-3">{title}</a></h3>
<p class="line-clamp-2">{abstract}</p>
<div class="flex"><a href="/papers/{id}{query}" class="flex"><ul><li title="A"><img alt="" src="/a.png"></li>
{authors}</ul></a>{dot}{day}<a href="/papers/{id}{query}#community" class="ml-2"><svg><path d="M0 0"/></svg>
{comments}</a></div></div></div></article>
"""
_PAGE = """<!doctype html>
<html class="" lang="en">
	<head>
		<meta charset="utf-8">
		<meta name="viewport" content="width=device-width">
		<title>Daily Papers</title>
		<link rel="stylesheet" href="/style.css">
		<script>window.setup = {{"article": "<article><h3>Not a paper</h3></article>"}};</script>
	</head>
	<body class="flex flex-col">
		<div class="SVELTE_HYDRATER contents" data-target="MainHeader" data-props="{{&quot;papers&quot;: 3}}"><header>
		<h2><a href="/papers">Papers</a></h2></header></div>
		<main class="flex"><div class="SVELTE_HYDRATER contents" data-target="DailyPapers"{props}><section>
		<header><h1>Daily Papers</h1><h2>by<a href="/ak">AK</a> and the research community</h2>{listed}</header>
		<div class="relative grid"><!--[-->{cards}<!--]--></div></section></div></main>
		<footer><a href="/tos">TOS</a><button>System theme</button><time datetime="2020-01-01">2020</time></footer>
		<script>{script}</script>
	</body>
</html>
"""
_SCROLLED = "document.querySelector('.grid').insertAdjacentHTML('beforeend', {cards});"
_HYDRATED = """document.querySelectorAll('article').forEach(function (one) {
one.setAttribute('data-seen', '1'); one.insertBefore(document.createComment(''), one.firstChild);
one.querySelectorAll('time').forEach(function (day) { day.textContent = day.textContent.trim(); }); });"""


def card(one: Paper, dated: bool = True, query: str = "") -> str:
    """A paper as the page shows it; the day as a ``time`` element or, not ``dated``, as text alone."""
    day = one.shown.replace(" ", "&nbsp;")
    return _CARD.format(
        id=one.id,
        query=escape(query),
        title=escape(one.title),
        abstract=one.html,
        upvotes=one.upvotes or "-",
        authors=f'<li class="ml-1"><span>\u00b7 </span><span>{one.authors:,}&nbsp;authors</span></li>'
        * bool(one.authors),
        dot='<span class="mx-1">\u00b7</span>',
        day=f'<time datetime="{one.date}T00:00:00.000Z">\n{day}</time>' if dated else f"<span>{day}</span>",
        comments=f"{one.comments:,}" if one.comments else "",
    )


def as_html(data: bool = True, dated: bool = True, query: str = "", scrolled: bool = False) -> str:
    """The page as the server sends it.

    Args:
        data: with the papers in an attribute as well.
        dated: days as ``time`` elements, the listing's too.
        query: what follows the path of every link.
        scrolled: the last paper comes by script only, and is not in the data.
    """
    first = PAPERS[:-1] if scrolled else PAPERS
    late = json.dumps(card(PAPERS[-1], dated, query)).replace("</", "<\\/") if scrolled else ""
    listed = f'<time datetime="{LISTED}T00:00:00.000Z">Jun 10</time>' if dated else "<div>Jun&nbsp;10</div>"
    return _PAGE.format(
        props=f' data-props="{escape(as_data(first), quote=True)}"' if data else "",
        listed=listed,
        cards="".join(card(one, dated, query) for one in first),
        script=(_SCROLLED.format(cards=late) if scrolled else "") + _HYDRATED,
    )
