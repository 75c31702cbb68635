"""A request for access to a student's data, as an LEA passes it on: what is asked, what was done, when it is over.

A parent or eligible student asks the LEA, never the provider. A deletion is no access: it is a disposition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Literal, TypeAlias, assert_never, cast

from pydantic import Field

from cases.acts import Act, Clause, Reason, TakeAct
from cases.anchors import check_days, check_instant, earliest_of
from cases.intake import Intake, OneAgreement, Person, Text, person_problems
from cases.kind import Kind
from cases.state import CaseState
from cases.values import AnchorValue, Day, Instant, KeptFile, KeptText, Line
from models.errors import InvalidInput, Refused
from models.phrases import day_words

REVIEW_REQUESTED = "review_requested"
CORRECTION_REQUESTED = "correction_requested"
TRANSFER_REQUESTED = "transfer_requested"
ANSWER_BY = "answer_by"
LEA_ASKED = "lea_asked"
LEA_ANSWERED = "lea_answered"
CORRECTED = "corrected"

BY_THEIR_ACTS = {CORRECTED: "correct", LEA_ASKED: "put-question", LEA_ANSWERED: "record-answer"}
"""The dated facts that only an act of their own gives, since more belongs to them than a date."""

CORRECTION_DATE, CONFIRMATION = "correction_date", "correction_confirmation"
TOLD_BY_CORRECTING = dict.fromkeys(
    (CORRECTION_DATE, CONFIRMATION), "This is told once the correction is recorded, and by nobody before."
)
"""What the LEA is told of a correction, when and what: its record alone gives it."""

ASKS, STUDENT, REQUEST, REQUESTED_BY = "asks", "student", "request", "requested_by"
QUESTION, ANSWER = "question", "answer"
TO_CORRECT, GIVEN, CORRECTION, REFUSED = "to_correct", "given", "correction", "refused"


class Asked(StrEnum):
    """What is asked."""

    REVIEW = "review"
    COPY = "copy"
    CORRECT = "correct"
    TRANSFER = "transfer"
    DELETE = "delete"


ANCHORS = {
    Asked.REVIEW: REVIEW_REQUESTED,
    Asked.COPY: REVIEW_REQUESTED,
    Asked.CORRECT: CORRECTION_REQUESTED,
    Asked.TRANSFER: TRANSFER_REQUESTED,
}
"""The dated fact that each begins with. A copy is a review of which the reader keeps something."""


class NotAnswered(StrEnum):
    """Why the LEA finds that nothing is to be given."""

    NOT_ENTITLED = "not-entitled"
    NOT_THEIR_STUDENT = "not-their-student"
    WITHDRAWN = "withdrawn"


class AccessRequest(Intake):
    """What an LEA asks for, on behalf of a parent, guardian or eligible student."""

    one_agreement = OneAgreement("A request is for one agreement.", "Open a case for each agreement.")

    asks: Asked = Field(
        title="What is asked",
        description="To transfer is to move student-generated content to an account of the student's own.",
    )
    student: Line = Field(
        title="Student", description="As the LEA refers to the student. It is sealed, and never in a mail."
    )
    request: Text = Field(title="What is asked, in the LEA's words")
    requested_on: Day = Field(title="Date of the request", description="The day from which its time counts.")
    answer_by: Day | None = Field(
        default=None,
        title="To be answered by, under state law",
        description="The last day that state law gives the LEA, if the LEA named one. The sooner day counts.",
    )
    requested_by: Person = Field(title="Who asked for the LEA?")

    def dates(self) -> dict[str, AnchorValue]:
        """The day of the request, and that of the LEA's own answer."""
        asked = ANCHORS.get(self.asks)
        days = {"requested_on": (asked, self.requested_on), "answer_by": (ANSWER_BY, self.answer_by)}
        return {where: AnchorValue(name=name, first_day=day) for where, (name, day) in days.items() if name and day}

    def anchors(self) -> tuple[AnchorValue, ...]:
        """The same, as the case keeps it."""
        return tuple(self.dates().values())

    def facts(self) -> Mapping[str, str]:
        """What was asked, by the names under which the case keeps it."""
        return {
            ASKS: self.asks.value,
            STUDENT: self.student,
            REQUEST: self.request,
            REQUESTED_BY: str(self.requested_by),
        }

    def problems(self, now: datetime) -> Iterator[InvalidInput]:
        """Everything that cannot be as it is said."""
        if self.asks is Asked.DELETE:
            yield InvalidInput(
                "A deletion is a disposition: it is done once every holder of the data has confirmed it.",
                where="asks",
                next_step="Enter it as a disposition, with the day on which the LEA forwarded the parent's request.",
            )
        if problem := check_days("requested_on", self.requested_on, None, now):
            yield problem
        if self.answer_by and (problem := _before_the_request("answer_by", self.answer_by, self.requested_on)):
            yield problem
        yield from super().problems(now)
        yield from person_problems(requested_by=self.requested_by)


def _before_the_request(where: str, day: date, requested: date) -> InvalidInput | None:
    if day >= requested:
        return None
    return InvalidInput(
        f"This is before the date of the request, {day_words(requested)}.",
        where=where,
        next_step="Correct one of the two days.",
    )


class Give(Act):
    """Record that the LEA was given what it asked for: what, how, when and to whom."""

    label = "Record what was given"
    done_says = "It is recorded as given."
    act: Literal["give"] = "give"
    clause: Clause | None = Field(default=None, description="Needed only where several things are asked for.")
    given_at: Instant = Field(title="Given at")
    what: KeptText = Field(title="What was given")
    how: KeptText = Field(title="How", description="Such as by a protected link, or a view opened in the service.")
    to_whom: KeptText = Field(title="To whom")
    proof: KeptFile = Field(title="What proves it", description="Such as the receipt; not the data itself.")


class NoteInaccuracy(Act):
    """Record that the LEA gave notice of an inaccuracy: what is to be corrected, and when the notice was received."""

    label = "Record that the LEA found data inaccurate"
    done_says = "The notice is recorded; the clock of the correction runs."
    starts_clocks = True
    act: Literal["note-inaccuracy"] = "note-inaccuracy"
    received_on: Day = Field(title="Notice received on")
    to_correct: KeptText = Field(title="What is to be corrected, and how")

    def dates(self) -> dict[str, AnchorValue]:
        """When the notice was received."""
        return {"received_on": AnchorValue(name=CORRECTION_REQUESTED, first_day=self.received_on)}


class Correct(Act):
    """Record that the data was corrected: what, and when. Where a clause wants it, the LEA is told by a letter."""

    label = "Record the correction"
    done_says = "The correction is recorded."
    starts_clocks = True
    act: Literal["correct"] = "correct"
    corrected_at: Instant = Field(title="Corrected at")
    what: KeptText = Field(title="What was corrected", description="The LEA reads it behind the link of its letter.")
    proof: KeptFile = Field(title="What proves it", description="Such as the record of the change.")

    def dates(self) -> dict[str, AnchorValue]:
        """When it was corrected."""
        return {"corrected_at": AnchorValue(name=CORRECTED, instant=self.corrected_at)}


class PutQuestion(Act):
    """Record that the LEA was asked something: what, and when. A clock stands still only where its clause says so."""

    label = "Record a question to the LEA"
    done_says = "The question is recorded."
    starts_clocks = True
    act: Literal["put-question"] = "put-question"
    asked_at: Instant = Field(title="Asked at")
    question: KeptText = Field(title="What was asked, and of whom")

    def dates(self) -> dict[str, AnchorValue]:
        """When it was asked."""
        return {"asked_at": AnchorValue(name=LEA_ASKED, instant=self.asked_at)}


class RecordAnswer(Act):
    """Record what the LEA answered to the question, and when: what stood still runs again."""

    label = "Record the LEA's answer"
    done_says = "The answer is recorded."
    starts_clocks = True
    act: Literal["record-answer"] = "record-answer"
    answered_at: Instant = Field(title="Answered at")
    answer: KeptText = Field(title="What it answered")

    def dates(self) -> dict[str, AnchorValue]:
        """When it answered."""
        return {"answered_at": AnchorValue(name=LEA_ANSWERED, instant=self.answered_at)}


class RefuseRequest(Act):
    """Record that the LEA does not want it answered: why, and who said so. The case closes."""

    label = "Record that the LEA refuses the request"
    done_says = "Recorded. Nothing is given, and the case closes."
    act: Literal["refuse-request"] = "refuse-request"
    ground: NotAnswered = Field(title="Why")
    reason: Reason


ParentAccessAct: TypeAlias = Give | NoteInaccuracy | Correct | PutQuestion | RecordAnswer | RefuseRequest
"""What can be done in a case of access alone."""


def check(message: TakeAct, state: CaseState, now: datetime) -> None:
    """What makes an act senseless in a case of access."""
    match message.act:
        case Give(given_at=given_at):
            _check_happened("given_at", given_at, state, now, REVIEW_REQUESTED, TRANSFER_REQUESTED)
        case NoteInaccuracy() if CORRECTION_REQUESTED in state.anchors:
            raise Refused(
                "A correction is asked for already.", next_step="What else is to be corrected is a case of its own."
            )
        case NoteInaccuracy(received_on=received_on):
            if problem := check_days("received_on", received_on, None, now):
                raise problem
        case Correct() if CORRECTED in state.anchors:
            raise Refused("The correction is recorded already.", next_step="There is nothing to do.")
        case Correct(corrected_at=corrected_at):
            _check_happened("corrected_at", corrected_at, state, now, CORRECTION_REQUESTED)
        case PutQuestion() if awaits_answer(state):
            raise Refused("A question is open already.", next_step="Record what the LEA answered to it first.")
        case PutQuestion(asked_at=asked_at):
            _check_happened("asked_at", asked_at, state, now, *ANCHORS.values())
        case RecordAnswer() if not awaits_answer(state):
            raise Refused("No question is open.", next_step="Record what the LEA was asked first.")
        case RecordAnswer(answered_at=answered_at):
            _check_happened("answered_at", answered_at, state, now, LEA_ASKED)
        case _:
            return


def _check_happened(where: str, instant: datetime, state: CaseState, now: datetime, *begun: str) -> None:
    """Raise ``InvalidInput`` where something was done in the future, or before any of what it answers was asked."""
    if problem := check_instant(where, instant, now):
        raise problem
    asked = [begins for name in begun if (begins := earliest_of(state.anchors.get(name)))]
    if asked and instant < min(asked):
        raise InvalidInput("This is before the request.", where=where, next_step="Correct the time, or the request's.")


def awaits_answer(state: CaseState) -> bool:
    """Whether the LEA was asked something and has not answered it."""
    asked, answered = (earliest_of(state.anchors.get(name)) for name in (LEA_ASKED, LEA_ANSWERED))
    return asked is not None and (answered is None or answered < asked)


def take(message: TakeAct, state: CaseState) -> None:
    """Change the state as one of this kind's own acts does."""
    act = cast(ParentAccessAct, message.act)
    match act:
        case NoteInaccuracy() | Correct() | PutQuestion() | RecordAnswer():
            state.anchors |= {anchor.name: anchor for anchor in act.dates().values()}
        case RefuseRequest():
            state.dismissed = True
        case Give():
            return  # what it changes is in SQL alone
        case _:
            assert_never(act)


def offers(state: CaseState) -> tuple[type[Act], ...]:
    """What was asked for and is not recorded as done, and what the LEA is asked or answered."""
    reviewed = state.anchors.keys() & {REVIEW_REQUESTED, TRANSFER_REQUESTED}
    correcting = (Correct,) if CORRECTION_REQUESTED in state.anchors else (NoteInaccuracy,)
    asking = RecordAnswer if awaits_answer(state) else PutQuestion
    return (
        *((Give,) if reviewed else ()),
        *(() if CORRECTED in state.anchors else correcting),
        asking,
        RefuseRequest,
    )


PARENT_ACCESS = Kind(
    name="parent-access",
    label="access request",
    event="access",
    intake=AccessRequest,
    opening="request",
    opening_title="Enter a request for access",
    opening_says=(
        "When an LEA asks to view, copy, correct or move a student's data for a parent or eligible student, enter what "
        "it asks. The time counts from the date of the request. Whoever is no LEA is referred to theirs, and nothing "
        "is given to them."
    ),
    acts=(Give, NoteInaccuracy, Correct, PutQuestion, RecordAnswer, RefuseRequest),
    check=check,
    take=take,
    offers=offers,
    ahead=frozenset({ANSWER_BY}),
    only_by=TOLD_BY_CORRECTING,
    dates_by=BY_THEIR_ACTS,
    order=((REVIEW_REQUESTED, ANSWER_BY), (CORRECTION_REQUESTED, CORRECTED)),
    shown={
        ASKS: "What is asked",
        STUDENT: "Student",
        REQUEST: "In the LEA's words",
        REQUESTED_BY: "Asked for the LEA by",
        GIVEN: "What was given",
        TO_CORRECT: "To be corrected",
        CORRECTION: "What was corrected",
        QUESTION: "The LEA was asked",
        ANSWER: "The LEA answered",
        REFUSED: "Why nothing is given",
    },
    awaits_answer=awaits_answer,
    keeps_data=True,
    hands_over=True,
    workflow="workflows.parent_access:ParentAccessWorkflow",
    records="records.parent_access",
    prepares="records.parent_access:prepare_intake",
)
