"""Every act that any kind of case knows: one class and one name for each, whatever face it comes from.

The class is the act: command line, page, JSON and rehearsals read it from what a person gives; the workflow takes it as
an update of the same name; SQL and the ledger keep it under that name. What a kind adds stands in ``cases/<kind>.py``.

``cases/rules.py`` says when an act makes sense and what it changes in a case's state, ``records/acts.py`` what it
changes in SQL.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, TypeAlias
from uuid import UUID, uuid5

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationError,
    model_validator,
)

from cases.values import (
    Actor,
    AgreementName,
    AnchorValue,
    Day,
    Instant,
    KeptFile,
    KeptReferences,
    KeptText,
    Line,
    Message,
)
from models.enums import Authentication, PostalService
from models.errors import InvalidFields, InvalidInput

Clause = Annotated[Line, Field(title="Clause", json_schema_extra={"choice": "clauses"})]
Element = Annotated[Line, Field(title="Element", json_schema_extra={"choice": "elements"})]
Ground = Annotated[Line, Field(title="Ground", json_schema_extra={"choice": "grounds"})]
DateName = Annotated[Line, Field(title="Which date", json_schema_extra={"choice": "dates"})]
Account = Annotated[Line, Field(title="Account", json_schema_extra={"choice": "accounts"})]
Asked = Annotated[Line, Field(title="What is asked", json_schema_extra={"choice": "asked"})]
Reason = Annotated[KeptText, Field(title="Reason", description="Why, in a sentence; it is kept as evidence.")]


def _tracking_number(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9 -]{4,40}", text.strip()):
        raise ValueError("this is no tracking number: write its letters and digits as the receipt has them")
    return text.strip()


TrackingNumber = Annotated[str, AfterValidator(_tracking_number)]
"""What a carrier calls one letter; it is no place for words, since evidence holds it."""


class Made(NamedTuple):
    """What an act makes: its name, from which its id is derived, and what is said of it to the one who acts."""

    name: str
    says: str


class Act(Message):
    """What a person does in a case; the first line of a subclass's docstring says it to people."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, str_max_length=20_000)

    known: ClassVar[dict[str, type[Act]]] = {}
    """Every act of every kind that was imported, by its name."""

    makes: ClassVar[Made | None] = None
    """What the act makes that a later act names by its id; None where it makes nothing."""

    label: ClassVar[str] = ""
    """What people call the act where a page offers it, and in evidence; blank is its name."""

    done_says: ClassVar[str] = "Recorded."
    """What is said to the one who acts once it is done."""

    stands_alone: ClassVar[bool] = True
    """Whether a case's page has a form of its own for it, or offers it beside what it is about."""

    starts_clocks: ClassVar[bool] = False
    """Whether it gives dated facts or brings in agreements, so that a person first checks what would follow."""

    keeps_clocks: ClassVar[bool] = True
    """Whether a clock hears of it as it is done. What none does is recorded in SQL alone: without the case's workflow,
    so also once the case is closed."""

    tells_case: ClassVar[bool] = False
    """Whether a case computes its duties anew once it is recorded, although no clock waits for it."""

    sends_letter: ClassVar[bool] = False
    """Whether it writes a letter of its own to the other side, which a person reads before it is recorded."""

    act: str

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Enter the act under its name, which no other act may have."""
        name = cls.act_name()
        known = Act.known.get(name, cls)
        # A module that is loaded once more, as in a workflow's sandbox, defines the same act again.
        if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise TypeError(f"{cls.__module__}.{cls.__name__} and {known.__module__} have an act called {name!r} each")
        Act.known[name] = cls

    @classmethod
    def act_name(cls) -> str:
        """The act's one name: of its update, its command, its page, its JSON and its evidence."""
        name: str = cls.model_fields["act"].default
        return name

    @classmethod
    def called(cls) -> str:
        """What people call the act."""
        return cls.label or cls.act_name().replace("-", " ").capitalize()

    @classmethod
    def is_checked_first(cls) -> bool:
        """Whether a person is shown what would follow, or what would be sent, before it is recorded."""
        return cls.starts_clocks or cls.sends_letter

    @classmethod
    def says(cls) -> str:
        """What the act does, in a sentence."""
        return (cls.__doc__ or "").partition("\n")[0]

    def dates(self) -> dict[str, AnchorValue]:
        """The dated facts that it gives or corrects, by the field that gives each."""
        return {}

    def brings_in(self) -> tuple[str, ...]:
        """The references of the agreements that come into the case by it, where they are at hand."""
        return ()


class SetDate(Act):
    """Give a dated fact, or correct one, which takes a reason; for one agreement only, if it is named.

    It is an instant with its offset, or a day where its clauses count days. A fact that starts no clock may also be a
    range of days, or, with none of the three, unknown.
    """

    label = "Give or correct a date"
    done_says = "The date is recorded, and every open duty is computed anew."
    starts_clocks = True
    act: Literal["date"] = "date"
    name: DateName
    instant: Instant | None = Field(default=None, title="At")
    first_day: Day | None = Field(default=None, description="A day instead, where no clock counts hours from it.")
    last_day: Day | None = Field(default=None, description="Where it is a range of days.")
    reason: KeptText | None = Field(default=None, description="A correction needs one.")
    agreement: AgreementName | None = Field(
        default=None, description="The reference of the one agreement for which the date differs."
    )

    @property
    def anchor(self) -> AnchorValue:
        """The dated fact."""
        return AnchorValue(name=self.name, instant=self.instant, first_day=self.first_day, last_day=self.last_day)

    def dates(self) -> dict[str, AnchorValue]:
        """The dated fact, at the field that holds it."""
        return {"first_day" if self.first_day else "instant": self.anchor}


class NotYet(Act):
    """Decide that what a clause asks for has not come about: who decided it, and when it is looked at again."""

    done_says = "Recorded. It is asked again at that time."
    stands_alone = False
    act: Literal["not-yet"] = "not-yet"
    name: Asked
    decided: KeptText = Field(title="Who decided it, and why", description="It is kept as evidence.")
    again_at: Instant = Field(title="Looked at again at")


class Learn(Act):
    """Say what a content element is; LEAs that were told without it, or otherwise, get a supplement."""

    done_says = "Recorded. LEAs that wait for it, or were told otherwise, get a supplement."
    stands_alone = False
    act: Literal["learn"] = "learn"
    element: Element
    value: KeptText = Field(title="What it is", json_schema_extra={"positional": True})


class Impossible(Act):
    """Declare that a content element cannot be determined, so that nobody waits for it."""

    done_says = "Recorded. Nobody waits for it any more."
    stands_alone = False
    act: Literal["impossible"] = "impossible"
    element: Element


class Release(Act):
    """Let notices that wait go now, of one clause or all; those that are withheld only by a decision of their own.

    Whoever releases has opened one of the drafts (``read``), or says that nobody did (``unread``). Only in histories
    from before that was asked is ``withheld`` None: such a release let go both what waited and what was withheld.
    """

    done_says = "They are released and on their way."
    stands_alone = False
    act: Literal["release"] = "release"
    clause: Clause | None = None
    withheld: bool | None = Field(
        default=False,
        title="Those that are withheld",
        description="Instead of those that wait: it ends the decision to keep them back.",
    )
    read: Line | None = Field(
        default=None, title="The draft that was read", description="Its mark, as the draft's page and JSON give it."
    )
    unread: bool = Field(default=False, title="Release them without having opened a draft")


class Withhold(Act):
    """Keep waiting notices back until somebody releases them, at the longest until their last safe moment.

    It is of one clause, or of all. What has no due instant stays back until it is released.
    """

    label = "Withhold waiting notices"
    done_says = "The notices are withheld. Those that are due go by themselves at their last safe moment."
    act: Literal["withhold"] = "withhold"
    reason: Reason
    clause: Clause | None = None


class WithholdPastDue(Act):
    """Keep notices back past their due instant: a second person decides that, and until then they are withheld.

    It is of one clause, or of all. Without a second person they go at their last safe moment.
    """

    label = "Withhold notices past their due instant"
    makes = Made("proposal", "Proposal {id}: a second person decides it.")
    done_says = "Withheld. Unless a second person approves before, those that are due go at their last safe moment."
    act: Literal["withhold-past-due"] = "withhold-past-due"
    reason: Reason
    clause: Clause | None = None


class Propose(Act):
    """Propose that a clause asks for no notice, on one of its grounds; for all agreements if none is named."""

    label = "Propose that no notice is required"
    makes = Made("proposal", "Proposal {id}: a second person decides it.")
    done_says = "Proposed. A second person decides it."
    act: Literal["propose"] = "propose"
    clause: Clause
    ground: Ground
    reason: Reason
    agreements: tuple[AgreementName, ...] = Field(
        default=(),
        max_length=1_000,
        title="References of the agreements",
        description="Left empty, it is for every agreement whose terms know the ground.",
    )


class Approve(Act):
    """Approve somebody else's proposal: what it says holds from then on, on the word of both."""

    done_says = "Approved, and recorded with both names."
    stands_alone = False
    act: Literal["approve"] = "approve"
    proposal_id: UUID = Field(title="Proposal", json_schema_extra={"choice": "proposals"})


class Decline(Act):
    """Decline a proposal, or withdraw one's own: its duties stay as they are."""

    done_says = "Recorded. Its duties stay as they are."
    stands_alone = False
    act: Literal["decline"] = "decline"
    proposal_id: UUID = Field(title="Proposal", json_schema_extra={"choice": "proposals"})


class Hold(Act):
    """Record that law enforcement asks for notices to be held back: for one agreement, or for the case.

    It stops only clocks whose clause allows that. ``particulars`` are the agency, its reference and who asked;
    ``shareable`` is whether LEAs may be told.
    """

    label = "Place a law-enforcement hold"
    makes = Made("hold", "Hold {id} is in place.")
    done_says = "The hold is in place."
    act: Literal["hold"] = "hold"
    particulars: KeptText = Field(title="Agency, its reference, and who asked")
    begins_at: Instant = Field(title="Since")
    until: Instant | None = Field(default=None, description="If that is known.")
    agreement: AgreementName | None = Field(
        default=None, description="The reference of one agreement; left empty, it is for the whole case."
    )
    shareable: bool = Field(default=True, title="LEAs may be told of it")


class Lift(Act):
    """End a law-enforcement hold: what it stopped is due a reasonable time later."""

    done_says = "The hold is lifted, and what it stopped runs again."
    stands_alone = False
    act: Literal["lift"] = "lift"
    hold_id: UUID = Field(title="Hold", json_schema_extra={"choice": "holds"})


class Done(Act):
    """Record that duties were done by other means than this engine, with the proof; a second person approves it.

    Until it is approved, the duties stay open and their notices go as planned. It is never said of what a holder's
    word performs, nor where the clause does not allow it.
    """

    label = "Record what was done by other means"
    makes = Made("proposal", "Proposal {id}: a second person decides it.")
    done_says = "Recorded, with its proof. A second person decides it; until then the duties are open."
    act: Literal["done"] = "done"
    clause: Clause
    agreements: tuple[AgreementName, ...] = Field(
        min_length=1,
        max_length=1_000,
        title="References of the agreements",
        description="Those towards which it was done.",
    )
    done_at: Instant = Field(title="When it was done")
    how: KeptText = Field(title="How it was done, and by whom", description="It is kept as evidence.")
    to_whom: KeptText | None = Field(
        default=None, title="To whom", description="Who was told; needed where the clause asks for a notice."
    )
    proof: KeptFile = Field(title="What proves it")


class Undo(Act):
    """Take back that duties were done by other means: they are open again, and their notices are drafted anew."""

    done_says = "Taken back. Its duties are open again; both records stay."
    stands_alone = False
    act: Literal["undo"] = "undo"
    proposal_id: UUID = Field(title="What was recorded as done", json_schema_extra={"choice": "done"})
    reason: Reason


class ConfirmDone(Act):
    """Record a party's own word that it did what a clause asks: who says so, and the particulars."""

    label = "Record a party's own word"
    done_says = "The confirmation is recorded."
    act: Literal["confirm-done"] = "confirm-done"
    clause: Clause
    agreement: AgreementName
    holder: Line | None = Field(default=None, description="A subprocessor by name; else the party that owes the duty.")
    particulars: KeptText


class SendAgain(Act):
    """Send a notice once more of which nobody can say whether it arrived, or that its contacts did not take."""

    done_says = "They are sent once more."
    stands_alone = False
    act: Literal["send-again"] = "send-again"
    clause: Clause
    agreement: AgreementName | None = Field(
        default=None, description="The reference of one agreement; left empty, every such notice under the clause."
    )


class Vouch(Act):
    """Record that a notice did arrive of which the mail server left nobody able to say so: who says it, and when."""

    done_says = "Recorded, with who vouches for it."
    stands_alone = False
    act: Literal["vouch"] = "vouch"
    clause: Clause
    agreement: AgreementName
    arrived_at: Instant = Field(title="When it arrived")
    particulars: KeptText = Field(title="Who says so, and how they know")


class Posted(Act):
    """Record that a letter was handed to the post, on your word: when, by which service, and what proves it."""

    done_says = "Recorded, on your word. The notice is given when the agreement says that a letter is."
    stands_alone = False
    keeps_clocks = False
    tells_case = True
    act: Literal["posted"] = "posted"
    service: PostalService = Field(title="Service", description="As the agreement means it: postage prepaid.")
    letter: UUID = Field(title="Letter", json_schema_extra={"choice": "letters"})
    mailed_at: Instant = Field(
        title="Handed to the post at",
        description="As the receipt says; where it names a day alone, that day's end.",
    )
    tracking_number: TrackingNumber | None = Field(default=None, title="Tracking number")
    receipt: KeptFile | None = Field(default=None, title="Receipt or photo")


class NotPosted(Act):
    """Take back that a letter was posted: it waits to be posted again, and what it had performed is owed again."""

    done_says = "Taken back. The letter waits to be posted; both records stay."
    stands_alone = False
    keeps_clocks = False
    tells_case = True
    act: Literal["not-posted"] = "not-posted"
    letter: UUID = Field(title="Letter", json_schema_extra={"choice": "posted"})
    reason: Reason


class AdoptTerms(Act):
    """Let the case follow the clauses as they are now instead of those that it pinned."""

    label = "Follow the clauses as they are now"
    done_says = "The case follows the clauses as they are now."
    act: Literal["adopt-terms"] = "adopt-terms"
    reason: Reason


class Add(Act):
    """Add agreements that the matter touches after all: those named, and all others of a state, on a form, or both.

    They are due by the case's own dates, unless ``involved_at`` says, with a reason, when it was confirmed that they
    are touched.
    """

    label = "Add agreements"
    done_says = "The agreements are in the case, and their duties are computed."
    starts_clocks = True
    act: Literal["add"] = "add"
    agreements: KeptReferences = Field(
        default_factory=lambda: KeptReferences.model_validate(()), title="References", description="One a line."
    )
    state: str = Field(default="", pattern=r"^([A-Za-z]{2})?$", title="Or all others of a state")
    form: str = Field(default="", max_length=60, title="Or all others on a form")
    involved_at: Instant | None = Field(
        default=None, title="When their involvement was confirmed", description="If that is later than for the others."
    )
    reason: KeptText | None = Field(default=None, title="Reason for that date")

    def brings_in(self) -> tuple[str, ...]:
        """The agreements named."""
        return self.agreements.references


class Assign(Act):
    """Say whose case it is, and who stands in: they are reminded of what it needs, and its questions are theirs."""

    label = "Say whose case it is"
    done_says = "Recorded. What this case needs is theirs from now on."
    keeps_clocks = False
    act: Literal["assign"] = "assign"
    responsible: Account = Field(title="Who is responsible")
    deputy: Account | None = Field(
        default=None, title="Their deputy", description="Whom what is pressing is sent to as well."
    )


class AnswerQuestion(Act):
    """Answer a question that an LEA asked about its notice: by a letter to who asked, and on the notice's own page."""

    done_says = "The answer is kept, and its letter is on its way to who asked."
    stands_alone = False
    keeps_clocks = False
    act: Literal["answer"] = "answer"
    question: UUID = Field(title="Question", json_schema_extra={"choice": "questions"})
    text: KeptText = Field(title="Answer", description="It is mailed to who asked as it stands here.")


class TellOverdue(Act):
    """Tell the other side of an agreement that a duty is overdue, as what it is: no duty is performed by that."""

    label = "Tell the other side that it is overdue"
    done_says = "The letter is kept and on its way. The duty stays overdue until it is performed."
    stands_alone = False
    keeps_clocks = False
    sends_letter = True
    act: Literal["tell-overdue"] = "tell-overdue"
    clause: Clause
    agreement: AgreementName
    text: KeptText = Field(
        title="What is being done",
        description="And when you expect the duty to be performed. It is mailed as it stands here.",
    )


CommonAct: TypeAlias = (
    SetDate
    | NotYet
    | Learn
    | Impossible
    | Release
    | Withhold
    | WithholdPastDue
    | Propose
    | Approve
    | Decline
    | Hold
    | Lift
    | Done
    | Undo
    | ConfirmDone
    | SendAgain
    | Vouch
    | Posted
    | NotPosted
    | AdoptTerms
    | Add
    | Assign
    | AnswerQuestion
    | TellOverdue
)
"""What can be done in a case of any kind."""

COMMON_ACTS: tuple[type[Act], ...] = (
    SetDate,
    NotYet,
    Learn,
    Impossible,
    Release,
    Withhold,
    WithholdPastDue,
    Propose,
    Approve,
    Decline,
    Hold,
    Lift,
    Done,
    Undo,
    ConfirmDone,
    SendAgain,
    Vouch,
    Posted,
    NotPosted,
    AdoptTerms,
    Add,
    Assign,
    AnswerQuestion,
    TellOverdue,
)


def parse_act(given: object) -> Act:
    """Read an act from plain values, as a form, a command, JSON or a history gives them.

    Raises:
        InvalidInput: there is no such act; ``where`` is ``act``.
        InvalidFields: a value is missing, unknown or not of its kind; each problem names its field.
    """
    if isinstance(given, Act):
        return given
    name = given.get("act") if isinstance(given, dict) else None
    found = Act.known.get(str(name))
    if found is None:
        raise InvalidInput(
            f"There is no act {name!r}.", where="act", next_step=f"There are {', '.join(sorted(Act.known))}."
        )
    try:
        return found.model_validate(given)
    except ValidationError as error:
        problems = problems_of(error)
        raise problems[0] if len(problems) == 1 else InvalidFields(problems) from None


def problems_of(error: ValidationError) -> tuple[InvalidInput, ...]:
    """What pydantic found wrong, as sentences that name the field."""
    return tuple(explained(problem) for problem in error.errors(include_input=False, include_url=False))


def explained(problem: Any) -> InvalidInput:
    """One of pydantic's findings as a sentence at its field; what was given is not repeated."""
    where = ".".join(str(part) for part in problem["loc"]) or "act"
    kind, message = problem["type"], str(problem["msg"]).removeprefix("Value error, ")
    match kind:
        case "missing" | "string_too_short" | "too_short":
            return InvalidInput("It is empty.", where=where, next_step="Fill it in.")
        case "string_too_long":
            longest = problem["ctx"]["max_length"]
            return InvalidInput(f"This is longer than {longest:,} characters.", where=where, next_step="Shorten it.")
        case "too_long":
            most = problem["ctx"]["max_length"]
            return InvalidInput(f"There are more than {most:,}.", where=where, next_step="Give fewer.")
        case "string_pattern_mismatch":
            return InvalidInput("It is not written as it has to be.", where=where, next_step="Correct it.")
        case "extra_forbidden":
            return InvalidInput("There is no such field.", where=where, next_step="Leave it out.")
        case "timezone_aware":
            return InvalidInput(
                "The time has no zone, so it names no instant.",
                where=where,
                next_step="Choose the time zone, or write the offset, as in 2026-03-07T22:15-05:00.",
            )
        case _:
            sentence, _, advice = message.partition(": ")
            return InvalidInput(
                f"{sentence[0].upper()}{sentence[1:]}.",
                where=where,
                next_step=f"{advice[0].upper()}{advice[1:]}." if advice else "Correct it.",
            )


AnyAct: TypeAlias = Annotated[SerializeAsAny[Act], BeforeValidator(parse_act)]
"""An act of any kind, read by its name."""


class TakeAct(Message):
    """One act as it reaches a case: what, and by whom. ``act_id`` names it, so that a retry is the same act.

    ``dates_confirmed`` names the dates in it that are hardly meant, and which the actor confirmed nevertheless.
    ``authenticated`` is how it was shown who acts; None in a rehearsal, where nobody signs in.
    """

    act: AnyAct
    actor: Actor
    act_id: UUID
    dates_confirmed: tuple[str, ...] = ()
    authenticated: Authentication | None = None

    @model_validator(mode="before")
    @classmethod
    def _as_it_was_meant(cls, given: Any) -> Any:
        """A release in a history from before ``withheld`` was asked is taken as it was meant then."""
        match given:
            case {"act": {"act": "release"} as act} if "withheld" not in act:
                return given | {"act": act | {"withheld": None}}
            case _:
                return given

    @property
    def made_id(self) -> UUID:
        """The id of what the act makes."""
        assert self.act.makes, f"the act {self.act.act} makes nothing"
        return uuid5(self.act_id, self.act.makes.name)
