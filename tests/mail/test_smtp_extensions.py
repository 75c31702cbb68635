"""RFC 3461, 2920, 1870 and 6531: what a server offers is used as its RFC says; one that lies about it does no harm."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress

import pytest

from mail.handover import Accepted, DeliveryDeferred, Envelope, MailServerUnavailable, OutcomeUnknown, Rejected
from mail.transport import SmtpTransport
from models.errors import InvalidInput
from tests.support.one_message import IMPATIENT, RAW, RECIPIENT, SENDER, server_at
from tests.support.scripted_server import CONTENT, HANG_UP, HEARTBEAT_TIMEOUT, scripted_server

PIPELINING = "PIPELINING"
EXAMPLE = Envelope(SENDER, "a+b=c@district.example.org", envelope_id="d-1+2", report=True)


class TestReports:
    """RFC 3461."""

    async def test_reports_are_asked_for_where_they_are_offered(self) -> None:
        async with scripted_server("DSN") as server, SmtpTransport(server_at(server.port)) as transport:
            await transport.send(RAW, EXAMPLE)
        assert server.commands[1:3] == [
            "MAIL FROM:<notices@provider.test> ENVID=d-1+2B2 RET=HDRS",
            "RCPT TO:<a+b=c@district.example.org> NOTIFY=SUCCESS,FAILURE,DELAY "
            "ORCPT=rfc822;a+2Bb+3Dc@district.example.org",
        ]

    async def test_a_server_that_offers_none_is_not_asked(self) -> None:
        async with scripted_server() as server, SmtpTransport(server_at(server.port)) as transport:
            await transport.send(RAW, EXAMPLE)
        assert server.commands[1:3] == [
            "MAIL FROM:<notices@provider.test>",
            "RCPT TO:<a+b=c@district.example.org>",
        ]

    async def test_no_report_is_asked_for_that_nobody_wants(self) -> None:
        async with scripted_server("DSN") as server, SmtpTransport(server_at(server.port)) as transport:
            await transport.send(RAW, Envelope(SENDER, RECIPIENT))
        assert server.commands[1:3] == [f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{RECIPIENT}>"]


class TestPipelining:
    """RFC 2920."""

    async def test_mail_rcpt_and_data_come_in_one_write_and_the_content_after_354(self) -> None:
        heard: list[bytes] = []

        async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 mail.test\r\n")
            await reader.readuntil(b"\r\n")
            writer.write(b"250-mail.test\r\n250 PIPELINING\r\n")
            heard.append(await reader.readuntil(b"DATA\r\n"))  # it answers nothing before all three are there
            writer.write(b"250 Ok\r\n250 Ok\r\n354 Go ahead\r\n")
            heard.append(await reader.readuntil(b"\r\n.\r\n"))
            writer.write(b"250 2.0.0 Queued\r\n")
            await reader.readuntil(b"QUIT\r\n")
            writer.close()

        server = await asyncio.start_server(converse, "127.0.0.1", 0)
        async with server, SmtpTransport(server_at(server.sockets[0].getsockname()[1])) as transport:
            assert isinstance(await transport.send(RAW, Envelope(SENDER, RECIPIENT)), Accepted)
        assert heard[0] == f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{RECIPIENT}>\r\nDATA\r\n".encode()
        assert heard[1].startswith(b"Subject: notice")

    @pytest.mark.parametrize(
        ("step", "answer", "then"),
        [
            ("RCPT", "550 5.1.1 No such user", "554 5.5.1 No valid recipients"),
            ("RCPT", "550 5.1.1 No such user", "503 5.5.1 RCPT first"),
            ("RCPT", "550 5.1.1 No such user", "354 Go ahead"),
        ],
    )
    async def test_after_a_refused_recipient_the_next_message_goes_to_its_own(
        self, step: str, answer: str, then: str
    ) -> None:
        script = scripted_server(PIPELINING, **{step: [answer], "DATA": [then], CONTENT: ["554 5.5.1 No recipients"]})
        async with script as server, SmtpTransport(server_at(server.port)) as transport:
            assert await transport.send(b"one\r\n", Envelope(SENDER, "one@d.test")) == Rejected(
                550, "5.1.1 No such user"
            )
            server.script.clear()
            assert isinstance(await transport.send(b"two\r\n", Envelope(SENDER, "two@d.test")), Accepted)
            assert server.taken == [("two@d.test", b"two\r\n")]
            assert server.connections == 1

    async def test_a_refused_recipient_whose_content_is_asked_for_all_the_same_gets_nothing_but_the_dot(self) -> None:
        script = scripted_server(PIPELINING, RCPT=["550 5.1.1 No such user"], DATA=["354 Go ahead"])
        async with script as server, SmtpTransport(server_at(server.port)) as transport:
            assert isinstance(await transport.send(RAW, Envelope(SENDER, RECIPIENT)), Rejected)
        assert server.messages == [b""]

    async def test_a_refused_sender_is_everyones_trouble_whatever_follows(self) -> None:
        script = scripted_server(PIPELINING, MAIL=["550 5.7.1 Not you"], RCPT=["503 5.5.1 MAIL first"], DATA=["503 No"])
        async with script as server, SmtpTransport(server_at(server.port)) as transport:
            with pytest.raises(MailServerUnavailable, match=r"sender's address now \(550 5\.7\.1\)"):
                await transport.send(RAW, Envelope(SENDER, RECIPIENT))

    async def test_a_server_that_forgets_what_came_together_is_spoken_to_one_command_at_a_time(self) -> None:
        async with scripted_server(PIPELINING) as server:
            server.forgets = True
            async with SmtpTransport(server_at(server.port, **IMPATIENT)) as transport:
                for number in range(3):
                    sent = await transport.send(b"%d\r\n" % number, Envelope(SENDER, f"r{number}@d.test"))
                    assert isinstance(sent, Accepted)
            assert server.taken == [(f"r{number}@d.test", b"%d\r\n" % number) for number in range(3)]
            assert server.connections == 2

    async def test_a_recipient_that_the_server_is_silent_about_does_not_end_pipelining(self) -> None:
        script = scripted_server(PIPELINING, RCPT=[HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT])
        async with script as server, SmtpTransport(server_at(server.port, **IMPATIENT)) as transport:
            with pytest.raises(DeliveryDeferred, match="says nothing about this recipient"):
                await transport.send(RAW, Envelope(SENDER, RECIPIENT))
            assert isinstance(await transport.send(RAW, Envelope(SENDER, RECIPIENT)), Accepted)

    @pytest.mark.parametrize("offers", [(), (PIPELINING,)])
    @pytest.mark.parametrize("step", ["MAIL", "RCPT", CONTENT])
    async def test_after_a_word_out_of_turn_nothing_more_is_said_over_that_connection(
        self, offers: tuple[str, ...], step: str
    ) -> None:
        """Else the extra word would be taken for the answer about the next message."""
        async with scripted_server(*offers, **{step: ["250 Ok\r\n250 Ok"]}) as server:
            async with SmtpTransport(server_at(server.port)) as transport:
                outcomes: list[type] = []
                for number in range(3):
                    envelope = Envelope(SENDER, f"r{number}@d.test")
                    try:
                        outcomes.append(type(await transport.send(b"%d\r\n" % number, envelope)))
                    except MailServerUnavailable as error:
                        outcomes.append(type(error))
            took = [Accepted] * 3 if step == CONTENT else [MailServerUnavailable, Accepted, Accepted]
            assert outcomes == took
            assert server.taken == [
                (f"r{number}@d.test", b"%d\r\n" % number) for number, outcome in enumerate(took) if outcome is Accepted
            ]


class TestSize:
    """RFC 1870."""

    async def test_a_message_over_the_limit_is_refused_before_it_is_sent(self) -> None:
        async with scripted_server("SIZE 40") as server, SmtpTransport(server_at(server.port)) as transport:
            refused = await transport.send(b"x" * 41, Envelope(SENDER, RECIPIENT))
            assert isinstance(refused, Rejected)
            assert (refused.code, refused.status) == (552, "5.3.4")
            assert "41 bytes" in refused.text
            assert "at most 40" in refused.text
            assert server.steps == ["GREETING", "EHLO"]
            assert isinstance(await transport.send(b"x" * 38 + b"\r\n", Envelope(SENDER, RECIPIENT)), Accepted)
            assert server.commands[1] == f"MAIL FROM:<{SENDER}> SIZE=40"

    @pytest.mark.parametrize("offer", ["SIZE 0", "SIZE", "SIZE big"])
    async def test_a_server_that_names_no_limit_is_given_any_size(self, offer: str) -> None:
        async with scripted_server(offer) as server, SmtpTransport(server_at(server.port)) as transport:
            assert isinstance(await transport.send(b"a line\r\n" * 1_000, Envelope(SENDER, RECIPIENT)), Accepted)

    async def test_a_size_refused_at_mail_is_this_messages_trouble(self) -> None:
        script = scripted_server("SIZE", MAIL=["552 5.3.4 Too big"])
        async with script as server, SmtpTransport(server_at(server.port)) as transport:
            assert await transport.send(RAW, Envelope(SENDER, RECIPIENT)) == Rejected(552, "5.3.4 Too big")


class TestInternationalisedAddresses:
    """RFC 6531."""

    ADDRESS = Envelope(SENDER, "zoë@district.example.org", report=True)

    async def test_one_is_sent_to_where_the_server_takes_it(self) -> None:
        async with scripted_server("SMTPUTF8", "DSN") as server, SmtpTransport(server_at(server.port)) as transport:
            assert isinstance(await transport.send(RAW, self.ADDRESS), Accepted)
        assert server.commands[1:3] == [
            f"MAIL FROM:<{SENDER}> SMTPUTF8 RET=HDRS",
            "RCPT TO:<zoë@district.example.org> NOTIFY=SUCCESS,FAILURE,DELAY "
            r"ORCPT=utf-8;zo\x{EB}@district.example.org",
        ]

    async def test_else_the_refusal_says_what_to_do(self) -> None:
        async with scripted_server() as server, SmtpTransport(server_at(server.port)) as transport:
            refused = await transport.send(RAW, self.ADDRESS)
            assert isinstance(refused, Rejected)
            assert (refused.code, refused.status) == (553, "5.6.7")
            assert re.search("does not offer SMTPUTF8.*Name another address", refused.text)
            assert "MAIL" not in server.steps

    async def test_a_domain_alone_needs_no_such_server(self) -> None:
        async with scripted_server() as server, SmtpTransport(server_at(server.port)) as transport:
            assert isinstance(await transport.send(RAW, Envelope(SENDER, "office@bücher.example")), Accepted)
        assert server.commands[2] == "RCPT TO:<office@xn--bcher-kva.example>"


class TestBeforeTheContent:
    """What is to be written down before the first byte of a message leaves."""

    async def test_it_is_done_once_the_server_waits_for_the_content_and_before_it_has_any(self) -> None:
        async with scripted_server() as server:

            async def begun() -> None:
                assert server.steps[-1] == "DATA"
                assert not server.messages
                server.steps.append("BEGUN")

            async with SmtpTransport(server_at(server.port)) as transport:
                await transport.send(RAW, Envelope(SENDER, RECIPIENT), begun=begun)
            assert server.steps[-4:] == ["DATA", "BEGUN", CONTENT, "QUIT"]

    @pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
    @pytest.mark.parametrize("answer", ["450 4.3.0 Later", "550 5.7.1 No", HANG_UP])
    async def test_it_is_not_done_for_what_is_refused_before(self, step: str, answer: str | None) -> None:
        async def begun() -> None:
            pytest.fail("nothing is under way")

        async with scripted_server(**{step: [answer]}) as server, SmtpTransport(server_at(server.port)) as transport:
            with suppress(MailServerUnavailable):
                assert isinstance(await transport.send(RAW, Envelope(SENDER, RECIPIENT), begun=begun), Rejected)

    async def test_where_it_fails_nothing_is_sent(self) -> None:
        async def begun() -> None:
            raise RuntimeError("the disk is full")

        async with scripted_server() as server, SmtpTransport(server_at(server.port)) as transport:
            with pytest.raises(RuntimeError, match="full"):
                await transport.send(RAW, Envelope(SENDER, RECIPIENT), begun=begun)
            assert not server.messages
            assert isinstance(await transport.send(RAW, Envelope(SENDER, RECIPIENT)), Accepted)


@pytest.mark.parametrize(
    ("text", "queue_id"),
    [
        ("2.0.0 Ok: queued as 4F2A71C3", "4F2A71C3"),
        ("OK id=1qZx3k-0004Qx-2B", "1qZx3k-0004Qx-2B"),
        ("2.0.0 3AJ9xyz012345 Message accepted for delivery", "3AJ9xyz012345"),
        ("2.0.0 OK  1700000000 d2e1a72fcca58-6c4d.34 - gsmtp", "d2e1a72fcca58-6c4d.34"),
        ("2.6.0 <x@example.org> [InternalId=8765432, Hostname=mail.example.org] Queued mail for delivery", "8765432"),
        ("Ok 0100018bd2f-6b2c-4a58-000000", "0100018bd2f-6b2c-4a58-000000"),
        ("2.0.0 Ok", None),
        ("2.0.0 Kept", None),
    ],
)
def test_the_queues_name_is_read_where_the_server_tells_it(text: str, queue_id: str | None) -> None:
    assert Accepted(250, text).queue_id == queue_id


def test_an_envelope_id_is_short_and_ascii() -> None:
    """RFC 3461, 4.4."""
    for envelope_id in ("x" * 101, "é", "a\r\nb"):
        with pytest.raises(InvalidInput):
            Envelope(SENDER, RECIPIENT, envelope_id=envelope_id)


async def test_what_a_server_says_cannot_steer_a_terminal() -> None:
    script = scripted_server(CONTENT=["250 2.0.0 \x1b[31mQueued"])
    async with script as server, SmtpTransport(server_at(server.port)) as transport:
        assert await transport.send(RAW, Envelope(SENDER, RECIPIENT)) == Accepted(250, "2.0.0 [31mQueued")


async def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    script = scripted_server(CONTENT=["250-" + "x" * 70_000])
    async with script as server, SmtpTransport(server_at(server.port)) as transport:
        with pytest.raises(OutcomeUnknown):
            await transport.send(RAW, Envelope(SENDER, RECIPIENT))
