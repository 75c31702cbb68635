"""What each notice of a confirmed breach says: the elements of its own terms, and "not yet known" for the rest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from uuid import UUID

import pytest

from config.keyring import Keyring
from models.columns import bind_sealer
from models.phrases import instant_words
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.incidents import (
    DESCRIPTION,
    INITIAL,
    NOTICE,
    OFFICER,
    case,
    caught,
    duties,
    incident,
    letter,
    only_notice,
    open_case,
    text,
)
from tests.support.officers import officer

V1 = (
    "Name and contact of the district concerned",
    "Types of information involved",
    "Date, estimated date or date range of the breach",
    "Date of this notice",
    "Whether law enforcement delayed this notice",
    "General description of the breach",
)


@dataclass(frozen=True)
class Released:
    """A confirmed breach at four districts, whose notices an officer has released."""

    engine: VirtualEngine
    case_id: UUID

    def text(self, state: str, clause: str = NOTICE) -> str:
        return text(letter(self.engine, self.case_id, duties(self.engine, self.case_id, state)[clause]))

    def elements(self, state: str, clause: str = NOTICE) -> tuple[tuple[str, ...], tuple[str, ...]]:
        notice = only_notice(duties(self.engine, self.case_id, state)[clause])
        return notice.given, notice.lacking


@pytest.fixture(scope="module")
async def _released(running_engine: VirtualEngine, keyring: Keyring) -> Released:
    bind_sealer(keyring)
    now = utc_now()
    report = incident("VA-001", "MO-001", "IL-001", "OR-001", expected=now, confirmed=now)
    case_id = await open_case(running_engine, report)
    await officer(running_engine).release_notices(case_id, actor=OFFICER)
    await running_engine.settle(case_id)
    return Released(running_engine, case_id)


@pytest.fixture
def released(_released: Released, engine: VirtualEngine) -> Released:
    return _released


def test_v1_notice_gives_its_five_elements_and_its_date(released: Released) -> None:
    assert released.elements("VA") == (V1, ())
    says = released.text("VA")
    for label in V1:
        assert label in says
    for item in ("i", "ii", "iii", "iv", "v"):
        assert f"[NDPA v1, Article V, Section 4(1)({item}); Exhibit G (Virginia), item 4]" in says
    assert DESCRIPTION in says
    assert "Blue Ridge Valley Public Schools Superintendent's Office office@blueridge.example.org" in says


def test_v2_notice_names_the_provider_and_says_that_the_individuals_are_not_yet_known(released: Released) -> None:
    given, lacking = released.elements("OR")
    assert "Name and contact of the provider" in given
    assert "Description of the student data involved" in given
    assert lacking == ("Identification of the individuals affected",)
    says = released.text("OR")
    assert "Identification of the individuals affected Not yet known. [NDPA v2, Section 5.4(1)(g)]" in says
    assert "Name and contact of the district concerned" not in says


def test_missouri_replaces_the_standard_elements(released: Released) -> None:
    given, lacking = released.elements("MO")
    assert set(given) == {
        "General description of the breach",
        "Date, estimated date or date range of the breach",
        "Date on which the breach was discovered",
        "Types of information involved",
        "Person at the provider who knows more",
    }
    assert lacking == ()
    says = released.text("MO")
    assert "Whether law enforcement delayed this notice" not in says
    assert "Section 4(1)(" not in says


def test_illinois_adds_the_students_and_whom_parents_may_contact(released: Released) -> None:
    given, lacking = released.elements("IL")
    assert given == (*V1, "Employee whom parents may contact")
    assert lacking == ("List of the students involved",)
    says = released.text("IL")
    assert "List of the students involved Not yet known. [Exhibit G (Illinois), item 13(vi)]" in says
    parents_contact = released.engine.resources.settings.organisation.parents_contact
    assert f"{parents_contact.name} {parents_contact.email} {parents_contact.phone} [Exhibit G (Illinois)," in says


def test_virginia_confirmed_at_once_is_told_once_under_both_clauses(released: Released) -> None:
    assert released.elements("VA", INITIAL) == released.elements("VA", NOTICE) == (V1, ())
    both = [only_notice(duties(released.engine, released.case_id, "VA")[clause]) for clause in (INITIAL, NOTICE)]
    assert both[0] == both[1]
    assert "Exhibit G (Virginia)" in released.text("VA", INITIAL)


def test_the_annex_counts_to_the_due_instant_in_the_leas_time_and_in_utc(released: Released) -> None:
    message = letter(released.engine, released.case_id, duties(released.engine, released.case_id, "OR")[NOTICE])
    due_at = duties(released.engine, released.case_id, "OR")[NOTICE].due_at
    assert due_at is not None
    own, _, annex = text(message).partition("Annex: how the time was counted")
    both = f"{instant_words(due_at, 'America/Los_Angeles')} ({instant_words(due_at, UTC)})"
    assert both in " ".join(annex.split())
    assert "due " not in own.casefold(), "our deadline is not theirs"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


def test_a_security_notice_goes_to_the_security_contact_with_a_copy_to_counsel(released: Released) -> None:
    duty = duties(released.engine, released.case_id, "OR")[NOTICE]
    message = letter(released.engine, released.case_id, duty)
    assert "security@cascademeadow.example.org" in message["To"]
    assert "counsel@cascademeadow.example.org" in message["Cc"]
    assert len(caught(released.engine, message["Message-ID"])) == 2, "one for the contact, one for counsel"


def test_a_district_without_a_security_contact_is_told_through_its_general_contact(released: Released) -> None:
    message = letter(released.engine, released.case_id, duties(released.engine, released.case_id, "MO")[NOTICE])
    assert "office@ozarkridge.example.org" in message["To"]


def test_a_released_notice_says_who_released_it_and_does_not_claim_that_nobody_did(released: Released) -> None:
    noticed = [duty for duty in case(released.engine, released.case_id).duties if duty.notices]
    assert [only_notice(duty).released_by for duty in noticed] == [OFFICER] * 5
    assert "reviewed" not in released.text("VA")
