"""What a bundle's report says: each way in which a duty can be met, and no word of a person told as the engine's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select

from config.database import Database
from ledger.bundle import Scope
from models.enums import DutyStatus, Verdict
from models.tables import Duty, PostalLetter
from queries.evidence_report import VERDICTS, Report, report_pdf, tell
from tests.support.case_in_sql import CaseInSql
from tests.support.to_post import letter_to_post

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
ORGANISATION = "Example Learning, Inc."


@pytest.fixture
def case(database: Database) -> CaseInSql:
    """A case whose one notice became a letter that waits to be posted."""
    return letter_to_post(database, NOW)


def report(case: CaseInSql) -> Report:
    with case.database.reading() as session:
        return tell(session, Scope(case.id), 10_000, (), NOW + timedelta(days=1), ORGANISATION)[0]


def test_every_verdict_has_its_words() -> None:
    assert VERDICTS.keys() == set(Verdict)


def test_a_letter_is_told_as_somebodys_word(case: CaseInSql) -> None:
    (waits,) = report(case).duties[0].notices
    assert "nobody has said that it was posted" in str(waits.lines)
    with case.database.writing() as session:
        letter = session.exec(select(PostalLetter)).one()
        letter.mailed_at, letter.mailed_by, letter.took_effect_at = NOW, "robin", NOW
        duty = session.exec(select(Duty).where(Duty.id == case.duty("breach.notice").id)).one()
        duty.status, duty.verdict, duty.performed_at = DutyStatus.PERFORMED, Verdict.LATE_BY_POST, NOW
        duty.due_at = duty.target_at = NOW - timedelta(hours=25)
    told = report(case).duties[0]
    assert (told.outcome, told.tone) == (VERDICTS[Verdict.LATE_BY_POST], "bad")
    assert "1 day and 1 hour" in str(told.lines)
    assert "robin says that it was handed to the post" in str(told.notices[0].lines)
    assert report_pdf(report(case), NOW).startswith(b"%PDF")


def test_reasons_are_in_words_of_the_trade(case: CaseInSql) -> None:
    said = report(case)
    assert said.organisation == ORGANISATION
    assert said.duties[0].why
    assert not [sentence for duty in said.duties for sentence in duty.why if "_" in sentence]
