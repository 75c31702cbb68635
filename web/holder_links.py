"""The page behind the link of a holder of data: what it is asked, and the forms in which it answers.

No account is needed. Looking changes nothing, since mail programs and gateways look at every link that they see.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import JSONResponse, RedirectResponse, Response

from cases.certificate import ANSWERS
from cases.fields import fields_of
from mail.holder_links import HOLDER_FOLDER, digest_of
from models.enums import HolderAnswerKind
from models.errors import InvalidFields, InvalidInput, NotFound
from records.holder_links import (
    HOLDER,
    GivenByHolder,
    LinkedTask,
    fetch_receipt,
    give_holder_answer,
    read_linked_task,
)
from records.uploads import UploadedFile
from web.failures import is_api, status_of
from web.files import attachment
from web.holder_answers import (
    FILES,
    MOST_FILES,
    WORDS,
    answer_in_json,
    answer_in_texts,
    fields_asked,
    files_with,
    json_body,
    kind_named,
)
from web.site import Site, TheSite, text_of

router = APIRouter(prefix=HOLDER_FOLDER.rstrip("/"), include_in_schema=False)


@dataclass(frozen=True)
class Typed:
    """What was typed into the form of one answer and refused."""

    kind: HolderAnswerKind | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    error: InvalidFields | None = None


JSON_ENDING = ".json"
"""What ends the address of a link for a program; one that accepts JSON alone may leave it out."""


@router.get("/{token}")
def holder_page(request: Request, site: TheSite, token: str) -> Response:
    """What a holder of data is asked, by whom and until when, and the forms to answer; the same in JSON."""
    task = _read(site, token)
    return JSONResponse(shown_in_json(task)) if is_api(request) else _show(request, site, task)


@router.post("/{token}")
async def answer(request: Request, site: TheSite, token: str) -> Response:
    """Keep an answer; what is wrong shows its form again, with what was typed, or tells a program its fields."""
    task = await asyncio.to_thread(_read, site, token)
    if is_api(request):
        given = answer_in_json(await json_body(request), task, site.clock())
        await site.to_the_end(_keep(request, site, token, given))
        return JSONResponse(shown_in_json(await asyncio.to_thread(_read, site, token)))
    form = await request.form()
    kind = kind_named(text_of(form, "kind"))
    if kind is None:
        raise NotFound("There is no such answer.", next_step="Go back, and use one of the page's forms.")
    try:
        given = await _given(form, kind, task, site)
    except InvalidFields as error:
        typed = Typed(kind, {one.name: text_of(form, one.name) for one in fields_of(ANSWERS[kind])}, error)
        return await asyncio.to_thread(_show, request, site, task, typed)
    await site.to_the_end(_keep(request, site, token, given))
    return RedirectResponse(f"{HOLDER_FOLDER}{token}?done={kind.value}", HTTPStatus.SEE_OTHER)


@router.get("/{token}/receipts/{answer_id}")
def receipt(request: Request, site: TheSite, token: str, answer_id: UUID) -> Response:
    """The completion certificate of an answer."""
    database, digest = site.resources.database, digest_of(token)
    return attachment(fetch_receipt(database, digest, answer_id, actor=actor_of(request), now=site.clock()))


async def _keep(request: Request, site: Site, token: str, given: GivenByHolder) -> None:
    case_id = await asyncio.to_thread(
        give_holder_answer,
        site.resources.database,
        digest_of(token.removesuffix(JSON_ENDING)),
        given,
        asked_by=site.resources.settings.organisation.name,
        actor=actor_of(request),
        now=site.clock(),
    )
    await site.service.look_again(case_id)


def shown_in_json(task: LinkedTask) -> dict[str, object]:
    """What a program is told of a task: what its page says, without what is nobody's business but ours."""
    told = task.model_dump(mode="json", exclude={"case_id", "link_number"})
    return {**told, "takes_answers": task.takes_answers}


def _read(site: Site, token: str) -> LinkedTask:
    return read_linked_task(site.resources.database, digest_of(token.removesuffix(JSON_ENDING)), site.clock())


async def _given(form: FormData, kind: HolderAnswerKind, task: LinkedTask, site: Site) -> GivenByHolder:
    """The answer that a form gives, with its files.

    Raises:
        InvalidFields: with everything that is wrong at once.
    """
    problems: list[InvalidInput] = []
    files: tuple[UploadedFile, ...] = ()
    try:
        files = await files_with(form)
    except InvalidInput as problem:
        problems.append(problem)
    try:
        says = answer_in_texts(kind, lambda name: text_of(form, name), task, site.clock())
    except InvalidFields as error:
        raise InvalidFields((*error.problems, *problems)) from None
    if problems:
        raise InvalidFields(tuple(problems))
    return GivenByHolder(kind, says, files)


def actor_of(request: Request) -> str:
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
        forms={kind: fields_asked(kind) for kind in ANSWERS},
        words=WORDS,
        typed=typed,
        problems=problems,
        faulty={problem.where for problem in problems},
        labels={one.name: one.label for one in fields_asked(typed.kind)} | {FILES: "Files"} if typed.kind else {},
        done=request.query_params.get("done"),
        contact=site.notice_writer.organisation.contact,
        most_files=MOST_FILES,
    )
