"""Every clause of the catalogue is in the list of what is coming, with its date or the reason why it has none."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import pytest

from agreements.importing import import_agreements
from cases.kinds import KINDS
from cases.standing_duty import COUNTED_FROM, STANDING_DUTY
from config.database import Database
from models.enums import Party, PerformedBy
from queries.agreement_clauses import ClauseView, read_clauses
from records.standing_duty import choices
from terms.catalogue import load_catalogue
from terms.effective import EffectiveTerms, effective_terms
from terms.limits import STANDARD_DEFAULTS

CATALOGUE = load_catalogue()
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
COVERED = [(form, state) for form in CATALOGUE.forms for state in CATALOGUE.states(form)]
OTHER_EVENTS = {kind.event for kind in KINDS.values() if kind is not STANDING_DUTY}

OWN_DATES, PERSON, RULE = (
    "by the agreement's own dates",
    "once a person records its fact",
    "no date: no duty with a clock",
)

OTHER_DATED_DUTIES = {
    # The duties beside breach, disposition, access and successor that the documents set, each with the form and state
    # whose terms hold it, and what starts it there.
    ("disclosure.notice", "ndpa-v1", "MA"): PERSON,
    ("disclosure.notice", "ndpa-v2", "OR"): PERSON,
    ("disclosure.notice", "ndpa-v1", "IL"): PERSON,
    ("subcontractors.list", "ndpa-v1", "IL"): OWN_DATES,
    ("subcontractors.list-update", "ndpa-v1", "IL"): OWN_DATES,
    ("storage.locations", "ndpa-v1", "MA"): PERSON,
    ("storage.locations", "ndpa-v1", "NY"): PERSON,
    ("audit.notice", "ndpa-v1", "MA"): PERSON,
    ("audit.notice", "ndpa-v1", "NY"): PERSON,
    ("audit.annual", "ndpa-v2", "OR"): OWN_DATES,
    ("audit.notice", "ndpa-v2", "OR"): PERSON,
    ("addendum.notice", "ndpa-v2", "OR"): PERSON,
    ("addendum.objection", "ndpa-v2", "OR"): PERSON,
    ("addendum.products-notice", "ndpa-v2", "OR"): PERSON,
    ("framework.change", "ndpa-v2", "OR"): PERSON,
    ("contacts.provider-change", "ndpa-v2", "OR"): PERSON,
    ("term.expiry", "ndpa-v1", "MA"): OWN_DATES,
    ("offer.expiry", "ndpa-v1", "MA"): OWN_DATES,
    ("term.expiry", "ndpa-v1", "IL"): RULE,
    ("term.expiry", "ndpa-v2", "OR"): RULE,
    ("offer.withdrawal", "ndpa-v2", "OR"): PERSON,
    ("subprocessor.failure", "ndpa-v1", "NY"): PERSON,
    ("subprocessor.removal", "ndpa-v1", "NY"): PERSON,
    ("policy.change", "ca-profile", "CA"): PERSON,
    ("policy.consent", "ca-profile", "CA"): PERSON,
    ("response-plan.summary", "ndpa-v1", "MA"): PERSON,
    ("response-plan.summary", "ndpa-v2", "OR"): PERSON,
    ("training.annual", "ca-profile", "CA"): OWN_DATES,
    ("training.before-access", "ndpa-v1", "NY"): PERSON,
    ("certification.annual", "ndpa-v1", "NH"): OWN_DATES,
    ("certification.request", "ndpa-v1", "NH"): PERSON,
    ("lea-documents.policy", "ndpa-v1", "NY"): OWN_DATES,
    ("lea-documents.bill-of-rights", "ndpa-v1", "NY"): OWN_DATES,
    ("data.social-security-numbers", "ndpa-v1", "ME"): PERSON,
    ("disposition.annual-review", "ndpa-v1", "IL"): OWN_DATES,
}


@cache
def terms_of(form: str, state: str) -> EffectiveTerms:
    return effective_terms(CATALOGUE, form, state, choices=CATALOGUE.words.choices, on=NOW.date())


def listed(database: Database, form: str, state: str, *, subscribed: bool = False) -> dict[str, ClauseView]:
    """What ``duties upcoming --all`` lists for an agreement that was just signed in a state."""
    chosen, original = ";".join(CATALOGUE.words.choices), "2026-03-02" if subscribed else ""
    text = (
        "reference,form,lea_name,state,time_zone,executed_on,originally_signed_on,choices,general_name,general_email\n"
        f"D-1,{form},District,{state},America/Chicago,2026-11-30,{original},{chosen},Office,office@example.org\n"
    )
    import_agreements(database, CATALOGUE, text, file_name="districts.csv", now=NOW, actor="officer")
    found = read_clauses(database, CATALOGUE, STANDARD_DEFAULTS, Party.PROVIDER, "D-1", NOW)
    return {view.clause: view for view in found}


@pytest.mark.parametrize(("form", "state"), COVERED)
def test_every_clause_of_every_form_and_state_is_listed_with_a_date_or_the_reason(
    database: Database, form: str, state: str
) -> None:
    found, terms = listed(database, form, state), terms_of(form, state)
    assert found.keys() == terms.clauses.keys()
    for clause, view in found.items():
        if terms.clauses[clause].dated:
            assert view.due_at or "no date is given for" in view.says, f"{clause}: {view.says}"
        else:
            assert (view.due_at, view.says.startswith("No date: ")) == (None, True), f"{clause}: {view.says}"


@pytest.mark.parametrize(("clause", "form", "state"), OTHER_DATED_DUTIES)
def test_each_duty_that_the_documents_set_besides_is_coming_or_says_what_would_start_it(
    database: Database, clause: str, form: str, state: str
) -> None:
    view = listed(database, form, state, subscribed=clause.startswith("lea-documents."))[clause]
    match OTHER_DATED_DUTIES[clause, form, state]:
        case "by the agreement's own dates":
            assert view.due_at, view.says
        case "once a person records its fact":
            assert "no date is given for" in view.says
        case _:
            assert view.says == "No date: it is a rule."


@pytest.mark.parametrize(("form", "state"), COVERED)
def test_everything_that_either_side_owes_by_a_clock_can_be_begun(form: str, state: str) -> None:
    """By the agreement's own dates, by a case of another kind, by a matter recorded, or as what follows from one."""
    recordable = {word.partition(COUNTED_FROM)[0] for word, _ in choices()["matter"]}
    terms = terms_of(form, state)
    brought = {clause.dates for clause in terms.clauses.values() if clause.dates}
    for clause in terms.clauses.values():
        if not clause.dated or clause.owed_by not in (Party.PROVIDER, Party.LEA):
            continue
        by_own_dates = not set(clause.anchors).isdisjoint(terms.agreement_dates)
        follows = clause.performed_by is PerformedBy.TIME and not brought.isdisjoint(clause.anchors)
        assert by_own_dates or follows or clause.event in OTHER_EVENTS or clause.id in recordable, clause.id
