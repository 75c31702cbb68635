"""Alerts besides mail: chat, SMS and pagers, through the addresses of Apprise that the settings name.

What is told this way passes through other companies' hands: no personal data is ever in it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import SecretStr

from models.errors import ConfigurationError

if TYPE_CHECKING:
    from apprise import Apprise

SETTING = "DUENOTICE_ALERT_URLS"


class Alerts:
    """The ways that alerts go, each by itself: one that fails keeps no other from being tried.

    Args:
        addresses: of Apprise, with blanks between them; each is a secret.

    Raises:
        ConfigurationError: Apprise can make nothing of one; the sentence says which, and not what it is.
    """

    def __init__(self, addresses: SecretStr | None = None) -> None:
        given = addresses.get_secret_value().split() if addresses else []
        self._ways = {f"{number} ({_scheme(url)})": _way(url, number) for number, url in enumerate(given, 1)}

    @property
    def names(self) -> Sequence[str]:
        """What each way is called in evidence: its place among the addresses, and what sort it is."""
        return tuple(self._ways)

    async def send(self, name: str, title: str, text: str) -> bool:
        """Give an alert by one way; return whether its service took it."""
        return bool(await asyncio.to_thread(self._ways[name].notify, body=text, title=title))


def _way(url: str, number: int) -> Apprise:
    from apprise import Apprise  # it takes half a second and more, which only those who use it should pay

    # At lower levels it writes addresses, which are secrets.
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    way = Apprise()
    if not way.add(url):
        raise ConfigurationError(
            f"Apprise can make nothing of address {number} of the alerts.",
            where=SETTING,
            next_step="Write it as Apprise's documentation says for its service, with blanks between addresses.",
        )
    return way


def _scheme(url: str) -> str:
    return url.partition("://")[0]
