"""A test that is skipped for a reason nobody agreed to is a failure.

The agreed reasons stand one a line in ``tests/allowed_skips.txt``: a machine may lack a browser or a database server,
and the tests that need one say so. Anything else that skips, or expects to fail, makes the run fail and is listed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

ALLOWED = Path(__file__).parents[1] / "allowed_skips.txt"


def allowed_reasons(text: str) -> tuple[str, ...]:
    """The agreed reasons: each line that is neither empty nor a comment (``#``)."""
    lines = (line.strip() for line in text.splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def reason_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why a report's test was skipped, as its author put it; empty when nobody did."""
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped").removeprefix(":").strip()
    return str(getattr(report, "wasxfail", "")).removeprefix("reason:").strip()


class StatedSkips:
    """Collects what was skipped in a run, and fails the run for reasons that are not agreed."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        self._allowed = allowed
        self._unstated: list[str] = []

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        reason = reason_of(report)
        if report.skipped and reason not in self._allowed:
            self._unstated.append(f"{report.nodeid}: {reason or 'no reason given'}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._unstated and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._unstated:
            terminalreporter.section(f"skipped for reasons that {ALLOWED.name} does not list", red=True)
            for line in self._unstated:
                terminalreporter.line(line)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(StatedSkips(allowed_reasons(ALLOWED.read_text(encoding="utf-8"))), "stated-skips")
