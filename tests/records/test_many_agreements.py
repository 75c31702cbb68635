"""A case of more agreements than one entry of the ledger has room to name."""

from __future__ import annotations

from collections import Counter

from sqlmodel import col, select

from agreements.importing import import_agreements
from cases.breach import BREACH
from config.database import Database
from ledger.artifacts import fetch
from ledger.entries import NAMED_IN_ONE
from ledger.verify import verify_all
from models import identifiers
from models.tables import EvidenceEntry
from records.intake import keep_intake
from starter.resources import utc_now
from tests.support.case_in_sql import CATALOGUE, CaseInSql
from tests.support.incidents import OFFICER, incident
from tests.support.posting import HEADER


def test_all_of_them_are_in_evidence_and_hold(database: Database) -> None:
    """The fault that was seen: a breach at all of 18,000 districts could not be recorded."""
    references = [f"ME-{number:05}" for number in range(NAMED_IN_ONE + 1)]
    rows = "".join(
        f"{one},ndpa-v1,District {one},ME,America/New_York,2025-01-12,Office,office@{one.lower()}.example.org,,\n"
        for one in references
    )
    import_agreements(database, CATALOGUE, HEADER + rows, file_name="many.csv", now=utc_now(), actor=OFFICER)
    report = incident(*references, confirmed=utc_now())
    with database.writing() as session:
        case_id, _ = keep_intake(session, BREACH, report, "many", actor=OFFICER, now=utc_now())
    case = CaseInSql(database, case_id, utc_now())
    case.compute()
    agreements = {str(identifiers.agreement_id(one)) for one in references}
    with database.reading() as session:
        of_case = select(EvidenceEntry).where(EvidenceEntry.case_id == case_id).order_by(col(EvidenceEntry.number))
        entries = session.exec(of_case).all()
        (opened,) = (entry for entry in entries if entry.kind == "case_opened")
        assert (opened.body["agreements_listed"], "agreements" in opened.body) == (len(references), False)
        assert set(fetch(session, opened.artifacts[1]).decode().split()) == agreements
        for kind in ("terms_pinned", "duty_computed"):
            named = [entry.body["agreements"] for entry in entries if entry.kind == kind]
            assert max(map(len, named)) == NAMED_IN_ONE
            assert set(Counter(one for some in named for one in some)) == agreements
        assert verify_all(session).flaw is None
