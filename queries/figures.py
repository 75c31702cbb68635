"""What SQL counts for whoever watches the installation: figures without names, each read from an index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, select

from config.database import Database
from ledger.checkpoints import unsigned_entries, unsigned_since
from models.enums import DeliveryStatus, DutyStatus
from models.tables import STUCK, Case, Delivery, Duty, LastSweep
from records.mail_state import mail_state
from records.troubles import mail_troubles


@dataclass(frozen=True)
class Figures:
    """What is counted at one moment.

    Attributes:
        open_cases: how many cases are open, by kind.
        stuck_cases: how many cases a trouble keeps from going on, or have not begun.
        overdue_duties: how many running duties are past their due instants.
        waiting_notices: how many notices wait since no mail leaves.
        unknown_deliveries: of how many messages nobody can say whether they arrived.
        mail_away_since: since when the mail server takes no mail at all.
        mail_paused_at: since when mail is paused.
        sweep: the watchdog's last sweep that came to its end.
        unsigned_entries: how many entries of the ledger no signed head covers yet.
        unsigned_since: when the oldest of them was written.
    """

    open_cases: Mapping[str, int]
    stuck_cases: int
    overdue_duties: int
    waiting_notices: int
    unknown_deliveries: int
    mail_away_since: datetime | None
    mail_paused_at: datetime | None
    sweep: LastSweep | None
    unsigned_entries: int
    unsigned_since: datetime | None


def read_figures(database: Database, now: datetime) -> Figures:
    """Count.

    Raises:
        Unavailable: the database does not answer.
    """
    with database.reading() as session:
        return _figures(session, now)


def _figures(session: Session, now: datetime) -> Figures:
    open_cases = session.exec(
        select(Case.kind, func.count()).where(col(Case.closed_at).is_(None)).group_by(col(Case.kind))
    )
    overdue = (col(Duty.status) == DutyStatus.RUNNING) & (col(Duty.due_at) < now)
    unknown = (col(Delivery.status) == DeliveryStatus.UNKNOWN) & col(Delivery.again_at).is_(None)
    mail = mail_state(session)
    return Figures(
        open_cases=dict(open_cases.all()),
        stuck_cases=session.exec(select(func.count()).select_from(Case).where(STUCK)).one(),
        overdue_duties=session.exec(select(func.count()).select_from(Duty).where(overdue)).one(),
        waiting_notices=sum(trouble.notices for trouble in mail_troubles(session)),
        unknown_deliveries=session.exec(select(func.count()).select_from(Delivery).where(unknown)).one(),
        mail_away_since=mail.away_since if mail else None,
        mail_paused_at=mail.paused_at if mail else None,
        sweep=session.get(LastSweep, 1),
        unsigned_entries=unsigned_entries(session),
        unsigned_since=unsigned_since(session),
    )
