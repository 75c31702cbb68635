"""Where the forms of pages are sent."""

from __future__ import annotations

from fastapi.routing import APIRoute

from web.app import PARTS

POSTED = sorted(
    {
        route.path
        for part in PARTS
        for route in part.router.routes
        if isinstance(route, APIRoute) and "POST" in (route.methods or ()) and not route.path.startswith("/api/")
    }
)
"""Every address to which a page's form is sent."""
