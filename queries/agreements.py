"""Reading agreements from SQL for lists and choices."""

from __future__ import annotations

from sqlmodel import col, func, select

from config.database import Database
from models.enums import ContactRole
from models.tables import Agreement, AgreementContact
from queries.views import AgreementKinds, AgreementView
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
            AgreementView(**counts.get(row.id, none), **row.model_dump(include=set(AgreementView.model_fields)))
            for row in rows
        )
        total = session.exec(select(func.count()).select_from(Agreement).where(*wanted)).one()
    return found, total


def matching_references(database: Database, which: AgreementFilter) -> frozenset[str]:
    """The references of the agreements that match."""
    with database.reading() as session:
        return frozenset(session.exec(select(Agreement.reference).where(*which.conditions())))


def agreement_kinds(database: Database) -> AgreementKinds:
    """What agreements there are to choose from."""
    with database.reading() as session:
        return AgreementKinds(
            total=session.exec(select(func.count()).select_from(Agreement)).one(),
            states=tuple(session.exec(select(Agreement.state).distinct().order_by(col(Agreement.state)))),
            forms=tuple(session.exec(select(Agreement.form).distinct().order_by(col(Agreement.form)))),
            zones=tuple(session.exec(select(Agreement.time_zone).distinct().order_by(col(Agreement.time_zone)))),
        )
