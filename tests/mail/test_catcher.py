"""The catcher keeps every message as it came, whole, under a name that names nobody."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mail.catcher import Catcher, start_catcher
from mail.compose import compose
from mail.handover import Accepted, DeliveryDeferred, Envelope, MailServerUnavailable
from mail.smtp_server import Security, SmtpServer
from mail.transport import SmtpTransport
from tests.support.sample_notices import ADDRESSING, CONFIRMED_NOTICE, SUPPLEMENT

ENVELOPE = Envelope(ADDRESSING.sender.email, ADDRESSING.to[0].email)


@pytest.fixture
async def catcher(tmp_path: Path) -> AsyncIterator[Catcher]:
    running = await start_catcher(tmp_path / "mail")
    yield running
    await running.stop()


def transport_to(catcher: Catcher, connections: int = 1) -> SmtpTransport:
    return SmtpTransport(
        SmtpServer(
            host=catcher.host,
            port=catcher.port,
            security=Security.NONE,
            client_name="localhost",
            connections=connections,
        )
    )


async def test_messages_are_kept_byte_for_byte_in_the_order_they_came(catcher: Catcher, tmp_path: Path) -> None:
    notices = [compose(facts, ADDRESSING).raw for facts in (CONFIRMED_NOTICE, SUPPLEMENT, CONFIRMED_NOTICE)]
    async with transport_to(catcher) as transport:
        for raw in notices:
            assert isinstance(await transport.send(raw, ENVELOPE), Accepted)
    kept = sorted((tmp_path / "mail").iterdir())
    assert [file.read_bytes() for file in kept] == notices
    assert all(re.fullmatch(r"\d{8}T\d{6}\.\d{6}Z-\d{6}\.eml", file.name) for file in kept)


@pytest.mark.parametrize(
    "raw", [b".\r\n", b"..\r\n.\r\n\r\n", b"one.\r\n.two.\r\nthree..\r\n", b"\r\n", b"x" * 5000 + b".\r\n"]
)
async def test_dots_at_either_end_of_a_line_are_kept(catcher: Catcher, tmp_path: Path, raw: bytes) -> None:
    async with transport_to(catcher) as transport:
        await transport.send(raw, ENVELOPE)
    assert [file.read_bytes() for file in (tmp_path / "mail").iterdir()] == [raw]


async def test_messages_from_many_connections_are_all_kept(catcher: Catcher, tmp_path: Path) -> None:
    raw = compose(CONFIRMED_NOTICE, ADDRESSING).raw
    async with transport_to(catcher, connections=4) as transport:
        await asyncio.gather(*(transport.send(raw, ENVELOPE) for _ in range(40)))
    assert [file.read_bytes() for file in (tmp_path / "mail").iterdir()] == [raw] * 40


async def test_the_answer_names_the_kept_file(catcher: Catcher, tmp_path: Path) -> None:
    async with transport_to(catcher) as transport:
        answer = await transport.send(b"Subject: x\r\n\r\nx\r\n", ENVELOPE)
    (kept,) = (tmp_path / "mail").iterdir()
    assert answer == Accepted(250, f"2.0.0 Kept as {kept.name}")


@pytest.mark.skipif(os.name == "nt", reason="folders can be removed while in use on POSIX only")
async def test_a_message_that_cannot_be_kept_is_not_accepted(catcher: Catcher, tmp_path: Path) -> None:
    (tmp_path / "mail").rmdir()
    async with transport_to(catcher) as transport:
        with pytest.raises(DeliveryDeferred, match=r"452 4\.3\.1"):
            await transport.send(b"Subject: x\r\n\r\nx\r\n", ENVELOPE)


async def test_nothing_of_the_conversation_is_logged(catcher: Catcher, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with transport_to(catcher) as transport:
            await transport.send(b"Subject: x\r\n\r\nx\r\n", ENVELOPE)
    assert "@" not in caplog.text


async def test_stopping_hangs_up_and_frees_the_port(tmp_path: Path) -> None:
    catcher = await start_catcher(tmp_path)
    async with transport_to(catcher) as transport:
        await transport.send(b"Subject: x\r\n\r\nx\r\n", ENVELOPE)
        await catcher.stop()
        with pytest.raises(MailServerUnavailable):
            await transport.send(b"Subject: x\r\n\r\nx\r\n", ENVELOPE)
    again = await start_catcher(tmp_path, port=catcher.port)
    assert again.port == catcher.port
    await again.stop()


async def test_a_taken_port_is_an_error(catcher: Catcher, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="address already in use"):
        await start_catcher(tmp_path, port=catcher.port)
