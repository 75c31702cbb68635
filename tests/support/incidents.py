"""Incidents to report, and what became of them, as the tests of the spine need them."""

from __future__ import annotations

import email
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from email import policy
from email.message import EmailMessage
from uuid import UUID

from agreements.importing import import_agreements
from cases.breach import IncidentReport
from cases.intake import ApproximateTime, Person
from queries.cases import read_case
from queries.duties import DutyFilter, duties_of
from queries.evidence import read_message
from queries.views import CaseView, DutyView, NoticeView
from starter.case_service import CaseService
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.officers import officer

OFFICER = "officer"
TITLE = "Sealed words of a title"
DESCRIPTION = "Sealed words of a description"
REPORTER = Person(name="Robin Example", email="robin@provider.example.org", phone="+1 555 0102")

INITIAL, NOTICE, AUDIT = "breach.initial-notice", "breach.notice", "breach.security-audit"

QUIET: dict[str, object] = {
    "reminder_fractions": (),
    "chase_hours": (),
    "last_moment_reminder_minutes": 0,
    "last_moment_hours": 24,
}
"""Nobody is reminded of anything, and nothing leaves early, so that a case ends with its last duty."""


def incident(
    *agreements: str,
    expected: datetime | None = None,
    confirmed: datetime | None = None,
    discovered: datetime | None = None,
    occurred: ApproximateTime | None = None,
) -> IncidentReport:
    """A report of something discovered two hours ago, unlike any other report."""
    now = utc_now()
    return IncidentReport(
        title=TITLE,
        occurred=occurred or ApproximateTime(kind="instant", at=now - timedelta(days=9)),
        reasonably_expected_at=expected,
        discovered_at=discovered or now - timedelta(hours=2),
        confirmed_at=confirmed,
        description=DESCRIPTION,
        data_types=("Student name",),
        agreements=agreements,
        reporter=REPORTER,
        point_of_contact=REPORTER,
    )


async def open_case(engine: VirtualEngine, report: IncidentReport, **settings: object) -> UUID:
    """Report an incident, quietly save for the settings given, and let its case come to rest."""
    changed = engine.resources.settings.model_copy(update=QUIET | settings)
    service = CaseService(replace(engine.resources, settings=changed))
    reported = await officer(service).report_breach(report, actor=OFFICER)
    assert not reported.existed
    assert reported.clocks_run
    await engine.settle(reported.case_id)
    return reported.case_id


def case(engine: VirtualEngine, case_id: UUID) -> CaseView:
    """The case as its page shows it."""
    return read_case(engine.resources.database, case_id, utc_now())


def duties(engine: VirtualEngine, case_id: UUID, state: str) -> dict[str, DutyView]:
    """The duties towards one state's district, by clause."""
    with engine.resources.database.reading() as session:
        found = duties_of(session, case_id, DutyFilter(state=state), utc_now())
    return {duty.clause: duty for duty in found}


def only_notice(duty: DutyView) -> NoticeView:
    """The one notice of a duty."""
    (notice,) = duty.notices
    return notice


def letter(engine: VirtualEngine, case_id: UUID, duty: DutyView, delivery: int = 0) -> EmailMessage:
    """The letter of a duty's one notice, as sent to its first contact, or to another."""
    sha256 = only_notice(duty).deliveries[delivery].message_sha256
    message = email.message_from_bytes(read_message(engine.resources.database, case_id, sha256), policy=policy.SMTP)
    assert isinstance(message, EmailMessage)
    return message


def text(message: EmailMessage) -> str:
    """The plain text of a letter, unwrapped."""
    body = message.get_body(("plain",))
    assert body is not None
    content: str = body.get_content()
    return " ".join(content.split())


def caught(engine: VirtualEngine, message_id: str) -> Sequence[bytes]:
    """Every message with this Message-ID that the mail server was given."""
    return [raw for file in sorted(engine.mail.glob("*.eml")) if message_id.encode() in (raw := file.read_bytes())]


def know_offices(engine: VirtualEngine, *references: str) -> None:
    """Import version 1 agreements whose LEA names one office alone, so that a notice is one message and no copy."""
    resources = engine.resources
    rows = [
        f"{reference},ndpa-v1,District {reference},{reference[:2]},"
        f"{resources.catalogue.state('ndpa-v1', reference[:2]).zone},2025-01-12,Office,{office(reference)}\n"
        for reference in references
    ]
    import_agreements(
        resources.database,
        resources.catalogue,
        "reference,form,lea_name,state,time_zone,executed_on,general_name,general_email\n" + "".join(rows),
        file_name="offices.csv",
        now=utc_now(),
        actor=OFFICER,
    )


def office(reference: str) -> str:
    """The address of the office that an agreement of ``know_offices`` names."""
    return f"office@{reference.lower()}.example.org"
