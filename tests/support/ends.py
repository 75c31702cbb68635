"""Agreements that end, and the cases that the engine opens for that, in SQL alone."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlmodel import select

from agreements.life import record_termination
from agreements.subprocessors import import_subprocessors
from config.database import Database
from models.enums import EndedBy, Party
from models.tables import Agreement, Case
from records.ends import Rules, open_end, unseen_ends
from terms.limits import STANDARD_DEFAULTS
from tests.support.case_in_sql import CATALOGUE, Place, keep_agreement
from tests.support.directives import LADDER, DirectiveInSql, address_of

RULES = Rules(CATALOGUE, STANDARD_DEFAULTS, Party.PROVIDER)
JULY_1 = datetime.fromisoformat("2026-07-01T15:00:00+00:00")
JUNE_30 = date(2026, 6, 30)


def signed(database: Database, place: Place, *, expires: date | None = None, now: datetime = JULY_1) -> None:
    """Keep the agreement of a place, which lasts until a day or for ever."""
    with database.writing() as session:
        keep_agreement(session, place, date(2024, 7, 1), now)
        agreement = session.get_one(Agreement, place.agreement)
        agreement.expires_on, agreement.time_zone = expires, "America/New_York"


def terminated(database: Database, place: Place, on: date = JUNE_30, now: datetime = JULY_1) -> None:
    """Record that the LEA terminated the agreement of a place."""
    with database.writing() as session:
        record_termination(
            session, place.agreement, on=on, by=EndedBy.LEA, reason="Another service.", actor="officer", now=now
        )


def sweep(database: Database, now: datetime) -> list[DirectiveInSql]:
    """Open what ends ask for, as a sweep does."""
    with database.reading() as session:
        unseen = unseen_ends(session, RULES, now)
    opened = []
    for agreement_id in unseen:
        with database.writing() as session:
            if case_id := open_end(session, RULES, agreement_id, now):
                opened.append(DirectiveInSql(database, case_id, now, policy=LADDER))
    for case in opened:
        case.compute()
    return opened


def ended(database: Database, place: Place, *subprocessors: str, now: datetime = JULY_1) -> DirectiveInSql:
    """The case of an agreement that was terminated on the last day of June."""
    signed(database, place, now=now)
    if subprocessors:
        rows = "".join(f"{place.reference},{name},{address_of(name)},Rosters\n" for name in subprocessors)
        import_subprocessors(
            database, f"agreement,name,email,data\n{rows}", file_name="list.csv", now=now, actor="officer"
        )
    terminated(database, place, now=now)
    (case,) = sweep(database, now)
    return case


def ends_opened(database: Database) -> int:
    """How many cases about ends there are."""
    with database.reading() as session:
        return len(session.exec(select(Case).where(Case.kind == "end-of-agreement")).all())


DAY = timedelta(days=1)
