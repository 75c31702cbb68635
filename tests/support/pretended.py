"""Artifacts by name alone, for evidence about which only the name matters."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlmodel import Session

from models.tables import Artifact


def pretend_kept(session: Session, *names: str) -> None:
    """Keep something under each of these names, which need not be the SHA-256 of anything."""
    for name in names:
        session.add(
            Artifact(
                sha256=name, media_type="text/plain", size=0, content=b"", stored_at=datetime(2026, 1, 1, tzinfo=UTC)
            )
        )
    session.flush()
