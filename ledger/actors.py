"""Who evidence names when no person acted."""

from __future__ import annotations

ENGINE = "duenotice"
"""The actor of what the engine does by itself."""
