"""Files that are handed to an LEA: an officer uploads one on its case's page, and whoever has its link fetches it.

Looking changes nothing and hands out no file, since mail programs and gateways look at every link that they see;
fetching is a form that somebody sends.
"""

from __future__ import annotations

import asyncio
from functools import partial
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from mail.handed_over import HANDED_FOLDER
from mail.holder_links import digest_of
from models.errors import DuenoticeError, InvalidInput, NotFound
from records.handed_over import (
    FILE_READER,
    FileMail,
    LinkedFile,
    fetch_handed_over,
    hand_over,
    note_file_mail,
    read_linked_file,
    renew_link,
    revoke_link,
)
from starter.link_mails import mail_link
from web.cases import show_refusal
from web.files import attachment, files_of
from web.site import OWN_FORM, CheckedForm, SignedIn, Site, TheSite, id_of, text_of
from web.strangers import address_of
from web.told import back_to

router = APIRouter(include_in_schema=False)

CASE_FOLDER = "/cases/{case_id}/handed-over"


@router.post(CASE_FOLDER)
async def hand_over_file(
    request: Request, site: TheSite, session: SignedIn, case_id: UUID, form: CheckedForm
) -> Response:
    """Keep a file for the LEA, and mail its contact a link."""
    resources, now = site.resources, site.clock()
    try:
        files = await files_of(form, "file")
        if len(files) != 1:
            raise InvalidInput("No file is chosen.", where="file", next_step="Choose the one that is meant.")
        mail = await asyncio.to_thread(
            hand_over,
            resources.database,
            site.notice_writer,
            case_id,
            files[0],
            id_of(text_of(form, "contact")),
            days=resources.settings.defaults.handed_over_days,
            actor=session.actor,
            now=now,
        )
        await site.to_the_end(_send(site, mail, session.actor, "The file is kept"))
    except DuenoticeError as error:
        return await show_refusal(request, site, case_id, error)
    return back_to(case_id, "handed-over")


@router.post(f"{CASE_FOLDER}/{{handed_id}}/link", dependencies=[OWN_FORM])
async def new_link(request: Request, site: TheSite, session: SignedIn, case_id: UUID, handed_id: UUID) -> Response:
    """Give a file a new link, and mail it; an earlier one opens nothing any more."""
    try:
        mail = await asyncio.to_thread(
            renew_link, site.resources.database, site.notice_writer, case_id, handed_id, now=site.clock()
        )
        await site.to_the_end(_send(site, mail, session.actor, "The old link opens nothing any more"))
    except DuenoticeError as error:
        return await show_refusal(request, site, case_id, error)
    return back_to(case_id, "file-link")


@router.post(f"{CASE_FOLDER}/{{handed_id}}/revoke")
async def revoke(
    request: Request, site: TheSite, session: SignedIn, case_id: UUID, handed_id: UUID, form: CheckedForm
) -> Response:
    """Take the link of a file back."""
    database, reason = site.resources.database, text_of(form, "reason")
    try:
        await asyncio.to_thread(
            revoke_link, database, case_id, handed_id, reason, actor=session.actor, now=site.clock()
        )
    except DuenoticeError as error:
        return await show_refusal(request, site, case_id, error)
    return back_to(case_id, "file-revoked")


async def _send(site: Site, mail: FileMail, actor: str, before: str) -> None:
    resources, now = site.resources, site.clock()
    note = partial(note_file_mail, resources.database, mail, actor=actor, now=now)
    await mail_link(
        resources.database,
        resources.settings,
        resources.keyring,
        mail.mail,
        note,
        now,
        before=before,
        what="its link was",
    )


@router.get(f"{HANDED_FOLDER}{{token}}")
def file_page(request: Request, site: TheSite, token: str) -> Response:
    """What a file is, for whom, and until when; the form that fetches it."""
    return site.pages.show(
        request,
        "handed_over.html",
        status=HTTPStatus.OK,
        file=_linked(request, site, token),
        contact=site.resources.settings.organisation.contact,
    )


@router.post(f"{HANDED_FOLDER}{{token}}")
def fetch_file(request: Request, site: TheSite, token: str) -> Response:
    """The file, with evidence that it was fetched."""
    _linked(request, site, token)
    session = request.state.session
    return attachment(
        fetch_handed_over(
            site.resources.database,
            digest_of(token),
            actor=session.actor if session else FILE_READER,
            now=site.clock(),
        )
    )


def _linked(request: Request, site: Site, token: str) -> LinkedFile:
    """What a token leads to; whoever comes with ever other ones that lead nowhere is refused for a while."""
    try:
        return read_linked_file(site.resources.database, digest_of(token), site.clock())
    except NotFound:
        site.quotas.refused_files.check(address_of(request))
        raise
