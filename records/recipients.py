"""Who may be told under an agreement, and by which of its contacts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar
from uuid import UUID

from sqlmodel import Session, col, select

from models.enums import ContactRole, Party
from models.tables import AgreementContact
from records.notice_rows import ContactRow
from terms.clauses import Addressees
from terms.effective import EffectiveTerms

_Contact = TypeVar("_Contact", AgreementContact, ContactRow)


def may_be_told(contact: AgreementContact | ContactRow, owed_to: Party, case_id: UUID | None) -> bool:
    """Whether a contact is one of the party that a duty is owed to, and can be told by e-mail."""
    return bool(contact.email) and is_of_party(contact, owed_to, case_id)


def postal_contact(
    contacts: Iterable[_Contact], roles: Addressees, owed_to: Party, case_id: UUID | None
) -> _Contact | None:
    """The contact whom a letter would be for: the first of those told by a clause that has a postal address."""
    addressed = [one for one in contacts if one.postal_address and is_of_party(one, owed_to, case_id)]
    ranked = sorted(addressed, key=lambda contact: contact.rank)
    return next((contact for role in roles.first for contact in ranked if contact.role is role), None)


def is_of_party(contact: AgreementContact | ContactRow, owed_to: Party, case_id: UUID | None) -> bool:
    """Whether a contact is one of the party that a duty is owed to; a party's former contacts have no rank."""
    of_the_other_side = contact.party is None and owed_to in (Party.PROVIDER, Party.LEA)
    in_the_case = contact.case_id in (None, case_id)
    return contact.rank >= 0 and in_the_case and (of_the_other_side or contact.party is owed_to)


def contacts_to_tell(session: Session, agreement_id: UUID, owed_to: Party, case_id: UUID) -> list[AgreementContact]:
    """The contacts under an agreement that may be told what is owed to a party, by role and rank."""
    rows = session.exec(
        select(AgreementContact)
        .where(AgreementContact.agreement_id == agreement_id)
        .order_by(col(AgreementContact.role), col(AgreementContact.rank), col(AgreementContact.id))
    )
    return [contact for contact in rows if may_be_told(contact, owed_to, case_id)]


def addressees_under(terms: EffectiveTerms, clause: str) -> Addressees:
    """Which contacts a clause tells; a party that only a case names has general contacts alone."""
    return terms.clause(clause).contacts or Addressees(first=(ContactRole.GENERAL,))
