"""What comes back about notices: kept once, as evidence, with what follows from it.

A notice that came back was not given to that contact. Where it reached nobody else, the duties that it had performed
are owed again, before or after they were due: what had been recorded stays in evidence, and the next contact is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from uuid import UUID

from sqlmodel import Session, col, func, select, update

from agreements.due_dates import read_due_dates
from agreements.terms import pinned_terms
from ledger.actors import ENGINE
from ledger.append import append
from ledger.artifacts import store
from ledger.entries import Attempt, DeliveryBounced, DeliveryReported, DutyReopened
from mail.delivery_states import ARRIVED, UNDER_WAY, Happening, moved, transitions
from mail.reports import Report
from models import identifiers
from models.enums import BatchStatus, BounceEffect, CaseStatus, DeliveryStatus, DutyStatus, NoticeKind, ReportKind
from models.errors import Unavailable
from models.tables import (
    AgreementContact,
    Batch,
    Case,
    CaseAgreement,
    Delivery,
    DeliveryReport,
    Duty,
    Notice,
    PostalLetter,
)
from records.cases import note_change, reopen_case
from records.duties import perform, run_again
from records.erased import is_erased
from records.performing import lacking_without, performed_duties

MOST_REPORTS = 100
"""How much is kept of what comes back about one delivery: whoever was sent it could send any number."""


class StillUnderWay(Unavailable):
    """A report came sooner than the mail server's answer was recorded: it is to be brought once more."""

    code = "still-under-way"


class Fate(Enum):
    """What became of something that came back."""

    RECORDED = auto()
    KNOWN = auto()
    """It had come before."""
    FOREIGN = auto()
    """It names no delivery of this installation, or not under its key."""


@dataclass(frozen=True)
class CameBack:
    """One report of one attempt, as it is to be recorded.

    Attributes:
        source: what names it, however often and by whatever way it comes.
        delivery_id: the delivery that it is about.
        attempt: which attempt; None for the last.
        report: what it says.
        via: the way it came.
        raw: the report itself, of this media type.
    """

    source: str
    delivery_id: UUID
    attempt: int | None
    report: Report
    via: str
    raw: bytes = field(repr=False)
    media_type: str = "message/rfc822"


@dataclass(frozen=True)
class Recorded:
    """What became of a report; ``case_id`` is the case whose duties are to be computed again, if any are."""

    fate: Fate
    case_id: UUID | None = None


@dataclass(frozen=True)
class _Matter:
    """A delivery with what it is a part of."""

    delivery: Delivery
    notice: Notice
    batch: Batch
    duty: Duty
    contact: AgreementContact
    case: Case


def record_report(session: Session, came: CameBack, now: datetime) -> Recorded:
    """Keep what came back about one attempt, once, with its evidence and with what follows from it.

    Raises:
        StillUnderWay: the attempt's own outcome is not recorded yet, so that nothing can follow from this.
    """
    report_id = identifiers.report_id(came.source)
    if session.get(DeliveryReport, report_id):
        return Recorded(Fate.KNOWN)
    matter = _matter(session, came.delivery_id)
    if matter is None or is_erased(session, matter.case.id):
        return Recorded(Fate.FOREIGN)
    delivery = matter.delivery
    attempt = came.attempt or delivery.attempts
    if not 0 < attempt <= delivery.attempts:
        return Recorded(Fate.FOREIGN)
    if attempt == delivery.attempts and delivery.status in UNDER_WAY:
        raise StillUnderWay(
            "The mail server's own answer to this message is not recorded yet.", next_step="Bring it once more."
        )
    if _count(session, delivery.id) >= MOST_REPORTS:
        return Recorded(Fate.KNOWN)
    kept = DeliveryReport(
        id=report_id,
        delivery_id=delivery.id,
        attempt=attempt,
        kind=came.report.kind,
        of_contact=not came.report.recipients or matter.contact.email.casefold() in came.report.recipients,
        status=came.report.status,
        says=came.report.says,
        via=came.via,
        received_at=now,
        report_sha256=store(session, came.raw, came.media_type, now, case=matter.case.id),
    )
    if not kept.of_contact or kept.kind is not ReportKind.FAILED:
        session.add(kept)
        if kept.of_contact and kept.kind is ReportKind.DELIVERED and delivery.status is DeliveryStatus.ACCEPTED:
            delivery.status = moved(delivery.status, Happening.DELIVERED)
        append(session, DeliveryReported(**_evidence(matter, kept)))
        return Recorded(Fate.RECORDED)
    effect = _effect(session, matter, kept)
    session.add(kept)
    append(session, DeliveryBounced(**_evidence(matter, kept), effect=effect))
    return Recorded(Fate.RECORDED, _follow(session, matter, kept, effect, now))


def deliveries_of_message(session: Session, message_id: str, recipients: Iterable[str]) -> list[UUID]:
    """The deliveries of a message, by its Message-ID, to some addresses: copies share it."""
    wanted = {address.casefold() for address in recipients}
    rows = session.exec(
        select(Delivery.id, AgreementContact.email)
        .join(AgreementContact, col(AgreementContact.id) == col(Delivery.contact_id))
        .where(Delivery.message_id == message_id)
        .order_by(col(Delivery.id))
    )
    return [delivery_id for delivery_id, email in rows if email.casefold() in wanted]


def unraised_bounces(session: Session, before: datetime, limit: int) -> Sequence[UUID]:
    """The cases, closed ones too, in which something came back before an instant that nobody was told of."""
    return session.exec(
        select(Notice.case_id)
        .join(Delivery, col(Delivery.notice_id) == col(Notice.id))
        .where(col(Delivery.status) == DeliveryStatus.BOUNCED, col(Delivery.raised_at).is_(None))
        .where(col(Delivery.settled_at) < before)
        .group_by(col(Notice.case_id))
        .order_by(func.min(Delivery.settled_at))
        .limit(limit)
    ).all()


def _matter(session: Session, delivery_id: UUID) -> _Matter | None:
    row = session.exec(
        select(Delivery, Notice, Batch, Duty)
        .join(Notice, col(Notice.id) == col(Delivery.notice_id))
        .join(Batch, col(Batch.id) == col(Notice.batch_id))
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .where(Delivery.id == delivery_id)
        .with_for_update()
    ).one_or_none()
    if row is None:
        return None
    delivery, notice, batch, duty = row
    contact = session.get_one(AgreementContact, delivery.contact_id)
    return _Matter(delivery, notice, batch, duty, contact, session.get_one(Case, notice.case_id))


def _evidence(matter: _Matter, kept: DeliveryReport) -> dict[str, object]:
    delivery = matter.delivery
    return {
        "case_id": matter.case.id,
        "actor": ENGINE,
        "at": kept.received_at,
        "attempt": Attempt(
            notice_id=delivery.notice_id,
            delivery=delivery.id,
            contact=delivery.contact_id,
            attempt=kept.attempt,
            message_sha256=delivery.message_sha256,
        ),
        "report_id": kept.id,
        "report": kept.kind,
        "of_contact": kept.of_contact,
        "status": kept.status,
        "via": kept.via,
        "report_sha256": kept.report_sha256,
    }


def _effect(session: Session, matter: _Matter, kept: DeliveryReport) -> BounceEffect:
    """What it means for a notice that one attempt to deliver it came back."""
    delivery, notice = matter.delivery, matter.notice
    if delivery.status is DeliveryStatus.VOUCHED:
        return BounceEffect.VOUCHED
    if delivery.status is DeliveryStatus.ACKNOWLEDGED:
        return BounceEffect.ANSWERED
    if Happening.BOUNCED not in transitions(delivery.status) or _is_past(session, kept):
        return BounceEffect.SETTLED_BEFORE
    if delivery.is_copy:
        return BounceEffect.COPY
    if notice.given_at is None:
        return BounceEffect.NOT_GIVEN
    if notice.acknowledged_at or notice.decided_at:
        return BounceEffect.ANSWERED
    if _another(session, delivery):
        return BounceEffect.ANOTHER_STANDS
    if _effective_when_sent(session, matter):
        return BounceEffect.EFFECTIVE_WHEN_SENT
    return BounceEffect.REOPENED


def _is_past(session: Session, kept: DeliveryReport) -> bool:
    """Whether this attempt was known to have failed, or a later one was reported as delivered.

    All attempts bring the same bytes, and some servers drop what they have seen: so the failure of one that was lost
    counts, although a later one was accepted.
    """
    reports = session.exec(
        select(DeliveryReport).where(DeliveryReport.delivery_id == kept.delivery_id, col(DeliveryReport.of_contact))
    )
    return any(
        (report.kind is ReportKind.FAILED and report.attempt == kept.attempt)
        or (report.kind is ReportKind.DELIVERED and report.attempt > kept.attempt)
        for report in reports
    )


def _count(session: Session, delivery_id: UUID) -> int:
    return session.exec(
        select(func.count()).select_from(DeliveryReport).where(DeliveryReport.delivery_id == delivery_id)
    ).one()


def _another(session: Session, delivery: Delivery) -> Delivery | None:
    """The first delivery of the same notice to another contact that stands; a copy performs nothing."""
    others = select(Delivery).where(
        Delivery.notice_id == delivery.notice_id,
        Delivery.id != delivery.id,
        col(Delivery.is_copy).is_(False),
        col(Delivery.status).in_(ARRIVED),
    )
    return session.exec(others.order_by(col(Delivery.settled_at), col(Delivery.id))).first()


def _effective_when_sent(session: Session, matter: _Matter) -> bool:
    """Whether the agreement's terms say that an e-mail takes effect when it is sent, whatever becomes of it."""
    pinned = session.get_one(CaseAgreement, (matter.case.id, matter.duty.agreement_id)).terms_hash
    terms = pinned_terms(session, matter.case.id)
    return pinned is not None and terms[pinned].effective_when_sent


def _follow(
    session: Session, matter: _Matter, kept: DeliveryReport, effect: BounceEffect, now: datetime
) -> UUID | None:
    """Let follow what does; return the case if its duties are to be computed again."""
    if effect in (BounceEffect.SETTLED_BEFORE, BounceEffect.VOUCHED):
        return None
    delivery, notice, batch, contact = matter.delivery, matter.notice, matter.batch, matter.contact
    contact.failing_since = contact.failing_since or now
    if delivery.status is not DeliveryStatus.ACKNOWLEDGED:
        delivery.status = moved(delivery.status, Happening.BOUNCED)
        delivery.settled_at, delivery.again_at, delivery.raised_at = now, None, None
    session.add_all((delivery, contact))
    if effect in (BounceEffect.REOPENED, BounceEffect.ANOTHER_STANDS):
        other = _another(session, delivery)
        append(session, *_reopen(session, matter, kept, other.settled_at if other else None, now))
        session.add(notice)
    if effect not in (BounceEffect.REOPENED, BounceEffect.NOT_GIVEN):
        return None
    if matter.case.closed_at:
        if matter.case.status is CaseStatus.DISMISSED and notice.kind is not NoticeKind.DISMISSAL:
            return None  # nothing more is sent in it
        reopen_case(session, matter.case, now)
    if batch.status in (BatchStatus.SENT, BatchStatus.PUT_OFF):
        batch.status, batch.again_at = BatchStatus.PUT_OFF, now
        session.add(batch)
    session.flush()
    note_change(session, matter.case.id, now)
    return matter.case.id


def _reopen(
    session: Session, matter: _Matter, kept: DeliveryReport, instead: datetime | None, now: datetime
) -> Iterator[DutyReopened]:
    """Let the duties run again that a notice had performed; of one that had only told more, what it told lacks again.

    Where another contact has the notice, it performed them when it reached that one, ``instead`` of when the one that
    came back had left. What nothing can follow from any more, as in a case that was dismissed, is not owed again.
    """
    notice, given_at = matter.notice, matter.notice.given_at
    assert given_at, "only what was given comes back"
    if instead and instead <= given_at:
        return
    notice.given_at = instead
    if notice.kind is NoticeKind.DISMISSAL:
        return
    duties = session.exec(select(Duty).where(col(Duty.id).in_(performed_duties(notice))).order_by(col(Duty.id))).all()
    due_dates = read_due_dates(session, {duty.due_date_id for duty in duties})
    for duty in duties:
        session.add(duty)
        if notice.kind is NoticeKind.NOTICE and duty.performed_at == given_at and duty.performed_under is None:
            before, due_at = duty.verdict, due_dates[duty.due_date_id].due_at
            dismissed = matter.case.status is CaseStatus.DISMISSED and instead is None
            if dismissed:
                duty.internal_due_at = None
            run_again(duty, None if dismissed else due_at)
            duty.status = DutyStatus.CANCELLED if dismissed else duty.status
            duty.reopened_at = None if dismissed else now
            if instead:
                perform(duty, instead)
            yield DutyReopened(
                case_id=duty.case_id,
                actor=ENGINE,
                at=now,
                duty_id=duty.id,
                clause=duty.clause,
                due_at=due_at,
                notice_id=notice.id,
                report_id=kept.id,
                performed_at=given_at,
                verdict=before,
                performed_instead_at=instead,
                verdict_instead=duty.verdict,
            )
        if instead is None:
            duty.lacking = lacking_without(session, notice, duty)
            duty.lacking_count = len(duty.lacking)
    # A letter that was posted besides counts now: what it performs is written down as duties are computed.
    session.execute(update(PostalLetter).where(col(PostalLetter.notice_id) == notice.id).values(took_effect_at=None))
