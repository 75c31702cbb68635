"""What somebody records of an agreement's life, and what follows: a disposal at its end, or none any more."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from agreements.life import end_of, record_life
from agreements.references import agreement_named
from agreements.upcoming import Derivation, derive_upcoming
from cases.end_of_agreement import GoesOn
from cases.values import KeptText
from config.logging import get_logger
from models.enums import EndedBy, LifeAct
from models.errors import DuenoticeError
from models.tables import Agreement
from records.end_of_agreement import case_of_end
from records.ends import open_end
from starter.case_service import CaseService
from starter.start import end_rules

_log = get_logger("agreement_service")


@dataclass(frozen=True)
class Recorded:
    """What followed from a record: the case about the agreement's end, and whether it was opened by that."""

    case_id: UUID | None
    opened: bool = False


class AgreementService:
    """Where the lives of agreements are recorded, for the command line, the web and rehearsals alike."""

    def __init__(self, cases: CaseService) -> None:
        self._resources = cases.resources
        self._cases = cases

    async def record(
        self, reference: str, act: LifeAct, *, on: date | None, by: EndedBy | None, reason: str, actor: str
    ) -> Recorded:
        """Record what somebody says of an agreement's life; open, change or end the case about its end.

        What cannot be handed on now, since Temporal does not answer, the watchdog sees to.

        Raises:
            NotFound: there is no such agreement.
            InvalidInput: something is missing or cannot be; ``where`` names the field.
            Refused: it makes no sense as things stand.
        """
        now = self._cases.clock()
        case_id, opened, ended = await asyncio.to_thread(self._record, reference, act, on, by, reason, actor, now)
        if case_id is None:
            return Recorded(None)
        if opened:
            await self._cases.start(case_id)
        elif ended:
            await self._cases.look_again(case_id)
        else:
            await self._end(case_id, reason, actor)
        return Recorded(case_id, opened)

    def _record(
        self,
        reference: str,
        act: LifeAct,
        on: date | None,
        by: EndedBy | None,
        reason: str,
        actor: str,
        now: datetime,
    ) -> tuple[UUID | None, bool, bool]:
        """Record it; return the case about the end, whether it was opened now, and whether there is an end still."""
        with self._resources.database.writing() as session:
            agreement_id = agreement_named(session, reference).id
            record_life(session, agreement_id, act, on=on, by=by, reason=reason, actor=actor, now=now)
            session.flush()
            before = case_of_end(session, agreement_id)
            made = open_end(session, end_rules(self._resources), agreement_id, now)
            ended = end_of(session.get_one(Agreement, agreement_id), now) is not None
            session.flush()
            resources = self._resources
            derivation = Derivation(resources.catalogue, resources.settings.defaults, now, resources.leads)
            derive_upcoming(session, derivation, [agreement_id])
        return made or before, made is not None, ended

    async def _end(self, case_id: UUID, reason: str, actor: str) -> None:
        """End the case of an agreement that goes on: who was told of a disposal is told that there is none."""
        try:
            await self._cases.take(case_id, GoesOn(reason=KeptText.model_validate(reason)), actor=actor)
        except DuenoticeError as error:  # the record stands; the case computes with it, and then asks for nothing
            _log.warning("case not ended", case_id=str(case_id), code=error.code)
