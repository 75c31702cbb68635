"""When an act makes sense in a case and what it changes in its state: plain rules, without any server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from cases.acts import (
    Act,
    Add,
    AdoptTerms,
    Approve,
    ConfirmDone,
    Decline,
    Done,
    Hold,
    Impossible,
    Learn,
    Lift,
    Propose,
    Release,
    SendAgain,
    SetDate,
    TakeAct,
    Undo,
    Vouch,
    Withhold,
    WithholdPastDue,
)
from cases.breach import BREACH, Confirm, Dismiss
from cases.intake import Intake
from cases.kind import Kind
from cases.rules import check, take
from cases.state import BatchPlan, CaseState, CaseSummary, CaseVocabulary, PutOff
from cases.values import AgreementName, AnchorValue, KeptReferences, KeptText
from models.enums import NoticeKind, ProposalKind
from models.errors import DuenoticeError, InvalidInput, Refused

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TODAY = NOW.date()
FIRST, SECOND, OTHER = UUID(int=1), UUID(int=2), UUID(int=3)

NOTICE, DELETION, REVIEW, EXPIRY = "breach.notice", "disposition.request", "disposition.review", "term.expiry"
STRICT = "breach.initial-notice"
WORDS = CaseVocabulary(
    anchors=("occurred", "discovered", "confirmed", "received"),
    clocks=("discovered", "confirmed", "received"),
    instants=("confirmed",),
    elements=("description", "students"),
    clauses=(NOTICE, DELETION, REVIEW, EXPIRY, STRICT),
    by_notice=(NOTICE, STRICT),
    by_confirmation=(DELETION,),
    by_time=(EXPIRY,),
    by_other_means=(NOTICE, REVIEW),
    grounds=("no_harm", "encrypted"),
)
PLAIN = Kind(name="plain", label="plain", event="disposition", intake=Intake, workflow="")


def plan(batch_id: UUID, clause: str) -> BatchPlan:
    return BatchPlan(
        batch_id=batch_id,
        kind=NoticeKind.NOTICE,
        clause=clause,
        starts_at=NOW,
        due_at=NOW + 3 * DAY,
        leaves_at=NOW + 2 * DAY,
        size=1,
    )


def a_case(**changed: object) -> CaseState:
    """An open case that is computed, with three batches that wait, of two clauses, and a message nobody knows of."""
    state = CaseState(
        anchors={"occurred": AnchorValue(name="occurred", instant=NOW - DAY)},
        vocabulary=WORDS,
        summary=CaseSummary(open_duties=3, undecided=1),
        waiting={FIRST: plan(FIRST, NOTICE), SECOND: plan(SECOND, NOTICE), OTHER: plan(OTHER, "breach.supplement")},
        opened=True,
        computed=1,
    )
    for name, value in changed.items():
        setattr(state, name, value)
    return state


def text(given: str = "Because counsel says so.") -> KeptText:
    return KeptText.model_validate(given)


def agreement(reference: str = "IL-1") -> AgreementName:
    return AgreementName.model_validate(reference)


def message(act: Act, actor: str = "officer") -> TakeAct:
    return TakeAct(act=act, actor=actor, act_id=uuid4())


def refusal(state: CaseState, act: Act, kind: Kind = PLAIN, actor: str = "officer") -> DuenoticeError:
    before = state.model_copy(deep=True)
    with pytest.raises(DuenoticeError) as caught:
        check(kind, message(act, actor), state, NOW)
    assert state == before, "a refusal changes nothing"
    return caught.value


def done(state: CaseState, act: Act, kind: Kind = PLAIN, actor: str = "officer") -> TakeAct:
    """Check and take an act."""
    taken = message(act, actor)
    before = state.model_copy(deep=True)
    check(kind, taken, state, NOW)
    assert state == before, "checking changes nothing"
    take(kind, taken, state)
    return taken


def dated(name: str, value: datetime | date | None = None, **more: object) -> SetDate:
    match value:
        case datetime():
            more["instant"] = value
        case date():
            more["first_day"] = value
        case None:
            pass
    return SetDate.model_validate({"name": name, **more})


def proposal(**more: object) -> Propose:
    return Propose.model_validate({"clause": NOTICE, "ground": "no_harm", "reason": text(), **more})


def hold(**more: object) -> Hold:
    return Hold.model_validate({"particulars": text("The FBI, no. 7."), "begins_at": NOW, **more})


def deletion(clause: str = DELETION) -> ConfirmDone:
    return ConfirmDone(clause=clause, agreement=agreement(), particulars=text())


def vouched(clause: str = NOTICE, arrived_at: datetime = NOW) -> Vouch:
    return Vouch(clause=clause, agreement=agreement(), arrived_at=arrived_at, particulars=text())


def was_done(clause: str, *references: str, **more: object) -> Done:
    named = tuple(agreement(reference) for reference in references or ("IL-1",))
    given = {"clause": clause, "agreements": named, "done_at": NOW, "how": text("By letter."), "to_whom": text("Kim.")}
    return Done.model_validate(given | {"proof": b"a report"} | more)


def added(**more: object) -> Add:
    return Add(agreements=KeptReferences.model_validate(["A"]), **more)


Prepared = Callable[[], CaseState]


def held() -> CaseState:
    state = a_case()
    done(state, hold())
    return state


def proposed() -> CaseState:
    state = a_case()
    done(state, proposal(), actor="officer")
    return state


def all_decided() -> CaseState:
    return a_case(summary=CaseSummary(open_duties=3))


def all_withheld() -> CaseState:
    state = a_case()
    done(state, Withhold(reason=text()))
    return state


def said_done() -> CaseState:
    state = a_case()
    done(state, was_done(NOTICE))
    return state


def past_due() -> CaseState:
    state = a_case()
    done(state, WithholdPastDue(reason=text()))
    return state


def all_released() -> CaseState:
    state = a_case()
    done(state, Release())
    return state


REFUSED: list[tuple[str, Prepared, Act, type[DuenoticeError], str | None]] = [
    ("a date that the terms do not know", a_case, dated("born", NOW), InvalidInput, "name"),
    ("a day where hours are counted", a_case, dated("confirmed", TODAY), InvalidInput, "instant"),
    ("nothing where hours are counted", a_case, dated("confirmed"), InvalidInput, "instant"),
    ("unknown where days are counted", a_case, dated("received"), InvalidInput, "first_day"),
    (
        "a range where days are counted",
        a_case,
        dated("received", TODAY - DAY, last_day=TODAY),
        InvalidInput,
        "first_day",
    ),
    ("an instant and a day", a_case, dated("received", NOW, first_day=TODAY), InvalidInput, "instant"),
    ("the end of a range alone", a_case, dated("occurred", last_day=TODAY), InvalidInput, "last_day"),
    ("a range backwards", a_case, dated("occurred", TODAY, last_day=TODAY - DAY), InvalidInput, "last_day"),
    ("an instant to come", a_case, dated("discovered", NOW + HOUR), InvalidInput, "discovered"),
    ("a day to come", a_case, dated("received", TODAY + 2 * DAY), InvalidInput, "received"),
    ("the same date again", a_case, dated("occurred", NOW - DAY), Refused, None),
    ("a correction without a reason", a_case, dated("occurred", NOW - HOUR), InvalidInput, "reason"),
    (
        "one agreement's date without a reason",
        a_case,
        dated("received", TODAY, agreement="IL-1"),
        InvalidInput,
        "reason",
    ),
    ("an element that nobody asks for", a_case, Learn(element="colour", value=text()), InvalidInput, "element"),
    ("the same, impossible", a_case, Impossible(element="colour"), InvalidInput, "element"),
    ("releasing what does not wait", a_case, Release(clause=DELETION), Refused, None),
    ("releasing where nothing waits", lambda: a_case(waiting={}), Release(), Refused, None),
    ("withholding what does not wait", a_case, Withhold(clause=DELETION, reason=text()), Refused, None),
    ("withholding what is released", all_released, Withhold(reason=text()), Refused, None),
    ("withholding twice", all_withheld, Withhold(reason=text()), Refused, None),
    ("withholding past due what is released", all_released, WithholdPastDue(reason=text()), Refused, None),
    ("withholding past due twice", past_due, WithholdPastDue(clause=NOTICE, reason=text()), Refused, None),
    ("a proposal for no clause of the case", a_case, proposal(clause="a.b"), InvalidInput, "clause"),
    ("a proposal on no ground of the terms", a_case, proposal(ground="whim"), InvalidInput, "ground"),
    ("the same proposal twice", proposed, proposal(reason=text("For another reason.")), Refused, None),
    ("approving what nobody proposed", a_case, Approve(proposal_id=OTHER), Refused, None),
    ("declining what nobody proposed", a_case, Decline(proposal_id=OTHER), Refused, None),
    ("a hold twice", held, hold(until=NOW + DAY), Refused, None),
    ("a hold that begins later", a_case, hold(begins_at=NOW + HOUR), InvalidInput, "begins_at"),
    ("a hold that is over", a_case, hold(begins_at=NOW - DAY, until=NOW), InvalidInput, "until"),
    ("lifting no hold", a_case, Lift(hold_id=OTHER), Refused, None),
    ("done under no clause of the case", a_case, was_done("a.b"), InvalidInput, "clause"),
    ("done where the clause wants its own notice", a_case, was_done(STRICT), Refused, "clause"),
    ("done in the future", a_case, was_done(REVIEW, done_at=NOW + HOUR), InvalidInput, "done_at"),
    ("a notice given elsewhere to nobody", a_case, was_done(NOTICE, to_whom=None), InvalidInput, "to_whom"),
    ("done twice towards one agreement", said_done, was_done(NOTICE, "MO-1", "IL-1"), Refused, "agreements"),
    ("done where only a holder's word performs", a_case, was_done(DELETION), Refused, "clause"),
    ("done where only time performs", a_case, was_done(EXPIRY), Refused, "clause"),
    ("confirming under no clause of the case", a_case, deletion("a.b"), InvalidInput, "clause"),
    ("confirming where a notice performs", a_case, deletion(NOTICE), Refused, "clause"),
    ("confirming where an act performs", a_case, deletion(REVIEW), Refused, "clause"),
    ("sending again where nothing is unknown", all_decided, SendAgain(clause=NOTICE), Refused, None),
    ("sending again under no clause of the case", a_case, SendAgain(clause="a.b"), InvalidInput, "clause"),
    ("vouching where nothing is unknown", all_decided, vouched(), Refused, None),
    ("vouching under no clause of the case", a_case, vouched("a.b"), InvalidInput, "clause"),
    ("vouching for what is to come", a_case, vouched(arrived_at=NOW + HOUR), InvalidInput, "arrived_at"),
    ("adding as of a date without a reason", a_case, added(involved_at=NOW), InvalidInput, "reason"),
    (
        "adding as of a date to come",
        a_case,
        added(involved_at=NOW + HOUR, reason=text()),
        InvalidInput,
        "involved_at",
    ),
]


@pytest.mark.parametrize(
    ("prepared", "act", "error", "where"), [row[1:] for row in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_what_makes_no_sense_is_refused_at_its_field(
    prepared: Prepared, act: Act, error: type[DuenoticeError], where: str | None
) -> None:
    told = refusal(prepared(), act)
    assert (type(told), told.where) == (error, where)
    assert told.next_step, "a refusal says what to do"


ALLOWED: list[tuple[str, Act]] = [
    ("an instant where hours are counted", dated("confirmed", NOW)),
    ("an instant within the clocks' difference", dated("confirmed", NOW + timedelta(minutes=5))),
    ("a day where days are counted", dated("received", TODAY)),
    ("tomorrow, where it has begun somewhere on earth", dated("received", TODAY + DAY)),
    ("an instant where days are counted", dated("received", NOW)),
    ("unknown where no clock starts", dated("occurred", reason=text())),
    ("a range where no clock starts", dated("occurred", TODAY - 5 * DAY, last_day=TODAY, reason=text())),
    ("what an act performs, done", was_done(REVIEW, to_whom=None)),
    ("what a notice performs, done by other means", was_done(NOTICE)),
    ("what was done by other means, taken back", Undo(proposal_id=OTHER, reason=text())),
    ("what a holder's word performs, confirmed", deletion()),
    ("what nobody knows, sent again", SendAgain(clause=NOTICE)),
    ("what nobody knows, vouched for", vouched()),
    ("the clauses as they are now", AdoptTerms(reason=text())),
    ("further agreements", added()),
    ("further agreements as of a date", added(involved_at=NOW, reason=text())),
    ("an element", Learn(element="students", value=text())),
    ("an element that cannot be known", Impossible(element="students")),
]


@pytest.mark.parametrize("act", [act for _, act in ALLOWED], ids=[name for name, _ in ALLOWED])
def test_what_makes_sense_is_taken(act: Act) -> None:
    done(a_case(), act)


def test_a_planned_fact_may_lie_ahead_where_its_kind_says_so() -> None:
    planning = replace(PLAIN, ahead=frozenset({"received"}))
    done(a_case(), dated("received", TODAY + 30 * DAY), planning)
    assert refusal(a_case(), dated("discovered", NOW + 30 * DAY), planning).where == "discovered"


NEED_DUTIES = [
    dated("received", TODAY),
    Learn(element="students", value=text()),
    Impossible(element="students"),
    proposal(),
    was_done(REVIEW),
    Undo(proposal_id=OTHER, reason=text()),
    deletion(),
    SendAgain(clause=NOTICE),
    vouched(),
]


@pytest.mark.parametrize("act", NEED_DUTIES, ids=[act.act for act in NEED_DUTIES])
def test_before_duties_are_computed_no_act_names_their_words(act: Act) -> None:
    told = refusal(a_case(computed=0, vocabulary=CaseVocabulary()), act)
    assert isinstance(told, Refused)
    assert "being opened" in told.message


EVERY_ACT = [
    *(act for _, act in ALLOWED),
    Release(),
    Withhold(reason=text()),
    WithholdPastDue(reason=text()),
    proposal(),
    hold(),
    Dismiss(reason=text()),
]


@pytest.mark.parametrize("act", EVERY_ACT, ids=[act.act for act in EVERY_ACT])
def test_a_closing_case_takes_no_act(act: Act) -> None:
    told = refusal(a_case(closing=True), act, BREACH)
    assert isinstance(told, Refused)
    assert "closed" in told.message


STILL_DECIDED = {Release, Withhold, Lift, SendAgain, Vouch}


@pytest.mark.parametrize("act", EVERY_ACT, ids=[act.act for act in EVERY_ACT])
def test_a_dismissed_case_decides_only_about_notices_and_holds(act: Act) -> None:
    if type(act) in STILL_DECIDED:
        done(a_case(dismissed=True), act, BREACH)
    else:
        told = refusal(a_case(dismissed=True), act, BREACH)
        assert isinstance(told, Refused)
        assert "dismissed" in told.message


def test_a_hold_is_lifted_in_a_dismissed_case() -> None:
    state = held()
    state.dismissed = True
    (hold_id,) = state.holds
    done(state, Lift(hold_id=hold_id))
    assert state.holds == {}


def test_a_date_of_the_case_is_kept_and_one_agreement_s_is_not() -> None:
    state = a_case()
    done(state, dated("received", TODAY))
    assert state.anchors["received"] == AnchorValue(name="received", first_day=TODAY)
    done(state, dated("received", TODAY - DAY, agreement="IL-1", reason=text()))
    assert state.anchors["received"].first_day == TODAY


def test_a_date_that_was_unknown_so_far_is_given_without_a_reason() -> None:
    state = a_case(anchors={"occurred": AnchorValue(name="occurred")})
    done(state, dated("occurred", TODAY - DAY))
    assert state.anchors["occurred"].first_day == TODAY - DAY
    assert refusal(state, dated("occurred", TODAY)).where == "reason", "from then on it is a correction"


def test_releasing_a_clause_releases_its_batches_alone_and_says_who_did() -> None:
    state = all_withheld()
    done(state, Release(clause=NOTICE, withheld=True), actor="counsel")
    assert state.released == {FIRST: "counsel", SECOND: "counsel"}
    assert state.withheld == {OTHER}


def test_a_release_of_everything_sends_nothing_that_is_withheld() -> None:
    state = a_case()
    done(state, Withhold(clause=NOTICE, reason=text()), actor="counsel")
    done(state, Release())
    assert set(state.released) == {OTHER}
    assert state.withheld == {FIRST, SECOND}
    told = refusal(state, Release())
    assert isinstance(told, Refused)
    assert (told.where, "2 are withheld" in told.message) == ("withheld", True)


def test_releasing_what_is_withheld_is_a_decision_of_its_own() -> None:
    state = a_case()
    done(state, Withhold(clause=NOTICE, reason=text()))
    done(state, Release(withheld=True))
    assert (set(state.released), state.withheld) == ({FIRST, SECOND}, set())
    assert isinstance(refusal(a_case(), Release(withheld=True)), Refused), "nothing is withheld"


def test_a_release_in_an_old_history_lets_go_what_was_withheld_as_it_did_then() -> None:
    then = TakeAct.model_validate({"act": {"act": "release"}, "actor": "officer", "act_id": str(uuid4())})
    state = all_withheld()
    take(PLAIN, then, state)
    assert set(state.released) == {FIRST, SECOND, OTHER}
    now = TakeAct.model_validate_json(message(Release()).model_dump_json())
    assert now.act == Release()


def test_withholding_keeps_back_what_is_not_released() -> None:
    state = a_case()
    done(state, Release(clause=NOTICE))
    done(state, Withhold(reason=text()))
    assert state.withheld == {OTHER}
    assert set(state.released) == {FIRST, SECOND}


def test_what_is_sent_again_goes_at_once_though_its_batch_is_put_off_for_others() -> None:
    later = {
        key: PutOff(plan=plan(key, clause), released_by=None, again_at=NOW + HOUR)
        for key, clause in ((FIRST, NOTICE), (OTHER, REVIEW))
    }
    state = a_case(waiting={}, put_off=later)
    done(state, SendAgain(clause=NOTICE))
    assert state.put_off[FIRST].again_at <= NOW
    assert state.put_off[OTHER].again_at == NOW + HOUR


def test_two_proposals_that_differ_wait_side_by_side() -> None:
    state = proposed()
    for other in ({"ground": "encrypted"}, {"agreements": ["IL-1"]}, {"clause": DELETION}):
        done(state, proposal(**other))
    assert len(state.proposals) == 4


def test_nobody_approves_a_proposal_of_their_own_and_everybody_may_decline_it() -> None:
    state = proposed()
    (proposal_id,) = state.proposals
    assert isinstance(refusal(state, Approve(proposal_id=proposal_id), actor="officer"), Refused)
    done(state, Decline(proposal_id=proposal_id), actor="officer")
    assert state.proposals == {}


def test_a_second_person_decides_a_proposal_once() -> None:
    state = proposed()
    (proposal_id,) = state.proposals
    done(state, Approve(proposal_id=proposal_id), actor="counsel")
    assert isinstance(refusal(state, Approve(proposal_id=proposal_id), actor="counsel"), Refused)


def test_what_an_act_makes_has_the_id_that_its_recording_gives_it() -> None:
    state = a_case()
    proposing, holding = done(state, proposal()), done(state, hold(until=NOW + DAY))
    assert set(state.proposals) == {proposing.made_id}
    assert set(state.holds) == {holding.made_id}


WITHHELD_ALONE = plan(FIRST, NOTICE).model_copy(update={"withheld": True, "lapses_at": NOW + 2 * DAY})


def leaves(state: CaseState, at: datetime) -> set[UUID]:
    return {batch.plan.batch_id for batch in state.ready(at)}


def test_what_one_person_withheld_leaves_at_its_last_safe_moment_and_what_two_did_does_not() -> None:
    by_two = plan(SECOND, NOTICE).model_copy(update={"withheld": True})
    state = a_case(waiting={FIRST: WITHHELD_ALONE, SECOND: by_two}, withheld={FIRST, SECOND})
    assert leaves(state, NOW + 2 * DAY - HOUR) == set()
    assert leaves(state, NOW + 30 * DAY) == {FIRST}
    assert list(state.leaving_moments()) == [NOW + 2 * DAY]


def test_to_withhold_past_due_keeps_back_at_once_what_a_release_of_all_would_send() -> None:
    state = past_due()
    assert state.withheld == {FIRST, SECOND, OTHER}
    (proposed,) = state.proposals.values()
    assert (proposed.kind, proposed.clause) == (ProposalKind.WITHHOLD, None)
    assert isinstance(refusal(state, Release()), Refused)


def test_what_one_person_withheld_can_be_proposed_for_longer() -> None:
    state = a_case(waiting={FIRST: WITHHELD_ALONE}, withheld={FIRST})
    done(state, WithholdPastDue(reason=text()))
    by_two = WITHHELD_ALONE.model_copy(update={"lapses_at": None})
    told = refusal(a_case(waiting={FIRST: by_two}, withheld={FIRST}), WithholdPastDue(reason=text()))
    assert "already" in told.message


def test_the_same_hold_may_be_for_one_agreement_besides() -> None:
    state = held()
    done(state, hold(agreement="IL-1"))
    assert {one.agreement_id for one in state.holds.values()} == {None, agreement().id}


def test_a_hold_that_was_lifted_may_be_placed_again() -> None:
    state = held()
    (hold_id,) = state.holds
    done(state, Lift(hold_id=hold_id))
    assert isinstance(refusal(state, Lift(hold_id=hold_id)), Refused)
    done(state, hold())
    assert len(state.holds) == 1


@pytest.mark.parametrize(
    "act",
    [
        Undo(proposal_id=OTHER, reason=text()),
        deletion(),
        vouched(),
        AdoptTerms(reason=text()),
        added(),
        Learn(element="students", value=text()),
    ],
    ids=lambda act: act.act,
)
def test_what_only_sql_keeps_changes_no_state(act: Act) -> None:
    state = a_case()
    before = state.model_copy(deep=True)
    done(state, act)
    assert state == before.model_copy(update={"acts_taken": state.acts_taken})


def confirmed_case() -> CaseState:
    state = a_case()
    done(state, Confirm(confirmed_at=NOW), BREACH)
    return state


BREACH_REFUSED: list[tuple[str, Prepared, Act, type[DuenoticeError], str | None]] = [
    ("confirming twice", confirmed_case, Confirm(confirmed_at=NOW), Refused, None),
    ("confirming ahead", a_case, Confirm(confirmed_at=NOW + HOUR), InvalidInput, "confirmed_at"),
    ("confirming before it occurred", a_case, Confirm(confirmed_at=NOW - 2 * DAY), InvalidInput, "confirmed_at"),
    ("dismissing what is confirmed", confirmed_case, Dismiss(reason=text()), Refused, None),
    ("a date for confirmation instead of it", a_case, dated("confirmed", NOW), Refused, None),
    (
        "correcting the confirmation to before it occurred",
        confirmed_case,
        dated("confirmed", NOW - 2 * DAY, reason=text()),
        InvalidInput,
        "confirmed",
    ),
    (
        "correcting the occurrence to after its confirmation",
        lambda: a_case(
            anchors={
                "occurred": AnchorValue(name="occurred", instant=NOW - 3 * DAY),
                "confirmed": AnchorValue(name="confirmed", instant=NOW - 2 * DAY),
            }
        ),
        dated("occurred", NOW - DAY, reason=text()),
        InvalidInput,
        "occurred",
    ),
    ("adding as of a date before confirmation", a_case, added(involved_at=NOW, reason=text()), Refused, None),
    (
        "adding as of before it occurred",
        confirmed_case,
        added(involved_at=NOW - 2 * DAY, reason=text()),
        InvalidInput,
        "involved_at",
    ),
]


@pytest.mark.parametrize(
    ("prepared", "act", "error", "where"), [row[1:] for row in BREACH_REFUSED], ids=[row[0] for row in BREACH_REFUSED]
)
def test_what_makes_no_sense_in_a_breach_is_refused(
    prepared: Prepared, act: Act, error: type[DuenoticeError], where: str | None
) -> None:
    told = refusal(prepared(), act, BREACH)
    assert (type(told), told.where) == (error, where)


def test_a_breach_is_confirmed_as_of_its_time_and_awaits_nothing_more() -> None:
    state = a_case()
    assert BREACH.awaits(state) == {"confirmed", "reasonably_expected"}
    assert not BREACH.is_decided(state)
    done(state, Confirm(confirmed_at=NOW - HOUR), BREACH)
    assert state.anchors["confirmed"].instant == NOW - HOUR
    assert BREACH.awaits(state) == frozenset()
    assert BREACH.is_decided(state)


def test_a_suspicion_that_is_dismissed_is_decided() -> None:
    state = a_case()
    done(state, Dismiss(reason=text()), BREACH)
    assert state.dismissed
    assert BREACH.is_decided(state)
    assert BREACH.awaits(state) == frozenset()


def test_a_date_of_confirmation_for_one_agreement_needs_the_confirmation_of_the_case() -> None:
    one = dated("confirmed", NOW, agreement="IL-1", reason=text())
    assert isinstance(refusal(a_case(), one, BREACH), Refused)
    done(confirmed_case(), one, BREACH)


@pytest.mark.parametrize(
    "left",
    [
        {"summary": CaseSummary(open_duties=1)},
        {"summary": CaseSummary(lacking_notices=1)},
        {"summary": CaseSummary(undecided=1)},
        {"summary": CaseSummary(unacknowledged=1), "chases": [NOW]},
        {"waiting": {FIRST: plan(FIRST, NOTICE)}},
        {"leaving": {FIRST: plan(FIRST, NOTICE)}},
        {"facts": 2},
        {"outcomes": 1},
    ],
    ids=lambda left: "-".join(left),
)
def test_a_case_is_not_over_while_anything_is_open(left: dict[str, object]) -> None:
    at_rest: dict[str, object] = {"waiting": {}, "summary": CaseSummary()}
    assert PLAIN.is_over(a_case(**at_rest))
    assert not PLAIN.is_over(a_case(**(at_rest | left)))


SOME_CLAUSE = st.sampled_from([None, NOTICE, "breach.supplement", DELETION])
DECISIONS: list[type[Act]] = [Approve, Decline, Lift]
STEPS = st.one_of(
    st.builds(Release, clause=SOME_CLAUSE, withheld=st.booleans()),
    SOME_CLAUSE.map(lambda clause: Withhold(clause=clause, reason=text())),
    SOME_CLAUSE.map(lambda clause: WithholdPastDue(clause=clause, reason=text())),
    st.just(was_done(NOTICE)),
    st.sampled_from(["no_harm", "encrypted"]).map(lambda ground: proposal(ground=ground)),
    st.sampled_from([None, "IL-1"]).map(lambda reference: hold(agreement=reference)),
    st.just(Confirm(confirmed_at=NOW)),
    st.just(Dismiss(reason=text())),
    st.sampled_from(DECISIONS),
)
ACTORS = st.sampled_from(["officer", "counsel"])


def about_what_there_is(step: Act | type[Act], state: CaseState) -> Act:
    """A decision about the first thing there is to decide, or about nothing."""
    if isinstance(step, Act):
        return step
    made = state.holds if step is Lift else state.proposals
    name = "hold_id" if step is Lift else "proposal_id"
    return step.model_validate({"act": step.act_name(), name: next(iter(made), OTHER)})


@for_any(st.lists(st.tuples(STEPS, ACTORS), max_size=15))
def test_whatever_acts_come_in_whatever_order_the_state_makes_sense(
    steps: list[tuple[Act | type[Act], str]],
) -> None:
    state = a_case()
    for step, actor in steps:
        act, before = about_what_there_is(step, state), state.model_copy(deep=True)
        proposers = {key: one.proposed_by for key, one in state.proposals.items()}
        try:
            done(state, act, BREACH, actor)
        except DuenoticeError:
            assert state == before
            continue
        assert state.withheld.isdisjoint(state.released), "what is released is not withheld"
        assert state.withheld | state.released.keys() <= state.waiting.keys()
        if isinstance(act, Release) and not act.withheld:
            assert state.withheld == before.withheld, "what somebody withheld leaves by a decision about it alone"
        assert not (state.dismissed and "confirmed" in state.anchors)
        if isinstance(act, Approve):
            assert proposers[act.proposal_id] != actor
        said = [(one.particulars_sha256, one.agreement_id) for one in state.holds.values()]
        assert len(said) == len(set(said)), "no hold is in place twice"
        assert CaseState.model_validate_json(state.model_dump_json()) == state, "it can be handed on at any time"


def test_a_page_offers_a_kind_s_own_acts_unless_the_kind_says_when_they_make_no_sense_any_more() -> None:
    """A kind about which nobody has to decide anything has acts of its own all the same."""
    acting = replace(PLAIN, acts=(Confirm,))
    assert acting.is_decided(a_case())
    assert acting.own_acts(a_case()) == (Confirm,)
    suspected, confirmed = a_case(), a_case()
    confirmed.anchors["confirmed"] = AnchorValue(name="confirmed", instant=NOW)
    assert BREACH.own_acts(suspected) == (Confirm, Dismiss)
    assert BREACH.own_acts(confirmed) == ()
