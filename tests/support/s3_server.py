"""A server that speaks S3's language, as a process of its own on loopback: it checks each request's signature.

``make test`` gets it (nanio, ``requirements/s3.txt``) into an environment of its own.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from config.settings import ArtifactStore

PROJECT = Path(__file__).parents[2]
BUCKET, KEY_ID, SECRET = "evidence", "duenotice", "a secret key for tests"
NO_SERVER = "no S3 server in .tools/s3 (make .tools/s3/installed gets one)"


@dataclass(frozen=True)
class S3Server:
    """Where it is, and the folder in which it keeps what it is given: a bucket is a folder there, an object a file."""

    endpoint: str
    folder: Path

    def settings(self, **others: Any) -> ArtifactStore:
        """The settings of an installation that keeps artifacts there; of the bucket there is, unless told otherwise."""
        given = {"endpoint": self.endpoint, "bucket": BUCKET, "access_key_id": KEY_ID, "secret_access_key": SECRET}
        return ArtifactStore.model_validate({**given, "prefix": "installation", "timeout_seconds": 20, **others})

    def objects(self, prefix: str) -> list[Path]:
        """The files of the objects below a prefix."""
        return sorted(path for path in (self.folder / BUCKET / prefix).rglob("*") if path.is_file())


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """A server for as long as the body takes."""
    program = PROJECT / ".tools" / "s3" / "bin" / "uvicorn"
    if not program.exists():
        pytest.skip(NO_SERVER)
    data = folder / "data"
    (data / BUCKET).mkdir(parents=True)
    words = [str(program), "--factory", "nanio.app:build_app", "--host", "127.0.0.1", "--port", "0", "--no-access-log"]
    keys = {"NANIO_DATA_DIR": str(data), "NANIO_ACCESS_KEY": KEY_ID, "NANIO_SECRET_KEY": SECRET}
    log = folder / "log"
    with (
        log.open("wb") as written,
        subprocess.Popen(words, env={**os.environ, **keys}, stdout=written, stderr=written) as process,
    ):
        try:
            yield S3Server(_endpoint(process, log), data)
        finally:
            process.kill()


def _endpoint(process: subprocess.Popen[bytes], log: Path) -> str:
    """Where it says that it listens: at a port that the system gave it, and nobody else has."""
    until = time.monotonic() + 60
    while not (says := re.search(r"running on (http://127\.0\.0\.1:\d+)", log.read_text())):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.05)
    return says[1]
