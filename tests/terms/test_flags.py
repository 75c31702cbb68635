"""What a duty's flags mean, as people read them."""

from __future__ import annotations

import pytest

from terms.clock import NO_SCHOOL_CALENDAR
from terms.duties import (
    DEFAULT_FLAG,
    DOUBTFUL_READING,
    ON_HOLD_FLAG,
    OVERDUE,
    SOONER_LIMIT_NOT_RECORDED,
    flag_words,
)

FLAGS = (
    OVERDUE,
    SOONER_LIMIT_NOT_RECORDED,
    DOUBTFUL_READING,
    NO_SCHOOL_CALENDAR,
    f"{DEFAULT_FLAG}security_audit_days",
    f"{ON_HOLD_FLAG}disposal_requested",
)


@pytest.mark.parametrize("flag", FLAGS)
def test_each_flag_is_a_sentence(flag: str) -> None:
    said = flag_words(flag)
    assert said.endswith(".")
    assert flag not in said
    assert "_" not in said
