"""What the ledger can attest: one class an event, its particulars the class's fields.

An event says who did what and when (its envelope), what it is about (its subject), and the particulars that its entry
holds in ``body``. Where a field goes is said once, by the field's own annotation:

- ``Subject[...]``: the id of the thing that the event is about; the entry's ``subject``.
- ``Kept[...]``: the SHA-256 of an artifact; one of the entry's ``artifacts``.
- ``Apart[...]``: a column of its own, or used for the key alone.
- anything else is a member of the entry's ``body``, under the field's name.

Bodies are free of personal data and of free text: what people wrote is an artifact. A kind, once used, keeps its
meaning; new ones are added freely. To add one, write a class; ``ledger.append.append`` takes it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import date, datetime, timedelta
from enum import Enum, auto
from functools import cache
from typing import Annotated, Any, ClassVar, NamedTuple, TypeAlias, TypeVar
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from cases.kinds import KINDS
from cases.values import AnchorValue
from models.enums import (
    AgreementChangeKind,
    Authentication,
    BatchStatus,
    BounceEffect,
    ContactRole,
    DutyStatus,
    EndedBy,
    HolderAnswerKind,
    HolderMail,
    NoticeKind,
    Reading,
    ReportKind,
    Role,
    SetBack,
    SignatureIntegrity,
    Told,
    Verdict,
    Way,
)

JsonObject: TypeAlias = dict[str, Any]
"""A JSON object (RFC 8259) of integers below 2**53, finite numbers, text, booleans, nulls, lists and objects."""


NO_VERDICT = "-"
"""In a list of duties: one that what was done did not perform."""


class _Place(Enum):
    """Where in an entry a field goes that is no member of its body."""

    SUBJECT = auto()
    ARTIFACT = auto()


_T = TypeVar("_T")
Apart = Annotated[_T, Field(exclude=True)]
Subject = Annotated[_T, Field(exclude=True), _Place.SUBJECT]
Kept = Annotated[_T, Field(exclude=True), _Place.ARTIFACT]


def _is_none(value: object) -> bool:
    return value is None


IfAny = Annotated[_T, Field(exclude_if=_is_none)]
"""A member of the body that is left out where there is none."""

DatedFact = Annotated[
    AnchorValue, PlainSerializer(lambda anchor: anchor.model_dump(mode="json", exclude_none=True), return_type=dict)
]
"""A dated fact, of which the body holds only what is known."""


class Event(BaseModel, ABC):
    """Something that happened, before it has a number in the ledger.

    Attributes:
        kind: the word for it, in the past tense.
        case_id: the case it belongs to, or None.
        actor: who did it, by role or id (``ledger.actors.ENGINE``, ``officer``), never by e-mail address.
        at: when it happened; an instant with a zone.
    """

    # A number that JSON cannot write stays what it is, so that hashing refuses it, rather than becoming null.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, ser_json_inf_nan="constants")

    kind: ClassVar[str]
    case_id: Apart[UUID | None] = None
    actor: Apart[str]
    at: Apart[datetime]

    @property
    @abstractmethod
    def key(self) -> str:
        """What names the happening, so that a retry adds nothing: the same happening always gives the same key."""

    @property
    def stored_kind(self) -> str:
        """The word that its entry bears: the class's, unless one class stands for several."""
        return self.kind

    @property
    def subject(self) -> str | None:
        """The id of the thing it is about, or None."""
        for name in _fields_of(type(self)).subjects:
            if (value := getattr(self, name)) is not None:
                return str(value)
        return None

    @property
    def artifacts(self) -> tuple[str, ...]:
        """The SHA-256, in hexadecimal, of each artifact that it points to."""
        values = [getattr(self, name) for name in _fields_of(type(self)).artifacts]
        return tuple(str(value) for value in values if value is not None)

    @property
    def body(self) -> JsonObject:
        """The particulars, as a JSON object."""
        return self.model_dump(mode="json", by_alias=True)


class _Fields(NamedTuple):
    """The fields of a class of events that are no members of the body, by where they go."""

    subjects: tuple[str, ...]
    artifacts: tuple[str, ...]


@cache
def _fields_of(event: type[Event]) -> _Fields:
    fields = event.model_fields.items()
    subjects, artifacts = (
        tuple(name for name, field in fields if place in field.metadata) for place in (_Place.SUBJECT, _Place.ARTIFACT)
    )
    return _Fields(subjects, artifacts)


class CaseEvent(Event):
    """Something that happened in a case."""

    case_id: Apart[UUID]


# Agreements


class AgreementImported(Event):
    """An agreement was imported, for the first time or again.

    Attributes:
        agreement_id: the agreement.
        form: the form it was signed on.
        state: the state whose supplement it has.
        file_sha256: the file that it came in.
    """

    kind = "agreement_imported"
    agreement_id: Subject[UUID]
    form: str
    state: str
    file_sha256: Kept[str]

    @property
    def key(self) -> str:
        return f"agreement-imported:{self.agreement_id}:{self.file_sha256}:{self.at.isoformat()}"


class _AgreementFile(Event):
    """A file was taken in for one agreement.

    Attributes:
        agreement_id: the agreement.
        file_sha256: the file.
    """

    agreement_id: Subject[UUID]
    file_sha256: Kept[str]

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.agreement_id}:{self.file_sha256}:{self.at.isoformat()}"


class ContactsRecorded(Event):
    """Contacts were recorded, for the first time or anew: to whom notices go, and to which address.

    Attributes:
        contacts: how many.
        contacts_sha256: each with its id, its address and its place, with a salt.
    """

    kind = "contacts_recorded"
    contacts: int
    contacts_sha256: Kept[str]

    @property
    def key(self) -> str:
        return f"contacts-recorded:{self.contacts_sha256}"


class AgreementAmended(_AgreementFile):
    """Changes that the parties agreed for one agreement (Exhibit H) were entered."""

    kind = "agreement_amended"


class CalendarImported(_AgreementFile):
    """A school calendar was taken in for an agreement."""

    kind = "calendar_imported"


class AgreementChangeEvent(Event):
    """The life of an agreement, as somebody recorded it.

    Attributes:
        agreement_id: the agreement.
        change: what was recorded, by its id.
        what: what it tells: a termination, a renewal, that one is expected, or that it does not come.
        day: the day that it tells: of the termination, the new last day, of the LEA's notice.
        reason_sha256: why; left out where the LEA itself said it by its link.
    """

    agreement_id: Subject[UUID]
    change: UUID
    what: AgreementChangeKind
    day: date
    reason_sha256: Kept[str | None] = None

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.change}"


class AgreementChanged(AgreementChangeEvent):
    """An agreement was terminated or renewed, or its renewal is expected, or does not come.

    Attributes:
        ended_by: who terminated it.
        before: the dates of the agreement that stood before (ISO 8601).
    """

    kind = "agreement_changed"
    ended_by: IfAny[EndedBy | None] = None
    before: dict[str, str | None]


class AgreementChangeTakenBack(AgreementChangeEvent):
    """What was recorded of an agreement's life was wrong: the dates that stood before stand again."""

    kind = "agreement_change_taken_back"


class AgreementStage(Event):
    """An agreement came to another stage of its life by the passing of time, or by what was done.

    Attributes:
        agreement_id: the agreement.
        day: the last day until which it lasted, or that of its termination.
    """

    agreement_id: Subject[UUID]
    day: date

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.agreement_id}:{self.day.isoformat()}:{self.at.isoformat()}"


class AgreementEnded(AgreementStage):
    """An agreement has ended. What protects the data that is left of it lasts until that is disposed of.

    Attributes:
        fact: how it ended, as its terms name it: it expired, or it was terminated.
    """

    kind = "agreement_ended"
    fact: str


class AgreementDataGone(AgreementStage):
    """All of an agreement's data was found disposed of after its end, or two people decided that nothing need be."""

    kind = "agreement_data_gone"


# People and their sessions


class AccountEvent(Event):
    """Something happened to an account, or to a session of it.

    Attributes:
        account_id: the account.
    """

    account_id: Subject[UUID]

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.account_id}:{self.at.isoformat()}"


class AccountMade(AccountEvent):
    """An account was made.

    Attributes:
        name: its name, under which evidence names its person.
        role: what it is for.
    """

    kind = "account_made"
    name: str
    role: Role


class RoleChanged(AccountEvent):
    """An account was given another role.

    Attributes:
        role: what it is for from now on.
        before: what it was for.
    """

    kind = "role_changed"
    role: Role
    before: Role


class AccountDisabled(AccountEvent):
    """Nobody can sign in to an account any more, and its sessions are over."""

    kind = "account_disabled"


class AccountEnabled(AccountEvent):
    """A disabled account can be signed in to again."""

    kind = "account_enabled"


class ApiTokenMade(AccountEvent):
    """A token was made by which a program asks and reports in the name of an account.

    Attributes:
        token_id: the token.
        expires_at: until when it is good, unless it is ended before.
    """

    kind = "api_token_made"
    token_id: UUID
    expires_at: datetime

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.token_id}"


class ApiTokenEnded(AccountEvent):
    """A token is good no more.

    Attributes:
        token_id: the token.
    """

    kind = "api_token_ended"
    token_id: UUID

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.token_id}"


class SignInLinkMade(AccountEvent):
    """A one-time link was made that signs an account in; the actor is who was given it.

    Attributes:
        link_sha256: the SHA-256 of its token.
    """

    kind = "sign_in_link_made"
    link_sha256: Apart[str]

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.link_sha256}"


class SignedIn(AccountEvent):
    """A session began.

    Attributes:
        session_id: the session.
        authenticated: how it was shown who it is.
        link_made_by: who made the one-time link, where it was one.
        passkey_id: the passkey, where it was one.
        issuer: the OpenID provider that said so, where it was one.
    """

    kind = "signed_in"
    session_id: UUID
    authenticated: Authentication
    link_made_by: IfAny[str | None] = None
    passkey_id: IfAny[UUID | None] = None
    issuer: IfAny[str | None] = None

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.session_id}"


class SignInRefused(AccountEvent):
    """Somebody tried to sign in to an account and was refused.

    Attributes:
        try_id: names the try, since several can fall on one instant.
        reason: why, in a word.
    """

    kind = "sign_in_refused"
    try_id: Apart[UUID] = Field(default_factory=uuid4, exclude=True)
    reason: str

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.try_id}"


class PasswordSet(AccountEvent):
    """A person set the password of their account."""

    kind = "password_set"


class SecondFactorSet(AccountEvent):
    """A person's sign-in by password asks for a code as well from now on."""

    kind = "second_factor_set"


class SecondFactorRemoved(AccountEvent):
    """A person's sign-in by password asks for no code any more."""

    kind = "second_factor_removed"


class PasskeyEvent(AccountEvent):
    """Something happened to a passkey of an account.

    Attributes:
        passkey_id: the passkey.
    """

    passkey_id: UUID

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.passkey_id}"


class PasskeyAdded(PasskeyEvent):
    """A person added a passkey, which signs their account in from now on."""

    kind = "passkey_added"


class PasskeyRemoved(PasskeyEvent):
    """A person removed a passkey, which signs nobody in any more."""

    kind = "passkey_removed"


class OpenIdBound(AccountEvent):
    """An identity at an OpenID provider signs an account in from now on, since both have the same verified address.

    Attributes:
        issuer: the provider.
    """

    kind = "openid_bound"
    issuer: str


class OpenIdRefused(Event):
    """Somebody came from an OpenID provider and was refused before it was clear whose account it would have been.

    Attributes:
        try_id: names the try.
        issuer: the provider.
        reason: why, in a word.
    """

    kind = "openid_refused"
    try_id: Apart[UUID] = Field(default_factory=uuid4, exclude=True)
    issuer: str
    reason: str

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.try_id}"


class SignInForgotten(AccountEvent):
    """All ways in which a person signed in were forgotten; they begin anew with a one-time link."""

    kind = "sign_in_forgotten"


class AccountLocked(AccountEvent):
    """An account takes no password for a while, after too many wrong tries.

    Attributes:
        until: when it does again.
    """

    kind = "account_locked"
    until: datetime


class SessionEnded(AccountEvent):
    """A session was ended: by its person, by an administrator, or by the engine, since its person has too many.

    Attributes:
        session_id: the session.
    """

    kind = "session_ended"
    session_id: UUID

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.session_id}"


class AccessRefused(AccountEvent):
    """Somebody who is signed in asked for what their role may not; the same again in one session is one entry.

    Attributes:
        session_id: the session.
        asked: the method and the route.
        role: the role.
    """

    kind = "access_refused"
    session_id: UUID
    asked: str
    role: Role

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.session_id}:{self.role}:{self.asked}"


# The course of a case


class CaseOpened(CaseEvent):
    """A case was reported.

    Attributes:
        case_kind: the kind of case; ``kind`` in the body.
        event: the event that it is about, as the clauses name it.
        anchors: its dated facts as reported.
        agreements: those that it touches; left out where they are too many to stand here.
        agreements_listed: how many they are then.
        agreements_sha256: their ids then, one a line.
        report_sha256: the report as it was given.
        kept_sha256: the files that came with it.
        clause: the one clause that it is about, where it is not about the whole event.
        occurrence: which one of that clause's duty.
        dates_confirmed: which of the dates are hardly meant, and were confirmed nevertheless; left out where none is.
        authenticated: how it was shown who reported it, where that is known.
    """

    kind = "case_opened"
    case_kind: Annotated[str, Field(serialization_alias="kind")]
    event: str
    anchors: tuple[DatedFact, ...]
    agreements: IfAny[tuple[UUID, ...] | None]
    report_sha256: Kept[str]
    kept_sha256: Apart[tuple[str, ...]] = ()
    clause: IfAny[str | None] = None
    occurrence: IfAny[int | None] = None
    dates_confirmed: IfAny[tuple[str, ...] | None] = None
    authenticated: IfAny[Authentication | None] = None
    agreements_listed: IfAny[int | None] = None
    agreements_sha256: Apart[str | None] = None

    @property
    def artifacts(self) -> tuple[str, ...]:
        listed = (self.agreements_sha256,) if self.agreements_sha256 else ()
        return (self.report_sha256, *listed, *self.kept_sha256)

    @property
    def key(self) -> str:
        return f"case-opened:{self.case_id}"


class FileRefused(Event):
    """A file that somebody gave was refused, as one whose signature is broken: nothing of it is kept.

    Attributes:
        try_id: names the try, since several can fall on one instant.
        case_kind: the kind of case that it was given for; ``kind`` in the body.
        act: the act that it came with; left out where a case was to be opened.
        field: the field that it was given in.
        file_digest: its SHA-256, in hexadecimal; the file itself is not kept, so that this names no artifact.
        says: why, as whoever gave it was told.
    """

    kind = "file_refused"
    try_id: Apart[UUID] = Field(default_factory=uuid4, exclude=True)
    case_kind: Annotated[str, Field(serialization_alias="kind")]
    act: IfAny[str | None] = None
    field: str
    file_digest: str
    says: str

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.try_id}"


class EvidenceAskedFor(Event):
    """Somebody asked for a bundle of evidence; recorded before the bundle is written, since it stands in it itself.

    Attributes:
        export_id: the bundle.
        since: from when on what happened is in it, where that was asked.
        until: before when it happened.
        as_sent: whether letters are to be in it as they were sent, with the links on which their readers answer.
    """

    kind = "evidence_asked_for"
    export_id: Subject[UUID]
    since: IfAny[datetime | None] = None
    until: IfAny[datetime | None] = None
    as_sent: bool

    @property
    def key(self) -> str:
        return f"evidence-asked-for:{self.export_id}"


NAMED_IN_ONE = 1_000
"""How many agreements an entry names, as it has 65,535 bytes at most; of more there are several, or a list."""


class TermsPinned(CaseEvent):
    """A case pinned the effective terms of some agreements.

    Attributes:
        terms_hash: the terms, by the SHA-256 of their canonical JSON; the subject too.
        agreements: whose terms they are.
    """

    kind = "terms_pinned"
    terms_hash: str
    agreements: tuple[UUID, ...]

    @property
    def subject(self) -> str:
        return self.terms_hash

    @property
    def key(self) -> str:
        return f"terms-pinned:{self.case_id}:{self.terms_hash}:{self.agreements[0]}:{self.at.isoformat()}"


class DutyComputed(CaseEvent):
    """The due date of a duty was computed, for the first time or again, alike for some agreements.

    Attributes:
        due_date_id: names the due date with its reasons.
        due_date: the reasons: the limit, the anchor, what each document says of it. Its members stand in the body.
        status: where the duties stand by it.
        agreements: whose duties they are.
        internal_due_at: when the installation itself wants them done, where it set that; no law.
        internal_why: how that was counted.
        happening: names it, since several may fall on one instant.
    """

    kind = "duty_computed"
    due_date_id: Subject[str]
    due_date: JsonObject
    status: DutyStatus
    agreements: tuple[UUID, ...]
    internal_due_at: IfAny[datetime | None] = None
    internal_why: IfAny[str | None] = None
    happening: Apart[UUID] = Field(default_factory=uuid4, exclude=True)

    @property
    def body(self) -> JsonObject:
        return {**self.due_date, **self.model_dump(mode="json", exclude={"due_date"})}

    @property
    def key(self) -> str:
        return f"duty-computed:{self.happening}"


class DutiesGivenUp(CaseEvent):
    """Duties whose clocks had not started are cancelled: nothing that the case knows or awaits starts them any more.

    Attributes:
        duties: how many.
        duties_sha256: their ids, one a line.
        happening: names it, since several may fall on one instant.
    """

    kind = "duties_given_up"
    duties: int
    duties_sha256: Kept[str]
    happening: Apart[UUID] = Field(default_factory=uuid4, exclude=True)

    @property
    def key(self) -> str:
        return f"duties-given-up:{self.happening}"


class CaseClosed(CaseEvent):
    """Nothing more is to be done in a case.

    Attributes:
        duties: how many ended how: by verdict, or by status where there is none.
        reopened_at: when it had last been reopened, where it was closed before.
    """

    kind = "case_closed"
    duties: dict[str, int]
    reopened_at: IfAny[datetime | None] = None

    @property
    def key(self) -> str:
        again = f":{self.reopened_at.isoformat()}" if self.reopened_at else ""
        return f"case-closed:{self.case_id}{again}"


# What people do in a case


class ActRecorded(CaseEvent):
    """A person did something in a case; its kind is ``act.`` and the name of the act.

    Attributes:
        act: the act's one name.
        act_id: names this doing of it, so that a retry is the same; None where the instant does.
        particulars: what was decided, free of personal data and of free text; what is named ``…_sha256`` in it is an
            artifact, as a list of what the act touched.
        kept_sha256: what the person wrote or gave: reasons, proofs, files.
        authenticated: how it was shown who acts, where that is known.
    """

    kind = "act"
    act: str
    act_id: UUID | None
    particulars: JsonObject
    kept_sha256: Kept[tuple[str, ...]] = ()
    authenticated: IfAny[Authentication | None] = None

    @property
    def stored_kind(self) -> str:
        return f"{self.kind}.{self.act}"

    @property
    def subject(self) -> str | None:
        return str(self.act_id) if self.act_id else None

    @property
    def artifacts(self) -> tuple[str, ...]:
        listed = (str(value) for name, value in self.particulars.items() if name.endswith("_sha256") and value)
        return tuple(dict.fromkeys((*self.kept_sha256, *listed)))

    @property
    def key(self) -> str:
        return f"act:{self.act_id}" if self.act_id else f"act:{self.case_id}:{self.act}:{self.at.isoformat()}"


# Notices on their way


class NoticeComposed(CaseEvent):
    """A notice was written.

    Attributes:
        notice_id: the notice.
        given: the content elements that it gives.
        lacking: those that it says will follow.
        message_sha256: the message as written.
    """

    kind = "notice_composed"
    notice_id: Subject[UUID]
    given: tuple[str, ...]
    lacking: tuple[str, ...]
    message_sha256: Kept[str]

    @property
    def key(self) -> str:
        return f"notice-composed:{self.notice_id}:{self.message_sha256}"


class DraftTested(CaseEvent):
    """A draft was about to be mailed to an officer as a test: it tells no party anything and performs nothing.

    Attributes:
        notice_id: the notice whose draft it was.
        message_sha256: the message, marked as a test.
    """

    kind = "draft_tested"
    notice_id: Subject[UUID]
    message_sha256: Kept[str]

    @property
    def key(self) -> str:
        return f"draft-tested:{self.notice_id}:{self.message_sha256}"


class LetterMade(CaseEvent):
    """A notice was written as a letter, to be printed and posted, since no e-mail reaches a contact.

    Attributes:
        notice_id: the notice.
        letter: the letter as SQL keeps it.
        contact: whom it is for.
        given: the content elements that it gives.
        lacking: those that it says will follow.
        letter_sha256: the letter, a PDF.
        words_sha256: its words alone, as the page behind its link shows them.
        enclosed: what belongs into the envelope besides.
        replaces: the letter that it was written anew for, which was not posted.
        printed_at: when that one was last printed, so that it may be in somebody's hands.
        happening: names it, since several may fall on one instant.
    """

    kind = "letter_made"
    notice_id: Subject[UUID]
    letter: UUID
    contact: UUID
    given: tuple[str, ...]
    lacking: tuple[str, ...]
    letter_sha256: Kept[str]
    words_sha256: Kept[str]
    enclosed: Apart[tuple[str, ...]] = ()
    replaces: IfAny[UUID | None] = None
    printed_at: IfAny[datetime | None] = None
    happening: Apart[UUID] = Field(default_factory=uuid4, exclude=True)

    @property
    def artifacts(self) -> tuple[str, ...]:
        return (self.letter_sha256, self.words_sha256, *self.enclosed)

    @property
    def key(self) -> str:
        return f"letter-made:{self.happening}"


class LetterPrinted(CaseEvent):
    """Somebody was given a letter to print it; it holds the link on which its reader answers.

    Attributes:
        notice_id: the notice.
        letter: the letter as SQL keeps it.
        letter_sha256: the letter, a PDF.
        happening: names it, since several may fall on one instant.
    """

    kind = "letter_printed"
    notice_id: Subject[UUID]
    letter: UUID
    letter_sha256: Kept[str]
    happening: Apart[UUID] = Field(default_factory=uuid4, exclude=True)

    @property
    def key(self) -> str:
        return f"letter-printed:{self.happening}"


class LetterTookEffect(CaseEvent):
    """A letter gave its notice, of which a person says that it was posted; the engine saw nothing of that.

    Attributes:
        notice_id: the notice.
        letter: the letter as SQL keeps it.
        on_the_word_of: who says so.
        mailed_at: when it was handed to the post, on that word.
        effective_at: when it gives the notice, as the agreement has it.
        duties: by id, how each duty was met that it performed.
        given: the content elements that it gives; None where it gave no notice, as a mail had.
        lacking: those that it says will follow.
        happening: names it, since several may fall on one instant.
    """

    kind = "letter_took_effect"
    notice_id: Subject[UUID]
    letter: UUID
    on_the_word_of: str
    mailed_at: datetime
    effective_at: datetime
    duties: dict[str, Verdict]
    given: IfAny[tuple[str, ...] | None] = None
    lacking: IfAny[tuple[str, ...] | None] = None
    happening: Apart[UUID] = Field(default_factory=uuid4, exclude=True)

    @property
    def key(self) -> str:
        return f"letter-took-effect:{self.happening}"


class NoticeReleased(CaseEvent):
    """A batch of notices began to leave.

    Attributes:
        batch_id: the batch.
        clause: the clause they are under.
        notices: how many they are.
        released: whether a person released them; they go at the last safe moment otherwise.
    """

    kind = "notice_released"
    batch_id: Subject[UUID]
    clause: str
    notices: int
    released: bool

    @property
    def key(self) -> str:
        return f"notice-released:{self.batch_id}"


class WithholdingLapsed(CaseEvent):
    """Notices that one person withheld leave at their last safe moment, since no second one decided otherwise.

    Attributes:
        withholding_id: the decision that has lapsed, by the id of its act.
        batch_id: the batch.
        clause: the clause they are under.
        notices: how many they are.
    """

    kind = "withholding_lapsed"
    withholding_id: Subject[UUID]
    batch_id: UUID
    clause: str
    notices: int

    @property
    def key(self) -> str:
        return f"withholding-lapsed:{self.withholding_id}:{self.batch_id}"


class DutyPerformedByOtherMeans(CaseEvent):
    """Two people recorded that a duty was performed by other means than the engine's; its actor approved that.

    Attributes:
        duty: the duty.
        proposal_id: the proposal that says how it was done, and to whom.
        clause: its clause.
        due_at: when it was due.
        done_at: when it was done, on the word of whoever proposed it.
        verdict: how that met the due instant.
        on_the_word_of: who proposed it.
        proof_sha256: what proves it.
    """

    kind = "duty_performed_by_other_means"
    duty: Subject[UUID]
    proposal_id: UUID
    clause: str
    due_at: datetime | None
    done_at: datetime
    verdict: Verdict
    on_the_word_of: str
    proof_sha256: Kept[str]

    @property
    def key(self) -> str:
        return f"duty-performed-by-other-means:{self.duty}:{self.proposal_id}"


class Attempt(BaseModel):
    """One attempt to deliver a notice to one contact.

    Attributes:
        notice_id: the notice.
        delivery: the place in the outbox.
        contact: the contact it was for.
        attempt: which attempt it was, from 1.
        message_sha256: the message as sent.
    """

    model_config = ConfigDict(frozen=True)

    notice_id: Apart[UUID]
    delivery: UUID
    contact: UUID
    attempt: int
    message_sha256: Apart[str]


class DeliveryEvent(CaseEvent):
    """Something became of an attempt to deliver.

    Attributes:
        attempt: the attempt. Its members stand in the body, the notice is the subject, the message the artifact.
    """

    attempt: Attempt

    @property
    def subject(self) -> str:
        return str(self.attempt.notice_id)

    @property
    def artifacts(self) -> tuple[str, ...]:
        return (self.attempt.message_sha256,)

    @property
    def body(self) -> JsonObject:
        particulars = super().body
        return {**particulars.pop("attempt"), **particulars}

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.attempt.delivery}:{self.attempt.attempt}"


class ReplyEvent(DeliveryEvent):
    """A mail server answered for good about a message.

    Attributes:
        code: its reply code (RFC 5321, 4.2).
        status: its enhanced status code (RFC 3463), where it gave one.
    """

    code: int
    status: IfAny[str | None] = None


class AcceptedEvent(ReplyEvent):
    """A mail server took a message.

    Attributes:
        queue_id: the server's own name for the message, where its words give one away.
        tls_version: how the connection was protected, as ``TLSv1.3``; left out for a server on the same machine that is
            spoken to in clear.
        tls_certificate: whom the server's certificate named.
    """

    queue_id: IfAny[str | None] = None
    tls_version: IfAny[str | None] = None
    tls_certificate: IfAny[str | None] = None


class NoticeGiven(AcceptedEvent):
    """A contact's mail server accepted a notice.

    Attributes:
        duty: the duty that the notice is about.
        clause: the clause that sets it.
        due_at: when it was due, or None where no clock ran.
        notice_kind: what the notice is; ``kind`` in the body.
        verdict: how the duty was met, or None where it was not performed by this.
        given: the content elements that the notice gave.
        lacking: those that it said would follow.
    """

    kind = "notice_given"
    duty: UUID
    clause: str
    due_at: datetime | None
    notice_kind: Annotated[NoticeKind, Field(serialization_alias="kind")]
    verdict: Verdict | None
    given: tuple[str, ...]
    lacking: tuple[str, ...]


class FurtherDutyPerformed(DeliveryEvent):
    """A notice that was given says what a further duty towards the same LEA asks for too.

    Attributes:
        duty: the further duty.
        clause: the clause that sets it.
        due_at: when it was due, or None where no clock ran.
        verdict: how it was met, or None where it was not performed by this.
        lacking: the content elements that it asks for and that the notice said would follow.
    """

    kind = "further_duty_performed"
    duty: UUID
    clause: str
    due_at: datetime | None
    verdict: Verdict | None
    lacking: tuple[str, ...]

    @property
    def key(self) -> str:
        return f"{super().key}:{self.duty}"


class CopyGiven(AcceptedEvent):
    """The mail server of somebody whom the agreement wants copied accepted a notice; that performs nothing."""

    kind = "copy_given"


class DeliveryRejected(ReplyEvent):
    """A contact's mail server refused a notice for good.

    Attributes:
        disregarded: whether it counts for nothing, since mail was paused as many such refusals were alike.
    """

    kind = "delivery_rejected"
    disregarded: IfAny[bool | None] = None


class DeliveryDeferred(DeliveryEvent):
    """A contact's mail server does not take a notice now; told once, however often it is tried again.

    Attributes:
        code: its reply code (RFC 5321, 4.2), where it gave one.
        status: its enhanced status code (RFC 3463), where it gave one.
    """

    kind = "delivery_deferred"
    code: IfAny[int | None] = None
    status: IfAny[str | None] = None


class DeliveryUnknown(DeliveryEvent):
    """The connection broke, or the sender stopped, before the answer: nobody can say whether the notice arrived."""

    kind = "delivery_unknown"


class DeliveryPassedOver(DeliveryEvent):
    """A contact's mail server put a notice off so often, or for so long, that the next contact is told instead."""

    kind = "delivery_passed_over"


class DeliveryReported(DeliveryEvent):
    """Something came back about a message that had been handed over.

    Attributes:
        report_id: names the report, however often it comes.
        report: what became of the message.
        of_contact: whether it is about the contact that it was for; one that is not changes nothing.
        status: the enhanced status code (RFC 3463), where it gives one.
        via: the way it came: a mailbox, LMTP, a file, or the provider that signed it.
        report_sha256: the report itself.
    """

    kind = "delivery_reported"
    report_id: Apart[UUID]
    report: ReportKind
    of_contact: bool
    status: str | None
    via: str
    report_sha256: Apart[str]

    @property
    def artifacts(self) -> tuple[str, ...]:
        return (*super().artifacts, self.report_sha256)

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.report_id}"


class DeliveryBounced(DeliveryReported):
    """A message that was handed over came back.

    Attributes:
        effect: what that meant for its notice.
    """

    kind = "delivery_bounced"
    effect: BounceEffect


class DutyReopened(CaseEvent):
    """A duty is owed again: the notice that had performed it came back, and reached nobody.

    Attributes:
        duty_id: the duty.
        clause: the clause that sets it.
        due_at: when it is due, or None where no clock ran.
        notice_id: the notice that came back.
        report_id: the report that says so.
        performed_at: when it had been recorded as performed.
        verdict: what had been recorded of that.
        performed_instead_at: when the same notice reached another contact, which performed it then.
        verdict_instead: how that met it.
    """

    kind = "duty_reopened"
    duty_id: Subject[UUID]
    clause: str
    due_at: datetime | None
    notice_id: UUID
    report_id: UUID
    performed_at: datetime
    verdict: Verdict | None
    performed_instead_at: IfAny[datetime | None] = None
    verdict_instead: IfAny[Verdict | None] = None

    @property
    def key(self) -> str:
        return f"duty-reopened:{self.duty_id}:{self.report_id}"


class CaseReopened(CaseEvent):
    """A case that was closed goes on: a notice of it came back.

    Attributes:
        closed_at: when it had been closed.
    """

    kind = "case_reopened"
    closed_at: datetime

    @property
    def key(self) -> str:
        return f"case-reopened:{self.case_id}:{self.closed_at.isoformat()}"


class MailEvent(Event):
    """Something happened to mail as a whole."""

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.at.isoformat()}"


class MailServerAway(MailEvent):
    """The mail server takes no mail: told once, however often it is tried.

    Attributes:
        trouble: what it is, by its error's code.
    """

    kind = "mail_server_away"
    trouble: str


class MailServerBack(MailEvent):
    """The mail server answers again.

    Attributes:
        away_since: since when it had taken no mail.
    """

    kind = "mail_server_back"
    away_since: datetime


class MailPaused(MailEvent):
    """Many refusals in one batch were alike, for several domains: nothing more is handed over for now.

    Their contacts are not held to have refused: each is tried again.

    Attributes:
        batch_id: the batch in which that was seen.
        code: the reply code of each (RFC 5321, 4.2).
        status: the enhanced status code of each (RFC 3463), where there was one.
        refusals: how many there were.
        domains: to how many domains.
        probe_at: when one message is tried, unless a person resumes before.
    """

    kind = "mail_paused"
    batch_id: Subject[UUID]
    code: int
    status: str | None
    refusals: int
    domains: int
    probe_at: datetime


class MailResumed(MailEvent):
    """Mail goes on after a pause, by a person's word or since one message was taken.

    Attributes:
        paused_at: since when it had been paused.
    """

    kind = "mail_resumed"
    paused_at: datetime


# What people are told of


class DecisionAsked(CaseEvent):
    """An officer was asked for a dated fact without which a clause's clock has not started.

    Attributes:
        name: the dated fact.
        opens: from when on it was asked again, where it had been decided that it has not come about.
    """

    kind = "decision_asked"
    name: Subject[str]
    opens: datetime | None

    @property
    def key(self) -> str:
        return f"decision-asked:{self.case_id}:{self.name}:{self.opens}"


class ReminderSent(CaseEvent):
    """An officer was reminded of notices that wait for release.

    Attributes:
        clause: the clause they are under.
        due_at: when they are due.
        part: which part of their time was over.
        waiting: how many they are.
        lapses_at: when they leave nevertheless, where one person withheld them.
        internal_due_at: up to which internal date that part was counted, where it was.
    """

    kind = "reminder_sent"
    clause: Subject[str]
    due_at: datetime
    part: str
    waiting: int
    lapses_at: IfAny[datetime | None] = None
    internal_due_at: IfAny[datetime | None] = None

    @property
    def key(self) -> str:
        lapses = f":{self.lapses_at.isoformat()}" if self.lapses_at else ""
        internal = f":internal:{self.internal_due_at.isoformat()}" if self.internal_due_at else ""
        return f"reminder-sent:{self.case_id}:{self.clause}:{self.due_at.isoformat()}:{self.part}{lapses}{internal}"


class AcknowledgementAsked(CaseEvent):
    """An LEA was asked to acknowledge a notice that it was given.

    Attributes:
        notice_id: the notice.
        reminder: how many times it has been asked now.
        rejected: whether its mail server refused the message.
        unknown: whether nobody can say if the message arrived.
        message_sha256: the message.
    """

    kind = "acknowledgement_asked"
    notice_id: Subject[UUID]
    reminder: int
    rejected: bool
    unknown: bool
    message_sha256: Kept[str | None] = None

    @property
    def key(self) -> str:
        return f"acknowledgement-asked:{self.notice_id}:{self.reminder}"


class DutyEscalated(CaseEvent):
    """A duty that was not met in time, or whose notice no contact took, was raised to an officer.

    Attributes:
        duty_id: the duty.
        clause: the clause that sets it.
        overdue: whether its due instant had passed.
        happening: names it, since several may fall on one instant.
    """

    kind = "escalated"
    duty_id: Subject[UUID]
    clause: str
    overdue: bool
    happening: Apart[UUID] = Field(default_factory=uuid4, exclude=True)

    @property
    def key(self) -> str:
        return f"escalated:{self.happening}"


class InternalDatePassed(CaseEvent):
    """It was raised to people that the internal date of a duty had passed, which is still on time by its agreement.

    Attributes:
        duty_id: the duty.
        clause: the clause that sets it.
        internal_due_at: the internal date, a setting of the installation.
        due_at: when the duty is due.
    """

    kind = "internal_date_passed"
    duty_id: Subject[UUID]
    clause: str
    internal_due_at: datetime
    due_at: datetime

    @property
    def key(self) -> str:
        return f"internal-date-passed:{self.duty_id}:{self.internal_due_at.isoformat()}"


class ContactEscalated(CaseEvent):
    """A contact that refused a notice was raised to an officer.

    Attributes:
        delivery_id: the delivery that was refused.
        contact: the contact.
        happening: names it, since the same contact may fail again.
    """

    kind = "contact_escalated"
    delivery_id: Subject[UUID]
    contact: UUID
    happening: Apart[UUID] = Field(default_factory=uuid4, exclude=True)

    @property
    def key(self) -> str:
        return f"contact-escalated:{self.happening}"


class UnknownEscalated(CaseEvent):
    """A notice of which nobody can say whether it arrived, and that is not sent again, was raised to an officer.

    Attributes:
        delivery_id: the delivery of which nobody knows.
        contact: the contact.
        attempts: how many times it had been sent.
    """

    kind = "unknown_escalated"
    delivery_id: Subject[UUID]
    contact: UUID
    attempts: int

    @property
    def key(self) -> str:
        return f"unknown-escalated:{self.delivery_id}:{self.attempts}"


class CaseRestarted(CaseEvent):
    """The watchdog found that a case's workflow was gone, and started it again.

    Attributes:
        finding: what it found, as the officer is told.
    """

    kind = "case_restarted"
    finding: str

    @property
    def subject(self) -> str:
        return str(self.case_id)

    @property
    def key(self) -> str:
        return f"case-restarted:{self.case_id}:{self.at.isoformat()}"


class CasesBegunAnew(Event):
    """The database or Temporal was restored from a copy: every open case was started anew from what the database knows.

    Attributes:
        name: names the finding, so that it is seen to once.
        why: which of both was set back, or that a person said so.
        entries_before: how many entries the ledger had when it was last looked at, where it has fewer now.
        cases: how many cases were started.
        unknown: how many workflows were ended of whose cases the database does not know any more.
    """

    kind = "cases_begun_anew"
    name: Apart[str]
    why: SetBack
    entries_before: IfAny[int | None] = None
    cases: int
    unknown: int

    @property
    def key(self) -> str:
        return f"cases-begun-anew:{self.why.value}:{self.name}"


class WatchdogRaised(CaseEvent):
    """The watchdog found a batch of notices stuck, and told an officer.

    Attributes:
        batch_id: the batch.
        status: in which status it was stuck; each is raised once.
        finding: what it found, as the officer is told.
    """

    kind = "watchdog_raised"
    batch_id: Subject[UUID]
    status: BatchStatus
    finding: str

    @property
    def key(self) -> str:
        return f"watchdog-raised:{self.batch_id}:{self.status.value}"


class TroubleRaised(CaseEvent):
    """The watchdog found a case that does not go on, and told an officer.

    Attributes:
        trouble: what keeps it from going on.
        since: since when it was found so; each trouble is raised once.
        finding: what it found, as the officer is told.
    """

    kind = "trouble_raised"
    trouble: str
    since: datetime
    finding: str

    @property
    def subject(self) -> str | None:
        return str(self.case_id)

    @property
    def key(self) -> str:
        return f"watchdog-raised:{self.case_id}:{self.trouble}:{self.since.isoformat()}"


class PersonTold(Event):
    """A person of the installation was told something, or could not be, by one way.

    Attributes:
        message_id: names what was told, whoever was told it.
        about: what it was about, in a word.
        way: how.
        who: the account's name, ``organisation`` for its contact, or which of the alerts' addresses.
        outcome: what became of it.
        message_sha256: the mail; None for another way, and where none was handed over.
    """

    kind = "person_told"
    message_id: Subject[UUID]
    about: str
    way: Way
    who: str
    outcome: Told
    message_sha256: Kept[str | None] = None

    @property
    def key(self) -> str:
        return f"person-told:{self.message_id}:{self.way.value}:{self.who}:{self.outcome.value}"


class MailTested(Event):
    """A mail was about to be sent that tries out how mail leaves: it tells no party anything and performs nothing.

    Attributes:
        message_sha256: the message, marked as a test.
    """

    kind = "mail_tested"
    message_sha256: Kept[str]

    @property
    def key(self) -> str:
        return f"mail-tested:{self.message_sha256}"


class MailReported(Event):
    """Something came back about a mail that is no notice.

    Attributes:
        mail: the mail, by what its Message-ID names it by.
        sort: its template.
        belongs_to: what it belongs to: what a holder of data is asked, a notice, an agreement, a letter, a file.
        contact: the contact that it went to.
        who: whom of the installation it went to.
        attempt: which attempt it was, from 1.
        report_id: the report, by what its sender calls it.
        report: what it says.
        of_recipient: whether it is about the address that the mail was for; one that is not changes nothing.
        status: the enhanced status code, where it has one.
        via: the way it came.
        message_sha256: the mail as it was handed over.
        report_sha256: the report itself.
    """

    kind = "mail_reported"
    mail: Subject[UUID]
    sort: str
    belongs_to: IfAny[UUID | None] = None
    contact: IfAny[UUID | None] = None
    who: IfAny[str | None] = None
    attempt: int
    report_id: UUID
    report: ReportKind
    of_recipient: bool
    status: str | None
    via: str
    message_sha256: Kept[str | None] = None
    report_sha256: Kept[str]

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.report_id}"


class MailBounced(MailReported):
    """A mail that is no notice came back: it did not reach its address. Nothing about a duty changes by it."""

    kind = "mail_bounced"


# What LEAs answer


class AnswerEvent(CaseEvent):
    """An LEA answered a notice through its link.

    Attributes:
        notice_id: the notice.
        answer: the answer as SQL keeps it.
        said_sha256: what it said, with a salt; None where it said nothing of its own.
    """

    notice_id: Subject[UUID]
    answer: UUID
    said_sha256: Kept[str | None] = None

    @property
    def key(self) -> str:
        return f"answered:{self.answer}"


class DecisionGiven(AnswerEvent):
    """An LEA decided about the right that a notice offers it.

    Attributes:
        agreement_id: its agreement.
        ground: that on which it exercises the right, as the clause calls it.
        on: from which day it has effect, where the LEA named one.
    """

    agreement_id: UUID
    ground: IfAny[str | None] = None
    on: IfAny[date | None] = None


class NoObjection(DecisionGiven):
    """An LEA said that it does not exercise the right that a notice offers it."""

    kind = "no_objection"


class TerminationDeclared(DecisionGiven):
    """An LEA terminated its agreement in answer to a notice."""

    kind = "termination_declared"


class SilenceNoted(CaseEvent):
    """No decision came about the right that a notice offers. It is silence, and nobody's consent.

    Attributes:
        notice_id: the notice.
        days: how long it was waited for.
        default: the setting that this is from, since no clause gives it.
    """

    kind = "silence_noted"
    notice_id: Subject[UUID]
    days: int
    default: str

    @property
    def key(self) -> str:
        return f"silence-noted:{self.notice_id}"


class NoticeAcknowledged(AnswerEvent):
    """An LEA acknowledged a notice."""

    kind = "notice_acknowledged"


class QuestionAsked(AnswerEvent):
    """An LEA asked a question about a notice."""

    kind = "question_asked"


class FactSaid(AnswerEvent):
    """An LEA said that a dated fact has come about which the notice's clause lets its reader say."""

    kind = "fact_said"


class ContactNamed(AnswerEvent):
    """An LEA named another contact for notices."""

    kind = "contact_named"


class ReplyHandedOver(CaseEvent):
    """The answer to a question of an LEA was handed to the mail server, for who asked.

    Attributes:
        reply_id: the reply.
        answer: the question as SQL keeps it.
        message_sha256: the letter as it was sent.
        attempt: which attempt it was, from 1.
        outcome: what became of it.
        code: the mail server's, where it gave one.
    """

    kind = "reply_handed_over"
    reply_id: Subject[UUID]
    answer: UUID
    message_sha256: Kept[str]
    attempt: int
    outcome: Told
    code: IfAny[int | None] = None

    @property
    def key(self) -> str:
        return f"reply-handed-over:{self.reply_id}:{self.attempt}"


class OverdueTold(CaseEvent):
    """An officer's word that a duty is overdue was handed to the mail server, for one contact; it performs nothing.

    Attributes:
        letter: the letter.
        duty: the duty of which it tells.
        clause: the clause that sets it.
        due_at: when the duty was due.
        contact: to whom it went.
        is_copy: whether it was a copy.
        message_sha256: the letter as it was sent.
        attempt: which attempt it was, from 1.
        outcome: what became of it.
        code: the mail server's, where it gave one.
    """

    kind = "overdue_told"
    letter: UUID
    duty: Subject[UUID]
    clause: str
    due_at: IfAny[datetime | None] = None
    contact: UUID
    is_copy: bool
    message_sha256: Kept[str]
    attempt: int
    outcome: Told
    code: IfAny[int | None] = None

    @property
    def key(self) -> str:
        return f"overdue-told:{self.letter}:{self.attempt}"


class OverdueLetterDropped(CaseEvent):
    """Word that a duty is overdue did not leave: it was no longer so, or was kept back, when its turn came.

    Attributes:
        letter: the letter.
        duty: the duty of which it would have told.
        clause: the clause that sets it.
        status: how the duty stood by then.
    """

    kind = "overdue_letter_dropped"
    letter: UUID
    duty: Subject[UUID]
    clause: str
    status: DutyStatus

    @property
    def key(self) -> str:
        return f"overdue-letter-dropped:{self.letter}"


class ContactAdopted(CaseEvent):
    """A contact that an LEA named was taken into its agreement.

    Attributes:
        agreement_id: the agreement.
        answer: the answer that named it.
        contact: the new contact.
        role: what it is a contact for.
    """

    kind = "contact_adopted"
    agreement_id: Subject[UUID]
    answer: UUID
    contact: UUID
    role: ContactRole

    @property
    def key(self) -> str:
        return f"contact-adopted:{self.answer}"


class AnswerSettled(CaseEvent):
    """An officer dealt with an answer.

    Attributes:
        notice_id: the notice that was answered.
        answer: the answer.
    """

    kind = "answer_settled"
    notice_id: Subject[UUID]
    answer: UUID

    @property
    def key(self) -> str:
        return f"answer-settled:{self.answer}"


# The links in notices


class LinkEvent(CaseEvent):
    """Something was done with the links of one party under an agreement.

    Attributes:
        agreement_id: the agreement.
        notices: the notices that the links belong to.
        reason_sha256: why, in a person's words.
    """

    agreement_id: Subject[UUID]
    notices: tuple[UUID, ...]
    reason_sha256: Kept[str]

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.case_id}:{self.agreement_id}:{self.at.isoformat()}"


class LinksReplaced(LinkEvent):
    """Links were replaced: the earlier ones open nothing any more. That new ones were mailed is an entry of its own."""

    kind = "links_replaced"


class LinksRevoked(LinkEvent):
    """Links were taken back: they open nothing any more, and there are no others."""

    kind = "links_revoked"


class LinksMailed(CaseEvent):
    """New links were handed to the mail server of a contact.

    Attributes:
        agreement_id: the agreement.
        contact: the contact.
        rejected: whether the server refused them.
        unknown: whether nobody can say if it took them.
        message_sha256: the message.
    """

    kind = "links_mailed"
    agreement_id: Subject[UUID]
    contact: UUID
    rejected: bool
    unknown: bool
    message_sha256: Kept[str]

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.agreement_id}:{self.message_sha256}"


# Holders of data, and legal holds


class SubprocessorsImported(Event):
    """A file of the subprocessors that hold data was taken in.

    Attributes:
        added: how many it added.
        changed: how many it changed.
        file_sha256: the file.
    """

    kind = "subprocessors_imported"
    added: int
    changed: int
    file_sha256: Kept[str]

    @property
    def key(self) -> str:
        return f"subprocessors-imported:{self.file_sha256}:{self.at.isoformat()}"


class SubprocessorRemoved(Event):
    """A subprocessor was taken off the list: cases that begin later do not ask it.

    Attributes:
        subprocessor: the subprocessor.
    """

    kind = "subprocessor_removed"
    subprocessor: Subject[UUID]

    @property
    def key(self) -> str:
        return f"subprocessor-removed:{self.subprocessor}"


class LegalHoldEvent(Event):
    """A decision about data that has to be kept.

    Attributes:
        hold: the decision.
        agreement: whose data it keeps; left out where it is that of all agreements.
        reason_sha256: why.
    """

    hold: Subject[UUID]
    agreement: IfAny[UUID | None] = None
    reason_sha256: Kept[str]

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.hold}"


class LegalHoldPlaced(LegalHoldEvent):
    """Data is to be kept until somebody lifts this."""

    kind = "legal_hold_placed"


class LegalHoldLifted(LegalHoldEvent):
    """Data need not be kept for this reason any more."""

    kind = "legal_hold_lifted"


class HolderEvent(CaseEvent):
    """Something happened between us and a holder of data that is to confirm its disposal.

    Attributes:
        task: what the holder is asked.
        contact: the holder; left out where it is the party that owes the disposal.
    """

    task: Subject[UUID]
    contact: IfAny[UUID | None] = None


class HolderWritten(HolderEvent):
    """A holder was written to.

    Attributes:
        mail: why.
        step: how far the ladder of reminders had come.
        link: which of its links the message holds; left out where it holds none.
        message_sha256: the message.
        rejected: whether its mail server refused the message.
        unknown: whether nobody can say if the message arrived.
    """

    kind = "holder_written"
    mail: HolderMail
    step: int
    link: IfAny[int | None] = None
    message_sha256: Kept[str]
    rejected: bool
    unknown: bool

    @property
    def key(self) -> str:
        return f"holder-written:{self.task}:{self.mail}:{self.message_sha256}"


class HolderAnswered(HolderEvent):
    """A holder answered, through its link or by somebody who recorded its word.

    Attributes:
        answer: the answer as SQL keeps it.
        answer_kind: what sort of answer.
        performed: the duties that it performed, each with its verdict.
        early: that the data went before it might; left out where it did not.
        said_sha256: what it said.
        receipt_sha256: the completion certificate that its signer was given.
        files_sha256: the files that came with it.
    """

    kind = "holder_answered"
    answer: UUID
    answer_kind: HolderAnswerKind
    performed: tuple[str, ...] = ()
    early: IfAny[bool | None] = None
    said_sha256: Kept[str]
    receipt_sha256: Kept[str]
    files_sha256: Apart[tuple[str, ...]] = ()

    @property
    def artifacts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.said_sha256, self.receipt_sha256, *self.files_sha256)))

    @property
    def key(self) -> str:
        return f"holder-answered:{self.answer}"


class HolderRefused(HolderEvent):
    """Somebody tried to answer through a link of a holder that takes no answer any more; noted once a day.

    Attributes:
        reason: why, in a word.
    """

    kind = "holder_refused"
    reason: str

    @property
    def key(self) -> str:
        return f"holder-refused:{self.task}:{self.reason}:{self.at:%Y-%m-%d}"


class HoldersConfirmed(CaseEvent):
    """Every holder of an agreement's data has confirmed or was excused, and the confirmation for the LEA was written.

    Attributes:
        agreement: the agreement.
        document: the confirmation as SQL keeps it.
        content_sha256: its file.
    """

    kind = "holders_confirmed"
    agreement: Subject[UUID]
    document: UUID
    content_sha256: Kept[str]

    @property
    def key(self) -> str:
        return f"holders-confirmed:{self.document}"


# Documents for families, and costs


class DocumentEvent(CaseEvent):
    """Something was done with a document for families.

    Attributes:
        document_id: the document.
        element: the content element that it gives.
        agreement: whose it is; left out where it is for all.
        content_sha256: the file.
        occurrence: names this occurrence: the same document can be added, fetched and withdrawn many times, and no
            activity that is tried again does so.
    """

    document_id: Subject[UUID]
    element: str
    agreement: IfAny[UUID | None]
    content_sha256: Kept[str]
    occurrence: Apart[UUID] = Field(default_factory=uuid4)

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.document_id}:{self.occurrence}"


class DocumentAdded(DocumentEvent):
    """A document for families was added."""

    kind = "document_added"


class SignaturesExamined(CaseEvent):
    """A document's signatures were looked at before it was taken.

    Attributes:
        document_id: the document.
        signatures: how many digital signatures it carries.
        integrity: what was found of them. That their certificates are the signers' is never said.
        attested: whether the actor said who signed it.
        found_sha256: signers, instants and certificates, and who is said to have signed, with a salt.
    """

    kind = "signatures_examined"
    document_id: Subject[UUID]
    signatures: int
    integrity: SignatureIntegrity
    attested: bool
    found_sha256: Kept[str]

    @property
    def key(self) -> str:
        return f"signatures-examined:{self.document_id}:{self.found_sha256}"


class DocumentWithdrawn(DocumentEvent):
    """A document for families was withdrawn: no link leads to it any more."""

    kind = "document_withdrawn"


class DocumentFetched(DocumentEvent):
    """The holder of a notice's link fetched a document.

    Attributes:
        notice: the notice whose link it was.
    """

    kind = "document_fetched"
    notice: UUID


class FileEvent(CaseEvent):
    """Something happened to a file that was handed to an LEA.

    Attributes:
        handed_over: what was handed over.
        link: the number of its link.
        occurrence: names this occurrence, since the same can happen to a file many times.
    """

    handed_over: Subject[UUID]
    link: int
    occurrence: Apart[UUID] = Field(default_factory=uuid4)

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.handed_over}:{self.occurrence}"


class FileHandedOver(FileEvent):
    """A file was made ready for an LEA behind a protected link.

    Attributes:
        agreement: whose LEA it is.
        contact: to whom the link goes.
        erase_at: when it is erased.
        content_sha256: the file.
    """

    kind = "file_handed_over"
    agreement: UUID
    contact: UUID
    erase_at: datetime
    content_sha256: Kept[str]


class FileLinkMailed(FileEvent):
    """The mail with the link to a file was handed to the mail server; the message is kept without the link.

    Attributes:
        contact: to whom.
        rejected: whether its mail server refused it.
        unknown: whether nobody can say if it arrived.
        message_sha256: the message.
    """

    kind = "file_link_mailed"
    contact: UUID
    rejected: bool
    unknown: bool
    message_sha256: Kept[str]


class FileLinkRevoked(FileEvent):
    """The link to a file was taken back: it opens nothing any more.

    Attributes:
        reason_sha256: why.
    """

    kind = "file_link_revoked"
    reason_sha256: Kept[str]


class FileFetched(FileEvent):
    """Whoever has the link to a file fetched it.

    Attributes:
        content_sha256: the file.
    """

    kind = "file_fetched"
    content_sha256: Kept[str]


class FileErased(FileEvent):
    """The time of a file was over and its bytes were erased; what its SHA-256 is in evidence stays.

    Attributes:
        content_sha256: the file that is no longer kept.
    """

    kind = "file_erased"
    content_sha256: Kept[str]


READING_SPAN = timedelta(hours=12)
"""Within so long, what one person reads of a case is one entry for each thing: from midnight or noon on, UTC."""


class CaseRead(CaseEvent):
    """Somebody read a case, or fetched something of it; the same person and thing within ``READING_SPAN`` is one entry.

    Attributes:
        what: what was read.
        thing: which one, where there are several: its id, or its SHA-256.
        authenticated: how it was shown who reads, where that is known.
        content_sha256: the artifact, where it was one.
    """

    kind = "case_read"
    what: Reading
    thing: Subject[str | None] = None
    authenticated: IfAny[Authentication | None] = None
    content_sha256: Kept[str | None] = None

    @property
    def key(self) -> str:
        span = int(self.at.timestamp() // READING_SPAN.total_seconds())
        return f"case-read:{self.case_id}:{self.what}:{self.thing}:{self.actor}:{span}"


class ErasureEvent(CaseEvent):
    """Something about a proposal that the personal data of a case be erased.

    Attributes:
        erasure: the proposal.
        authenticated: how it was shown who did it, where that is known.
    """

    erasure: Subject[UUID]
    authenticated: IfAny[Authentication | None] = None

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.erasure}"


class ErasureProposed(ErasureEvent):
    """Somebody proposed that the personal data of a closed case be erased; a second person decides it.

    Attributes:
        reason_sha256: why.
    """

    kind = "erasure_proposed"
    reason_sha256: Kept[str]


class ErasureDeclined(ErasureEvent):
    """A second person declined to erase the personal data of a case, or who had proposed it took that back."""

    kind = "erasure_declined"


class CaseErased(ErasureEvent):
    """The key of a case was destroyed, and with it its personal data; who did it is the second person.

    Attributes:
        proposed_by: who had proposed it.
        kept_until: the instant up to which it had to be kept.
        kept_by: the rule that said so, in words.
        erased: how many artifacts went.
        erased_sha256: the list of them, one SHA-256 a line.
        reason_sha256: why.
    """

    kind = "case_erased"
    proposed_by: str
    kept_until: datetime
    kept_by: str
    erased: int
    erased_sha256: Kept[str]
    reason_sha256: Kept[str]


class CostRecorded(CaseEvent):
    """An amount was recorded that an agreement makes the provider bear.

    Attributes:
        agreement_id: the agreement.
        cost: the amount as SQL keeps it.
        cents: how much, in hundredths of the currency; negative where an amount is taken back.
        currency: by its code (ISO 4217).
        receipt_sha256: the receipt, if there is one.
    """

    kind = "cost_recorded"
    agreement_id: Subject[UUID]
    cost: UUID
    cents: int
    currency: str
    receipt_sha256: Kept[str | None] = None

    @property
    def key(self) -> str:
        return f"cost-recorded:{self.cost}"


def stored_kinds() -> frozenset[str]:
    """Every word that an entry's ``kind`` can be, as far as this version knows them."""
    classes, kinds = [Event], set[str]()
    while classes:
        one = classes.pop()
        classes += one.__subclasses__()
        if "kind" in vars(one):
            kinds.add(one.kind)
    acts = {act.act_name() for kind in KINDS.values() for act in kind.all_acts}
    return frozenset(kinds - {ActRecorded.kind} | {f"{ActRecorded.kind}.{name}" for name in acts})
