"""The time line of a rehearsal: who does which act of the case's kind at which instant."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from typing import Annotated, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from cases.acts import Act, Add, parse_act, problems_of
from cases.fields import Shape, fields_of
from cases.kind import Kind
from models.enums import AnswerKind
from models.errors import InvalidFields, InvalidInput
from starter.rehearsals.districts import Counts

WAIT = "wait"
"""The entry in which nobody does anything: the time line only tells what the moment was."""

ANSWER = "districts-answer"
"""The entry in which districts that were told answer through the links of their notices."""

NOT_YET_MADE = UUID(int=0)
"""Stands in an act for the id of what an earlier act makes, until that one is done."""

FROM_COUNTS = frozenset({"agreements", "state", "form"})
"""The fields of an addition that its ``counts`` stand for."""


class WrittenEntry(BaseModel):
    """One entry as it is written: whatever is not named here is a field of its act.

    ``says`` tells it in a sentence. ``counts`` are the districts that an addition brings.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    at: AwareDatetime
    by: str = "officer"
    says: Annotated[str, Field(min_length=1)]
    act: str
    counts: Counts | None = None

    @property
    def given(self) -> dict[str, object]:
        """The fields that are given of its act."""
        return dict(self.model_extra or {})


class DistrictsAnswer(BaseModel):
    """What some of the districts answer that were told and have not answered: a ``share`` of them, or a ``number``.

    ``ground`` is that of a decision that exercises a right; ``state`` is whose districts they are, where it is named.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    answer: AnswerKind
    share: Annotated[float, Field(gt=0, le=1)] | None = None
    number: PositiveInt | None = None
    state: str | None = None
    ground: str | None = None
    question: str | None = None

    @model_validator(mode="after")
    def _so_many(self) -> Self:
        if (self.share is None) == (self.number is None):
            raise ValueError("how many answer is not said: give either a share or a number")
        return self


class TimelineEntry(BaseModel):
    """One entry as it is carried out.

    Attributes:
        at: when it happens.
        by: who does it.
        says: what happens, in a sentence.
        name: the name of its act, of what opens the case, or ``wait``.
        act: the act itself; None where the case is opened, and where nobody does anything.
        makes: by which name later acts call what this one makes.
        uses: the fields in which it names what earlier acts made, and the name there.
        counts: the districts that it adds.
        answered: what districts answer in it.
    """

    model_config = ConfigDict(frozen=True)

    at: AwareDatetime
    by: str
    says: str
    name: str
    act: Act | None = None
    makes: str | None = None
    uses: Mapping[str, str] = {}
    counts: Counts | None = None
    answered: DistrictsAnswer | None = None


def entry_of_answers(written: WrittenEntry) -> TimelineEntry:
    """The entry in which districts answer.

    Raises:
        InvalidFields: a value is missing, unknown or not of its kind; each problem names its field.
    """
    _refuse_fields(written.model_fields_set & {"counts", "by"})
    try:
        answered = DistrictsAnswer.model_validate(written.given)
    except ValidationError as error:
        raise InvalidFields(problems_of(error)) from None
    return TimelineEntry(at=written.at, by="districts", says=written.says, name=written.act, answered=answered)


def entry_without_act(written: WrittenEntry) -> TimelineEntry:
    """The entry that opens the case, or in which nobody does anything.

    Raises:
        InvalidInput: it has a field of an act.
    """
    _refuse_fields(written.model_fields_set - {"at", "by", "says", "act"})
    return TimelineEntry(at=written.at, by=written.by, says=written.says, name=written.act)


def entry_with_act(written: WrittenEntry, kind: Kind, made: Collection[str]) -> TimelineEntry:
    """The entry as an act of the kind, where earlier ones have made what is called ``made``.

    What the act requires and the entry does not give, it says itself: an instant is its own, and ``says`` is the first
    text or file.

    Raises:
        InvalidInput: the kind has no such act, or nothing is called as it says; ``where`` names the field.
        InvalidFields: a value is missing, unknown or not of its kind; each problem names its field.
    """
    act = _act_named(written.act, kind)
    given = written.given
    makes = str(given.pop("name")) if act.makes and "name" in given else None
    uses = {
        field.name: str(given[field.name])
        for field in fields_of(act)
        if field.shape is Shape.MADE and field.name in given
    }
    _check_uses(uses, made)
    _check_counts(written, act)
    values = _said_by(written, act) | given | dict.fromkeys(uses, NOT_YET_MADE)
    return TimelineEntry(
        at=written.at,
        by=written.by,
        says=written.says,
        name=written.act,
        act=parse_act(values | {"act": written.act}),
        makes=makes,
        uses=uses,
        counts=written.counts,
    )


def _act_named(name: str, kind: Kind) -> type[Act]:
    acts = {act.act_name(): act for act in kind.all_acts}
    if name not in acts:
        raise InvalidInput(
            f"No {kind.label} case has an act {name!r}.",
            where="act",
            next_step=f"There are {', '.join(sorted((*acts, WAIT, ANSWER)))}.",
        )
    return acts[name]


def _said_by(written: WrittenEntry, act: type[Act]) -> dict[str, object]:
    """What the entry itself says of fields that its act requires."""
    missing = [field for field in fields_of(act) if field.required and field.name not in written.given]
    instants = {field.name: written.at for field in missing if field.shape is Shape.INSTANT}
    texts = [field.name for field in missing if field.shape in (Shape.TEXT, Shape.FILE)]
    return instants | dict.fromkeys(texts[:1], written.says)


def _check_uses(uses: Mapping[str, str], made: Collection[str]) -> None:
    for where, name in uses.items():
        if name not in made:
            raise InvalidInput(
                f"Nothing that an earlier act makes is named {name!r}.",
                where=where,
                next_step="Give the act that makes it this `name`.",
            )


def _check_counts(written: WrittenEntry, act: type[Act]) -> None:
    """Districts are added by how many there are, and by nothing else."""
    if act is not Add:
        _refuse_fields(written.model_fields_set & {"counts"})
        return
    _refuse_fields(written.model_fields_set & FROM_COUNTS)
    if not written.counts:
        raise InvalidInput(
            "It is empty.", where="counts", next_step="Say how many districts of each form and state are added."
        )


def _refuse_fields(names: AbstractSet[str]) -> None:
    for name in sorted(names):
        raise InvalidInput("There is no such field.", where=name, next_step="Leave it out.")
