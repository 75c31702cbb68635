"""A case with one letter that waits to be posted, in SQL alone."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import select

from activities.postal_letters import write_letters_left
from cases.breach import BREACH
from cases.state import NoticePolicy
from config.database import Database
from mail.handover import Rejected
from models.tables import AgreementContact
from records.outbox import NoticeWriter
from tests.support.case_in_sql import WRITER, CaseInSql, Place, open_in_sql

SCHOOL = "100 School Street\nNashville, TN 37201"
TENNESSEE = Place("ndpa-v1", "TN")
REFUSED = Rejected(550, "5.1.1 No such user")


def letter_to_post(
    database: Database, now: datetime, place: Place = TENNESSEE, writer: NoticeWriter = WRITER
) -> CaseInSql:
    """A confirmed breach whose notice the district's only contact refused, written as a letter."""
    case = open_in_sql(database, BREACH, [place], now, {"confirmed": now})
    case.policy = NoticePolicy(release="immediate")
    with database.writing() as session:
        for contact in session.exec(select(AgreementContact).where(AgreementContact.agreement_id == place.agreement)):
            contact.postal_address, contact.failing_since = SCHOOL, None
            session.add(contact)
    case.compute()
    case.send_what_leaves(lambda _: REFUSED)
    write_letters_left(database, writer, now)
    return case
