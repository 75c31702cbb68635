"""Letters to post and letters posted, across all cases, as pages and commands list them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, TextClause
from sqlalchemy import select as select_columns
from sqlalchemy.orm import Mapped
from sqlmodel import Session, SQLModel, col, func, select
from sqlmodel.sql.expression import SelectOfScalar

from agreements.due_dates import read_due_dates
from agreements.terms import pinned_terms
from config.database import Database
from config.seals import rows_that_open
from ledger.artifacts import fetch, media_type_of
from models import identifiers
from models.columns import is_sealed
from models.enums import NoticeKind, PostalService, WrittenAnew
from models.errors import NotFound
from models.tables import Agreement, AgreementContact, Case, CaseAgreement, Duty, Notice, PostalLetter
from models.view import View
from records.outbox import NOTE_UNREAD
from records.postal_letters import STANDING, TO_POST, WHY_ANEW
from records.uploads import UploadedFile, kept_file
from terms.clauses import ByPost

Row = TypeVar("Row")
_Condition: TypeAlias = ColumnElement[bool] | TextClause

POSTED = (STANDING, col(PostalLetter.mailed_at).is_not(None))
"""The conditions for a letter of which somebody says that it was posted."""


class EarlierLetterView(View):
    """A printed letter in whose place another was written, for the reason ``why``: somebody may have it in hand.

    ``services`` are those by which it would give the notice, if it was posted all the same.
    """

    id: UUID
    made_at: datetime
    printed_at: datetime
    printed_by: str
    replaced_at: datetime
    why: str
    services: tuple[PostalService, ...]
    letter_sha256: str


class PostalLetterView(View):
    """One letter: whom it is for, until when it is wanted, and, once somebody says that it was posted, that word.

    ``due_at`` is when the duty is due that it performs, None of one that performs none. ``gives_notice`` says in a
    sentence when posting it gives the notice, as the agreement has it; ``services`` are those that do. ``enclosed`` is
    how many documents belong into the envelope besides. ``effective_at`` is when it gives, or gave, the notice, on the
    word of ``mailed_by``; None where it gives none. ``earlier`` are those in whose place it was written and that were
    printed. ``unopened`` is the place of what does not open of it: then nobody knows whom it is for, and it is not
    printed.
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
    earlier: tuple[EarlierLetterView, ...] = ()
    unopened: str | None = None

    @property
    def case_reference(self) -> str:
        """The short name of its case."""
        return identifiers.case_reference(self.case_id)

    @property
    def may_be_posted(self) -> tuple[UUID, ...]:
        """What somebody may say was posted: this one, or one that was printed before it was written."""
        return self.id, *(before.id for before in self.earlier)


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
    # The letters themselves apart: one that does not open keeps no other from being shown.
    rows = session.execute(
        select_columns(*_IN_CLEAR, Notice, Duty, Agreement)
        .select_from(PostalLetter)
        .join(Notice, col(Notice.id) == col(PostalLetter.notice_id))
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
        .where(*conditions)
        .order_by(order, col(Agreement.lea_name), col(PostalLetter.id))
        .offset(offset)
        .limit(limit)
        .options(NOTE_UNREAD)
    ).all()
    opened = _opened(session, [row._mapping for row in rows])
    due_dates = read_due_dates(session, {row.Duty.due_date_id for row in rows})
    terms = {case_id: pinned_terms(session, case_id) for case_id in {row.case_id for row in rows}}
    pinned = {row.id: session.get_one(CaseAgreement, (row.case_id, row.Agreement.id)).terms_hash for row in rows}
    by_post = {row.id: terms[row.case_id][key].by_post if (key := pinned[row.id]) else None for row in rows}
    waiting = {row.notice_id: by_post[row.id] for row in rows if row.mailed_at is None}
    earlier = _earlier(session, waiting)
    return tuple(
        _view(
            row._mapping,
            opened,
            due_dates[row.Duty.due_date_id].title,
            by_post[row.id],
            tuple(earlier[row.notice_id]) if row.mailed_at is None else (),
            now,
        )
        for row in rows
    )


_IN_CLEAR = [column for column in SQLModel.metadata.tables["postal_letter"].columns if not is_sealed(column)]
"""The columns of a letter that are read whether or not the sealed ones open."""


@dataclass(frozen=True)
class _Opened:
    """What opens of some letters, by their ids: themselves, their contacts', and their cases'."""

    letters: Mapping[UUID, PostalLetter]
    contacts: Mapping[UUID, AgreementContact]
    cases: Mapping[UUID, Case]


def _opened(session: Session, rows: Sequence[RowMapping]) -> _Opened:
    def those(query: SelectOfScalar[Row], key: Mapped[UUID], wanted: str) -> dict[UUID, Row]:
        found = rows_that_open(session, query.where(key.in_({row[wanted] for row in rows})), key)
        return {one.id: one for one in found}  # type: ignore[attr-defined]

    return _Opened(
        letters=those(select(PostalLetter), col(PostalLetter.id), "id"),
        contacts=those(select(AgreementContact), col(AgreementContact.id), "contact_id"),
        cases=those(select(Case), col(Case.id), "case_id"),
    )


def _earlier(session: Session, of_notices: Mapping[UUID, ByPost | None]) -> dict[UUID, list[EarlierLetterView]]:
    """By notice: the printed letters in whose place others were written, the latest first."""
    rows = session.execute(
        select_columns(*_IN_CLEAR)
        .where(col(PostalLetter.notice_id).in_(of_notices), col(PostalLetter.mailed_at).is_(None))
        .where(col(PostalLetter.replaced_at).is_not(None), col(PostalLetter.printed_at).is_not(None))
        .order_by(col(PostalLetter.replaced_at).desc(), col(PostalLetter.id))
    )
    found: dict[UUID, list[EarlierLetterView]] = defaultdict(list)
    for row in rows:
        by_post = of_notices[row.notice_id]
        found[row.notice_id].append(
            EarlierLetterView(
                why=WHY_ANEW[row.replaced_for or WrittenAnew.CONTENT],
                services=by_post.services if by_post else (),
                **{name: row._mapping[name] for name in EarlierLetterView.model_fields if name in row._mapping},
            )
        )
    return found


def _view(
    row: RowMapping,
    opened: _Opened,
    title: str,
    by_post: ByPost | None,
    earlier: tuple[EarlierLetterView, ...],
    now: datetime,
) -> PostalLetterView:
    notice, duty, agreement = row["Notice"], row["Duty"], row["Agreement"]
    letter, contact = opened.letters.get(row["id"]), opened.contacts.get(row["contact_id"])
    case = opened.cases.get(row["case_id"])
    due_at = duty.due_at if notice.kind is NoticeKind.NOTICE else None
    return PostalLetterView(
        case_title=case.title if case else identifiers.case_reference(row["case_id"]),
        kind=notice.kind,
        clause=duty.clause,
        title=title,
        reference=agreement.reference,
        lea_name=agreement.lea_name,
        time_zone=agreement.time_zone,
        contact_name=contact.name if contact else "",
        address=letter.address if letter else "",
        tracking_number=letter.tracking_number if letter else None,
        due_at=due_at,
        overdue=notice.given_at is None and due_at is not None and due_at < now,
        gives_notice=gives_notice(by_post),
        services=by_post.services if by_post else (),
        enclosed=len(row["enclosed"]),
        earlier=earlier,
        unopened=_unopened(row, letter, contact),
        **{name: row[name] for name in _AS_KEPT},
    )


_AS_KEPT = {column.name for column in _IN_CLEAR} & PostalLetterView.model_fields.keys() - {"enclosed"}


def _unopened(row: RowMapping, letter: PostalLetter | None, contact: AgreementContact | None) -> str | None:
    """What does not open of a letter, by its place."""
    if letter is None:
        return f"postal_letter {row['id']}"
    return None if contact else f"agreement_contact {row['contact_id']}"


UNOPENED = "Whom this letter is for does not open where it stands: somebody changed it there, or moved it."
"""What is said of a letter whose address, or contact, does not open."""


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
