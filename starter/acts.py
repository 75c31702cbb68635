"""What people ask for in a breach case, as they say it: texts and references, where the workflow takes ids and hashes.

The command line, the pages and the JSON interface all read what they are given into one of these, so that an act means
the same and is refused in the same words wherever it comes from.
"""

from __future__ import annotations

import asyncio
import csv
from datetime import date, datetime
from io import StringIO
from typing import Annotated, Literal, TypeAlias, assert_never
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from cases.anchors import OCCURRED
from cases.messages import AnchorValue, CaseSummary
from config.database import Database
from models.errors import InvalidInput
from records.queries.cases import EVERY_AGREEMENT, AgreementFilter, known_dates, references_to_add
from starter.case_service import CaseService


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Confirm(_Asked):
    """Confirm the suspected breach, as of an instant with its offset."""

    act: Literal["confirm"] = "confirm"
    confirmed_at: datetime


class Dismiss(_Asked):
    """Find that there was no breach."""

    act: Literal["dismiss"] = "dismiss"
    reason: str


class SetDate(_Asked):
    """Give a dated fact, or correct one, which takes a reason; for one agreement only, if it is named.

    It is an instant with its offset. When the breach occurred may also be a day, a range of days, or, with none of
    the three, unknown.
    """

    act: Literal["date"] = "date"
    name: str
    instant: datetime | None = None
    first_day: date | None = None
    last_day: date | None = None
    reason: str | None = None
    agreement: str | None = None


class Learn(_Asked):
    """Say what a content element is; LEAs that were told without it get a supplement."""

    act: Literal["learn"] = "learn"
    element: str
    value: str


class Impossible(_Asked):
    """Declare that a content element cannot be determined."""

    act: Literal["impossible"] = "impossible"
    element: str


class Release(_Asked):
    """Let waiting and withheld notices go now: of one clause, or all."""

    act: Literal["release"] = "release"
    clause: str | None = None


class Withhold(_Asked):
    """Keep waiting notices back, even at their last safe moment: of one clause, or all."""

    act: Literal["withhold"] = "withhold"
    reason: str
    clause: str | None = None


class Propose(_Asked):
    """Propose that a clause asks for no notice, on one of its grounds; for all agreements if none is named."""

    act: Literal["propose"] = "propose"
    clause: str
    ground: str
    reason: str
    agreements: tuple[str, ...] = ()


class Approve(_Asked):
    """Approve somebody else's proposal."""

    act: Literal["approve"] = "approve"
    proposal_id: UUID


class Decline(_Asked):
    """Decline a proposal."""

    act: Literal["decline"] = "decline"
    proposal_id: UUID


class Hold(_Asked):
    """Record that law enforcement asks for notices to be held back: for one agreement, or for the case.

    ``particulars`` are the agency, its reference and who asked; ``shareable`` is whether LEAs may be told.
    """

    act: Literal["hold"] = "hold"
    particulars: str
    begins_at: datetime
    until: datetime | None = None
    agreement: str | None = None
    shareable: bool = True


class Lift(_Asked):
    """End a law-enforcement hold."""

    act: Literal["lift"] = "lift"
    hold_id: UUID


class Done(_Asked):
    """Record that a duty which no notice performs was done, with the proof (in JSON, a text)."""

    act: Literal["done"] = "done"
    clause: str
    proof: bytes = Field(min_length=1)


class Adopt(_Asked):
    """Let the case follow the clauses as they are now."""

    act: Literal["adopt-terms"] = "adopt-terms"
    reason: str


class Add(_Asked):
    """Add agreements: those named, and all others of a state, on a form, or both.

    They are due by the incident's own dates, unless ``confirmed_at`` says, with a reason, when it was confirmed that
    they are touched.
    """

    act: Literal["add"] = "add"
    references: tuple[str, ...] = ()
    state: str = ""
    form: str = ""
    confirmed_at: datetime | None = None
    reason: str | None = None


AskedAct: TypeAlias = (
    Confirm
    | Dismiss
    | SetDate
    | Learn
    | Impossible
    | Release
    | Withhold
    | Propose
    | Approve
    | Decline
    | Hold
    | Lift
    | Done
    | Adopt
    | Add
)
AnyAct: TypeAlias = Annotated[AskedAct, Field(discriminator="act")]

ACT: TypeAdapter[AskedAct] = TypeAdapter(AnyAct)
"""Reads an act from what JSON or a form gives."""


class Carried(BaseModel):
    """An act that was carried out: ``id`` is what it made (a proposal, a hold), ``standing`` how the case stands."""

    model_config = ConfigDict(frozen=True)

    id: UUID | None = None
    summary: CaseSummary | None = None


async def carry_out(service: CaseService, database: Database, case_id: UUID, asked: AskedAct, *, actor: str) -> Carried:
    """Do what was asked.

    Raises:
        NotFound: there is no such case.
        InvalidInput: something in it cannot be used; ``where`` names the field.
        Refused: it makes no sense in the case's present state.
        Unavailable: Temporal does not answer.
    """
    match asked:
        case Propose(clause=clause, ground=ground, reason=reason, agreements=named):
            proposed = await service.propose_not_required(
                case_id, clause, ground, reason, actor=actor, agreements=named
            )
            return Carried(id=proposed)
        case Hold():
            return Carried(id=await _place(service, case_id, asked, actor))
        case Confirm():
            summary = await service.confirm_breach(case_id, asked.confirmed_at, actor=actor)
        case Dismiss():
            summary = await service.dismiss_breach(case_id, asked.reason, actor=actor)
        case SetDate(reason=reason, agreement=agreement):
            anchor = _anchor(asked, await asyncio.to_thread(known_dates, database, case_id))
            summary = await service.set_anchor(case_id, anchor, actor=actor, reason=reason, agreement=agreement)
        case Learn():
            summary = await service.learn(case_id, asked.element, asked.value, actor=actor)
        case Impossible():
            summary = await service.learn(case_id, asked.element, None, actor=actor)
        case Release():
            summary = await service.release_notices(case_id, actor=actor, clause=asked.clause)
        case Withhold():
            summary = await service.withhold_notices(case_id, asked.reason, actor=actor, clause=asked.clause)
        case Approve() | Decline():
            approve = isinstance(asked, Approve)
            summary = await service.decide_proposal(case_id, asked.proposal_id, approve=approve, actor=actor)
        case Lift():
            summary = await service.lift_hold(case_id, asked.hold_id, actor=actor)
        case Done():
            summary = await service.record_performance(case_id, asked.clause, asked.proof, actor=actor)
        case Adopt():
            summary = await service.adopt_terms(case_id, asked.reason, actor=actor)
        case Add():
            references = await asyncio.to_thread(_references, database, case_id, asked)
            summary = await service.add_agreements(
                case_id, references, actor=actor, confirmed_at=asked.confirmed_at, reason=asked.reason
            )
        case _:
            assert_never(asked)
    return Carried(summary=summary)


async def _place(service: CaseService, case_id: UUID, asked: Hold, actor: str) -> UUID:
    return await service.place_hold(
        case_id,
        asked.particulars,
        begins_at=asked.begins_at,
        until=asked.until,
        agreement=asked.agreement,
        shareable=asked.shareable,
        actor=actor,
    )


def read_references(text: str) -> tuple[str, ...]:
    """The references of agreements in a CSV file: its column ``reference``, or else its first one, each once."""
    rows = [row for row in csv.reader(StringIO(text.removeprefix("\ufeff"))) if row]
    titles = [title.strip().casefold() for title in rows[0]] if rows else []
    column, rows = (titles.index("reference"), rows[1:]) if "reference" in titles else (0, rows)
    cells = (row[column].strip() for row in rows if len(row) > column)
    return tuple(dict.fromkeys(cell for cell in cells if cell))


def _anchor(asked: SetDate, dates: dict[str, str]) -> AnchorValue:
    if asked.name not in dates:
        raise InvalidInput(
            f"The terms of this case's agreements know no date {asked.name!r}.",
            where="name",
            next_step=f"They know {', '.join(dates)}.",
        )
    if asked.name != OCCURRED and (asked.instant is None or asked.first_day):
        raise InvalidInput(
            f"{asked.name!r} needs an instant: only when the breach occurred may be a day, a range or unknown.",
            where="instant",
            next_step="Give the date, the time and its zone.",
        )
    first, last = asked.first_day, asked.last_day
    if (asked.instant and first) or (last and (first is None or last < first)):
        raise InvalidInput(
            "This is neither an instant, nor a day, nor a range of days.",
            where="last_day" if last else "instant",
            next_step="Give one of them.",
        )
    return AnchorValue(name=asked.name, instant=asked.instant, first_day=first, last_day=last)


def _references(database: Database, case_id: UUID, asked: Add) -> tuple[str, ...]:
    which = AgreementFilter(state=asked.state, form=asked.form)
    others = references_to_add(database, case_id, which) if which != EVERY_AGREEMENT else ()
    found = tuple(dict.fromkeys((*asked.references, *others)))
    if not found:
        raise InvalidInput(
            "This names no agreement that could be added.",
            where="agreements",
            next_step="Give references, or a state or form of which agreements are not in the case yet.",
        )
    return found
