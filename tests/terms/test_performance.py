"""How each duty is performed, what happens while something is missing, and whom it goes to: in every data file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from models.enums import SIDES, ContactRole, Party, PerformedBy
from terms.catalogue import CLAUSES_FOLDER, load_catalogue
from terms.clauses import Addressees, Change, Clause, Content, Step
from terms.duties import duties_for
from terms.effective import Amendment, EffectiveClause, EffectiveTerms, effective_terms
from terms.errors import AmendmentError, ClauseFileError

CATALOGUE = load_catalogue()
ON = date(2026, 11, 21)
COVERED = [(form, state) for form in CATALOGUE.forms for state in (None, *CATALOGUE.states(form))]
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def terms_of(form: str, state: str | None, *amendments: Amendment) -> EffectiveTerms:
    return effective_terms(CATALOGUE, form, state, amendments=amendments, on=ON)


def amended(clause: str, change: Change) -> EffectiveTerms:
    """Version 2 in Oregon with one change agreed."""
    made = Amendment(clause=clause, step=Step(amends=change), effective=date(2026, 1, 1), entered_by="counsel")
    return terms_of("ndpa-v2", "OR", made)


def texts() -> Iterator[tuple[str, Clause]]:
    """Every whole clause of every file, superseded texts among them, with where it stands."""
    for form in CATALOGUE.forms.values():
        for clause_id, standard in form.standard.clauses.items():
            yield from ((f"{form.id} {clause_id}", text) for text in standard.values())
        for state, supplement in form.supplements.items():
            for clause_id, steps in supplement.clauses.items():
                whole = (step.adds or step.replaces for moment in steps.values() for step in moment)
                yield from ((f"{form.id} {state} {clause_id}", text) for text in whole if text)


TEXTS = list(texts())


def effective_duties() -> Iterator[tuple[str, EffectiveClause]]:
    for form, state in COVERED:
        for clause in terms_of(form, state).clauses.values():
            if clause.kind == "duty":
                yield f"{form} {state} {clause.id}", clause


DUTIES = list(effective_duties())


@pytest.mark.parametrize(("where", "text"), TEXTS, ids=[where for where, _ in TEXTS])
def test_every_duty_and_nothing_else_says_how_it_is_performed(where: str, text: Clause) -> None:
    assert (text.performed_by is not None) == (text.kind == "duty"), where


def test_what_is_required_at_once_is_enforced_in_every_state() -> None:
    silent = [
        where
        for where, clause in DUTIES
        if clause.at_once
        and clause.performed_by not in (PerformedBy.ACT, PerformedBy.TIME)
        and clause.incomplete is None
    ]
    assert silent == []


def test_only_a_breach_notice_goes_with_something_missing_and_each_does() -> None:
    goes = {where for where, clause in DUTIES if clause.incomplete == "goes"}
    breach = {where for where, clause in DUTIES if clause.event == "breach" and clause.at_once}
    assert goes == breach
    assert all(clause.performed_by is PerformedBy.NOTICE for where, clause in DUTIES if where in goes)


def test_no_mail_disposes_of_data() -> None:
    disposals = {
        "disposition.request",
        "disposition.termination",
        "disposition.parent-request",
        "disposition.restored",
    }
    found = {clause.performed_by for _, clause in DUTIES if clause.id in disposals}
    assert found == {PerformedBy.CONFIRMATION}


def test_a_written_confirmation_of_disposal_is_required_only_where_the_text_asks_for_it() -> None:
    disposals = [(where, clause) for where, clause in DUTIES if clause.id.startswith("disposition.")]
    asked = {where for where, clause in disposals if "disposition_confirmation" in clause.at_once}
    verified = {where for where in asked if where.endswith("disposition.verification")}
    assert verified == {where for where, clause in disposals if clause.id == "disposition.verification"}
    courtesies = {where for where, clause in disposals if clause.performed_by is PerformedBy.NOTICE and clause.reading}
    assert asked - verified - courtesies == {"ndpa-v1 IL disposition.request", "ndpa-v1 NY disposition.certification"}
    courtesy = {
        (element.required, element.citation)
        for _, clause in disposals
        for element in clause.tells
        if element.id == "disposition_confirmation"
    }
    assert courtesy == {("as_available", "not asked for; given as a courtesy")}


def test_the_passing_of_time_performs_only_what_asks_nothing_of_anybody() -> None:
    assert {clause.id for _, clause in DUTIES if clause.performed_by is PerformedBy.TIME} == {
        "term.expiry",
        "offer.expiry",
        "addendum.objection",
        "disposition.backups",
    }


def test_a_document_that_is_required_at_once_is_awaited() -> None:
    documents = [clause for _, clause in DUTIES if clause.performed_by is PerformedBy.DOCUMENT and clause.at_once]
    assert documents
    assert {clause.incomplete for clause in documents} == {"waits"}


def test_duties_owed_to_others_than_the_two_sides_are_named_so() -> None:
    others = {(clause.id, clause.owed_to) for _, clause in DUTIES if clause.owed_to not in SIDES}
    assert others == {
        ("referral.notice", Party.PARENT),
        ("breach.family-notice", Party.FAMILIES),
        ("offer.withdrawal", Party.AGENCY),
        ("rights.annual-notice", Party.FAMILIES),
    }
    assert terms_of("ndpa-v1", "NY").clause("audit.state").owed_to is Party.AGENCY


@dataclass(frozen=True)
class Named:
    """A contact, named by its role."""

    role: ContactRole
    rank: int = 0

    @property
    def email(self) -> str:
        return f"{self.role}@example.org"


COPIES = (ContactRole.COPY_TO,)
DESIGNATED = Addressees(first=(ContactRole.GENERAL,), also=(ContactRole.SECURITY,), copies=COPIES)
NOTICES = Addressees(first=(ContactRole.GENERAL,), copies=COPIES)
SECURITY_NOTICES = Addressees(first=(ContactRole.SECURITY, ContactRole.GENERAL), copies=COPIES)


def addressed(form: str, state: str | None) -> dict[str, Addressees | None]:
    clauses = terms_of(form, state).clauses.values()
    return {clause.id: clause.contacts for clause in clauses if clause.kind == "duty" and clause.owed_to in SIDES}


@pytest.mark.parametrize("state", [None, *CATALOGUE.states("ndpa-v1")])
def test_version_1_always_tells_the_designated_representative_and_a_security_contact_as_well(state: str | None) -> None:
    assert set(addressed("ndpa-v1", state).values()) == {DESIGNATED}


def test_version_2_tells_the_security_contact_of_a_breach_and_the_notice_contact_of_all_else() -> None:
    told = addressed("ndpa-v2", "OR")
    security = {clause for clause, contacts in told.items() if contacts == SECURITY_NOTICES}
    assert security == {"breach.notice", "breach.lea-notice"}
    assert {contacts for clause, contacts in told.items() if clause not in security} == {NOTICES}


@pytest.mark.parametrize(("form", "state"), COVERED)
def test_what_is_owed_to_nobody_named_in_the_agreement_is_addressed_to_no_contact(form: str, state: str | None) -> None:
    known = addressed(form, state)
    others = [clause for clause in terms_of(form, state).clauses.values() if clause.id not in known]
    assert [clause.id for clause in others if clause.contacts] == []


def test_what_may_be_done_elsewhere_is_what_is_no_holder_s_word_and_takes_more_than_time() -> None:
    for where, clause in DUTIES:
        elsewhere = clause.performed_by in (PerformedBy.NOTICE, PerformedBy.DOCUMENT, PerformedBy.ACT)
        assert clause.may_be_done_elsewhere == elsewhere, where
    own_way = Change(citation="Exhibit H", says="by the engine's notice alone.", other_means=False)
    assert not amended("audit.notice", own_way).clause("audit.notice").may_be_done_elsewhere


def test_a_due_duty_carries_how_it_is_performed() -> None:
    asked = {"disposal_requested": date(2026, 6, 1)}
    duties = duties_for(terms_of("ndpa-v1", "IL"), "disposition", asked, zone="America/Chicago")
    [found] = [duty for duty in duties if duty.clause == "disposition.request"]
    assert (found.performed_by, found.incomplete, found.at_once) == (
        PerformedBy.CONFIRMATION,
        "waits",
        ("disposition_confirmation",),
    )
    notice = duties_for(terms_of("ndpa-v1", "IL"), "breach", {"confirmed": NOON}, zone="America/Chicago")[-1]
    assert (notice.performed_by, notice.incomplete) == (PerformedBy.NOTICE, "goes")
    assert notice.at_once == ("reporting_lea", "notice_date", "parent_contact")


def test_a_snapshot_holds_only_what_differs_from_the_defaults() -> None:
    terms = terms_of("ndpa-v1", "IL")
    clauses = json.loads(terms.snapshot)["clauses"]
    told = {"first": ["general"], "also": ["security"], "copies": ["copy_to"]}
    assert clauses["breach.notice"]["contacts"] == told
    assert clauses["breach.notice"]["performed_by"] == "notice"
    assert not {"contacts", "performed_by", "incomplete"} & clauses["breach.definition"].keys()
    assert "incomplete" not in clauses["access.request"]
    assert EffectiveTerms.from_snapshot(terms.snapshot).clauses == terms.clauses


def test_a_change_may_send_a_duty_to_other_contacts_and_to_nobody_else_s() -> None:
    general = Addressees(first=(ContactRole.GENERAL,), also=(ContactRole.SECURITY,))
    changed = amended("successor.notice", Change(citation="Exhibit H", says="to the general one.", contacts=general))
    assert changed.clause("successor.notice").contacts == general
    assert changed.clause("breach.notice").contacts == terms_of("ndpa-v2", "OR").clause("breach.notice").contacts
    assert changed.hash != terms_of("ndpa-v2", "OR").hash
    parent = amended("framework.change", Change(citation="Exhibit H", says="to parents too.", owed_to=Party.PARENT))
    assert parent.clause("framework.change").contacts is None


AT_ONCE = {"storage_locations": Content(required="at_once")}


def test_a_change_that_adds_what_is_required_at_once_says_what_happens_without_it() -> None:
    asks = Change(citation="Exhibit H", says="with the list of locations.", contents=AT_ONCE)
    with pytest.raises(AmendmentError, match="incomplete: goes or waits"):
        amended("framework.change", asks)
    told = Change(citation="Exhibit H", says="with the list of locations.", contents=AT_ONCE, incomplete="waits")
    terms = amended("framework.change", told)
    [duty] = duties_for(terms, "framework", {"changed": date(2026, 6, 1)}, zone="America/Los_Angeles")
    assert (duty.incomplete, duty.at_once) == ("waits", ("storage_locations",))


def test_a_change_to_a_duty_that_says_so_already_keeps_its_answer() -> None:
    more = Change(citation="Exhibit H", says="with the list of locations.", contents=AT_ONCE)
    clause = amended("breach.notice", more).clause("breach.notice")
    assert clause.incomplete == "goes"
    assert "storage_locations" in clause.at_once


@pytest.mark.parametrize(
    ("clause", "change", "says"),
    [
        (
            "audit.notice",
            Change(citation="Exhibit H", says="sent all the same.", incomplete="goes"),
            "only a notice goes with something missing",
        ),
        (
            "audit.notice",
            Change(citation="Exhibit H", says="an act does it.", performed_by=PerformedBy.ACT),
            "incomplete is about contents",
        ),
        (
            "disposition.request",
            Change(citation="Exhibit H", says="our own word will do.", other_means=True),
            "other_means is about what somebody may do instead",
        ),
        (
            "audit.notice",
            Change(citation="Exhibit H", says="a letter will do.", other_means=True),
            "other means are allowed unless a clause forbids them",
        ),
        (
            "use.authorized",
            Change(citation="Exhibit H", says="performed by a notice.", performed_by=PerformedBy.NOTICE),
            "only a duty is performed, and this is a rule",
        ),
        (
            "use.authorized",
            Change(citation="Exhibit H", says="the rule becomes a duty.", kind="duty"),
            "a duty says how it is performed",
        ),
        (
            "disclosure.notice",
            Change(citation="Exhibit H", says="again and again.", recurs=True),
            "its limit is not before",
        ),
    ],
)
def test_a_change_that_leaves_a_clause_without_sense_is_refused(clause: str, change: Change, says: str) -> None:
    with pytest.raises(AmendmentError, match=says):
        amended(clause, change)


HOW = "performed_by: notice\n"
GOES = "          incomplete: goes\n"


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("ndpa-v1/va.yaml", f"          {HOW}", "", "a duty says how it is performed: give performed_by"),
        ("ndpa-v1/va.yaml", HOW, "performed_by: letter\n", "'performed_by' has a wrong value"),
        ("ndpa-v1/va.yaml", GOES, "", "incomplete: goes or waits"),
        ("ndpa-v1/va.yaml", HOW, "performed_by: document\n", "only a notice goes"),
        ("ndpa-v1/va.yaml", HOW, "performed_by: act\n", "incomplete is about contents"),
        ("ndpa-v1/va.yaml", "kind: rule", "kind: rule\n          performed_by: act", "only a duty is performed"),
        ("ndpa-v1/va.yaml", "kind: rule", "kind: rule\n          other_means: false", "other_means is about what"),
        (
            "ndpa-v1/va.yaml",
            "kind: rule",
            "kind: rule\n          contacts: {first: [general]}",
            "only a duty is addressed to contacts",
        ),
        (
            "ndpa-v1/standard.yaml",
            "owed_to: families",
            "owed_to: families\n      contacts: {first: [general]}",
            "an agreement names the contacts of its two sides, and none of families",
        ),
        ("ndpa-v1/standard.yaml", "owed_to: families", "owed_to: journalists", "'owed_to' has a wrong value"),
        ("ndpa-v1/va.yaml", "    item 4: 531\n", "", "the document has no place for 'item 4'"),
        (
            "ndpa-v1/va.yaml",
            "limit: 24 hours",
            "limit: 24 hours before",
            "last_moment is about a limit after an anchor",
        ),
        (
            "ndpa-v1/oh.yaml",
            "          anchors: [expires, terminated, service_ended]\n          limit: 90 days\n",
            "",
            "there is no clock that unless, due_on or pauses could change",
        ),
        (
            "ndpa-v1/ny.yaml",
            "          limit: 90 days before\n",
            "          not_before: {after: notice_given, limit: 90 days}\n",
            "a floor alone gives none",
        ),
        ("ndpa-v1/va.yaml", "asks: reasonably_expected", "asks: discovered", "asks names a dated fact that starts"),
        ("ndpa-v2/standard.yaml", "first: [security", "first: [legal", "'first' has a wrong value"),
        ("ndpa-v2/standard.yaml", "first: [security, general]", "first: []", "'first' has a wrong value"),
        (
            "ndpa-v2/standard.yaml",
            "copies: [copy_to]",
            "copies: [general]",
            "the contacts named general are told twice",
        ),
        ("ndpa-v1/nh.yaml", "          limit: 1 year\n", "          limit: 1 day before\n", "its limit is not before"),
        (
            "ndpa-v1/nh.yaml",
            "          anchors: [executed]\n          limit: 1 year\n",
            "",
            "a duty that recurs needs a limit",
        ),
    ],
)
def test_what_a_file_leaves_unsaid_is_told(tmp_path: Path, file: str, old: str, new: str, says: str) -> None:
    folder = Path(shutil.copytree(CLAUSES_FOLDER, tmp_path / "clauses"))
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    with pytest.raises(ClauseFileError) as told:
        load_catalogue(folder)
    assert told.value.path == folder.resolve() / file
    assert says in told.value.message
