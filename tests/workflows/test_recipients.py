"""Recipients: the security contact, the next one where it fails, and whomever the agreement wants copied."""

from __future__ import annotations

from pathlib import Path

import pytest

from agreements.importing import DEMO_FILE, import_agreements
from config.keyring import Keyring
from models.enums import DeliveryStatus, Verdict
from starter.rehearsals.virtual_time import VirtualEngine, virtual_engine
from starter.resources import utc_now
from tests.conftest import know_demo_agreements
from tests.support.incidents import NOTICE, case, caught, duties, incident, letter, only_notice, open_case
from tests.support.scripted_server import scripted_server

pytestmark = pytest.mark.long

NO_SUCH_USER = "550 5.1.1 No such user"


def name_a_deputy(engine: VirtualEngine) -> None:
    """Have the agreement in Maine designate a second representative."""
    office = "Superintendent's Office,office@pinecoast.example.org"
    rows = DEMO_FILE.read_text("utf-8").splitlines()
    (maine,) = (row for row in rows if office in row)
    row = maine.replace(
        office, "Superintendent's Office;Deputy,office@pinecoast.example.org;deputy@pinecoast.example.org"
    )
    import_agreements(
        engine.resources.database,
        engine.resources.catalogue,
        f"{rows[0]}\n{row}\n",
        file_name="deputy.csv",
        now=utc_now(),
        actor="officer",
    )


async def test_a_contact_that_fails_is_followed_by_the_next_the_officer_told_and_it_is_skipped_from_then_on(
    keyring: Keyring, tmp_path: Path
) -> None:
    async with scripted_server(RCPT=[NO_SUCH_USER]) as server:
        smtp = {"host": "127.0.0.1", "port": server.port, "security": "none", "connections": 1}
        settings = {"smtp": smtp, "release": "immediate"}
        async with virtual_engine(tmp_path, keyring=keyring, overrides=settings) as engine:
            know_demo_agreements(engine)
            name_a_deputy(engine)
            case_id = await open_case(engine, incident("ME-001", confirmed=utc_now()))
            duty = duties(engine, case_id, "ME")[NOTICE]
            deliveries = [(each.contact_email, each.status) for each in only_notice(duty).deliveries]
            assert deliveries == [
                ("office@pinecoast.example.org", DeliveryStatus.REJECTED),
                ("deputy@pinecoast.example.org", DeliveryStatus.ACCEPTED),
            ]
            assert duty.verdict is Verdict.ON_TIME
            notice, memo = server.messages
            assert b"1 contact refused a notice" in memo
            assert b"Pine Coast Regional School Unit" in memo
            assert b"deputy@pinecoast.example.org" in notice
            raised = [entry for entry in case(engine, case_id).evidence if entry.kind == "contact_escalated"]
            assert len(raised) == 1
            assert "@" not in str(raised)

            later = await open_case(engine, incident("ME-001", confirmed=utc_now()))
            (delivery,) = only_notice(duties(engine, later, "ME")[NOTICE]).deliveries
            assert delivery.contact_email == "deputy@pinecoast.example.org"


async def test_a_notice_that_nobody_takes_is_escalated_once_and_its_case_stays_open(
    keyring: Keyring, tmp_path: Path
) -> None:
    async with scripted_server(RCPT=[NO_SUCH_USER] * 2) as server:
        smtp = {"host": "127.0.0.1", "port": server.port, "security": "none", "connections": 1}
        settings = {"smtp": smtp, "release": "immediate"}
        async with virtual_engine(tmp_path, keyring=keyring, overrides=settings) as engine:
            know_demo_agreements(engine)
            case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
            duty = duties(engine, case_id, "TN")[NOTICE]
            assert duty.performed_at is None
            escalated = [entry.subject for entry in case(engine, case_id).evidence if entry.kind == "escalated"]
            assert escalated.count(str(duty.id)) == 1
            assert not only_notice(duty).given_at
            assert any(b"overdue, late or undelivered" in message for message in server.messages)


async def test_whom_the_agreement_wants_copied_stands_in_cc_and_gets_the_same_message(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("NY-001", "ME-001", confirmed=utc_now()), release="immediate")
    copied = letter(engine, case_id, duties(engine, case_id, "NY")[NOTICE])
    assert "office@hudsonbend.example.org" in copied["To"]
    assert "counsel@hudsonbend.example.org" in copied["Cc"]
    first, second = caught(engine, f"Message-ID: {copied['Message-ID']}")
    assert first == second
    alone = letter(engine, case_id, duties(engine, case_id, "ME")[NOTICE])
    assert "office@pinecoast.example.org" in alone["To"]
    assert alone["Cc"] is None


async def test_version_1_tells_the_designated_representative_and_a_security_contact_as_well(
    engine: VirtualEngine,
) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()), release="immediate")
    told = letter(engine, case_id, duties(engine, case_id, "TN")[NOTICE])
    assert "office@cumberlandhollow.example.org" in told["To"]
    assert "security@cumberlandhollow.example.org" in told["Cc"]


async def test_version_2_tells_the_security_contact_of_a_breach(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("OR-001", confirmed=utc_now()), release="immediate")
    told = letter(engine, case_id, duties(engine, case_id, "OR")[NOTICE])
    assert "security@cascademeadow.example.org" in told["To"]
    assert "counsel@cascademeadow.example.org" in told["Cc"]
