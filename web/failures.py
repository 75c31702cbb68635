"""What a person or a program is told when something is refused or fails: a sentence, never a traceback."""

from __future__ import annotations

import re
import secrets
import traceback
from collections.abc import Sequence
from http import HTTPStatus

import structlog
from fastapi.exceptions import RequestValidationError
from pydantic_core import ErrorDetails
from sqlalchemy.exc import DataError, IntegrityError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Match

from cases.acts import explained
from config.logging import get_logger
from mail.handed_over import HANDED_FOLDER
from mail.holder_links import HOLDER_FOLDER
from mail.links import LINK_FOLDER
from models.errors import (
    ConfigurationError,
    DuenoticeError,
    Gone,
    InvalidFields,
    InvalidInput,
    NotAllowed,
    NotFound,
    Refused,
    Unavailable,
)
from web.pages import Pages, problems_of
from web.quotas import TooManyTries
from web.rights import LOOKING
from web.strangers import Busy

logger = get_logger(__name__)

_strangers = get_logger("web.strangers.failures")
"""What strangers run into is one line a minute of each sort, so that it fills no disk."""

_STATUS: tuple[tuple[type[DuenoticeError], HTTPStatus], ...] = (
    (InvalidInput, HTTPStatus.UNPROCESSABLE_ENTITY),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Gone, HTTPStatus.GONE),
    (Refused, HTTPStatus.CONFLICT),
    (TooManyTries, HTTPStatus.TOO_MANY_REQUESTS),
    (NotAllowed, HTTPStatus.FORBIDDEN),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (ConfigurationError, HTTPStatus.SERVICE_UNAVAILABLE),
)


def status_of(error: DuenoticeError) -> HTTPStatus:
    """The HTTP status (RFC 9110) that an error is answered with."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)


JSON = "application/json"

MOST_SENT_AGAIN = 2**20
"""How large a form is, at most, that is shown again to be sent later."""


def is_api(request: Request) -> bool:
    """Whether a program asks, which is answered in JSON: under ``/api/``, or by the link of a holder of data."""
    path = request.url.path
    return path.startswith("/api/") or (path.startswith(HOLDER_FOLDER) and _wants_json(request))


def _wants_json(request: Request) -> bool:
    """Whether the address, what is accepted (RFC 9110, 12.5.1) or what is sent says so; a browser accepts HTML."""
    accepted = request.headers.get("accept", "")
    by_accepting = JSON in accepted and "text/html" not in accepted
    sends = request.headers.get("content-type", "").partition(";")[0].strip().lower() == JSON
    return request.url.path.endswith(".json") or by_accepting or sends


def path_for_log(request: Request) -> str:
    """The path of a request as a log may hold it: without its query and without a link's token."""
    path = request.url.path
    return next(
        (f"{folder}…" for folder in (LINK_FOLDER, HOLDER_FOLDER, HANDED_FOLDER) if path.startswith(folder)), path
    )


class Failures:
    """Answers for errors, as a page or as JSON by who asks."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def answer(self, request: Request, error: DuenoticeError, status: int | None = None) -> Response:
        """Say what is wrong; an error of ours rather than the asker's gets a reference that the log also has."""
        status = status or status_of(error)
        reference = secrets.token_hex(4) if status >= HTTPStatus.INTERNAL_SERVER_ERROR else None
        if reference:
            _log_of(request).error("request failed", reference=reference, path=path_for_log(request), code=error.code)
        return self._say(request, error, status, reference)

    async def later(self, request: Request, error: TooManyTries | Busy) -> Response:
        """Say that a request is taken later, with a button that sends again what was typed: pages are kept nowhere."""
        again = () if is_api(request) or request.method in LOOKING else await _typed(request)
        return self._say(request, error, status_of(error), None, again)

    def unforeseen(self, request: Request, error: Exception) -> Response:
        """Say that something failed for which no sentence was written; the log gets the place, not the values."""
        reference = secrets.token_hex(4)
        _log_of(request).error(
            "request crashed",
            reference=reference,
            path=path_for_log(request),
            error=type(error).__name__,
            frames="".join(traceback.format_tb(error.__traceback__)),
        )
        said = _said_of(error, reference)
        return self._say(request, said, status_of(said), reference)

    def _say(
        self,
        request: Request,
        error: DuenoticeError,
        status: int,
        reference: str | None,
        again: Sequence[tuple[str, str]] = (),
    ) -> Response:
        if is_api(request):
            return told_when(JSONResponse(json_of(error, reference), status), error)
        page = self._pages.show(
            request,
            "failure.html",
            status=status,
            heading=HTTPStatus(status).phrase,
            problems=problems_of(error),
            reference=reference,
            again=again,
            case=found[1] if (found := _IN_CASE.match(request.url.path)) else "",
        )
        return told_when(page, error)

    async def on_error(self, request: Request, error: Exception) -> Response:
        """FastAPI's handler for our own errors, its own refusals, and requests whose shape is wrong."""
        match error:
            case TooManyTries():
                return await self.later(request, error)
            case DuenoticeError():
                return self.answer(request, error)
            case RequestValidationError() if is_api(request) and _is_not_called_json(request, error):
                said = InvalidInput(
                    "This does not say that it is JSON.",
                    where="Content-Type",
                    next_step="Send it with `Content-Type: application/json`.",
                )
                return self.answer(request, said, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
            case RequestValidationError() if is_api(request):
                return self.answer(request, InvalidFields(tuple(explain(problem) for problem in error.errors())))
            case RequestValidationError():
                return self.answer(request, _NO_PAGE, HTTPStatus.NOT_FOUND)
            case HTTPException(status_code=HTTPStatus.NOT_FOUND):
                return self.answer(request, _NO_PAGE)
            case HTTPException(status_code=HTTPStatus.METHOD_NOT_ALLOWED) if page := _page_of_form(request):
                return RedirectResponse(page, HTTPStatus.SEE_OTHER)
            case HTTPException(status_code=HTTPStatus.METHOD_NOT_ALLOWED):
                said = InvalidInput(
                    f"This address does not take {request.method}.", next_step="Go back, or start from the first page."
                )
                response = self.answer(request, said, error.status_code)
                response.headers.update(error.headers or {})
                return response
            case HTTPException():
                return self.answer(request, InvalidInput(f"{error.detail}."), error.status_code)
            case _:
                raise error


def _is_not_called_json(request: Request, error: RequestValidationError) -> bool:
    """Whether a whole body was not read as what it is, since its sender does not call it JSON (RFC 8259, 11)."""
    of_all = any(problem["loc"] == ("body",) for problem in error.errors())
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
    return of_all and not (media_type == "application/json" or media_type.endswith("+json"))


def _log_of(request: Request) -> structlog.stdlib.BoundLogger:
    return _strangers if getattr(request.state, "session", None) is None else logger


def _said_of(error: Exception, reference: str) -> DuenoticeError:
    """What is said of an error that no check foresaw; the database's own checks come last, and nothing was kept."""
    match error:
        case IntegrityError():
            return Refused(
                "Somebody else did the same at the same moment, so this was not kept.",
                next_step="Look whether it is done; if not, send it again.",
            )
        case DataError() | OverflowError() | UnicodeError():
            return InvalidInput(
                "Something of this cannot be kept: a number or a date is out of reach, or a text holds no characters.",
                next_step=f"Correct it; if you do not find it, look for {reference} in the log of the web process.",
            )
        case _:
            return DuenoticeError(
                "Something failed here that should not have.",
                next_step=f"Try again; if it stays, look for {reference} in the log of the web process.",
            )


def told_when(response: Response, error: DuenoticeError | None) -> Response:
    """An answer, with the time after which it is worth asking again, where the error names one (RFC 9110, 10.2.3)."""
    if isinstance(error, TooManyTries | Busy):
        response.headers["Retry-After"] = str(error.seconds)
    return response


_SECRETS = frozenset({"password", "code", "token"})
"""The fields of forms that no page shows again."""


async def _typed(request: Request) -> Sequence[tuple[str, str]]:
    """What a form gave, without its files and secrets; nothing where it is too large to be read for this."""
    if int(request.headers.get("content-length", "0")) > MOST_SENT_AGAIN:
        return ()
    form = await request.form()
    return [(name, value) for name, value in form.multi_items() if isinstance(value, str) and name not in _SECRETS]


_IN_CASE = re.compile(r"(/cases/[0-9a-f]{8}-[0-9a-f-]{27})/")
"""What belongs to a case, and so leads back to it."""

_NO_PAGE = NotFound("There is nothing at this address.", next_step="Start from the first page.")


def _page_of_form(request: Request) -> str | None:
    """The page whose form a browser asks for again by its address, as it does on reloading what a form was answered.

    It is the nearest above that address.
    """
    if request.method != "GET" or is_api(request):
        return None
    steps = request.url.path.split("/")
    above = ("/".join(steps[:length]) or "/" for length in range(len(steps) - 1, 0, -1))
    return next((path for path in above if _is_page(request, path)), None)


_FILE = re.compile(r"/cases/[^/]+/documents/[^/]+")
"""The address of a file, which is no page to come back to."""


def _is_page(request: Request, path: str) -> bool:
    asked = {**request.scope, "path": path}
    return not _FILE.fullmatch(path) and any(route.matches(asked)[0] is Match.FULL for route in request.app.routes)


def explain(problem: ErrorDetails) -> InvalidInput:
    """One of pydantic's findings as a sentence at its field; what was given is not repeated."""
    where = ".".join(str(part) for part in problem["loc"] if part != "body")
    match problem["type"]:
        case "missing" | "string_too_short":
            said, next_step = "Nothing is given here.", "Fill it in."
        case "too_short":
            said, next_step = "None is given here.", "Give at least one."
        case "extra_forbidden":
            said, next_step = "There is no such field.", "Leave it out."
        case _:
            found = explained(problem)
            said, next_step = found.message, found.next_step or "Correct it."
    return InvalidInput(said, where=where or None, next_step=next_step)


def json_of(error: DuenoticeError, reference: str | None = None) -> dict[str, object]:
    """What a program is told of an error."""
    said: dict[str, object] = {"code": error.code, **_parts(error)}
    if isinstance(error, InvalidFields):
        said["problems"] = [_parts(problem) for problem in error.problems]
    if reference:
        said["reference"] = reference
    return said


def _parts(error: DuenoticeError) -> dict[str, object]:
    return {"message": error.message, "where": error.where, "next_step": error.next_step}
