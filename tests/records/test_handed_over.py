"""A file handed to an LEA: sealed, behind one link, fetched with evidence, and erased once its time is over."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from sqlmodel import col, select

from cases.breach import BREACH
from config.database import Database
from ledger.artifacts import fetch, store
from ledger.findings import what_holds
from ledger.verify import Step, verify_all
from mail.holder_links import NOBODYS, holder_token
from models.errors import Gone, InvalidInput, NotFound, Refused
from models.tables import Artifact, EvidenceEntry, HandedOver
from records.handed_over import (
    FILE_READER,
    erase_due,
    fetch_handed_over,
    hand_over,
    read_handed_over,
    read_linked_file,
    renew_link,
    revoke_link,
)
from records.uploads import uploaded_file
from starter.resources import utc_now
from tests.support.case_in_sql import WRITER, open_in_sql
from tests.support.handed_over import A_MONTH, CONTENT, DAYS, PLACE, Handed, hand_a_file_over, text_of

SECOND = timedelta(seconds=1)


@pytest.fixture
def handed(database: Database) -> Handed:
    return hand_a_file_over(database)


def kinds(handed: Handed) -> list[str]:
    with handed.case.database.reading() as session:
        query = select(EvidenceEntry.kind).where(EvidenceEntry.case_id == handed.case.id)
        return list(session.exec(query.order_by(col(EvidenceEntry.number))))


def erase(handed: Handed, at: datetime) -> int:
    with handed.case.database.writing() as session:
        return erase_due(session, at)


def test_the_mail_has_a_link_and_neither_the_file_nor_its_name(handed: Handed) -> None:
    says = text_of(handed.mail.mail.raw)
    assert handed.token in says
    assert "4711" not in handed.mail.mail.raw.decode()
    assert "30 days after we made it ready" in " ".join(says.split())
    assert "it is a default of ours" in " ".join(says.split())
    assert handed.token not in (handed.mail.mail.kept or b"").decode()
    assert NOBODYS in text_of(handed.mail.mail.kept or b""), "whoever reads the evidence cannot fetch the file"


def test_neither_the_file_nor_its_link_lies_open_in_the_database(handed: Handed) -> None:
    with handed.case.database.reading() as session:
        row = session.exec(select(HandedOver)).one()
        assert row.link_digest == handed.digest
        stored = session.execute(text("SELECT file_name, link_digest FROM handed_over")).one()
        content = session.execute(
            text("SELECT content FROM artifact WHERE sha256 = :name"), {"name": row.content_sha256}
        ).scalar_one()
        bodies = str([(entry.body, entry.artifacts) for entry in session.exec(select(EvidenceEntry))])
    assert b"4711" not in bytes(stored[0])
    assert b"4711" not in bytes(content)
    assert "4711" not in bodies
    assert handed.token not in str(stored[1])


def test_each_fetching_is_evidence(handed: Handed) -> None:
    database, now = handed.case.database, handed.case.now
    for _ in range(2):
        file = fetch_handed_over(database, handed.digest, actor=FILE_READER, now=now)
        assert (file.content, file.name, file.media_type) == (CONTENT, "grades of 4711.csv", "text/csv")
    assert kinds(handed) == ["file_handed_over", "file_link_mailed", "file_fetched", "file_fetched"]
    shown = read_handed_over(database, handed.case.id, days=DAYS)
    assert shown
    assert [(one.fetches, one.fetched_at) for one in shown.files] == [(2, now)]


def test_a_link_that_was_taken_back_or_replaced_opens_nothing(handed: Handed) -> None:
    database, now, case = handed.case.database, handed.case.now, handed.case.id
    revoke_link(database, case, handed.mail.handed_over, "It went astray.", actor="officer", now=now)
    with pytest.raises(NotFound, match="leads nowhere, or no more"):
        read_linked_file(database, handed.digest, now)
    with pytest.raises(Refused, match="taken back already"):
        revoke_link(database, case, handed.mail.handed_over, "Again.", actor="officer", now=now)
    newer = Handed(handed.case, renew_link(database, WRITER, case, handed.mail.handed_over, now=now))
    assert newer.token != handed.token
    assert read_linked_file(database, newer.digest, now).lea_name == f"District {PLACE.reference}"
    with pytest.raises(NotFound):
        read_linked_file(database, handed.digest, now)


def test_a_link_of_another_purpose_opens_nothing(handed: Handed) -> None:
    assert holder_token(WRITER.link_key, handed.mail.handed_over, 1) != handed.token


def test_up_to_its_last_second_it_is_fetched_and_then_no_more(handed: Handed) -> None:
    database, ends = handed.case.database, handed.case.now + A_MONTH
    assert erase(handed, ends - SECOND) == 0
    assert fetch_handed_over(database, handed.digest, actor=FILE_READER, now=ends - SECOND).content == CONTENT
    with pytest.raises(Gone, match="erased"):
        read_linked_file(database, handed.digest, ends)
    with pytest.raises(Gone):
        renew_link(database, WRITER, handed.case.id, handed.mail.handed_over, now=ends)


def test_after_its_time_the_bytes_are_gone_and_the_ledger_says_so(handed: Handed) -> None:
    ends = handed.case.now + A_MONTH
    assert [erase(handed, ends), erase(handed, ends + SECOND)] == [1, 0]
    assert kinds(handed)[-1] == "file_erased"
    with handed.case.database.reading() as session:
        row = session.exec(select(HandedOver)).one()
        assert session.execute(text("SELECT content FROM artifact WHERE content IS NULL")).all()
        with pytest.raises(Gone, match="was erased on"):
            fetch(session, row.content_sha256)
        found = verify_all(session, tables=False)
    assert found.sound
    (erased,) = found.erased
    assert (erased.artifact, erased.at, erased.by) == (row.content_sha256, ends, "duenotice")
    assert f"Artifact {erased.artifact} was erased on" in what_holds(found)
    assert "by duenotice, as entry" in what_holds(found)


def test_bytes_that_are_gone_without_an_entry_that_says_so_are_found_missing(handed: Handed) -> None:
    with handed.case.database.writing() as session:
        session.execute(text("UPDATE artifact SET content = NULL, erased_at = stored_at WHERE media_type = 'text/csv'"))
    with handed.case.database.reading() as session:
        found = verify_all(session, tables=False)
    assert found.flaw
    assert found.flaw.step is Step.ARTIFACTS
    assert "nothing says that it was erased" in found.flaw.reason


def test_an_erasure_is_no_excuse_for_what_was_handed_over_again(handed: Handed) -> None:
    ends = handed.case.now + A_MONTH
    erase(handed, ends)
    database, file = handed.case.database, uploaded_file("again.csv", CONTENT)
    hand_over(database, WRITER, handed.case.id, file, None, days=DAYS, actor="officer", now=ends)
    with database.reading() as session:
        assert fetch(session, session.exec(select(HandedOver.content_sha256)).first() or "") == CONTENT
        assert verify_all(session, tables=False).erased == ()
    with database.writing() as session:
        session.execute(text("UPDATE artifact SET content = NULL WHERE media_type = 'text/csv'"))
    with database.reading() as session:
        assert not verify_all(session, tables=False).sound


def test_the_same_bytes_go_at_the_last_of_their_times(handed: Handed) -> None:
    longer = hand_a_file_over(handed.case.database, days=2 * DAYS)
    assert erase(handed, handed.case.now + A_MONTH) == 0
    with pytest.raises(Gone):
        read_linked_file(handed.case.database, handed.digest, handed.case.now + A_MONTH)
    assert erase(longer, longer.case.now + 2 * A_MONTH) == 1
    assert kinds(handed)[-1] == kinds(longer)[-1] == "file_erased"


@pytest.mark.parametrize("claimed", [True, False])
def test_what_is_stored_again_after_its_time_goes_again(handed: Handed, claimed: bool) -> None:
    ends = handed.case.now + A_MONTH
    erase(handed, ends)
    with handed.case.database.writing() as session:
        store(session, CONTENT, "text/csv", ends, claimed=claimed)
        assert session.exec(select(Artifact.erased_at).where(Artifact.media_type == "text/csv")).one() is None
    assert erase(handed, ends + SECOND) == 1


def test_a_case_of_another_kind_and_another_ones_contact_are_refused(database: Database, handed: Handed) -> None:
    file, now = uploaded_file("a.csv", CONTENT), utc_now()
    other = open_in_sql(database, BREACH, [PLACE], now)
    with pytest.raises(Refused, match="no files are handed over"):
        hand_over(database, WRITER, other.id, file, None, days=DAYS, actor="officer", now=now)
    with pytest.raises(InvalidInput, match="no contact of the LEA"):
        hand_over(database, WRITER, handed.case.id, file, other.id, days=DAYS, actor="officer", now=now)
    with pytest.raises(NotFound):
        revoke_link(database, other.id, handed.mail.handed_over, "Why.", actor="officer", now=now)
