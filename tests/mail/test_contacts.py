"""Security contacts where the agreement names them, else general ones; copies where it asks for them."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from mail.contacts import choose_recipients
from models.enums import ContactRole
from models.errors import InvalidInput
from terms.clauses import Addressees


class Named(NamedTuple):
    role: ContactRole
    rank: int
    name: str
    email: str


SECURITY_NOTICE = Addressees(first=(ContactRole.SECURITY, ContactRole.GENERAL), copies=(ContactRole.COPY_TO,))
GENERAL_NOTICE = Addressees(first=(ContactRole.GENERAL,), copies=(ContactRole.COPY_TO,))

GENERAL = Named(ContactRole.GENERAL, 0, "Office", "office@district.test")
DEPUTY = Named(ContactRole.GENERAL, 1, "Deputy", "deputy@district.test")
SECURITY = Named(ContactRole.SECURITY, 0, "Security", "security@district.test")
COUNSEL = Named(ContactRole.COPY_TO, 0, "Counsel", "counsel@law.test")


def test_a_security_notice_goes_to_the_security_contact_first_with_a_copy_to_counsel() -> None:
    chosen = choose_recipients([COUNSEL, GENERAL, SECURITY], SECURITY_NOTICE)
    assert (chosen.to, chosen.copies) == ((SECURITY, GENERAL), (COUNSEL,))


def test_without_a_security_contact_it_goes_to_the_general_ones_in_order() -> None:
    assert choose_recipients([DEPUTY, GENERAL], SECURITY_NOTICE).to == (GENERAL, DEPUTY)


def test_any_other_notice_goes_to_the_general_contact() -> None:
    assert choose_recipients([SECURITY, GENERAL], GENERAL_NOTICE).to == (GENERAL,)


def test_nobody_is_written_to_twice() -> None:
    again = GENERAL._replace(rank=2, email="Office@District.test")
    copied = COUNSEL._replace(email="office@district.test")
    chosen = choose_recipients([GENERAL, again, copied, COUNSEL, COUNSEL._replace(rank=1)], SECURITY_NOTICE)
    assert (chosen.to, chosen.copies) == ((GENERAL,), (COUNSEL,))


@pytest.mark.parametrize("contacts", [[], [COUNSEL]])
def test_an_agreement_that_names_nobody_is_said_to(contacts: list[Named]) -> None:
    with pytest.raises(InvalidInput, match="names no contact"):
        choose_recipients(contacts, SECURITY_NOTICE)


def test_a_security_contact_alone_does_not_receive_other_notices() -> None:
    with pytest.raises(InvalidInput, match="Add a general contact"):
        choose_recipients([SECURITY], GENERAL_NOTICE)
