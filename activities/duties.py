"""DueDate: what each agreement in a case obliges, when it is due and why, and which notices that takes."""

from __future__ import annotations

import asyncio
from datetime import datetime

from activities.clock import activity_clock
from activities.contracts import COMPUTE_DUTIES
from cases.messages import ComputedDuties, ComputeDuties
from config.database import Database
from models.defaults import Defaults
from models.enums import CaseStatus, Party
from models.tables import Case
from records.duties import dated_elements, keep_duties, vocabulary
from records.notices import plan_notices, waiting_batches
from records.scope import pin_terms
from records.summary import summarise
from records.terms import pinned_terms
from terms.catalogue import Catalogue


class TermsActivities:
    """The activity that turns dated facts into duties and planned notices."""

    def __init__(self, database: Database, catalogue: Catalogue, defaults: Defaults, side: Party) -> None:
        self._database = database
        self._catalogue = catalogue
        self._defaults = defaults
        self._side = side

    @COMPUTE_DUTIES.implements
    async def compute_duties(self, message: ComputeDuties) -> ComputedDuties:
        """Compute every duty of the case again, keep what changed, and plan the notices not yet planned."""
        now = activity_clock()
        return await asyncio.to_thread(self._compute, message, now())

    def _compute(self, message: ComputeDuties, now: datetime) -> ComputedDuties:
        case_id = message.case_id
        with self._database.writing() as session:
            pin_terms(session, self._catalogue, case_id, now)
            terms = pinned_terms(session, case_id)
            if session.get_one(Case, case_id).status is not CaseStatus.DISMISSED:
                keep_duties(session, case_id, terms, self._defaults, self._side, now)
            plan_notices(session, case_id, message.policy, now, dated_elements(session, case_id, terms))
            session.flush()
            return ComputedDuties(
                batches=waiting_batches(session, case_id),
                summary=summarise(session, case_id),
                vocabulary=vocabulary(session, case_id, terms),
            )
