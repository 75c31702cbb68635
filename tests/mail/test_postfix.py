"""A real relay: Postfix takes, defers and refuses notices, reports on them, and hands the right ones on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from uuid import uuid4

import pytest

from mail.handover import Accepted, DeliveryDeferred, Envelope, Rejected, SendResult
from mail.transport import SmtpTransport
from tests.support.certificates import self_signed
from tests.support.postfix import SIZE_LIMIT, Postfix, needs_postfix, postfix
from tests.support.scripted_server import ScriptedServer, scripted_server

pytestmark = [pytest.mark.long, needs_postfix]


@dataclass(frozen=True)
class Relay:
    """Postfix, and the server that it hands on to."""

    postfix: Postfix
    beyond: ScriptedServer
    sender: str

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what arrives beyond the relay."""
        while not condition():
            self.beyond.arrived.clear()
            await self.beyond.arrived.wait()

    async def report(self) -> bytes:
        """The report that goes back to the sender."""
        await self.until(lambda: any(recipient == self.sender for recipient, _ in self.beyond.taken))
        return next(content for recipient, content in self.beyond.taken if recipient == self.sender)

    async def give(self, transport: SmtpTransport, name: str, size: int = 0) -> SendResult | DeliveryDeferred:
        envelope = Envelope(self.sender, f"{name}@d.test", f"id+{ascii(name)[1:-1]}", report=True)
        try:
            return await transport.send(message(name, size), envelope)
        except DeliveryDeferred as deferred:
            return deferred


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Postfix, ScriptedServer]]:
    async with scripted_server() as beyond, postfix(self_signed(tmp_path_factory.mktemp("tls")), beyond.port) as relay:
        yield relay, beyond


@pytest.fixture
def relay(running: tuple[Postfix, ScriptedServer]) -> Relay:
    """The one relay, for a sender of its own, to whom nobody else's reports go."""
    return Relay(*running, f"{uuid4()}@provider.test")


def message(name: str, size: int = 0) -> bytes:
    head = ("From: notices@provider.test", f"To: {name}@d.test", f"Subject: for {name}", f"Message-ID: <{name}@x.test>")
    return "\r\n".join((*head, "", "")).encode() + b"A line of a notice that is long.\r\n" * (1 + size // 34)


async def test_each_answer_is_the_right_ones_over_one_pipelined_connection(relay: Relay) -> None:
    names = ["one", "gone", "two", "full", "gone", "three"]
    async with SmtpTransport(relay.postfix.server()) as transport:
        answers = [await relay.give(transport, name) for name in names]
    assert [type(answer) for answer in answers] == [Accepted, Rejected, Accepted, DeliveryDeferred, Rejected, Accepted]

    taken = [answer for answer in answers if isinstance(answer, Accepted)]
    log = relay.postfix.log.read_text()
    for answer in taken:
        assert (answer.code, answer.status) == (250, "2.0.0")
        assert answer.queue_id
        assert f"{answer.queue_id}: client=" in log
        assert answer.tls is not None
        assert (answer.tls.version, answer.tls.certificate) == ("TLSv1.3", "mail.test")
    assert len({answer.queue_id for answer in taken}) == 3
    assert isinstance(answers[1], Rejected)
    assert (answers[1].code, answers[1].status) == (550, "5.1.1")
    assert isinstance(answers[3], DeliveryDeferred)
    assert answers[3].reply is not None
    assert (answers[3].reply.code, answers[3].reply.status) == (452, "4.2.2")
    assert "d.test" not in str(answers[3])

    expected = {f"{name}@d.test": name for name in ("one", "two", "three")}
    await relay.until(lambda: {recipient for recipient, _ in relay.beyond.taken} >= expected.keys())
    for recipient, content in relay.beyond.taken:
        assert recipient not in expected or f"Subject: for {expected[recipient]}\r\n".encode() in content
    assert not {"gone@d.test", "full@d.test"}.intersection(recipient for recipient, _ in relay.beyond.taken)


async def test_a_success_is_reported_with_the_name_that_the_envelope_gave(relay: Relay) -> None:
    """RFC 3461, 5 and 6; RFC 3464, 2.2.1: what is handed on to a server that reports nothing is "relayed"."""
    async with SmtpTransport(relay.postfix.server()) as transport:
        assert isinstance(await relay.give(transport, "one"), Accepted)
    report = _report(await relay.report())
    assert report["Original-Envelope-Id"] == "id+one"
    assert report["Original-Recipient"] == "rfc822;one@d.test"
    assert report["Action"] == "relayed"


async def test_a_bounce_is_reported_with_the_headers_alone(relay: Relay) -> None:
    relay.beyond.script["RCPT"] = ["550 5.1.1 Unknown beyond"]
    async with SmtpTransport(relay.postfix.server()) as transport:
        assert isinstance(await relay.give(transport, "one"), Accepted)
    raw = await relay.report()
    report = _report(raw)
    assert (report["Original-Envelope-Id"], report["Action"], report["Status"]) == ("id+one", "failed", "5.1.1")
    assert b"Subject: for one" in raw
    assert b"A line of a notice" not in raw  # RET=HDRS


def _report(raw: bytes) -> dict[str, str]:
    """The fields of a delivery report, of the message and of its one recipient (RFC 3464)."""
    parsed = message_from_bytes(raw, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    (status,) = (part for part in parsed.walk() if part.get_content_type() == "message/delivery-status")
    return {name: str(value) for group in status.get_payload() for name, value in group.items()}  # type: ignore[union-attr]


async def test_a_message_over_the_relays_limit_is_refused_before_it_is_sent(relay: Relay) -> None:
    async with SmtpTransport(relay.postfix.server()) as transport:
        refused = await relay.give(transport, "one", SIZE_LIMIT)
        assert isinstance(refused, Rejected)
        assert (refused.code, refused.status) == (552, "5.3.4")
        assert isinstance(await relay.give(transport, "two"), Accepted)
    assert "too big" not in relay.postfix.log.read_text()


async def test_an_internationalised_address_is_taken(relay: Relay) -> None:
    async with SmtpTransport(relay.postfix.server()) as transport:
        assert isinstance(await relay.give(transport, "zoë"), Accepted)


async def test_many_over_a_few_connections_all_arrive_once(relay: Relay) -> None:
    names = [f"n{number}" for number in range(60)]
    async with SmtpTransport(relay.postfix.server(connections=4, domain_connections=4)) as transport:
        answers = await asyncio.gather(*(relay.give(transport, name) for name in names))
    assert all(isinstance(answer, Accepted) for answer in answers)
    expected = {f"{name}@d.test": f"Subject: for {name}\r\n".encode() for name in names}
    await relay.until(lambda: {recipient for recipient, _ in relay.beyond.taken} >= expected.keys())
    arrived = [(recipient, raw) for recipient, raw in relay.beyond.taken if recipient in expected]
    assert len(arrived) == len(expected)
    assert all(expected[recipient] in raw for recipient, raw in arrived)
