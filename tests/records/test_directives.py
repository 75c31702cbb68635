"""A directive for disposition as it comes in: what is refused and why, who accepts it, and what it starts."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlmodel import col, select

from cases.acts import TakeAct
from cases.disposition import DISPOSITION, AcceptDirective, Directive, Extend, RefuseDirective
from cases.intake import check_intake
from cases.rules import check
from cases.state import CaseState
from cases.values import AnchorValue, KeptFile, KeptText
from config.database import Database
from ledger.artifacts import fetch
from models.enums import CaseStatus, DutyStatus, HolderMail
from models.errors import InvalidFields, InvalidInput, Refused
from models.tables import Agreement, Case, EvidenceEntry
from tests.support.case_in_sql import CATALOGUE, Place
from tests.support.directives import (
    HOSTING,
    ILLINOIS,
    NOW,
    REQUEST,
    VERIFICATION,
    directive,
    open_again,
    open_directive,
)

SOMEBODY = {"name": "Pat Example", "email": "pat@example.org"}
OREGON = Place("ndpa-v2", "OR")
DAY = timedelta(days=1)


def text(says: str) -> KeptText:
    return KeptText.model_validate(says)


def problems(error: pytest.ExceptionInfo[InvalidFields]) -> dict[str, str]:
    return {problem.where or "": problem.message for problem in error.value.problems}


@pytest.mark.parametrize(
    ("changed", "where", "says"),
    [
        ({"extent": "partial"}, "categories", "no category is given"),
        ({"categories": "Rosters"}, "categories", "complete"),
        ({"nature": "transfer"}, "transfer", "no site is given"),
        ({"transfer": "sftp.example.org"}, "transfer", "nothing is transferred"),
        ({"schedule": "by-date"}, "directed", "No day is given"),
        ({"directed": NOW.date() + DAY}, "directed", "names no day"),
        ({"received": NOW.date() + 3 * DAY}, "received", "in the future"),
        ({"received": NOW.date() - DAY}, "received", "before the date of the directive"),
        (
            {"schedule": "by-date", "directed": date(2026, 5, 20), "disposal_requested": date(2026, 5, 1)},
            "directed",
            "The day Wed 20 May 2026 has passed",
        ),
        (
            {"schedule": "by-date", "directed": date(2026, 4, 1), "disposal_requested": date(2026, 5, 1)},
            "directed",
            "before the date of the directive",
        ),
        ({"disposal_requested": NOW.date() + 2 * DAY}, "disposal_requested", "in the future"),
        ({"agreements": ("A", "B")}, "agreements", "one agreement"),
        ({"agreements": ()}, "agreements", "No affected agreement"),
    ],
)
def test_what_a_directive_cannot_be_is_said_at_its_field(changed: dict[str, object], where: str, says: str) -> None:
    with pytest.raises(InvalidFields) as caught:
        check_intake(Directive.model_validate(directive("A").model_dump() | changed), NOW)
    assert says in problems(caught)[where]


def test_a_designated_contact_s_directive_starts_the_state_s_clock_on_its_own_date(database: Database) -> None:
    case = open_directive(database, HOSTING, disposal_requested=date(2026, 5, 25))
    assert case.written() == {HOSTING: HolderMail.ASKED}
    assert case.due_date(REQUEST).due_local == "2026-06-24T23:59:59-05:00"
    assert case.duty(VERIFICATION).due_at == case.duty(REQUEST).due_at, "the written word is due by the same day"


def test_one_that_nobody_designated_signed_waits_for_an_officer_while_its_time_runs(database: Database) -> None:
    case = open_directive(database, HOSTING, representative=SOMEBODY)
    assert case.duty(REQUEST).status is DutyStatus.RUNNING
    assert case.written() == {"Acme": HolderMail.UNDECIDED}, "no holder is asked for anything"
    case.act(AcceptDirective(verified_at=case.now, reason=text("The superintendent confirmed it by telephone.")))
    assert case.written() == {HOSTING: HolderMail.ASKED}


def test_what_a_parent_asked_to_have_deleted_is_a_directive_that_counts_from_its_receipt_as_well(
    database: Database,
) -> None:
    case = open_directive(database, received=NOW.date())
    assert case.due_date("disposition.parent-request").anchor == "received"
    case.write()
    case.answer("provider")
    assert case.statuses()["disposition.parent-request"] is case.statuses()[REQUEST] is DutyStatus.PERFORMED


def test_a_refused_directive_disposes_of_nothing(database: Database) -> None:
    case = open_directive(database, HOSTING, representative=SOMEBODY)
    case.act(RefuseDirective(reason=text("The district does not know who this is.")))
    assert case.write() == []
    with database.reading() as session:
        assert session.get_one(Case, case.id).status is CaseStatus.DISMISSED
    assert set(case.statuses().values()) == {DutyStatus.CANCELLED}


def test_an_extension_moves_the_due_date_and_every_holder_is_told(database: Database) -> None:
    case = open_directive(database, HOSTING)
    case.write()
    agreed = Extend(directed=date(2026, 9, 15), agreed_by=text("The office, by mail."), reason=text("Long exports."))
    case.act(agreed)
    assert case.due_date(REQUEST).due_local == "2026-09-15T23:59:59-05:00"
    assert case.written() == {HOSTING: HolderMail.MOVED}
    with pytest.raises(InvalidInput, match="by Tue 15 Sep 2026 already"):
        case.act(agreed.model_copy(update={"directed": date(2026, 9, 1)}))
    with database.reading() as session:
        (entry,) = session.exec(select(EvidenceEntry).where(col(EvidenceEntry.kind) == "act.extend"))
        kept = {fetch(session, sha256).decode() for sha256 in entry.artifacts}
    assert kept == {"The office, by mail.", "Long exports."}


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ({}, {"title": "Once more"}, True),
        ({"extent": "partial", "categories": "Rosters\nGrades"}, {"extent": "partial", "categories": " grades "}, True),
        ({"extent": "partial", "categories": "Rosters"}, {"extent": "partial", "categories": "Grades"}, False),
        ({"extent": "partial", "categories": "Rosters"}, {}, True),
    ],
)
def test_a_second_directive_for_the_same_data_is_refused(
    database: Database, first: dict[str, Any], second: dict[str, Any], is_same: bool
) -> None:
    case = open_directive(database, **first)
    again = directive(ILLINOIS.reference, **second)
    if not is_same:
        open_again(database, again, NOW)
        return
    with pytest.raises(InvalidFields) as caught:
        open_again(database, again, NOW)
    assert f"Case {str(case.id)[:8].upper()} is about" in problems(caught)["agreements"]


def test_an_agreement_of_which_nothing_survives_takes_no_directive(database: Database) -> None:
    case = open_directive(database, disposal_requested=date(2026, 5, 25))
    case.write()
    case.answer("provider")
    with database.writing() as session:
        agreement = session.get_one(Agreement, ILLINOIS.agreement)
        agreement.terminated_on = date(2026, 5, 20)
        session.get_one(Case, case.id).closed_at = case.now
    with pytest.raises(InvalidFields) as caught:
        open_again(database, directive(ILLINOIS.reference, title="Once more"), NOW)
    assert "nothing of it survives" in problems(caught)["agreements"]


def test_what_only_one_form_of_the_directive_has_is_taken_there_alone(database: Database) -> None:
    asked: dict[str, Any] = {"schedule": "standard-schedule", "de_identified": True}
    open_directive(database, place=OREGON, **asked)
    with pytest.raises(InvalidFields) as caught:
        open_directive(database, place=ILLINOIS, **asked)
    assert problems(caught).keys() == {"schedule", "de_identified"}


def test_the_signed_directive_is_kept_as_evidence(database: Database) -> None:
    case = open_directive(database, signed_file=KeptFile.model_validate(b"%PDF-1.7 signed"))
    with database.reading() as session:
        (opened,) = session.exec(
            select(EvidenceEntry).where(col(EvidenceEntry.case_id) == case.id, col(EvidenceEntry.kind) == "case_opened")
        )
        assert b"%PDF-1.7 signed" in [fetch(session, sha256) for sha256 in opened.artifacts]


def test_every_form_with_a_disposal_knows_what_a_restore_and_backups_bring() -> None:
    for form in CATALOGUE.forms.values():
        assert {"disposition.restored", "disposition.backups"} <= set(form.clause_ids)


def test_an_accepted_directive_is_neither_accepted_nor_refused_again(database: Database) -> None:
    state = CaseState(anchors={"directive_accepted": AnchorValue(name="directive_accepted", instant=NOW)})
    for act in (AcceptDirective(verified_at=NOW, reason=text("x")), RefuseDirective(reason=text("x"))):
        with pytest.raises(Refused):
            check(DISPOSITION, TakeAct(act=act, actor="officer", act_id=uuid4()), state, NOW)
