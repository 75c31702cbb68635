"""What the container files say, as far as it can be checked without a container engine."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.local_engine import PROJECT
from tests.support.patience import PATIENCE
from web.rights import LIVE_PATH

pytestmark = pytest.mark.long

COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def duenotice(*arguments: str, path: Path = PROJECT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "starter.cli.main", *arguments],
        cwd=path, env={"PYTHONPATH": str(path)}, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip


def test_each_service_waits_for_services_that_exist() -> None:
    for service in SERVICES.values():
        assert set(service.get("depends_on", {})) <= set(SERVICES)


def test_images_are_pinned_and_secrets_and_volumes_declared() -> None:
    for name, service in SERVICES.items():
        assert "build" in service or re.search(r":\d", service["image"]), name
        assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])
        for volume in service.get("volumes", ()):
            assert volume.split(":")[0] in COMPOSE["volumes"]


def test_nothing_is_published_beyond_loopback() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


@pytest.mark.parametrize("name", [name for name, service in SERVICES.items() if "build" in service])
def test_our_containers_run_commands_that_exist(name: str) -> None:
    outcome = duenotice(*SERVICES[name]["command"], "--help")
    assert outcome.returncode == 0, outcome.stderr


@pytest.mark.parametrize(
    "name",
    [name for name, service in SERVICES.items() if "build" in service and service["restart"] == "unless-stopped"],
)
def test_our_containers_that_stay_are_asked_what_can_be_answered(name: str) -> None:
    program, *arguments = SERVICES[name]["healthcheck"]["test"][1:]
    if program == "duenotice":
        outcome = duenotice(*arguments, "--help")
        assert outcome.returncode == 0, outcome.stderr
    else:
        assert re.findall(r"8700(/\w+)", arguments[-1]) == [LIVE_PATH]
        compile(arguments[-1], name, "exec")


def test_the_image_is_built_from_files_that_exist() -> None:
    copied = re.findall(
        r"^COPY (?!--from)(.+) \S+$", (PROJECT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert copied
    for source in (word for words in copied for word in words.split()):
        assert (PROJECT / source).exists(), source


def test_the_wheel_holds_the_clauses_templates_and_migrations_and_works_by_itself(tmp_path: Path) -> None:
    """The image installs the project as a wheel, which must carry the data that a checkout has beside the code."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)],
        cwd=PROJECT, capture_output=True, check=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    for pattern in (
        "worker.py",
        "config/clauses/ndpa-v1/standard.yaml",
        "config/notices/*.j2",
        "config/demo/agreements.csv",
        "migrations/versions/*.py",
        "web/templates/*.html",
        "web/static/*",
    ):
        assert list(installed.glob(pattern)), f"the wheel lacks {pattern}"
    due = duenotice(
        "due",
        "breach",
        "--form",
        "ndpa-v1",
        "--state",
        "VA",
        "--at",
        "confirmed=2026-03-08T09:00-04:00",
        path=installed,
    )
    assert due.returncode == 0, due.stderr
    assert "Wed 11 Mar 2026, 09:00 EDT" in " ".join(due.stdout.split())
