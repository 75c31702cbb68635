"""What monitors ask: whether this process lives, whether the engine is in order, and the figures of it."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import PlainTextResponse, Response

from models.enums import Role
from models.errors import InvalidInput, NotAllowed
from starter.health import NAMES, Health
from starter.metrics import CONTENT_TYPE, exposition
from web.rights import LIVE_PATH, METRICS_PATH, READY_PATH
from web.site import Site, TheSite

router = APIRouter(include_in_schema=False)


@router.get(LIVE_PATH)
async def live() -> PlainTextResponse:
    """Say that this process answers; a process that does not is to be started again."""
    return PlainTextResponse("ok\n")


@router.get(READY_PATH)
async def ready(request: Request, site: TheSite, exclude: Annotated[tuple[str, ...], Query()] = ()) -> Response:
    """Say whether every part is in order (200), or not (503): to strangers in a word, to a monitor part by part.

    Raises:
        InvalidInput: ``exclude`` names no part.
    """
    if unknown := [name for name in exclude if name not in NAMES]:
        raise InvalidInput(
            f"There is no part called {unknown[0]!r}.", where="exclude", next_step=f"There are {', '.join(NAMES)}."
        )
    health = await site.health.look()
    in_order = health.is_ready(without=exclude)
    said = _lines(health, exclude) if _may_see(request, site) else ("ready" if in_order else "not ready")
    return PlainTextResponse(f"{said}\n", HTTPStatus.OK if in_order else HTTPStatus.SERVICE_UNAVAILABLE)


@router.get(METRICS_PATH)
async def metrics(request: Request, site: TheSite) -> Response:
    """Give the figures in Prometheus's text format.

    Raises:
        NotAllowed: neither a monitor's token nor an administrator asks.
    """
    if not _may_see(request, site):
        raise NotAllowed(
            "These figures are for an administrator, or for a monitor with its token.",
            next_step="Set DUENOTICE_METRICS__TOKEN, and send it as `Authorization: Bearer …`.",
        )
    return Response(exposition(await site.health.look()), media_type=CONTENT_TYPE)


def _may_see(request: Request, site: Site) -> bool:
    """Whether an administrator asks, or a monitor with the token that the settings name (RFC 6750, 2.1)."""
    session = request.state.session
    if session is not None and session.role is Role.ADMINISTRATOR:
        return True
    token = site.resources.settings.metrics.token
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    right = token.get_secret_value() if token else ""
    same = hmac.compare_digest(given.strip().encode(), right.encode())
    return bool(right) and scheme.lower() == "bearer" and same


def _lines(health: Health, exclude: Sequence[str]) -> str:
    return "\n".join(
        f"{'[+]' if check.ok else '[-]'} {check.name}{' (excluded)' if check.name in exclude else ''}: {check.says}"
        for check in health.checks
    )
