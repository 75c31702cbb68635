"""Mail that is paused, as the engine notes it once too many refusals were alike."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlmodel import select

from config.database import Database
from models.tables import EvidenceEntry, MailState

PAUSED_FOR = timedelta(hours=1)


def pause(database: Database, at: datetime) -> None:
    """Pause mail, as six refusals by one block list do."""
    paused = MailState(
        id=1, paused_at=at, probe_at=at + PAUSED_FOR, refused_code=550, refused_status="5.7.1", refusals=6
    )
    with database.writing() as session:
        session.merge(paused)


def resumed_by(database: Database) -> list[str]:
    """Who let mail go on, as the ledger says."""
    with database.reading() as session:
        return list(session.exec(select(EvidenceEntry.actor).where(EvidenceEntry.kind == "mail_resumed")))
