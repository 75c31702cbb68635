"""Which dated facts have to be instants, and which are dates of the agreement."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from terms.anchors import dates_of_agreement, needs_instant
from terms.catalogue import CLAUSES_FOLDER, load_catalogue
from terms.clauses import Change, OtherLimit, Step
from terms.duties import duties_for
from terms.effective import Amendment, EffectiveTerms, effective_terms
from terms.errors import ClauseFileError, InstantNeeded

CATALOGUE = load_catalogue()
ON = date(2026, 11, 21)
ZONE = "America/New_York"
DAY = date(2026, 5, 4)
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
COVERED = [
    (form, state, event)
    for form in CATALOGUE.forms
    for state in (None, *CATALOGUE.states(form))
    for event in effective_terms(CATALOGUE, form, state, on=ON).events
]


def terms_of(form: str, state: str | None, *amendments: Amendment) -> EffectiveTerms:
    return effective_terms(CATALOGUE, form, state, amendments=amendments, on=ON)


@pytest.mark.parametrize(("form", "state", "event"), COVERED)
def test_a_day_is_refused_exactly_where_an_instant_is_needed(form: str, state: str | None, event: str) -> None:
    terms = terms_of(form, state)
    known, needed = terms.events[event], needs_instant(terms, event)
    assert needed <= set(known)
    duties_for(terms, event, {name: NOON if name in needed else DAY for name in known}, zone=ZONE)
    for name in needed:
        others = {other: NOON for other in known if other in _without_rivals(name, known)}
        with pytest.raises(InstantNeeded):
            duties_for(terms, event, others | {name: DAY}, zone=ZONE)


def _without_rivals(name: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """What is given besides an anchor: all others where it only continues a clock, none where it starts one."""
    return known if name == "hold_lifted" else ()


def test_a_breach_needs_its_confirmation_to_the_hour() -> None:
    assert needs_instant(terms_of("ndpa-v2", "OR"), "breach") == {"confirmed", "hold_lifted", "lea_confirmed"}
    assert "reasonably_expected" in needs_instant(terms_of("ndpa-v1", "VA"), "breach")
    assert "reasonably_expected" not in needs_instant(terms_of("ndpa-v1", "TN"), "breach")


def test_days_and_what_only_has_to_come_before_need_no_instant() -> None:
    hours = {"disposed_again", "disposed_at_end", "need_reviewed", "restored"}
    assert needs_instant(terms_of("ndpa-v1", "IL"), "disposition") == hours, (
        "only what follows these is due within hours"
    )
    assert needs_instant(terms_of("ndpa-v1", "TN"), "disclosure") == {"hold_lifted"}, "and what a hold leaves"
    assert needs_instant(terms_of("ca-profile", "CA"), "breach") == frozenset()


def test_hours_in_a_sooner_limit_need_an_instant_too() -> None:
    law = Change(
        citation="entry 1",
        says="state law gives two days.",
        or_sooner=(OtherLimit(limit="48 hours", source="state law"),),
    )
    recorded = Amendment(
        clause="access.request", step=Step(amends=law), effective=ON, entered_by="counsel", document="State law"
    )
    assert needs_instant(terms_of("ndpa-v1", "TN", recorded), "access") == {"review_requested"}


def test_the_agreement_has_its_own_dates_also_in_a_snapshot() -> None:
    assert CATALOGUE.agreement_dates == ("executed", "originally_signed", "subscribed", "expires", "terminated")
    terms = EffectiveTerms.from_snapshot(terms_of("ndpa-v1", "IL").snapshot)
    assert dates_of_agreement(terms, "disposition") == {"executed", "expires", "terminated"}
    assert dates_of_agreement(terms, "subcontractors") == {"executed"}
    assert dates_of_agreement(terms, "breach") == frozenset()
    assert dates_of_agreement(terms, "nothing") == frozenset()


def test_a_date_of_the_agreement_that_is_no_anchor_is_told(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(CLAUSES_FOLDER, tmp_path / "clauses"))
    text = (folder / "anchors.yaml").read_text()
    (folder / "anchors.yaml").write_text(text.replace("agreement_dates: [executed", "agreement_dates: [signed"))
    with pytest.raises(ClauseFileError, match="no anchor is named 'signed'"):
        load_catalogue(folder)
