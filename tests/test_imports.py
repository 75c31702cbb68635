"""The rooms' boundaries: what may import what (contracts in ``pyproject.toml``); who may write and read evidence."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
ROOMS: list[str] = PROJECT["importlinter"]["root_packages"]


def sources(*rooms: str) -> Iterator[tuple[Path, ast.Module]]:
    """Every module of some rooms, parsed."""
    for room in rooms:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield path.relative_to(ROOT), parsed(path)


@cache
def parsed(path: Path) -> ast.Module:
    """A module, parsed once for all tests here."""
    return ast.parse(path.read_text())


def test_every_room_is_under_the_contracts() -> None:
    assert sorted([*ROOMS, "worker.py"]) == sorted(PROJECT["hatch"]["build"]["targets"]["wheel"]["only-include"])


def test_the_contracts_are_kept() -> None:
    # In a process of its own, since it turns off the loggers that there are.
    program = Path(sys.executable).with_name("lint-imports")
    found = subprocess.run([program, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout


def test_only_what_starts_everything_imports_the_worker() -> None:
    importers = {
        path.parts[0]
        for path, module in sources(*ROOMS)
        for node in ast.walk(module)
        if (isinstance(node, ast.ImportFrom) and node.module == "worker")
        or (isinstance(node, ast.Import) and any(alias.name == "worker" for alias in node.names))
    }
    assert importers <= {"starter"}


def test_the_ledger_has_one_way_in() -> None:
    """Nothing else makes an entry, or writes to its table or to the head."""
    guarded, writers = {"EvidenceEntry", "LedgerHead"}, set()
    for path, module in sources(*ROOMS):
        for call in (node for node in ast.walk(module) if isinstance(node, ast.Call)):
            makes = isinstance(call.func, ast.Name) and call.func.id in guarded
            changes = (
                isinstance(call.func, ast.Name)
                and call.func.id in {"insert", "update", "delete"}
                and any(isinstance(argument, ast.Name) and argument.id in guarded for argument in call.args)
            )
            if makes or changes:
                writers.add(path)
    assert writers == {Path("ledger/append.py")}


def test_nothing_reads_the_ledger_to_run() -> None:
    """Evidence is for auditors, pages and rehearsals: what decides anything stands in tables of its own."""
    readers = {
        path
        for path, module in sources(*ROOMS)
        for node in ast.walk(module)
        if (isinstance(node, ast.Name) and node.id in {"EvidenceEntry", "LedgerHead"})
        or (isinstance(node, ast.Attribute) and node.attr in {"EvidenceEntry", "LedgerHead"})
    }
    allowed = [Path("ledger"), Path("queries"), Path("starter/rehearsals")]
    assert readers
    assert not [path for path in readers if not any(path.is_relative_to(room) for room in allowed)]


def test_nothing_that_runs_reads_what_reads_the_ledger() -> None:
    """Nor by a detour: no module that runs a case asks what shows evidence, or what checks it."""
    detours = {
        (path, node.module)
        for path, module in sources("activities", "workflows", "cases", "mail", "terms")
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("queries", "ledger.verify"))
    }
    assert not detours


def test_bench_and_tests_do_not_import_one_another() -> None:
    crossing = [
        (path, module)
        for path, module in imported("bench", "tests")
        if {path.parts[0], module.partition(".")[0]} == {"bench", "tests"}
    ]
    assert crossing == []


def test_suites_share_only_what_stands_in_support() -> None:
    """Nothing imports a module of tests: what two suites need is ``tests.support``, ``tests.plugins`` or a fixture."""
    shared = ("tests.support", "tests.plugins", "tests.conftest")
    crossing = [
        (path, module)
        for path, module in imported("tests")
        if module.partition(".")[0] == "tests" and not module.startswith(shared)
    ]
    assert crossing == []


def imported(*rooms: str) -> Iterator[tuple[Path, str]]:
    """Every module that some rooms import, by the module that does."""
    for path, module in sources(*rooms):
        for node in ast.walk(module):
            match node:
                case ast.ImportFrom(module=str() as name):
                    yield path, name
                case ast.Import(names=aliases):
                    yield from ((path, alias.name) for alias in aliases)
