"""Telling e-mail addresses from the message ids that look like them, for what must hold no personal data."""

from __future__ import annotations

import re

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

_ADDRESS = re.compile(rf"(?<![\w.+%-])(?!{_UUID}@)[\w.+%!#$&'*/=?^`{{|}}~-]+@[\w-]+(?:\.[\w-]+)*", re.IGNORECASE)
"""An e-mail address; not a Message-ID of ours, whose left part is a UUID."""


def holds_address(text: str) -> bool:
    """Tell whether some text contains what looks like a person's e-mail address."""
    return "@" in text and _ADDRESS.search(text) is not None


def without_addresses(text: str) -> str:
    """Return the text with every e-mail address blotted out."""
    return _ADDRESS.sub("[address removed]", text) if "@" in text else text
