"""The ways by which a worker takes in what comes back: a mailbox over IMAP, and LMTP from the local mail server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from config.logging import get_logger
from config.settings import Settings
from mail.bounce_lmtp import serve_lmtp
from mail.bounce_mailbox import BROKEN, BounceMailbox, ImapServer
from mail.smtp_server import Security
from models.errors import ConfigurationError, Unavailable
from records.bounces import StillUnderWay
from starter.bounces import BounceIntake

_log = get_logger("bounces")

POLL_SECONDS = 60.0
"""How often the mailbox is looked at, also where its server tells of what comes by itself.

A server may tell of a message in its answer to any command (RFC 9051, section 7.4.1), and tells of it once: what comes
between the last search and IDLE would otherwise lie there until something else comes. It is also far sooner than
firewalls drop what is silent (RFC 2177 says 29 minutes).
"""

LISTEN_SECONDS = 2.0
"""How long one call listens for what comes: as long as a stop takes at most."""

AFTER_A_FAILURE = (5.0, 15.0, 60.0, 300.0)
"""How long to wait before the mailbox is opened anew, each time; the last one stays."""


def imap_server(settings: Settings) -> ImapServer | None:
    """The server of the mailbox that notices return to, if one is named."""
    named = settings.bounces
    if named.imap_host is None:
        return None
    return ImapServer(
        host=named.imap_host,
        port=named.imap_port,
        security=Security(named.imap_security),
        username=named.imap_username,
        password=named.imap_password,
        folder=named.imap_folder,
        ca_file=named.imap_ca_file,
    )


async def empty_mailbox(intake: BounceIntake, mailbox: BounceMailbox) -> tuple[int, int]:
    """Record what is in the mailbox; return how many messages were put away, and how many have to wait."""
    done, left = 0, set[int]()
    while uids := [uid for uid in await asyncio.to_thread(mailbox.waiting) if uid not in left]:
        for uid in uids:
            raw = await asyncio.to_thread(mailbox.fetch, uid)
            try:
                taken = await intake.take_mail(raw, "imap")
            except StillUnderWay:
                left.add(uid)
                continue
            await asyncio.to_thread(mailbox.put_away, uid, ours=not taken.foreign)
            done += 1
    return done, len(left)


async def read_mailbox_once(intake: BounceIntake, server: ImapServer) -> tuple[int, int]:
    """As ``empty_mailbox``, over a connection of its own.

    Raises:
        Unavailable: the mailbox cannot be read at present; what was recorded stays so.
    """
    mailbox = await asyncio.to_thread(BounceMailbox.open, server)
    try:
        return await empty_mailbox(intake, mailbox)
    except BROKEN as error:
        raise Unavailable(
            f"The connection to the mailbox broke ({type(error).__name__}).", next_step="Try again."
        ) from None
    finally:
        await asyncio.to_thread(mailbox.close)


@asynccontextmanager
async def taking_bounces(intake: BounceIntake, settings: Settings) -> AsyncIterator[None]:
    """Take in what comes back by the ways that the settings name, until this is left.

    Raises:
        ConfigurationError: LMTP cannot be served where the settings say.
    """
    server, where = imap_server(settings), settings.bounces.lmtp
    lmtp = await _serve(intake, where) if where else None
    watching = asyncio.create_task(_watch(intake, server)) if server else None
    try:
        yield
    finally:
        if lmtp:
            lmtp.close()
        if watching:
            watching.cancel()
            await asyncio.wait([watching])


async def _serve(intake: BounceIntake, where: str) -> asyncio.Server:
    async def take(raw: bytes, address: str) -> str:
        try:
            taken = await intake.take_mail(raw, "lmtp", [address])
        except StillUnderWay:
            return "451 4.3.0 Too soon; try again later"
        return "550 5.1.1 No message was sent from there" if taken.foreign else "250 2.0.0 Recorded"

    try:
        return await serve_lmtp(where, intake.is_ours, take)
    except OSError as error:
        raise ConfigurationError(
            f"LMTP cannot be served: {error.strerror}.", where=where, next_step="Name another place in the settings."
        ) from None


async def _watch(intake: BounceIntake, server: ImapServer) -> None:
    """Read the mailbox for ever; what goes wrong is logged, and tried again."""
    failures = 0
    while True:
        mailbox: BounceMailbox | None = None
        try:
            mailbox = await asyncio.to_thread(BounceMailbox.open, server)
            while True:
                await empty_mailbox(intake, mailbox)
                failures = 0
                await _wait(mailbox)
        except (*BROKEN, Unavailable) as error:
            _log.warning("mailbox of bounces not read", error=type(error).__name__)
        except Exception as error:  # as where the database is away: this must go on once it is back
            _log.error("bounces not recorded", error=type(error).__name__)
        finally:
            if mailbox:
                await asyncio.to_thread(mailbox.close)
        await asyncio.sleep(AFTER_A_FAILURE[min(failures, len(AFTER_A_FAILURE) - 1)])
        failures += 1


async def _wait(mailbox: BounceMailbox) -> None:
    """Wait until the server tells of something, or it is time to look."""
    if not mailbox.can_idle:
        await asyncio.sleep(POLL_SECONDS)
        return
    await asyncio.to_thread(mailbox.begin_idle)
    loop = asyncio.get_running_loop()
    until = loop.time() + POLL_SECONDS
    while loop.time() < until:
        if await asyncio.to_thread(mailbox.heard, LISTEN_SECONDS):
            break
    await asyncio.to_thread(mailbox.end_idle)
