"""What a person's act changes in SQL, with the evidence of it: one branch for each act that every kind of case knows.

The acts of one kind alone are stored by ``records/<kind>.py``. Recording happens in one transaction, before the case
takes the act into its state; what is refused here leaves nothing behind, and recording again changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Any, Protocol, assert_never, cast
from uuid import UUID, uuid5

from sqlmodel import Session, col, select, update

from agreements.terms import agreements_knowing
from cases.acts import (
    Act,
    Add,
    AdoptTerms,
    AnswerQuestion,
    Approve,
    Assign,
    CommonAct,
    ConfirmDone,
    Decline,
    Done,
    Hold,
    Impossible,
    Learn,
    Lift,
    NotPosted,
    NotYet,
    Posted,
    Propose,
    Release,
    SendAgain,
    SetDate,
    TellOverdue,
    Undo,
    Vouch,
    Withhold,
    WithholdPastDue,
)
from cases.kind import Kind
from cases.kinds import kind_named
from cases.messages import RecordAct
from cases.state import CaseState
from cases.values import AnchorValue, Kept, read_references
from ledger.append import append
from ledger.artifacts import claim, fetch, store_list
from ledger.entries import ActRecorded, JsonObject
from mail.contents import KnownFact
from models import tables
from models.enums import OPEN_STATUSES, BatchStatus, CaseStatus, DutyStatus, FactStatus, Party, ProposalKind
from models.errors import InvalidInput, NotFound, Refused
from models.grouping import KEYS_A_QUERY, parts
from models.tables import (
    Batch,
    Case,
    CaseAct,
    CaseFact,
    Duty,
    NotYetDecision,
    Proposal,
    Withholding,
)
from people.accounts import check_second_person
from records.anchors import current_anchors, keep_anchor
from records.case_context import current_facts
from records.confirmations import confirm_done
from records.holders import waive
from records.keeping import note_keeping
from records.other_means import perform_by_other_means, propose_done, undo
from records.overdue_letters import keep_overdue
from records.postal_letters import record_mailing, take_back_mailing
from records.replies import keep_reply
from records.responsible import assign
from records.scope import extend_scope, pin_terms, unpin_terms
from records.undecided import send_again, vouch
from records.withholding import batches_under, end_withholding, withhold
from terms.catalogue import Catalogue


@dataclass(frozen=True)
class Recording:
    """One act on its way into SQL.

    Attributes:
        session: the transaction.
        catalogue: the clauses, for acts that pin terms.
        case: the case.
        message: what was done, by whom, when.
        side: the side of the agreements that this installation stands on.
    """

    session: Session
    catalogue: Catalogue
    case: Case
    message: RecordAct
    side: Party = Party.PROVIDER

    @property
    def actor(self) -> str:
        """Who did it."""
        return self.message.actor

    @property
    def at(self) -> datetime:
        """When the case took it."""
        return self.message.at

    @property
    def made_id(self) -> UUID:
        """The id of what the act makes."""
        return self.message.made_id


class ActRecorder(Protocol):
    """What ``records/<kind>.py`` offers: it stores the kind's own acts and returns what evidence adds to the act."""

    def record_act(self, recording: Recording) -> JsonObject:
        """Store one of the kind's own acts."""


def record_act(session: Session, catalogue: Catalogue, message: RecordAct, side: Party = Party.PROVIDER) -> None:
    """Store an act and its evidence in the session's transaction; storing it again changes nothing.

    ``side`` is our own.

    Raises:
        InvalidInput, Refused: it can never be stored; nothing is.
    """
    if session.get(CaseAct, message.act_id) is not None:
        return
    case = session.get_one(Case, message.case_id)
    recording = Recording(session, catalogue, case, message, side)
    kind, act = kind_named(case.kind), message.act
    effect = _store(kind, recording)
    if act.keeps_clocks:
        case.changed_at = message.at
        known = CaseState(anchors=current_anchors(session, case.id), dismissed=case.status is CaseStatus.DISMISSED)
        case.undecided = not kind.is_decided(known)
    _claim(session, case.id, act)
    session.add(
        CaseAct(
            id=message.act_id,
            case_id=case.id,
            act=act.act,
            clause=getattr(act, "clause", None),
            reason_sha256=_reason(act),
            actor=message.actor,
            at=message.at,
        )
    )
    append(
        session,
        ActRecorded(
            case_id=case.id,
            actor=message.actor,
            at=message.at,
            act=act.act,
            act_id=message.act_id,
            particulars=particulars_of(act) | effect | _confirmed(message),
            kept_sha256=tuple(kept.sha256 for kept in kept_in(act)),
            authenticated=message.authenticated,
        ),
    )


def _confirmed(message: RecordAct) -> JsonObject:
    return {"dates_confirmed": list(message.dates_confirmed)} if message.dates_confirmed else {}


def _claim(session: Session, case_id: UUID, act: Act) -> None:
    """Mark what came with an act as evidence, so that nothing lets go of it any more."""
    names = {kept.sha256 for kept in kept_in(act)}
    if claim(session, names, case_id) != names:
        raise NotFound("What was given with this act is not kept any more.", next_step="Give it again.")


def kept_in(act: Act) -> tuple[Kept, ...]:
    """What a person gave with an act: texts, files, lists."""
    return tuple(value for name in type(act).model_fields if isinstance(value := getattr(act, name), Kept))


def particulars_of(act: Act) -> JsonObject:
    """What was decided, as evidence holds it: ids, words of the terms and instants; texts are artifacts."""
    kept = {name for name in type(act).model_fields if isinstance(getattr(act, name), Kept)}
    found: JsonObject = act.model_dump(mode="json", exclude=kept | {"act"}, exclude_none=True)
    return {name: _plain(value) for name, value in found.items()}


def _plain(value: Any) -> Any:
    """An agreement by its id alone."""
    match value:
        case {"id": identifier} if len(value) == 1:
            return identifier
        case list():
            return [_plain(member) for member in value]
        case _:
            return value


def _reason(act: Act) -> str | None:
    reason = getattr(act, "reason", None)
    return reason.sha256 if isinstance(reason, Kept) else None


def _store(kind: Kind, recording: Recording) -> JsonObject:
    act = recording.message.act
    if type(act) in kind.acts:
        assert kind.records, f"the kind {kind.name} has acts of its own and names no module that records them"
        recorder = cast(ActRecorder, import_module(kind.records))
        return recorder.record_act(recording)
    return _store_common(cast(CommonAct, act), recording)


def _store_common(act: CommonAct, recording: Recording) -> JsonObject:
    session, case_id = recording.session, recording.case.id
    match act:
        case SetDate():
            agreement = act.agreement.id if act.agreement else None
            return set_anchor(recording, act.anchor, agreement, act.reason)
        case NotYet(name=name, again_at=again_at, decided=decided):
            session.add(
                NotYetDecision(
                    id=recording.message.act_id,
                    case_id=case_id,
                    name=name,
                    again_at=again_at,
                    decided_sha256=decided.sha256,
                    recorded_at=recording.at,
                    recorded_by=recording.actor,
                )
            )
            return {}
        case Learn(element=element, value=value):
            return _learn(recording, element, FactStatus.KNOWN, fetch(session, value.sha256).decode())
        case Impossible(element=element):
            return _learn(recording, element, FactStatus.IMPOSSIBLE, None)
        case Release():
            return _release(recording, act)
        case Withhold(clause=clause, reason=reason):
            return _withhold(recording, released_batches(case_id, Release(clause=clause)), clause, reason)
        case WithholdPastDue():
            return _withhold_past_due(recording, act)
        case Propose():
            return _propose(recording, act)
        case Approve(proposal_id=proposal_id):
            return _decide(recording, proposal_id, approve=True)
        case Decline(proposal_id=proposal_id):
            return _decide(recording, proposal_id, approve=False)
        case Hold():
            return _hold(recording, act)
        case Lift(hold_id=hold_id):
            hold = session.get_one(tables.LawEnforcementHold, hold_id)
            hold.lifted_by, hold.lifted_at = recording.actor, hold.lifted_at or recording.at
            return {}
        case Done():
            return propose_done(session, recording.case, act, recording.made_id, actor=recording.actor, at=recording.at)
        case Undo(proposal_id=proposal_id, reason=reason):
            return undo(session, proposal_id, case_id, reason.sha256, actor=recording.actor, at=recording.at)
        case ConfirmDone():
            return confirm_done(session, recording.case, act, actor=recording.actor, at=recording.at)
        case SendAgain():
            return send_again(session, recording.case, act, at=recording.at)
        case Vouch():
            return vouch(session, recording.case, act, actor=recording.actor, at=recording.at)
        case Posted():
            return record_mailing(session, recording.case, act, actor=recording.actor, at=recording.at)
        case NotPosted():
            return take_back_mailing(session, recording.case, act, recording.at)
        case AdoptTerms():
            unpin_terms(session, case_id)
            pin_terms(session, recording.catalogue, case_id, recording.at)
            return {}
        case Add():
            return _add(recording, act)
        case Assign():
            return assign(session, recording.case, act)
        case AnswerQuestion():
            return keep_reply(
                session, case_id, act, act_id=recording.message.act_id, actor=recording.actor, at=recording.at
            )
        case TellOverdue():
            return keep_overdue(
                session,
                case_id,
                act,
                act_id=recording.message.act_id,
                actor=recording.actor,
                side=recording.side,
                at=recording.at,
            )
        case _:
            assert_never(act)


def set_anchor(
    recording: Recording, anchor: AnchorValue, agreement_id: UUID | None = None, reason: Kept | None = None
) -> JsonObject:
    """Give a case, or one agreement in it, a dated fact; the one before it is kept and named in evidence."""
    before = keep_anchor(
        recording.session,
        recording.case.id,
        anchor,
        row_id=uuid5(recording.message.act_id, f"anchor:{anchor.name}:{agreement_id}"),
        by=recording.actor,
        at=recording.at,
        agreement_id=agreement_id,
        reason_sha256=reason.sha256 if reason else None,
    )
    return {
        "anchor": anchor.model_dump(mode="json", exclude_none=True),
        "before": [old.model_dump(mode="json", exclude_none=True) for old in before],
    }


def dismiss(recording: Recording, reason_sha256: str) -> JsonObject:
    """Cancel what is open; nothing lacks any more in what LEAs were told, since they are told of the dismissal.

    Return what evidence adds to the act.
    """
    session, case = recording.session, recording.case
    case.status = CaseStatus.DISMISSED
    case.dismissal_reason_sha256 = reason_sha256
    note_keeping(session, case, recording.at)
    in_case = col(Duty.case_id) == case.id
    is_open = in_case, col(Duty.status).in_(OPEN_STATUSES)
    cancelled = session.exec(select(Duty.id).where(*is_open).order_by(col(Duty.id))).all()
    session.execute(update(Duty).where(*is_open).values(status=DutyStatus.CANCELLED))
    session.execute(update(Duty).where(in_case).values(lacking=[], lacking_count=0))
    return {"dismissed": True, **store_list(session, "cancelled", [str(duty) for duty in cancelled], recording.at)}


def keep_fact(recording: Recording, element: str, value: str) -> None:
    """Make a content element known, in place of what was known of it before."""
    _learn(recording, element, FactStatus.KNOWN, value)


def _learn(recording: Recording, element: str, status: FactStatus, value: str | None) -> JsonObject:
    """Keep what an element is, and with it what asks for the same in other words, while that was told alike."""
    session, case_id = recording.session, recording.case.id
    alike = _told_alike(recording.catalogue, element, current_facts(session, case_id))
    for each in (element, *alike):
        session.execute(
            update(CaseFact)
            .where(
                col(CaseFact.case_id) == case_id, col(CaseFact.element) == each, col(CaseFact.superseded_at).is_(None)
            )
            .values(superseded_at=recording.at)
        )
        session.add(
            CaseFact(
                id=uuid5(recording.message.act_id, "fact" if each == element else f"fact:{each}"),
                case_id=case_id,
                element=each,
                status=status,
                value=value,
                recorded_at=recording.at,
                recorded_by=recording.actor,
            )
        )
    return {"status": status.value, **({"also": alike} if alike else {})}


def _told_alike(catalogue: Catalogue, element: str, known: Mapping[str, KnownFact]) -> list[str]:
    """The elements that ask for the same in other words, and of which the same is known."""
    follow = [name for name, text in catalogue.words.contents.items() if text.like == element]
    return [name for name in follow if element in known and known.get(name) == known[element]]


def _batches(case_id: UUID, clause: str | None, statuses: Sequence[BatchStatus]) -> list[Any]:
    """The conditions for the batches of a case in one of some statuses: of a clause, or all."""
    found = [col(Batch.case_id) == case_id, col(Batch.status).in_(statuses)]
    return [*found, col(Batch.clause) == clause] if clause else found


def _release(recording: Recording, act: Release) -> JsonObject:
    """Keep who released what, so that a case whose workflow is lost releases it still; evidence names all of it."""
    where = released_batches(recording.case.id, act)
    released = recording.session.exec(select(Batch.id, Batch.clause, Batch.size).where(*where)).all()
    recording.session.execute(
        update(Batch).where(*where).values(status=BatchStatus.WAITING, released_by=recording.actor)
    )
    ended = end_withholding(recording.session, recording.case.id, act.clause) if act.withheld is not False else []
    clauses: Counter[str] = Counter()
    for _, clause, size in released:
        clauses[clause] += size
    return {
        "batches": [str(batch) for batch, _, _ in released],
        "notices": clauses.total(),
        "clauses": dict(sorted(clauses.items())),
        **({"withholdings": [str(decision) for decision in ended]} if ended else {}),
    }


def released_batches(case_id: UUID, act: Release) -> list[Any]:
    """The conditions for the batches that a release lets go; it says itself whether it is those that are withheld."""
    match act.withheld:
        case None:
            return _batches(case_id, act.clause, (BatchStatus.WAITING, BatchStatus.WITHHELD))
        case True:
            return _batches(case_id, act.clause, (BatchStatus.WITHHELD,))
        case False:
            unreleased = col(Batch.released_by).is_(None)
            return [*_batches(case_id, act.clause, (BatchStatus.WAITING,)), unreleased]


def _withhold(
    recording: Recording, batches: list[Any], clause: str | None, reason: Kept, proposal_id: UUID | None = None
) -> JsonObject:
    decision = Withholding(
        id=recording.message.act_id,
        case_id=recording.case.id,
        clause=clause,
        reason_sha256=reason.sha256,
        decided_by=recording.actor,
        decided_at=recording.at,
        proposal_id=proposal_id,
    )
    return {"batches": withhold(recording.session, decision, batches)}


def _withhold_past_due(recording: Recording, act: WithholdPastDue) -> JsonObject:
    """Withhold as one person may, and propose that it be for longer."""
    recording.session.add(
        Proposal(
            id=recording.made_id,
            case_id=recording.case.id,
            kind=ProposalKind.WITHHOLD,
            clause=act.clause,
            reason_sha256=act.reason.sha256,
            proposed_by=recording.actor,
            proposed_at=recording.at,
        )
    )
    recording.session.flush()
    waiting = _batches(recording.case.id, act.clause, (BatchStatus.WAITING, BatchStatus.WITHHELD))
    unreleased = [*waiting, col(Batch.released_by).is_(None)]
    effect = _withhold(recording, unreleased, act.clause, act.reason, recording.made_id)
    return {"proposal_id": str(recording.made_id), **effect}


def _propose(recording: Recording, act: Propose) -> JsonObject:
    proposal_id = recording.made_id
    recording.session.add(
        Proposal(
            id=proposal_id,
            case_id=recording.case.id,
            kind=ProposalKind.NOT_REQUIRED,
            clause=act.clause,
            ground=act.ground,
            agreements=[str(agreement.id) for agreement in act.agreements],
            reason_sha256=act.reason.sha256,
            proposed_by=recording.actor,
            proposed_at=recording.at,
        )
    )
    return {"proposal_id": str(proposal_id)}


def _decide(recording: Recording, proposal_id: UUID, *, approve: bool) -> JsonObject:
    session = recording.session
    proposal = session.get_one(Proposal, proposal_id)
    if approve:
        check_second_person(session, proposal.proposed_by, recording.actor, recording.message.authenticated)
    proposal.decided_by, proposal.decided_at, proposal.approved = recording.actor, recording.at, approve
    said = {"clause": proposal.clause, "ground": proposal.ground, "reason_sha256": proposal.reason_sha256}
    said |= {"how_sha256": proposal.how_sha256, "to_whom_sha256": proposal.to_whom_sha256}
    said |= {"proof_sha256": proposal.proof_sha256}
    return {
        "approved": approve,
        "kind": proposal.kind.value,
        "proposed_by": proposal.proposed_by,
        **{name: value for name, value in said.items() if value is not None},
        **(_carry_out(recording, proposal) if approve else {}),
    }


def _carry_out(recording: Recording, proposal: Proposal) -> JsonObject:
    """Do what an approved proposal says, and return what evidence adds to the approval."""
    session, at = recording.session, recording.at
    match proposal.kind:
        case ProposalKind.NOT_REQUIRED:
            return store_list(session, "duties", _not_required(session, recording.case.id, proposal), at)
        case ProposalKind.DONE:
            duties = perform_by_other_means(session, proposal, approved_by=recording.actor, at=at)
            return store_list(session, "duties", duties, at)
        case ProposalKind.WITHHOLD:
            batches = sorted(session.exec(batches_under(proposal)))
            if not batches:
                raise Refused(
                    "None of its notices is withheld any more.", where="proposal_id", next_step="Decline the proposal."
                )
            return {"batches": [str(batch) for batch in batches]}
        case ProposalKind.WAIVER:
            assert proposal.task_id, "a waiver is of what one holder is asked"
            waive(session, proposal.task_id, recording.at)
            return {"task": str(proposal.task_id)}
        case _:
            assert_never(proposal.kind)


def _not_required(session: Session, case_id: UUID, proposal: Proposal) -> list[str]:
    """Close the duties that an approved proposal is about; return their ids, in order."""
    assert proposal.ground, "what is not required says why"
    knowing, named = agreements_knowing(session, case_id, proposal.ground), set(proposal.agreements)
    is_open = (Duty.case_id == case_id, Duty.clause == proposal.clause, col(Duty.status).in_(OPEN_STATUSES))
    found = session.exec(select(Duty.id, Duty.agreement_id).where(*is_open).order_by(col(Duty.id))).all()
    about = [key for key, agreement in found if agreement in knowing and (not named or str(agreement) in named)]
    for some in parts(about, KEYS_A_QUERY):
        session.execute(update(Duty).where(col(Duty.id).in_(some)).values(status=DutyStatus.NOT_REQUIRED))
    return [str(key) for key in about]


def _hold(recording: Recording, act: Hold) -> JsonObject:
    hold_id = recording.made_id
    recording.session.add(
        tables.LawEnforcementHold(
            id=hold_id,
            case_id=recording.case.id,
            agreement_id=act.agreement.id if act.agreement else None,
            particulars_sha256=act.particulars.sha256,
            shareable=act.shareable,
            begins_at=act.begins_at,
            until=act.until,
            placed_by=recording.actor,
            placed_at=recording.at,
        )
    )
    return {"hold_id": str(hold_id)}


def _add(recording: Recording, act: Add) -> JsonObject:
    session, case_id = recording.session, recording.case.id
    references = read_references(fetch(session, act.agreements.sha256))
    added = extend_scope(session, case_id, references, recording.at)
    if act.involved_at:
        name = kind_named(recording.case.kind).involvement
        if name is None:
            raise InvalidInput(
                "In such a case, no agreement has a date of its own.", where="involved_at", next_step="Leave it out."
            )
        for agreement in added:
            set_anchor(recording, AnchorValue(name=name, instant=act.involved_at), agreement, act.reason)
    return store_list(session, "agreements", [str(agreement) for agreement in added], recording.at)
