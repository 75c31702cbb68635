"""A newer snapshot of the terms is adopted for an open case only as a recorded decision."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import uuid4

from agreements.importing import import_agreements
from ledger.artifacts import fetch
from models import identifiers
from models.tables import ExhibitHChange
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from terms.effective import Amendment
from tests.support.incidents import NOTICE, OFFICER, case, duties, incident, open_case
from tests.support.officers import officer

REFERENCE = "OR-900"
AGREEMENT = (
    "reference,form,lea_name,state,time_zone,executed_on,general_name,general_email\n"
    f"{REFERENCE},ndpa-v2,Juniper Flats School District,OR,America/Los_Angeles,2026-01-21,Office,office@juniper.test\n"
)
SOONER = Amendment.model_validate(
    {
        "clause": NOTICE,
        "step": {
            "amends": {
                "citation": "Exhibit H, item 1",
                "says": "the notice is due within 48 hours of confirmation.",
                "limit": "48 hours",
            }
        },
        "effective": "2026-02-01",
        "entered_by": "counsel",
    }
)


def agree_on_48_hours(engine: VirtualEngine) -> None:
    """Enter what the parties agreed on, in Exhibit H, after the case was opened."""
    with engine.resources.database.writing() as session:
        session.add(
            ExhibitHChange(
                id=uuid4(),
                agreement_id=identifiers.agreement_id(REFERENCE),
                effective_on=date(2026, 2, 1),
                entered_by=SOONER.entered_by,
                entered_at=utc_now(),
                operation=SOONER.model_dump(mode="json", exclude_unset=True),
            )
        )


async def test_an_open_case_follows_changed_terms_only_once_an_officer_adopts_them(engine: VirtualEngine) -> None:
    resources, confirmed = engine.resources, utc_now()
    import_agreements(
        resources.database, resources.catalogue, AGREEMENT, file_name="late.csv", now=confirmed, actor=OFFICER
    )
    case_id = await open_case(engine, incident(REFERENCE, confirmed=confirmed))
    agree_on_48_hours(engine)
    await officer(engine).learn(case_id, "impacted_individuals", "Forty pupils of one school", actor=OFFICER)
    pinned = duties(engine, case_id, "OR")[NOTICE]
    assert pinned.due_at == confirmed + timedelta(hours=72)

    await officer(engine).adopt_terms(case_id, "The parties agreed on 48 hours.", actor=OFFICER)
    adopted = duties(engine, case_id, "OR")[NOTICE]
    assert adopted.due_at == confirmed + timedelta(hours=48)
    assert adopted.terms_hash != pinned.terms_hash
    assert [step.operation for step in adopted.trail] == ["standard", "amends"]

    (decision,) = [entry for entry in case(engine, case_id).evidence if entry.kind == "act.adopt-terms"]
    assert decision.actor == OFFICER
    with resources.database.reading() as session:
        assert fetch(session, decision.artifacts[0]) == b"The parties agreed on 48 hours."
