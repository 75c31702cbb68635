"""The time limits that no clause gives: settings of the installation, never law."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_Hours = Annotated[int, Field(gt=0, le=24 * 366)]
_Days = Annotated[int, Field(gt=0, le=3_660)]


class Defaults(BaseModel):
    """The time limits that no clause gives, each named by what it stands in for and its unit.

    A duty that uses one is flagged with its name. They are settings of the installation, not law.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reasonable_time_hours: _Hours = 24
    """\"Within a reasonable time\" of a notice that was held back."""
    promptly_hours: _Hours = 24
    """\"Promptly\", \"immediately\", and a notice for which no time is given."""
    disposition_days: _Days = 60
    """Disposing of data where the clause gives no number."""
    disposal_after_notice_days: _Days = 120
    """Disposing of data after the end where a clause says only how long a notice must have come before."""
    prior_notice_days: _Days = 30
    """\"Reasonable prior notice\" of a disposal."""
    access_days: _Days = 45
    """Answering a request to view or correct where the clause gives no number."""
    referral_days: _Days = 5
    """Referring a parent or student to the LEA, and telling the LEA, where the clause gives no number."""
    on_request_days: _Days = 30
    """Handing over what a party may ask for where the clause gives no number."""
    handed_over_days: _Days = 30
    """Keeping a file that was handed to an LEA behind a link: no clause says how long."""
    retention_years: Annotated[int, Field(gt=0, le=100)] = 6
    """Keeping what a closed case holds before it may be erased, where no law says longer."""
    change_notice_days: _Days = 30
    """Telling of a change where the clause gives no number."""
    answer_days: _Days = 30
    """Waiting for a party's decision about a right that a notice offers it: then its silence is recorded."""
    security_audit_days: _Days = 90
    """Finishing the security audit that unauthorized access calls for."""
