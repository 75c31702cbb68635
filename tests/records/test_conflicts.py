"""An open request for access stops a disposal of the same agreement's data, whichever of the two came first."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlmodel import col, select

from cases.acts import parse_act
from config.database import Database
from models.enums import HolderMail, HolderStatus
from models.errors import InvalidInput, Refused
from models.identifiers import case_reference
from models.tables import Case, EvidenceEntry
from queries.cases import read_case_head
from records.cases import close_case
from records.holder_links import read_linked_task
from tests.support.access_requests import given, open_request
from tests.support.case_in_sql import CaseInSql, Place
from tests.support.directives import HOSTING, NOW, open_directive, text_of

KEEPS = "An open access request keeps this data"


def ask(database: Database) -> CaseInSql:
    return open_request(database, now=NOW, requested_on=NOW.date())


def close(case: CaseInSql) -> None:
    with case.database.writing() as session:
        close_case(session, case.id, case.now)


def titles(database: Database, case_id: UUID) -> list[tuple[str, bool, bool]]:
    head = read_case_head(database, case_id, NOW)
    return [(row.title, row.keeps, row.lifted_at is not None) for row in head.conflicts]


def test_holders_are_told_to_stop_and_asked_again_once_the_request_is_answered(database: Database) -> None:
    directive = open_directive(database, HOSTING)
    assert directive.written() == {HOSTING: HolderMail.ASKED}
    request = ask(database)
    directive.compute()
    (stop,) = directive.write()
    assert stop.why is HolderMail.STOPPED
    assert "an open access request keeps this data" in " ".join(text_of(stop).split())
    with pytest.raises(Refused, match=KEEPS):
        directive.answer(HOSTING)
    assert titles(database, directive.id) == [("Request of December", True, False)]
    assert titles(database, request.id) == [("Directive of the district", False, False)]
    request.act(parse_act(given(NOW)))
    assert directive.status(HOSTING) is HolderStatus.OPEN
    close(request)
    directive.compute()
    assert directive.written() == {HOSTING: HolderMail.RESUMED}
    directive.answer(HOSTING)
    assert directive.status(HOSTING) is HolderStatus.CONFIRMED
    assert titles(database, directive.id) == titles(database, request.id) == []


def test_nobody_is_asked_to_dispose_of_what_is_asked_for_already(database: Database) -> None:
    request = ask(database)
    directive = open_directive(database, HOSTING)
    assert directive.written() == {}
    request.act(parse_act({"act": "refuse-request", "ground": "withdrawn", "reason": "By mail of the registrar."}))
    directive.compute()
    assert directive.written() == {HOSTING: HolderMail.ASKED}


def test_a_request_of_another_agreement_keeps_nothing(database: Database) -> None:
    open_request(database, Place("ndpa-v1", "VA"), now=NOW, requested_on=NOW.date())
    assert open_directive(database, HOSTING).written() == {HOSTING: HolderMail.ASKED}


def test_that_it_is_about_other_data_somebody_says_with_a_reason(database: Database) -> None:
    request, directive = ask(database), open_directive(database, HOSTING)
    reference = case_reference(request.id)
    lift = {"act": "lift-conflict", "keeping": reference, "reason": "The student left another school's service."}
    with pytest.raises(InvalidInput, match="No open case"):
        directive.act(parse_act(lift | {"keeping": case_reference(directive.id)}))
    directive.act(parse_act(lift))
    assert directive.written() == {HOSTING: HolderMail.ASKED}
    assert titles(database, directive.id) == [("Request of December", True, True)]
    assert titles(database, request.id) == [("Directive of the district", False, True)]
    with database.reading() as session:
        lifted = col(EvidenceEntry.kind) == "act.lift-conflict"
        entry = session.exec(select(EvidenceEntry).where(EvidenceEntry.case_id == directive.id, lifted)).one()
    assert (entry.actor, entry.body["particulars"]["keeping"]) == ("officer", str(request.id))
    with pytest.raises(InvalidInput, match="There are: none"):
        directive.act(parse_act(lift))


def test_the_disposal_is_handed_on_when_the_request_comes_and_goes(database: Database) -> None:
    """The watchdog tells a case of which more changed than it has computed with."""
    directive = open_directive(database)

    def is_behind() -> bool:
        with database.reading() as session:
            case = session.get_one(Case, directive.id)
            return case.changed_at is not None and case.changed_at > computed

    computed = NOW + timedelta(hours=1)
    request = open_request(database, now=NOW + timedelta(hours=2), requested_on=NOW.date())
    assert is_behind()
    computed = NOW + timedelta(hours=3)
    assert not is_behind()
    request.now = NOW + timedelta(hours=4)
    close(request)
    assert is_behind()


def test_the_provider_reads_it_on_its_own_page_too(database: Database) -> None:
    directive = open_directive(database)
    directive.write()
    digest = directive.tasks()["provider"].link_digest
    assert digest
    ask(database)
    assert read_linked_task(database, digest, NOW).kept_by == "an open access request"
