"""How often one address, or one link, may do something: what comes oftener is refused before anything is kept."""

from __future__ import annotations

from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from threading import Lock
from time import time

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage, Storage
from limits.strategies import FixedWindowRateLimiter

from models.errors import NotAllowed
from models.phrases import counted

MINUTE, HOUR = 60, 3600

TRIES_A_MINUTE = 30
"""How often one address may try to sign in, or come with links that lead nowhere, in a minute."""

MOST_KEYS = 10_000
"""How many addresses or links one quota remembers; those that came longest ago are forgotten first."""

NETWORK_BITS = 64
"""One line of one customer: whoever has an IPv6 address has as many of them as they like (RFC 6177)."""


class TooManyTries(NotAllowed):
    """Somebody does something more often than people do; they may again in ``seconds``."""

    def __init__(self, seconds: int = MINUTE, source: str = "your address") -> None:
        self.seconds = seconds
        super().__init__(f"Too many tries came from {source}.", next_step=f"Try again in {_words(seconds)}.")


class Quota:
    """At most ``most`` times within ``seconds`` for each key, counted from its first.

    It counts in the memory of this process, or ``shared`` with others under its name.
    """

    def __init__(self, most: int, seconds: int = MINUTE, *, name: str = "", shared: Storage | None = None) -> None:
        self._item = RateLimitItemPerSecond(most, seconds, namespace=name or "here")
        self._limiter = FixedWindowRateLimiter(shared or MemoryStorage())
        self._is_shared = shared is not None
        self._keys: dict[str, None] = {}
        self._remembering = Lock()

    def allow(self, key: str) -> bool:
        """Count a try; return whether it is still among those that are allowed."""
        key = _short(key)
        if self._is_shared:  # what is refused anyway is not written
            return self._limiter.test(self._item, key) and self._limiter.hit(self._item, key)
        with self._remembering:
            self._keys.pop(key, None)
            self._keys[key] = None
            if len(self._keys) > MOST_KEYS:
                oldest = next(iter(self._keys))
                del self._keys[oldest]
                self._limiter.clear(self._item, oldest)
        return self._limiter.hit(self._item, key)

    def is_used_up(self, key: str) -> bool:
        """Whether no further try is allowed just now; this one is not counted."""
        return not self._limiter.test(self._item, _short(key))

    def seconds_left(self, key: str) -> int:
        """In how many seconds the next try is allowed, where this one was not; at least one."""
        until = self._limiter.get_window_stats(self._item, _short(key)).reset_time
        return max(1, round(until - time()))

    def check(self, key: str, source: str = "your address") -> None:
        """Count a try; return where it is allowed.

        Raises:
            TooManyTries: it is not.
        """
        if not self.allow(key):
            raise TooManyTries(self.seconds_left(key), source)


def network_of(address: str) -> str:
    """What counts as one address: an IPv6 address stands for its network, what is no address for itself."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return f"{IPv6Address(int(parsed) >> NETWORK_BITS << NETWORK_BITS)}/{NETWORK_BITS}"


def _short(key: str) -> str:
    """A key of bounded length that shows no link; who sends long ones must not fill the memory with them."""
    return sha256(key.encode()).hexdigest()[:32]


def _words(seconds: int) -> str:
    minutes = -(-seconds // MINUTE)
    if seconds < MINUTE:
        return counted(seconds, "second")
    return "an hour" if minutes == HOUR // MINUTE else counted(minutes, "minute") if minutes > 1 else "a minute"
