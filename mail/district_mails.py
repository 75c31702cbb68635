"""What districts are told besides notices and letters, and a mail that tries the mail server out."""

from __future__ import annotations

from pydantic import AwareDatetime

from mail.facts import ContactPerson, FactsValue
from mail.people_mails import Text
from mail.plain import PlainFacts


class AskedToAnswer(PlainFacts):
    """A notice has not been acknowledged, or no decision came about what it offers (``offers``).

    Attributes:
        lea: whom the notice was given to.
        given_at: when.
        link: the address at which it is answered; None where it was taken back.
        contact: who can be told instead.
    """

    template = "districts/asked_to_answer"
    frame = "districts/frame.j2"

    must_say = ("case_reference", "lea", "given_at", "answers_to")
    computed = ("answers_to",)

    case_reference: Text
    lea: Text
    given_at: AwareDatetime
    offers: bool
    link: Text | None
    contact: ContactPerson

    @property
    def answers_to(self) -> str:
        """Where it is answered: at the link, or with whoever can be told instead."""
        return self.link or self.contact.email


class NewLink(FactsValue):
    """The new link of one notice; ``title`` is the notice's subject, by which its reader knows it."""

    title: Text
    link: Text


class NewLinks(PlainFacts):
    """The links of notices were replaced; ``contact`` is who can be asked about it."""

    template = "districts/new_links"
    frame = "districts/frame.j2"
    must_say = ("case_reference", "organisation", "lea", "links", "contact")

    case_reference: Text
    organisation: Text
    lea: Text
    links: tuple[NewLink, ...]
    contact: ContactPerson


class MailTest(PlainFacts):
    """A mail that tries the mail server out."""

    template = "mail_test"
    frame = "districts/frame.j2"
    must_say = ("organisation",)

    organisation: Text
