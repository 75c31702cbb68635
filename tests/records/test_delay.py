"""What a notice says of law enforcement having delayed it: only what is true, and only what may be said."""

from __future__ import annotations

import email
from datetime import UTC, datetime, timedelta
from email import policy

import pytest
from sqlmodel import col, select

from cases.acts import Hold, Lift
from cases.values import KeptText
from config.database import Database
from ledger.artifacts import fetch
from models.enums import BatchStatus, DutyStatus, Verdict
from models.tables import Batch, Delivery, LawEnforcementHold, Notice
from tests.support.case_in_sql import CaseInSql, Place, open_in_sql, standing_kind
from tests.support.incidents import NOTICE

NOW = datetime(2026, 11, 2, 15, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
MASSACHUSETTS, OREGON = Place("ndpa-v1", "MA"), Place("ndpa-v2", "OR")
LABEL = "Whether law enforcement delayed this notice"


def held(database: Database, place: Place, *, until: timedelta, shareable: bool = True) -> CaseInSql:
    """A breach confirmed now, held an hour later, whose hold is lifted some time after the confirmation."""
    case = open_in_sql(database, standing_kind("breach"), [place], NOW, {"confirmed": NOW})
    case.compute()
    case.now = NOW + HOUR
    particulars = KeptText.model_validate("Bureau of Examples, reference 24-117")
    case.act(Hold(particulars=particulars, begins_at=case.now, shareable=shareable))
    assert case.duty(NOTICE).status is DutyStatus.SUSPENDED
    case.now = NOW + until
    with database.reading() as session:
        hold_id = session.exec(select(LawEnforcementHold.id).where(LawEnforcementHold.case_id == case.id)).one()
    case.act(Lift(hold_id=hold_id))
    return case


def sent(case: CaseInSql) -> tuple[Notice, str]:
    """The notice once it has left, and its text."""
    case.send_what_leaves()
    with case.database.reading() as session:
        notice, sha256 = session.exec(
            select(Notice, Delivery.message_sha256)
            .join(Delivery, col(Delivery.notice_id) == col(Notice.id))
            .where(Notice.case_id == case.id)
        ).one()
        message = email.message_from_bytes(fetch(session, sha256), policy=policy.SMTP)
    body = message.get_body(("plain",))
    assert body is not None
    return notice, " ".join(body.get_content().split())


def test_a_notice_that_a_hold_kept_back_beyond_its_time_says_so(database: Database) -> None:
    case = held(database, MASSACHUSETTS, until=100 * HOUR)
    case.now += 23 * HOUR
    _, says = sent(case)
    assert f"{LABEL} Yes. This notice was delayed at the request of law enforcement." in says
    assert case.duty(NOTICE).verdict is Verdict.ON_TIME


def test_a_hold_that_ended_within_the_72_hours_delayed_nothing(database: Database) -> None:
    case = held(database, MASSACHUSETTS, until=30 * HOUR)
    case.now = NOW + 71 * HOUR
    _, says = sent(case)
    assert f"{LABEL} No. This notice was not delayed by a law-enforcement investigation." in says


def test_a_notice_that_leaves_in_its_own_time_was_not_delayed_whatever_the_hold_did_to_its_date(
    database: Database,
) -> None:
    case = held(database, MASSACHUSETTS, until=60 * HOUR)
    with database.writing() as session:
        waiting = select(Batch).where(Batch.case_id == case.id, Batch.status == BatchStatus.WAITING)
        session.exec(waiting).one().leaves_at = case.now  # an officer releases it
    _, says = sent(case)
    assert f"{LABEL} No." in says


def test_under_terms_that_ask_for_it_only_where_it_may_be_shared_the_answer_is_withheld(database: Database) -> None:
    case = held(database, OREGON, until=100 * HOUR, shareable=False)
    case.now += 23 * HOUR
    notice, says = sent(case)
    assert f"{LABEL} Withheld, because sharing it is not permitted at present." in says
    assert "law_enforcement_delay" in notice.given


def test_under_terms_that_know_no_such_condition_nothing_is_said(database: Database) -> None:
    case = held(database, MASSACHUSETTS, until=100 * HOUR, shareable=False)
    case.now += 23 * HOUR
    notice, says = sent(case)
    assert LABEL not in says
    assert "Withheld" not in says
    assert "law_enforcement_delay" not in {*notice.given, *notice.lacking}


@pytest.mark.parametrize("shareable", [True, False])
def test_a_hold_that_delayed_nothing_is_not_told(database: Database, *, shareable: bool) -> None:
    case = held(database, OREGON, until=30 * HOUR, shareable=shareable)
    case.now = NOW + 71 * HOUR
    _, says = sent(case)
    assert f"{LABEL} No." in says
    assert "Bureau of Examples" not in says
