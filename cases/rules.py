"""When an act makes sense, and what it changes in a case's state: the rules that hold for every kind of case.

Pure functions: the workflow calls them in an update's validator and once more before the act is recorded, and plain
tests call them without any server.
"""

from __future__ import annotations

from datetime import datetime
from typing import assert_never, cast

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
    TakeAct,
    TellOverdue,
    Undo,
    Vouch,
    Withhold,
    WithholdPastDue,
)
from cases.anchors import check_anchor, check_instant
from cases.kind import Kind
from cases.state import CaseState, LastingHold, OpenProposal
from models.enums import ProposalKind
from models.errors import InvalidInput, Refused
from models.phrases import counted


def check(kind: Kind, message: TakeAct, state: CaseState, now: datetime) -> None:
    """Change nothing; return where the act makes sense in a case of this kind and state.

    Raises:
        Refused: it makes no sense now.
        InvalidInput: something in it cannot be used; ``where`` names the field.
    """
    if message.act_id in state.acts_taken:
        raise Refused(
            "This act was taken before.", next_step="Look at the case's page; do it anew if it is meant anew."
        )
    if state.closing and message.act.keeps_clocks:
        raise Refused("This case is closed.", next_step="Open a new case if there is something new.")
    if state.dismissed and message.act.keeps_clocks:
        _check_dismissed(message.act)
    if type(message.act) not in kind.acts:
        _check_common(kind, cast(CommonAct, message.act), message, state, now)
    kind.check(message, state, now)


def take(kind: Kind, message: TakeAct, state: CaseState) -> None:
    """Change the state as an act does that was found to make sense and is recorded."""
    state.acts_taken.add(message.act_id)
    if type(message.act) in kind.acts:
        kind.take(message, state)
    else:
        _take_common(cast(CommonAct, message.act), message, state)


def _check_dismissed(act: Act) -> None:
    """In a dismissed case, only its notices are still decided about, and a hold is still ended."""
    if not isinstance(act, Release | Withhold | Lift | SendAgain | Vouch):
        raise Refused("This case was dismissed.", next_step="Open a new one if there is something after all.")


def _check_common(kind: Kind, act: CommonAct, message: TakeAct, state: CaseState, now: datetime) -> None:
    match act:
        case SetDate():
            _check_date(kind, act, state, now)
        case NotYet():
            _check_not_yet(act, state, now)
        case Learn(element=element) | Impossible(element=element):
            if element in kind.only_by:
                raise Refused(kind.only_by[element], where="element", next_step="Look at the case's page.")
            _check_element(element, state)
        case Release():
            _check_release(act, state)
        case Withhold(clause=clause):
            _check_withholding(clause, state)
        case WithholdPastDue(clause=clause):
            _check_past_due(clause, state)
        case Propose():
            _check_proposal(act, state)
        case Approve(proposal_id=proposal_id) | Decline(proposal_id=proposal_id):
            proposal = state.proposals.get(proposal_id)
            if proposal is None:
                raise Refused("No such proposal waits for a decision.", next_step="Look at the case's page.")
            if isinstance(act, Approve) and proposal.proposed_by == message.actor:
                raise Refused("Nobody approves a proposal of their own.", next_step="Ask a second person to decide it.")
        case Hold():
            _check_hold(act, state, now)
        case Lift(hold_id=hold_id):
            if hold_id not in state.holds:
                raise Refused("No such law-enforcement hold is in place.", next_step="Look at the case's page.")
        case Done():
            _check_done(act, state, now)
        case Undo():
            _refuse_unopened(state)  # which proposal stands is in SQL alone
        case ConfirmDone(clause=clause):
            _check_clause(clause, state)
            if clause not in state.vocabulary.by_confirmation:
                raise Refused(
                    f"What {clause} asks for is not performed by a party's word.",
                    where="clause",
                    next_step="Record that it was done, with the proof.",
                )
        case SendAgain(clause=clause):
            if state.summary.undelivered == 0:
                _check_undecided(clause, state)
            _check_clause(clause, state)
        case Vouch(clause=clause, arrived_at=arrived_at):
            _check_undecided(clause, state)
            if problem := check_instant("arrived_at", arrived_at, now):
                raise problem
        case Posted(mailed_at=mailed_at):
            if problem := check_instant("mailed_at", mailed_at, now):
                raise problem
        case TellOverdue(clause=clause):
            _check_clause(clause, state)  # whether its duty is overdue is in SQL alone
        case NotPosted() | AdoptTerms() | AnswerQuestion():
            return
        case Assign(responsible=responsible, deputy=deputy):
            if deputy and deputy.casefold() == responsible.casefold():
                raise InvalidInput("This is who is responsible.", where="deputy", next_step="Choose somebody else.")
        case Add(involved_at=involved_at, reason=reason):
            if alone := kind.intake.one_agreement:
                raise Refused(alone.says, next_step=alone.next_step)
            if involved_at and reason is None:
                raise InvalidInput("It is empty.", where="reason", next_step="Say why the date is another one.")
            if involved_at and (problem := check_instant("involved_at", involved_at, now)):
                raise problem
        case _:
            assert_never(act)


def _check_date(kind: Kind, act: SetDate, state: CaseState, now: datetime) -> None:
    _refuse_unopened(state)
    anchor = act.anchor
    if anchor.name in kind.dates_by:
        raise Refused(
            f"More than a date belongs to {anchor.name!r}.",
            where="name",
            next_step=f"It is given by {kind.dates_by[anchor.name]}.",
        )
    ahead = anchor.name in kind.ahead or (kind.looks_ahead and anchor.name in state.vocabulary.ahead)
    check_anchor(anchor, state.vocabulary, now, ahead=ahead)
    known = state.anchors.get(anchor.name)
    if known is None and not anchor.is_known:
        raise InvalidInput("No date is given.", where="instant", next_step="Give the date, or an instant.")
    if known == anchor and act.agreement is None:
        raise Refused(f"{anchor.name} already has this value.", next_step="There is nothing to correct.")
    corrects = known is not None and known.is_known  # what was unknown so far is given, and not corrected
    if (corrects or act.agreement) and act.reason is None:
        raise InvalidInput("A correction needs a reason.", where="reason", next_step="Say why the date changes.")


def _check_not_yet(act: NotYet, state: CaseState, now: datetime) -> None:
    _refuse_unopened(state)
    if act.name not in state.vocabulary.asked:
        raise Refused(
            f"No clause of this case asks for {act.name!r} now.", where="name", next_step="There is nothing to decide."
        )
    if act.again_at <= now:
        raise InvalidInput(
            "This lies in the past.", where="again_at", next_step="Say when it is to be looked at again."
        )


def _check_element(element: str, state: CaseState) -> None:
    _refuse_unopened(state)
    if element not in state.vocabulary.elements:
        raise InvalidInput(
            f"The terms of this case's agreements know no element {element!r}.",
            where="element",
            next_step=f"They know {', '.join(state.vocabulary.elements)}.",
        )


def _check_release(act: Release, state: CaseState) -> None:
    if state.releasable(act.clause, withheld=act.withheld):
        return
    if act.withheld:
        raise Refused("No such notice of this case is withheld.", next_step="There is nothing to do.")
    kept_back = sum(plan.size for plan in state.releasable(act.clause, withheld=True))
    if kept_back:
        raise Refused(
            f"No such notice of this case waits for release: {counted(kept_back, 'is', 'are')} withheld.",
            where="withheld",
            next_step="To end the decision to withhold them, release those that are withheld.",
        )
    raise Refused("No such notice of this case waits for release.", next_step="There is nothing to do.")


def _check_withholding(clause: str | None, state: CaseState) -> None:
    waiting = [plan for plan in state.waiting_of(clause) if plan.batch_id not in state.released]
    if not waiting:
        raise Refused(
            "No such notice of this case waits: what has been sent cannot be withheld.",
            next_step="Send a correction to the LEAs instead.",
        )
    if all(plan.batch_id in state.withheld for plan in waiting):
        raise Refused("These notices are withheld already.", next_step="There is nothing to do.")


def _check_past_due(clause: str | None, state: CaseState) -> None:
    due = [plan for plan in state.waiting_of(clause) if plan.batch_id not in state.released and plan.due_at]
    if not due:
        raise Refused(
            "No such notice of this case waits and is due: there is no due instant that it could stay back past.",
            next_step="Withhold them: what is not due stays back until it is released.",
        )
    open_ones = [row for row in state.proposals.values() if row.kind is ProposalKind.WITHHOLD]
    if any(row.clause in (None, clause) for row in open_ones):
        raise Refused("This is proposed already.", next_step="A second person decides it.")
    if all(plan.withheld and plan.lapses_at is None for plan in due):
        raise Refused("These notices stay back past their due instant already.", next_step="There is nothing to do.")


def _check_proposal(act: Propose, state: CaseState) -> None:
    _check_clause(act.clause, state)
    if act.ground not in state.vocabulary.grounds:
        raise InvalidInput(
            f"The terms know no ground {act.ground!r}.",
            where="ground",
            next_step=f"They know {', '.join(state.vocabulary.grounds)}.",
        )
    agreements = tuple(agreement.id for agreement in act.agreements)
    for known in state.proposals.values():
        if (known.clause, known.ground, known.agreements) == (act.clause, act.ground, agreements):
            raise Refused("This is proposed already.", next_step="A second person decides it.")


def _check_hold(act: Hold, state: CaseState, now: datetime) -> None:
    agreement = act.agreement.id if act.agreement else None
    for known in state.holds.values():
        if (known.particulars_sha256, known.agreement_id) == (act.particulars.sha256, agreement):
            raise Refused("This hold is in place already.", next_step="There is nothing to do.")
    if problem := check_instant("begins_at", act.begins_at, now):
        raise problem
    if act.until and act.until <= max(now, act.begins_at):
        raise InvalidInput(
            "The hold would end before it begins to count.", where="until", next_step="Give a later time."
        )


def _check_done(act: Done, state: CaseState, now: datetime) -> None:
    """Only what its clause lets be done elsewhere is recorded so, and never what a holder's word performs."""
    clause, vocabulary = act.clause, state.vocabulary
    _check_clause(clause, state)
    if clause in vocabulary.by_confirmation:
        raise Refused(
            f"What {clause} asks for is performed once each holder has confirmed it.",
            where="clause",
            next_step="Record each holder's confirmation.",
        )
    if clause in vocabulary.by_time:
        raise Refused(
            f"What {clause} says happens by the passing of time.", where="clause", next_step="There is nothing to do."
        )
    if clause not in vocabulary.by_other_means:
        raise Refused(
            f"The terms do not let {clause} be performed by other means than its notice.",
            where="clause",
            next_step="Release the notice, or propose that none is required.",
        )
    if problem := check_instant("done_at", act.done_at, now):
        raise problem
    if clause in vocabulary.by_notice and act.to_whom is None:
        raise InvalidInput("It is empty.", where="to_whom", next_step="Say who was told.")
    agreements = {agreement.id for agreement in act.agreements}
    for known in state.proposals.values():
        if known.kind is ProposalKind.DONE and known.clause == clause and agreements.intersection(known.agreements):
            raise Refused(
                "This is proposed already, for one of these agreements.",
                where="agreements",
                next_step="A second person decides it; withdraw it first if it is to say something else.",
            )


def _check_undecided(clause: str, state: CaseState) -> None:
    """Only what the mail server left unknown, and is not sent again by itself, is a person's to decide."""
    _check_clause(clause, state)
    if state.summary.undecided == 0:
        raise Refused(
            "Of no notice of this case is it a person's to say whether it arrived.",
            next_step="Look at the case's page.",
        )


def _check_clause(clause: str, state: CaseState) -> None:
    _refuse_unopened(state)
    if clause not in state.vocabulary.clauses:
        raise InvalidInput(
            f"No duty of this case is under {clause!r}.",
            where="clause",
            next_step=f"There are {', '.join(state.vocabulary.clauses)}.",
        )


def _refuse_unopened(state: CaseState) -> None:
    if state.computed == 0:
        raise Refused("The case is still being opened.", next_step="Try again in a moment.")


def _take_common(act: CommonAct, message: TakeAct, state: CaseState) -> None:
    match act:
        case SetDate(agreement=None):
            state.anchors[act.anchor.name] = act.anchor
        case NotYet(name=name, again_at=again_at):
            state.asked_again[name] = again_at
        case Release(clause=clause, withheld=withheld):
            for plan in state.releasable(clause, withheld=withheld):
                state.released[plan.batch_id] = message.actor
                state.withheld.discard(plan.batch_id)
        case Withhold(clause=clause):
            waiting = state.waiting_of(clause)
            state.withheld.update(plan.batch_id for plan in waiting if plan.batch_id not in state.released)
        case WithholdPastDue(clause=clause):
            waiting = state.waiting_of(clause)
            state.withheld.update(plan.batch_id for plan in waiting if plan.batch_id not in state.released)
            state.proposals[message.made_id] = OpenProposal(
                kind=ProposalKind.WITHHOLD, clause=clause, ground=None, agreements=(), proposed_by=message.actor
            )
        case Done(clause=clause, agreements=agreements):
            state.proposals[message.made_id] = OpenProposal(
                kind=ProposalKind.DONE,
                clause=clause,
                ground=None,
                agreements=tuple(agreement.id for agreement in agreements),
                proposed_by=message.actor,
            )
        case Propose(clause=clause, ground=ground, agreements=agreements):
            state.proposals[message.made_id] = OpenProposal(
                clause=clause,
                ground=ground,
                agreements=tuple(agreement.id for agreement in agreements),
                proposed_by=message.actor,
            )
        case Approve(proposal_id=proposal_id) | Decline(proposal_id=proposal_id):
            del state.proposals[proposal_id]
        case Hold(particulars=particulars, agreement=agreement, until=until):
            state.holds[message.made_id] = LastingHold(
                particulars_sha256=particulars.sha256,
                agreement_id=agreement.id if agreement else None,
                until=until,
            )
        case Lift(hold_id=hold_id):
            del state.holds[hold_id]
        case SendAgain(clause=clause):
            for key, batch in state.put_off.items():
                if batch.plan.clause == clause:  # it takes the message along at once: its clock began in the past
                    state.put_off[key] = batch.model_copy(update={"again_at": batch.plan.starts_at})
        case (
            SetDate()
            | Learn()
            | Impossible()
            | Undo()
            | ConfirmDone()
            | Vouch()
            | Posted()
            | NotPosted()
            | AdoptTerms()
            | Add()
            | Assign()
            | AnswerQuestion()
            | TellOverdue()
        ):
            return  # what they change is in SQL alone
        case _:
            assert_never(act)
