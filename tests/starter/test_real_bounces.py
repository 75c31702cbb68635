"""What a real Postfix sends back reopens a duty, as it writes it and to where it was asked to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from config.keyring import Keyring
from mail.catcher import serve
from models.enums import DeliveryStatus, ReportKind
from starter.bounces import Taken
from starter.rehearsals.virtual_time import VirtualEngine, virtual_engine
from tests.support.bounced import BOUNCES, Told, tell
from tests.support.certificates import self_signed
from tests.support.incidents import QUIET, only_notice
from tests.support.postfix import needs_postfix, postfix

pytestmark = [pytest.mark.long, needs_postfix]


@dataclass
class NextServer:
    """The server that the relay hands on to: it knows no office, and keeps what returns to us."""

    returned: asyncio.Queue[tuple[str, bytes]] = field(default_factory=asyncio.Queue)

    async def handle_RCPT(  # noqa: N802 (aiosmtpd's)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("office@"):
            return "550 5.1.1 No such mailbox here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Known"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 (aiosmtpd's)
        assert isinstance(envelope.original_content, bytes)
        if envelope.rcpt_tos[0].startswith("bounces+"):
            self.returned.put_nowait((envelope.rcpt_tos[0], envelope.original_content))
        return "250 2.0.0 Taken"

    async def next(self) -> tuple[str, bytes]:
        """What returns next: to where, and the message."""
        return await asyncio.wait_for(self.returned.get(), timeout=60)


@asynccontextmanager
async def relayed(keyring: Keyring, folder: Path) -> AsyncIterator[tuple[VirtualEngine, NextServer]]:
    """An engine whose notices go to a real relay, and what the relay hands on to."""
    following = NextServer()
    catcher = await serve(following)
    try:
        async with postfix(self_signed(folder), catcher.port) as relay:
            smtp = {"host": "127.0.0.1", "port": relay.port, "security": "none"}
            overrides = QUIET | {"release": "immediate", "bounces": {"address": BOUNCES}, "smtp": smtp}
            async with virtual_engine(folder / "engine", keyring=keyring, overrides=overrides) as engine:
                yield engine, following
    finally:
        await catcher.stop()


async def test_postfix_returns_a_refused_notice_and_reports_the_delivered_one(keyring: Keyring, tmp_path: Path) -> None:
    async with relayed(keyring, tmp_path) as (engine, following):
        told = await tell(engine, "ME-100")
        address, raw = await following.next()
        assert address == told.return_path
        assert f"Original-Envelope-Id: {told.envelope_id}".encode() in raw
        assert b"The notice" not in raw, "RET=HDRS: the message itself does not travel back"
        await _take(told, raw, address)
        assert told.outbox[0] == (told.office, DeliveryStatus.BOUNCED)
        assert told.outbox[1] == (told.deputy, DeliveryStatus.ACCEPTED)
        address, raw = await following.next()
        await _take(told, raw, address)
        office, deputy = only_notice(told.duty).deliveries
        assert [(report.kind, report.status) for report in office.reports] == [(ReportKind.FAILED, "5.1.1")]
        assert "No such mailbox here" in (office.reports[0].says or "")
        assert [report.kind for report in deputy.reports] == [ReportKind.RELAYED], "the next server offers no DSN"


async def _take(told: Told, raw: bytes, address: str) -> Taken:
    taken = await told.intake().take_mail(raw, "lmtp", [address])
    await told.engine.settle(told.case_id)
    return taken
