"""The time inside an activity."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import activity


def activity_clock() -> Callable[[], datetime]:
    """Return a function that tells the present instant, in UTC, as the case's workflow counts time.

    It runs from the instant at which the server says this attempt started. On an ordinary server that is the wall
    clock; in a rehearsal, whose workflows skip time, it is the virtual one. Call it first thing in an activity.
    """
    started, ticks = activity.info().started_time, time.monotonic()
    return lambda: started + timedelta(seconds=time.monotonic() - ticks)
