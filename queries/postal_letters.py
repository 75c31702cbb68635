"""Letters to post and letters posted, across all cases, as pages and commands list them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from sqlalchemy import ColumnElement, TextClause
from sqlmodel import Session, col, func, select

from agreements.due_dates import read_due_dates
from agreements.terms import pinned_terms
from config.database import Database
from ledger.artifacts import fetch, media_type_of
from models import identifiers
from models.enums import NoticeKind, PostalService
from models.errors import NotFound
from models.tables import Agreement, AgreementContact, Case, CaseAgreement, Duty, Notice, PostalLetter
from models.view import View
from records.postal_letters import STANDING, TO_POST
from records.uploads import UploadedFile, kept_file
from terms.clauses import ByPost

_Condition: TypeAlias = ColumnElement[bool] | TextClause

POSTED = (STANDING, col(PostalLetter.mailed_at).is_not(None))
"""The conditions for a letter of which somebody says that it was posted."""


class PostalLetterView(View):
    """One letter: whom it is for, until when it is wanted, and, once somebody says that it was posted, that word.

    ``due_at`` is when the duty is due that it performs, None of one that performs none. ``gives_notice`` says in a
    sentence when posting it gives the notice, as the agreement has it; ``services`` are those that do. ``enclosed`` is
    how many documents belong into the envelope besides. ``effective_at`` is when it gives, or gave, the notice, on the
    word of ``mailed_by``; None where it gives none.
    """

    id: UUID
    case_id: UUID
    case_title: str
    notice_id: UUID
    kind: NoticeKind
    clause: str
    title: str
    reference: str
    lea_name: str
    time_zone: str
    contact_name: str
    address: str
    due_at: datetime | None
    overdue: bool
    gives_notice: str
    services: tuple[PostalService, ...]
    enclosed: int
    made_at: datetime
    printed_at: datetime | None
    printed_by: str | None
    letter_sha256: str
    mailed_at: datetime | None
    mailed_by: str | None
    recorded_at: datetime | None
    service: PostalService | None
    tracking_number: str | None
    receipt_sha256: str | None
    effective_at: datetime | None
    took_effect_at: datetime | None

    @property
    def case_reference(self) -> str:
        """The short name of its case."""
        return identifiers.case_reference(self.case_id)


def letters_to_post(
    database: Database, now: datetime, *, case_id: UUID | None = None, offset: int = 0, limit: int | None = None
) -> tuple[tuple[PostalLetterView, ...], int]:
    """Some of the letters that wait to be posted, the first due before the others, and how many there are."""
    return _read(database, TO_POST, now, case_id, offset, limit)


def letters_posted(
    database: Database, now: datetime, *, case_id: UUID | None = None, offset: int = 0, limit: int | None = None
) -> tuple[tuple[PostalLetterView, ...], int]:
    """Some of the letters of which somebody says that they were posted, the latest first, and how many there are."""
    return _read(database, POSTED, now, case_id, offset, limit, latest_first=True)


def letters_of_notices(session: Session, notices: Sequence[UUID], now: datetime) -> tuple[PostalLetterView, ...]:
    """The latest letter of each of some notices that has one."""
    return _views(session, [STANDING, col(PostalLetter.notice_id).in_(notices)], now)


def case_of_letter(database: Database, letter_id: UUID) -> UUID:
    """The case of a letter.

    Raises:
        NotFound: there is no such letter.
    """
    with database.reading() as session:
        letter = session.get(PostalLetter, letter_id)
        if letter is None:
            raise NotFound("There is no such letter.", next_step="Look at the list of letters again.")
        return letter.case_id


def read_mailing_receipt(database: Database, letter_id: UUID) -> UploadedFile:
    """The receipt or photo of a letter that was posted.

    Raises:
        NotFound: there is none.
    """
    with database.reading() as session:
        letter = session.get(PostalLetter, letter_id)
        if letter is None or letter.receipt_sha256 is None:
            raise NotFound("There is no such receipt.", next_step="Look at the list of letters.")
        content, media_type = fetch(session, letter.receipt_sha256), media_type_of(session, letter.receipt_sha256)
        return kept_file(f"receipt-{letter.receipt_sha256[:8]}", content, media_type)


def _read(
    database: Database,
    which: Sequence[_Condition],
    now: datetime,
    case_id: UUID | None,
    offset: int,
    limit: int | None,
    *,
    latest_first: bool = False,
) -> tuple[tuple[PostalLetterView, ...], int]:
    conditions = [*which, *([col(PostalLetter.case_id) == case_id] if case_id else [])]
    with database.reading() as session:
        total = session.exec(
            select(func.count())
            .select_from(PostalLetter)
            .join(Notice, col(Notice.id) == col(PostalLetter.notice_id))
            .join(Duty, col(Duty.id) == col(Notice.duty_id))
            .where(*conditions)
        ).one()
        views = _views(session, conditions, now, offset=offset, limit=limit, latest_first=latest_first)
        return views, total


def _views(
    session: Session,
    conditions: Sequence[_Condition],
    now: datetime,
    *,
    offset: int = 0,
    limit: int | None = None,
    latest_first: bool = False,
) -> tuple[PostalLetterView, ...]:
    order = col(PostalLetter.mailed_at).desc() if latest_first else col(Duty.due_at)
    rows = session.exec(
        select(PostalLetter, Notice, Duty, Agreement)
        .join(Notice, col(Notice.id) == col(PostalLetter.notice_id))
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
        .where(*conditions)
        .order_by(order, col(Agreement.lea_name), col(PostalLetter.id))
        .offset(offset)
        .limit(limit)
    ).all()
    due_dates = read_due_dates(session, {duty.due_date_id for _, _, duty, _ in rows})
    terms = {case_id: pinned_terms(session, case_id) for case_id in {letter.case_id for letter, *_ in rows}}
    views = []
    for letter, notice, duty, agreement in rows:
        pinned = session.get_one(CaseAgreement, (letter.case_id, agreement.id)).terms_hash
        by_post = terms[letter.case_id][pinned].by_post if pinned else None
        title = due_dates[duty.due_date_id].title
        views.append(_view(session, letter, notice, duty, agreement, by_post, title, now))
    return tuple(views)


def _view(
    session: Session,
    letter: PostalLetter,
    notice: Notice,
    duty: Duty,
    agreement: Agreement,
    by_post: ByPost | None,
    title: str,
    now: datetime,
) -> PostalLetterView:
    due_at = duty.due_at if notice.kind is NoticeKind.NOTICE else None
    return PostalLetterView(
        case_title=session.get_one(Case, letter.case_id).title,
        kind=notice.kind,
        clause=duty.clause,
        title=title,
        reference=agreement.reference,
        lea_name=agreement.lea_name,
        time_zone=agreement.time_zone,
        contact_name=session.get_one(AgreementContact, letter.contact_id).name,
        due_at=due_at,
        overdue=notice.given_at is None and due_at is not None and due_at < now,
        gives_notice=gives_notice(by_post),
        services=by_post.services if by_post else (),
        enclosed=len(letter.enclosed),
        **letter.model_dump(exclude={"contact_id", "enclosed", "replaced_at", "words_sha256"}),
    )


SERVICES = {
    PostalService.FIRST_CLASS: "First-Class Mail",
    PostalService.FIRST_CLASS_CERTIFIED: "First-Class Mail, certified",
    PostalService.PRIORITY: "Priority Mail",
    PostalService.PRIORITY_EXPRESS: "Priority Mail Express",
    PostalService.COURIER: "a courier",
}
"""Each service, as people call it."""


def gives_notice(by_post: ByPost | None) -> str:
    """When a letter gives a notice, as an agreement has it, in a sentence."""
    if by_post is None:
        return (
            "This agreement names no post: the letter tells the district, and performs nothing by itself. Have two "
            "people record it as done by other means, with the receipt as proof."
        )
    by = " or ".join(SERVICES[service] for service in by_post.services)
    when = f"{by_post.effective_after} after it was posted" if by_post.effective_after else "when it is posted"
    return f"By {by}, it gives the notice {when}; any other way performs nothing by itself."
