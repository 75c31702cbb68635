"""Messages that nobody knows the fate of, or that every contact refused: a person decides what becomes of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Text, and_, cast, or_
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select, update

from agreements.due_dates import read_due_dates
from cases.acts import SendAgain, Vouch
from ledger.artifacts import store_list
from ledger.entries import NO_VERDICT, JsonObject
from mail.delivery_states import FAILED, Happening, moved
from models.enums import AS_VOUCHED, BatchStatus, DeliveryStatus
from models.errors import InvalidInput, Refused
from models.grouping import grouped
from models.phrases import instant_words
from models.tables import Agreement, Batch, Case, Delivery, Duty, Notice
from records.deliveries import give
from records.performing import perform_further

_its_notice, _its_duty = aliased(Notice), aliased(Duty)
_DONE_BY_OTHER_MEANS = (
    select(_its_notice.id)
    .join(_its_duty, col(_its_duty.id) == col(_its_notice.duty_id))
    .where(col(_its_notice.id) == col(Delivery.notice_id), cast(col(_its_notice.also_performs), Text) == "[]")
    .where(col(_its_duty.performed_under).is_not(None))
    .exists()
)
"""The condition that nothing depends any more on whether a message arrived: all that it could perform was done."""

UNDECIDED = (
    col(Delivery.status) == DeliveryStatus.UNKNOWN,
    col(Delivery.again_at).is_(None),
    ~_DONE_BY_OTHER_MEANS,
)
"""The conditions for a message of which a person has to decide (``records.outbox.undecided`` in Python)."""

UNDELIVERED = (
    col(Batch.status).in_((BatchStatus.SENT, BatchStatus.PUT_OFF)),
    col(Notice.given_at).is_(None),
    col(Notice.dropped).is_(False),
    col(Delivery.status).in_(FAILED),
    col(Delivery.is_copy).is_(False),
    ~_DONE_BY_OTHER_MEANS,
)
"""The conditions for a message that its contact did not take, of a notice that is not given."""


@dataclass(frozen=True)
class UndecidedMessages:
    """The messages under one clause of a case of which nobody can say whether they arrived.

    Attributes:
        clause: the clause.
        references: the agreements whose party they were for.
        since: when the first of them was last sent.
    """

    clause: str
    references: tuple[str, ...]
    since: datetime


def undecided_of_case(session: Session, case_id: UUID) -> int:
    """How many messages of a case wait for a person's decision."""
    return _count(session, Notice.case_id == case_id)


def undecided_of_batch(session: Session, batch_id: UUID) -> int:
    """How many messages of a batch wait for a person's decision."""
    return _count(session, Notice.batch_id == batch_id)


def undelivered_of_case(session: Session, case_id: UUID) -> int:
    """How many notices of a case could not be given to contacts that did not take them."""
    return session.exec(
        select(func.count(col(Notice.id).distinct()))
        .select_from(Delivery)
        .join(Notice, col(Notice.id) == col(Delivery.notice_id))
        .join(Batch, col(Batch.id) == col(Notice.batch_id))
        .where(Notice.case_id == case_id, *UNDELIVERED)
    ).one()


def undecided_by_clause(session: Session, case_id: UUID) -> Iterator[UndecidedMessages]:
    """What waits for a person's decision in a case, by clause."""
    rows = session.exec(
        select(Duty.clause, Agreement.reference, Delivery.attempted_at)
        .join(Notice, col(Notice.duty_id) == col(Duty.id))
        .join(Delivery, col(Delivery.notice_id) == col(Notice.id))
        .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
        .where(Notice.case_id == case_id, *UNDECIDED)
        .order_by(col(Duty.clause), col(Agreement.reference))
    )
    for clause, members in grouped(rows, lambda row: row[0]).items():
        references = dict.fromkeys(reference for _, reference, _ in members)
        yield UndecidedMessages(clause, tuple(references), min(at for _, _, at in members if at))


def send_again(session: Session, case: Case, act: SendAgain, *, at: datetime) -> JsonObject:
    """Let messages go once more.

    Those of which nobody knows go as they were, and after that wait for a decision again. A notice that every contact
    refused is written anew, and each of them is tried again in turn.

    Raises:
        Refused: there are none.
    """
    found = _those_of(session, case.id, act, or_(and_(*UNDECIDED), and_(*UNDELIVERED)))
    for delivery, _, _ in found:
        delivery.status, delivery.raised_at = moved(delivery.status, Happening.SENT_AGAIN), None
        if delivery.status is DeliveryStatus.UNKNOWN:
            delivery.again_at = at
        else:
            delivery.again_at, delivery.settled_at, delivery.tries = None, None, 0
    batches = {notice.batch_id for _, notice, _ in found}
    # One that is leaving takes them along.
    session.execute(
        update(Batch)
        .where(col(Batch.id).in_(batches), col(Batch.status).in_((BatchStatus.SENT, BatchStatus.PUT_OFF)))
        .values(status=BatchStatus.PUT_OFF, again_at=at)
    )
    return store_list(session, "deliveries", [str(delivery.id) for delivery, _, _ in found], at)


def vouch(session: Session, case: Case, act: Vouch, *, actor: str, at: datetime) -> JsonObject:
    """Keep that messages did arrive, by a person's word: it gives the notice as the mail server's answer would have.

    The word is the person's wherever it is shown; no evidence says that the engine gave the notice.

    Raises:
        Refused: there are none.
        InvalidInput: one of them is said to have arrived before anything of it was handed over.
    """
    found = _those_of(session, case.id, act, and_(*UNDECIDED))
    due_dates = read_due_dates(session, {duty.due_date_id for _, _, duty in found})
    performed = [duty for _, _, duty in found]
    for delivery, notice, duty in found:
        sent_at = delivery.may_be_there_since or delivery.reserved_at
        if act.arrived_at < sent_at.replace(second=0, microsecond=0):  # people give whole minutes
            raise InvalidInput(
                f"The notice was sent later than that, {instant_words(sent_at)}.",
                where="arrived_at",
                next_step="Look at the case's page.",
            )
        delivery.status = moved(delivery.status, Happening.VOUCHED)
        delivery.vouched_by, delivery.settled_at = actor, at
        if not delivery.is_copy and notice.given_at is None:
            give(notice, duty, due_dates[duty.due_date_id], act.arrived_at, verdicts=AS_VOUCHED)
            performed += perform_further(session, notice, act.arrived_at, verdicts=AS_VOUCHED)
    met = [f"{duty.id} {duty.verdict or NO_VERDICT}" for duty in performed]
    return store_list(session, "deliveries", [str(delivery.id) for delivery, _, _ in found], at) | store_list(
        session, "duties", met, at
    )


def _those_of(
    session: Session, case_id: UUID, act: SendAgain | Vouch, which: ColumnElement[bool]
) -> Sequence[tuple[Delivery, Notice, Duty]]:
    """The messages that an act is about, each with its notice and its duty."""
    of_agreement: list[Any] = [Duty.agreement_id == act.agreement.id] if act.agreement else []
    found = session.exec(
        select(Delivery, Notice, Duty)
        .join(Notice, col(Notice.id) == col(Delivery.notice_id))
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .join(Batch, col(Batch.id) == col(Notice.batch_id))
        .where(Notice.case_id == case_id, Duty.clause == act.clause, *of_agreement, which)
        .order_by(col(Delivery.id))
    ).all()
    if not found:
        raise Refused(
            f"Of no such notice under {act.clause} is it unknown whether it arrived, or it is still sent again by "
            "itself.",
            where="agreement" if act.agreement else "clause",
            next_step="Look at the case's page.",
        )
    return found


def _count(session: Session, which: Any) -> int:
    return session.exec(
        select(func.count())
        .select_from(Delivery)
        .join(Notice, col(Notice.id) == col(Delivery.notice_id))
        .where(which, *UNDECIDED)
    ).one()
