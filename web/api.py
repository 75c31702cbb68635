"""The same acts and pictures for programs, in JSON, under the same session."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from http import HTTPStatus
from typing import Annotated, Generic, TypeAlias, TypeVar
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool

from cases.acts import AnyAct
from cases.intake import Intake
from cases.kind import Kind
from cases.state import CaseSummary
from models.enums import CaseStatus, DutyStatus, Reading, Role
from queries.agreement_figures import AgreementFigures, read_figures
from queries.case_lists import PLACE, CaseFilter, CasePlace, list_cases
from queries.cases import read_case, read_case_head
from queries.consequences import Consequences
from queries.drafts import DraftGroup, DraftView, read_draft, read_drafts
from queries.duties import DutyFilter, read_cohorts, read_duties
from queries.evidence import read_evidence
from queries.holders import vendor_names
from queries.postal_letters import PostalLetterView, letters_posted, letters_to_post
from queries.previews import LetterPreview
from queries.progress import read_progress
from queries.proposals import read_proof, read_proposal
from queries.readings import ReadingView, read_readings
from queries.views import (
    AgreementLifeView,
    CaseHead,
    CaseRow,
    CaseView,
    CohortView,
    DutyView,
    EvidenceView,
    ProgressView,
    ProposalDetail,
)
from records.answers import AnswersView, read_answers
from records.needs import NeedView, read_needs
from starter.case_service import Checked
from web.agreements import LifeRecord, life_of, record_of
from web.cases import asking_of
from web.files import attachment
from web.paging import LAST_OFFSET
from web.site import SignedIn, TheSite, check_act

router = APIRouter(prefix="/api")

MOST_UNACKNOWLEDGED = 1_000
"""How many notices that nobody acknowledged are listed; all are counted."""

Item = TypeVar("Item")
Offset: TypeAlias = Annotated[int, Query(ge=0, le=LAST_OFFSET)]
Limit: TypeAlias = Annotated[int, Query(ge=1, le=1000)]
Word: TypeAlias = Annotated[str | None, Query(pattern=r"^[\w-]*$")]
"""One of a set of words that the data decide on, such as a state."""
Name: TypeAlias = Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")]
"""What people are called, or organisations."""


class Opened(BaseModel):
    """The case of a report; ``existed`` if the same report had opened it before."""

    case_id: UUID
    existed: bool


class DoubtfulDate(BaseModel):
    """A date that is hardly meant: ``where`` is its field."""

    where: str
    message: str


class WouldFollow(BaseModel):
    """What would follow if what was sent were recorded; ``doubts`` have to be confirmed for that.

    ``letter`` is what would be sent, where the act is to send one.
    """

    foreseen: Consequences
    doubts: tuple[DoubtfulDate, ...]
    letter: LetterPreview | None

    @classmethod
    def of(cls, checked: Checked) -> WouldFollow:
        """What a person would be shown."""
        doubts = (DoubtfulDate(where=doubt.where or "", message=doubt.message) for doubt in checked.doubts)
        return cls(foreseen=checked.foreseen, doubts=tuple(doubts), letter=checked.letter)


DryRun: TypeAlias = Annotated[bool, Query(description="Answer what would follow, and record nothing.")]
Confirmed: TypeAlias = Annotated[bool, Query(description="Whether dates are meant which hardly are; kept as evidence.")]


class Part(BaseModel, Generic[Item]):
    """Some items of a list, and how many it has in all."""

    items: tuple[Item, ...]
    total: int


def openings(kinds: Iterable[Kind]) -> APIRouter:
    """One route for each kind of case, on which its intake opens one."""
    opening = APIRouter(prefix="/api/cases/new")
    for kind in kinds:
        opening.add_api_route(f"/{kind.name}", _opening(kind), methods=["POST"], status_code=HTTPStatus.CREATED)
    return opening


def _opening(kind: Kind) -> Callable[..., Coroutine[object, object, Opened | WouldFollow]]:
    async def open_case(
        site: TheSite,
        session: SignedIn,
        intake: Intake,
        response: Response,
        dry_run: DryRun = False,
        dates_confirmed: Confirmed = False,
    ) -> Opened | WouldFollow:
        if dry_run:
            response.status_code = HTTPStatus.OK
            return WouldFollow.of(await site.service.check_opening(kind, intake, actor=session.actor))
        by_program = session.role is Role.PROGRAM
        if by_program:
            await run_in_threadpool(site.quotas.reports.check, str(session.account_id), "this program")
        opening = site.service.open_case(
            kind,
            intake,
            actor=session.actor,
            authenticated=session.authenticated,
            dates_confirmed=dates_confirmed,
            from_outside=by_program,
        )
        opened = await site.to_the_end(opening)
        if opened.existed:
            response.status_code = HTTPStatus.OK
        response.headers["Location"] = f"/api/cases/{opened.case_id}"
        return Opened(case_id=opened.case_id, existed=opened.existed)

    open_case.__name__ = f"open_{kind.name.replace('-', '_')}"
    open_case.__doc__ = f"Open a {kind.label} case: 201, or 200 with the same case if it was reported before."
    open_case.__annotations__["intake"] = kind.intake
    return open_case


class CasePart(BaseModel):
    """Some of the cases; the next part begins ``after`` what ``next`` names, if there is one.

    ``total`` is how many there are in all, or null where there are more than 5,000.
    """

    items: tuple[CaseRow, ...]
    total: int | None
    next: str | None


@router.get("/cases")
def cases(
    site: TheSite,
    status: CaseStatus | None = None,
    kind: Word = None,
    state: Word = None,
    district: Name = None,
    vendor: Word = None,
    assignee: Name = None,
    overdue: bool = False,
    after: Annotated[str | None, Query(pattern=PLACE)] = None,
    limit: Limit = 100,
) -> CasePart:
    """Some of the cases, what is due soonest first: those that meet every condition, or all.

    ``state`` and ``district`` are of an agreement that a case touches, ``vendor`` is the key of a holder of data whose
    word it awaits, and ``assignee`` the account in whose charge it is, or ``(nobody)``.
    """
    which = CaseFilter(status, kind, state, district, vendor, assignee, overdue)
    place = CasePlace.read(after) if after else None
    part = list_cases(site.resources.database, site.clock(), which, after=place, limit=limit)
    return CasePart(items=part.items, total=part.total, next=str(part.next) if part.next else None)


class Vendor(BaseModel):
    """One holder of data, and the key by which the cases are found that await its word."""

    name: str
    key: str


@router.get("/vendors")
def vendors(site: TheSite) -> tuple[Vendor, ...]:
    """The holders of data on the list, and the provider itself."""
    return tuple(Vendor(name=name, key=key) for key, name in vendor_names(site.resources.database).items())


@router.get("/needs-you")
def needs_you(
    site: TheSite, session: SignedIn, own: bool = False, offset: Offset = 0, limit: Limit = 100
) -> Part[NeedView]:
    """Some of what needs whoever asks, what is overdue first: of everybody's cases, or only what is their own."""
    asking = asking_of(site, session, own=own)
    items, total = read_needs(site.resources.database, asking, site.clock(), offset=offset, limit=limit)
    return Part(items=items, total=total)


@router.get("/post")
def letters(
    site: TheSite, posted: bool = False, case_id: UUID | None = None, offset: Offset = 0, limit: Limit = 100
) -> Part[PostalLetterView]:
    """Some of the letters that wait to be posted, the first due before the others, or of those that were posted.

    That one was posted is recorded by the act `posted` of its case, and taken back by `not-posted`.
    """
    read = letters_posted if posted else letters_to_post
    items, total = read(site.resources.database, site.clock(), case_id=case_id, offset=offset, limit=limit)
    return Part(items=items, total=total)


@router.get("/agreements/{agreement_id}")
def agreement(site: TheSite, agreement_id: UUID) -> AgreementLifeView:
    """One agreement: whether it is in force, what follows from its end, and what was recorded of its life."""
    return life_of(site, agreement_id)


@router.get("/agreements/{agreement_id}/figures")
def agreement_figures(site: TheSite, agreement_id: UUID) -> AgreementFigures:
    """How the duties of one agreement were met in all cases, counted clause by clause."""
    life_of(site, agreement_id)
    return read_figures(site.resources.database, agreement_id, site.clock())


class LifeRecorded(BaseModel):
    """What followed from a record: the case about the agreement's end, and whether it was ``opened`` by that."""

    case_id: UUID | None
    opened: bool


@router.post("/agreements/{agreement_id}")
async def record_life(site: TheSite, session: SignedIn, agreement_id: UUID, asked: LifeRecord) -> LifeRecorded:
    """Record what became of an agreement: terminated, renewed, expected to be, not renewed, or taken back."""
    recorded = await site.to_the_end(record_of(site, agreement_id, asked, session.actor))
    return LifeRecorded(case_id=recorded.case_id, opened=recorded.opened)


@router.get("/cases/{case_id}")
def one_case(site: TheSite, session: SignedIn, case_id: UUID) -> CaseView:
    """One case, whole."""
    case = read_case(site.resources.database, case_id, site.clock())
    site.note_read(session, case_id, Reading.CASE)
    return case


@router.get("/cases/{case_id}/head")
def case_head(site: TheSite, session: SignedIn, case_id: UUID) -> CaseHead:
    """One case without its duties and evidence, which are read a part at a time."""
    site.note_read(session, case_id, Reading.CASE)
    return read_case_head(site.resources.database, case_id, site.clock())


@router.get("/cases/{case_id}/cohorts")
def cohorts(site: TheSite, session: SignedIn, case_id: UUID) -> tuple[CohortView, ...]:
    """The duties of a case, counted by clause and due instant, overdue ones first."""
    site.note_read(session, case_id, Reading.CASE)
    return read_cohorts(site.resources.database, case_id, site.clock())


@router.get("/cases/{case_id}/duties")
def duties(
    site: TheSite,
    session: SignedIn,
    case_id: UUID,
    state: Word = None,
    status: DutyStatus | None = None,
    offset: Offset = 0,
    limit: Limit = 100,
) -> Part[DutyView]:
    """Some of the duties of a case, overdue ones first: of one state, in one status, or all."""
    site.note_read(session, case_id, Reading.CASE)
    which = DutyFilter(state=state, status=status)
    items, total = read_duties(site.resources.database, case_id, site.clock(), which, offset=offset, limit=limit)
    return Part(items=items, total=total)


@router.get("/cases/{case_id}/answers")
def answers(site: TheSite, session: SignedIn, case_id: UUID) -> AnswersView:
    """What districts answered to their notices: questions with their ids and what was answered, contacts they named."""
    site.note_read(session, case_id, Reading.CASE)
    return read_answers(site.resources.database, case_id, listed=MOST_UNACKNOWLEDGED)


@router.get("/cases/{case_id}/evidence")
def evidence(
    site: TheSite, session: SignedIn, case_id: UUID, offset: Offset = 0, limit: Limit = 100
) -> Part[EvidenceView]:
    """Some of the evidence of a case, in order; who read it is listed by itself."""
    site.note_read(session, case_id, Reading.EVIDENCE)
    items, total = read_evidence(site.resources.database, case_id, offset=offset, limit=limit)
    return Part(items=items, total=total)


@router.get("/cases/{case_id}/readings")
def readings(site: TheSite, case_id: UUID, offset: Offset = 0, limit: Limit = 100) -> Part[ReadingView]:
    """Who read what of a case, or fetched it through a link, the latest first."""
    items, total = read_readings(site.resources.database, case_id, offset=offset, limit=limit)
    return Part(items=items, total=total)


@router.get("/cases/{case_id}/progress")
def progress(site: TheSite, case_id: UUID) -> tuple[ProgressView, ...]:
    """How far the notices that are being sent have come; none once nothing is being sent."""
    return read_progress(site.resources.database, case_id)


@router.get("/cases/{case_id}/drafts")
def drafts(site: TheSite, case_id: UUID, offset: Offset = 0, limit: Limit = 20) -> Part[DraftGroup]:
    """Some of the drafts that wait or are withheld: those that differ in nothing but names together."""
    items, total = read_drafts(
        site.resources.database, site.notice_writer, case_id, site.clock(), offset=offset, limit=limit
    )
    return Part(items=items, total=total)


@router.get("/cases/{case_id}/drafts/{notice_id}")
def draft(site: TheSite, case_id: UUID, notice_id: UUID) -> DraftView:
    """One draft as its recipient will see it but for its link; its ``mark`` is the ``read`` of a release."""
    return read_draft(site.resources.database, site.notice_writer, case_id, notice_id, site.clock())


@router.get("/cases/{case_id}/proposals/{proposal_id}")
def proposal(site: TheSite, session: SignedIn, case_id: UUID, proposal_id: UUID) -> ProposalDetail:
    """One proposal with what an approval changes; of the duties that it is about, the first 1,000."""
    found = read_proposal(site.resources.database, case_id, proposal_id, limit=1000)
    site.note_read(session, case_id, Reading.PROPOSAL, proposal_id)
    return found


@router.get("/cases/{case_id}/proposals/{proposal_id}/proof", response_class=Response)
def proof(site: TheSite, session: SignedIn, case_id: UUID, proposal_id: UUID) -> Response:
    """The file that proves what a proposal says was done by other means."""
    file = read_proof(site.resources.database, case_id, proposal_id)
    site.note_read(session, case_id, Reading.PROOF, proposal_id, file.content)
    return attachment(file)


class Carried(BaseModel):
    """An act that was carried out: ``id`` is what it made (a proposal, a hold), ``summary`` how the case stands."""

    model_config = ConfigDict(frozen=True)

    act_id: UUID
    id: UUID | None = None
    summary: CaseSummary


@router.post("/cases/{case_id}/acts")
async def act(
    site: TheSite,
    session: SignedIn,
    case_id: UUID,
    asked: AnyAct,
    idempotency_key: Annotated[UUID | None, Header()] = None,
    dry_run: DryRun = False,
    dates_confirmed: Confirmed = False,
) -> Carried | WouldFollow:
    """Do what an officer decides; every act of the pages and of the command line is one of these.

    With an ``Idempotency-Key`` (a UUID) the same act sent again is done once; another act under it is another one.
    """
    await check_act(site, session, type(asked))
    if dry_run:
        return WouldFollow.of(await site.service.check_act(case_id, asked, actor=session.actor))
    taking = site.service.take(
        case_id,
        asked,
        actor=session.actor,
        authenticated=session.authenticated,
        sent_as=idempotency_key,
        dates_confirmed=dates_confirmed,
    )
    done = await site.to_the_end(taking)
    return Carried(act_id=done.act_id, id=done.made_id, summary=done.summary)
