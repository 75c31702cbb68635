"""Whatever a mail server does, each send has one outcome, and what is said of it is true."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from mail.handover import Accepted, Envelope, MailServerUnavailable, OutcomeUnknown, Rejected
from mail.transport import SmtpTransport
from tests.support.one_message import SENDER, server_at
from tests.support.scripted_server import CONTENT, HANG_UP, HEARTBEAT_TIMEOUT, ScriptedServer, scripted_server

MESSAGES = 5

_REFUSALS = [
    "421 4.3.2 Closing",
    "450 4.2.0 Later",
    "452 4.2.2 Full",
    "503 5.5.1 Order",
    "550 5.1.1 None",
    "554 5.7.1 No",
]
_FAULTS = [
    *_REFUSALS,
    HANG_UP,
    HEARTBEAT_TIMEOUT,
    "nonsense",
    "354 Go on",
    "250 Ok",
    "250 Ok\r\n250 Ok",
    "200-\r\n250 Ok",
]
_USUAL = {"MAIL": "250 2.1.0 Ok", "RCPT": "250 2.1.5 Ok", "DATA": "354 Go ahead", CONTENT: "250 2.0.0 Queued"}

scripts = st.fixed_dictionaries(
    {
        "GREETING": st.lists(st.sampled_from(["220 mail.test", "421 4.3.2 Busy", "554 No", HANG_UP]), max_size=3),
        **{
            step: st.lists(st.one_of(st.just(usual), st.just(usual), st.sampled_from(_FAULTS)), max_size=6)
            for step, usual in _USUAL.items()
        },
        "RSET": st.lists(st.sampled_from(["250 Ok", "250 Ok", "500 What?", HANG_UP, "421 Bye"]), max_size=3),
    }
)
extensions = st.lists(st.sampled_from(["PIPELINING", "DSN", "SIZE 1000", "SMTPUTF8"]), unique=True)


@dataclass
class Told:
    """What the transport said of each message, by its recipient."""

    accepted: set[str] = field(default_factory=set)
    not_sent: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    begun: set[str] = field(default_factory=set)


async def send_all(server: ScriptedServer, connections: int) -> Told:
    told = Told()

    async def send(recipient: str) -> None:
        async def begun() -> None:
            told.begun.add(recipient)

        envelope = Envelope(SENDER, recipient, envelope_id="d-1", report=True)
        try:
            match await transport.send(f"for {recipient}\r\n".encode(), envelope, begun=begun):
                case Accepted():
                    told.accepted.add(recipient)
                case Rejected():
                    told.not_sent.add(recipient)
        except MailServerUnavailable:
            told.not_sent.add(recipient)
        except OutcomeUnknown:
            told.unknown.add(recipient)

    limits = {"timeout": 0.05, "data_timeout": 0.05, "patience": 0.01, "domain_connections": connections}
    async with SmtpTransport(server_at(server.port, connections=connections, **limits)) as transport:
        await asyncio.gather(*(send(f"r{number}@d.test") for number in range(MESSAGES)))
    return told


@settings(max_examples=60, deadline=None)
@given(scripts, extensions, st.booleans(), st.integers(1, 2))
def test_every_send_has_one_outcome_and_it_is_true(
    script: dict[str, list[str | None]], offers: list[str], forgets: bool, connections: int
) -> None:
    async def play() -> tuple[ScriptedServer, Told]:
        async with scripted_server(*offers, **script) as server:
            server.forgets = forgets
            return server, await send_all(server, connections)

    server, told = asyncio.run(play())
    everybody = {f"r{number}@d.test" for number in range(MESSAGES)}
    assert told.accepted | told.not_sent | told.unknown == everybody
    assert len(told.accepted) + len(told.not_sent) + len(told.unknown) == MESSAGES

    given = [message for message in server.messages if message]
    taken = [(recipient, message) for recipient, message in server.taken if message]
    assert all(message == f"for {recipient}\r\n".encode() for recipient, message in taken), "somebody else's message"
    took = {recipient for recipient, _ in taken}
    assert told.accepted <= took, "what was accepted was taken"
    assert told.not_sent.isdisjoint(took), "what was not sent was not taken"
    assert len(given) == len(set(given)), "no message is given twice"
    assert {message.decode().removeprefix("for ").strip() for message in given} <= told.begun, "begun, then given"
