"""What stands before every page: which hosts, which origins, who is signed in, and what browsers may do with it.

Everything is closed unless it is listed as open, so a page added later is closed from its first day.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from http import HTTPStatus
from time import perf_counter
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from config.logging import get_logger
from config.settings import Limits
from mail.handed_over import HANDED_FOLDER
from mail.holder_links import HOLDER_FOLDER
from mail.links import LINK_FOLDER
from models.errors import InvalidInput, NotAllowed, Unavailable
from web.bodies import Body, too_large
from web.connections import note_who
from web.failures import Failures, is_api, path_for_log
from web.quotas import Quota, TooManyTries
from web.rights import HEALTH_PATHS, LOOKING, MAIL_EVENT_PATHS, OPEN_TO_ALL
from web.sessions import Session, Sessions
from web.strangers import Busy, Strangers

logger = get_logger(__name__)

_log = get_logger("web.strangers")
"""For what strangers can cause as often as they like."""

STATIC_FOLDER = "/static/"
OPEN_FOLDERS = (STATIC_FOLDER, LINK_FOLDER, HOLDER_FOLDER, HANDED_FOLDER)
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

MAX_BODY_BYTES = 32 * 2**20
"""The largest request: some 200,000 agreements in one file."""

MAX_ANSWER_BYTES = 64 * 2**10
"""The largest request that takes no account: an answer to a notice, or a sign-in."""

MAX_EVENTS_BYTES = 2**20
"""The largest call of a mail provider, which tells of many messages at once."""

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
)

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    # Not `no-referrer`: browsers then send `Origin: null` with every form, and the check of origins could not work.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "X-Robots-Tag": "noindex, nofollow",
}

HTTPS_ONLY = {"Strict-Transport-Security": "max-age=63072000"}
"""Where the site is on https: for two years a browser that was here asks for it by https alone (RFC 6797).

Other hosts below this name may be the organisation's own matter, so they are not included.
"""


def largest_body(path: str) -> int:
    """How many bytes a request to this address may have."""
    if path in MAIL_EVENT_PATHS:
        return MAX_EVENTS_BYTES
    takes_no_account = path in OPEN_TO_ALL or path.startswith((LINK_FOLDER, HANDED_FOLDER))
    return MAX_ANSWER_BYTES if takes_no_account else MAX_BODY_BYTES


class Guard:
    """ASGI middleware around the whole application.

    Args:
        hosts: the names under which the site may be asked for; any other is refused (DNS rebinding).
        limits: what strangers may take.
        link_answers: how many forms one link may send.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Iterable[str],
        sessions: Sessions,
        failures: Failures,
        limits: Limits,
        link_answers: Quota,
        clock: Callable[[], datetime],
    ) -> None:
        self._app = app
        self._hosts = LOOPBACK | frozenset(hosts)
        self._sessions = sessions
        self._failures = failures
        self._limits = limits
        self._strangers = Strangers(limits, link_answers)
        self._headers = HEADERS | HTTPS_ONLY if sessions.secure else HEADERS
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = Body(receive, limit=largest_body(scope["path"]), seconds=self._limits.body_seconds)
        request = Request(scope, body.receive)
        request.state.session = said = None
        answer = _Answer(request, body, send, self._headers)
        try:
            request.state.session = await self._session_of(request)
            if not _is_static(request):  # whose page asks for a file is not looked up
                note_who(scope, known=request.state.session is not None)
            said = self._refusal(request)
            if said is not None and said.status_code >= HTTPStatus.BAD_REQUEST:
                _log.warning("request refused", status=int(said.status_code), path=path_for_log(request))
        except Unavailable as away:
            # Whoever asks how the engine is, is told while the database is away as well.
            said = None if scope["path"] in HEALTH_PATHS else self._failures.answer(request, away)
        try:
            if said is None:
                async with self._turn_of(request, body):
                    await self._app(scope, body.receive, answer.send)
        except ClientDisconnect:
            pass  # or so it was told, since more came than is taken
        except Exception as error:
            if answer.status is not None:
                raise
            if body.refusal is None:
                said = await self._said_of(request, error)
        if body.refusal is not None and answer.status is None:
            said = self._failures.answer(request, *body.refusal)
        if said is not None:
            await said(scope, receive, answer.say)

    @asynccontextmanager
    async def _turn_of(self, request: Request, body: Body) -> AsyncIterator[None]:
        """Wait until a request may be worked on: at once for who is signed in, by quotas and in turn for strangers.

        Small bodies are taken whole before, so that who sends one slowly keeps no turn from others.

        Raises:
            ClientDisconnect: the body did not come.
            TooManyTries: its address or its link sent too many.
            Busy: its turn did not come in time.
        """
        path = request.scope["path"]
        is_known = request.state.session is not None or (_is_static(request) and self._sessions.is_given(request))
        if is_known or path in HEALTH_PATHS:
            yield
            return
        if not _is_static(request):
            if largest_body(path) <= MAX_EVENTS_BYTES:
                await body.take_whole()
            self._strangers.check(request)
        async with self._strangers.turn():
            await self._strangers.check_link(request)
            yield

    async def _said_of(self, request: Request, error: Exception) -> Response:
        if isinstance(error, TooManyTries | Busy):
            return await self._failures.later(request, error)
        return self._failures.unforeseen(request, error)

    async def _session_of(self, request: Request) -> Session | None:
        if _is_static(request) or not self._sessions.is_given(request):
            return None
        return await run_in_threadpool(self._sessions.read, request, self._clock())

    def _refusal(self, request: Request) -> Response | None:
        """What to answer instead of going on, or None."""
        host = request.headers.get("host", "")
        if _hostname(host) not in self._hosts:
            said = InvalidInput(
                "This site is not served under that name.", next_step="Use the address that `duenotice up` printed."
            )
            return self._failures.answer(request, said, HTTPStatus.MISDIRECTED_REQUEST)
        if request.method not in LOOKING and not _same_origin(request, host):
            elsewhere = NotAllowed("Another site sent this, so nothing was done.", next_step="Use this site's pages.")
            return self._failures.answer(request, elsewhere)
        path = request.scope["path"]
        if {"transfer-encoding", "content-length"} <= set(request.headers.keys()):
            twofold = InvalidInput("It says in two ways where it ends.", next_step="Name a length, or send chunks.")
            refused = self._failures.answer(request, twofold, HTTPStatus.BAD_REQUEST)
            refused.headers["Connection"] = "close"  # what follows may be what somebody smuggles in (RFC 9112, 6.1)
            return refused
        if _says_larger(request, limit := largest_body(path)):
            return self._failures.answer(request, too_large(limit), HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if request.state.session is None and path not in OPEN_TO_ALL and not path.startswith(OPEN_FOLDERS):
            return self._sign_in_first(request)
        return None

    def _sign_in_first(self, request: Request) -> Response:
        if is_api(request):
            said = NotAllowed("Nobody is signed in.", next_step="Run `duenotice sign-in` for a link.")
            if "authorization" in request.headers:
                said = NotAllowed(
                    "This token is not good, or not any more.", next_step="Have an administrator make another one."
                )
            refused = self._failures.answer(request, said, HTTPStatus.UNAUTHORIZED)
            refused.headers["WWW-Authenticate"] = "Bearer"  # RFC 9110, 11.6.1
            return refused
        if request.method not in LOOKING:  # a redirect would lose the form that somebody spent an hour on
            said = NotAllowed(
                "You are not signed in any more, so nothing was done.",
                next_step="Sign in in another tab, with a link from `duenotice sign-in`; then reload this page, "
                "and your browser sends the form again.",
            )
            return self._failures.answer(request, said, HTTPStatus.UNAUTHORIZED)
        back = f"?next={quote(request.url.path)}" if request.url.path != "/" else ""
        return RedirectResponse(f"/sign-in{back}", HTTPStatus.SEE_OTHER)


class _Answer:
    """Puts the headers on what is sent, and writes one log line, which holds no token."""

    def __init__(self, request: Request, body: Body, send: Send, headers: Mapping[str, str]) -> None:
        self.status: int | None = None
        self._request = request
        self._body = body
        self._headers = headers
        self._send = send
        self._began = perf_counter()

    async def send(self, message: Message) -> None:
        """Send what the application says, but for what it says of a body that was refused: it knows nothing of that."""
        if self._body.refusal is None or self.status is not None:
            await self.say(message)

    async def say(self, message: Message) -> None:
        """Send what is said here."""
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-cache" if _is_static(self._request) else "no-store")
            logger.debug(
                "request answered",
                method=self._request.method,
                path=path_for_log(self._request),
                status=self.status,
                milliseconds=round((perf_counter() - self._began) * 1000, 1),
            )
        await self._send(message)


def _is_static(request: Request) -> bool:
    path: str = request.scope["path"]
    return path.startswith(STATIC_FOLDER)


def _hostname(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _same_origin(request: Request, host: str) -> bool:
    """Whether one of our own pages, or a program that is no browser, sent this (Fetch, `Origin` and metadata)."""
    origin = request.headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc == host
    return request.headers.get("sec-fetch-site", "none") in ("same-origin", "none")


def _says_larger(request: Request, limit: int) -> bool:
    """By its own word, so that nothing is sent in vain; what counts in the end is what comes."""
    length = request.headers.get("content-length", "0")
    return length.isdecimal() and int(length) > limit
