"""How long tests wait for what comes about in other tasks or processes."""

from __future__ import annotations

PATIENCE = 100.0
"""Seconds until such a wait fails: far longer than a busy machine needs, since only a failure takes as long."""
