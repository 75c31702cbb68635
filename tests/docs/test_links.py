"""Links between documents lead somewhere, decisions have their parts, and every room is on the map."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


def documents() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=PROJECT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [Path(name) for name in listed.stdout.splitlines()]


@pytest.mark.parametrize("document", documents(), ids=str)
def test_links_to_files_lead_somewhere(document: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", (PROJECT / document).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
    missing = [
        target
        for target in targets
        if not re.match(r"[a-z]+:", target) and not (PROJECT / document.parent / target).exists()
    ]
    assert missing == []


def test_each_decision_says_its_number_and_its_context_decision_and_consequences() -> None:
    for page in sorted((PROJECT / "docs" / "decisions").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"# {page.name[:4]}"), page.name
        for heading in ("## Context", "## Decision", "## Consequences"):
            assert heading in text, f"{page.name} has no {heading}"


def test_the_readme_maps_every_room() -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    rooms = {path.parent.name for path in PROJECT.glob("*/__init__.py")} | {"tests", "bench", "docs"}
    assert {room for room in rooms if f"[`{room}/`]({room})" not in readme} == set()
