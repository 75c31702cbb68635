"""How mail goes on the whole, for people: whether the server takes any, whether it is paused, and what waits for it."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from config.database import Database
from models.view import View
from records.mail_state import mail_state
from records.troubles import mail_troubles


class MailView(View):
    """How mail goes.

    ``away_since`` is since when the server takes none at all; ``paused_at`` is when it was paused, as ``refusals`` were
    alike, with ``refused_code`` and ``refused_status`` (RFC 5321, 4.2; RFC 3463); ``probe_at`` is when one message is
    tried. ``waiting`` counts the notices that wait for either.
    """

    away_since: datetime | None = None
    paused_at: datetime | None = None
    probe_at: datetime | None = None
    refused_code: int | None = None
    refused_status: str | None = None
    refusals: int = 0
    waiting: int = 0


def read_mail(database: Database) -> MailView:
    """How mail goes now."""
    with database.reading() as session:
        return _mail(session)


def _mail(session: Session) -> MailView:
    state = mail_state(session)
    waiting = sum(trouble.notices for trouble in mail_troubles(session))
    if state is None:
        return MailView(waiting=waiting)
    return MailView(waiting=waiting, **state.model_dump(include=set(MailView.model_fields) - {"waiting"}))
