"""The evidence of a case is exported from its page, by those who may, and that is itself evidence."""

from __future__ import annotations

import tempfile
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest

from ledger.log_keys import create_log_key
from ledger.verify_bundle import check
from models.enums import Role
from starter.resources import utc_now
from tests.support.given_notices import Told

BUTTON = "Export as a bundle"


@pytest.fixture
def page(told: Told) -> str:
    create_log_key(told.installation.resources.settings.log_key, "provider.test", utc_now() - timedelta(minutes=1))
    return f"/cases/{told.given.case_id}"


@pytest.mark.parametrize("role", [Role.OFFICER, Role.AUDITOR])
async def test_an_officer_and_an_auditor_get_a_bundle_that_holds(
    told: Told, page: str, role: Role, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "spare").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "spare"))
    visitor = await told.installation.officer("ada", role)
    assert BUTTON in (await visitor.get(page)).text
    answer = await visitor.send(page, f"{page}/evidence.zip", {})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert "attachment" in answer.headers["content-disposition"]
    file = tmp_path / "got.zip"
    file.write_bytes(answer.content)
    assert check(file).state == "intact"
    with zipfile.ZipFile(file) as archive:
        assert archive.read("report.pdf").startswith(b"%PDF")
    assert not list((tmp_path / "spare").iterdir()), "what was sent is not kept"
    (entry,) = told.evidence("evidence_asked_for")
    assert (entry.actor, entry.body) == ("ada", {"as_sent": False})


@pytest.mark.parametrize("role", [Role.APPROVER, Role.ADMINISTRATOR])
async def test_nobody_else_is_offered_one(told: Told, page: str, role: Role) -> None:
    visitor = await told.installation.officer("sam", role)
    assert BUTTON not in (await visitor.get(page)).text
    assert (await visitor.send(page, f"{page}/evidence.zip", {})).status_code == 403
    assert told.evidence("evidence_asked_for") == []


async def test_without_a_key_nothing_is_exported_and_the_page_says_what_to_do(told: Told) -> None:
    visitor, case = await told.installation.officer(), f"/cases/{told.given.case_id}"
    answer = await visitor.send(case, f"{case}/evidence.zip", {})
    assert answer.status_code == 503
    assert "There is no key of the ledger" in answer.text
    assert "duenotice evidence make-key" in answer.text
    assert told.evidence("evidence_asked_for") == []
