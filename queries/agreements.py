"""Reading agreements from SQL for lists and choices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, func, select

from agreements.life import end_of, last_day
from config.database import Database
from models.enums import ContactRole
from models.errors import NotFound
from models.tables import Agreement, AgreementChange, AgreementContact
from queries.views import (
    AgreementChangeView,
    AgreementContactView,
    AgreementKinds,
    AgreementLifeView,
    AgreementView,
)
from records.end_of_agreement import case_of_end
from records.ends import Follows, Rules, follows_from
from records.scope import EVERY_AGREEMENT, AgreementFilter


def list_agreements(database: Database) -> tuple[AgreementView, ...]:
    """Every agreement, by its LEA's name."""
    return find_agreements(database, EVERY_AGREEMENT)[0]


def find_agreements(
    database: Database, which: AgreementFilter, *, offset: int = 0, limit: int | None = None
) -> tuple[tuple[AgreementView, ...], int]:
    """Some of the agreements by name, at most ``limit`` from ``offset`` on, and how many there are."""
    wanted = which.conditions()
    with database.reading() as session:
        rows = session.exec(
            select(Agreement)
            .where(*wanted)
            .order_by(col(Agreement.lea_name), col(Agreement.reference))
            .offset(offset)
            .limit(limit)
        ).all()
        contacts = select(
            AgreementContact.agreement_id, func.count(), func.count(col(AgreementContact.failing_since))
        ).where(AgreementContact.role != ContactRole.COPY_TO, AgreementContact.rank >= 0)
        if limit is not None:
            contacts = contacts.where(col(AgreementContact.agreement_id).in_([row.id for row in rows]))
        counts = {
            agreement_id: {"contacts": count, "failing": failing}
            for agreement_id, count, failing in session.exec(contacts.group_by(col(AgreementContact.agreement_id)))
        }
        none = {"contacts": 0, "failing": 0}
        found = tuple(
            AgreementView(
                **counts.get(row.id, none),
                **row.model_dump(include=set(AgreementView.model_fields) - {"expires_on"}),
                expires_on=last_day(row),
            )
            for row in rows
        )
        total = session.exec(select(func.count()).select_from(Agreement).where(*wanted)).one()
    return found, total


FOLLOWS: Mapping[Follows, str] = {
    Follows.CASE: "Its data is to be disposed of; the case is opened with the watchdog's next sweep.",
    Follows.IN_HAND: "A case about the disposal of its data is open.",
    Follows.DONE: "Its data was disposed of, or two people decided that nothing need be.",
    Follows.NOTHING: (
        "Nothing follows by itself: no clause of its terms counts a time for the disposal from this end, or the LEA "
        "expects to renew. What the LEA directs is a case of its own."
    ),
    Follows.BY_HAND: "It had ended before it was entered here. If data of it is left, open its disposal.",
}
"""What follows from an agreement's end, as people are told."""


def read_agreement(database: Database, agreement_id: UUID, rules: Rules, now: datetime) -> AgreementLifeView:
    """One agreement with its life so far, and what follows from its end.

    Raises:
        NotFound: there is none.
    """
    with database.reading() as session:
        agreement = session.get(Agreement, agreement_id)
        if agreement is None:
            raise NotFound("There is no such agreement.", next_step="Choose one from the list of agreements.")
        end = end_of(agreement, now)
        follows = follows_from(session, rules, agreement, end, now) if end else None
        changes = session.exec(
            select(AgreementChange)
            .where(AgreementChange.agreement_id == agreement_id)
            .order_by(col(AgreementChange.number).desc())
        ).all()
        ended_by = next((row.ended_by for row in changes if row.ended_by and row.taken_back_at is None), None)
        return AgreementLifeView(
            **agreement.model_dump(include=set(AgreementLifeView.model_fields) - {"expires_on"}),
            expires_on=last_day(agreement),
            ended_on=end.day if end else None,
            ended_by=ended_by,
            follows=FOLLOWS[follows] if follows else None,
            case_id=case_of_end(session, agreement_id),
            to_open=follows is Follows.BY_HAND,
            survives=end is not None and follows is not Follows.DONE,
            contacts=_contacts(session, agreement_id),
            changes=tuple(AgreementChangeView.model_validate(row, from_attributes=True) for row in changes),
        )


def _contacts(session: Session, agreement_id: UUID) -> tuple[AgreementContactView, ...]:
    """Those of the other side that are written to, by role, the first to be tried first."""
    named = session.exec(
        select(AgreementContact)
        .where(AgreementContact.agreement_id == agreement_id, col(AgreementContact.case_id).is_(None))
        .where(col(AgreementContact.party).is_(None), col(AgreementContact.rank) >= 0)
        .order_by(col(AgreementContact.rank))
    ).all()
    by_role = sorted(named, key=lambda contact: tuple(ContactRole).index(contact.role))
    return tuple(AgreementContactView.model_validate(contact, from_attributes=True) for contact in by_role)


def matching_references(database: Database, which: AgreementFilter) -> frozenset[str]:
    """The references of the agreements that match."""
    with database.reading() as session:
        return frozenset(session.exec(select(Agreement.reference).where(*which.conditions())))


def agreement_states(database: Database) -> tuple[str, ...]:
    """The states of the agreements."""
    with database.reading() as session:
        return tuple(session.exec(select(Agreement.state).distinct().order_by(col(Agreement.state))))


def agreement_kinds(database: Database) -> AgreementKinds:
    """What agreements there are to choose from."""
    with database.reading() as session:
        return AgreementKinds(
            total=session.exec(select(func.count()).select_from(Agreement)).one(),
            states=tuple(session.exec(select(Agreement.state).distinct().order_by(col(Agreement.state)))),
            forms=tuple(session.exec(select(Agreement.form).distinct().order_by(col(Agreement.form)))),
            zones=tuple(session.exec(select(Agreement.time_zone).distinct().order_by(col(Agreement.time_zone)))),
        )
