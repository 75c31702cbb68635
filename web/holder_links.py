"""The page behind the link of a holder of data: what it is asked, and the forms in which it answers.

No account is needed. Looking changes nothing, since mail programs and gateways look at every link that they see.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from cases.certificate import ANSWERS, HolderSays, parse_answer
from cases.fields import FormField, Shape, fields_of
from mail.holder_links import HOLDER_FOLDER, digest_of
from models.enums import HolderAnswerKind
from models.errors import InvalidFields, InvalidInput, NotFound
from records.holder_links import HOLDER, GivenByHolder, LinkedTask, give_holder_answer, read_linked_task
from records.uploads import UploadedFile
from web.failures import status_of
from web.files import files_of
from web.inputs import read_text
from web.site import Site, TheSite, text_of

router = APIRouter(prefix=HOLDER_FOLDER.rstrip("/"), include_in_schema=False)

FILES = "files"
"""The field of the files that go with an answer."""

MOST_FILES = 10

WORDS = {
    HolderAnswerKind.CERTIFICATE: "We disposed of it: give the certificate",
    HolderAnswerKind.HOLDS_NOTHING: "We hold none of it",
    HolderAnswerKind.MORE_TIME: "We need more time",
    HolderAnswerKind.DECLINED: "We will not dispose of it",
}
"""What each answer is called for whoever gives it."""


@dataclass(frozen=True)
class Typed:
    """What was typed into the form of one answer and refused."""

    kind: HolderAnswerKind | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    error: InvalidFields | None = None


@router.get("/{token}")
def holder_page(request: Request, site: TheSite, token: str) -> Response:
    """What a holder of data is asked, by whom and until when, and the forms to answer."""
    return _show(request, site, _read(site, token))


@router.post("/{token}")
async def answer(request: Request, site: TheSite, token: str) -> Response:
    """Keep an answer; what is wrong shows its form again, with what was typed."""
    task = await asyncio.to_thread(_read, site, token)
    form = await request.form()
    kind = next((known for known in ANSWERS if known.value == text_of(form, "kind")), None)
    if kind is None:
        raise NotFound("There is no such answer.", next_step="Go back, and use one of the page's forms.")
    try:
        given = await _given(form, kind, task, site)
    except InvalidFields as error:
        typed = Typed(kind, {one.name: text_of(form, one.name) for one in fields_of(ANSWERS[kind])}, error)
        return await asyncio.to_thread(_show, request, site, task, typed)
    case_id = await asyncio.to_thread(
        give_holder_answer,
        site.resources.database,
        digest_of(token),
        given,
        asked_by=site.resources.settings.organisation.name,
        actor=_actor(request),
        now=site.clock(),
    )
    await site.service.look_again(case_id)
    return RedirectResponse(f"{HOLDER_FOLDER}{token}?done={kind.value}", HTTPStatus.SEE_OTHER)


def _read(site: Site, token: str) -> LinkedTask:
    return read_linked_task(site.resources.database, digest_of(token), site.clock())


async def _given(form: FormData, kind: HolderAnswerKind, task: LinkedTask, site: Site) -> GivenByHolder:
    """The answer that a form gives, with its files.

    Raises:
        InvalidFields: with everything that is wrong at once.
    """
    of, problems = ANSWERS[kind], []
    values: dict[str, object] = {}
    for one in fields_of(of):
        try:
            values[one.name] = read_text(one, text_of(form, one.name), task.time_zone)
        except InvalidInput as problem:
            problems.append(problem)
    files: tuple[UploadedFile, ...] = ()
    try:
        files = await files_of(form, FILES)
        if len(files) > MOST_FILES:
            raise InvalidInput(f"These are more than {MOST_FILES} files.", where=FILES, next_step="Put some together.")
    except InvalidInput as problem:
        problems.append(problem)
    says: HolderSays | None = None
    try:
        given = {name: value for name, value in values.items() if value is not None}
        says = parse_answer(of, given, task.asked_on, site.clock())
    except InvalidFields as error:
        unread = {problem.where for problem in problems}
        problems += [problem for problem in error.problems if problem.where not in unread]
    if problems or says is None:
        raise InvalidFields(tuple(problems))
    return GivenByHolder(kind, says, files)


def _actor(request: Request) -> str:
    """Who answers, as evidence names them: an officer who is signed in does not pass for the holder."""
    session = request.state.session
    return session.actor if session else HOLDER


def _show(request: Request, site: Site, task: LinkedTask, typed: Typed | None = None) -> Response:
    typed = typed or Typed()
    problems = typed.error.problems if typed.error else ()
    return site.pages.show(
        request,
        "holder.html",
        status=status_of(typed.error) if typed.error else HTTPStatus.OK,
        task=task,
        forms={kind: _fields(kind) for kind in ANSWERS},
        words=WORDS,
        typed=typed,
        problems=problems,
        faulty={problem.where for problem in problems},
        labels={one.name: one.label for one in _fields(typed.kind)} | {FILES: "Files"} if typed.kind else {},
        done=request.query_params.get("done"),
        contact=site.resources.settings.organisation.contact,
        most_files=MOST_FILES,
    )


def _fields(kind: HolderAnswerKind) -> tuple[FormField, ...]:
    """The fields of an answer in the order in which its form asks: who signs stands last."""
    fields = fields_of(ANSWERS[kind])
    about = {one.name for one in fields_of(HolderSays)}
    last = [one for one in fields if one.shape is Shape.TICK]
    signing = [one for one in fields if one.name in about and one not in last]
    return (*(one for one in fields if one.name not in about), *signing, *last)
