"""Addresses that somebody swapped in the database: nothing leaves to them, and no other notice waits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Uuid, bindparam, text
from sqlmodel import Session, select

from cases.acts import AnswerQuestion
from cases.breach import BREACH
from config.database import Database
from config.keyring import Keyring
from models.enums import AnswerKind
from models.tables import AgreementContact, Answer, Notice
from records.answers import GivenAnswer, record_answers
from records.letters import SERVER_AWAY, take_up
from tests.support.case_in_sql import WRITER, Place, open_in_sql
from tests.support.mailing import NOON, Mailing, districts, mailing


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path, keyring: Keyring) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path}/duenotice.sqlite3"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql_url")
    database = Database(url, keyring)
    database.migrate()
    yield database
    database.close()


def swap(database: Database, one: str, other: str) -> None:
    """Swap two contacts' addresses, as whoever owns the database can, past this program."""
    with database.writing() as session:
        ids = {row.email: row.id for row in session.exec(select(AgreementContact))}
        read = text("SELECT email FROM agreement_contact WHERE id = :id").bindparams(bindparam("id", type_=Uuid()))
        stored = {name: session.execute(read, {"id": ids[name]}).scalar_one() for name in (one, other)}
        write(session, "agreement_contact", ids[one], stored[other])
        write(session, "agreement_contact", ids[other], stored[one])


def write(session: Session, table: str, row: UUID, email: bytes) -> None:
    change = text(f"UPDATE {table} SET email = :email WHERE id = :id").bindparams(bindparam("id", type_=Uuid()))
    session.execute(change, {"id": row, "email": email})


def told(mail: Mailing) -> list[str]:
    """To whom the mail server took a message."""
    return sorted(address for address, _ in mail.server.taken)


async def test_where_addresses_were_swapped_the_next_contact_is_told_and_nobody_else_waits(database: Database) -> None:
    async with mailing(database, districts(3, contacts=2)) as mail:
        swap(database, "office0@d0.example.org", "office0@d1.example.org")
        assert await mail.send_due() == []
        assert told(mail) == ["office0@d2.example.org", "office1@d0.example.org", "office1@d1.example.org"]
        assert mail.given() == 3


async def test_where_nobody_else_is_named_nothing_leaves_until_the_agreements_are_imported_again(
    database: Database,
) -> None:
    async with mailing(database, districts(3)) as mail:
        swap(database, "office0@d0.example.org", "office0@d1.example.org")
        await mail.send_due()
        assert (told(mail), mail.given(), mail.is_through()) == (["office0@d2.example.org"], 1, True)
        mail.name_contacts(districts(3))
        mail.compute()
        await mail.send_due()
        assert told(mail) == [f"office0@d{number}.example.org" for number in range(3)]
        assert mail.given() == 3


async def test_a_message_that_waits_does_not_leave_to_an_address_that_was_swapped_since(database: Database) -> None:
    full = {f"office0@d{number}.example.org" for number in range(2)}
    async with mailing(database, districts(2)) as mail:
        mail.server.full = full
        await mail.send_due()
        swap(database, *sorted(full))
        mail.server.full = set()
        mail.pass_time(timedelta(hours=1))
        await mail.send_due()
        assert (mail.server.taken, mail.given(), mail.is_through()) == ([], 0, True)


async def test_what_no_message_needs_stops_none_where_it_does_not_open(database: Database) -> None:
    async with mailing(database, districts(2, contacts=2), RCPT=["450 4.2.0 Later"] * 2) as mail:
        await mail.send_due()
        with database.writing() as session:
            session.execute(text("UPDATE agreement SET exhibit_h_note = :moved"), {"moved": b"DNS1 moved"})
            session.execute(text("UPDATE delivery SET answer = :moved"), {"moved": b"DNS1 moved"})
        mail.pass_time(timedelta(hours=1))
        await mail.send_due()
        assert (len(told(mail)), mail.given()) == (2, 2)


def test_a_letter_to_an_address_that_was_swapped_waits_until_it_is_restored(database: Database) -> None:
    dates = dict.fromkeys(("occurred", "discovered", "confirmed"), NOON)
    case = open_in_sql(database, BREACH, [Place("ndpa-v1", "TN")], NOON, dates)
    case.compute()
    with database.writing() as session:
        notice_id = session.exec(select(Notice.id)).one()
        asked = [
            GivenAnswer(notice_id, AnswerKind.QUESTION, "lea", name, f"{name}@d1.example.org", f"{name} asks.")
            for name in ("sam", "kim")
        ]
        record_answers(session, asked, bytes(32), NOON)
        ids = {answer.name: answer.id for answer in session.exec(select(Answer))}
    with database.reading() as session:
        kept = dict(session.execute(text("SELECT id, email FROM answer")).all())
    case.act(AnswerQuestion.model_validate({"question": ids["sam"], "text": "None."}), "robin")

    sam, kim = (bytes(kept[next(key for key in kept if UUID(str(key)) == ids[name])]) for name in ("sam", "kim"))
    with database.writing() as session:
        write(session, "answer", ids["sam"], kim)
        assert take_up(session, WRITER, case.now, 5) == []
    with database.writing() as session:
        write(session, "answer", ids["sam"], sam)
        (letter,) = take_up(session, WRITER, case.now + SERVER_AWAY, 5)
    assert letter.email == "sam@d1.example.org"
