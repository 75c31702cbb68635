"""What is coming by the agreements' own dates: derived anew, and people told of terms that end soon."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from uuid import UUID

from temporalio import activity

from activities.clock import activity_clock
from activities.contracts import UpcomingContract
from activities.telling import Message, Telling
from agreements.upcoming import AT_ONCE, Derivation, derive_upcoming, every_agreement
from agreements.upcoming_terms import EndingTerm, ending_terms, note_reminded
from cases.messages import Renewed, RenewUpcoming
from config.database import Database
from mail.people_mails import EndingTermLine, Terms
from models import identifiers
from models.defaults import Defaults
from models.grouping import parts
from records.occurrences import Opening, open_occurrences
from terms.catalogue import Catalogue
from terms.internal import NO_LEAD_TIMES, LeadTimes

OPENED_AT_ONCE = 100
"""How many cases are opened in one transaction."""

LISTED = 20
"""How many ends of terms a message names; the page has all."""


class UpcomingActivities(UpcomingContract):
    """The activity behind the schedule."""

    def __init__(
        self,
        database: Database,
        catalogue: Catalogue,
        defaults: Defaults,
        telling: Telling,
        reminder_days: Sequence[int],
        opening: Opening,
        start: Callable[[UUID, datetime], Awaitable[bool]],
        *,
        leads: LeadTimes = NO_LEAD_TIMES,
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._defaults = defaults
        self._telling = telling
        self._reminder_days = reminder_days
        self._opening = opening
        self._start = start
        self._leads = leads

    @activity.defn
    async def renew_upcoming(self, message: RenewUpcoming) -> Renewed:
        """Derive what is coming, open cases about what is due soon, and tell of each term that ends soon."""
        now = activity_clock()
        changed = 0
        for some in parts(await asyncio.to_thread(self._agreements), AT_ONCE):
            changed += await asyncio.to_thread(self._derive, some, now())
            activity.heartbeat()
        opened = await self._open(now)
        return Renewed(changed=changed, opened=opened, reminded=await self._remind(now()))

    async def _open(self, now: Callable[[], datetime]) -> int:
        """Open what is due within the lead time; a case whose workflow could not be started is the watchdog's."""
        opened = 0
        while some := await asyncio.to_thread(self._keep, now()):
            opened += len(some)
            for case_id in some:
                await self._start(case_id, now())
                activity.heartbeat()
        return opened

    def _keep(self, now: datetime) -> Sequence[UUID]:
        with self._database.writing() as session:
            return open_occurrences(session, self._derivation(now), self._opening, limit=OPENED_AT_ONCE)

    def _derivation(self, now: datetime) -> Derivation:
        return Derivation(self._catalogue, self._defaults, now, self._leads)

    def _agreements(self) -> Sequence[UUID]:
        with self._database.reading() as session:
            return every_agreement(session)

    def _derive(self, ids: Sequence[UUID], now: datetime) -> int:
        with self._database.writing() as session:
            return derive_upcoming(session, self._derivation(now), ids)

    async def _remind(self, now: datetime) -> int:
        """Tell the organisation's contact once at each step; what could not be told is told the next time."""
        ending = await asyncio.to_thread(self._ending, now)
        if not ending:
            return 0
        outcome = await self._telling.tell(_ends(ending), [self._telling.organisation], now)
        if outcome.away:
            return 0
        await asyncio.to_thread(self._note, ending)
        return len(ending)

    def _ending(self, now: datetime) -> Sequence[EndingTerm]:
        with self._database.reading() as session:
            return ending_terms(session, self._reminder_days, now)

    def _note(self, ending: Sequence[EndingTerm]) -> None:
        with self._database.writing() as session:
            note_reminded(session, ending)


def _ends(ending: Sequence[EndingTerm]) -> Message:
    """What is told of terms that end; agreements by their references alone."""
    named = ending[:LISTED]
    return Message(
        key="terms:" + identifiers.sha256_hex("\n".join(sorted(f"{one.id} {one.days}" for one in ending)).encode()),
        about="terms",
        facts=Terms(
            ends=len(ending),
            terms=tuple(EndingTermLine(reference=one.reference, day=one.day, title=one.title) for one in named),
            more=len(ending) - len(named),
        ),
        page="/upcoming",
    )
