"""The evidence of a case as a bundle: a ZIP file that whoever gets it checks without us."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from ledger.bundle import Scope
from models.identifiers import case_reference
from starter.evidence import export_bundle
from starter.resources import utc_now
from web.site import OWN_FORM, SignedIn, TheSite

router = APIRouter(include_in_schema=False)


@router.post("/cases/{case_id}/evidence.zip", dependencies=[OWN_FORM])
def export(site: TheSite, session: SignedIn, case_id: UUID) -> Response:
    """Make a bundle of a case's evidence, and send it; letters are without the links on which their readers answer.

    It is written to a private folder first, since its statement names all of it, and removed once it was sent.
    """
    folder = Path(tempfile.mkdtemp(prefix="duenotice-bundle-"))
    name = f"evidence-{case_reference(case_id)}.zip"
    resources = site.resources
    try:
        export_bundle(
            resources.database,
            resources.settings,
            Scope(case_id),
            folder / name,
            actor=session.actor,
            now=utc_now(),
            as_sent=False,
            watch=_unwatched,
        )
    except BaseException:
        shutil.rmtree(folder)
        raise
    return FileResponse(
        folder / name, media_type="application/zip", filename=name, background=BackgroundTask(shutil.rmtree, folder)
    )


def _unwatched(things: Iterable[Any], _: str, __: int) -> Iterable[Any]:
    return things
