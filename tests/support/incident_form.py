"""The incident form as people fill it in, and the pages that show what came of it."""

from __future__ import annotations

import html
from datetime import timedelta

import httpx

from starter.resources import utc_now
from tests.support.installation import Visitor, eventually

NOW = f"{utc_now():%Y-%m-%dT%H:%M}"
YESTERDAY = utc_now() - timedelta(days=1)


def incident(title: str, **changed: object) -> dict[str, object]:
    """A form filled in well and checked: two districts, discovered an hour after it occurred yesterday."""
    return {
        "act": "open",
        "checked": "yes",
        "title": title,
        "zone": "UTC",
        "occurred_kind": "instant",
        "occurred_at": f"{YESTERDAY:%Y-%m-%dT%H:%M}",
        "discovered_at": f"{YESTERDAY + timedelta(hours=1):%Y-%m-%dT%H:%M}",
        "description": "Rosters were exported by an account that should not have been able to.",
        "data_types": ["Student names", "Dates of birth"],
        "data_types_other": "Lunch balances\n",
        "chosen": "VA-001\nMO-001",
        "reporter_name": "Robin Example",
        "reporter_email": "robin@provider.example.org",
        "point_of_contact_name": "Privacy Office",
        "point_of_contact_email": "privacy@provider.example.org",
        **changed,
    }


async def report(officer: Visitor, values: dict[str, object]) -> httpx.Response:
    return await officer.send("/cases/new/breach", "/cases/new/breach", values)


async def shows(officer: Visitor, page: str, words: str) -> str:
    """The page's text, once it holds some words."""

    async def look() -> str | None:
        text = html.unescape((await officer.get(page)).text)
        return text if words in text else None

    return await eventually(look)


async def opened(officer: Visitor, title: str, **changed: object) -> str:
    """The address of a case that a report has opened."""
    location: str = (await report(officer, incident(title, **changed))).headers["location"]
    return location.split("?")[0]
