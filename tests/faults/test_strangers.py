"""Strangers hold 500 slow connections and send a gibibyte of body, while an officer works and mail leaves.

What was seen before: 260 half-open requests stopped pages and mail, and wrote 99,297 log lines in 20 seconds; chunks
brought 299 MiB into one request without an account.

How long the slowest page takes says how busy the machine is, so what is held to a second is the median, of which a busy
machine takes a tenth. Why no page takes long is held where it is decided: that nobody signed in waits for a stranger,
and that Python does not stop to look through all it has loaded, in ``tests/web/test_nobody_waits.py``; that strangers'
connections make room, and end, in ``tests/web/test_connections.py``.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.attack import GIBIBYTE
from tests.support.local_engine import DUENOTICE, PROJECT, home_folder, signed_in, started, wait_until

pytestmark = pytest.mark.long

SECONDS = 15
"""For how long pages are asked for before the breach is reported, and after."""

WITHIN = 1.0
"""How many seconds a page may take, in the middle."""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    with home_folder(tmp_path) as folder:
        yield folder


def import_agreements(officer: httpx.Client) -> None:
    token = re.search(r'name="form_token" value="([^"]+)"', officer.get("/agreements").text)
    assert token
    content = (PROJECT / "config/demo/agreements.csv").read_bytes()
    files = {"file": ("agreements.csv", content, "text/csv")}
    assert officer.post("/agreements", data={"form_token": token[1]}, files=files).status_code == 303


def report_breach(officer: httpx.Client) -> None:
    person = {"name": "Privacy Office", "email": "privacy@provider.example.org"}
    now = datetime.now(UTC).isoformat()
    answer = officer.post(
        "/api/cases/new/breach",
        json={
            "title": "Unusual export from a support account",
            "occurred": {"kind": "unknown"},
            "reasonably_expected_at": now,
            "discovered_at": now,
            "description": "A support account exported student records at night.",
            "data_types": ["Student names"],
            "agreements": ["VA-001", "MO-001"],
            "reporter": person,
            "point_of_contact": person,
        },
    )
    assert answer.status_code == 201, answer.text


def test_an_officer_works_and_mail_leaves_whatever_strangers_send(home: Path) -> None:
    with started(DUENOTICE, home, DUENOTICE_RELEASE="immediate") as engine, signed_in(engine) as officer:
        import_agreements(officer)
        log = home / "duenotice.log"
        before = len(log.read_text().splitlines())
        port = str(urlsplit(str(officer.base_url)).port)
        attack = subprocess.Popen(
            (sys.executable, "-m", "tests.support.attack", port),
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        begun = time.monotonic()
        with attack:
            assert attack.stdout
            assert attack.stdout.readline() == "begun\n"
            took = sorted(pages(officer, SECONDS))
            mail = set((home / "mail").glob("*.eml"))
            report_breach(officer)
            reported = time.monotonic()
            wait_until(lambda: set((home / "mail").glob("*.eml")) - mail)
            mailed = time.monotonic() - reported
            took = sorted([*took, *pages(officer, SECONDS)])
            assert attack.poll() is None, "it went on all the while"
            assert attack.stdin
            attack.stdin.close()
            done = json.loads(attack.stdout.read())
        minutes = (time.monotonic() - begun) / 60
        lines = Counter(json.loads(line)["event"] for line in log.read_text().splitlines()[before:])
        peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{engine.process.pid}/status").read_text())
        print(f"pages {len(took)}, median {took[len(took) // 2]:.3f} s, worst {took[-1]:.3f} s; mail {mailed:.1f} s")
        print(f"{done}; peak {peak and peak[1]} kB; {lines}")
        assert done["endless"]["bytes"] >= GIBIBYTE
        assert took[len(took) // 2] < WITHIN
        assert lines.total() <= 10 * (1 + minutes), "floods are a line a minute of each sort"
        assert engine.stop() == 0


def pages(officer: httpx.Client, seconds: float) -> Iterator[float]:
    """Ask for pages for so long, on the connection that is kept and on new ones in turn; give what each took."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.monotonic()
        assert asked(officer, "/agreements") == 200
        yield time.monotonic() - began
        with httpx.Client(base_url=officer.base_url, cookies=officer.cookies) as anew:
            began = time.monotonic()
            assert asked(anew, "/") == 200
            yield time.monotonic() - began
        time.sleep(0.1)


def asked(client: httpx.Client, path: str) -> int:
    """Ask for a page as a browser does, which tries again by itself where a connection is closed before the answer.

    Until its request is read, an officer's new connection is as a stranger's, and may have to make room.
    """
    for _ in range(20):
        with suppress(httpx.TransportError):
            return client.get(path).status_code
    raise AssertionError("no page came")
