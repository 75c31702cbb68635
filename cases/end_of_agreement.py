"""The end of an agreement: its data is disposed of without a request, as the terms have it for an end.

Such a case is opened by the engine itself once an agreement has ended (``records/ends.py``). The agreement's own dates
are read anew at each computation, and with them whether an LEA has directed the disposal of all of its data, or expects
to renew. Its holders are asked and answer as in a directive.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Literal, TypeAlias, cast

from pydantic import Field

from cases.acts import Act, Reason, TakeAct
from cases.anchors import check_days
from cases.certificate import BACKUPS_EXPIRE
from cases.disposition import (
    BY_THEIR_ACTS,
    CONFIRMATION,
    HOLDER_ACTS,
    RESTORED,
    WRITTEN_BY_ITSELF,
    AddHolder,
    HolderAct,
    Restored,
    check_restored,
    take_holder_act,
)
from cases.intake import Intake, OneAgreement, Text
from cases.kind import Kind
from cases.state import CaseState
from cases.values import AnchorValue, Day
from models.errors import InvalidInput

TERMINATED, EXPIRES, SERVICE_ENDED = "terminated", "expires", "service_ended"
ENDS = frozenset({TERMINATED, EXPIRES, SERVICE_ENDED})
RENEWAL_EXPECTED, ALL_REQUESTED = "renewal_expected", "all_requested"
SAYINGS = {RENEWAL_EXPECTED: "We reasonably anticipate to renew the contract, so the data is to be kept."}
"""What an LEA says by the link in a notice, by the dated fact that it thereby gives."""

DISPOSAL, NOTICE_GIVEN = "disposal", "notice_given"
DISPOSED_AT_END, DISPOSED_AGAIN = "disposed_at_end", "disposed_again"
NEED_REVIEWED = "need_reviewed"
DESCRIPTION = "description"

RECORDED = "what is recorded of the agreement: `duenotice agreements --help`"
OF_THE_AGREEMENT = dict.fromkeys((TERMINATED, EXPIRES, RENEWAL_EXPECTED), RECORDED)
"""The dated facts that such a case reads from its agreement."""


class EndedAgreement(Intake):
    """An agreement that has ended, whose data is to be disposed of without a request."""

    one_agreement = OneAgreement("One agreement ends at a time.", "Each end has a case of its own.")

    description: Text = Field(
        title="What is to be disposed of",
        description="The LEA reads it in the prior notice, and every holder in what it is asked, so name no student.",
        json_schema_extra={"long": True},
    )
    service_ended: Day | None = Field(
        default=None,
        title="End of the service agreement",
        description="Only where that has ended, and the data privacy agreement itself has not.",
    )

    def anchors(self) -> tuple[AnchorValue, ...]:
        """The end of the service agreement; the agreement's own end is read from what is recorded of it."""
        return (AnchorValue(name=SERVICE_ENDED, first_day=self.service_ended),) if self.service_ended else ()

    def facts(self) -> Mapping[str, str]:
        """What the LEA and the holders are told."""
        return {DESCRIPTION: self.description}

    def problems(self, now: datetime) -> Iterator[InvalidInput]:
        """Everything that cannot be as it is said."""
        if self.service_ended and (problem := check_days("service_ended", self.service_ended, None, now)):
            yield problem
        yield from super().problems(now)


class GoesOn(Act):
    """Record that the agreement goes on, so that nothing is disposed of; an LEA that was told is told of that."""

    label = "Record that the agreement goes on"
    done_says = "Nothing is disposed of because of an end. Whoever was told otherwise is told of that."
    act: Literal["goes-on"] = "goes-on"
    reason: Reason


EndAct: TypeAlias = GoesOn | HolderAct


def check(message: TakeAct, _: CaseState, now: datetime) -> None:
    """What makes an act senseless in the case of an end."""
    check_restored(message, now)


def take(message: TakeAct, state: CaseState) -> None:
    """Change the state as one of this kind's own acts does."""
    act = cast(EndAct, message.act)
    match act:
        case GoesOn():
            state.dismissed = True
        case _:
            take_holder_act(act, message, state)


def offers(_: CaseState) -> tuple[type[Act], ...]:
    """What is offered beside a holder, or done where the agreement's life is recorded, is not offered once more."""
    return (AddHolder, Restored)


END_OF_AGREEMENT = Kind(
    name="end-of-agreement",
    label="end of an agreement",
    event="disposition",
    intake=EndedAgreement,
    opening="open",
    opening_title="Open the end of an agreement",
    opening_says=(
        "The engine opens this by itself when an agreement that it knows ends. Open one by hand where the service "
        "agreement ended alone, or where an agreement had ended before it was entered here and its data is still there."
    ),
    acts=(GoesOn, *HOLDER_ACTS),
    check=check,
    take=take,
    offers=offers,
    awaits=lambda _: frozenset({DISPOSAL}),
    dated_by="records.end_of_agreement:dates_known",
    clocks=frozenset(
        {
            *ENDS,
            DISPOSAL,
            NOTICE_GIVEN,
            DISPOSED_AT_END,
            DISPOSED_AGAIN,
            NEED_REVIEWED,
            BACKUPS_EXPIRE,
            RESTORED,
        }
    ),
    only_after={DISPOSAL: ENDS},
    ahead=frozenset({DISPOSAL, BACKUPS_EXPIRE}),
    shown={DESCRIPTION: "To be disposed of"},
    holders_see=(DESCRIPTION,),
    holders_because="The agreement {agreement} of {lea} with {whom} has ended, so its student data is disposed of.",
    holders_document=CONFIRMATION,
    only_by=WRITTEN_BY_ITSELF,
    dates_by=BY_THEIR_ACTS | OF_THE_AGREEMENT,
    workflow="workflows.end_of_agreement:EndOfAgreementWorkflow",
    records="records.end_of_agreement",
    prepares="records.end_of_agreement:prepare_intake",
    doubts="records.end_of_agreement:doubts",
)
