"""Telling e-mail addresses from the message ids that look like them, for what must hold no personal data."""

from __future__ import annotations

import re

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

_ADDRESS = re.compile(rf"[\w.+%!#$&'*/=?^`{{|}}~-]{{1,64}}(?<!{_UUID})@[\w-]+(?:\.[\w-]+)*", re.IGNORECASE)
"""An e-mail address (RFC 5321, 4.1.2, at most 64 before the @); not a Message-ID of ours, which has a UUID there."""


def holds_address(text: str) -> bool:
    """Tell whether some text contains what looks like a person's e-mail address."""
    return "@" in text and _ADDRESS.search(text) is not None


def without_addresses(text: str) -> str:
    """Return the text with every e-mail address blotted out."""
    return _ADDRESS.sub("[address removed]", text) if "@" in text else text
