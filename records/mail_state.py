"""How mail goes on the whole: a server that takes nothing, and a pause where too many refusals are alike.

Each is noted once when it begins and once when it ends, however many messages meet it. A refusal that many recipients
of several domains get alike says nothing about any of them: it is the installation's trouble, such as a filter or a
block list. So nothing more is handed over, and no contact is held to have refused; after a while one message is tried,
or a person resumes before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from uuid import UUID

from sqlalchemy import select as select_columns
from sqlmodel import Session, col, func, select

from ledger.actors import ENGINE
from ledger.append import append
from ledger.entries import MailPaused, MailResumed, MailServerAway, MailServerBack
from mail.delivery_states import ARRIVED, Happening, moved
from models.bulk import columns_of
from models.enums import BatchStatus, DeliveryStatus
from models.errors import Refused, Unavailable
from models.tables import AgreementContact, Batch, Delivery, MailState, Notice

MANY_DOMAINS = 3
"""For how many domains refusals are alike before they are no longer their recipients' own trouble."""

ALIKE_WITHIN = timedelta(hours=1)
"""How far back refusals are disregarded that were alike when mail is paused."""

_THE_ROW = 1

_AWAY_SINCE = select_columns(*columns_of(MailState, "away_since"))


class MailIsPaused(Unavailable):
    """Nothing is handed over, since too many refusals were alike."""

    code = "mail-paused"


class Going(Enum):
    """Whether mail may be handed over."""

    ON = auto()
    PROBING = auto()
    """One message, to see whether it is taken."""
    PAUSED = auto()


@dataclass(frozen=True)
class PauseRule:
    """When mail is paused, and for how long.

    Attributes:
        refusals: so many alike in one batch, and more of them than were taken.
        probe_after: after how long one message is tried.
    """

    refusals: int
    probe_after: timedelta


def mail_state(session: Session) -> MailState | None:
    """How mail goes, where anything was ever amiss."""
    return session.get(MailState, _THE_ROW)


def note_away(session: Session, batch_id: UUID, trouble: str, now: datetime) -> None:
    """Note that the server takes no mail, on the batch that met it and, once, as evidence."""
    batch = session.get_one(Batch, batch_id)
    if batch.trouble != trouble:
        batch.trouble, batch.trouble_since = trouble, now
    state = _locked(session)
    if state.away_since is None:
        state.away_since = now
        append(session, MailServerAway(actor=ENGINE, at=now, trouble=trouble))


def note_answered(session: Session, now: datetime) -> None:
    """Note that the server answers, if it did not before."""
    if session.execute(_AWAY_SINCE).scalar() and (state := _locked(session)).away_since:
        append(session, MailServerBack(actor=ENGINE, at=now, away_since=state.away_since))
        state.away_since = None


def going(session: Session, batch_id: UUID, rule: PauseRule, now: datetime) -> Going:
    """Whether a batch may hand its messages over; the one that probes moves the next probe on."""
    state = mail_state(session)
    if state is None or state.paused_at is None:
        return Going.ON
    state = _locked(session)
    if state.probe_at and now < state.probe_at:
        batch = session.get_one(Batch, batch_id)
        if batch.trouble != MailIsPaused.code:
            batch.trouble, batch.trouble_since = MailIsPaused.code, now
        return Going.PAUSED
    state.probe_at = now + rule.probe_after
    return Going.PROBING


def probes_alone(session: Session, probe_after: timedelta | None, now: datetime) -> bool:
    """Whether a mail that is no notice goes although mail is paused, as the one that is tried: its turn moves on.

    Without ``probe_after`` it never is: that one for our own people is taken says nothing about the others.

    Raises:
        MailIsPaused: it waits.
    """
    state = mail_state(session)
    if state is None or state.paused_at is None:
        return False
    state = _locked(session)
    if probe_after is None or (state.probe_at and now < state.probe_at):
        raise MailIsPaused(
            "Mail is paused, since too many refusals were alike, so nothing was sent.",
            next_step="Have it mended, and let mail go on; what waits then leaves.",
        )
    state.probe_at = now + probe_after
    return True


def is_disregarded(session: Session, code: int, status: str | None) -> bool:
    """Whether a refusal is one of those for which mail is paused."""
    state = mail_state(session)
    return bool(state and state.paused_at and (state.refused_code, state.refused_status) == (code, status))


def pause_if_alike(
    session: Session,
    batch_id: UUID,
    code: int,
    status: str | None,
    rule: PauseRule,
    now: datetime,
    *,
    on_the_way: int,
) -> bool:
    """Pause mail if too many refusals of a batch are alike; return whether that is so.

    What is about to be handed over, and what the server has not answered yet, counts as taken: a refusal comes sooner
    than an acceptance, and five in a row that are gone say nothing of the rest. The contacts of those that were refused
    are tried again, as if nothing had been said of them.
    """
    alike = (
        col(Delivery.status) == DeliveryStatus.REJECTED,
        col(Delivery.reply_code) == code,
        col(Delivery.reply_status).is_not_distinct_from(status),
    )
    of_batch = select(func.count()).select_from(Delivery).join(Notice, col(Notice.id) == col(Delivery.notice_id))
    of_batch = of_batch.where(Notice.batch_id == batch_id)
    refusals = session.exec(of_batch.where(*alike)).one()
    taken = session.exec(of_batch.where(col(Delivery.status).in_(ARRIVED))).one() + on_the_way
    if refusals < rule.refusals or refusals <= taken:
        return False
    refused = _refused(session, [*alike, col(Notice.batch_id) == batch_id])
    domains = {contact.email.rpartition("@")[2].casefold() for _, contact in refused}
    if len(domains) < MANY_DOMAINS:
        return False
    lately = col(Delivery.settled_at) >= now - ALIKE_WITHIN
    leaving = col(Batch.status).in_((BatchStatus.SENDING, BatchStatus.PUT_OFF))
    for delivery, contact in _refused(session, [*alike, lately, leaving, col(Notice.given_at).is_(None)]):
        disregard(delivery, contact)
    state = _locked(session)
    state.paused_at, state.probe_at = now, now + rule.probe_after
    state.refused_code, state.refused_status, state.refusals = code, status, refusals
    append(
        session,
        MailPaused(
            actor=ENGINE,
            at=now,
            batch_id=batch_id,
            code=code,
            status=status,
            refusals=refusals,
            domains=len(domains),
            probe_at=now + rule.probe_after,
        ),
    )
    return True


def disregard(delivery: Delivery, contact: AgreementContact) -> None:
    """Let a refusal count for nothing: its contact is tried again, once its turn comes."""
    delivery.status, delivery.again_at = moved(delivery.status, Happening.DISREGARDED), None
    if contact.failing_since == delivery.settled_at:
        contact.failing_since = None
    delivery.settled_at = None


def resume(session: Session, actor: str, now: datetime) -> None:
    """Let mail go on, by a person's word; each batch that waits for it does within a minute.

    Raises:
        Refused: it is not paused.
    """
    if not end_pause(session, actor, now):
        raise Refused("Mail is not paused.", next_step="Reload the page.")


def end_pause(session: Session, actor: str, now: datetime) -> bool:
    """Let mail go on, if it is paused; return whether it was."""
    state = _locked(session)
    if state.paused_at is None:
        return False
    append(session, MailResumed(actor=actor, at=now, paused_at=state.paused_at))
    state.paused_at = state.probe_at = state.refused_code = state.refused_status = None
    return True


def probe_again(session: Session, now: datetime) -> None:
    """Let the next batch probe at once: the message that was tried said nothing about the pause."""
    _locked(session).probe_at = now


def _refused(session: Session, which: list[object]) -> Sequence[tuple[Delivery, AgreementContact]]:
    return session.exec(
        select(Delivery, AgreementContact)
        .join(Notice, col(Notice.id) == col(Delivery.notice_id))
        .join(Batch, col(Batch.id) == col(Notice.batch_id))
        .join(AgreementContact, col(AgreementContact.id) == col(Delivery.contact_id))
        .where(*which)  # type: ignore[arg-type]
        .order_by(col(Delivery.id))
    ).all()


def _locked(session: Session) -> MailState:
    """The one row, made when it is first needed, held until the transaction ends."""
    state = session.get(MailState, _THE_ROW, with_for_update=True)
    if state is None:
        state = MailState(id=_THE_ROW)
        session.add(state)
    return state
