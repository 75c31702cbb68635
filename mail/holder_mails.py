"""What the holders of data are written: the facts of each message."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar

from pydantic import AwareDatetime, NonNegativeInt

from mail.facts import Block, ContactPerson
from mail.people_mails import Text
from mail.plain import PlainFacts
from models.enums import HolderMail


class HoldersPart(StrEnum):
    """Whose word a holder gives."""

    SUBPROCESSOR = "subprocessor"
    """Holds some of the data for the party that owes the disposal."""
    OURSELVES = "ourselves"
    """Our own office, which certifies once every subprocessor has answered."""
    CHASED = "chased"
    """The other side, which owes the disposal."""


class HolderFacts(PlainFacts):
    """What such a mail says; what is asked in detail stands behind the link, not in the mail.

    Attributes:
        lea: whose data it is.
        because: why the holder is asked, in a sentence of the case's kind.
        part: whose word the holder gives, and ``owing`` is who owes the disposal.
        due_at: by when; ``internal_due_at`` is what our own office alone is told.
        not_before: before when the data may not be disposed of.
        awaited: how many subprocessors have not answered.
        link: the address at which the holder answers, until ``link_expires_at``.
        all_link: the address at which it answers all that it is asked, which are ``pending`` matters.
        contact: who can be asked.
    """

    frame = "holders/frame.j2"
    must_say: ClassVar[tuple[str, ...]] = ()

    case_reference: Text
    lea: Text
    because: Text
    part: HoldersPart
    owing: Text
    due_at: AwareDatetime | None = None
    internal_due_at: AwareDatetime | None = None
    not_before: AwareDatetime | None = None
    awaited: NonNegativeInt = 0
    link: Text | None = None
    link_expires_at: AwareDatetime | None = None
    all_link: Text | None = None
    pending: NonNegativeInt = 0
    contact: ContactPerson


_ASKS = ("case_reference", "because", "due_at", "not_before", "contact", "link", "link_expires_at", "all_link")
"""What every message says by which a holder is asked for something."""


class Asked(HolderFacts):
    """It is asked to dispose of the data, and to certify that."""

    template = "holders/asked"
    must_say = (*_ASKS, "internal_due_at")


class Directed(HolderFacts):
    """The other side, which owes the disposal, is sent the directive."""

    template = "holders/directed"
    must_say = _ASKS


class Reminded(HolderFacts):
    """It was asked, and has not answered."""

    template = "holders/reminded"
    must_say = (*_ASKS, "internal_due_at")


class Refused(HolderFacts):
    """Its answer was not accepted, for a reason."""

    template = "holders/refused"
    must_say = (*_ASKS, "reason")

    reason: Block


class Moved(HolderFacts):
    """The day of the disposal is another."""

    template = "holders/moved"
    must_say = _ASKS


class Stopped(HolderFacts):
    """It must not dispose of the data for now, as something keeps it."""

    template = "holders/stopped"
    must_say = ("case_reference", "lea", "kept_by", "contact")

    kept_by: Text


class Resumed(HolderFacts):
    """Nothing keeps the data any more."""

    template = "holders/resumed"
    must_say = ("case_reference", "lea", "due_at", "contact", "link", "link_expires_at", "all_link")


class Withdrawn(HolderFacts):
    """What it was asked is withdrawn."""

    template = "holders/withdrawn"
    must_say = ("case_reference", "lea", "contact")


class Undecided(HolderFacts):
    """A directive waits for our own office; ``page`` is where it is accepted or refused."""

    template = "holders/undecided"
    must_say = ("case_reference", "lea", "due_at", "internal_due_at", "page", "contact")

    page: Text


class OthersMissing(HolderFacts):
    """Whoever owes the disposal is told which subprocessors have not answered; ``page`` is for our own office."""

    template = "holders/others_missing"
    must_say = ("case_reference", "lea", "due_at", "internal_due_at", "names", "page", "contact")

    names: tuple[Text, ...]
    page: Text | None


class Receipt(HolderFacts):
    """Its answer has arrived; the completion certificate is enclosed."""

    template = "holders/receipt"
    must_say = ("case_reference", "because", "contact")


HOLDER_MAILS: Mapping[HolderMail, type[HolderFacts]] = {
    HolderMail.ASKED: Asked,
    HolderMail.DIRECTED: Directed,
    HolderMail.REMINDED: Reminded,
    HolderMail.REFUSED: Refused,
    HolderMail.MOVED: Moved,
    HolderMail.STOPPED: Stopped,
    HolderMail.RESUMED: Resumed,
    HolderMail.WITHDRAWN: Withdrawn,
    HolderMail.UNDECIDED: Undecided,
    HolderMail.OTHERS_MISSING: OthersMissing,
    HolderMail.RECEIPT: Receipt,
}
"""The facts of each message."""
