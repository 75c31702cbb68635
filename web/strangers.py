"""What strangers, who are not signed in, may ask of the site: so often from one address, by one link, and in turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from config.logging import get_logger
from config.settings import Limits
from mail.handed_over import HANDED_FOLDER
from mail.holder_links import HOLDER_FOLDER, VENDOR_FOLDER
from mail.links import LINK_FOLDER
from models.errors import Unavailable
from web.quotas import MINUTE, Quota, TooManyTries, network_of
from web.rights import HEALTH_PATHS, LOOKING, MAIL_EVENT_PATHS

_log = get_logger("web.strangers")

LINK_FOLDERS = (LINK_FOLDER, VENDOR_FOLDER, HOLDER_FOLDER, HANDED_FOLDER)
"""Where links lead; that of vendors is in that of holders of data, so it stands before it."""

UNCOUNTED = MAIL_EVENT_PATHS | HEALTH_PATHS
"""What few addresses ask often by right: mail providers are counted where their signature is wrong."""

PATIENCE_SECONDS = 30.0
"""How long a request waits for its turn."""


class Busy(Unavailable):
    """So many ask at the same time that this request was not begun; it may be sent again in ``seconds``."""

    def __init__(self) -> None:
        self.seconds = 30
        super().__init__(
            "So many people use this page just now that yours was not taken.", next_step="Try again in half a minute."
        )


class Strangers:
    """Counts and queues the requests of strangers to one site."""

    def __init__(self, limits: Limits, link_answers: Quota) -> None:
        self._addresses = Quota(limits.requests_per_minute, MINUTE)
        self._links = link_answers
        self._turns = asyncio.Semaphore(limits.requests_at_once)

    def check(self, request: Request) -> None:
        """Count a request; return where its address may send one more.

        Raises:
            TooManyTries: it may not; ``seconds`` says when it may again.
        """
        if request.scope["path"] not in UNCOUNTED:
            with _told():
                self._addresses.check(address_of(request))

    async def check_link(self, request: Request) -> None:
        """Count what is sent by a link; return where that may send one more. The database may be asked.

        Raises:
            TooManyTries: it may not; ``seconds`` says when it may again.
        """
        path: str = request.scope["path"]
        if request.method not in LOOKING and path.startswith(LINK_FOLDERS):
            with _told():
                await run_in_threadpool(self._links.check, _link_of(path), "this link")

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until it is a request's turn; it is, until this is left.

        Raises:
            Busy: it takes too long.
        """
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._turns.acquire()
        except TimeoutError:
            _log.warning("stranger refused", reason="too many at once")
            raise Busy from None
        try:
            yield
        finally:
            self._turns.release()


@contextmanager
def _told() -> Iterator[None]:
    """Leave a line in the log of a refusal."""
    try:
        yield
    except TooManyTries:
        _log.warning("stranger refused", reason="too many tries")
        raise


def address_of(request: Request) -> str:
    """The network address that a request comes from, as quotas count it; blank where there is none."""
    return network_of(request.client.host) if request.client else ""


def _link_of(path: str) -> str:
    """The folder and the token of a link, without what is asked for below it."""
    folder = next(folder for folder in LINK_FOLDERS if path.startswith(folder))
    return folder + path.removeprefix(folder).partition("/")[0].removesuffix(".json")
