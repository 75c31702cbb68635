"""Contacts as evidence holds them: to whom notices go, in an artifact, so that no entry names an address."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from ledger.append import append
from ledger.artifacts import store
from ledger.entries import ContactsRecorded
from models.grouping import parts
from models.tables import AgreementContact

_CONTACTS_AN_ARTIFACT = 1_000
_SALT_BYTES = 16

SAID = ("agreement_id", "case_id", "party", "role", "rank", "name", "email", "postal_address")
"""What an artifact says of each contact besides its id."""


def record_contacts(
    session: Session, contacts: Sequence[AgreementContact], actor: str, now: datetime, case_id: UUID | None = None
) -> None:
    """Leave evidence of contacts that were added or changed, in the transaction that keeps them."""
    events = []
    for some in parts(sorted(contacts, key=lambda contact: contact.id), _CONTACTS_AN_ARTIFACT):
        said = {
            "salt": secrets.token_hex(_SALT_BYTES),
            "contacts": {contact.id.hex: _said(contact) for contact in some},
        }
        sha256 = store(session, json.dumps(said).encode(), "application/json", now, case=case_id)
        events.append(
            ContactsRecorded(case_id=case_id, actor=actor, at=now, contacts=len(some), contacts_sha256=sha256)
        )
    if events:
        append(session, *events)


def read_contacts(content: bytes) -> Iterator[tuple[str, dict[str, str | int | None]]]:
    """The contacts of an artifact, each with its id (32 hexadecimal digits) and what it says of it.

    Raises:
        ValueError, KeyError: it holds something else.
    """
    yield from json.loads(content)["contacts"].items()


def _said(contact: AgreementContact) -> dict[str, str | int | None]:
    found = contact.model_dump(mode="json", include=set(SAID))
    return {name: found[name] for name in SAID}
