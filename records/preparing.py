"""What is checked and kept of an act before it is sent to its case: references, grounds, texts and files."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, delete

from agreements.terms import agreements_knowing
from cases.acts import Act, Add, Done, Propose, Release
from cases.intake import Intake
from cases.kind import Kind
from cases.values import AgreementName, Kept, KeptFile, KeptReferences
from ledger.append import append
from ledger.artifacts import is_kept, store
from ledger.entries import FileRefused
from models.errors import InvalidFields, InvalidInput
from models.tables import Artifact, Case, CaseAgreement
from records.acts import kept_in
from records.file_types import type_of
from records.other_means import check_done
from records.scope import EVERY_AGREEMENT, AgreementFilter, agreements_to_add, references_to_add


def complete(session: Session, case: Case, act: Act) -> Act:
    """The act with everything that SQL knows of what it names; nothing is written.

    Raises:
        InvalidInput: an agreement is not in the case, or its terms do not know the ground, or none could be added; or
            a file holds nothing of what is taken.
    """
    brought_in = act.brings_in()
    for where, agreement in _agreements_in(act):
        if agreement.reference in brought_in:
            agreements_to_add(session, case.id, (agreement.reference,))
        elif session.get(CaseAgreement, (case.id, agreement.id)) is None:
            raise InvalidInput(
                f"Agreement {agreement.reference or agreement.id} is not in this case.",
                where=where,
                next_step="Add it to the case first.",
            )
    check_files(act)
    match act:
        case Propose():
            _check_ground(session, case, act)
        case Done():
            check_done(session, case, act)
        case Release(withheld=None):  # as only old histories have it
            return act.model_copy(update={"withheld": False})
        case Add():
            return _with_all_agreements(session, case, act)
        case _:
            pass
    return act


def keep(session: Session, case_id: UUID, act: Act, now: datetime) -> None:
    """Keep the texts and files of an act in a case as artifacts, so that only their SHA-256 travels.

    Raises:
        InvalidInput: it names something by its SHA-256 that is not kept here.
    """
    for kept in kept_in(act):
        if kept.content is not None:
            store(session, kept.content, _media_type(kept), now, claimed=False, case=case_id)
        elif not is_kept(session, kept.sha256):
            raise InvalidInput("What this names is not kept here.", where=act.act, next_step="Give the text itself.")


def _media_type(kept: Kept) -> str:
    """What the bytes are: of a file, what it holds."""
    if isinstance(kept, KeptFile) and kept.content is not None:
        return type_of(kept.content, "file").media_type
    return kept.media_type


def check_files(act: Act) -> None:
    """Return where each file of an act is of a type that is taken.

    Raises:
        InvalidInput: one is not; ``where`` is its field.
    """
    for name in type(act).model_fields:
        value = getattr(act, name)
        if isinstance(value, KeptFile) and value.content is not None:
            type_of(value.content, name)


def let_go(session: Session, act: Act) -> None:
    """Remove what was kept of an act that was refused, unless something recorded points to it."""
    names = [kept.sha256 for kept in kept_in(act)]
    session.execute(delete(Artifact).where(col(Artifact.sha256).in_(names), col(Artifact.claimed).is_(False)))


def note_refused_files(
    session: Session,
    kind: Kind,
    given: Intake | Act,
    error: InvalidInput,
    *,
    actor: str,
    now: datetime,
    case: UUID | None,
) -> None:
    """Leave evidence of each file in what was given that an error is about; the file itself is not kept."""
    problems = error.problems if isinstance(error, InvalidFields) else (error,)
    files = {name: value for name in type(given).model_fields if isinstance(value := getattr(given, name), KeptFile)}
    append(
        session,
        *(
            FileRefused(
                case_id=case,
                actor=actor,
                at=now,
                case_kind=kind.name,
                act=given.act_name() if isinstance(given, Act) else None,
                field=problem.where,
                file_digest=files[problem.where].sha256,
                says=problem.message,
            )
            for problem in problems
            if problem.where in files
        ),
    )


def _agreements_in(act: Act) -> Iterator[tuple[str, AgreementName]]:
    for name in type(act).model_fields:
        value = getattr(act, name)
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, AgreementName):
                yield name, one


def _check_ground(session: Session, case: Case, act: Propose) -> None:
    knowing = agreements_knowing(session, case.id, act.ground)
    without = sorted(str(one.reference or one.id) for one in act.agreements if one.id not in knowing)
    if without:
        raise InvalidInput(
            f"The terms of {', '.join(without)} know no ground {act.ground!r}.",
            where="ground",
            next_step="Leave these agreements out, or choose a ground that their terms know.",
        )


def _with_all_agreements(session: Session, case: Case, act: Add) -> Act:
    """An addition with the reference of each agreement, so that what is recorded does not depend on when."""
    which = AgreementFilter(state=act.state.upper(), form=act.form)
    others = references_to_add(session, case.id, which) if which != EVERY_AGREEMENT else ()
    found = tuple(dict.fromkeys((*act.agreements.references, *others)))
    agreements_to_add(session, case.id, found)
    return act.model_copy(update={"agreements": KeptReferences.model_validate(found)})
