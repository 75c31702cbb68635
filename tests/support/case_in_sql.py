"""A case of any kind in SQL alone: its agreements, its dated facts, and its clock moved by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID, uuid4

from sqlmodel import Session, col, select

from agreements.due_dates import StoredDueDate, read_due_dates
from agreements.terms import pinned_terms
from cases.acts import Act, Approve, Done
from cases.intake import Intake
from cases.kind import Kind
from cases.kinds import KINDS, register
from cases.messages import RecordAct, SendBatch
from cases.state import BatchPlan, NoticePolicy
from cases.values import AgreementName
from config.database import Database
from mail.facts import ContactPerson, Mailbox, Sender, Signatory
from mail.handover import Accepted
from models.enums import Authentication, CaseStatus, ContactRole, DutyStatus, Party
from models.identifiers import agreement_id
from models.tables import Agreement, AgreementContact, Batch, Case, CaseAgreement, CaseAnchor, Duty, Notice
from records.acts import record_act
from records.batches import begin_batch, finish_batch
from records.deliveries import Answer, Handed, mark_under_way, settle
from records.duties import compute_duties, dated_elements
from records.escalations import raise_duties
from records.holder_documents import write_confirmations
from records.holders import plan_holders
from records.mail_state import PauseRule
from records.notices import plan_notices, waiting_batches
from records.outbox import NoticeWriter, OutgoingMessage, still_to_send
from records.parties import pass_on
from records.postal_letters import take_effect
from records.preparing import complete, keep
from records.scope import pin_terms
from terms.catalogue import load_catalogue
from terms.internal import NO_LEAD_TIMES, LeadTimes
from terms.limits import STANDARD_DEFAULTS
from tests.support.accounts import have_account

CATALOGUE = load_catalogue()
SECOND_PERSON = "second person"
_SAM = ContactPerson(name="Sam Lee", email="security@acme.example.com")
SENDER = Sender(
    organisation="Acme",
    contact=_SAM,
    signatory=Signatory(name="Sam Lee", title="Privacy Officer"),
    point_of_contact=_SAM,
    parents_contact=_SAM,
)
PAUSE = PauseRule(refusals=5, probe_after=timedelta(hours=1))
QUEUED = Accepted(250, "2.0.0 Queued")
WRITER = NoticeWriter(
    sender=Mailbox(name="Acme", email="notices@acme.example.com"),
    organisation=SENDER,
    message_id_domain="acme.example.com",
    public_url="https://notices.acme.example.com",
    link_key=bytes(32),
)


def standing_kind(
    event: str, *, awaits: frozenset[str] = frozenset(), ahead: frozenset[str] = frozenset(), recurs: bool = False
) -> Kind:
    """A kind of case about an event that differs in nothing else, known to the installation until the test ends."""
    name = f"{event}-{len(KINDS)}"
    kind = Kind(
        name=name,
        label=event,
        event=event,
        intake=Intake,
        workflow="",
        awaits=lambda _: awaits,
        ahead=ahead,
        uses_agreement_dates=True,
        recurs=recurs,
    )
    register(kind)
    return kind


@dataclass(frozen=True)
class Place:
    """A form in a state, for which a case has one agreement."""

    form: str
    state: str
    subprocessors: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        """The reference of its agreement."""
        return f"{self.form} {self.state} {len(self.subprocessors)} {len(self.choices)}"

    @property
    def agreement(self) -> UUID:
        """The id of its agreement."""
        return agreement_id(self.reference)


def keep_agreement(session: Session, place: Place, executed: date, now: datetime, *, ends: bool = False) -> None:
    """Keep the agreement of a place, with one contact and its subprocessors, unless it is kept already."""
    if session.get(Agreement, place.agreement) is not None:
        return
    end = executed + timedelta(days=365) if ends else None
    session.add(
        Agreement(
            id=place.agreement,
            reference=place.reference,
            form=place.form,
            state=place.state,
            lea_name=f"District {place.reference}",
            time_zone="America/Chicago",
            executed_on=executed,
            originally_signed_on=executed if ends else None,
            expires_on=end,
            terminated_on=end,
            choices=list(place.choices),
            imported_at=now,
        )
    )
    session.flush()
    people: list[tuple[str, Party | None]] = [("Office", None)]
    people += [(name, Party.SUBPROCESSOR) for name in place.subprocessors]
    session.add_all(
        AgreementContact(
            id=uuid4(),
            agreement_id=place.agreement,
            party=party,
            role=ContactRole.GENERAL,
            name=name,
            email=f"{name.lower().replace(' ', '.')}@example.org",
        )
        for name, party in people
    )


@dataclass
class CaseInSql:
    """One case and the clock that its tests move.

    Attributes:
        database: where it is kept.
        id: its id.
        now: what time it is; tests move it.
        side: the side of the agreement that this installation stands on.
        policy: how its notices leave.
        leads: how far ahead of their due instants the installation wants duties done.
    """

    database: Database
    id: UUID
    now: datetime
    side: Party = Party.PROVIDER
    policy: NoticePolicy = field(default_factory=NoticePolicy)
    leads: LeadTimes = NO_LEAD_TIMES

    def compute(self) -> None:
        """What the activity does whenever something happened: take effects, pin terms, compute duties, plan notices."""
        with self.database.writing() as session:
            case = session.get_one(Case, self.id)
            take_effect(session, self.now, self.id)
            pin_terms(session, CATALOGUE, self.id, self.now)
            terms = pinned_terms(session, self.id)
            if case.status is not CaseStatus.DISMISSED:
                compute_duties(session, case, terms, STANDARD_DEFAULTS, self.side, self.now, leads=self.leads)
            plan_holders(session, case, self.policy, self.now, self.side)
            write_confirmations(session, case, SENDER.organisation, self.now)
            pass_on(session, case, self.now)
            plan_notices(session, self.id, self.policy, self.now, dated_elements(session, self.id, terms))

    def send_what_leaves(self, answer: Callable[[OutgoingMessage], Answer] = lambda _: QUEUED) -> None:
        """Send every notice that leaves by now; the mail server accepts each, or gives the answer asked for."""
        with self.database.reading() as session:
            batches = waiting_batches(session, self.id)
        for plan in batches:
            leaves_at = plan.lapses_at if plan.withheld else plan.leaves_at
            if plan.released_by or (leaves_at and leaves_at <= self.now):
                self.send(plan, answer)

    def send(self, plan: BatchPlan, answer: Callable[[OutgoingMessage], Answer] = lambda _: QUEUED) -> None:
        """Send a batch as the activity does that the case's clock asks to."""
        lapsed = plan.withheld and plan.released_by is None
        message = SendBatch(batch_id=plan.batch_id, released_by=plan.released_by, lapsed=lapsed)
        with self.database.writing() as session:
            batch = session.get_one(Batch, plan.batch_id)
            batch.leaves_at = min(batch.leaves_at, self.now)  # its moment has come, whoever says so
            if not begin_batch(session, message, self.now):
                return
            pending = list(still_to_send(session, plan.batch_id))
            letters = WRITER.reserve(session, self.id, pending, self.now)
            session.flush()
            handed = [Handed(letter, answer(letter), self.now) for letter in letters]
            mark_under_way(session, {letter.delivery_id: self.now for letter in letters})
            settle(session, handed, unknown_resends=0, pause=PAUSE)
            finish_batch(session, plan.batch_id, self.now)

    def raise_overdue(self) -> None:
        """Raise what was not met in time to an officer."""
        with self.database.writing() as session:
            raise_duties(session, self.id, self.now)

    def act(
        self,
        act: Act,
        actor: str = "officer",
        authenticated: Authentication | None = None,
        *,
        compute: bool = True,
        act_id: UUID | None = None,
    ) -> UUID | None:
        """Record what a person did, with what was given, and compute again; return the id of what that made."""
        with self.database.writing() as session:
            complete(session, session.get_one(Case, self.id), act)
            keep(session, self.id, act, self.now)
            message = RecordAct(
                case_id=self.id,
                act=act,
                actor=actor,
                act_id=act_id or uuid4(),
                authenticated=authenticated,
                at=self.now,
            )
            record_act(session, CATALOGUE, message, self.side)
        if compute:
            self.compute()
        return message.made_id if act.makes else None

    def give_dates(self, dates: Mapping[str, datetime]) -> None:
        """Make dated facts known without an act."""
        with self.database.writing() as session:
            session.add_all(_anchor(self.id, name, instant, self.now) for name, instant in dates.items())

    def name_party(self, party: Party) -> None:
        """Name somebody of a further party whom the case writes to."""
        with self.database.writing() as session:
            session.add(
                AgreementContact(
                    id=uuid4(),
                    case_id=self.id,
                    party=party,
                    role=ContactRole.GENERAL,
                    name=party.value,
                    email=f"{party}@example.org",
                )
            )

    @property
    def duties(self) -> Sequence[Duty]:
        """Every duty of the case, by agreement, clause and occurrence."""
        with self.database.reading() as session:
            return session.exec(
                select(Duty)
                .where(Duty.case_id == self.id)
                .order_by(col(Duty.agreement_id), col(Duty.clause), col(Duty.occurrence))
            ).all()

    def noticed(self) -> set[UUID]:
        """The duties of which a notice was ever planned."""
        with self.database.reading() as session:
            return set(session.exec(select(Notice.duty_id).where(Notice.case_id == self.id)))

    def duty(self, clause: str, occurrence: int = 1) -> Duty:
        """The one duty under a clause."""
        (found,) = (duty for duty in self.duties if (duty.clause, duty.occurrence) == (clause, occurrence))
        return found

    def due_date(self, clause: str) -> StoredDueDate:
        """When the one duty under a clause is due, with the reasons."""
        due_date_id = self.duty(clause).due_date_id
        with self.database.reading() as session:
            return read_due_dates(session, [due_date_id])[due_date_id]

    def statuses(self) -> dict[str, DutyStatus]:
        """Where the duty under each clause stands."""
        return {duty.clause: duty.status for duty in self.duties}


def done(clause: str, *places: Place, done_at: datetime, proof: bytes = b"a report") -> Done:
    """The act that says that duties under a clause were done by other means."""
    named = tuple(AgreementName.model_validate(place.reference) for place in places)
    given = {"how": "By letter, by Sam Lee.", "to_whom": "The superintendent.", "proof": proof}
    return Done.model_validate({"clause": clause, "agreements": named, "done_at": done_at, **given})


def record_done(case: CaseInSql, clause: str, *places: Place, done_at: datetime | None = None) -> UUID:
    """Have two people record that duties were done by other means, now or at another time."""
    have_account(case.database, SECOND_PERSON)
    proposal = case.act(done(clause, *places, done_at=done_at or case.now))
    assert proposal
    case.act(Approve(proposal_id=proposal), SECOND_PERSON)
    return proposal


def _anchor(case_id: UUID, name: str, instant: datetime, now: datetime) -> CaseAnchor:
    return CaseAnchor(id=uuid4(), case_id=case_id, name=name, instant=instant, recorded_at=now, recorded_by="officer")


def open_in_sql(
    database: Database,
    kind: Kind,
    places: Sequence[Place],
    now: datetime,
    dates: Mapping[str, datetime] | None = None,
    *,
    side: Party = Party.PROVIDER,
    ends: bool = False,
) -> CaseInSql:
    """Open a case that touches the agreements of some places; ``ends`` is whether these expire and are terminated."""
    case_id = uuid4()
    with database.writing() as session:
        for place in places:
            keep_agreement(session, place, now.date(), now, ends=ends)
        session.add(
            Case(
                id=case_id,
                kind=kind.name,
                event=kind.event,
                status=CaseStatus.OPEN,
                title="A matter",
                report_digest=str(case_id),
                opened_by="robin",
                opened_at=now,
                workflow_started_at=now,
            )
        )
        session.flush()
        session.add_all(CaseAgreement(case_id=case_id, agreement_id=place.agreement, added_at=now) for place in places)
    case = CaseInSql(database, case_id, now, side)
    case.give_dates(dates or {})
    return case
