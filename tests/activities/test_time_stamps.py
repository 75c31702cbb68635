"""Time stamps of heads: asked for once a day, kept only if they are the authority's, and in bundles."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import col, select, update
from temporalio.testing import ActivityEnvironment

from activities.heads import HeadsActivities
from cases.messages import KeepHeads
from config.keyring import Keyring
from ledger.timestamps import Stamping
from ledger.verify_bundle import Step, check
from models.errors import ConfigurationError
from models.tables import LedgerCheckpoint
from starter.resources import utc_now
from tests.support.bundles import Evidence, keep_evidence, rewritten
from tests.support.time_stamping import Authority, time_stamping

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="no OpenSSL on this machine")


@pytest.fixture
def evidence(tmp_path: Path) -> Iterator[Evidence]:
    kept = keep_evidence(tmp_path, Keyring.create(tmp_path / "keyring.json"))
    yield kept
    kept.database.close()


@pytest.fixture
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with time_stamping(tmp_path_factory.mktemp("authority")) as running:
        yield running


async def keep(evidence: Evidence, url: str, roots: Path) -> list[int]:
    """Sign a head as the schedule does; return the sizes of those that have a time stamp."""
    heads = HeadsActivities(
        evidence.database, evidence.settings.log_key, at_most=10_000, stamping=Stamping(roots), timestamp_url=url
    )
    environment = ActivityEnvironment()
    environment.info = environment.info.__class__(**(vars(environment.info) | {"started_time": utc_now()}))
    await environment.run(heads.keep_heads, KeepHeads())
    with evidence.database.reading() as session:
        stamped = select(LedgerCheckpoint.size).where(col(LedgerCheckpoint.timestamp_token).is_not(None))
        return sorted(session.exec(stamped))


async def test_a_head_a_day_is_stamped_and_the_bundle_has_the_stamp(
    evidence: Evidence, authority: Authority, tmp_path: Path
) -> None:
    (first,) = await keep(evidence, authority.url, authority.roots)
    evidence.others(700, 710)
    assert await keep(evidence, authority.url, authority.roots) == [first], "once a day"
    with evidence.database.writing() as session:
        session.execute(update(LedgerCheckpoint).values(kept_at=utc_now() - timedelta(days=1, minutes=1)))
    evidence.others(711, 711)
    assert await keep(evidence, authority.url, authority.roots) == [first, first + 12]

    bundle = evidence.export(tmp_path / "case.zip").path
    verdict = check(bundle, trusted=evidence.keys.keys)
    assert verdict.state == "intact", verdict.words()
    assert f"the head of {first} entries was there on" in verdict.times[0]
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(tmp_path / "b")
    files = tmp_path / "b" / "timestamps"
    command = [
        "openssl",
        "ts",
        "-verify",
        "-data",
        str(files / f"{first}.checkpoint"),
        "-in",
        str(files / f"{first}.tsr"),
    ]
    ran = await asyncio.to_thread(
        subprocess.run, [*command, "-CAfile", str(authority.roots)], capture_output=True, text=True, check=False
    )
    assert "Verification: OK" in ran.stdout + ran.stderr

    other = rewritten(
        bundle,
        tmp_path / "x.zip",
        {f"timestamps/{first}.checkpoint": (tmp_path / "b/log/checkpoint").read_bytes()},
        signed=evidence.keys,
    )
    verdict = check(other)
    assert (verdict.state, verdict.step, verdict.record) == ("not intact", Step.TIMES, f"timestamps/{first}.tsr")


async def test_a_stamp_that_is_not_the_authority_s_is_not_kept(
    evidence: Evidence, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with time_stamping(tmp_path_factory.mktemp("another")) as another:
        assert await keep(evidence, another.url, authority.roots) == []


async def test_no_head_waits_for_an_authority_that_is_away(evidence: Evidence, authority: Authority) -> None:
    assert await keep(evidence, "http://127.0.0.1:9/", authority.roots) == []
    with evidence.database.reading() as session:
        assert session.exec(select(LedgerCheckpoint)).one().timestamp_token is None


def test_certificates_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="certificates of the time-stamping authority cannot be read"):
        Stamping(tmp_path / "absent.pem")
