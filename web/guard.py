"""What stands before every page: which hosts, which origins, who is signed in, and what browsers may do with it.

Everything is closed unless it is listed as open, so a page added later is closed from its first day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from http import HTTPStatus
from time import perf_counter
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from config.logging import get_logger
from mail.handed_over import HANDED_FOLDER
from mail.holder_links import HOLDER_FOLDER
from mail.links import LINK_FOLDER
from models.errors import InvalidInput, NotAllowed, Unavailable
from web.failures import Failures, is_api, path_for_log
from web.rights import HEALTH_PATHS, LOOKING, MAIL_EVENT_PATHS, OPEN_TO_ALL
from web.sessions import Session, Sessions

logger = get_logger(__name__)

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


class Guard:
    """ASGI middleware around the whole application.

    Args:
        hosts: the names under which the site may be asked for; any other is refused (DNS rebinding).
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Iterable[str],
        sessions: Sessions,
        failures: Failures,
        clock: Callable[[], datetime],
    ) -> None:
        self._app = app
        self._hosts = LOOPBACK | frozenset(hosts)
        self._sessions = sessions
        self._failures = failures
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        request.state.session = None
        answer = _Answer(request, send)
        try:
            request.state.session = await self._session_of(request)
            refusal = self._refusal(request)
        except Unavailable as away:
            # Whoever asks how the engine is, is told while the database is away as well.
            refusal = None if request.url.path in HEALTH_PATHS else self._failures.answer(request, away)
        try:
            await (refusal or self._app)(scope, receive, answer.send)
        except Exception as error:
            if answer.status is not None:
                raise
            await self._failures.unforeseen(request, error)(scope, receive, answer.send)

    async def _session_of(self, request: Request) -> Session | None:
        if request.url.path.startswith(STATIC_FOLDER):
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
        path = request.url.path
        takes_no_account = path in OPEN_TO_ALL or path.startswith((LINK_FOLDER, HANDED_FOLDER))
        limit = MAX_ANSWER_BYTES if takes_no_account else MAX_BODY_BYTES
        limit = MAX_EVENTS_BYTES if path in MAIL_EVENT_PATHS else limit
        if _is_larger(request, limit):
            large = InvalidInput(
                f"This is larger than {limit // 2**10:,} KiB, or does not say how large it is.",
                next_step="Send it in parts.",
            )
            return self._failures.answer(request, large, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if request.state.session is None and path not in OPEN_TO_ALL and not path.startswith(OPEN_FOLDERS):
            return self._sign_in_first(request)
        return None

    def _sign_in_first(self, request: Request) -> Response:
        if is_api(request):
            said = NotAllowed("Nobody is signed in.", next_step="Run `duenotice sign-in` for a link.")
            return self._failures.answer(request, said, HTTPStatus.UNAUTHORIZED)
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

    def __init__(self, request: Request, send: Send) -> None:
        self.status: int | None = None
        self._request = request
        self._send = send
        self._began = perf_counter()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            static = self._request.url.path.startswith(STATIC_FOLDER)
            headers.setdefault("Cache-Control", "no-cache" if static else "no-store")
            logger.debug(
                "request answered",
                method=self._request.method,
                path=path_for_log(self._request),
                status=self.status,
                milliseconds=round((perf_counter() - self._began) * 1000, 1),
            )
        await self._send(message)


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


def _is_larger(request: Request, limit: int) -> bool:
    """By its own word; one that comes in chunks gives none, whatever length it names besides (RFC 9112, 6.3)."""
    if "transfer-encoding" in request.headers:
        return True
    length = request.headers.get("content-length", "0")
    return not length.isdecimal() or int(length) > limit
