"""The mail that hands a file to an LEA, and the link in it: the file itself never travels by mail.

The link is as those of holders of data (``mail/holder_links.py``): an HMAC of the file's id and the link's number.
"""

from __future__ import annotations

from uuid import UUID

from pydantic import AwareDatetime

from mail.compose import Addressing, ComposedNotice, compose_letter
from mail.facts import LetterFacts, Line
from mail.holder_links import numbered_token
from mail.templates import SHIPPED, Templates

HANDED_FOLDER = "/f/"
"""Where the site answers such links; what follows is as good as a password, so no log may hold it."""


class HandedOverFacts(LetterFacts):
    """Everything such a mail says.

    Attributes:
        contact: to whom of the district it goes.
        days: for how many days the file is kept, which no clause says.
        erase_at: when it is erased, and its link opens nothing any more.
        link: the address of the file's page.
    """

    template = "handed_over"
    must_say = ("reader", "case_reference", "contact", "link", "erase_at")

    contact: Line
    agreement_reference: Line
    handed_at: AwareDatetime
    days: int
    erase_at: AwareDatetime
    link: Line


def handed_token(key: bytes, handed_id: UUID, number: int) -> str:
    """The token of the link of this number to a file: 43 characters that are safe in an address."""
    return numbered_token(key, b"handed over:", handed_id, number)


def handed_link(public_url: str, token: str) -> str:
    """The address of a token, under the origin that its readers reach."""
    return f"{public_url}{HANDED_FOLDER}{token}"


def compose_handed_over(
    facts: HandedOverFacts, addressing: Addressing, templates: Templates = SHIPPED
) -> ComposedNotice:
    """Write the mail: the same facts always give the same bytes."""
    return compose_letter(facts, addressing, at=facts.handed_at, templates=templates)
