"""What holds a case up, in sentences for people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from mail.handover import DeliveryDeferred, MailServerUnavailable, OutcomeUnknown
from models.enums import DeliveryStatus
from models.tables import Batch, Case, Delivery, Notice
from queries.views import TroubleView
from records.mail_state import MailIsPaused
from records.troubles import trouble_sentence
from records.undecided import UndecidedMessages, undecided_by_clause

TROUBLES = {
    MailServerUnavailable.code: "The mail server does not take mail, so these notices have not left; they are tried "
    "again every minute until it does.",
    MailIsPaused.code: "Mail is paused: many notices were refused alike, at several domains, so the trouble is on our "
    "side, such as a filter or a block list. These notices wait, and none of their contacts is held to have refused. "
    "One message is tried after a while; once the cause is mended, anybody who may act lets mail go on at once, on the "
    "page of what mail waits for.",
    DeliveryDeferred.code: "The mail server put some notices off. Each is tried again, every time a little later; once "
    "it was put off a few times, the LEA's next contact is told, if there is one. No other notice waits for them.",
    OutcomeUnknown.code: "The connection was lost while notices were being handed over; they are sent again a few "
    "times under the same Message-ID, and every send is recorded.",
}
"""What holds notices back, and what that means to the people of the case."""


NAMED = 20
"""How many agreements a sentence names; the duties below it show all."""


NOT_STARTED = "The clock engine (Temporal) did not answer, so this case's clocks do not run yet; they start with it."


def troubles_of(session: Session, case: Case) -> tuple[TroubleView, ...]:
    troubles = [_undecided(messages) for messages in undecided_by_clause(session, case.id)]
    troubles += _held_back(session, case.id)
    if case.trouble and case.closed_at is None:
        since = case.trouble_since or case.opened_at
        troubles.insert(0, TroubleView(sentence=trouble_sentence(case.trouble), since=since, notices=0))
    if case.workflow_started_at is None:
        troubles.insert(0, TroubleView(sentence=NOT_STARTED, since=case.opened_at, notices=0))
    return tuple(troubles)


def _held_back(session: Session, case_id: UUID) -> Iterator[TroubleView]:
    """Notices that did not leave: whole batches while no mail leaves at all, else those that were put off."""

    def batches(trouble: str) -> tuple[datetime | None, int]:
        which = Batch.case_id == case_id, Batch.trouble == trouble
        return session.exec(select(func.min(Batch.trouble_since), func.sum(Batch.size)).where(*which)).one()

    # By status first: few are, and there is an index on it.
    deferred = col(Delivery.status).in_((DeliveryStatus.DEFERRED, DeliveryStatus.PASSED_OVER)) & (
        (col(Delivery.status) == DeliveryStatus.DEFERRED) | col(Notice.given_at).is_(None)
    )
    for code, (since, notices) in (
        (MailServerUnavailable.code, batches(MailServerUnavailable.code)),
        (MailIsPaused.code, batches(MailIsPaused.code)),
        (DeliveryDeferred.code, _put_off(session, case_id, deferred)),
        (OutcomeUnknown.code, _put_off(session, case_id, col(Delivery.status) == DeliveryStatus.UNKNOWN)),
    ):
        if since:
            yield TroubleView(sentence=TROUBLES[code], since=since, notices=notices)


def _put_off(session: Session, case_id: UUID, which: ColumnElement[bool]) -> tuple[datetime | None, int]:
    """How many notices of a case have messages that are tried again at a moment of their own, and since when."""
    return session.exec(
        select(func.min(Delivery.reserved_at), func.count(col(Delivery.notice_id).distinct()))
        .join(Notice, col(Notice.id) == col(Delivery.notice_id))
        .where(Notice.case_id == case_id, col(Notice.dropped).is_(False), col(Delivery.again_at).is_not(None), which)
    ).one()


def _undecided(messages: UndecidedMessages) -> TroubleView:
    """What nobody can say, of whom, and what to do about it."""
    more = len(messages.references) - NAMED
    named = ", ".join((*messages.references[:NAMED], *((f"and {more} more",) if more > 0 else ())))
    return TroubleView(
        sentence=f"Nobody can say whether the notices under {messages.clause} arrived that went to {named}: the "
        "connection was lost each time after they had been handed over. They are not sent again by themselves. Ask "
        "these LEAs; then record that they arrived, with who says so, or have them sent once more.",
        since=messages.since,
        notices=len(messages.references),
    )
