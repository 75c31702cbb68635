"""Kinds of case that a test makes known are forgotten after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cases.kinds import KINDS


@pytest.fixture(autouse=True)
def _only_kinds_of_this_test() -> Iterator[None]:
    """Take away the kinds that a test made known: a worker of a later test would look for their workflows."""
    before = dict(KINDS)
    yield
    KINDS.clear()
    KINDS.update(before)
