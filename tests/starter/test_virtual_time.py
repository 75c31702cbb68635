"""Virtual time: it never waits for ever, and an engine in it reaches nothing outside its folder."""

from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path

import pytest

from config.keyring import Keyring
from models.errors import Unavailable
from starter.rehearsals import virtual_time
from starter.rehearsals.virtual_time import VirtualEngine, virtual_engine
from starter.resources import utc_now
from tests.conftest import know_demo_agreements
from tests.support.incidents import case, incident, open_case


async def test_an_instant_in_the_past_changes_nothing(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001"))
    before = await engine.now(case_id)
    after = await engine.advance_to(case_id, before - timedelta(days=1))
    assert timedelta() <= after - before < timedelta(minutes=1)


async def test_a_case_that_cannot_come_to_rest_is_an_error_that_names_what_it_waits_for(
    keyring: Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        down = {"host": "127.0.0.1", "port": nobody.getsockname()[1], "security": "none", "timeout_seconds": 30}
        async with virtual_engine(tmp_path, keyring=keyring, overrides={"smtp": down}) as engine:
            know_demo_agreements(engine)
            monkeypatch.setattr(virtual_time, "SETTLING", timedelta(seconds=1))
            report = incident("VA-001", expected=utc_now() - timedelta(days=2))
            with pytest.raises(Unavailable, match=r"does not come to rest: .*(send_batch|raise_overdue), attempt \d"):
                await open_case(engine, report, release="immediate")
            nobody.close()


async def test_a_real_mail_server_database_and_keyring_of_the_environment_are_left_alone(
    keyring: Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    monkeypatch.setenv("DUENOTICE_DATABASE_URL", f"sqlite:///{elsewhere / 'real.sqlite3'}")
    monkeypatch.setenv("DUENOTICE_KEYRING", str(elsewhere / "keyring.json"))
    monkeypatch.setenv("DUENOTICE_SMTP__HOST", "mail.provider.test")
    monkeypatch.setenv("DUENOTICE_SMTP__USERNAME", "notices")
    monkeypatch.setenv("DUENOTICE_SMTP__PASSWORD", "secret")
    async with virtual_engine(tmp_path / "here", keyring=keyring) as engine:
        know_demo_agreements(engine)
        case_id = await open_case(engine, incident("VA-001", expected=utc_now()), release="immediate")
        assert case(engine, case_id).duties[0].performed_at
        assert len(list(engine.mail.glob("*.eml"))) == 2, "the notice, and its copy"
    assert not elsewhere.exists()
