"""Opening a case: its facts, its agreements and its first evidence, in one transaction."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Any, NamedTuple, Protocol
from uuid import UUID, uuid5

import rfc8785
from sqlmodel import Session, col, update

from cases.intake import Intake
from cases.kind import Kind
from cases.state import CaseState
from cases.values import AnchorValue, Kept
from config.database import one_at_a_time
from ledger.append import append
from ledger.artifacts import claim, is_kept, store, store_list
from ledger.contacts import record_contacts
from ledger.entries import NAMED_IN_ONE, CaseOpened
from models import identifiers
from models.enums import Authentication, CaseStatus, FactStatus, Party
from models.errors import InvalidFields, InvalidInput
from models.tables import Case, CaseAnchor, CaseFact, CaseFile
from records.file_types import type_of
from records.keeping import note_keeping
from records.parties import contact_problems, contacts_of
from records.responsible import reporter
from records.scope import add_to_scope, affected_agreements


def intake_digest(intake: Intake, key: bytes) -> str:
    """Name an intake by its content, under a key, so that the name tells nothing of the content."""
    return hmac.new(key, rfc8785.dumps(intake.identity()), hashlib.sha256).hexdigest()


def keep_intake(
    session: Session,
    kind: Kind,
    intake: Intake,
    digest: str,
    *,
    actor: str,
    now: datetime,
    dates_confirmed: tuple[str, ...] = (),
    authenticated: Authentication | None = None,
    from_outside: bool = False,
    side: Party = Party.PROVIDER,
) -> tuple[UUID, bool]:
    """Keep what opens a case; return its id, and whether the same intake had opened it before.

    ``dates_confirmed`` names the dates that are hardly meant, and were confirmed nevertheless; ``from_outside`` is
    whether nobody of the installation knows of it yet, and ``side`` our own.

    Raises:
        InvalidFields: an agreement is unknown, nobody can be written to under it, or the kind finds that it cannot be.
    """
    given = GivenIntake(intake, digest, dates_confirmed, from_outside)
    (kept,) = keep_intakes(session, kind, [given], actor=actor, now=now, authenticated=authenticated, side=side)
    return kept


class GivenIntake(NamedTuple):
    """An intake, what names it, and the dates in it that are hardly meant and were confirmed nevertheless.

    ``from_outside`` is whether nobody of the installation knows of it yet.
    """

    intake: Intake
    digest: str
    dates_confirmed: tuple[str, ...] = ()
    from_outside: bool = False


def keep_intakes(
    session: Session,
    kind: Kind,
    given: Iterable[GivenIntake],
    *,
    actor: str,
    now: datetime,
    authenticated: Authentication | None = None,
    side: Party = Party.PROVIDER,
    refuse: Callable[[GivenIntake, InvalidFields], None] | None = None,
) -> list[tuple[UUID, bool]]:
    """As ``keep_intake``, for several in their order, which costs less than one after another.

    ``refuse`` is told of each that cannot be, of which nothing is kept; without it, the first one is raised. The same
    intake given twice at the same moment opens one case.
    """
    kept, entries, new = [], [], []
    named = [(identifiers.case_id(kind.name, one.digest), one) for one in given]
    one_at_a_time(session, (case_id for case_id, _ in named))
    for case_id, one in named:
        existed = session.get(Case, case_id) is not None
        try:
            if not existed:
                entries.append(_keep(session, kind, one, case_id, actor, now, authenticated, side))
                new.append((case_id, one.intake))
        except InvalidFields as error:
            if refuse is None:
                raise
            refuse(one, error)
        else:
            kept.append((case_id, existed))
    append(session, *entries)
    for case_id, intake in new:
        record_contacts(session, contacts_of(intake, case_id), actor, now, case_id)
    if kind.keeps:
        keeps: KeepsOpening = _named(kind.keeps)
        for case_id, intake in new:
            keeps(session, session.get_one(Case, case_id), intake, actor, now)
    return kept


def _keep(
    session: Session,
    kind: Kind,
    given: GivenIntake,
    case_id: UUID,
    actor: str,
    now: datetime,
    authenticated: Authentication | None,
    side: Party,
) -> CaseOpened:
    """Keep one intake; return its evidence. Whether it can be is found out before anything is written."""
    intake = given.intake
    agreements = affected_agreements(session, touched(session, kind, intake, now).references)
    anchors = (*intake.anchors(), *prepare(session, kind, intake, now, side))
    kept_sha256 = _keep_files(session, case_id, intake, now)
    about = intake.about()
    session.add(
        Case(
            id=case_id,
            kind=kind.name,
            event=intake.event() or kind.event,
            clause=about.clause if about else None,
            occurrence=about.occurrence if about else None,
            status=CaseStatus.REPORTED,
            title=intake.title,
            report_digest=given.digest,
            opened_at=now,
            opened_by=actor,
            changed_at=now,
            responsible_id=reporter(session, actor),
            undecided=not kind.is_decided(CaseState(anchors={anchor.name: anchor for anchor in anchors})),
            untold=given.from_outside,
        )
    )
    session.flush()
    add_to_scope(session, case_id, agreements, now)
    note_keeping(session, session.get_one(Case, case_id), now)
    session.add_all(contacts_of(intake, case_id))
    session.add_all(
        CaseFile(case_id=case_id, number=number, content_sha256=sha256)
        for number, sha256 in enumerate(kept_sha256, start=1)
    )
    session.add_all(_anchor_rows(case_id, anchors, actor, now))
    session.add_all(_fact_rows(case_id, intake, actor, now))
    return CaseOpened(
        case_id=case_id,
        actor=actor,
        at=now,
        case_kind=kind.name,
        event=intake.event() or kind.event,
        anchors=anchors,
        **_named_agreements(session, agreements, now),
        report_sha256=store(session, intake.model_dump_json(indent=2).encode(), "application/json", now, case=case_id),
        kept_sha256=kept_sha256,
        clause=about.clause if about else None,
        occurrence=about.occurrence if about else None,
        dates_confirmed=given.dates_confirmed or None,
        authenticated=authenticated,
    )


def _named_agreements(session: Session, agreements: Sequence[UUID], now: datetime) -> dict[str, Any]:
    """The agreements as evidence of an opening names them: one by one, or by a list that is kept beside it."""
    if len(agreements) <= NAMED_IN_ONE:
        return {"agreements": tuple(agreements)}
    listed = store_list(session, "agreements", [str(one) for one in agreements], now)
    return {"agreements": None, "agreements_listed": len(agreements), "agreements_sha256": listed["agreements_sha256"]}


@dataclass(frozen=True)
class Touched:
    """Which agreements an intake touches, by reference; ``left_out`` are sentences about those that it does not."""

    references: tuple[str, ...]
    left_out: tuple[str, ...] = ()


def touched(session: Session, kind: Kind, intake: Intake, now: datetime) -> Touched:
    """The agreements that an intake touches: those that it names, or what its kind finds; nothing is written.

    Raises:
        InvalidFields: the kind finds that one of them cannot be, or that there is none.
    """
    if kind.touches is None:
        return Touched(intake.agreements)
    touches: FindsAgreements = _named(kind.touches)
    return touches(session, intake, now)


def prepare(
    session: Session, kind: Kind, intake: Intake, now: datetime, side: Party = Party.PROVIDER
) -> tuple[AnchorValue, ...]:
    """The dated facts that follow from an intake by what SQL knows, on our ``side``; nothing is written.

    Raises:
        InvalidFields: it cannot be, as the kind finds, or because it names whom nobody can write to; each problem names
            its field.
    """
    if problems := tuple(contact_problems(intake)):
        raise InvalidFields(problems)
    if kind.prepares is None:
        return ()
    prepares: PreparesIntake = _named(kind.prepares)
    return prepares(session, intake, now, side)


def _named(path: str) -> Any:
    """What ``module:name`` names."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


class PreparesIntake(Protocol):
    """What ``Kind.prepares`` names."""

    def __call__(self, session: Session, intake: Intake, now: datetime, side: Party) -> tuple[AnchorValue, ...]:
        """Check an intake against SQL, and return the dated facts that follow for our ``side``."""


class FindsAgreements(Protocol):
    """What ``Kind.touches`` names."""

    def __call__(self, session: Session, intake: Intake, now: datetime) -> Touched:
        """Return the agreements that an intake touches."""


class KeepsOpening(Protocol):
    """What ``Kind.keeps`` names."""

    def __call__(self, session: Session, case: Case, intake: Intake, actor: str, now: datetime) -> None:
        """Keep what an intake holds besides its facts, in the transaction that opens its case."""


def _keep_files(session: Session, case_id: UUID, intake: Intake, now: datetime) -> tuple[str, ...]:
    """Keep the files that came with an intake; one that is named by its SHA-256 was kept while it was checked.

    Raises:
        InvalidFields: one of them is not kept here any more.
        InvalidInput: one of them holds nothing of what is taken.
    """
    names = []
    for where in type(intake).model_fields:
        kept = getattr(intake, where)
        if not isinstance(kept, Kept):
            continue
        if kept.content is not None:
            store(session, kept.content, type_of(kept.content, where).media_type, now, case=case_id)
        elif not is_kept(session, kept.sha256):
            gone = InvalidInput("This file is not kept here any more.", where=where, next_step="Choose it again.")
            raise InvalidFields((gone,))
        else:
            claim(session, [kept.sha256], case_id)
        names.append(kept.sha256)
    return tuple(names)


def _anchor_rows(case_id: UUID, anchors: tuple[AnchorValue, ...], actor: str, now: datetime) -> list[CaseAnchor]:
    return [
        CaseAnchor(
            id=uuid5(case_id, f"reported:{anchor.name}"),
            case_id=case_id,
            **anchor.model_dump(),
            recorded_at=now,
            recorded_by=actor,
        )
        for anchor in anchors
    ]


def _fact_rows(case_id: UUID, intake: Intake, actor: str, now: datetime) -> list[CaseFact]:
    return [
        CaseFact(
            id=uuid5(case_id, f"reported:{element}"),
            case_id=case_id,
            element=element,
            status=FactStatus.KNOWN,
            value=value,
            recorded_at=now,
            recorded_by=actor,
        )
        for element, value in intake.facts().items()
    ]


def keep_found(session: Session, case_id: UUID, name: str, value: str, actor: str, now: datetime) -> None:
    """Keep what was found of a case, which its page shows, in place of what it said before."""
    session.execute(
        update(CaseFact)
        .where(col(CaseFact.case_id) == case_id, col(CaseFact.element) == name, col(CaseFact.superseded_at).is_(None))
        .values(superseded_at=now)
    )
    session.add(
        CaseFact(
            id=uuid5(case_id, f"{name}:{now.isoformat()}"),
            case_id=case_id,
            element=name,
            status=FactStatus.KNOWN,
            value=value,
            recorded_at=now,
            recorded_by=actor,
        )
    )
