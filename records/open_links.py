"""Which links open their notice, and what is said of one that does not.

That tells nothing of the case: whoever found the link somewhere learns no more from it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select, update

from config.database import Database
from mail.links import LinkOfNotice
from models.errors import DuenoticeError, Gone, NotFound
from models.tables import Case, Notice


@dataclass(frozen=True)
class _State:
    """What decides whether the links of a notice open it."""

    generation: int
    revoked_at: datetime | None
    closed_at: datetime | None


def check_link(database: Database, link: LinkOfNotice, lasts: timedelta, now: datetime) -> None:
    """Return where a link opens its notice.

    Args:
        database: where notices are kept.
        link: the link, which our key made.
        lasts: for how long it opens the notice once the case is closed.
        now: when somebody comes with it.

    Raises:
        NotFound: its notice is not kept here.
        Gone: it was replaced or taken back, or has expired.
    """
    with database.reading() as session:
        for error in ended_links(session, {link}, lasts, now).values():
            raise error


def ended_links(
    session: Session, links: Collection[LinkOfNotice], lasts: timedelta, now: datetime, *, locked: bool = False
) -> dict[LinkOfNotice, DuenoticeError]:
    """Those of some links that open nothing, with what is said of each; ``locked`` keeps their notices as they are."""
    query = (
        select(Notice.id, Notice.link_generation, Notice.link_revoked_at, Case.closed_at)
        .join(Case, col(Case.id) == col(Notice.case_id))
        .where(col(Notice.id).in_({link.notice_id for link in links}))
        .order_by(col(Notice.id))
    )
    rows = session.exec(query.with_for_update(of=Notice) if locked else query)
    kept = {notice_id: _State(*state) for notice_id, *state in rows}
    ended = {link: _ended(link, kept.get(link.notice_id), lasts, now) for link in links}
    return {link: error for link, error in ended.items() if error}


def count_refusal(database: Database, link: LinkOfNotice) -> None:
    """Count that somebody came with a link that opens nothing any more."""
    with database.writing() as session:
        counted = update(Notice).where(col(Notice.id) == link.notice_id)
        session.execute(counted.values(link_refusals=Notice.link_refusals + 1))


def _ended(link: LinkOfNotice, state: _State | None, lasts: timedelta, now: datetime) -> DuenoticeError | None:
    if state is None:
        return NotFound("The notice of this link is not kept here.", next_step="Write to whoever sent it.")
    if state.revoked_at:
        return Gone("This link was taken back, so it opens nothing any more.", next_step="Write to whoever sent it.")
    if link.generation != state.generation:
        return Gone(
            "This link was replaced by a newer one, so it opens nothing any more.",
            next_step="Use the one in the latest mail about it, or write to whoever sent it.",
        )
    if state.closed_at and now >= state.closed_at + lasts:
        return Gone("This link has expired.", next_step="Write to whoever sent it.")
    return None
