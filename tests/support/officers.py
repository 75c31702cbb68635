"""What officers do in a breach case, as short calls: each makes the act and has the case service carry it out."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from cases.acts import (
    Act,
    Add,
    AdoptTerms,
    Approve,
    Decline,
    Done,
    Hold,
    Impossible,
    Learn,
    Lift,
    Propose,
    Release,
    SetDate,
    Undo,
    Withhold,
    WithholdPastDue,
    parse_act,
)
from cases.breach import BREACH, Confirm, Dismiss, IncidentReport
from cases.state import CaseSummary
from cases.values import AnchorValue
from starter.case_service import CaseService, OpenedCase, TakenAct
from starter.rehearsals.virtual_time import VirtualEngine
from tests.support.accounts import have_account


def officer(of: VirtualEngine | CaseService) -> Officer:
    """Somebody at an engine's case service."""
    return Officer(of if isinstance(of, CaseService) else of.service)


class Officer:
    """Does acts under the name that each call gives; a value that cannot be used raises as it does for everybody.

    Dates that are hardly meant are confirmed: what is tested with them is what follows.
    """

    def __init__(self, service: CaseService) -> None:
        self._service = service

    async def report_breach(self, report: IncidentReport, *, actor: str) -> OpenedCase:
        return await self._service.open_case(BREACH, report, actor=actor, dates_confirmed=True)

    async def do(self, case_id: UUID, act: type[Act], actor: str, **given: object) -> CaseSummary:
        return (await self._take(case_id, act, actor, given)).summary

    async def make(self, case_id: UUID, act: type[Act], actor: str, **given: object) -> UUID:
        made = (await self._take(case_id, act, actor, given)).made_id
        assert made is not None
        return made

    async def _take(self, case_id: UUID, act: type[Act], actor: str, given: dict[str, object]) -> TakenAct:
        asked = parse_act({"act": act.act_name(), **given})
        return await self._service.take(case_id, asked, actor=actor, dates_confirmed=True)

    async def confirm_breach(self, case_id: UUID, confirmed_at: datetime, *, actor: str) -> CaseSummary:
        return await self.do(case_id, Confirm, actor, confirmed_at=confirmed_at)

    async def dismiss_breach(self, case_id: UUID, reason: str, *, actor: str) -> CaseSummary:
        return await self.do(case_id, Dismiss, actor, reason=reason)

    async def set_anchor(
        self, case_id: UUID, anchor: AnchorValue, *, actor: str, reason: str | None = None, agreement: str | None = None
    ) -> CaseSummary:
        return await self.do(case_id, SetDate, actor, **dict(anchor), reason=reason, agreement=agreement)

    async def learn(self, case_id: UUID, element: str, value: str | None, *, actor: str) -> CaseSummary:
        if value is None:
            return await self.do(case_id, Impossible, actor, element=element)
        return await self.do(case_id, Learn, actor, element=element, value=value)

    async def release_notices(
        self, case_id: UUID, *, actor: str, clause: str | None = None, withheld: bool = False
    ) -> CaseSummary:
        return await self.do(case_id, Release, actor, clause=clause, withheld=withheld, unread=True)

    async def withhold_notices(
        self, case_id: UUID, reason: str, *, actor: str, clause: str | None = None
    ) -> CaseSummary:
        return await self.do(case_id, Withhold, actor, reason=reason, clause=clause)

    async def propose_not_required(
        self, case_id: UUID, clause: str, ground: str, reason: str, *, actor: str, agreements: tuple[str, ...] = ()
    ) -> UUID:
        given = {"clause": clause, "ground": ground, "reason": reason, "agreements": agreements}
        return await self.make(case_id, Propose, actor, **given)

    async def decide_proposal(self, case_id: UUID, proposal_id: UUID, *, approve: bool, actor: str) -> CaseSummary:
        have_account(self._service._database, actor)
        return await self.do(case_id, Approve if approve else Decline, actor, proposal_id=proposal_id)

    async def place_hold(
        self,
        case_id: UUID,
        particulars: str,
        *,
        begins_at: datetime,
        actor: str,
        until: datetime | None = None,
        agreement: str | None = None,
        shareable: bool = True,
    ) -> UUID:
        given = {"particulars": particulars, "begins_at": begins_at, "until": until}
        return await self.make(case_id, Hold, actor, agreement=agreement, shareable=shareable, **given)

    async def lift_hold(self, case_id: UUID, hold_id: UUID, *, actor: str) -> CaseSummary:
        return await self.do(case_id, Lift, actor, hold_id=hold_id)

    async def propose_done(
        self,
        case_id: UUID,
        clause: str,
        proof: bytes,
        *,
        done_at: datetime,
        actor: str,
        agreements: tuple[str, ...],
        to_whom: str | None = None,
    ) -> UUID:
        given = {"clause": clause, "agreements": agreements, "done_at": done_at, "proof": proof}
        return await self.make(case_id, Done, actor, **given, how="By letter.", to_whom=to_whom)

    async def propose_to_withhold(self, case_id: UUID, reason: str, *, actor: str, clause: str | None = None) -> UUID:
        return await self.make(case_id, WithholdPastDue, actor, reason=reason, clause=clause)

    async def keep_back_past_due(
        self, case_id: UUID, reason: str, *, actor: str, clause: str | None = None
    ) -> CaseSummary:
        """Two people withhold notices past their due instant."""
        proposal = await self.propose_to_withhold(case_id, reason, actor=actor, clause=clause)
        return await self.decide_proposal(case_id, proposal, approve=True, actor="a second person")

    async def undo(self, case_id: UUID, proposal_id: UUID, reason: str, *, actor: str) -> CaseSummary:
        return await self.do(case_id, Undo, actor, proposal_id=proposal_id, reason=reason)

    async def adopt_terms(self, case_id: UUID, reason: str, *, actor: str) -> CaseSummary:
        return await self.do(case_id, AdoptTerms, actor, reason=reason)

    async def add_agreements(
        self,
        case_id: UUID,
        references: tuple[str, ...],
        *,
        actor: str,
        confirmed_at: datetime | None = None,
        reason: str | None = None,
    ) -> CaseSummary:
        given = {"agreements": references, "involved_at": confirmed_at, "reason": reason}
        return await self.do(case_id, Add, actor, **given)
