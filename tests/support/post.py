"""The mail of a case: the letters under a duty in the order given, and what people were reminded of."""

from __future__ import annotations

import email
from email import policy
from email.message import EmailMessage
from uuid import UUID

from models.identifiers import case_reference
from queries.evidence import read_message
from queries.views import DutyView
from starter.rehearsals.virtual_time import VirtualEngine
from tests.support.incidents import text


def letters(engine: VirtualEngine, case_id: UUID, duty: DutyView) -> list[EmailMessage]:
    """Each notice given under a duty, as sent to its first contact."""
    return [
        _parsed(read_message(engine.resources.database, case_id, notice.deliveries[0].message_sha256))
        for notice in duty.notices
        if notice.given_at
    ]


def memos(engine: VirtualEngine, case_id: UUID, subject: str) -> list[EmailMessage]:
    """The caught messages about a case whose subject holds some words, in the order in which they arrived."""
    reference = case_reference(case_id)
    caught = (file.read_bytes() for file in sorted(engine.mail.glob("*.eml")))
    about = (_parsed(raw) for raw in caught if reference.encode() in raw)
    return [message for message in about if reference in message["Subject"] and subject in message["Subject"]]


def facts_of(letter: EmailMessage) -> str:
    """What a letter says of the facts, without what it says will follow, or of the provision."""
    facts: str = text(letter).partition("The facts ---------")[2]
    return facts.partition("What will follow")[0].partition("The provision ------")[0]


def _parsed(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=policy.SMTP)
    assert isinstance(message, EmailMessage)
    return message
