"""Messages that are composed before the transaction that reserves them say what holds as that transaction ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlmodel import Session, col, select, update

from cases.breach import BREACH
from config.database import Database
from ledger.artifacts import fetch
from ledger.verify import verify_all
from models.enums import BatchStatus, FactStatus
from models.tables import Agreement, AgreementContact, Artifact, Batch, CaseAnchor, CaseFact, Delivery, Notice
from records.outbox import OutgoingMessage, Prepared
from tests.support.case_in_sql import WRITER, CaseInSql, Place, open_in_sql

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
DAY = timedelta(days=1)
TENNESSEE, VIRGINIA = Place("ndpa-v1", "TN"), Place("ndpa-v1", "VA")
"""A state with one clause on breaches, and one with two that fall together."""
MANY = [TENNESSEE, *(Place("ndpa-v1", "TN", tuple(f"Holder {n}" for n in range(count))) for count in range(1, 8))]


@dataclass
class Leaving:
    """A breach whose notices leave now."""

    case: CaseInSql
    notices: list[Notice]

    def prepare(self) -> Prepared:
        with self.case.database.reading() as session:
            return WRITER.prepare(session, self.case.id, [notice.id for notice in self.notices], self.case.now)

    def reserve(self, prepared: Prepared) -> tuple[OutgoingMessage, ...]:
        with self.case.database.writing() as session:
            ids = [notice.id for notice in self.notices]
            return WRITER.reserve(session, self.case.id, ids, self.case.now, prepared)


def leaving(database: Database, *places: Place) -> Leaving:
    case = open_in_sql(database, BREACH, list(places), NOW, {"occurred": NOW, "discovered": NOW, "confirmed": NOW})
    case.compute()
    case.now += timedelta(hours=71)
    with database.reading() as session:
        notices = list(session.exec(select(Notice).order_by(col(Notice.id))))
    return Leaving(case, notices)


def test_what_was_prepared_is_sent_as_it_is(database: Database) -> None:
    breach = leaving(database, TENNESSEE)
    prepared = breach.prepare()
    (letter,) = breach.reserve(prepared)
    assert letter.raw is prepared.letters[letter.notice_id].written.raw


def test_writers_go_first_each_time_that_a_message_is_written(database: Database) -> None:
    breach, asked = leaving(database, *MANY), []
    with database.reading() as session:
        ids = [notice.id for notice in breach.notices]
        WRITER.prepare(session, breach.case.id, ids, breach.case.now, give_way=lambda: asked.append(True))
    assert len(asked) >= len(ids) > 1


def a_fact(session: Session, case: CaseInSql) -> None:
    session.add(
        CaseFact(
            id=uuid4(),
            case_id=case.id,
            element="description",
            status=FactStatus.KNOWN,
            value="Learnt meanwhile.",
            recorded_at=case.now,
            recorded_by="officer",
        )
    )


def another_address(session: Session, case: CaseInSql) -> None:
    contact = session.exec(select(AgreementContact)).one()
    contact.email = "meanwhile@example.org"
    session.add(contact)


def another_name(session: Session, case: CaseInSql) -> None:
    session.execute(update(Agreement).values(lea_name="Meanwhile Unified"))


def another_link(session: Session, case: CaseInSql) -> None:
    session.execute(update(Notice).values(link_generation=2))


def another_date(session: Session, case: CaseInSql) -> None:
    session.execute(update(CaseAnchor).where(col(CaseAnchor.name) == "occurred").values(instant=NOW - DAY))


def another_head(session: Session, case: CaseInSql) -> None:
    session.execute(update(Batch).values(ledger_head="example.org/ledger 7 Ym9ndXM="))


@pytest.mark.parametrize("change", [a_fact, another_address, another_name, another_link, another_date, another_head])
def test_what_has_changed_since_is_said(database: Database, change: Callable[[Session, CaseInSql], None]) -> None:
    breach = leaving(database, TENNESSEE)
    prepared = breach.prepare()
    with database.writing() as session:
        change(session, breach.case)
    (letter,) = breach.reserve(prepared)
    assert letter.raw != prepared.letters[letter.notice_id].written.raw
    with database.reading() as session:
        assert fetch(session, letter.sha256) == letter.raw
        assert len(session.exec(select(Artifact.sha256).where(Artifact.media_type == "message/rfc822")).all()) == 1


def reserve_prepared(breach: Leaving, prepared: Prepared) -> OutgoingMessage:
    with breach.case.database.writing() as session:
        (letter,) = WRITER.reserve(session, breach.case.id, prepared.notices, breach.case.now, prepared)
    return letter


def test_notices_that_fall_together_are_sent_as_they_were_prepared(database: Database) -> None:
    breach = leaving(database, VIRGINIA)
    first, other = breach.notices
    prepared = breach.prepare()
    letter = reserve_prepared(breach, prepared)
    assert letter.notice_id == first.id
    assert letter.raw is prepared.letters[first.id].written.raw
    with database.reading() as session:
        (left,) = session.exec(select(Notice))
        assert (left.id, left.also_performs) == (first.id, [str(other.duty_id)])


def test_what_may_not_be_taken_along_any_more_is_not(database: Database) -> None:
    breach = leaving(database, VIRGINIA)
    first, other = breach.notices
    prepared = breach.prepare()
    with database.writing() as session:
        session.execute(update(Batch).where(col(Batch.id) == other.batch_id).values(status=BatchStatus.WITHHELD))
    letter = reserve_prepared(breach, prepared)
    assert letter.notice_id == first.id
    assert letter.raw != prepared.letters[first.id].written.raw
    with database.reading() as session:
        left = session.exec(select(Notice).order_by(col(Notice.id))).all()
        assert [(notice.id, notice.also_performs) for notice in left] == [(first.id, []), (other.id, [])]


def test_what_was_dropped_since_is_not_sent(database: Database) -> None:
    breach = leaving(database, TENNESSEE)
    prepared = breach.prepare()
    with database.writing() as session:
        session.execute(update(Notice).values(dropped=True))
    assert breach.reserve(prepared) == ()


def test_what_another_has_reserved_since_is_not_reserved_again(database: Database) -> None:
    breach = leaving(database, TENNESSEE)
    prepared = breach.prepare()
    (first,) = breach.reserve(breach.prepare())
    (second,) = breach.reserve(prepared)
    assert (second.delivery_id, second.raw) == (first.delivery_id, first.raw), "it waits to be handed over"
    with database.reading() as session:
        assert len(session.exec(select(Delivery.id)).all()) == 1
        assert verify_all(session, tables=False).sound


def test_notices_of_one_cohort_are_kept_against_their_outline_and_read_back(database: Database) -> None:
    breach = leaving(database, *MANY)
    letters = breach.reserve(breach.prepare())
    assert len(letters) == len(MANY)
    with database.reading() as session:
        assert all(fetch(session, letter.sha256) == letter.raw for letter in letters)
        outlines = session.exec(select(Artifact.outline_sha256).where(Artifact.media_type == "message/rfc822")).all()
        assert len(set(outlines)) == 1
        assert None not in outlines
        assert verify_all(session, tables=False).sound
