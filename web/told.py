"""What is told after an act, and where on the case's page: where the act was done, if that is still there."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from http import HTTPStatus
from uuid import UUID

from starlette.responses import RedirectResponse, Response

from cases.acts import Act, Impossible, Learn, NotYet, Release, TellOverdue
from cases.kind import Kind

TOP, FACTS, DECISIONS, DUTIES = "top", "facts", "acts", "duties"


@dataclass(frozen=True)
class Told:
    """What is told, and the place: a section of the page, or the act whose form it stands beside."""

    says: str
    place: str


_OTHERS = {
    "already": Told("This was already reported: the same report names this same case, and nothing was doubled.", TOP),
    "opened": Told("This case is open, and what was reported is kept.", TOP),
    "adopted": Told(
        "The contact is in the agreement now, and notices may go there. Put it into the file you import as well.",
        "answers",
    ),
    "settled": Told("Noted.", "answers"),
    "documents": Told(
        "The documents are in the documents for families; the LEAs that they are for can fetch them through their "
        "notices' links.",
        "documents",
    ),
    "withdrawn": Told("The document is out of the documents for families. The evidence of it stays.", "documents"),
    "handed-over": Told(
        "The file is kept, and the mail server took the mail with its link. Record what was given once it is fetched.",
        "handed-over",
    ),
    "file-link": Told("The file has a new link, and the mail server took the mail with it.", "handed-over"),
    "file-revoked": Told("The link is taken back: it opens nothing any more.", "handed-over"),
    "costs": Told("The amount is recorded.", "costs"),
}

_PLACES: dict[type[Act], str] = {
    Learn: FACTS,
    Impossible: FACTS,
    NotYet: TOP,
    Release: TOP,
    TellOverdue: DUTIES,
}
"""Where acts are told that have no form of their own on the page, or none any more once they are done."""


def back_to(case_id: UUID, done: str) -> Response:
    """Lead back to the case's page, to the place where it is told what was done."""
    return RedirectResponse(f"/cases/{case_id}?done={done}#done", HTTPStatus.SEE_OTHER)


def told_after(done: str, kind: Kind, offered: Collection[str]) -> Told | None:
    """What is told once something was done; ``offered`` are the acts that have a form on the page now."""
    act = next((known for known in kind.all_acts if known.act_name() == done), None)
    if act is None:
        return _OTHERS.get(done)
    if act not in _PLACES and done in offered:
        return Told(act.done_says, done)
    return Told(act.done_says, _PLACES.get(act, TOP if act in kind.acts else DECISIONS))
