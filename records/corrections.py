"""What parties were told in notices and is known otherwise by now, so that a supplement corrects it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from cases.kinds import kind_named
from cases.values import AnchorValue
from mail.contents import KnownFact
from mail.wording import is_dated
from models.enums import DutyStatus, NoticeKind
from models.tables import Case, CaseAnchor, CaseDocument, CaseFact, Duty, Notice
from records.anchors import anchors_by_agreement
from terms.catalogue import load_catalogue

DatedFacts = Mapping[UUID | None, Mapping[str, AnchorValue]]
"""Dated facts by name: those of the case under None, and under an agreement those that hold for it instead."""

Said = TypeVar("Said", AnchorValue, KnownFact)


class _Version(NamedTuple, Generic[Said]):
    """What was known under a name from one instant to another, for one agreement or for all."""

    name: str
    agreement_id: UUID | None
    since: datetime
    until: datetime | None
    said: Said


def _at(versions: Sequence[_Version[Said]], agreement_id: UUID, instant: datetime) -> dict[str, Said]:
    """What was known for an agreement at an instant; what is its own stands before what holds for all."""
    held = [each for each in versions if each.since <= instant and (each.until is None or instant < each.until)]
    of_all = {each.name: each.said for each in held if each.agreement_id is None}
    return of_all | {each.name: each.said for each in held if each.agreement_id == agreement_id}


def told_otherwise(
    session: Session,
    case_id: UUID,
    agreements: Collection[UUID] | None = None,
    anchors: DatedFacts | None = None,
) -> dict[UUID, frozenset[str]]:
    """By duty, the elements that a notice gave and that are known otherwise by now, or by a further document.

    An element counts under the duty of the last notice that gave it to the same party. What a notice said would follow
    is lacking still, and is no correction. What a case writes by itself has notices of its own.

    Args:
        session: where the case is.
        case_id: the case.
        agreements: look at these alone.
        anchors: its dated facts as they would be, instead of those that are recorded.
    """
    given = Notice.case_id == case_id, col(Notice.given_at).is_not(None), Notice.kind != NoticeKind.DISMISSAL
    dates, facts = _dates(session, case_id), _facts(session, case_id)
    others = col(CaseDocument.element).not_in(_written_by_itself(session, case_id))
    documents: tuple[ColumnElement[bool], ...] = (col(CaseDocument.case_id) == case_id, others)
    changes = [each.since for some in (dates, facts) for each in some]
    changes += filter(None, [session.exec(select(func.max(CaseDocument.added_at)).where(*documents)).one()])
    changed = max(changes, default=None)
    written = session.exec(select(func.min(Notice.composed_at)).where(*given)).one()
    if written is None or (anchors is None and (changed is None or changed <= written)):
        return {}
    now = anchors or anchors_by_agreement(session, case_id)
    known = {each.name: each.said for each in facts if each.until is None}
    added = _last_added(session, *documents, col(CaseDocument.added_at) > written)
    found: defaultdict[UUID, set[str]] = defaultdict(set)
    seen: set[tuple[UUID, str, str]] = set()
    rows = session.exec(
        select(Notice, Duty)
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .where(*given, *((col(Duty.agreement_id).in_(agreements),) if agreements is not None else ()))
        .order_by(col(Notice.composed_at).desc(), col(Notice.id))
    )
    for notice, duty in rows:
        own = duty.agreement_id
        told = {element for element in notice.given if (own, duty.owed_to.value, element) not in seen}
        seen.update((own, duty.owed_to.value, element) for element in told)
        if duty.status is not DutyStatus.PERFORMED or notice.composed_at is None:
            continue
        then = _at(dates, own, notice.composed_at), _at(facts, own, notice.composed_at)
        by_now = {**now.get(None, {}), **now.get(own, {})}, known
        for element in told.difference(notice.lacking):
            said = _said_of(element, *by_now)
            documents_since = (
                added.get((key, element), notice.composed_at) > notice.composed_at for key in (None, own)
            )
            if (said is not None and said != _said_of(element, *then)) or any(documents_since):
                found[duty.id].add(element)
    return {duty_id: frozenset(elements) for duty_id, elements in found.items()}


def _written_by_itself(session: Session, case_id: UUID) -> list[str]:
    kind = kind_named(session.get_one(Case, case_id).kind)
    return [element for element in (kind.holders_document, kind.passes_on) if element]


def _last_added(session: Session, *which: ColumnElement[bool]) -> dict[tuple[UUID | None, str], datetime]:
    """When the last document was added for an element: for one agreement, or under None for all of a case."""
    by = col(CaseDocument.agreement_id), col(CaseDocument.element)
    rows = session.exec(select(*by, func.max(CaseDocument.added_at)).where(*which).group_by(*by))
    return {(agreement_id, element): added_at for agreement_id, element, added_at in rows}


def _said_of(
    element: str, dates: Mapping[str, AnchorValue], facts: Mapping[str, KnownFact]
) -> AnchorValue | KnownFact | None:
    """What is known of an element: the date that it is, or else what was told of it."""
    kind, _, name = load_catalogue().words.contents[element].source.partition(":")
    dated = dates.get(name) if kind == "anchor" else None
    if dated and is_dated(dated):
        return dated
    return facts.get(name if kind == "fact" else element)


def _dates(session: Session, case_id: UUID) -> list[_Version[AnchorValue]]:
    return [
        _Version(
            row.name,
            row.agreement_id,
            row.recorded_at,
            row.superseded_at,
            AnchorValue(name=row.name, instant=row.instant, first_day=row.first_day, last_day=row.last_day),
        )
        for row in session.exec(select(CaseAnchor).where(CaseAnchor.case_id == case_id))
    ]


def _facts(session: Session, case_id: UUID) -> list[_Version[KnownFact]]:
    return [
        _Version(row.element, None, row.recorded_at, row.superseded_at, KnownFact(row.status, row.value))
        for row in session.exec(select(CaseFact).where(CaseFact.case_id == case_id))
    ]
