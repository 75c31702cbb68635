"""Lengths of time in words."""

from __future__ import annotations


def span(seconds: int) -> str:
    """A length of time in its two largest units: ``2 d 5 h``, ``40 min``."""
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min" if minutes else "less than 1 min"
