"""Opening and closing a case, recording acts, and reading how a case stands."""

from __future__ import annotations

from uuid import UUID

from temporalio import activity

from activities.clock import activity_clock
from activities.contracts import CaseContract, refusal
from cases.messages import CloseCase, OpenCase, RecordAct, SummariseCase
from cases.state import CaseSummary
from config.database import Database
from models.errors import InvalidInput, NotAllowed, NotFound, Refused
from records.acts import record_act
from records.cases import check_closable, close_case, open_case
from records.summary import summarise
from terms.catalogue import Catalogue


class CaseActivities(CaseContract):
    """The activities that keep a case's own rows; each is one transaction."""

    def __init__(self, database: Database, catalogue: Catalogue) -> None:
        self._database = database
        self._catalogue = catalogue

    @activity.defn
    def open_case(self, message: OpenCase) -> None:
        """Pin the effective terms of every agreement in scope and mark the case open."""
        now = activity_clock()
        with self._database.writing() as session:
            open_case(session, self._catalogue, message.case_id, now())

    @activity.defn
    def record_act(self, message: RecordAct) -> UUID:
        """Store what a person did in the case, with its evidence; again changes nothing. Answers with the act's id.

        Raises:
            ApplicationError: it can never be recorded; not retryable, with the refusal in its details.
        """
        try:
            with self._database.writing() as session:
                record_act(session, self._catalogue, message)
        except (InvalidInput, NotAllowed, NotFound, Refused) as error:
            raise refusal(error) from error
        return message.act_id

    @activity.defn
    def summarise_case(self, message: SummariseCase) -> CaseSummary:
        """Count what is open in the case."""
        with self._database.reading() as session:
            return summarise(session, message.case_id)

    @activity.defn
    def close_case(self, message: CloseCase) -> CaseSummary:
        """Close the case, with its last evidence.

        Raises:
            ApplicationError: something of it is open; not retryable. Its workflow ends by that, and the watchdog starts
                it again from what SQL knows.
        """
        now = activity_clock()
        try:
            with self._database.writing() as session:
                check_closable(session, message.case_id)
                return close_case(session, message.case_id, now())
        except Refused as error:
            raise refusal(error) from error
