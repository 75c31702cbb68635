"""Requests for access on the command line: entered, answered, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

from starter.cli.console import find_case
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.shell import Shell


def request(**changed: str) -> list[str]:
    given = {
        "title": "Request of the registrar",
        "asks": "review",
        "student": "student 4711",
        "request": "A parent asks to see the grades.",
        "requested-on": f"{utc_now():%Y-%m-%d}",
        "requested-by": "Registrar <registrar@example.org>",
        "agreement": "IL-001",
        **changed,
    }
    options = [word for name, value in given.items() for word in (f"--{name}", value)]
    return ["parent-access", "request", *options, "--yes"]


async def test_a_request_is_entered_and_answered(installed: VirtualEngine, shell: Shell, tmp_path: Path) -> None:
    said = await shell(*request())
    assert said.code == 0, said.err
    assert "access.request" in said.out
    assert "4711" not in said.out, "the student stands on the case's page alone"
    found = re.search(r"Case (\w{8}) is", said.out)
    assert found, said.out
    case_id = find_case(installed.resources.database, found[1])
    await installed.settle(case_id)
    receipt = tmp_path / "receipt.txt"
    receipt.write_text("The view was opened.")
    given = await shell(
        "parent-access", "give", found[1], "--what", "The grades.", "--how", "A view was opened.",
        "--to-whom", "The registrar.", "--proof", str(receipt),
    )  # fmt: skip
    assert given.code == 0, given.err
    await installed.case(case_id).result()
    shown = await shell("parent-access", "show", found[1])
    assert f"({found[1]}, closed)" in shown.out


async def test_a_deletion_is_led_to_where_it_belongs(installed: VirtualEngine, shell: Shell) -> None:
    said = await shell.refuses(*request(asks="delete"))
    assert re.search(r"A deletion is a disposition.*Enter it as a disposition", " ".join(said.split()))
