"""The page of one proposal, for whoever decides it, and the proof that came with it."""

from __future__ import annotations

from uuid import UUID, uuid4

from fastapi import APIRouter, Request
from starlette.responses import Response

from cases.kinds import kind_named
from models.enums import Reading
from queries.cases import read_case_head
from queries.proposals import read_proof, read_proposal
from web.act_forms import act_form
from web.cases import Kept
from web.files import attachment
from web.site import SignedIn, TheSite

router = APIRouter(prefix="/cases/{case_id}/proposals/{proposal_id}", include_in_schema=False)

DUTIES_SHOWN = 200


@router.get("")
def proposal_page(request: Request, site: TheSite, session: SignedIn, case_id: UUID, proposal_id: UUID) -> Response:
    """What is proposed, on whose word, with which proof, and what follows from it."""
    database = site.resources.database
    case = read_case_head(database, case_id, site.clock())
    detail = read_proposal(database, case_id, proposal_id, limit=DUTIES_SHOWN)
    site.note_read(session, case_id, Reading.PROPOSAL, proposal_id)
    return site.pages.show(
        request,
        "proposal.html",
        case=case,
        detail=detail,
        act_forms={act.act_name(): act_form(act) for act in kind_named(case.kind).all_acts},
        kept=Kept(),
        new_id=uuid4,
    )


@router.get("/proof")
def proof(site: TheSite, session: SignedIn, case_id: UUID, proposal_id: UUID) -> Response:
    """The file that proves what was done by other means, to save; it is never shown in our name."""
    file = read_proof(site.resources.database, case_id, proposal_id)
    site.note_read(session, case_id, Reading.PROOF, proposal_id, file.content)
    return attachment(file)
