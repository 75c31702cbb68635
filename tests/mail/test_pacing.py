"""One recipient's trouble is his own: a slow or silent server costs one connection for a bounded time."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import pytest

from mail.handover import Accepted, DeliveryDeferred, Envelope, OutcomeUnknown, SendResult
from mail.pacing import Pacing
from mail.transport import SmtpTransport
from tests.support.one_message import RAW, SENDER, server_at
from tests.support.scripted_server import ScriptedServer, scripted_server

AT_ONCE = {"patience": 0.001}
"""Every answer that does not come at once is long in coming."""


def to(recipient: str) -> Envelope:
    return Envelope(SENDER, recipient)


def hold(server: ScriptedServer, *recipients: str) -> None:
    """Let the server take these recipients' messages, and say nothing about them for now."""
    for recipient in recipients:
        server.held[recipient] = asyncio.Event()


async def until_given(server: ScriptedServer, count: int) -> None:
    while len(server.messages) < count:
        server.arrived.clear()
        await server.arrived.wait()


async def test_nine_silent_recipients_do_not_hold_two_connections() -> None:
    silent = [f"office@silent{number}.test" for number in range(9)]
    async with scripted_server() as server:
        hold(server, *silent)
        async with SmtpTransport(server_at(server.port, connections=2, waiting=9, **AT_ONCE)) as transport:
            waiting = [asyncio.create_task(transport.send(RAW, to(address))) for address in silent]
            await until_given(server, 9)
            for number in range(20):
                assert isinstance(await transport.send(RAW, to(f"office@d{number}.test")), Accepted)
            for event in server.held.values():
                event.set()
            assert all(isinstance(answer, Accepted) for answer in await asyncio.gather(*waiting))
    assert len(server.taken) == 29
    assert server.connections <= 2 + 9


async def test_no_more_are_under_way_than_there_are_connections_and_waiting_ones() -> None:
    recipients = [f"office@silent{number}.test" for number in range(9)]
    begun = 0

    async def begin() -> None:
        nonlocal begun
        begun += 1

    async with scripted_server() as server:
        hold(server, *recipients)
        async with SmtpTransport(server_at(server.port, connections=2, waiting=3, **AT_ONCE)) as transport:
            waiting = [asyncio.create_task(transport.send(RAW, to(address), begun=begin)) for address in recipients]
            await until_given(server, 5)
            for _ in range(100):
                await asyncio.sleep(0)
            assert begun == 5
            for event in server.held.values():
                event.set()
            await asyncio.gather(*waiting)
    assert begun == 9


async def test_what_waits_behind_an_unanswered_message_to_the_same_domain_is_put_off() -> None:
    async with scripted_server() as server:
        hold(server, "one@silent.test")
        async with SmtpTransport(server_at(server.port, connections=1, waiting=1, **AT_ONCE)) as transport:
            first = asyncio.create_task(transport.send(RAW, to("one@silent.test")))
            await until_given(server, 1)
            for recipient in ("two@silent.test", "three@SILENT.test"):
                with pytest.raises(DeliveryDeferred, match="not answered yet for an earlier message"):
                    await transport.send(RAW, to(recipient))
            server.held["one@silent.test"].set()
            assert isinstance(await first, Accepted)
            assert isinstance(await transport.send(RAW, to("two@silent.test")), Accepted)


async def test_a_domain_that_never_answered_is_given_one_message_at_a_time_until_it_answers() -> None:
    async with scripted_server() as server:
        hold(server, "one@silent.test", "two@silent.test")
        limits = {"connections": 1, "domain_connections": 2, "waiting": 2, **AT_ONCE}
        async with SmtpTransport(server_at(server.port, **limits)) as transport:
            first = asyncio.create_task(transport.send(RAW, to("one@silent.test")))
            await until_given(server, 1)
            # There is one connection: this one goes once the first is known to be long in coming.
            assert isinstance(await transport.send(RAW, to("office@other.test")), Accepted)
            await server.hang_up()
            with pytest.raises(OutcomeUnknown):
                await first
            second = asyncio.create_task(transport.send(RAW, to("two@silent.test")))
            await until_given(server, 3)
            with pytest.raises(DeliveryDeferred):
                await transport.send(RAW, to("three@silent.test"))
            await server.hang_up()
            with pytest.raises(OutcomeUnknown):
                await second
            assert isinstance(await transport.send(RAW, to("four@silent.test")), Accepted)
            pair = (transport.send(RAW, to(f"{name}@silent.test")) for name in ("five", "six"))
            assert [type(outcome) for outcome in await asyncio.gather(*pair)] == [Accepted, Accepted]


async def test_one_domain_takes_half_of_the_connections_and_leaves_the_others_theirs() -> None:
    async with scripted_server() as server:
        slow = [f"r{number}@slow.test" for number in range(6)]
        hold(server, *slow)
        async with SmtpTransport(server_at(server.port, connections=4, waiting=0)) as transport:
            waiting = [asyncio.create_task(transport.send(RAW, to(address))) for address in slow]
            await until_given(server, 2)
            for number in range(10):
                assert isinstance(await transport.send(RAW, to(f"office@d{number}.test")), Accepted)
            assert [recipient for recipient, _ in server.taken] == [f"office@d{number}.test" for number in range(10)]
            for event in server.held.values():
                event.set()
            assert all(isinstance(answer, Accepted) for answer in await asyncio.gather(*waiting))


async def test_those_that_wait_for_one_domain_go_in_turn_and_one_that_is_given_up_keeps_nobody_waiting() -> None:
    pacing = Pacing(server_at(25, domain_connections=1))
    went: list[int] = []

    async def go(number: int) -> None:
        async with pacing.turn("d.test"):
            went.append(number)

    async with pacing.turn("D.test"):
        waiting = [asyncio.create_task(go(number)) for number in range(6)]
        await asyncio.sleep(0)
        waiting[3].cancel()
    waiting[0].cancel()  # its turn has come, and it has not taken it yet
    await asyncio.gather(*waiting, return_exceptions=True)
    assert went == [1, 2, 4, 5]


@pytest.mark.parametrize("limits", [{"rate": 100}, {"domain_rate": 6000}], ids=["to the server", "to the domain"])
async def test_messages_go_no_faster_than_the_rate_that_is_set(limits: dict[str, float]) -> None:
    """A hundred a second are one every ten milliseconds."""
    async with scripted_server() as server, SmtpTransport(server_at(server.port, **limits)) as transport:
        started = time.monotonic()
        for _ in range(6):
            assert isinstance(await transport.send(RAW, to("office@d.test")), Accepted)
    assert time.monotonic() - started > 0.049, "however busy the machine is, it takes no less"


async def test_the_rate_to_one_domain_holds_up_no_other() -> None:
    limits = {"connections": 4, "domain_rate": 0.001}
    async with scripted_server() as server, SmtpTransport(server_at(server.port, **limits)) as transport:
        await transport.send(RAW, to("office@one.test"))
        late = asyncio.create_task(transport.send(RAW, to("office@one.test")))
        for number in range(10):
            assert isinstance(await transport.send(RAW, to(f"office@d{number}.test")), Accepted)
        assert not late.done()
        late.cancel()
        with suppress(asyncio.CancelledError):
            await late


async def test_an_abandoned_message_leaves_no_place_taken() -> None:
    async with scripted_server() as server:
        hold(server, "one@silent.test")
        async with SmtpTransport(server_at(server.port, connections=1, waiting=1, **AT_ONCE)) as transport:
            first: asyncio.Task[SendResult] = asyncio.create_task(transport.send(RAW, to("one@silent.test")))
            await until_given(server, 1)
            with pytest.raises(DeliveryDeferred):
                await transport.send(RAW, to("two@silent.test"))
            first.cancel()
            with suppress(asyncio.CancelledError):
                await first
            for name in ("two", "three"):
                assert isinstance(await transport.send(RAW, to(f"{name}@silent.test")), Accepted)
