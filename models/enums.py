"""The closed vocabularies of the engine: what a duty, a case, a notice or a delivery can be.

Open vocabularies (forms, states, clauses, anchors, content elements) are data under ``config/clauses/``.
"""

from __future__ import annotations

from enum import StrEnum


class Party(StrEnum):
    """Who owes a duty, is owed one, or has to confirm one: the two sides of an agreement, and those around them.

    A subprocessor holds student data for the provider. A parent stands for a guardian and an eligible student too; an
    agency is a public body other than the LEA; families are all the students, parents and guardians concerned.
    """

    PROVIDER = "provider"
    LEA = "lea"
    SUBPROCESSOR = "subprocessor"
    PARENT = "parent"
    AGENCY = "agency"
    FAMILIES = "families"


SIDES = frozenset({Party.PROVIDER, Party.LEA})
"""The parties that sign an agreement, and whose contacts it names."""


class PerformedBy(StrEnum):
    """What performs a duty, as its clause has it: what has to happen before the duty may be called performed."""

    NOTICE = "notice"
    """A notice sent: the clause asks that somebody be told, and no more."""
    CONFIRMATION = "confirmation"
    """The word of each holder of the data that it was done; what is merely sent performs nothing."""
    DOCUMENT = "document"
    """A document given: a list, a report."""
    ACT = "act"
    """Something done, recorded with proof of it."""
    TIME = "time"
    """The passing of time: at the due instant what the clause says comes about by itself."""


class ContactRole(StrEnum):
    """What a party's contact is named for in the agreement."""

    GENERAL = "general"
    SECURITY = "security"
    COPY_TO = "copy_to"


class PostalService(StrEnum):
    """By which service a letter was posted (USPS Domestic Mail Manual; certified is an extra of first-class, 503.3)."""

    FIRST_CLASS = "first_class"
    FIRST_CLASS_CERTIFIED = "first_class_certified"
    PRIORITY = "priority"
    PRIORITY_EXPRESS = "priority_express"
    COURIER = "courier"


class WrittenAnew(StrEnum):
    """Why a letter that waited to be posted was replaced by another."""

    CONTENT = "content"
    """What it says is no longer what is known."""
    ADDRESS = "address"
    """It would go to another address, or to somebody else."""
    LINK = "link"
    """The link in it was replaced or taken back."""
    EARLIER = "earlier"
    """An earlier one, which had been printed, was posted instead."""


class AgreementChangeKind(StrEnum):
    """What was recorded of the life of an agreement."""

    TERMINATED = "terminated"
    RENEWED = "renewed"
    """It lasts until another day."""
    RENEWAL_EXPECTED = "renewal_expected"
    """The LEA gave notice that it reasonably anticipates to renew."""
    RENEWAL_FAILED = "renewal_failed"
    """The renewal that was expected does not come."""


class LifeAct(StrEnum):
    """What somebody may record of the life of an agreement."""

    TERMINATE = "terminate"
    RENEW = "renew"
    EXPECT_RENEWAL = "expect-renewal"
    RENEWAL_FAILED = "renewal-failed"
    TAKE_BACK = "take-back"


class EndedBy(StrEnum):
    """Who terminated an agreement."""

    LEA = "lea"
    PROVIDER = "provider"
    BOTH = "both"
    """By consent of both parties."""


class CaseStatus(StrEnum):
    """Where a case stands."""

    REPORTED = "reported"
    OPEN = "open"
    DISMISSED = "dismissed"
    CLOSED = "closed"


class DutyStatus(StrEnum):
    """Where one duty stands; being overdue is a fact about a running duty, not a status."""

    PENDING = "pending"
    RUNNING = "running"
    SUSPENDED = "suspended"
    PERFORMED = "performed"
    NOT_REQUIRED = "not_required"
    CANCELLED = "cancelled"
    ELAPSED = "elapsed"
    """Nobody did anything: the time ran out after which the clause says that something holds."""


OPEN_STATUSES = frozenset({DutyStatus.PENDING, DutyStatus.RUNNING, DutyStatus.SUSPENDED})


class Verdict(StrEnum):
    """How a performed duty met its due instant; frozen at the first performance.

    What two people say was done by other means than the engine's never reads like what the engine saw itself; nor does
    what a letter performed, of which one person says that it was posted, or a mail of which one says that it arrived.
    """

    ON_TIME = "on_time"
    LATE = "late"
    ON_TIME_BY_OTHER_MEANS = "on_time_by_other_means"
    LATE_BY_OTHER_MEANS = "late_by_other_means"
    ON_TIME_BY_POST = "on_time_by_post"
    LATE_BY_POST = "late_by_post"
    ON_TIME_AS_VOUCHED = "on_time_as_vouched"
    LATE_AS_VOUCHED = "late_as_vouched"


SEEN = Verdict.ON_TIME, Verdict.LATE
"""The verdicts on what the engine saw, or a holder's word or an act did: on time, and late. So the others."""
BY_OTHER_MEANS = Verdict.ON_TIME_BY_OTHER_MEANS, Verdict.LATE_BY_OTHER_MEANS
BY_POST = Verdict.ON_TIME_BY_POST, Verdict.LATE_BY_POST
AS_VOUCHED = Verdict.ON_TIME_AS_VOUCHED, Verdict.LATE_AS_VOUCHED

ON_TIME_ON_A_WORD = frozenset(on_time for on_time, _ in (BY_OTHER_MEANS, BY_POST, AS_VOUCHED))
TOO_LATE = frozenset(late for _, late in (SEEN, BY_OTHER_MEANS, BY_POST, AS_VOUCHED))


class NoticeKind(StrEnum):
    """Why a notice is sent."""

    NOTICE = "notice"
    SUPPLEMENT = "supplement"
    DISMISSAL = "dismissal"


class BatchStatus(StrEnum):
    """Where one batch of notices stands."""

    WAITING = "waiting"
    SENDING = "sending"
    PUT_OFF = "put_off"
    """Some of its messages were deferred, or may have been lost; they are tried again at a moment of their own."""
    SENT = "sent"
    WITHHELD = "withheld"
    CANCELLED = "cancelled"


class DeliveryStatus(StrEnum):
    """What became of one notice to one contact; ``mail.delivery_states`` says what each leads to, and by what."""

    RESERVED = "reserved"
    """It has a place in the outbox and a message; nothing of it was handed over."""
    UNDER_WAY = "under_way"
    """Its content is being handed over: if the worker stops now, nobody can say whether it arrived."""
    UNDER_WAY_AGAIN = "under_way_again"
    """The same, of a message that may have arrived before."""
    DEFERRED = "deferred"
    """Its mail server does not take it now; it is tried again at a moment of its own."""
    PASSED_OVER = "passed_over"
    """Its turn comes once it is nobody else's: it was deferred again and again, or is to be told after all."""
    UNKNOWN = "unknown"
    """The connection was lost, or the worker stopped, after its content: nobody can say whether it arrived."""
    ACCEPTED = "accepted"
    """The mail server took it."""
    REJECTED = "rejected"
    """The mail server refused it for good."""
    DELIVERED = "delivered"
    """A report says that it reached the mailbox."""
    ACKNOWLEDGED = "acknowledged"
    """Its reader confirmed it by its link."""
    VOUCHED = "vouched"
    """A person vouches that it arrived; its mail server never said so."""
    BOUNCED = "bounced"
    """It was accepted and came back."""
    DROPPED = "dropped"
    """It never left: what it says was no longer so when its turn came."""


class ReportKind(StrEnum):
    """What came back about a message that had been handed over, whoever said it and in whatever form."""

    FAILED = "failed"
    """It was not delivered, and is not tried again (RFC 3464, 2.3.3)."""
    DELAYED = "delayed"
    """It was not delivered yet, and is tried again."""
    DELIVERED = "delivered"
    """It was delivered to the mailbox; nobody need have read it."""
    RELAYED = "relayed"
    """It was handed on to a server that reports nothing."""
    EXPANDED = "expanded"
    """It was handed on to the members of a list."""
    COMPLAINT = "complaint"
    """Its reader called it spam (RFC 5965)."""
    AUTO_REPLY = "auto_reply"
    """A machine answered it, as where somebody is out of office (RFC 3834): neither a bounce nor an answer."""
    UNCLEAR = "unclear"
    """Something came back that no program understands: a person reads it."""


class BounceEffect(StrEnum):
    """What it meant for its notice that a message came back."""

    REOPENED = "reopened"
    """The notice was not given after all: the duties that it had performed are owed again."""
    NOT_GIVEN = "not_given"
    """Nothing had been given by it yet."""
    ANOTHER_STANDS = "another_stands"
    """The notice reached another contact too."""
    ANSWERED = "answered"
    """The party told has answered the notice, so it has it."""
    VOUCHED = "vouched"
    """A person had said that it arrived, and that stands."""
    EFFECTIVE_WHEN_SENT = "effective_when_sent"
    """By the agreement's terms an e-mail takes effect when it is sent."""
    COPY = "copy"
    """It was a copy, which performs nothing."""
    SETTLED_BEFORE = "settled_before"
    """What became of this attempt was known, or another one arrived since."""


class Reading(StrEnum):
    """What somebody read of a case."""

    CASE = "case"
    """All that is known of it, with the first of its evidence."""
    EVIDENCE = "evidence"
    MESSAGE = "message"
    """A notice or a letter, as it was sent."""
    PROPOSAL = "proposal"
    PROOF = "proof"
    DOCUMENT = "document"
    RECEIPT = "receipt"
    CERTIFICATE = "certificate"
    """The completion certificate of who confirmed a disposal."""
    FILE = "file"
    """A file that was handed over."""
    HISTORY = "history"
    """What Temporal keeps of its workflow, beside the ledger."""


class LedgerState(StrEnum):
    """What the last check of the ledger found."""

    INTACT = "intact"
    NOT_INTACT = "not_intact"
    """An entry, an artifact or a row of a table is not what it was."""
    NOT_CHECKED = "not_checked"
    """It could not be checked."""


class SetBack(StrEnum):
    """Why every case began anew: one of the two that remember cases remembers less than the other."""

    DATABASE = "database"
    """It was restored from a copy: the ledger has fewer entries than it had."""

    TEMPORAL = "temporal"
    """It was restored from a copy, or another server took its place: it does not know the last sweep."""

    SAID = "said"
    """A person said that one of them was restored."""


class Way(StrEnum):
    """How people of the installation are told something."""

    MAIL = "mail"
    ALERT = "alert"
    """Chat, SMS, a pager: whatever the settings name besides mail."""


class Told(StrEnum):
    """What became of telling one person, or by one way."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    FAILED = "failed"
    """It could not be tried, or went through to nobody; it may be tried again."""


class ProposalKind(StrEnum):
    """What one person proposes and a second one decides."""

    NOT_REQUIRED = "not_required"
    """That a clause asks for no notice, on one of its grounds."""
    DONE = "done"
    """That duties were performed by other means than the engine's: on somebody's word, with proof."""
    WITHHOLD = "withhold"
    """That notices stay back past their due instant."""
    WAIVER = "waiver"
    """That nobody waits any more for a holder of data to confirm its disposal."""


class FactStatus(StrEnum):
    """What is known of one content element."""

    KNOWN = "known"
    IMPOSSIBLE = "impossible"


class AnswerKind(StrEnum):
    """What an LEA answered to a notice through its link."""

    ACKNOWLEDGED = "acknowledged"
    QUESTION = "question"
    OTHER_CONTACT = "other_contact"
    NO_OBJECTION = "no_objection"
    """It does not exercise the right that the notice offers."""
    TERMINATES = "terminates"
    """It terminates the agreement, as the clause that the notice offers lets it."""
    FACT = "fact"
    """That a dated fact has come about which its clause lets the notice's reader say, as an expected renewal."""


EXERCISES = frozenset({AnswerKind.TERMINATES})
"""The answers by which a party exercises a right."""

DECISIONS = frozenset({AnswerKind.NO_OBJECTION, *EXERCISES})
"""The answers that decide what a notice asks."""


class SignatureIntegrity(StrEnum):
    """What was found of a document's digital signatures; one that is broken is not taken."""

    INTACT = "intact"
    """They are intact, and the last one covers the whole document."""
    NOT_WHOLE = "not_whole"
    """They are intact, and something was added to the document after the last one."""
    NONE = "none"
    """There is none."""


class HolderStatus(StrEnum):
    """Where what is asked of one holder of the data stands."""

    OPEN = "open"
    ANSWERED = "answered"
    """It gave no certificate, but said something that an officer has to decide about."""
    CONFIRMED = "confirmed"
    HOLDS_NOTHING = "holds_nothing"
    """It said that it holds nothing, and an officer accepted that."""
    WAIVED = "waived"
    """Two people decided that nobody waits for it."""
    WITHDRAWN = "withdrawn"
    """It is not asked any more: nothing is owed that its word would perform."""


SETTLED = frozenset({HolderStatus.CONFIRMED, HolderStatus.HOLDS_NOTHING, HolderStatus.WAIVED, HolderStatus.WITHDRAWN})
"""Where nothing is awaited from a holder any more."""


class HolderAnswerKind(StrEnum):
    """What a holder answered through its link."""

    CERTIFICATE = "certificate"
    HOLDS_NOTHING = "holds_nothing"
    MORE_TIME = "more_time"
    DECLINED = "declined"


class Sanitization(StrEnum):
    """How data was made unreadable (NIST SP 800-88 Rev. 2)."""

    CLEAR = "clear"
    PURGE = "purge"
    DESTROY = "destroy"
    CRYPTOGRAPHIC_ERASE = "cryptographic-erase"
    """A purge that destroys the keys under which the data was encrypted."""


class HolderMail(StrEnum):
    """Why a holder is written to."""

    ASKED = "asked"
    REMINDED = "reminded"
    REFUSED = "refused"
    """Its answer was not accepted, and it is asked again."""
    MOVED = "moved"
    """What was asked is due at another instant."""
    STOPPED = "stopped"
    """Something keeps the data, as a legal hold does: nothing may be disposed of."""
    RESUMED = "resumed"
    """Nothing keeps the data any more."""
    WITHDRAWN = "withdrawn"
    """Nothing is asked any more: what was asked before is taken back."""
    UNDECIDED = "undecided"
    """The provider: the directive waits for an officer's acceptance."""
    OTHERS_MISSING = "others_missing"
    """The provider: other holders have not confirmed."""
    DIRECTED = "directed"
    """The provider, where an LEA chases it: the directive itself."""
    RECEIPT = "receipt"
    """The completion certificate of what its holder answered."""


class Role(StrEnum):
    """What an account is for; ``web/rights.py`` says what each may do."""

    OFFICER = "officer"
    APPROVER = "approver"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"
    PROGRAM = "program"
    """Another program of the organisation, as what watches its systems: it reports, and nothing else."""


class Authentication(StrEnum):
    """How it was shown who somebody is."""

    ONE_TIME_LINK = "one_time_link"
    PASSWORD = "password"  # noqa: S105 (a word of the vocabulary, no secret)
    PASSWORD_AND_TOTP = "password_and_totp"  # noqa: S105
    PASSKEY = "passkey"
    OPENID_CONNECT = "openid_connect"
    API_TOKEN = "api_token"  # noqa: S105
    COMMAND_LINE = "command_line"


class ChallengePurpose(StrEnum):
    """What a browser was given a challenge for."""

    ADD_PASSKEY = "add_passkey"
    PASSKEY = "passkey"
    OPENID_CONNECT = "openid_connect"
