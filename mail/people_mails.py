"""What the people of the installation are told: the facts of each sort of mail, and which of them an alert may name."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar

from pydantic import AfterValidator, AwareDatetime, NonNegativeInt

from mail.facts import FactsValue, clean_line
from mail.plain import AlertFacts
from models.enums import SetBack

Text = Annotated[str, AfterValidator(clean_line)]
"""Text on one line, which may be empty: nothing that is to be told waits for a name."""


class NeedLine(FactsValue):
    """One line of what needs the reader, with the address of its page; without a case, it is about all of them."""

    case_reference: Text | None
    until: AwareDatetime | None
    overdue: bool
    says: Text
    link: Text


class PeopleFacts(AlertFacts):
    """What every such mail says.

    Attributes:
        page: the address of the page on which it is seen to.
        needs: the first of what needs its reader.
        needs_total: how much that is on the whole.
        needs_more: how much of it is not among ``needs``.
        home: the address of the page that has all of it.
    """

    frame = "people/frame.j2"

    page: Text = ""
    needs: tuple[NeedLine, ...] = ()
    needs_total: NonNegativeInt = 0
    needs_more: NonNegativeInt = 0
    home: Text = ""

    @property
    def hides_links(self) -> bool:
        """As every reader could answer for the party that was told."""
        return True


class CaseFacts(PeopleFacts):
    """What is told of one case."""

    must_say: ClassVar[tuple[str, ...]] = ("case_reference", "page")
    in_alert: ClassVar[tuple[str, ...]] = ("case_reference",)

    case_reference: Text


class Reminder(CaseFacts):
    """Notices wait for a release.

    Attributes:
        fraction: which part of their time is over.
        internal_due_at: the internal date, where there is one.
        internal_passed: whether it has passed.
        last_moment: whether the clause asks for them as soon as they can be given.
        leas: whom they are for; ``more`` are not named.
    """

    template = "people/reminder"
    must_say = ("case_reference", "notices", "clause", "due_at", "internal_due_at", "page")
    in_alert = ("case_reference", "notices", "due_at")

    notices: NonNegativeInt
    clause: Text
    due_at: AwareDatetime
    fraction: float
    internal_due_at: AwareDatetime | None = None
    internal_passed: bool = False
    last_moment: bool = False
    leas: tuple[Text, ...] = ()
    more: NonNegativeInt = 0


class Lapse(CaseFacts):
    """Notices that one person withheld leave soon."""

    template = "people/lapse"
    must_say = ("case_reference", "notices", "clause", "due_at", "lapses_at", "page")
    in_alert = ("case_reference", "notices", "lapses_at")

    notices: NonNegativeInt
    clause: Text
    due_at: AwareDatetime
    lapses_at: AwareDatetime
    leas: tuple[Text, ...] = ()
    more: NonNegativeInt = 0


class Decision(CaseFacts):
    """A decision is asked for without which a clock has not started; ``asked`` is the dated fact, in words."""

    template = "people/decision"
    must_say = ("case_reference", "asked", "page")

    asked: Text


class Unknown(CaseFacts):
    """Nobody can say whether some notices arrived."""

    template = "people/unknown"
    must_say = ("case_reference", "notices", "leas", "page")
    in_alert = ("case_reference", "notices")

    notices: NonNegativeInt
    leas: tuple[Text, ...] = ()
    more: NonNegativeInt = 0


class Contacts(CaseFacts):
    """Contacts refused a notice, or let one come back (``came_back``)."""

    template = "people/contacts"
    must_say = ("case_reference", "contacts", "leas", "page")
    in_alert = ("case_reference", "contacts", "came_back")

    contacts: NonNegativeInt
    came_back: bool
    leas: tuple[Text, ...] = ()
    more: NonNegativeInt = 0


class DraftsLeft(FactsValue):
    """Notices under one clause that are overdue and wait for a person, and when they go out by themselves."""

    notices: NonNegativeInt
    clause: Text
    leaves_at: AwareDatetime


class Overdue(CaseFacts):
    """Duties are overdue, late or undelivered; ``letters`` wait to be posted."""

    template = "people/overdue"
    must_say = ("case_reference", "duties", "drafts", "leas", "page")
    in_alert = ("case_reference", "duties")

    duties: NonNegativeInt
    drafts: tuple[DraftsLeft, ...] = ()
    letters: NonNegativeInt = 0
    leas: tuple[Text, ...] = ()
    more: NonNegativeInt = 0


class InternalDate(CaseFacts):
    """Duties are past their internal dates, and not overdue."""

    template = "people/internal_date"
    must_say = ("case_reference", "duties", "leas", "page")
    in_alert = ("case_reference", "duties")

    duties: NonNegativeInt
    leas: tuple[Text, ...] = ()
    more: NonNegativeInt = 0


class Found(FactsValue):
    """One thing that the watchdog found."""

    case_reference: Text
    finding: Text


class Stuck(PeopleFacts):
    """The watchdog found cases stuck; ``case_reference`` is given where it is one."""

    template = "people/stuck"
    must_say = ("found", "pages", "page")
    in_alert = ("cases", "case_reference")

    cases: NonNegativeInt
    case_reference: Text | None = None
    found: tuple[Found, ...]
    more: NonNegativeInt = 0
    pages: tuple[Text, ...] = ()


class Restored(PeopleFacts):
    """The database or Temporal was restored from a copy, and every open case began anew (``cases``).

    Of ``unknown`` cases the database does not know any more. ``entries_before`` is how many entries the ledger had when
    it was last looked at, where it has fewer now: ``entries``.
    """

    template = "people/restored"
    must_say = ("page",)
    in_alert = ("why",)

    why: SetBack
    entries: NonNegativeInt
    entries_before: NonNegativeInt | None = None
    cases: NonNegativeInt
    unknown: NonNegativeInt


class EndingTermLine(FactsValue):
    """A term that runs out by itself."""

    reference: Text
    day: date
    title: Text


class Terms(PeopleFacts):
    """Terms end soon; agreements by their references alone."""

    template = "people/terms"
    must_say = ("ends", "terms", "page")
    in_alert = ("ends",)

    ends: NonNegativeInt
    terms: tuple[EndingTermLine, ...]
    more: NonNegativeInt = 0


class HoldersReminded(CaseFacts):
    """Holders of data were reminded; ``share`` of the time is over."""

    template = "people/holders_reminded"
    must_say = ("case_reference", "holders", "names", "page")
    in_alert = ("case_reference", "holders")

    holders: NonNegativeInt
    share: float
    names: tuple[Text, ...]


class HoldersUnreached(CaseFacts):
    """Holders of data cannot be written to, as their mail servers refused it."""

    template = "people/holders_unreached"
    must_say = ("case_reference", "holders", "names", "page")
    in_alert = ("case_reference", "holders")

    holders: NonNegativeInt
    names: tuple[Text, ...]


class CameBack(FactsValue):
    """One mail that came back: its ``sort`` is its template, ``says`` what the mail server said, without addresses."""

    sort: Text
    to: Text
    says: Text


class MailBack(PeopleFacts):
    """Mails that are no notices came back, of one case or of none."""

    template = "people/mail_back"
    must_say = ("count", "case_reference", "names", "page")
    computed = ("names",)
    in_alert = ("count", "case_reference")

    @property
    def names(self) -> tuple[str, ...]:
        """Whom they were for."""
        return tuple(mail.to for mail in self.mails)

    count: NonNegativeInt
    case_reference: Text | None = None
    mails: tuple[CameBack, ...]


class LockedAccount(FactsValue):
    """An account that takes no password for a while."""

    name: Text
    until: AwareDatetime


class Locked(PeopleFacts):
    """Somebody tries passwords."""

    template = "people/locked"
    must_say = ("accounts", "page")
    in_alert = ("count",)

    count: NonNegativeInt
    accounts: tuple[LockedAccount, ...]


class BrokenSeals(PeopleFacts):
    """What is sealed in the database was changed; ``places`` name where, and ``more`` are not named."""

    template = "people/broken_seals"
    must_say = ("places", "page")
    in_alert = ("values",)

    values: NonNegativeInt
    places: tuple[Text, ...]
    more: NonNegativeInt = 0


class LedgerAmiss(PeopleFacts):
    """The ledger's check found something amiss, which ``says`` tells, or could not be done (not ``checked``)."""

    template = "people/ledger_amiss"
    must_say = ("says", "page")
    in_alert = ("checked",)

    says: Text
    checked: bool


class HeadToKeep(PeopleFacts):
    """The newest head of the ledger, for whoever keeps it: ``head`` is it in a line."""

    template = "people/ledger_head"
    must_say = ("head",)

    head: Text


class Outage(PeopleFacts):
    """A part of the installation is out of order, or is again in order (``is_over``); ``says`` tells which, and why."""

    template = "people/outage"
    must_say = ("says",)
    in_alert = ("says",)

    says: Text
    is_over: bool


class MailAway(PeopleFacts):
    """The mail server takes no mail; ``notices`` of ``cases`` wait for it."""

    template = "people/mail_away"
    must_say: ClassVar[tuple[str, ...]] = ("since", "notices", "cases", "page")
    in_alert: ClassVar[tuple[str, ...]] = ("since", "notices", "cases")

    since: AwareDatetime
    notices: NonNegativeInt
    cases: NonNegativeInt


class MailPaused(MailAway):
    """Mail is paused, as many notices were refused alike."""

    template = "people/mail_paused"


class Opened(CaseFacts):
    """Somebody outside, or a ``program``, opened a case; ``kind`` is what its sort is called."""

    template = "people/opened"
    in_alert = ("case_reference", "program")

    kind: Text
    program: Text | None = None


class SomethingMissing(PeopleFacts):
    """Something is missing for duties under one clause, in one case or in several."""

    template = "people/missing"
    must_say = ("waiting", "clause", "due_at", "case_reference", "page")
    in_alert = ("waiting", "cases", "case_reference", "due_at")

    waiting: NonNegativeInt
    cases: NonNegativeInt
    case_reference: Text | None = None
    clause: Text
    due_at: AwareDatetime


class Questions(CaseFacts):
    """Districts ask about a notice."""

    template = "people/questions"
    in_alert = ("case_reference", "questions")

    questions: NonNegativeInt


class ProposalWaits(CaseFacts):
    """A proposal waits for a second person; ``about`` is what it is about, in words."""

    template = "people/proposal"
    must_say = ("case_reference", "about", "page")

    about: Text
