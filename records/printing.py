"""Letters as they are printed: one file of some or all, each followed by what belongs into its envelope.

It is given to whoever is to post them, with evidence, since each letter holds the link on which its reader answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from uuid import UUID

from pypdf import PdfReader, PdfWriter
from pypdf.errors import PyPdfError
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from config.seals import rows_that_open
from ledger.append import append
from ledger.artifacts import fetch
from ledger.entries import LetterPrinted
from models.errors import InvalidInput, NotFound, Refused
from models.tables import Duty, Notice, PostalLetter
from records.postal_letters import TO_POST, WHY_ANEW

MOST_PRINTED = 200
"""How many letters one file holds at most."""


def print_letters(session: Session, letters: Sequence[UUID], *, actor: str, now: datetime) -> bytes:
    """One PDF of some letters that wait to be posted, in the order given; of all, the first due, where none is named.

    One whose address does not open where it stands is not printed, and keeps no other from it.

    Raises:
        NotFound: one of them does not wait to be posted, or none does.
        Refused: one of them was written anew.
        InvalidInput: what belongs into an envelope cannot be read as a PDF.
        IntegrityError: the address of one that is named does not open.
    """
    found = {letter.id: letter for letter in _waiting(session, letters)}
    wanted = list(letters) or list(found)
    if missing := [letter for letter in wanted if letter not in found]:
        _say_why(session, missing)
    if not wanted or missing:
        raise NotFound(
            "No such letter waits to be posted." if letters else "No letter waits to be posted.",
            next_step="Look at the list of letters to post again.",
        )
    writer = PdfWriter()
    for letter in (found[key] for key in wanted):
        for part in (letter.letter_sha256, *letter.enclosed):
            _add(writer, fetch(session, part))
        letter.printed_at, letter.printed_by = now, actor
        session.add(letter)
    append(session, *(_printed(found[key], actor, now) for key in wanted))
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def _say_why(session: Session, letters: Sequence[UUID]) -> None:
    """Say why a letter is not printed, where that is known.

    Raises:
        Refused: it was written anew.
        IntegrityError: its address does not open.
    """
    for letter in session.exec(select(PostalLetter).where(col(PostalLetter.id).in_(letters))):
        if letter.replaced_at is not None and letter.replaced_for is not None:
            raise Refused(
                f"A letter was written anew, as {WHY_ANEW[letter.replaced_for]}.",
                where="letter",
                next_step="Print the one that stands on the list of letters to post.",
            )


def waiting_letters(session: Session) -> Sequence[UUID]:
    """The letters that are printed where none is named."""
    return session.scalars(_first_due().with_only_columns(col(PostalLetter.id))).all()


def _printed(letter: PostalLetter, actor: str, now: datetime) -> LetterPrinted:
    return LetterPrinted(
        case_id=letter.case_id,
        actor=actor,
        at=now,
        notice_id=letter.notice_id,
        letter=letter.id,
        letter_sha256=letter.letter_sha256,
    )


def _waiting(session: Session, letters: Sequence[UUID]) -> Sequence[PostalLetter]:
    named = [col(PostalLetter.id).in_(letters)] if letters else []
    return rows_that_open(session, _first_due().where(*named), col(PostalLetter.id))


def _first_due() -> SelectOfScalar[PostalLetter]:
    return (
        select(PostalLetter)
        .join(Notice, col(Notice.id) == col(PostalLetter.notice_id))
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .where(*TO_POST)
        .order_by(col(Duty.due_at), col(PostalLetter.id))
        .limit(MOST_PRINTED)
    )


def _add(writer: PdfWriter, pdf: bytes) -> None:
    try:
        writer.append(PdfReader(BytesIO(pdf)))
    except (PyPdfError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InvalidInput(
            "What belongs into the envelope cannot be read as a PDF.",
            next_step="Print it from the documents of the case, and withdraw it there if it is damaged.",
        ) from None
