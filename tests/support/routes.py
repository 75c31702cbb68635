"""Every route of the site."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi.routing import APIRoute

from cases.kinds import KINDS
from web.api import openings
from web.app import PARTS


def _routes() -> Iterator[tuple[str, str]]:
    for router in [*(part.router for part in PARTS), openings(KINDS.values())]:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            yield from ((method, route.path) for method in route.methods or ())


ROUTES = sorted(set(_routes()))
"""Each method and path of the site's own routes."""
