"""Directives for disposition, and cases of them in SQL alone, whose holders are written to and answer by link."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from uuid import UUID, uuid4

from sqlmodel import col, select, update

from agreements.subprocessors import import_subprocessors
from cases.certificate import Certificate, HolderSays, MoreTime
from cases.disposition import DISPOSITION, Directive
from cases.state import NoticePolicy
from config.database import Database
from mail.holder_links import HOLDER_FOLDER, VENDOR_FOLDER, digest_of
from models.enums import HolderAnswerKind, HolderMail, HolderStatus, Party, Sanitization
from models.tables import Case, HolderAnswer, HolderTask
from records.holder_links import GivenByHolder, give_holder_answer
from records.holder_mail import HolderLetter, note_letter, prepare_letters
from records.holders import contact_name
from records.intake import keep_intake
from records.outbox import NoticeWriter
from tests.support.case_in_sql import WRITER, CaseInSql, Place, keep_agreement

NOW = datetime.fromisoformat("2026-06-01T15:00:00+00:00")
ILLINOIS, MISSOURI = Place("ndpa-v1", "IL"), Place("ndpa-v1", "MO")
OFFICE = {"name": "Office", "email": "office@example.org"}
"""The contact that every agreement of ``keep_agreement`` designates."""

LADDER = NoticePolicy(holder_fractions=(0.5, 0.75, 0.9), holder_hours_before=(24, 0))
REQUEST, VERIFICATION = "disposition.request", "disposition.verification"
SIGNED: dict[str, object] = {"name": "Sam Example", "title": "Head of operations", "attested": True}
HOSTING, BACKUP = "Example Hosting LLC", "Example Backup LLC"
ASKED_BY = WRITER.organisation.organisation


def directive(*agreements: str, **changed: object) -> Directive:
    """A complete destruction, signed by the designated contact on the day of ``NOW``."""
    given: dict[str, object] = {
        "title": "Directive of the district",
        "extent": "complete",
        "nature": "destruction",
        "schedule": "as-soon-as-practicable",
        "disposal_requested": NOW.date(),
        "representative": OFFICE,
        "agreements": agreements,
    }
    return Directive.model_validate(given | changed)


def certificate(performed_on: date, **changed: object) -> Certificate:
    """A whole certificate."""
    given: dict[str, object] = {
        **SIGNED,
        "data": "Rosters in the hosting database.",
        "media": "PostgreSQL cluster 4",
        "method": Sanitization.PURGE,
        "tool": "shred 9.4",
        "performed_by": "Kim Example",
        "performed_on": performed_on,
        "verified": "Read back by Robin Example; nothing was found.",
    }
    return Certificate.model_validate(given | changed)


def more_time(until: date) -> MoreTime:
    """A request for more time."""
    return MoreTime.model_validate({**SIGNED, "why": "The tapes are elsewhere.", "until": until})


@dataclass
class DirectiveInSql(CaseInSql):
    """A directive's case whose clock, mail and holders its tests move; ``writer`` writes to its holders."""

    writer: NoticeWriter = WRITER

    def write(self) -> list[HolderLetter]:
        """Write to the holders what is to be said by now; each letter arrives."""
        writer = replace(self.writer, side=self.side)
        with self.database.writing() as session:
            letters = prepare_letters(session, writer, self.id, self.policy, self.now)
        for letter in letters:
            with self.database.writing() as session:
                note_letter(session, letter, self.now, rejected=False, unknown=False)
        self.compute()
        return letters

    def written(self) -> dict[str, HolderMail]:
        """Why each holder is written to now, by name."""
        return {letter.holder: letter.why for letter in self.write()}

    def tasks(self) -> dict[str, HolderTask]:
        """What each holder is asked, by its name; the provider is ``provider``."""
        with self.database.reading() as session:
            rows = session.exec(select(HolderTask).where(HolderTask.case_id == self.id)).all()
            return {contact_name(session, row) or "provider": row for row in rows}

    def status(self, holder: str) -> HolderStatus:
        """Where what a holder is asked stands."""
        return self.tasks()[holder].status

    def early(self, holder: str) -> bool:
        """Whether what a holder certified last says that the data went before it might."""
        of_it = select(HolderAnswer).where(HolderAnswer.task_id == self.tasks()[holder].id)
        with self.database.reading() as session:
            return session.exec(of_it.order_by(col(HolderAnswer.given_at).desc())).all()[0].early

    def answer(self, holder: str, says: HolderSays | None = None, kind: HolderAnswerKind | None = None) -> None:
        """Answer through the holder's link, with a certificate of today unless something else is given."""
        says = says or certificate(self.now.date())
        kind = kind or HolderAnswerKind.CERTIFICATE
        digest = self.tasks()[holder].link_digest or ""
        given = GivenByHolder(kind, says)
        give_holder_answer(self.database, digest, given, asked_by=ASKED_BY, actor="holder", now=self.now)
        with self.database.writing() as session:  # its completion certificate is on its way
            sent = update(HolderAnswer).where(col(HolderAnswer.receipt_sent_at).is_(None))
            session.execute(sent.values(receipt_sent_at=self.now))
        self.compute()


def token_in(letter: HolderLetter) -> str:
    """The token of the link that a letter holds."""
    found = re.search(rf"{HOLDER_FOLDER}(\S{{43}})", text_of(letter))
    assert found, "the letter has no link"
    return found[1]


def vendor_token_in(letter: HolderLetter) -> str | None:
    """The token of the link to all that a vendor is asked, where a letter holds it."""
    found = re.search(rf"{VENDOR_FOLDER}(\S{{43}})", text_of(letter))
    return found[1] if found else None


def text_of(letter: HolderLetter) -> str:
    """What a letter says."""
    message = message_from_bytes(letter.raw, policy=policy.SMTP)
    assert isinstance(message, EmailMessage)
    body = message.get_body(("plain",))
    assert isinstance(body, EmailMessage)
    content: str = body.get_content()
    return content


def leads_to(case: DirectiveInSql, letter: HolderLetter) -> bool:
    """Whether the link in a letter is the one that its holder has now."""
    return digest_of(token_in(letter)) in {task.link_digest for task in case.tasks().values()}


def open_directive(
    database: Database,
    *subprocessors: str,
    place: Place = ILLINOIS,
    now: datetime = NOW,
    side: Party = Party.PROVIDER,
    writer: NoticeWriter = WRITER,
    **changed: object,
) -> DirectiveInSql:
    """Keep a directive for a district whose agreement is listed with some subprocessors, and compute its case."""
    with database.writing() as session:
        keep_agreement(session, place, now.date() - timedelta(days=400), now)
    if subprocessors:
        rows = "".join(f"{place.reference},{name},{address_of(name)},Rosters\n" for name in subprocessors)
        import_subprocessors(
            database, f"agreement,name,email,data\n{rows}", file_name="list.csv", now=now, actor="officer"
        )
    case_id = open_again(database, directive(place.reference, **changed), now, side)
    case = DirectiveInSql(database, case_id, now, side, policy=LADDER, writer=writer)
    case.compute()
    return case


def open_again(database: Database, intake: Directive, now: datetime, side: Party = Party.PROVIDER) -> UUID:
    """Keep a directive under a digest of its own."""
    with database.writing() as session:
        case_id, _ = keep_intake(session, DISPOSITION, intake, str(uuid4()), actor="officer", now=now, side=side)
        session.get_one(Case, case_id).workflow_started_at = now
        return case_id


def address_of(name: str) -> str:
    """Where a holder of this name is written to."""
    return f"{name.lower().replace(' ', '.')}@example.org"
