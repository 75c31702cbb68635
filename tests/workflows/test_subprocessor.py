"""A breach at a subprocessor is reported in the same way, and the notice names it (Exhibit G, New York, 7)."""

from __future__ import annotations

from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.incidents import NOTICE, duties, incident, letter, open_case, text

SUBPROCESSOR = "Example Hosting LLC"


async def test_the_notice_names_the_subprocessor_and_keeps_the_provider_s_time(engine: VirtualEngine) -> None:
    confirmed = utc_now()
    own = incident("NY-001", confirmed=confirmed)
    theirs = incident("NY-001", confirmed=confirmed).model_copy(update={"subprocessor": SUBPROCESSOR})
    cases = [await open_case(engine, report, release="immediate") for report in (own, theirs)]
    at_provider, at_subprocessor = (duties(engine, case_id, "NY")[NOTICE] for case_id in cases)
    assert at_subprocessor.due_at == at_provider.due_at
    assert f"It happened at a subprocessor: {SUBPROCESSOR}." in text(letter(engine, cases[1], at_subprocessor))
    assert "It happened at" not in text(letter(engine, cases[0], at_provider))
