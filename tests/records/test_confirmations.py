"""A duty that a holder's word performs: who may confirm, in which order, and when it counts as performed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select

from cases.acts import ConfirmDone
from cases.values import AgreementName, KeptText
from config.database import Database
from models.enums import DutyStatus, Verdict
from models.errors import DuenoticeError, InvalidInput, Refused
from models.tables import Confirmation, EvidenceEntry
from tests.support.case_in_sql import CaseInSql, Place, open_in_sql, standing_kind

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
REQUEST = "disposition.request"
ALONE = Place("ndpa-v1", "IL")
WITH_HOLDERS = Place("ndpa-v1", "IL", ("Hosting Co", "Backup Co"))


def asked(database: Database, place: Place) -> CaseInSql:
    case = open_in_sql(database, standing_kind("disposition"), [place], NOW, {"disposal_requested": NOW})
    case.compute()
    assert case.duty(REQUEST).status is DutyStatus.RUNNING
    return case


def confirmed(place: Place, holder: str | None = None, clause: str = REQUEST) -> ConfirmDone:
    particulars = KeptText.model_validate("All copies were overwritten on 1 March.")
    return ConfirmDone(
        clause=clause,
        agreement=AgreementName.model_validate(place.reference),
        holder=holder,
        particulars=particulars,
    )


def refused(case: CaseInSql, act: ConfirmDone) -> DuenoticeError:
    with pytest.raises(DuenoticeError) as caught:
        case.act(act)
    return caught.value


def confirmations(case: CaseInSql) -> int:
    with case.database.reading() as session:
        return len(session.exec(select(Confirmation).where(Confirmation.case_id == case.id)).all())


def test_without_subprocessors_the_provider_s_own_word_performs_the_duty(database: Database) -> None:
    case = asked(database, ALONE)
    case.now += timedelta(days=1)
    case.act(confirmed(ALONE))
    duty = case.duty(REQUEST)
    assert (duty.status, duty.performed_at, duty.verdict) == (DutyStatus.PERFORMED, case.now, Verdict.ON_TIME)


def test_the_provider_confirms_only_after_every_subprocessor(database: Database) -> None:
    case = asked(database, WITH_HOLDERS)
    for holder, left in (("Hosting Co", 2), ("Backup Co", 1)):
        error = refused(case, confirmed(WITH_HOLDERS))
        assert (type(error), error.where) == (Refused, "holder")
        assert str(left) in error.message
        case.act(confirmed(WITH_HOLDERS, holder))
        assert case.duty(REQUEST).status is DutyStatus.RUNNING, "subprocessors' words alone perform nothing"
    case.act(confirmed(WITH_HOLDERS))
    assert case.duty(REQUEST).status is DutyStatus.PERFORMED
    assert confirmations(case) == 3


def test_a_holder_confirms_once(database: Database) -> None:
    case = asked(database, WITH_HOLDERS)
    case.act(confirmed(WITH_HOLDERS, "Hosting Co"))
    error = refused(case, confirmed(WITH_HOLDERS, "hosting co"))
    assert (type(error), error.where) == (Refused, "holder")
    assert confirmations(case) == 1


def test_what_is_performed_is_confirmed_no_more(database: Database) -> None:
    case = asked(database, ALONE)
    case.act(confirmed(ALONE))
    assert isinstance(refused(case, confirmed(ALONE)), Refused)
    assert confirmations(case) == 1


def test_a_holder_that_nobody_knows_is_refused_with_the_names_of_those_there_are(database: Database) -> None:
    case = asked(database, WITH_HOLDERS)
    error = refused(case, confirmed(WITH_HOLDERS, "Somebody Else"))
    assert (type(error), error.where) == (InvalidInput, "holder")
    assert error.next_step
    assert "Backup Co, Hosting Co" in error.next_step


def test_an_agreement_that_the_case_does_not_touch_is_refused(database: Database) -> None:
    case = asked(database, ALONE)
    error = refused(case, confirmed(WITH_HOLDERS))
    assert (type(error), error.where) == (InvalidInput, "agreement")
    assert confirmations(case) == 0


def test_a_confirmation_after_the_due_instant_is_late(database: Database) -> None:
    case = asked(database, ALONE)
    due_at = case.duty(REQUEST).due_at
    assert due_at
    case.now = due_at + timedelta(seconds=1)
    case.act(confirmed(ALONE))
    assert case.duty(REQUEST).verdict is Verdict.LATE


def test_evidence_names_the_holder_by_its_id_and_never_by_name(database: Database) -> None:
    case = asked(database, WITH_HOLDERS)
    case.act(confirmed(WITH_HOLDERS, "Hosting Co"))
    with database.reading() as session:
        entries = session.exec(select(EvidenceEntry).where(EvidenceEntry.kind == "act.confirm-done")).all()
        holder = session.exec(select(Confirmation.contact_id)).one()
    body = str([entry.body for entry in entries])
    assert str(holder) in body
    assert "Hosting" not in body, "a subprocessor's name is sealed in SQL, and must not stand in plain evidence"
