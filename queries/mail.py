"""How mail goes on the whole, for people: whether the server takes any, whether it is paused, and what waits for it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from config.database import Database
from models.view import View
from queries.views import ReturnedMailView
from records.mail_state import mail_state
from records.sent_mail import returned_of_case
from records.troubles import mail_troubles

RETURNED_SHOWN = 50
"""How many mails that came back a page shows; evidence has all."""


class MailView(View):
    """How mail goes.

    ``away_since`` is since when the server takes none at all; ``paused_at`` is when it was paused, as ``refusals`` were
    alike, with ``refused_code`` and ``refused_status`` (RFC 5321, 4.2; RFC 3463); ``probe_at`` is when one message is
    tried. ``waiting`` counts the notices that wait for either. ``came_back`` is what came back that belongs to no case.
    """

    away_since: datetime | None = None
    paused_at: datetime | None = None
    probe_at: datetime | None = None
    refused_code: int | None = None
    refused_status: str | None = None
    refusals: int = 0
    waiting: int = 0
    came_back: tuple[ReturnedMailView, ...] = ()


def read_mail(database: Database) -> MailView:
    """How mail goes now."""
    with database.reading() as session:
        return _mail(session)


def _mail(session: Session) -> MailView:
    state, came_back = mail_state(session), came_back_in(session, None)
    waiting = sum(trouble.notices for trouble in mail_troubles(session))
    if state is None:
        return MailView(waiting=waiting, came_back=came_back)
    of_state = set(MailView.model_fields) - {"waiting", "came_back"}
    return MailView(waiting=waiting, came_back=came_back, **state.model_dump(include=of_state))


def came_back_in(session: Session, case_id: UUID | None) -> tuple[ReturnedMailView, ...]:
    """The last mails of a case, or of none, that are no notices and came back or were refused."""
    return tuple(
        ReturnedMailView(
            sort=mail.sort,
            to=mail.to,
            at=mail.at,
            status=mail.status,
            says=mail.says,
            message_sha256=mail.message_sha256,
        )
        for mail in returned_of_case(session, case_id, RETURNED_SHOWN)
    )
