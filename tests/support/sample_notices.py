"""Notices of a fictional provider to fictional districts."""

from __future__ import annotations

from datetime import UTC, date, datetime

from cases.values import AnchorValue
from mail.compose import Addressing
from mail.facts import (
    Clause,
    ContactPerson,
    EarlierNotice,
    ElementStatus,
    ElementValue,
    Mailbox,
    NoticeFacts,
    Sender,
    Signatory,
    SignedAgreement,
)
from models.enums import NoticeKind

ROBIN = ContactPerson(name="Robin Example", email="privacy@provider.test", phone="+1 202 555 0100")
SENDER = Sender(
    organisation="Example Learning, Inc.",
    contact=ROBIN,
    signatory=Signatory(name="Kim Example", title="Chief Privacy Officer"),
    point_of_contact=ROBIN,
    parents_contact=ContactPerson(name="Sam Example", email="families@provider.test"),
)
AGREEMENT = SignedAgreement(
    title="Student Data Privacy Agreement, Standard Version 1.0",
    reference="DEMO-VA-001",
    provider="Example Learning, Inc.",
    lea="Blue Ridge Example School Division",
    signed_on=date(2025, 2, 12),
)

CONFIRMED_NOTICE = NoticeFacts.model_validate(
    {
        "kind": NoticeKind.NOTICE,
        "template": "notice",
        "reader": "Blue Ridge Example School Division",
        "time_zone": "America/New_York",
        "agreement": AGREEMENT,
        "clauses": (
            Clause(
                id="breach.notice",
                provision=(
                    "Standard clauses, Article V, section 4: the provider tells the LEA within 72 hours of confirming "
                    "the incident.",
                ),
                why=(
                    "The incident was confirmed on Saturday, October 31, 2026, 10:30 AM EDT.",
                    "72 elapsed hours later is Tuesday, November 3, 2026, 9:30 AM EST: clocks went back in between.",
                ),
            ),
        ),
        "noticed_at": datetime(2026, 11, 1, 2, 15, 20, tzinfo=UTC),
        "sender": SENDER,
        "case_reference": "B-7F3K",
        "anchors": (AnchorValue(name="confirmed", instant=datetime(2026, 10, 31, 14, 30, tzinfo=UTC)),),
        "elements": (
            ElementValue(
                id="reporting_lea",
                label="Name and contact of the reporting LEA",
                citation="Standard clauses V.4(1)(i)",
                status=ElementStatus.KNOWN,
                value="Blue Ridge Example School Division, security@blueridge.example.org",
            ),
            ElementValue(
                id="data_types",
                label="Types of information",
                citation="Standard clauses V.4(1)(ii)",
                status=ElementStatus.KNOWN,
                value="Names\nGrades\nAddresses of pupils, and of those of their parents and guardians who have used "
                "the portal since August",
            ),
            ElementValue(
                id="breach_date",
                label="Date, estimated date or date range of the breach",
                citation="Standard clauses V.4(1)(iii)",
                status=ElementStatus.NOT_YET_KNOWN,
            ),
            ElementValue(
                id="law_enforcement_delay",
                label="Whether the notice was delayed by a law-enforcement investigation",
                citation="Standard clauses V.4(1)(iv)",
                status=ElementStatus.WITHHELD,
            ),
            ElementValue(
                id="description",
                label="General description of the incident",
                citation="Standard clauses V.4(1)(v)",
                status=ElementStatus.IMPOSSIBLE,
                value="The records of the server were lost.",
            ),
        ),
        "acknowledge_url": "https://duenotice.provider.test/acknowledge/7c1d",
    }
)

_EARLIER = EarlierNotice(
    message_id="<11111111-1111-5111-8111-111111111111@provider.test>",
    given_at=datetime(2026, 11, 1, 2, 15, 20, tzinfo=UTC),
)


def _changed(**changes: object) -> NoticeFacts:
    """The confirmed notice with some of its facts replaced, checked anew."""
    return NoticeFacts.model_validate(dict(CONFIRMED_NOTICE) | changes)


SUPPLEMENT = _changed(
    kind=NoticeKind.SUPPLEMENT,
    template="supplement",
    noticed_at=datetime(2026, 11, 4, 16, 0, tzinfo=UTC),
    elements=(
        ElementValue(
            id="breach_date",
            label="Date, estimated date or date range of the breach",
            citation="Standard clauses V.4(1)(iii)",
            status=ElementStatus.KNOWN,
            value="Between October 28 and October 30, 2026",
        ),
        ElementValue(
            id="students_involved",
            label="List of the students involved",
            citation="Supplement, section 12",
            status=ElementStatus.NOT_YET_KNOWN,
        ),
    ),
    added=("breach_date",),
    follows=_EARLIER,
)

DISMISSAL = _changed(
    kind=NoticeKind.DISMISSAL,
    template="dismissal",
    clauses=(
        Clause(
            id="breach.initial-notice",
            provision=(
                "State supplement, section 4: the provider tells the LEA within 24 hours of reasonably expecting a "
                "breach.",
            ),
        ),
    ),
    anchors=(),
    noticed_at=datetime(2026, 11, 5, 20, 0, tzinfo=UTC),
    elements=(),
    reason="The unknown sign-in was a planned penetration test.",
    follows=_EARLIER,
    acknowledge_url=None,
)

ADDRESSING = Addressing(
    message_id="<22222222-2222-5222-8222-222222222222@provider.test>",
    sender=Mailbox(name="Example Learning, Inc.", email="notices@provider.test"),
    to=(Mailbox(name="Security Office", email="security@blueridge.example.org"),),
    copies=(Mailbox(name="Counsel", email="counsel@law.test"),),
)
