"""Erasing a case: its key is destroyed by an act of two people, everything still verifies, and nothing of it opens."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from agreements.legal_holds import lift_legal_hold, place_legal_hold
from cases.acts import Hold
from config.database import Database
from config.keyring import Keyring
from config.seals import not_opening, seal_case_keys_anew
from config.settings import Settings
from ledger.artifacts import Content, fetch, is_kept, store, store_many
from ledger.bundle import Scope
from ledger.log_keys import create_log_key
from ledger.verify import Step, verify_all
from ledger.verify_bundle import check
from models.columns import ERASED
from models.defaults import Defaults
from models.enums import AnswerKind
from models.errors import Gone, IntegrityError, InvalidInput, NotAllowed, Refused
from models.tables import (
    AgreementContact,
    Answer,
    Artifact,
    Case,
    CaseErasure,
    CaseFact,
    CaseKey,
    Delivery,
    DeliveryReport,
)
from records.answers import checked_answer, record_answers
from records.bounces import Fate, record_report
from records.erasure import (
    CAN_COME_BACK,
    approve_erasure,
    decline_erasure,
    propose_erasure,
    read_erasable,
    read_erasure,
)
from records.need_sorts import NeedKind
from records.needs import Asking, read_needs
from records.unraised import new_proposals, note_raised
from starter.evidence import export_bundle
from terms.retention import years_after
from tests.support.bundles import unwatched
from tests.support.case_in_sql import SECOND_PERSON, CaseInSql
from tests.support.erasable import CLOSED, DEFAULTS, HOUR, OPENED, OVER, came_back, closed_breach, open_breach

WHY = "Its time is over."
SPARSE = b"what another case holds too"


@pytest.fixture
def case(database: Database) -> CaseInSql:
    return closed_breach(database)


def propose(case: CaseInSql, at: datetime = OVER, actor: str = "officer") -> UUID:
    return propose_erasure(case.database, case.id, reason=WHY, actor=actor, now=at, defaults=DEFAULTS)


def erase(case: CaseInSql, at: datetime = OVER) -> int:
    proposal = propose(case, at)
    return approve_erasure(case.database, case.id, proposal, actor=SECOND_PERSON, now=at, defaults=DEFAULTS)


def one(session: Session, of: Any, case_id: UUID) -> Any:
    return session.exec(select(of).where(of.case_id == case_id)).first()


def test_nothing_of_an_erased_case_opens_and_the_rest_does(case: CaseInSql) -> None:
    went = erase(case)
    with case.database.reading() as session:
        assert session.get_one(Case, case.id).title == ERASED
        assert {fact.value for fact in session.exec(select(CaseFact)) if fact.value} == {ERASED}
        answer = session.exec(select(Answer)).one()
        assert (answer.name, answer.email, answer.text) == (ERASED,) * 3
        assert {delivery.answer for delivery in session.exec(select(Delivery))} == {ERASED}
        assert [report.says for report in session.exec(select(DeliveryReport))] == [ERASED]
        assert "office@pinecoast" in str([row.email for row in session.exec(select(AgreementContact))])
        gone = session.exec(select(Artifact).where(Artifact.case_id == case.id)).all()
        assert {row.erased_at for row in gone} == {OVER}
        assert len(gone) == went > 4
        with pytest.raises(Gone, match="erased on"):
            fetch(session, gone[0].sha256)
        assert list(not_opening(session)) == []
        assert session.exec(select(CaseKey)).one().key is None


def test_a_bundle_verifies_and_says_erased_on_by(case: CaseInSql, tmp_path: Path) -> None:
    settings = Settings.model_validate({"home": tmp_path / "home", "log_key": tmp_path / "log.json"})
    create_log_key(settings.log_key, "provider.test", OPENED - HOUR)
    went = erase(case)
    whole, up_to_then = tmp_path / "case.zip", tmp_path / "early.zip"
    for path, scope in ((whole, Scope(case.id)), (up_to_then, Scope(case.id, None, CLOSED + HOUR))):
        export_bundle(
            case.database, settings, scope, path, actor="auditor", now=OVER + HOUR, as_sent=False, watch=unwatched
        )
        verdict = check(path)
        assert (verdict.state, verdict.reason) == ("intact", None)
        (says,) = verdict.erased
        assert says.startswith(f"Erased: the personal data of case {case.id}, with {went} artifacts, on 2032-03-02T17")
        assert f"by {SECOND_PERSON} (entry " in says


def test_an_artifact_that_somebody_took_away_is_no_part_of_what_was_erased(case: CaseInSql) -> None:
    with case.database.writing() as session:
        taken = session.exec(select(Artifact.sha256).where(Artifact.case_id == case.id)).first()
        session.execute(text("UPDATE artifact SET content = NULL WHERE sha256 = :name"), {"name": taken})
    erase(case)
    with case.database.reading() as session:
        flaw = verify_all(session).flaw
    assert flaw
    assert (flaw.step, flaw.artifact) == (Step.ARTIFACTS, taken)


def test_a_key_that_was_destroyed_without_an_entry_is_found(case: CaseInSql) -> None:
    with case.database.writing() as session:
        session.execute(text("UPDATE case_key SET key = NULL"))
    with case.database.reading() as session:
        flaw = verify_all(session).flaw
    assert flaw
    assert flaw.step in (Step.ARTIFACTS, Step.TABLES)


def test_a_key_that_is_gone_with_its_row_is_not_taken_for_an_erasure(case: CaseInSql) -> None:
    with case.database.writing() as session:
        session.execute(text("DELETE FROM case_key"))
    with case.database.reading() as session, pytest.raises(IntegrityError, match="does not open"):
        session.exec(select(Case.title)).one()


def test_what_several_cases_name_is_erased_with_none_of_them(case: CaseInSql) -> None:
    other = open_breach(case.database, "RI-001", digest="two")
    with case.database.writing() as session:
        mine, both = store_many(
            session, [Content(b"mine", "text/plain"), Content(SPARSE, "text/plain")], CLOSED, case=case.id
        )
        assert store(session, SPARSE, "text/plain", CLOSED, case=other.id) == both
        assert session.get_one(Artifact, mine).case_id == case.id
    erase(case)
    with case.database.reading() as session:
        assert fetch(session, both) == SPARSE
        assert not is_kept(session, mine)
        assert session.get_one(Case, other.id).title == "The disk of Robin Pupil"


def test_what_was_erased_is_kept_again_where_another_case_brings_it(case: CaseInSql) -> None:
    with case.database.writing() as session:
        name = store(session, SPARSE, "text/plain", CLOSED, case=case.id)
    other = open_breach(case.database, "RI-001", digest="two")
    erase(case)
    with case.database.writing() as session:
        assert store(session, SPARSE, "text/plain", OVER, case=other.id) == name
    with case.database.reading() as session:
        assert fetch(session, name) == SPARSE
        assert session.get_one(Artifact, name).case_id == other.id


def test_two_people_decide_it_once(case: CaseInSql) -> None:
    proposal = propose(case, actor=SECOND_PERSON)
    with pytest.raises(NotAllowed):
        approve_erasure(case.database, case.id, proposal, actor=SECOND_PERSON, now=OVER, defaults=DEFAULTS)
    with pytest.raises(Refused, match="proposed already"):
        propose(case)
    decline_erasure(case.database, case.id, proposal, actor="officer", now=OVER)
    with pytest.raises(Refused, match="decided already"):
        approve_erasure(case.database, case.id, proposal, actor="officer", now=OVER, defaults=DEFAULTS)
    with pytest.raises(InvalidInput):
        propose_erasure(case.database, case.id, reason=" ", actor="officer", now=OVER, defaults=DEFAULTS)
    erase(case)
    with pytest.raises(Refused, match="erased already"):
        propose(case)
    said = read_erasure(case.database, case.id, OVER, DEFAULTS)
    assert said.erased
    assert (said.erased.proposed_by, said.erased.decided_by, said.erased.reason) == ("officer", SECOND_PERSON, WHY)
    assert [row.proposed_by for row in said.declined] == [SECOND_PERSON]
    with case.database.reading() as session:
        assert verify_all(session).sound


def test_whoever_may_decide_it_is_asked_and_told_once_and_the_proposer_waits(case: CaseInSql) -> None:
    proposal = propose(case)

    def needed(name: str) -> list[tuple[NeedKind, str]]:
        found, _ = read_needs(case.database, Asking(name, own=True), OVER, offset=0, limit=9)
        return [(need.kind, need.link) for need in found if need.kind in (NeedKind.ERASURE, NeedKind.OWN_ERASURE)]

    page = f"/cases/{case.id}/erasure"
    assert needed(SECOND_PERSON) == [(NeedKind.ERASURE, page)]
    assert needed("officer") == [(NeedKind.OWN_ERASURE, page)]
    with case.database.writing() as session:
        (new,) = new_proposals(session, 9)
        assert (new.id, new.proposed_by, f"/cases/{new.case_id}{new.page}") == (proposal, "officer", page)
        note_raised(session, new.of, (new.id,), OVER)
        assert new_proposals(session, 9) == []
    approve_erasure(case.database, case.id, proposal, actor=SECOND_PERSON, now=OVER, defaults=DEFAULTS)
    assert needed(SECOND_PERSON) == needed("officer") == []


def test_it_is_refused_before_its_time_and_while_something_keeps_it(case: CaseInSql) -> None:
    second = timedelta(seconds=1)
    with pytest.raises(Refused, match=r"kept until Tue 2 Mar 2032, 17:00 UTC \(6 years; no law says longer"):
        propose(case, OVER - second)
    hold, _ = place_legal_hold(case.database, agreement="VA-001", reason="A suit.", actor="counsel", now=OVER)
    with pytest.raises(Refused, match="legal hold"):
        propose(case)
    lift_legal_hold(case.database, hold, reason="Settled.", actor="counsel", now=OVER)
    proposal = propose(case)
    place_legal_hold(case.database, agreement=None, reason="Another suit.", actor="counsel", now=OVER)
    with pytest.raises(Refused, match="legal hold"):
        approve_erasure(case.database, case.id, proposal, actor=SECOND_PERSON, now=OVER, defaults=DEFAULTS)
    with case.database.reading() as session:
        assert session.exec(select(CaseErasure)).one().decided_at is None
        assert session.exec(select(Case.title)).one() != ERASED


def test_it_is_refused_while_the_case_is_open_or_a_message_can_come_back(database: Database, case: CaseInSql) -> None:
    open_one = open_breach(database, "RI-001", digest="two")
    said = read_erasure(database, open_one.id, OVER, DEFAULTS)
    assert (said.kept_until, said.hindrances[0]) == (None, "The case is open.")
    open_one.act(Hold.model_validate({"particulars": "The police asks.", "shareable": False, "begins_at": OPENED}))
    assert any("law-enforcement hold" in why for why in read_erasure(database, open_one.id, OVER, DEFAULTS).hindrances)
    at_once = Defaults(retention_years=1)
    with database.writing() as session:
        for delivery in session.exec(select(Delivery)):
            delivery.attempted_at = OVER - CAN_COME_BACK + HOUR
    (why,) = read_erasure(database, case.id, OVER, at_once).hindrances
    assert "can still come back" in why
    assert read_erasure(database, case.id, OVER + HOUR, at_once).hindrances == ()


def test_a_law_of_an_agreement_s_state_keeps_it_for_longer_than_the_default(case: CaseInSql) -> None:
    said = read_erasure(case.database, case.id, CLOSED, Defaults(retention_years=1))
    assert (said.kept_until, said.kept_by) == (years_after(CLOSED, 5), "5 years; Mo. Rev. Stat. § 407.1500.2(5)")
    rows, total = read_erasable(case.database, OVER, DEFAULTS, offset=0, limit=10)
    assert ([row.id for row in rows], total) == ([case.id], 1)
    assert read_erasable(case.database, OVER - HOUR, DEFAULTS, offset=0, limit=10) == ((), 0)


def test_nothing_more_is_kept_of_an_erased_case(case: CaseInSql) -> None:
    erase(case)
    with case.database.writing() as session:
        delivery = session.exec(select(Delivery)).first()
        assert delivery
        assert record_report(session, came_back(delivery, "second"), OVER).fate is Fate.FOREIGN
        notice = delivery.notice_id
        asks = checked_answer(notice, AnswerKind.QUESTION, name="Robin Parent", email="r@lea.test", text="And now?")
        record_answers(session, [asks], b"key" * 11, OVER)
        assert len(session.exec(select(Answer)).all()) == 1
        with pytest.raises(Refused, match="was erased"):
            store(session, b"more", "text/plain", OVER, case=case.id)
    with case.database.reading() as session:
        assert verify_all(session).sound


def test_the_keys_of_cases_are_sealed_anew_by_a_newer_key(case: CaseInSql, keyring: Keyring) -> None:
    rotated = Keyring.rotate(keyring._path)
    newer = Database(case.database.engine.url.render_as_string(hide_password=False), rotated)
    with newer.writing() as session:
        before = session.execute(text("SELECT key FROM case_key")).scalar_one()
        seal_case_keys_anew(session)
    with newer.reading() as session:
        after = session.execute(text("SELECT key FROM case_key")).scalar_one()
        assert rotated.sealing_key_id.encode() in bytes(after)
        assert rotated.sealing_key_id.encode() not in bytes(before)
        assert session.exec(select(Case.title)).one() == "The disk of Robin Pupil"
    newer.close()
