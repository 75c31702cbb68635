"""What proves what became of duties: the entries that say so, and the messages and files that they point to.

Entries are found by their keys, which name what happened, so that no list of evidence is gone through.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from ledger.actors import ENGINE
from ledger.chain import key_digest
from ledger.entries import (
    ActRecorded,
    DutyPerformedByOtherMeans,
    FurtherDutyPerformed,
    HolderAnswered,
    HoldersConfirmed,
    LetterTookEffect,
    NoticeGiven,
)
from mail.delivery_states import ARRIVED
from models.enums import BY_OTHER_MEANS, HolderAnswerKind, PerformedBy
from models.grouping import parts
from models.tables import (
    CaseAct,
    CaseDocument,
    Delivery,
    Duty,
    EvidenceEntry,
    HolderAnswer,
    HolderTask,
    Notice,
    PostalLetter,
)
from models.view import View
from records.performing import performed_duties

_KEYS_A_QUERY = 500

MOST_ACTS = 2_000
"""How many acts of the cases on a page are looked through for the one that performed a duty."""


class Proof(View):
    """Something that proves what became of a duty: what it is, and where it is opened on this site."""

    says: str
    link: str


def proofs_of(session: Session, duties: Sequence[Duty]) -> dict[UUID, tuple[Proof, ...]]:
    """The proofs of some duties, by duty: the case first, then messages and files, then entries of the ledger."""
    keys: dict[UUID, list[str]] = defaultdict(list)
    found: dict[UUID, list[Proof]] = defaultdict(list)
    for duty in duties:
        link = f"/cases/{duty.case_id}?duty={duty.id}#duty-{duty.id}"
        found[duty.id].append(Proof(says="why, and all that was done", link=link))
    _of_notices(session, duties, found, keys)
    _of_holders(session, duties, found, keys)
    for duty in duties:
        if duty.verdict in BY_OTHER_MEANS and duty.performed_under:
            link = f"/cases/{duty.case_id}/proposals/{duty.performed_under}"
            found[duty.id] += [Proof(says="who said so, and who approved", link=link)]
            found[duty.id] += [Proof(says="the proof that was given", link=f"{link}/proof")]
            kind = DutyPerformedByOtherMeans.kind.replace("_", "-")
            keys[duty.id].append(f"{kind}:{duty.id}:{duty.performed_under}")
    entries = _entries(session, (key for some in keys.values() for key in some))
    for duty in duties:
        numbers = [entries[key] for key in keys[duty.id] if key in entries]
        found[duty.id] += [_entry(duty.case_id, number, kind) for number, kind in sorted(set(numbers))]
    unproved = [duty for duty in duties if duty.performed_at and not any(key in entries for key in keys[duty.id])]
    for duty_id, case_id, number, kind in _of_acts(session, unproved):
        found[duty_id].append(_entry(case_id, number, kind))
    return {duty_id: tuple(some) for duty_id, some in found.items()}


def _entry(case_id: UUID, number: int, kind: str) -> Proof:
    says = f"entry {number}: {kind.replace('.', ' ').replace('_', ' ')}"
    return Proof(says=says, link=f"/cases/{case_id}?entry={number}#entry-{number}")


def _of_notices(
    session: Session, duties: Sequence[Duty], found: dict[UUID, list[Proof]], keys: dict[UUID, list[str]]
) -> None:
    """The messages by which notices were given, as sent, and the letters."""
    wanted = {duty.id: duty for duty in duties if duty.performed_by is PerformedBy.NOTICE}
    places = {(duty.case_id, duty.agreement_id) for duty in wanted.values()}
    if not places:
        return
    of_agreement = (
        select(Notice)
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .where(col(Notice.case_id).in_({case for case, _ in places}))
        .where(col(Duty.agreement_id).in_({agreement for _, agreement in places}))
    )
    notices = {notice.id: notice for notice in session.exec(of_agreement.order_by(col(Notice.composed_at)))}
    deliveries = session.exec(
        select(Delivery)
        .where(col(Delivery.notice_id).in_(notices), col(Delivery.status).in_(ARRIVED))
        .order_by(col(Delivery.is_copy), col(Delivery.reserved_at), col(Delivery.id))
    )
    for delivery in deliveries:
        notice = notices[delivery.notice_id]
        for duty_id in (one for one in performed_duties(notice) if one in wanted):
            says = f"{notice.kind} as sent{' to a copied contact' if delivery.is_copy else ''}"
            link = f"/cases/{notice.case_id}/messages/{delivery.message_sha256}"
            if all(link != proof.link for proof in found[duty_id]):  # a copy is often the same message
                found[duty_id].append(Proof(says=says, link=link))
            own = duty_id == notice.duty_id
            kind, about = (NoticeGiven.kind, "") if own else (FurtherDutyPerformed.kind, f":{duty_id}")
            keys[duty_id].append(f"{kind}:{delivery.id}:{delivery.attempts}{about}")
    letters = session.exec(
        select(PostalLetter).where(
            col(PostalLetter.notice_id).in_(notices), col(PostalLetter.took_effect_at).is_not(None)
        )
    )
    for letter in letters:
        assert letter.took_effect_at, "only these were asked for"
        notice = notices[letter.notice_id]
        for duty_id in (one for one in performed_duties(notice) if one in wanted):
            link = f"/post?case={letter.case_id}#letter-{letter.id}"
            found[duty_id].append(Proof(says="the letter that was posted", link=link))
            kind = LetterTookEffect.kind.replace("_", "-")
            keys[duty_id].append(f"{kind}:{letter.id}:{letter.took_effect_at.isoformat()}")


def _of_holders(
    session: Session, duties: Sequence[Duty], found: dict[UUID, list[Proof]], keys: dict[UUID, list[str]]
) -> None:
    """The certificates of holders of the data, and the confirmation that was written of them."""
    wanted = {(duty.case_id, duty.agreement_id): duty for duty in duties if _is_confirmed(duty)}
    if not wanted:
        return
    cases = {case for case, _ in wanted}
    answers = session.exec(
        select(HolderAnswer.id, HolderTask.case_id, HolderTask.agreement_id)
        .join(HolderTask, col(HolderTask.id) == col(HolderAnswer.task_id))
        .where(col(HolderAnswer.case_id).in_(cases), HolderAnswer.kind == HolderAnswerKind.CERTIFICATE)
        .where(col(HolderAnswer.superseded_at).is_(None))
        .order_by(col(HolderAnswer.given_at))
    )
    for answer, case_id, agreement_id in answers:
        if duty := wanted.get((case_id, agreement_id)):
            keys[duty.id].append(f"{HolderAnswered.kind.replace('_', '-')}:{answer}")
    documents = session.exec(
        select(CaseDocument).where(col(CaseDocument.case_id).in_(cases), CaseDocument.added_by == ENGINE)
    )
    for document in documents:
        duty = wanted.get((document.case_id, document.agreement_id)) if document.agreement_id else None
        if duty:
            keys[duty.id].append(f"{HoldersConfirmed.kind.replace('_', '-')}:{document.id}")
            link = f"/cases/{document.case_id}/documents/{document.id}"
            found[duty.id].append(Proof(says="the confirmation of all holders", link=link))


def _is_confirmed(duty: Duty) -> bool:
    return duty.performed_by is PerformedBy.CONFIRMATION and duty.performed_at is not None


def _of_acts(session: Session, duties: Sequence[Duty]) -> Iterator[tuple[UUID, UUID, int, str]]:
    """The acts that name duties as performed, of those of which no other entry says so."""
    if not duties:
        return
    cases = {duty.case_id for duty in duties}
    acts = session.exec(
        select(CaseAct.id).where(col(CaseAct.case_id).in_(cases)).order_by(col(CaseAct.at).desc()).limit(MOST_ACTS)
    ).all()
    for some in parts([f"{ActRecorded.kind}:{act}" for act in acts], _KEYS_A_QUERY):
        for entry in session.exec(select(EvidenceEntry).where(_has_one_of(some))):
            said = json.dumps(entry.body)
            for duty in duties:
                if str(duty.id) in said:
                    yield duty.id, duty.case_id, entry.number, entry.kind


def _has_one_of(keys: Iterable[str]) -> ColumnElement[bool]:
    """That an entry has one of some keys."""
    return col(EvidenceEntry.key_digest).in_(map(key_digest, keys))


def _entries(session: Session, keys: Iterable[str]) -> dict[str, tuple[int, str]]:
    """The numbers and kinds of the entries of these keys."""
    wanted = list(dict.fromkeys(keys))
    found: dict[str, tuple[int, str]] = {}
    for some in parts(wanted, _KEYS_A_QUERY):
        rows = session.exec(
            select(EvidenceEntry.key, EvidenceEntry.number, EvidenceEntry.kind).where(_has_one_of(some))
        )
        found |= {key: (number, kind) for key, number, kind in rows}
    return found
