"""RFC 5321 as notices need it: accepted, rejected, not sent, or not known, over real sockets."""

from __future__ import annotations

import asyncio
import socket

import pytest
from pydantic import ValidationError

from mail.handover import (
    Accepted,
    DeliveryDeferred,
    Envelope,
    MailServerUnavailable,
    OutcomeUnknown,
    Rejected,
    SendResult,
)
from mail.smtp_server import Security, SmtpServer
from mail.transport import SmtpTransport
from models.errors import InvalidInput
from tests.support.one_message import ENVELOPE, IMPATIENT, RAW, RECIPIENT, SENDER, server_at
from tests.support.scripted_server import CONTENT, HANG_UP, HEARTBEAT_TIMEOUT, ScriptedServer, scripted_server


async def send_once(scripted: ScriptedServer, **changes: object) -> SendResult:
    async with SmtpTransport(server_at(scripted.port, **changes)) as transport:
        return await transport.send(RAW, ENVELOPE)


async def test_an_accepted_message_carries_the_servers_answer() -> None:
    async with scripted_server() as server:
        assert await send_once(server) == Accepted(250, "2.0.0 Queued")
        assert server.steps == ["GREETING", "EHLO", "MAIL", "RCPT", "DATA", "CONTENT", "QUIT"]


async def test_leading_dots_are_doubled_on_the_wire() -> None:
    async with scripted_server() as server:
        await send_once(server)
        assert server.messages == [RAW.replace(b"\r\n.a", b"\r\n..a")]


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        ("RCPT", "550 5.1.1 No such user"),
        ("RCPT", "554 5.7.1 Relay access denied"),
        ("DATA", "554 5.5.1 No valid recipients"),
        (CONTENT, "552 5.3.4 Message too big"),
        (CONTENT, "554 5.7.1 Refused by policy"),
    ],
)
async def test_a_permanent_refusal_of_this_message_is_a_rejection(step: str, answer: str) -> None:
    async with scripted_server(**{step: [answer]}) as server:
        assert await send_once(server) == Rejected(int(answer[:3]), answer[4:])


async def test_after_a_rejection_the_connection_carries_the_next_message() -> None:
    async with scripted_server(RCPT=["550 5.1.1 No such user"]) as server:
        async with SmtpTransport(server_at(server.port)) as transport:
            assert isinstance(await transport.send(RAW, ENVELOPE), Rejected)
            assert isinstance(await transport.send(RAW, ENVELOPE), Accepted)
        assert server.connections == 1
        assert "RSET" in server.steps


@pytest.mark.parametrize(
    ("step", "answer"),
    [("RCPT", "450 4.2.0 Greylisted"), ("DATA", "451 4.3.0 Later"), (CONTENT, "452 4.3.1 No space")],
)
async def test_a_passing_refusal_defers_this_message_only(step: str, answer: str) -> None:
    async with scripted_server(**{step: [answer]}) as server, SmtpTransport(server_at(server.port)) as transport:
        with pytest.raises(DeliveryDeferred, match=answer[:9]):
            await transport.send(RAW, ENVELOPE)
        assert isinstance(await transport.send(RAW, ENVELOPE), Accepted)
        assert server.connections == 1


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        ("GREETING", "421 4.3.2 Closing"),
        ("GREETING", "554 No service here"),
        ("GREETING", HEARTBEAT_TIMEOUT),
        ("GREETING", HANG_UP),
        ("EHLO", "550 Go away"),
        ("EHLO", HANG_UP),
        ("MAIL", "421 4.7.0 Too many messages"),
        ("MAIL", "450 4.7.1 Slow down"),
        ("MAIL", "530 5.7.0 Authentication required"),
        ("MAIL", "550 5.7.1 Sender not allowed"),
        ("MAIL", HANG_UP),
        ("MAIL", HEARTBEAT_TIMEOUT),
        ("MAIL", "not an answer"),
        ("RCPT", "421 4.3.2 Closing"),
        ("RCPT", "503 5.5.1 Bad sequence"),
        ("RCPT", HANG_UP),
        ("DATA", "421 4.3.2 Closing"),
        ("DATA", "250 What?"),
        ("DATA", HANG_UP),
        (CONTENT, "421 4.3.2 Closing"),
    ],
)
async def test_what_is_lost_before_the_content_or_refused_to_everyone_was_not_sent(
    step: str, answer: str | None
) -> None:
    async with scripted_server(**{step: [answer]}) as server:
        with pytest.raises(MailServerUnavailable, match=r"mail server 127\.0\.0\.1.*Nothing was sent") as caught:
            await send_once(server, **IMPATIENT if answer == HEARTBEAT_TIMEOUT else {})
        assert not isinstance(caught.value, DeliveryDeferred)
        assert len(server.messages) == (step == CONTENT)


@pytest.mark.parametrize("step", ["RCPT", "DATA"])
async def test_a_silence_about_this_recipient_defers_this_message_only(step: str) -> None:
    script = scripted_server(**{step: [HEARTBEAT_TIMEOUT]})
    async with script as server, SmtpTransport(server_at(server.port, **IMPATIENT)) as transport:
        with pytest.raises(DeliveryDeferred, match="says nothing about this recipient"):
            await transport.send(RAW, ENVELOPE)
        assert isinstance(await transport.send(RAW, ENVELOPE), Accepted)


@pytest.mark.parametrize("answer", [HANG_UP, HEARTBEAT_TIMEOUT, "not an answer", "354 What?"])
async def test_an_answer_lost_after_the_content_is_an_unknown_outcome(answer: str | None) -> None:
    async with scripted_server(CONTENT=[answer]) as server:
        with pytest.raises(OutcomeUnknown, match="same Message-ID"):
            await send_once(server, **IMPATIENT if answer == HEARTBEAT_TIMEOUT else {})
        assert len(server.messages) == 1


async def test_a_connection_cut_while_the_content_is_under_way_is_an_unknown_outcome() -> None:
    async def cut_short(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in ("220 mail.test", "250 mail.test", "250 Ok", "250 Ok", "354 Go ahead"):
            writer.write(answer.encode() + b"\r\n")
            await reader.readline()
        writer.transport.abort()

    server = await asyncio.start_server(cut_short, "127.0.0.1", 0)
    async with server, SmtpTransport(server_at(server.sockets[0].getsockname()[1])) as transport:
        with pytest.raises(OutcomeUnknown):
            await transport.send(RAW * 200_000, ENVELOPE)


async def test_after_an_unknown_outcome_the_next_message_goes_over_a_new_connection() -> None:
    async with scripted_server(CONTENT=[HANG_UP]) as server, SmtpTransport(server_at(server.port)) as transport:
        with pytest.raises(OutcomeUnknown):
            await transport.send(RAW, ENVELOPE)
        assert isinstance(await transport.send(RAW, ENVELOPE), Accepted)
        assert server.connections == 2


async def test_a_connection_is_used_again() -> None:
    async with scripted_server() as server, SmtpTransport(server_at(server.port)) as transport:
        for _ in range(3):
            await transport.send(RAW, ENVELOPE)
        assert server.connections == 1


async def test_a_connection_that_the_server_closed_while_idle_is_made_anew() -> None:
    async with scripted_server() as server, SmtpTransport(server_at(server.port)) as transport:
        await transport.send(RAW, ENVELOPE)
        await server.hang_up()
        assert isinstance(await transport.send(RAW, ENVELOPE), Accepted)
        assert server.connections == 2


@pytest.mark.parametrize("farewell", ["421 4.7.0 Too many messages on this connection", HANG_UP])
async def test_a_used_connection_that_dies_before_the_content_is_replaced_at_once(farewell: str | None) -> None:
    async with scripted_server() as server, SmtpTransport(server_at(server.port)) as transport:
        await transport.send(RAW, ENVELOPE)
        server.script["MAIL"] = [farewell]
        assert isinstance(await transport.send(RAW, ENVELOPE), Accepted)
        assert (server.connections, len(server.messages)) == (2, 2)


async def test_a_connection_idle_for_too_long_is_made_anew() -> None:
    async with scripted_server() as server, SmtpTransport(server_at(server.port, idle_limit=1e-9)) as transport:
        await transport.send(RAW, ENVELOPE)
        await transport.send(RAW, ENVELOPE)
        assert server.connections == 2


async def test_many_tasks_share_a_few_connections() -> None:
    async with (
        scripted_server() as server,
        SmtpTransport(server_at(server.port, connections=3, domain_connections=3)) as transport,
    ):
        answers = await asyncio.gather(*(transport.send(RAW, ENVELOPE) for _ in range(30)))
        assert all(isinstance(answer, Accepted) for answer in answers)
        assert (server.connections, len(server.messages)) == (3, 30)


async def test_a_cancelled_send_leaves_the_transport_usable() -> None:
    async with scripted_server(CONTENT=[HEARTBEAT_TIMEOUT]) as server:
        async with SmtpTransport(server_at(server.port)) as transport:
            sending = asyncio.create_task(transport.send(RAW, ENVELOPE))
            await server.arrived.wait()
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            assert isinstance(await transport.send(RAW, ENVELOPE), Accepted)
        assert server.connections == 2


async def test_nobody_listening_is_said_with_the_place_and_what_to_check() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        transport = SmtpTransport(server_at(port))
        with pytest.raises(MailServerUnavailable, match=rf"mail server 127.0.0.1:{port}: .* Check the SMTP host"):
            await transport.send(RAW, ENVELOPE)


@pytest.mark.parametrize("step", ["MAIL", "RCPT", CONTENT])
async def test_errors_do_not_repeat_addresses_that_the_server_names(step: str) -> None:
    async with scripted_server(**{step: [f"451 4.7.1 {RECIPIENT} not now"]}) as server:
        with pytest.raises(MailServerUnavailable) as caught:
            await send_once(server)
        assert "@" not in str(caught.value)
        assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "address",
    [
        "a@b.test>\r\nRCPT TO:<c@d.test",
        "a b@c.test",
        "no-at-sign",
        "a@",
        "@b.test",
        "<a@b.test>",
        "a..b@c.test",
        "a\u202eb@c.test",
        "a\u00a0b@c.test",
        "\N{GREEK SMALL LETTER ALPHA}" * 33 + "@c.test",
        "a@-é-.test",
    ],
)
async def test_an_address_that_is_none_is_refused_without_repeating_it(address: str) -> None:
    transport = SmtpTransport(server_at(1))
    for sender, recipient in ((address, RECIPIENT), (SENDER, address)):
        with pytest.raises(InvalidInput) as caught:
            await transport.send(RAW, Envelope(sender, recipient))
        assert address not in str(caught.value)


def test_a_password_is_not_sent_unprotected_over_a_network() -> None:
    with pytest.raises(ValidationError, match="unprotected"):
        SmtpServer(host="mail.example.org", port=587, security=Security.NONE, username="u")
