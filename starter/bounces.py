"""Taking in what comes back about notices and other mail, by whatever way, and letting the cases know."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session
from temporalio.service import RPCError

from activities.watchdog import LOOK_AGAIN
from config.logging import get_logger
from mail.provider_events import ProviderEvent
from mail.reports import ReturnedMail, read_returned
from mail.return_path import looks_like_one
from models import identifiers
from models.tables import Case
from records.bounces import CameBack, Fate, Recorded, StillUnderWay, deliveries_of_message, record_report
from records.sent_mail import UNDER_WAY, mails_of_message, record_mail_report
from starter.resources import Resources, utc_now
from starter.start import notice_policy, start_case
from starter.writing import return_path

_log = get_logger("bounces")


MOST_WAITED_FOR = 1_000
"""Of how many reports about messages that nothing is known of it is remembered when they first came."""


@dataclass(frozen=True)
class Taken:
    """What became of one message or event: of the reports in it, by what became of each."""

    fates: tuple[Fate, ...]

    @property
    def foreign(self) -> bool:
        """Whether none of it is this installation's."""
        return all(fate is Fate.FOREIGN for fate in self.fates)


class BounceIntake:
    """Records what comes back, and tells the workflows of the cases that it concerns."""

    def __init__(self, resources: Resources, clock: Callable[[], datetime] = utc_now) -> None:
        self._resources = resources
        self._clock = clock
        self._return_path = return_path(resources.settings, resources.keyring)
        self._waited_for: dict[str, datetime] = {}

    def is_ours(self, address: str) -> bool:
        """Whether an address is the return path of a message of this installation."""
        ours = self._return_path is not None and self._return_path.read([address]) is not None
        if not ours:
            _log.warning("mail refused: not a return path of ours", looks_like_one=looks_like_one([address]))
        return ours

    async def take_mail(self, raw: bytes, via: str, addressed_to: Sequence[str] = ()) -> Taken:
        """Record what a message that came back says, once; where it is not ours, nothing.

        Raises:
            StillUnderWay: it came sooner than it can be recorded, and is to be brought once more.
        """
        returned = await asyncio.to_thread(read_returned, raw, addressed_to)
        return await self._take(lambda _: self._of_mail(returned, via))

    async def take_event(self, event: ProviderEvent) -> Taken:
        """Record what a mail provider says, under its signature; as ``take_mail``."""
        return await self._take(lambda session: self._of_event(session, event))

    async def _take(self, find: Callable[[Session], Sequence[CameBack]]) -> Taken:
        recorded = await asyncio.to_thread(self._record, find)
        for case_id in {item.case_id for item in recorded if item.case_id}:
            await self._pass_on(case_id)
        return Taken(tuple(item.fate for item in recorded))

    def _record(self, find: Callable[[Session], Sequence[CameBack]]) -> list[Recorded]:
        now = self._clock()
        with self._resources.database.writing() as session:
            found = find(session)
            recorded = [_record(session, came, now) for came in found]
            if any(self._may_be_kept_yet(came, item, now) for came, item in zip(found, recorded, strict=True)):
                raise StillUnderWay(
                    "The message that this is about is not recorded yet.", next_step="Bring it once more."
                )
            return recorded

    def _may_be_kept_yet(self, came: CameBack, recorded: Recorded, now: datetime) -> bool:
        """Whether a report names a message of ours that nothing is known of, as an alarm that left without a database.

        For as long as an attempt may be under way, it is to be brought again.
        """
        if recorded.fate is not Fate.FOREIGN:
            return False
        while len(self._waited_for) >= MOST_WAITED_FOR:
            self._waited_for.pop(next(iter(self._waited_for)))
        return now < self._waited_for.setdefault(came.source, now) + UNDER_WAY

    def _of_mail(self, returned: ReturnedMail, via: str) -> list[CameBack]:
        named = self._return_path.read(returned.named) if self._return_path else None
        if named is None:
            _log.warning("mail came back that is not ours", via=via, looks_like_ours=looks_like_one(returned.named))
            return []
        return [
            CameBack(
                source=f"mail:{named.delivery_id}:{named.attempt}:{returned.source}:{number}",
                delivery_id=named.delivery_id,
                attempt=named.attempt,
                report=report,
                via=via,
                raw=returned.raw,
            )
            for number, report in enumerate(returned.reports)
        ]

    def _of_event(self, session: Session, event: ProviderEvent) -> list[CameBack]:
        named = self._return_path.read(event.named) if self._return_path else None
        if named:
            found: list[tuple[UUID, int | None]] = [(named.delivery_id, named.attempt)]
        else:
            of_message = deliveries_of_message(session, event.message_id or "", event.report.recipients)
            of_message += mails_of_message(session, event.message_id or "", event.report.recipients)
            found = [(delivery_id, None) for delivery_id in of_message]
        if not found:
            _log.info("event about a message that is not ours", via=event.provider)
        return [
            CameBack(
                source=f"{event.provider}:{event.source}",
                delivery_id=delivery_id,
                attempt=attempt,
                report=event.report,
                via=event.provider,
                raw=event.raw,
                media_type="application/json",
            )
            for delivery_id, attempt in found[:1]
        ]

    async def _pass_on(self, case_id: UUID) -> None:
        """Let a case compute at once with what came back; the watchdog makes up for what Temporal did not take."""
        resources = self._resources
        case = await asyncio.to_thread(self._case, case_id)
        try:
            if case.reopened_at:
                await start_case(
                    resources.client, resources.database, case_id, notice_policy(resources.settings), self._clock()
                )
            workflow = resources.client.get_workflow_handle(identifiers.workflow_id(case.kind, case_id))
            await workflow.signal(LOOK_AGAIN)
        except RPCError as error:
            _log.warning("case not told yet of what came back", case=str(case_id), error=type(error).__name__)

    def _case(self, case_id: UUID) -> Case:
        with self._resources.database.reading() as session:
            return session.get_one(Case, case_id)


def _record(session: Session, came: CameBack, now: datetime) -> Recorded:
    """Record what came back about a notice, or else about another mail."""
    recorded = record_report(session, came, now)
    return record_mail_report(session, came, now) if recorded.fate is Fate.FOREIGN else recorded
