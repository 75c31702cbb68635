"""The page that shows what the last check of the ledger found."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from queries.ledger_check import LedgerCheckView, read_ledger_check
from records.needs import LEDGER_PAGE
from web.site import TheSite

router = APIRouter()


@router.get(f"/api{LEDGER_PAGE}")
def ledger_check(site: TheSite) -> LedgerCheckView | None:
    """What the last check of the ledger found, and when; null where there was none yet."""
    return read_ledger_check(site.resources.database)


@router.get(LEDGER_PAGE, include_in_schema=False)
def ledger_page(request: Request, site: TheSite) -> Response:
    """What the last check of the ledger found."""
    return site.pages.show(
        request,
        "ledger.html",
        check=read_ledger_check(site.resources.database),
        every=site.resources.settings.ledger_check_hours,
    )
