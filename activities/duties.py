"""From dated facts to duties and planned notices."""

from __future__ import annotations

from temporalio import activity

from activities.clock import activity_clock
from activities.contracts import DutyContract
from agreements.terms import pinned_terms
from cases.messages import ComputedDuties, ComputeDuties
from config.database import Database
from models.defaults import Defaults
from models.enums import CaseStatus, Party
from models.tables import Case
from records.batches import take_up_undelivered
from records.duties import compute_duties, dated_elements, vocabulary
from records.holder_documents import write_confirmations
from records.holders import plan_holders
from records.notices import plan_notices, waiting_batches
from records.parties import pass_on
from records.postal_letters import take_effect
from records.scope import pin_terms
from records.summary import summarise
from terms.catalogue import Catalogue
from terms.internal import NO_LEAD_TIMES, LeadTimes


class DutyActivities(DutyContract):
    """The activity that turns dated facts into duties and planned notices, in one transaction."""

    def __init__(
        self,
        database: Database,
        catalogue: Catalogue,
        defaults: Defaults,
        side: Party,
        *,
        organisation: str,
        leads: LeadTimes = NO_LEAD_TIMES,
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._defaults = defaults
        self._side = side
        self._organisation = organisation
        self._leads = leads

    @activity.defn
    def compute_duties(self, message: ComputeDuties) -> ComputedDuties:
        """Compute every duty of the case again, keep what changed, and plan what holders and LEAs are told."""
        clock, alive = activity_clock(), activity.heartbeat
        with self._database.writing() as session:
            now, case = clock(), session.get_one(Case, message.case_id)
            take_effect(session, now, case.id)
            pin_terms(session, self._catalogue, case.id, now)
            terms = pinned_terms(session, case.id)
            if case.status is not CaseStatus.DISMISSED:
                compute_duties(session, case, terms, self._defaults, self._side, now, progress=alive, leads=self._leads)
            alive()
            plan_holders(session, case, message.policy, now, self._side)
            write_confirmations(session, case, self._organisation, now)
            pass_on(session, case, now)
            plan_notices(session, case.id, message.policy, now, dated_elements(session, case.id, terms))
            take_up_undelivered(session, case.id, now)
            case.computed_at = now
            session.flush()
            alive()
            return ComputedDuties(
                batches=waiting_batches(session, case.id),
                summary=summarise(session, case.id),
                vocabulary=vocabulary(session, case, terms),
            )
