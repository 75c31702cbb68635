"""Giving a notice: mail is sent at least once and counted exactly once, whatever the mail server does."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest

from activities import notices as giving
from mail.compose import utc_instant
from models.enums import DeliveryStatus, DutyStatus, Verdict
from starter.rehearsals.virtual_time import VirtualEngine
from tests.support.incidents import only_notice
from tests.support.posting import Posting, posting
from tests.support.scripted_server import HANG_UP, HEARTBEAT_TIMEOUT

FIRST = "first@inkwell.example.org"
BOTH = "first@inkwell.example.org;second@inkwell.example.org"
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
OK, FULL = "250 2.1.5 Ok", "452 4.2.2 Mailbox full"

REJECTED, ACCEPTED = DeliveryStatus.REJECTED, DeliveryStatus.ACCEPTED


def message_ids(mail: Posting) -> list[bytes]:
    """The Message-ID of each message that the server received whole."""
    return [
        line for raw in mail.server.messages for line in raw.split(b"\r\n") if line.lower().startswith(b"message-id:")
    ]


async def test_a_notice_given_at_the_second_it_is_due_is_on_time(
    engine: VirtualEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with posting(engine, FIRST) as mail:
        due_at = mail.duty.due_at
        assert due_at is not None
        monkeypatch.setattr(giving, "activity_clock", lambda: lambda: due_at)  # however slow the machine is
        outcome = await mail.send(at=due_at)
        assert (outcome.given, outcome.late) == (1, 0)
        assert mail.duty.verdict is Verdict.ON_TIME


async def test_a_notice_given_a_second_after_it_was_due_is_late(engine: VirtualEngine) -> None:
    async with posting(engine, FIRST) as mail:
        due_at = mail.duty.due_at
        assert due_at is not None
        outcome = await mail.send(at=due_at + SECOND)
        assert (outcome.given, outcome.late) == (1, 1)
        assert mail.duty.verdict is Verdict.LATE


async def test_every_notice_leaves_composed_and_given_entries_with_the_message(engine: VirtualEngine) -> None:
    async with posting(engine, FIRST) as mail:
        await mail.send()
        composed, given = mail.evidence
        assert (composed.kind, given.kind) == ("notice_composed", "notice_given")
        assert composed.artifacts == given.artifacts == [mail.deliveries[0].message_sha256]
        on_the_wire = mail.server.messages[0].replace(b"\r\n..", b"\r\n.")  # RFC 5321, 4.5.2
        assert mail.artifact(given.artifacts[0]) == on_the_wire
        assert given.body["verdict"] == "on_time"
        assert given.body["duty"] == str(mail.duty.id)


async def test_a_rejected_address_is_followed_by_the_next_contact(engine: VirtualEngine) -> None:
    async with posting(engine, BOTH, RCPT=["550 5.1.1 No such user"]) as mail:
        outcome = await mail.send()
        assert (outcome.given, outcome.undelivered) == (1, 0)
        assert sorted(mail.statuses) == [ACCEPTED, REJECTED]
        assert mail.kinds == ["notice_composed", "delivery_rejected", "notice_composed", "notice_given"]
        (taken,) = (delivery for delivery in mail.deliveries if delivery.status is ACCEPTED)
        assert taken.contact_email == "second@inkwell.example.org"
        assert mail.duty.status is DutyStatus.PERFORMED


async def test_a_notice_that_every_contact_rejects_is_not_given(engine: VirtualEngine) -> None:
    async with posting(engine, BOTH, RCPT=["550 5.1.1 No such user"] * 2) as mail:
        outcome = await mail.send()
        assert (outcome.given, outcome.undelivered) == (0, 1)
        assert set(mail.statuses) == {REJECTED}
        assert mail.duty.status is DutyStatus.RUNNING
        assert only_notice(mail.duty).given_at is None


async def test_a_notice_that_every_contact_rejects_is_written_as_a_letter_with_the_mails_words(
    engine: VirtualEngine,
) -> None:
    refused: list[str | None] = ["550 5.1.1 No such user"]
    async with posting(engine, FIRST, address="1 Hill Road | Inkwell 00000", RCPT=refused) as mail:
        outcome = await mail.send()
        assert (outcome.given, outcome.undelivered, outcome.put_off) == (0, 1, 0)
        (made,) = [entry for entry in mail.entries() if entry.kind == "letter_made"]
        assert mail.artifact(made.artifacts[0]).startswith(b"%PDF")
        notice = only_notice(mail.duty)
        assert notice.letter is not None
        assert (notice.stands, notice.letter.mailed_at) == ("letter_to_post", None)
        assert mail.duty.status is DutyStatus.RUNNING
        await mail.send()
        assert len([entry for entry in mail.entries() if entry.kind == "letter_made"]) == 1, "it is written once"


async def test_a_district_without_an_e_mail_address_has_its_letter_and_its_counsel_a_copy(
    engine: VirtualEngine,
) -> None:
    counsel = "counsel@inkwell.example.org"
    async with posting(engine, "", counsel=counsel, address="1 Hill Road | Inkwell 00000") as mail:
        await mail.send()
        assert mail.kinds == ["notice_composed", "copy_given"]
        assert b"You get this copy as counsel" in mail.server.messages[0]
        assert only_notice(mail.duty).letter is not None
        assert mail.duty.status is DutyStatus.RUNNING, "a copy to counsel gives no notice"


async def test_only_the_contacts_answer_counts_and_not_that_of_the_copy(engine: VirtualEngine) -> None:
    answers: list[str | None] = ["250 Ok", "550 5.1.1 No such user"]
    async with posting(engine, FIRST, counsel="counsel@inkwell.example.org", RCPT=answers) as mail:
        outcome = await mail.send()
        assert sorted(mail.statuses) == [ACCEPTED, REJECTED]
        told = {delivery.contact_email: delivery.status for delivery in mail.deliveries}[FIRST] is ACCEPTED
        assert (outcome.given, outcome.undelivered) == ((1, 0) if told else (0, 1))


async def test_counsel_gets_a_copy_of_the_same_message(engine: VirtualEngine) -> None:
    async with posting(engine, FIRST, counsel="counsel@inkwell.example.org") as mail:
        await mail.send()
        assert sorted(mail.kinds) == ["copy_given", "notice_composed", "notice_given"]
        first, second = mail.server.messages
        assert first == second


async def test_while_the_mail_server_is_down_the_notice_waits_and_the_case_says_so(engine: VirtualEngine) -> None:
    down: list[str | None] = ["421 4.3.2 Shutting down"] * 4
    async with posting(engine, FIRST, MAIL=down) as mail:
        assert await mail.fails() == "mail-server-unavailable"
        (trouble,) = mail.case.troubles
        assert "have not left" in trouble.sentence
        assert trouble.notices == 1
        assert mail.duty.status is DutyStatus.RUNNING
        assert mail.statuses == [DeliveryStatus.RESERVED]
        mail.server.script.clear()
        await mail.send()
        assert mail.case.troubles == ()
        assert mail.statuses == [ACCEPTED]
        assert len(mail.server.messages) == 1


async def test_a_notice_that_waited_bears_the_date_on_which_it_leaves(engine: VirtualEngine) -> None:
    async with posting(engine, FIRST, MAIL=["421 4.3.2 Shutting down"] * 2) as mail:
        assert await mail.fails() == "mail-server-unavailable"
        due_at = mail.duty.due_at
        assert due_at is not None
        mail.server.script.clear()
        leaves_at = (due_at - SECOND).replace(microsecond=0)  # the activity's clock goes on from there
        await mail.send(at=leaves_at)
        assert utc_instant(leaves_at).encode() in mail.server.messages[0]
        assert mail.kinds == ["notice_composed", "notice_composed", "notice_given"]


async def test_an_outage_is_evidence_when_it_begins_and_ends_and_writes_nothing_anew_meanwhile(
    engine: VirtualEngine,
) -> None:
    async with posting(engine, FIRST, MAIL=["421 4.3.2 Shutting down"] * 20) as mail:
        for _ in range(10):
            assert await mail.fails() == "mail-server-unavailable"
        assert mail.kinds == ["notice_composed"], "it is the same message, however often it is tried"
        mail.server.script.clear()
        await mail.send()
        assert mail.kinds == ["notice_composed", "notice_given"]
        assert mail.of_mail() == ["mail_server_away", "mail_server_back"]
        assert mail.letters() == 1


async def test_a_greylisted_notice_is_put_off_and_sent_again(engine: VirtualEngine) -> None:
    async with posting(engine, FIRST, RCPT=["450 4.7.1 Greylisted"] * 2) as mail:
        assert await mail.puts_off() is DeliveryStatus.DEFERRED
        await mail.puts_off()
        assert mail.kinds == ["notice_composed", "delivery_deferred"], "told once, however often it is tried"
        told = mail.evidence[1].body
        assert (told["code"], told["status"]) == (450, "4.7.1")
        assert "put some notices off" in mail.case.troubles[0].sentence
        await mail.send()
        assert mail.statuses == [ACCEPTED]
        assert mail.case.troubles == ()


async def test_a_connection_lost_after_data_is_unknown_and_sent_again_under_its_message_id(
    engine: VirtualEngine,
) -> None:
    async with posting(engine, FIRST, CONTENT=[HANG_UP]) as mail:
        assert await mail.puts_off() is DeliveryStatus.UNKNOWN
        assert mail.duty.status is DutyStatus.RUNNING
        await mail.send()
        assert mail.statuses == [ACCEPTED]
        first, second = message_ids(mail)
        assert first == second
        assert mail.server.messages[0] == mail.server.messages[1], "nobody can say which of the two arrived"
        assert mail.kinds == ["notice_composed", "delivery_unknown", "notice_given"]
        unknown, given = mail.evidence[1], mail.evidence[2]
        assert (unknown.body["attempt"], given.body["attempt"]) == (1, 2)


async def test_what_may_have_been_lost_again_and_again_is_sent_three_times_more_and_then_waits_for_a_person(
    engine: VirtualEngine,
) -> None:
    async with posting(engine, BOTH, CONTENT=[HANG_UP] * 9) as mail:
        pauses = []
        while moment := (outcome := await mail.send()).again_at:
            pauses.append(moment - mail.began_at)
        assert [pause // MINUTE for pause in pauses] == [1, 2, 5]
        assert (outcome.given, outcome.undecided, outcome.undelivered) == (0, 1, 0)
        assert len(set(message_ids(mail))) == 1, "the next contact is not told of what may have arrived"
        await mail.send(at=mail.began_at + timedelta(days=1))
        assert len(mail.server.messages) == 4
        assert mail.statuses == [DeliveryStatus.UNKNOWN]
        assert mail.duty.status is DutyStatus.RUNNING
        assert "notice_given" not in mail.kinds
        (trouble,) = mail.case.troubles
        assert f"went to {mail.duty.reference}" in trouble.sentence
        assert "not sent again by themselves" in trouble.sentence


async def test_what_is_put_off_after_it_may_have_arrived_is_not_tried_without_end_either(engine: VirtualEngine) -> None:
    later: list[str | None] = [OK, *["450 4.7.1 Later"] * 9]
    async with posting(engine, BOTH, RCPT=later, CONTENT=[HANG_UP]) as mail:
        while (outcome := await mail.send()).again_at:
            pass
        assert outcome.undecided == 1
        assert mail.statuses == [DeliveryStatus.UNKNOWN]
        assert len(mail.server.messages) == 1


async def test_a_contact_that_defers_again_and_again_is_followed_by_the_next(engine: VirtualEngine) -> None:
    async with posting(engine, BOTH, RCPT=[FULL] * 4) as mail:
        for minutes in (1, 2, 5):
            outcome = await mail.send()
            assert outcome.again_at
            assert (outcome.again_at - mail.began_at) // MINUTE == minutes
            assert mail.statuses == [DeliveryStatus.DEFERRED]
        outcome = await mail.send()
        assert (outcome.given, outcome.put_off) == (1, 0)
        told = {delivery.contact_email: delivery.status for delivery in mail.deliveries}
        assert told == {FIRST: DeliveryStatus.PASSED_OVER, "second@inkwell.example.org": ACCEPTED}
        assert mail.kinds.count("delivery_passed_over") == 1
        assert mail.duty.verdict is Verdict.ON_TIME
        assert mail.case.troubles == ()


async def test_a_notice_that_would_be_late_by_the_next_try_goes_to_the_next_contact_at_once(
    engine: VirtualEngine,
) -> None:
    async with posting(engine, BOTH, RCPT=[FULL]) as mail:
        due_at = mail.duty.due_at
        assert due_at is not None
        outcome = await mail.send(at=due_at - 30 * SECOND)
        assert (outcome.given, outcome.late) == (1, 0)
        assert mail.duty.verdict is Verdict.ON_TIME


async def test_where_every_mailbox_is_full_the_one_that_was_passed_over_is_tried_again(engine: VirtualEngine) -> None:
    async with posting(engine, f"{BOTH};office@inkwell.example.org", RCPT=[FULL] * 12) as mail:
        put_off = 0
        while (await mail.send()).put_off:
            put_off += 1
        assert put_off == 9, "whoever's turn comes is tried at once"
        assert {delivery.contact_email: delivery.status for delivery in mail.deliveries}[FIRST] is ACCEPTED
        assert mail.kinds.count("notice_given") == 1


async def test_a_full_mailbox_of_whoever_is_copied_holds_nothing_up(engine: VirtualEngine) -> None:
    counsel = "counsel@inkwell.example.org"
    async with posting(engine, FIRST, counsel=counsel) as mail:
        mail.server.full = {counsel}
        outcome = await mail.send()
        assert (outcome.given, outcome.put_off) == (1, 1)
        mail.server.full.clear()
        await mail.send()
        assert set(mail.statuses) == {ACCEPTED}
        assert len(mail.server.messages) == 2, "the notice itself is not sent twice"


async def test_a_worker_stopped_while_a_letter_is_under_way_sends_it_again_and_counts_it_once(
    engine: VirtualEngine,
) -> None:
    async with posting(engine, FIRST, CONTENT=[HEARTBEAT_TIMEOUT]) as mail:
        sending = asyncio.create_task(mail.send())
        await mail.server.arrived.wait()
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending
        assert mail.statuses == [DeliveryStatus.UNDER_WAY]
        await mail.server.hang_up()

        outcome = await mail.send()
        assert outcome.given == 1
        first, second = message_ids(mail)
        assert first == second
        assert mail.kinds.count("notice_given") == 1
        assert mail.deliveries[0].attempts == 2


async def test_a_batch_that_is_done_sends_nothing_when_it_is_run_again(engine: VirtualEngine) -> None:
    async with posting(engine, FIRST) as mail:
        await mail.send()
        before = len(mail.entries())
        again = await mail.send()
        assert again.given == 1
        assert len(mail.server.messages) == 1
        assert len(mail.entries()) == before


@pytest.mark.parametrize("answer", ["550 5.1.1 No such user first@inkwell.example.org", "250 Ok"])
async def test_the_ledger_holds_no_address_of_a_contact(engine: VirtualEngine, answer: str) -> None:
    async with posting(engine, BOTH, RCPT=[answer]) as mail:
        await mail.send()
        assert "@" not in str([(entry.body, entry.subject, entry.key) for entry in mail.entries()])
