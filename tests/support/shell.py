"""The command line as a test uses it: each command in this process, with what it printed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from starter.cli.main import run


@dataclass(frozen=True)
class Said:
    """What a command printed, on one line each, and its exit code."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Shell:
    """Runs commands in this process, beside the engine that they reach over the network."""

    capture: pytest.CaptureFixture[str]

    async def __call__(self, *arguments: str) -> Said:
        self.capture.readouterr()
        code = await asyncio.to_thread(run, arguments)
        printed = self.capture.readouterr()
        return Said(code, " ".join(printed.out.split()), printed.err)

    async def refuses(self, *arguments: str) -> str:
        """The sentences of a refusal: nothing on standard output, no traceback, exit code 2."""
        said = await self(*arguments)
        assert (said.code, said.out) == (2, "")
        assert "Traceback" not in said.err
        return said.err
