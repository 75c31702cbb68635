"""Precedence, trails, agreed changes and snapshots."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.defaults import Defaults
from models.errors import InvalidInput
from terms.catalogue import CLAUSES_FOLDER, check_catalogue, load_catalogue
from terms.clauses import Change, OtherLimit, Step, in_force
from terms.compare import differences, governing
from terms.duties import duties_for
from terms.effective import Amendment, EffectiveTerms, effective_terms
from terms.errors import (
    AmendmentError,
    InstantNeeded,
    StateNotCovered,
    UnknownAnchor,
    UnknownClause,
    UnknownForm,
    UnknownZone,
)

CATALOGUE = load_catalogue()
READ_AGAIN, ERRORS = check_catalogue(CLAUSES_FOLDER)
COVERED = [(form, state) for form in CATALOGUE.forms for state in (None, *CATALOGUE.states(form))]
ON = date(2026, 11, 21)
CONFIRMED = {"confirmed": datetime(2026, 5, 4, 9, 30, tzinfo=UTC)}


def terms_of(form: str, state: str | None, *amendments: Amendment, on: date = ON) -> EffectiveTerms:
    return effective_terms(CATALOGUE, form, state, amendments=amendments, on=on)


def change(clause: str, limit: str, *, citation: str = "Exhibit H", effective: date = date(2026, 1, 1)) -> Amendment:
    step = Step(amends=Change(citation=citation, says="the parties agreed otherwise.", limit=limit))
    return Amendment(clause=clause, step=step, effective=effective, entered_by="counsel")


@pytest.mark.parametrize(("form", "state"), COVERED)
def test_a_supplement_never_loses_a_standard_clause_it_does_not_name(form: str, state: str | None) -> None:
    standard = terms_of(form, None)
    named = CATALOGUE.form(form).supplement(state).clauses if state else {}
    effective = terms_of(form, state)
    assert standard.clauses.keys() <= effective.clauses.keys()
    for clause_id, clause in standard.clauses.items():
        if clause_id not in named:
            assert effective.clauses[clause_id] == clause


REPLACED_WHOLE = {
    "IL": ("DPA, item 4", "DPA, item 6", "Article II, Section 4", "Article IV, Section 6", "Article VII, Section 1"),
    "NY": ("Article IV, Section 6", "Article V, Section 1", "Article V, Section 2", "Article V, Section 4"),
}
"""The provisions that a supplement puts another text in place of, from their first word to their last."""


@pytest.mark.parametrize(("state", "replaced"), REPLACED_WHOLE.items())
def test_nothing_rests_on_a_provision_that_the_supplement_replaced_whole(state: str, replaced: tuple[str, ...]) -> None:
    for clause in terms_of("ndpa-v1", state).clauses.values():
        assert not governing(clause)[0].clause.startswith(replaced), clause.id


@pytest.mark.parametrize(("form", "state"), COVERED)
def test_a_snapshot_gives_the_same_terms_hash_and_duties(form: str, state: str | None) -> None:
    terms = terms_of(form, state)
    again = EffectiveTerms.from_snapshot(terms.snapshot)
    assert again.hash == terms.hash == hashlib.sha256(terms.snapshot).hexdigest()
    asked = duties_for(terms, "breach", CONFIRMED, zone="America/New_York")
    assert duties_for(again, "breach", CONFIRMED, zone="America/New_York") == asked


@settings(deadline=None)
@given(st.sampled_from(COVERED), st.dates(date(2026, 1, 1), date(2030, 1, 1)))
def test_resolving_is_deterministic(covered: tuple[str, str | None], on: date) -> None:
    form, state = covered
    assert READ_AGAIN is not None, ERRORS
    assert effective_terms(READ_AGAIN, form, state, on=on).hash == effective_terms(CATALOGUE, form, state, on=on).hash


def test_states_with_different_supplements_have_different_hashes() -> None:
    hashes = [terms_of(form, state).hash for form, state in COVERED]
    assert len(set(hashes)) == len(hashes)


def test_the_trail_tells_every_document_in_order() -> None:
    trail = terms_of("ndpa-v1", "IL").clause("access.request").trail
    assert [(step.document, step.clause, step.operation) for step in trail] == [
        ("NDPA v1", "Article II, Section 2", "standard"),
        ("Exhibit G (Illinois)", "item 4", "amends"),
    ]


def test_exhibit_h_controls_over_the_standard_clauses_and_names_itself() -> None:
    terms = terms_of("ndpa-v2", "OR", change("breach.notice", "48 hours"))
    clause = terms.clause("breach.notice")
    assert clause.limit == "48 hours"
    assert (clause.trail[-1].document, clause.trail[-1].operation) == ("Exhibit H", "amends")
    assert terms.hash != terms_of("ndpa-v2", "OR").hash


def test_a_change_holds_from_its_effective_date() -> None:
    later = change("breach.notice", "48 hours", effective=date(2026, 7, 1))
    assert terms_of("ndpa-v2", "OR", later, on=date(2026, 6, 30)).clause("breach.notice").limit == "72 hours"
    assert terms_of("ndpa-v2", "OR", later, on=date(2026, 7, 1)).clause("breach.notice").limit == "48 hours"


def test_of_two_changes_the_later_one_controls_whatever_their_order() -> None:
    first = change("breach.notice", "48 hours", effective=date(2026, 2, 1))
    second = change("breach.notice", "36 hours", effective=date(2026, 3, 1))
    assert terms_of("ndpa-v2", "OR", second, first).clause("breach.notice").limit == "36 hours"


@pytest.mark.parametrize(
    ("amendment", "says"),
    [
        (change("breach.other", "48 hours"), "no clause breach.other"),
        (change("breach.notice", "48 hours", citation="page 3"), "wrong shape"),
        (change("breach.family-notice", "10 days"), "a limit needs an anchor"),
        (change("breach.definition", "10 days"), "only a duty has a limit"),
        (change("beach.notice", "48 hours"), "No event is called 'beach'"),
    ],
)
def test_a_change_that_does_not_fit_is_refused(amendment: Amendment, says: str) -> None:
    with pytest.raises(AmendmentError, match=says):
        terms_of("ndpa-v2", "OR", amendment)


def test_superseded_texts_stay_and_the_one_in_force_is_chosen_by_date() -> None:
    texts = {"as-signed": "first", "2027-07-01": "second", "2028-01-01": "third"}
    assert [in_force(texts, day) for day in (date(2026, 1, 1), date(2027, 7, 1), date(2029, 1, 1))] == [
        "first",
        "second",
        "third",
    ]
    assert in_force({"2027-07-01": "later"}, date(2026, 1, 1)) is None


def test_a_difference_names_the_provision() -> None:
    found = {each.clause: each for each in differences(terms_of("ndpa-v1", None), terms_of("ndpa-v1", "VA"))}
    assert found["breach.initial-notice"].before is None
    assert "Exhibit G (Virginia), item 4 adds" in found["breach.initial-notice"].says[0]
    assert "breach.notice" not in found


def test_every_content_element_says_how_firmly_and_where_from() -> None:
    elements = {element.id: element for element in terms_of("ndpa-v1", "IL").clause("breach.notice").contents}
    assert elements["students_involved"].source == "artifact:students_involved"
    assert elements["students_involved"].citation == "Exhibit G (Illinois), item 13(vi)"
    assert elements["breach_date"].required == "if_possible"


def test_only_clauses_with_a_law_enforcement_exception_can_be_held_back() -> None:
    duties = duties_for(terms_of("ndpa-v1", "VA"), "breach", CONFIRMED, zone="America/New_York")
    held = {duty.clause: duty.suspendable_by_law_enforcement for duty in duties if duty.owed_by == "provider"}
    assert held == {"breach.initial-notice": False, "breach.notice": True}


def test_a_default_is_a_setting_and_is_shown() -> None:
    terms, asked = terms_of("ca-profile", "CA"), {"disposal_requested": date(2026, 6, 1)}
    found = duties_for(terms, "disposition", asked, zone="America/Los_Angeles", defaults=Defaults(disposition_days=10))
    (request,) = (duty for duty in found if duty.clause == "disposition.request")
    assert (request.limit, request.flags) == ("10 days (default)", ("default:disposition_days",))
    assert "The clause gives no number: 10 days is a default (disposition_days)." in request.why


def test_the_sentences_show_the_arithmetic() -> None:
    at = {"confirmed": datetime.fromisoformat("2026-03-07T22:15-05:00")}
    notice = duties_for(terms_of("ndpa-v1", "TN"), "breach", at, zone="America/New_York")[-1]
    assert notice.why[-1] == (
        "Confirmed Sat 7 Mar 2026, 22:15 EST; 72 hours elapsed; "
        "due Tue 10 Mar 2026, 23:15 EDT (Wed 11 Mar 2026, 03:15 UTC)."
    )


def test_whichever_is_sooner_shows_both_limits() -> None:
    law = Change(
        citation="entry 1",
        says="state law gives ten days.",
        or_sooner=(OtherLimit(limit="10 days", source="state law"),),
    )
    recorded = Amendment(
        clause="access.request", step=Step(amends=law), effective=ON, entered_by="counsel", document="State law"
    )
    terms = terms_of("ndpa-v1", "TN", recorded)
    anchors = {"review_requested": date(2026, 5, 4)}
    [duty] = (duty for duty in duties_for(terms, "access", anchors, zone="America/Chicago") if duty.status == "running")
    said = " ".join(duty.why)
    assert "45 calendar days counted from Tue 5 May 2026" in said
    assert "State law: Review requested Mon 4 May 2026; 10 calendar days" in said
    assert "The sooner limit counts: 10 days." in said


def test_an_event_without_clauses_sets_no_duty() -> None:
    assert duties_for(terms_of("ca-profile", "CA"), "breach", CONFIRMED, zone="America/Los_Angeles") == ()


@pytest.mark.parametrize(
    ("form", "state", "error", "says"),
    [
        ("ndpa-v9", None, UnknownForm, "The forms are"),
        ("ndpa-v2", "VA", StateNotCovered, "It covers OR"),
    ],
)
def test_what_is_not_covered_is_told(form: str, state: str | None, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        terms_of(form, state)


def test_an_unknown_clause_is_told() -> None:
    with pytest.raises(UnknownClause, match=r"no clause 'breach\.other'"):
        terms_of("ndpa-v1", "VA").clause("breach.other")


@pytest.mark.parametrize(
    ("at", "zone", "error", "says"),
    [
        ({"confimed": ON}, "America/New_York", UnknownAnchor, "It knows occurred"),
        ({"confirmed": ON}, "America/New_York", InstantNeeded, "only a date"),
        ({"confirmed": datetime(2026, 5, 4)}, "America/New_York", InstantNeeded, "no zone"),
        ({"confirmed": datetime(9999, 12, 31, tzinfo=UTC)}, "America/New_York", InvalidInput, "too near"),
        (CONFIRMED, "America/Gotham", UnknownZone, "IANA"),
    ],
)
def test_an_anchor_that_cannot_be_counted_is_told(
    at: dict[str, datetime | date], zone: str, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        duties_for(terms_of("ndpa-v1", "VA"), "breach", at, zone=zone)


def test_no_clause_copies_a_default_into_law() -> None:
    limits = [
        clause.limit
        for form in CATALOGUE.forms.values()
        for texts in form.standard.clauses.values()
        for clause in texts.values()
        if clause.limit and "no number" in clause.says
    ]
    assert limits
    assert all(limit.startswith("default ") for limit in limits)
