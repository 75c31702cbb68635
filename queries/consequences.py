"""What would follow from a report, or from an act that gives dated facts, before anything of it is recorded.

Duties are computed as ``records.duties`` computes them, and compared with those that SQL holds; when notices would
leave is what ``records.notices`` would plan. Nothing is written: the session may be one that can only read.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, TypeAlias
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from agreements.terms import pinned_terms, school_calendars
from cases.acts import Act, Add
from cases.intake import Intake
from cases.kind import Kind
from cases.kinds import kind_named
from cases.overdue import is_overdue
from cases.plausibility import DatesGiven
from cases.state import CaseState, NoticePolicy
from cases.values import AnchorValue
from mail.contacts import choose_recipients
from models.defaults import Defaults
from models.enums import DutyStatus, Party, PerformedBy
from models.errors import InvalidInput
from models.grouping import KEYS_A_QUERY, grouped, parts
from models.tables import Agreement, AgreementContact, Case, Duty
from records.duties import (
    ComputedDuty,
    InScope,
    Matter,
    computed_duties,
    dates_known,
    elements_dated_by,
    matter_of,
    may_change,
    scope_of,
)
from records.holders import would_be_asked
from records.intake import touched
from records.keeping import open_disposals
from records.notice_rows import contacts_of_cases
from records.notices import Known, known_elements, leaving_moment
from records.parties import contacts_of
from records.recipients import addressees_under, may_be_told, postal_contact
from records.scope import affected_agreements, terms_in_force
from terms.catalogue import Catalogue
from terms.effective import EffectiveTerms
from terms.internal import NO_LEAD_TIMES, LeadTimes

LISTED = 20
"""How many LEAs of one line are named; the others are counted."""


class Change(StrEnum):
    """What would become of duties."""

    STARTS = "starts"
    """Their clock starts."""
    MOVES = "moves"
    """Their clock runs already, and they would be due at another instant."""
    WAITS = "waits"
    """They are opened, and their clock waits for a fact that is not known."""
    ENDS = "ends"
    """They would no longer be owed."""


class Consequence(BaseModel):
    """Part of what is computed; values are frozen."""

    model_config = ConfigDict(frozen=True)


class WouldBeTold(Consequence):
    """One LEA that would be written to, and the addresses of its contacts, the first to be tried first.

    ``by_post`` is whether a letter would follow where none of these can be reached.
    """

    reference: str
    lea_name: str
    emails: tuple[str, ...]
    by_post: bool = False

    @property
    def ways(self) -> tuple[str, ...]:
        """How it would be told, in order."""
        return (*self.emails, *(("a letter by post",) if self.by_post else ()))


class ForeseenDuties(Consequence):
    """The duties under one clause that would be due at one instant, in one time zone.

    Attributes:
        change: what would become of them.
        duties: how many there are: one an agreement.
        due_at: when they would be due; None while no clock runs.
        due_before: when they are due as things stand, where that changes; of several instants the earliest.
        internal_due_at: when the installation itself wants the first of them done, where it set that; no law.
        time_zone: of their LEAs.
        overdue: whether they are overdue already.
        held: whether a law-enforcement hold suspends them.
        why: the sentences that explain the due instant, of the first of them.
        reasons: how many different explanations lead to it.
        mailed: to how many LEAs a notice would be drafted.
        leaves_at: when it would go out if nobody acts.
        waits_for: what is required at once and not known, so that no notice is drafted.
        told: the first of those that would be written to.
    """

    change: Change
    clause: str
    title: str
    performed_by: PerformedBy
    duties: int
    due_at: datetime | None
    due_before: datetime | None
    internal_due_at: datetime | None
    time_zone: str
    overdue: bool
    held: bool
    why: tuple[str, ...]
    reasons: int
    mailed: int
    leaves_at: datetime | None
    waits_for: tuple[str, ...]
    told: tuple[WouldBeTold, ...]


class WouldBeAsked(Consequence):
    """Somebody outside who would be mailed as soon as it is recorded, and asked to dispose of the data it holds."""

    name: str
    email: str


class Supplements(Consequence):
    """How many LEAs that were told before would get a supplement, and when it would leave if nobody acts."""

    mailed: int
    leaves_at: datetime


class GivenUp(Consequence):
    """How many duties under a clause the case would no longer wait for: nothing that it awaits could start them."""

    clause: str
    title: str
    duties: int


class Consequences(Consequence):
    """What would follow at ``at``: overdue duties first, then by due instant.

    ``agreements`` counts the agreements that the case would touch, ``left_out`` says which it would not, although they
    are on file. ``at_once`` is whether notices leave in this installation without anybody's release. ``asked`` are the
    holders of data that are mailed at once: that waits for nobody. ``stopped`` are the titles of the disposals that
    would not go on while the case is open, which their holders are told at once.
    """

    at: datetime
    agreements: int
    duties: tuple[ForeseenDuties, ...]
    given_up: tuple[GivenUp, ...]
    supplements: Supplements | None
    at_once: bool
    left_out: tuple[str, ...] = ()
    asked: tuple[WouldBeAsked, ...] = ()
    stopped: tuple[str, ...] = ()

    @property
    def overdue(self) -> int:
        """How many of the duties would be overdue from the start."""
        return sum(line.duties for line in self.duties if line.overdue)

    @property
    def mailed(self) -> int:
        """How many notices would be drafted."""
        return sum(line.mailed for line in self.duties)


@dataclass(frozen=True)
class Foresight:
    """What foreseeing depends on besides the case: the installation's clauses, settings and side, and the time."""

    catalogue: Catalogue
    defaults: Defaults
    side: Party
    policy: NoticePolicy
    now: datetime
    leads: LeadTimes = NO_LEAD_TIMES

    def of_intake(
        self, session: Session, kind: Kind, intake: Intake, further: Sequence[AnchorValue] = ()
    ) -> Consequences:
        """What would follow from opening a case; ``further`` are the dated facts that follow from its intake.

        Raises:
            InvalidFields: an agreement is unknown, or nobody can be written to under it.
        """
        found = touched(session, kind, intake, self.now)
        scope, terms = self._agreements(session, affected_agreements(session, found.references))
        anchors = {anchor.name: anchor for anchor in (*intake.anchors(), *further)}
        event = intake.event() or kind.event
        agreements = [item.agreement_id for item in scope]
        matter = Matter(
            kind=kind,
            event=event,
            terms=terms,
            defaults=self.defaults,
            side=self.side,
            now=self.now,
            anchors={None: anchors},
            holds={},
            awaited=kind.awaits(CaseState(anchors=anchors)),
            calendars=school_calendars(session, agreements, terms.values(), event),
            about=intake.about(),
            brought=dates_known(session, kind, agreements, self.now),
            leads=self.leads,
        )
        told = intake.facts().keys() | intake.documents()
        known = Known(elements_dated_by(anchors, terms) | told)
        foreseen = self._foreseen(session, matter, scope, known, None, contacts_of(intake, None))
        stopped = open_disposals(session, agreements) if kind.keeps_data else ()
        return foreseen.model_copy(
            update={"left_out": found.left_out, "stopped": tuple(case.title for case in stopped)}
        )

    def of_act(self, session: Session, case: Case, act: Act, given: DatesGiven) -> Consequences:
        """What would follow from an act that gives these dated facts, or brings in agreements."""
        kind, terms, scope = kind_named(case.kind), pinned_terms(session, case.id), scope_of(session, case.id)
        added: Sequence[InScope] = ()
        if references := act.brings_in():
            added, new = self._agreements(session, affected_agreements(session, references))
            terms = {**terms, **new}
        matter = matter_of(session, case, terms, self.defaults, self.side, self.now, self.leads)
        anchors = _with_given(matter.anchors, given, _whose(act, added))
        state = CaseState(anchors=dict(anchors[None]))
        newly = kind.is_decided(state) and not kind.is_decided(CaseState(anchors=dict(matter.anchors[None])))
        matter = replace(matter, anchors=anchors, awaited=kind.awaits(state))
        known = known_elements(session, case.id, elements_dated_by(anchors[None], terms), anchors)
        return self._foreseen(session, matter, [*scope, *added], known, case.id, newly_decided=newly)

    def _agreements(self, session: Session, ids: Sequence[UUID]) -> tuple[list[InScope], dict[str, EffectiveTerms]]:
        """Agreements that no case has pinned the terms of, with the terms in force for them now, by hash."""
        rows = [
            row
            for some in parts(ids, KEYS_A_QUERY)
            for row in session.exec(select(Agreement).where(col(Agreement.id).in_(some)))
        ]
        terms = terms_in_force(session, self.catalogue, rows, self.now.date())
        scope = [
            InScope(
                row.id,
                row.time_zone,
                terms[row.id].hash,
                row.executed_on,
                row.originally_signed_on,
                row.expires_on,
                row.terminated_on,
            )
            for row in rows
        ]
        return scope, {effective.hash: effective for effective in terms.values()}

    def _foreseen(
        self,
        session: Session,
        matter: Matter,
        scope: Sequence[InScope],
        known: Known,
        case_id: UUID | None,
        others: Sequence[AgreementContact] = (),
        *,
        newly_decided: bool = False,
    ) -> Consequences:
        lines: dict[_Line, list[ComputedDuty]] = defaultdict(list)
        before: dict[_Line, datetime] = {}
        stored = _stored(session, case_id) if case_id else {}
        computed = list(computed_duties(matter, scope))
        for item, change, due_before in _changes(computed, stored):
            line = self._line(item, change, known)
            lines[line].append(item)
            if due_before:
                before[line] = min(due_before, before.get(line, due_before))
        names = _Names(
            session, matter, case_id, {item.agreement_id for items in lines.values() for item in items[:LISTED]}, others
        )
        duties = [self._duties(line, items, before.get(line), names) for line, items in lines.items()]
        changed = computed if newly_decided else [item for items in lines.values() for item in items]
        return Consequences(
            at=self.now,
            agreements=len(scope),
            duties=tuple(sorted(duties, key=_first_due_first)),
            given_up=_given_up(matter, stored.values()),
            supplements=self._supplements(session, known, case_id) if case_id else None,
            at_once=self.policy.release == "immediate",
            asked=self._asked(session, matter, changed, case_id),
        )

    def _asked(
        self, session: Session, matter: Matter, changed: Iterable[ComputedDuty], case_id: UUID | None
    ) -> tuple[WouldBeAsked, ...]:
        """The holders of data that would be mailed at once: the mails of ``records.holders`` wait for no release."""
        kind = matter.kind
        if not (kind.holders_see and kind.is_decided(CaseState(anchors=dict(matter.anchors[None])))):
            return ()
        agreements = {item.agreement_id for item in changed if _asks_now(item, matter)}
        boxes = [box for one in sorted(agreements) for box in would_be_asked(session, case_id, one, self.side)]
        return tuple(WouldBeAsked(name=box.name, email=box.email) for box in dict.fromkeys(boxes))

    def _line(self, item: ComputedDuty, change: Change, known: Known) -> _Line:
        due, by_notice = item.due_date, item.due_date.performed_by is PerformedBy.NOTICE
        running = item.status is DutyStatus.RUNNING and change in (Change.STARTS, Change.MOVES)
        waits_for = tuple(known.missing_at_once(item.agreement_id, due)) if running and by_notice else ()
        leaves_at = None
        if running and by_notice and not waits_for:
            complete = known.tells_all(item.agreement_id, due)
            leaves_at = leaving_moment(due, self.policy, self.now, complete=complete)
        return _Line(change, due.clause, due.due_at, due.time_zone, item.status, leaves_at, waits_for)

    def _duties(
        self, line: _Line, items: Sequence[ComputedDuty], before: datetime | None, names: _Names
    ) -> ForeseenDuties:
        due = items[0].due_date
        internal = min((item.internal for item in items if item.internal), key=lambda one: one.due_at, default=None)
        return ForeseenDuties(
            change=line.change,
            clause=line.clause,
            title=due.title,
            performed_by=due.performed_by,
            duties=len(items),
            due_at=line.due_at,
            due_before=before,
            internal_due_at=internal.due_at if internal else None,
            time_zone=line.time_zone,
            overdue=is_overdue(line.status, line.due_at, self.now),
            held=line.status is DutyStatus.SUSPENDED,
            why=(*due.why, internal.why) if internal else due.why,
            reasons=len({item.due_date_id for item in items}),
            mailed=len(items) if line.leaves_at else 0,
            leaves_at=line.leaves_at,
            waits_for=tuple(names.label(due.terms_hash, element) for element in line.waits_for),
            told=tuple(names.told(item) for item in items[:LISTED]) if line.leaves_at else (),
        )

    def _supplements(self, session: Session, known: Known, case_id: UUID) -> Supplements | None:
        told = session.exec(
            select(Duty).where(
                Duty.case_id == case_id, Duty.status == DutyStatus.PERFORMED, col(Duty.lacking_count) > 0
            )
        )
        mailed = len({duty.id for duty in told if known.adds_to(duty)}.union(known.otherwise))
        wait = timedelta() if self.policy.release == "immediate" else timedelta(minutes=self.policy.supplement_minutes)
        return Supplements(mailed=mailed, leaves_at=self.now + wait) if mailed else None


@dataclass(frozen=True)
class _Line:
    """What the duties of one line have in common."""

    change: Change
    clause: str
    due_at: datetime | None
    time_zone: str
    status: DutyStatus
    leaves_at: datetime | None
    waits_for: tuple[str, ...]


def _asks_now(item: ComputedDuty, matter: Matter) -> bool:
    """Whether a duty that holders' words perform is owed, and is not asked for only after a prior notice."""
    due = item.due_date
    owed = item.status in (DutyStatus.RUNNING, DutyStatus.SUSPENDED)
    if due.performed_by is not PerformedBy.CONFIRMATION or not owed:
        return False
    return due.earliest_at is not None or not matter.terms[due.terms_hash].clauses[due.clause].not_before


def _first_due_first(line: ForeseenDuties) -> tuple[bool, bool, float, str, str]:
    due = line.due_at.timestamp() if line.due_at else 0.0
    return not line.overdue, line.due_at is None, due, line.clause, line.time_zone


def _whose(act: Act, added: Sequence[InScope]) -> Sequence[UUID | None]:
    """For which agreements the dated facts of an act hold; None stands for the whole case."""
    if isinstance(act, Add):
        return [row.agreement_id for row in added]
    agreement = getattr(act, "agreement", None)
    return [agreement.id if agreement else None]


def _with_given(
    anchors: Mapping[UUID | None, Mapping[str, AnchorValue]], given: DatesGiven, whose: Iterable[UUID | None]
) -> dict[UUID | None, Mapping[str, AnchorValue]]:
    new = {anchor.name: anchor for anchor in given.values()}
    changed = {key: {**anchors.get(key, {}), **new} for key in whose} if new else {}
    return {**anchors, **changed}


class _Stored(NamedTuple):
    """A duty as SQL holds it."""

    clause: str
    status: DutyStatus
    due_at: datetime | None


_Key: TypeAlias = tuple[UUID, str, int]
"""What tells the duties of one case apart: agreement, clause, and which time it comes round."""


def _stored(session: Session, case_id: UUID) -> dict[_Key, _Stored]:
    rows = session.execute(
        select_columns(
            col(Duty.agreement_id), col(Duty.clause), col(Duty.occurrence), col(Duty.status), col(Duty.due_at)
        ).where(col(Duty.case_id) == case_id)
    )
    return {
        (agreement, clause, occurrence): _Stored(clause, DutyStatus(status), due_at)
        for agreement, clause, occurrence, status, due_at in rows
    }


def _changes(
    computed: Iterable[ComputedDuty], stored: dict[_Key, _Stored]
) -> Iterator[tuple[ComputedDuty, Change, datetime | None]]:
    """The computed duties that differ from those stored, and when these are due as things stand.

    What was computed is taken out of ``stored``.
    """
    for item in computed:
        before = stored.pop((item.agreement_id, item.due_date.clause, item.due_date.occurrence), None)
        if change := _change(before, item):
            yield item, change, before.due_at if before and change is Change.MOVES else None


def _given_up(matter: Matter, left: Iterable[_Stored]) -> tuple[GivenUp, ...]:
    """Of the duties that are not computed any more, those whose clock has not started."""
    clauses = Counter(duty.clause for duty in left if duty.status is DutyStatus.PENDING)
    titles = {clause.id: clause.title for terms in matter.terms.values() for clause in terms.clauses.values()}
    return tuple(
        GivenUp(clause=clause, title=titles.get(clause, clause), duties=count)
        for clause, count in sorted(clauses.items())
    )


def _change(before: _Stored | None, item: ComputedDuty) -> Change | None:
    if before and not may_change(before.status, item.status):
        return None  # it was performed or closed, and stays so
    match item.status:
        case DutyStatus.CANCELLED:
            return Change.ENDS if before else None
        case DutyStatus.PENDING:
            return Change.WAITS if before is None or before.status is not DutyStatus.PENDING else None
        case _ if before is None or before.status in (DutyStatus.PENDING, DutyStatus.CANCELLED):
            return Change.STARTS
        case _:
            same = item.status is before.status and before.due_at in (item.due_date.due_at, None)
            return None if same else Change.MOVES


class _Names:
    """The LEAs of some agreements with their contacts, read at once, and what the terms call content elements.

    ``others`` are contacts of no agreement that a case to be opened would have.
    """

    def __init__(
        self,
        session: Session,
        matter: Matter,
        case_id: UUID | None,
        agreements: set[UUID],
        others: Sequence[AgreementContact],
    ) -> None:
        self._terms = matter.terms
        self._case_id = case_id
        self._agreements = {
            row.id: row for row in session.exec(select(Agreement).where(col(Agreement.id).in_(agreements)))
        }
        self._contacts = grouped(
            session.exec(select(AgreementContact).where(col(AgreementContact.agreement_id).in_(agreements))),
            lambda contact: contact.agreement_id,
        )
        self._others = [*others, *(contacts_of_cases(session, [case_id])[case_id] if case_id else ())]

    def label(self, terms_hash: str, element: str) -> str:
        """What people call a content element."""
        clauses = self._terms[terms_hash].clauses.values()
        labels = (found.label for clause in clauses for found in clause.contents if found.id == element)
        return next(labels, element)

    def told(self, item: ComputedDuty) -> WouldBeTold:
        """Whom a notice of a duty would go to."""
        agreement, due = self._agreements[item.agreement_id], item.due_date
        named = (*self._contacts.get(item.agreement_id, ()), *self._others)
        contacts = [contact for contact in named if may_be_told(contact, due.owed_to, self._case_id)]
        roles = addressees_under(self._terms[due.terms_hash], due.clause)
        try:
            to = choose_recipients(contacts, roles).to
        except InvalidInput:
            to = ()
        return WouldBeTold(
            reference=agreement.reference,
            lea_name=agreement.lea_name,
            emails=tuple(contact.email for contact in to),
            by_post=postal_contact(named, roles, due.owed_to, self._case_id) is not None,
        )
