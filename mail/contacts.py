"""Whom a notice goes to: the contacts that the agreement names for it, in order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from models.enums import ContactRole
from models.errors import InvalidInput
from terms.clauses import Addressees


class Contact(Protocol):
    """What choosing needs to know of a contact; a row of ``models.tables.AgreementContact`` is one."""

    @property
    def role(self) -> ContactRole:
        """What the agreement names the contact for."""

    @property
    def rank(self) -> int:
        """The contact's place within its role, from 0."""

    @property
    def email(self) -> str:
        """The contact's address."""


C = TypeVar("C", bound=Contact)


@dataclass(frozen=True)
class Recipients(Generic[C]):
    """Whom to tell.

    Attributes:
        to: the contacts who may receive the notice for the party, the first to be tried first; never empty.
        copies: those the agreement wants copied ("with a copy to").
    """

    to: tuple[C, ...]
    copies: tuple[C, ...]


def choose_recipients(contacts: Iterable[C], roles: Addressees) -> Recipients[C]:
    """Choose the recipients of one notice, by what its clause says of their roles.

    The roles tried first are tried in order, so that a later one is told where an earlier one names nobody or cannot be
    reached. Those told besides and those copied get a copy. Nobody is written to twice: of equal addresses the first
    stays.

    Raises:
        InvalidInput: nobody is named for this kind of notice.
    """
    ranked = sorted(contacts, key=lambda contact: contact.rank)

    def named(of: Iterable[ContactRole]) -> tuple[C, ...]:
        return _first_of_each_address([contact for role in of for contact in ranked if contact.role is role])

    to = named(roles.first)
    if not to:
        raise InvalidInput(
            "The agreement names no contact who may receive this notice.",
            next_step="Add a general contact to the agreement.",
        )
    written_to = {contact.email.casefold() for contact in to}
    copies = named((*roles.also, *roles.copies))
    return Recipients(to=to, copies=tuple(copy for copy in copies if copy.email.casefold() not in written_to))


def _first_of_each_address(contacts: list[C]) -> tuple[C, ...]:
    firsts: dict[str, C] = {}
    for contact in contacts:
        firsts.setdefault(contact.email.casefold(), contact)
    return tuple(firsts.values())
