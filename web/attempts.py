"""How often one address may try something: beyond that it is refused before anything is looked up, hashed or kept."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

from models.errors import NotAllowed

MOST = 30
WITHIN = timedelta(minutes=1)
MOST_ADDRESSES = 10_000
"""How many addresses are remembered; those that tried longest ago are forgotten first."""


class TooManyTries(NotAllowed):
    """Somebody tries something more often than people do; ``when`` says when they may again."""

    def __init__(self, when: str = "in a minute") -> None:
        super().__init__("Too many tries came from your address.", next_step=f"Try again {when}.")


class Attempts:
    """The recent tries of each address, in the memory of this process: at most ``most`` ``within`` a time."""

    def __init__(self, most: int = MOST, within: timedelta = WITHIN) -> None:
        self._most = most
        self._within = within
        self._tries: dict[str, deque[datetime]] = {}

    def allow(self, address: str, now: datetime) -> bool:
        """Count a try; return whether the address may make it."""
        tries = self._tries.pop(address, deque())
        while tries and now - tries[0] >= self._within:
            tries.popleft()
        self._tries[address] = tries
        if len(self._tries) > MOST_ADDRESSES:
            del self._tries[next(iter(self._tries))]
        if len(tries) >= self._most:
            return False
        tries.append(now)
        return True
