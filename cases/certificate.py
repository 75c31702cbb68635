"""What a holder of data says of its disposal: the certificate, with the fields that NIST SP 800-88 Rev. 2 asks for.

A page, JSON and the evidence are made from these fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import TypeVar

from pydantic import Field, ValidationError

from cases.acts import problems_of
from cases.anchors import check_days
from cases.intake import Frozen, Text
from cases.values import UNPRINTABLE, Day, Line
from models.enums import HolderAnswerKind, Sanitization
from models.errors import InvalidFields, InvalidInput
from models.phrases import day_words

CERTIFICATE_STANDARD = "NIST SP 800-88 Rev. 2"
"""What certificates of sanitization have their fields from."""


class HolderSays(Frozen):
    """What every answer holds: who answers, and that they mean it."""

    name: Line = Field(title="Your name")
    title: Line = Field(title="Your title", description="As somebody who may say this for your organisation.")
    attested: bool = Field(
        default=False,
        title="I say this for my organisation, I know it to be true, and typing my name here is my signature.",
    )

    def problems(self, asked_on: date, now: datetime) -> Iterator[InvalidInput]:
        """Everything that cannot be as it is said; ``asked_on`` is the day of what was asked."""
        if not self.attested:
            yield InvalidInput(
                "It is not attested.", where="attested", next_step="Tick that you say this for your organisation."
            )
        for where, value in self:
            if isinstance(value, str) and UNPRINTABLE.search(value):
                yield InvalidInput("It holds a control character.", where=where, next_step="Paste it as plain text.")


class Certificate(HolderSays):
    """A certificate of sanitization (NIST SP 800-88 Rev. 2)."""

    data: Text = Field(title="Which data, in which system?", json_schema_extra={"long": True})
    media: Line = Field(title="Media or store", description="Such as a database, an object store, tapes.")
    method: Sanitization = Field(title="Method", description="As NIST SP 800-88 names it.")
    key_ids: Line | None = Field(
        default=None, title="Keys destroyed", description="For a cryptographic erase: the ids of the keys."
    )
    tool: Line = Field(title="Tool", description="With what it was done, and in which version.")
    performed_by: Line = Field(title="Who did it?")
    performed_on: Day = Field(title="When was it done?")
    verified: Text = Field(title="How was it verified, and by whom?", json_schema_extra={"long": True})
    backups: Text | None = Field(
        default=None,
        title="Backups that still hold the data",
        description="Leave it empty if no backup does.",
        json_schema_extra={"long": True},
    )
    backups_expire_on: Day | None = Field(default=None, title="When does the last of them expire?")

    def problems(self, asked_on: date, now: datetime) -> Iterator[InvalidInput]:
        """Everything that cannot be as it is said."""
        if problem := check_days("performed_on", self.performed_on, None, now):
            yield problem
        if self.performed_on < asked_on:
            yield InvalidInput(
                f"This is before the disposal was asked for, on {day_words(asked_on)}.",
                where="performed_on",
                next_step="Give the day on which it was done; if nothing was left then, say that you hold nothing.",
            )
        if self.method is Sanitization.CRYPTOGRAPHIC_ERASE and not self.key_ids:
            yield InvalidInput(
                "A cryptographic erase destroys keys, and none is named.",
                where="key_ids",
                next_step="Give the ids of the keys.",
            )
        if self.backups and self.backups_expire_on is None:
            yield InvalidInput(
                "Backups still hold the data, and no day is given.",
                where="backups_expire_on",
                next_step="Give the day on which the last of them expires.",
            )
        if self.backups_expire_on and not self.backups:
            yield InvalidInput(
                "No backup is named.", where="backups", next_step="Say which backups still hold the data."
            )
        if self.backups_expire_on and self.backups_expire_on < now.date():
            yield InvalidInput(
                "This day has passed, so they hold nothing any more.",
                where="backups_expire_on",
                next_step="Leave both out, or correct the day.",
            )
        yield from super().problems(asked_on, now)


class HoldsNothing(HolderSays):
    """A holder's word that it holds none of the data; an officer decides whether that is accepted."""

    why: Text = Field(
        title="Why do you hold nothing?",
        description="Such as: it was never passed to us, or it was disposed of earlier.",
        json_schema_extra={"long": True},
    )


class MoreTime(HolderSays):
    """A holder's request for more time; an officer decides it."""

    until: Day = Field(title="Until when?")
    why: Text = Field(title="Why?", json_schema_extra={"long": True})

    def problems(self, asked_on: date, now: datetime) -> Iterator[InvalidInput]:
        """Everything that cannot be as it is said."""
        if self.until < now.date():
            yield InvalidInput("This day has passed.", where="until", next_step="Give a day to come.")
        yield from super().problems(asked_on, now)


class Declined(HolderSays):
    """A holder's word that it will not dispose of the data; an officer decides what follows."""

    why: Text = Field(title="Why do you decline?", json_schema_extra={"long": True})


ANSWERS: dict[HolderAnswerKind, type[HolderSays]] = {
    HolderAnswerKind.CERTIFICATE: Certificate,
    HolderAnswerKind.HOLDS_NOTHING: HoldsNothing,
    HolderAnswerKind.MORE_TIME: MoreTime,
    HolderAnswerKind.DECLINED: Declined,
}
"""What each answer asks for."""

TOLD: Mapping[str, str] = {
    "name": "Signed by",
    "title": "Title",
    "attested": "Attested",
    "data": "Data",
    "performed_by": "Done by",
    "performed_on": "Done on",
    "verified": "Verified",
    "backups_expire_on": "The last of them expires on",
    "until": "Until",
    "why": "Reason",
}
"""What a field is called to others than who filled it in, where it asks them a question."""

BACKUPS_EXPIRE = "backups_expire"
"""The dated fact that a certificate gives: when the last backup expires that still holds the data."""

AnyAnswer = TypeVar("AnyAnswer", bound=HolderSays)


def parse_answer(of: type[AnyAnswer], given: object, asked_on: date, now: datetime) -> AnyAnswer:
    """Read an answer from plain values, as a form or a program gives them.

    Raises:
        InvalidFields: with everything that is missing, or cannot be as it is said; each problem names its field.
    """
    try:
        answer = of.model_validate(given)
    except ValidationError as error:
        raise InvalidFields(problems_of(error)) from None
    if problems := tuple(answer.problems(asked_on, now)):
        raise InvalidFields(problems)
    return answer
