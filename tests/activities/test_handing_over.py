"""What is handed over: a worker that stops leaves few unknown, and whoever is slow or refuses holds up no other."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Literal

import pytest
from sqlmodel import Session, col, select

from cases.acts import SendAgain
from config.database import Database
from ledger.actors import ENGINE
from models.enums import DeliveryStatus, DutyStatus
from models.errors import Refused
from models.tables import AgreementContact, Duty, Notice
from records.deliveries import Handed, settle
from records.mail_state import mail_state, resume
from records.need_sorts import NeedKind
from records.needs import Asking, read_needs
from tests.support.mailing import Mailing, districts, mailing

BLOCKED = "550 5.7.1 Service unavailable; sender blocked"
NO_SUCH = "550 5.1.1 No such user"
CONNECTIONS = 3
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)

ACCEPTED = DeliveryStatus.ACCEPTED


def statuses(mail: Mailing) -> Counter[DeliveryStatus]:
    return Counter(mail.statuses().values())


def in_order(mail: Mailing) -> list[str]:
    """The addresses of all notices, as they are handed over."""
    with mail.case.database.reading() as session:
        found = select(AgreementContact.email).join(Duty, col(Duty.agreement_id) == col(AgreementContact.agreement_id))
        found = found.join(Notice, col(Notice.duty_id) == col(Duty.id)).order_by(col(Notice.id))
        return list(session.exec(found))


async def until(mail: Mailing, **stand: int) -> None:
    """Wait until so many deliveries stand so."""
    wanted = {DeliveryStatus(name): count for name, count in stand.items()}
    async with asyncio.timeout(60):
        while statuses(mail) != wanted:  # noqa: ASYNC110 (SQL tells nobody)
            await asyncio.sleep(0.01)


async def stop(sending: asyncio.Task[list[str]], mail: Mailing) -> None:
    """Stop the worker, and let the server hang up on it."""
    sending.cancel()
    with suppress(asyncio.CancelledError):
        await sending
    await mail.server.hang_up()
    for answer in mail.server.held.values():
        answer.set()


async def test_a_worker_that_stops_leaves_no_more_unknown_than_there_are_connections(database: Database) -> None:
    names = districts(12)
    async with mailing(database, names, connections=CONNECTIONS) as mail:
        mail.server.held = {name: asyncio.Event() for name in names.values()}
        sending = asyncio.create_task(mail.send_due())
        await until(mail, under_way=CONNECTIONS, reserved=12 - CONNECTIONS)
        while len(mail.server.messages) < CONNECTIONS:  # noqa: ASYNC110 (the server tells of the first alone)
            await asyncio.sleep(0.01)
        await stop(sending, mail)
        mail.server.held.clear()
        assert await mail.send_due() == []
        assert statuses(mail) == {ACCEPTED: 12}
        assert len(mail.evidence("delivery_unknown")) == CONNECTIONS
        assert len(mail.server.messages) == 12 + CONNECTIONS


async def test_whoever_is_silent_or_slow_holds_up_nobody_and_nothing_that_others_answer(database: Database) -> None:
    names = districts(12)
    silent, slow, *others = names.values()
    async with mailing(database, names, connections=CONNECTIONS) as mail:
        mail.server.held = {silent: asyncio.Event(), slow: asyncio.Event()}
        asyncio.get_running_loop().call_later(0.2, mail.server.held[slow].set)
        mail.server.refusing = {others[0]: NO_SUCH}
        mail.server.full = {others[1]}
        sending = asyncio.create_task(mail.send_due())
        await until(mail, under_way=1, accepted=9, rejected=1, deferred=1)
        await stop(sending, mail)


class _Slowly(asyncio.Event):
    """Comes so many seconds after it is waited for."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    async def wait(self) -> Literal[True]:
        await asyncio.sleep(self._seconds)
        return True


@pytest.mark.parametrize("is_silent", [False, True], ids=["each-is-answered", "one-is-not"])
async def test_what_all_connections_are_answered_is_recorded_together_though_not_at_one_moment(
    database: Database, monkeypatch: pytest.MonkeyPatch, is_silent: bool
) -> None:
    together: list[int] = []

    def slow_settle(session: Session, handed: Sequence[Handed], **named: Any) -> bool:
        together.append(len(handed))
        time.sleep(0.1)  # so long may be waited for others, and no longer
        return settle(session, handed, **named)

    monkeypatch.setattr("activities.handing_over.settle", slow_settle)
    monkeypatch.setattr("activities.handing_over.LONGEST_GATHERING", 0.1)
    async with mailing(database, districts(30), connections=5) as mail:
        names = in_order(mail)
        mail.server.held = {name: _Slowly(0.01 * (number % 5)) for number, name in enumerate(names)}
        if is_silent:
            mail.server.held[names[0]] = asyncio.Event()
        sending = asyncio.create_task(mail.send_due())
        await until(mail, **({"under_way": 1, "accepted": 29} if is_silent else {"accepted": 30}))
        assert len(together) <= 10, together
        await stop(sending, mail)


async def test_one_message_that_the_server_does_not_take_is_its_own_trouble(database: Database) -> None:
    names = districts(4)
    first, *_ = names.values()
    async with mailing(database, names, connections=1) as mail:
        mail.server.refusing = {first: "421 4.7.0 Try again later"}
        assert await mail.send_due() == []
        assert statuses(mail) == {ACCEPTED: 3, DeliveryStatus.DEFERRED: 1}
        assert mail.evidence("mail_server_away") == []


async def test_a_server_that_takes_nothing_is_asked_by_few_and_is_evidence_once_for_all_batches(
    database: Database,
) -> None:
    async with mailing(database, districts(30), connections=1, GREETING=["421 4.3.2 Down"] * 150) as mail:
        for _ in range(5):
            assert await mail.send_due() == ["mail-server-unavailable"]
            mail.pass_time(12 * MINUTE)
        assert mail.server.connections < 5 * 30
        mail.server.script.clear()
        assert await mail.send_due() == []
        assert mail.given() == 30
        assert [entry.kind for entry in mail.evidence("mail_server_away", "mail_server_back")] == [
            "mail_server_away",
            "mail_server_back",
        ]
        assert len(mail.evidence("notice_composed")) == 30


async def test_what_a_server_answered_for_good_is_kept_and_attested(database: Database) -> None:
    names = districts(2)
    refused, taken = names.values()
    async with mailing(database, names, CONTENT=["250 2.0.0 Ok: queued as 4Xk2Rq"]) as mail:
        mail.server.refusing = {refused: f"{NO_SUCH} {refused}"}
        await mail.send_due()
        found = dict(mail.deliveries())
        assert (found[taken].reply_code, found[taken].reply_status, found[taken].queue_id) == (250, "2.0.0", "4Xk2Rq")
        assert (found[refused].reply_code, found[refused].reply_status) == (550, "5.1.1")
        assert found[refused].answer == f"{NO_SUCH} {refused}"
        (given,) = mail.evidence("notice_given")
        assert (given.body["code"], given.body["status"], given.body["queue_id"]) == (250, "2.0.0", "4Xk2Rq")
        (rejected,) = mail.evidence("delivery_rejected")
        assert (rejected.body["code"], rejected.body["status"]) == (550, "5.1.1")
        assert refused not in str(rejected.body), "its words are only named by their hash"


class TestRefusalsThatAreAlike:
    """A filter that refuses everything is the sender's trouble: it pauses mail, and burns no contact."""

    async def test_they_pause_mail_and_no_contact_is_held_to_have_refused(self, database: Database) -> None:
        names = districts(8, contacts=2)
        async with mailing(database, names) as mail:
            mail.server.refusing = dict.fromkeys(";".join(names.values()).split(";"), BLOCKED)
            assert await mail.send_due() == ["mail-paused"]
            assert DeliveryStatus.REJECTED not in mail.statuses().values()
            with database.reading() as session:
                failing = select(AgreementContact).where(col(AgreementContact.failing_since).is_not(None))
                assert session.exec(failing).all() == []
            (paused,) = mail.evidence("mail_paused")
            assert (paused.body["code"], paused.body["status"]) == (550, "5.7.1")
            asked = mail.server.steps.count("RCPT")
            mail.pass_time(30 * MINUTE)
            assert await mail.send_due() == ["mail-paused"]
            assert mail.server.steps.count("RCPT") == asked, "nothing is tried while it lasts"
            needs, _ = read_needs(database, Asking(None), mail.case.now, offset=0, limit=10)
            (need,) = [need for need in needs if need.kind is NeedKind.MAIL]
            assert (need.link, "8 notices of 1 case" in need.says) == ("/mail", True)

    async def test_one_message_is_tried_after_a_while_and_the_others_follow_once_it_is_taken(
        self, database: Database
    ) -> None:
        names = districts(8)
        async with mailing(database, names) as mail:
            mail.server.refusing = dict.fromkeys(names.values(), BLOCKED)
            await mail.send_due()
            asked = mail.server.steps.count("RCPT")
            mail.pass_time(HOUR + MINUTE)
            assert await mail.send_due() == ["mail-paused"]
            assert mail.server.steps.count("RCPT") == asked + 1
            mail.server.refusing.clear()
            assert await mail.send_due() == ["mail-paused"], "the next one waits as long"
            mail.pass_time(HOUR + MINUTE)
            assert await mail.send_due() == []
            assert statuses(mail) == {ACCEPTED: 8}
            (resumed,) = mail.evidence("mail_resumed")
            assert resumed.actor == ENGINE
            assert len(mail.evidence("mail_paused")) == 1

    async def test_a_person_lets_mail_go_on_before(self, database: Database) -> None:
        names = districts(8)
        async with mailing(database, names) as mail:
            mail.server.refusing = dict.fromkeys(names.values(), BLOCKED)
            await mail.send_due()
            mail.server.refusing.clear()
            with database.writing() as session:
                resume(session, "robin", mail.case.now)
            assert await mail.send_due() == []
            assert statuses(mail) == {ACCEPTED: 8}
            with pytest.raises(Refused, match="not paused"), database.writing() as session:
                resume(session, "robin", mail.case.now)

    @pytest.mark.parametrize("gone", [slice(5), slice(9, None)], ids=["the-first", "the-last"])
    async def test_some_addresses_that_are_gone_are_their_recipients_own_trouble(
        self, database: Database, gone: slice
    ) -> None:
        async with mailing(database, districts(14)) as mail:
            mail.server.refusing = dict.fromkeys(in_order(mail)[gone], NO_SUCH)
            assert await mail.send_due() == []
            assert statuses(mail) == {ACCEPTED: 9, DeliveryStatus.REJECTED: 5}
            with database.reading() as session:
                assert mail_state(session) is None

    async def test_many_refusals_of_one_domain_are_its_own_trouble(self, database: Database) -> None:
        names = {f"ME-{number:03}": f"office{number}@one.example.org" for number in range(8)}
        async with mailing(database, names) as mail:
            mail.server.refusing = dict.fromkeys(names.values(), BLOCKED)
            assert await mail.send_due() == []
            assert statuses(mail) == {DeliveryStatus.REJECTED: 8}


class TestWhatNobodyTook:
    async def test_is_sent_again_to_each_contact_in_turn_when_a_person_says_so(self, database: Database) -> None:
        names = districts(1, contacts=2)
        async with mailing(database, names) as mail:
            first, second = names["ME-000"].split(";")
            mail.server.refusing = {first: BLOCKED, second: BLOCKED}
            await mail.send_due()
            assert statuses(mail) == {DeliveryStatus.REJECTED: 2}
            del mail.server.refusing[second]
            mail.case.act(SendAgain(clause="breach.notice"))
            mail.compute()
            assert await mail.send_due() == []
            assert mail.statuses() == {first: DeliveryStatus.REJECTED, second: ACCEPTED}
            assert mail.case.duty("breach.notice").status is DutyStatus.PERFORMED
            assert len(mail.evidence("delivery_rejected")) == 3

    async def test_goes_by_itself_to_a_contact_that_is_named_since(self, database: Database) -> None:
        async with mailing(database, districts(1)) as mail:
            mail.server.refusing = {"office0@d0.example.org": NO_SUCH}
            await mail.send_due()
            mail.pass_time(HOUR)
            mail.compute()
            assert await mail.send_due() == []
            assert mail.given() == 0, "nobody is left who could be told"
            mail.name_contacts({"ME-000": "new@d0.example.org"})
            mail.compute()
            assert await mail.send_due() == []
            assert mail.statuses()["new@d0.example.org"] is ACCEPTED
            assert mail.case.duty("breach.notice").status is DutyStatus.PERFORMED

    async def test_and_what_was_taken_is_nobody_s_to_send_again(self, database: Database) -> None:
        async with mailing(database, districts(1)) as mail:
            await mail.send_due()
            with pytest.raises(Refused):
                mail.case.act(SendAgain(clause="breach.notice"))
