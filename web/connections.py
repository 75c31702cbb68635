"""The connections of the web: how many there may be, how long they may owe something, and who makes room for whom.

A stranger is a connection on which nobody is signed in. All its speaking is checked elsewhere; here it is only seen
that it speaks. uvicorn knows how long an idle connection is kept; that a header has to come at all, that what is sent
is read, and that no more come than there is room for, is what this adds to it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, ClassVar

import h11
from starlette.types import Scope
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from config.logging import get_logger
from config.settings import Limits
from web.quotas import network_of

_log = get_logger("web.connections")

SWEEP_SECONDS = 1.0
"""How often connections are looked through."""

STALLED_SECONDS = 30.0
"""How long nothing of an answer may be read."""

DRAIN_SECONDS = 10.0
"""How long the rest of a request is still taken, and thrown away, once it was answered: browsers read late."""

DRAIN_BYTES = 32 * 2**20
"""How much of it is."""

SMALLEST_PIECE, LARGEST_PIECE = 2**9, 2**13
"""How much of a body in chunks is taken before it is seen whether half of it, at least, is body.

Each chunk costs the processor as much as a kilobyte does; 20 connections with chunks of one byte stopped the web.
"""

CLOSING_SECONDS = 5.0
"""How long a connection that is being closed may take to read what is left."""

LARGEST_HEADERS = 32 * 2**10
"""How large a request's line and headers may be together."""

STATE = "duenotice_connection"
"""Where a request's scope holds its connection."""

_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Owes(Enum):
    """What the other side of a connection has to do next; while we answer, it owes nothing."""

    HEADER = auto()
    NEXT_REQUEST = auto()
    BODY = auto()
    REST = auto()
    READING = auto()
    CLOSING = auto()


@dataclass
class _Owed:
    """Since when something is owed, and how much of what was to be read was left when something was read last."""

    what: tuple[Owes | None, object]
    since: float
    unread: int = 0
    read_at: float = 0.0


class BoundedProtocol(H11Protocol):
    """One connection, which its ``Connections`` looks after: the class that those make for a server names them."""

    bounds: ClassVar[Connections]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, {**app_state, STATE: self}, _loop)
        self.address = ""
        self.owed = _Owed((None, None), 0.0)
        self._rest = 0
        self._piece, self._raw, self._gained = SMALLEST_PIECE, 0, 0

    @property
    def _last_cycle(self) -> RequestResponseCycle | None:
        """The last request, or None before the first: uvicorn's type does not say that."""
        return self.cycle

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection; another may have to make room for it."""
        super().connection_made(transport)
        self.address = network_of(self.client[0]) if self.client else ""
        self.look(self.loop.time())
        self.bounds.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up the connection's place."""
        super().connection_lost(exc)
        self.bounds.remove(self)

    def data_received(self, data: bytes) -> None:
        """Take what comes, in pieces where it has to be looked at how it is cut into chunks.

        What belongs to a request that was answered is thrown away, and has an end; so has what comes ahead of its time.
        """
        at = 0
        while at < len(data) and not self.transport.is_closing():
            cycle = self._last_cycle
            plain = cycle is not None and not self._in_chunks()
            in_body = not plain and cycle is not None and cycle.more_body  # what comes before is a header
            piece = data[at:] if plain else data[at : at + self._piece]
            at += len(piece)
            self._rest = self._rest + len(piece) if self._is_answered_early() else 0
            before = self._unread()
            super().data_received(piece)
            if cycle is not self._last_cycle:
                self._piece, self._raw, self._gained = SMALLEST_PIECE, 0, 0
            elif in_body:
                self._raw, self._gained = self._raw + len(piece), self._gained + self._unread() - before
            if self._asks_too_much():
                self.transport.abort()

    def _asks_too_much(self) -> bool:
        """Whether reading on would cost more than anybody honest needs."""
        cycle = self._last_cycle
        if self._rest:
            return self._rest > DRAIN_BYTES or self._in_chunks()
        if cycle is not None and not cycle.more_body and len(self.conn.trailing_data[0]) > LARGEST_PIECE:
            return True
        if self._raw < SMALLEST_PIECE:
            return False
        is_cut_small = self._gained * 2 < self._raw
        self._piece, self._raw, self._gained = min(self._piece * 2, LARGEST_PIECE), 0, 0
        return is_cut_small

    def _in_chunks(self) -> bool:
        return any(name == b"transfer-encoding" for name, _ in self.headers or ())

    def _unread(self) -> int:
        """How much of the body has come that nobody has read yet."""
        return 0 if self._last_cycle is None else len(self._last_cycle.body)

    def look(self, now: float) -> Owes | None:
        """See what is owed at ``now``, and since when."""
        owes = self.owes()
        what = (owes, self.cycle)
        unread = self.transport.get_write_buffer_size()
        if what != self.owed.what:
            self.owed = _Owed(what, now, unread, now)
        elif unread != self.owed.unread:
            self.owed.unread, self.owed.read_at = unread, now
        return owes

    def end(self) -> None:
        """Close the connection, without a word where none was begun."""
        if self.owed.what[0] is Owes.HEADER and self.conn.trailing_data[0]:
            self.transport.write(_TOO_SLOW)
        if self.owed.what[0] in (Owes.HEADER, Owes.NEXT_REQUEST):
            self.transport.close()
        else:
            self.transport.abort()

    def _is_answered_early(self) -> bool:
        """Whether the request was answered before all of it had come."""
        cycle = self._last_cycle
        return cycle is not None and cycle.response_complete and self.conn.their_state is h11.SEND_BODY

    def owes(self) -> Owes | None:
        """What the other side has to do next, if anything."""
        if self.transport.is_closing():
            return Owes.CLOSING
        cycle = self._last_cycle
        if cycle is None:
            return Owes.HEADER
        if not cycle.response_complete:
            if self.flow.write_paused:
                return Owes.READING
            return Owes.BODY if cycle.more_body else None
        if self.transport.get_write_buffer_size():
            return Owes.READING
        if self._is_answered_early():
            return Owes.REST
        return Owes.HEADER if self.conn.trailing_data[0] else Owes.NEXT_REQUEST


class Connections:
    """All connections of one server.

    Args:
        limits: the installation's.
        proxies: whether requests come through proxies, each of which brings many people over few connections.
    """

    def __init__(self, limits: Limits, *, proxies: bool) -> None:
        self._limits = limits
        self._proxies = proxies
        self._open: dict[BoundedProtocol, None] = {}
        self._strangers: dict[BoundedProtocol, None] = {}
        self._of_address = Counter[str]()
        self._sweeping: asyncio.TimerHandle | None = None

    def protocol(self) -> type[asyncio.Protocol]:
        """The class of these connections, for ``uvicorn.Config(http=…)``."""
        return type("Protocol", (BoundedProtocol,), {"bounds": self})

    def add(self, new: BoundedProtocol) -> None:
        """Take a connection, of a stranger as yet; another may have to make room, or the new one itself."""
        self._open[new] = None
        self._strangers[new] = None
        self._of_address[new.address] += 1
        self._sweep_later(new.loop)
        if not self._proxies and self._of_address[new.address] > self._limits.address_connections:
            own = (one for one in self._strangers if one.address == new.address)
            self._close_one(own, new, "one address holds too many connections")
        elif len(self._strangers) > self._limits.strangers:
            self._close_one(self._strangers, new, "strangers hold too many connections")
        elif len(self._open) > self._limits.connections:
            self._close_one((*self._strangers, *self._open), new, "too many connections")

    def remove(self, gone: BoundedProtocol) -> None:
        """Forget a connection that has ended."""
        self._open.pop(gone, None)
        self.set_known(gone, known=True)

    def set_known(self, one: BoundedProtocol, *, known: bool) -> None:
        """Count a connection among those of strangers, or not."""
        if known and one in self._strangers:
            del self._strangers[one]
            self._of_address[one.address] -= 1
            if not self._of_address[one.address]:
                del self._of_address[one.address]
        elif not known and one in self._open and one not in self._strangers:
            self._strangers[one] = None
            self._of_address[one.address] += 1

    def _close_one(self, among: Iterable[BoundedProtocol], new: BoundedProtocol, why: str) -> None:
        """Close the first of them on which something is owed, which has been open for longest."""
        owing = (one for one in among if one is not new and one.owes() is not None and not one.transport.is_closing())
        chosen = next(owing, new)
        _log.warning("connection closed to make room", reason=why)
        self.remove(chosen)
        chosen.transport.abort()

    def _sweep_later(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._sweeping is None:
            self._sweeping = loop.call_later(SWEEP_SECONDS, self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """End every connection that has owed something for too long."""
        self._sweeping = None
        for one in tuple(self._open):
            self._end_if_late(one, loop.time())
        if self._open:
            self._sweep_later(loop)

    def _end_if_late(self, one: BoundedProtocol, now: float) -> None:
        match one.look(now):
            case Owes.HEADER:
                late = now - one.owed.since > self._limits.header_seconds
            case Owes.REST:
                late = now - one.owed.since > DRAIN_SECONDS
            case Owes.READING:
                late = now - one.owed.read_at > STALLED_SECONDS
            case Owes.CLOSING:
                late = now - one.owed.read_at > CLOSING_SECONDS
            case Owes.NEXT_REQUEST | Owes.BODY | None:  # uvicorn's and the body's own times
                late = False
        if late:
            one.end()


def note_who(scope: Scope, *, known: bool) -> None:
    """Say whether the request of a scope comes from somebody who is signed in."""
    connection = scope.get("state", {}).get(STATE)
    if isinstance(connection, BoundedProtocol):
        connection.bounds.set_known(connection, known=known)
