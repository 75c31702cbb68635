"""docs/logs.md lists every line that the program logs, and none that it does not."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[2]
ROOMS = ("activities", "agreements", "cases", "config", "ledger", "mail", "models", "people", "queries", "records")
FACES = ("starter", "terms", "web", "workflows")
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


def logged() -> Iterator[str]:
    """What each call of a logger says, with its level."""
    files = [PROJECT / "worker.py", *(file for room in (*ROOMS, *FACES) for file in (PROJECT / room).rglob("*.py"))]
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if node.func.attr in LEVELS and "log" in ast.unparse(node.func.value):
                said = node.args[0] if node.args else None
                assert isinstance(said, ast.Constant), f"{file}: a constant says what it is, and fields the rest"
                assert isinstance(said.value, str)
                yield f"{said.value} | {node.func.attr.replace('exception', 'error')}"


def test_every_line_is_listed_with_its_level() -> None:
    rows = re.findall(r"^\| ([^|]+ \| \w+) \|", (PROJECT / "docs" / "logs.md").read_text(encoding="utf-8"), re.M)
    listed = {row for row in rows if row != "line | level"}
    assert listed == set(logged())
