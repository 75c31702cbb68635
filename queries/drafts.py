"""The drafts of a case: what each recipient would be told if its notice left now, and what differs between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from functools import cached_property
from uuid import UUID

from sqlalchemy import true
from sqlmodel import Session, col, select

from agreements.due_dates import read_due_dates
from cases.acts import Release
from config.database import Database
from mail.compose import ComposedNotice, compose
from mail.facts import TO_FOLLOW, Mailbox
from models.enums import BatchStatus, NoticeKind
from models.errors import NotFound, Refused
from models.grouping import grouped
from models.identifiers import sha256_hex
from models.tables import Agreement, Batch, CaseAnchor, Duty, LawEnforcementHold, Notice
from models.view import View
from records.acts import released_batches
from records.documents_at_hand import documents_at_hand
from records.notices import NOT_BEGUN
from records.outbox import DraftedNotice, NoticeWriter
from records.scope import require_case
from records.together import falling_together
from records.withholding import kept_by_two, lapse_of


class DraftRow(View):
    """One draft among others: whose it is, to whom it goes and to whom in copy; ``to`` is None where nobody is left."""

    notice_id: UUID
    lea_name: str
    reference: str
    to: str | None = None
    copies: tuple[str, ...] = ()


class DraftGroup(View):
    """Drafts that differ in nothing but names: of the party told, its contacts and its agreement.

    ``lapses_at`` is when those that one person withheld leave nevertheless.

    ``places`` are the forms and states of their agreements; ``first`` is the first of the group by name, ``lacking``
    what it says will follow, and ``differences`` count where it differs from the first group under the same clause.
    """

    clause: str
    title: str
    kind: NoticeKind
    withheld: bool
    due_at: datetime | None
    leaves_at: datetime
    lapses_at: datetime | None
    places: tuple[str, ...]
    recipients: int
    first: DraftRow
    lacking: tuple[str, ...]
    differences: int


class Leaving(View):
    """What a release would let go: how many notices under one clause, in all and of those that are withheld."""

    clause: str
    title: str
    waiting: int
    withheld: int


class Difference(View):
    """A passage that two drafts do not share: as it is in the one, and as it is in the other."""

    here: str
    there: str


class DraftView(View):
    """One draft, as its recipient would see it but for its link.

    ``also`` are the titles of the further duties that the same message performs; ``mark`` names what was read, for
    the release that follows; ``group`` counts the drafts that differ in nothing but names. ``subject`` and the bodies
    are blank where nobody is left who could be told.
    """

    notice_id: UUID
    clause: str
    title: str
    kind: NoticeKind
    withheld: bool
    due_at: datetime | None
    leaves_at: datetime
    lapses_at: datetime | None
    row: DraftRow
    sender: str
    subject: str
    text: str
    html: str
    also: tuple[str, ...]
    lacking: tuple[str, ...]
    elements: tuple[str, ...]
    group: int
    mark: str


@dataclass(frozen=True)
class _Waiting:
    """One notice that waits or is withheld."""

    notice: Notice
    batch: Batch
    duty: Duty
    agreement: Agreement

    @property
    def place(self) -> str:
        return f"{self.agreement.form} in {self.agreement.state}"


class Drafts:
    """The drafts of one case, all read at one moment; or ``only`` the one of a notice, where no other matters.

    Raises:
        NotFound: there is no such case.
    """

    def __init__(
        self, session: Session, writer: NoticeWriter, case_id: UUID, now: datetime, *, only: UUID | None = None
    ) -> None:
        require_case(session, case_id)
        self._session = session
        self._writer = writer
        self._case_id = case_id
        self._now = now
        self._all = _waiting(session, case_id, only)
        self._due_dates = read_due_dates(session, {each.batch.due_date_id for each in self._all})
        self._titles = {due.clause: due.title for due in self._due_dates.values()}
        self._composed: dict[UUID, _Composed | None] = {}
        self._by_two = kept_by_two(session, case_id)

    def leaving(self) -> tuple[Leaving, ...]:
        """How many notices wait and are withheld, clause by clause."""
        by_clause = grouped(self._all, lambda each: each.batch.clause)
        return tuple(
            Leaving(
                clause=clause,
                title=self._titles[clause],
                waiting=sum(each.batch.status is BatchStatus.WAITING for each in by_clause[clause]),
                withheld=sum(each.batch.status is BatchStatus.WITHHELD for each in by_clause[clause]),
            )
            for clause in sorted(by_clause)
        )

    def groups(self, offset: int, limit: int) -> tuple[tuple[DraftGroup, ...], int]:
        """Some of the groups of drafts, what is due first before the others, and how many there are."""
        shown = self._groups[offset : offset + limit]
        firsts = {each.notice.id: each for group in shown for each in (group[0], self._first_under(group[0]))}
        composed = self._compose(tuple(firsts.values()))
        return tuple(self._group(group, composed) for group in shown), len(self._groups)

    def draft(self, notice_id: UUID) -> DraftView:
        """One draft.

        Raises:
            NotFound: it does not wait, or not any more.
        """
        each = self._named(notice_id)
        composed = self._compose([each])[notice_id]
        mail = composed.mail if composed else None
        return DraftView(
            **self._about(each),
            notice_id=notice_id,
            row=_row(each, composed),
            sender=_shown(self._writer.sender),
            subject=mail.subject if mail else "",
            text=mail.text if mail else "",
            html=mail.html if mail else "",
            also=tuple(self._titles.get(clause, clause) for clause in composed.also) if composed else (),
            lacking=composed.lacking if composed else (),
            elements=composed.elements if composed else (),
            group=len(self._group_of(each)),
            mark=self.mark(notice_id),
        )

    def mail(self, notice_id: UUID) -> bytes:
        """One draft as a message (RFC 5322).

        Raises:
            NotFound: it does not wait, or not any more.
            Refused: nobody is left who could be told.
        """
        return self._mail_of(notice_id).mail.raw

    def drafted(self, notice_id: UUID) -> DraftedNotice:
        """What one draft says and to whom.

        Raises:
            NotFound: it does not wait, or not any more.
            Refused: nobody is left who could be told.
        """
        return self._mail_of(notice_id).drafted

    def alike(self, notice_id: UUID, offset: int, limit: int) -> tuple[tuple[DraftRow, ...], int]:
        """Some of the drafts in the group of one, each with its recipients, by name, and how many there are."""
        group = self._group_of(self._named(notice_id))
        shown = group[offset : offset + limit]
        composed = self._compose(shown)
        return tuple(_row(each, composed[each.notice.id]) for each in shown), len(group)

    def compared_with(self, notice_id: UUID) -> DraftRow | None:
        """The draft with which one is compared: another of its group, or the first of another group of its sort."""
        each = self._named(notice_id)
        candidates = (
            *self._group_of(each)[:2],
            *(group[0] for group in self._groups if _sort(group[0]) == _sort(each)),
        )
        other = next((one for one in candidates if one.notice.id != notice_id), None)
        return _row(other, None) if other else None

    def differences(self, notice_id: UUID, other_id: UUID) -> tuple[Difference, ...]:
        """The passages in which one draft differs from another, in order."""
        composed = self._compose([self._named(notice_id), self._named(other_id)])
        here, there = composed[notice_id], composed[other_id]
        return _differences(here.mail.text, there.mail.text) if here and there else ()

    def mark(self, notice_id: UUID) -> str:
        """What names a draft as it was read: its notice, and a digest of what it says and of who would be told.

        Whatever changes it gives another one; the passing of time alone does not.
        """
        each = self._named(notice_id)
        drafted = next(self._writer.drafts(self._session, self._rows([each]), each.batch.planned_at), None)
        said = f"{drafted.facts.model_dump_json()}{_told(drafted)}" if drafted else ""
        return f"{notice_id}.{sha256_hex(said.encode())[:16]}"

    def _mail_of(self, notice_id: UUID) -> _Composed:
        found = self._compose([self._named(notice_id)])[notice_id]
        if found is None:
            raise Refused(
                "Nobody is left who could be told by this notice.",
                next_step="Give the agreement a contact who may receive it.",
            )
        return found

    def _named(self, notice_id: UUID) -> _Waiting:
        found = next((each for each in self._all if each.notice.id == notice_id), None)
        if found is None:
            raise NotFound(
                "No such draft waits in this case: it has left, or no longer stands.",
                next_step="Look at the case's drafts as they are now.",
            )
        return found

    @cached_property
    def _groups(self) -> list[list[_Waiting]]:
        own_dates = _agreements_with(self._session, CaseAnchor, self._case_id)
        own_holds = _agreements_with(self._session, LawEnforcementHold, self._case_id)
        told = set(
            self._session.exec(
                select(Duty.agreement_id)
                .join(Notice, col(Notice.duty_id) == col(Duty.id))
                .where(Notice.case_id == self._case_id, col(Notice.given_at).is_not(None))
            )
        )
        at_hand = documents_at_hand(self._session, self._case_id)
        together: dict[UUID, set[tuple[str, str, str]]] = defaultdict(set)
        for each in self._all:
            together[each.agreement.id].add((each.batch.clause, each.batch.status, each.batch.due_date_id))
        groups: dict[tuple[object, ...], list[_Waiting]] = defaultdict(list)
        for each in self._all:
            agreement = each.agreement.id
            key = (
                each.batch.clause,
                each.batch.kind,
                each.batch.status,
                each.batch.due_date_id,
                each.agreement.form,
                each.agreement.state,
                tuple(each.duty.lacking),
                at_hand.of(agreement),
                frozenset(together[agreement]),
                agreement in told,
                agreement if agreement in own_dates | own_holds else None,
            )
            groups[key].append(each)
        return sorted(groups.values(), key=lambda group: (group[0].batch.leaves_at, group[0].batch.clause))

    def _group_of(self, each: _Waiting) -> list[_Waiting]:
        return self._group_by_notice[each.notice.id]

    @cached_property
    def _group_by_notice(self) -> dict[UUID, list[_Waiting]]:
        return {each.notice.id: group for group in self._groups for each in group}

    def _first_under(self, each: _Waiting) -> _Waiting:
        """The first draft of the same sort under the same clause."""
        return next(group[0] for group in self._groups if _sort(group[0]) == _sort(each))

    def _group(self, group: list[_Waiting], composed: dict[UUID, _Composed | None]) -> DraftGroup:
        each = group[0]
        here, there = composed[each.notice.id], composed[self._first_under(each).notice.id]
        return DraftGroup(
            **self._about(each),
            places=tuple(sorted({one.place for one in group})),
            recipients=len(group),
            first=_row(each, here),
            lacking=here.lacking if here else (),
            differences=len(_differences(here.mail.text, there.mail.text)) if here and there else 0,
        )

    def _about(self, each: _Waiting) -> dict[str, object]:
        """What a draft and its group say alike."""
        due_date = self._due_dates[each.batch.due_date_id]
        return {
            "clause": each.batch.clause,
            "title": due_date.title,
            "kind": each.batch.kind,
            "withheld": each.batch.status is BatchStatus.WITHHELD,
            "due_at": due_date.due_at if each.batch.kind is NoticeKind.NOTICE else None,
            "leaves_at": each.batch.leaves_at,
            "lapses_at": lapse_of(each.batch, self._by_two),
        }

    def _rows(self, some: Sequence[_Waiting]) -> list[tuple[Notice, Duty, Agreement]]:
        """Some notices as they would be sent now: each with all the duties that its message would perform."""
        further = falling_together(self._session, self._case_id, [each.notice.id for each in some]).further
        return [
            (
                Notice(
                    id=each.notice.id,
                    batch_id=each.batch.id,
                    duty_id=each.duty.id,
                    case_id=self._case_id,
                    kind=each.batch.kind,
                    also_performs=further.get(each.notice.id, each.notice.also_performs),
                ),
                each.duty,
                each.agreement,
            )
            for each in some
        ]

    def _compose(self, some: Sequence[_Waiting]) -> dict[UUID, _Composed | None]:
        new = [each for each in some if each.notice.id not in self._composed]
        drafts = {draft.notice_id: draft for draft in self._writer.drafts(self._session, self._rows(new), self._now)}
        for each in new:
            drafted = drafts.get(each.notice.id)
            mail = compose(drafted.facts, drafted.addressing, templates=self._writer.templates) if drafted else None
            self._composed[each.notice.id] = _Composed(drafted, mail) if drafted and mail else None
        return {each.notice.id: self._composed[each.notice.id] for each in some}


@dataclass(frozen=True)
class _Composed:
    """A draft as a message."""

    drafted: DraftedNotice
    mail: ComposedNotice

    @property
    def lacking(self) -> tuple[str, ...]:
        """The labels of what it says will follow."""
        return tuple(element.label for element in self.drafted.facts.elements if element.status in TO_FOLLOW)

    @property
    def elements(self) -> tuple[str, ...]:
        """The content elements that it tells, or says will follow."""
        return tuple(element.id for element in self.drafted.facts.elements)

    @property
    def also(self) -> tuple[str, ...]:
        """The clauses that it is given under, besides the one whose words it has."""
        return tuple(clause.id for clause in self.drafted.facts.clauses[1:])


def read_drafts(
    database: Database, writer: NoticeWriter, case_id: UUID, now: datetime, *, offset: int, limit: int
) -> tuple[tuple[DraftGroup, ...], int]:
    """Some of the groups of a case's drafts, and how many there are.

    Raises:
        NotFound: there is no such case.
    """
    with database.reading() as session:
        return Drafts(session, writer, case_id, now).groups(offset, limit)


def read_draft(database: Database, writer: NoticeWriter, case_id: UUID, notice_id: UUID, now: datetime) -> DraftView:
    """One draft, as its recipient would see it but for its link.

    Raises:
        NotFound: there is no such case, or the draft does not wait in it.
    """
    with database.reading() as session:
        return Drafts(session, writer, case_id, now).draft(notice_id)


def check_read(session: Session, writer: NoticeWriter, case_id: UUID, release: Release, now: datetime) -> None:
    """Return where a release was decided with its drafts seen, or knowingly without; nothing is written.

    Where nothing would leave, the case itself says so.

    Raises:
        Refused: no draft of what it releases was opened and nobody says so, or the one read has changed since.
    """
    batches = session.exec(select(Batch).where(*released_batches(case_id, release))).all()
    if release.unread or not batches:
        return
    if release.read is None:
        raise Refused(
            f"{_how_many(batches)}. No draft of them was opened.",
            where="unread",
            next_step="Open a draft and release from its page, or release them unread, knowingly.",
        )
    try:
        notice_id = UUID(release.read.partition(".")[0])
        mark = Drafts(session, writer, case_id, now, only=notice_id).mark(notice_id)
        batch_id = session.get_one(Notice, notice_id).batch_id
    except (NotFound, ValueError):
        mark, batch_id = None, None
    if mark != release.read or batch_id not in {batch.id for batch in batches}:
        raise Refused(
            "The draft that was read is not what would leave now: it has changed since, or is not among these.",
            where="read",
            next_step="Read it as it is now, then release it.",
        )


def _how_many(batches: Sequence[Batch]) -> str:
    """How many notices would leave, and under which clauses."""
    sizes: dict[str, int] = defaultdict(int)
    for batch in batches:
        sizes[batch.clause] += batch.size
    total = sum(sizes.values())
    listed = ", ".join(f"{size:,} under {clause}" for clause, size in sorted(sizes.items()))
    return f"{total:,} notice{' would' if total == 1 else 's would'} leave at once: {listed}"


def _waiting(session: Session, case_id: UUID, only: UUID | None) -> list[_Waiting]:
    """The notices that wait for a decision, by the name of whoever is told; one that is released is on its way."""
    rows = session.exec(
        select(Notice, Batch, Duty, Agreement)
        .join(Batch, col(Batch.id) == col(Notice.batch_id))
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
        .where(Notice.case_id == case_id, col(Notice.dropped).is_(False), col(Notice.given_at).is_(None))
        .where(col(Batch.status).in_(NOT_BEGUN), col(Batch.released_by).is_(None))
        .where(true() if only is None else col(Notice.id) == only)
        .order_by(col(Agreement.lea_name), col(Notice.id))
    )
    return [_Waiting(*row) for row in rows]


def _agreements_with(
    session: Session, table: type[CaseAnchor] | type[LawEnforcementHold], case_id: UUID
) -> frozenset[UUID]:
    """The agreements of a case that have a dated fact, or a hold, of their own."""
    found = session.exec(select(table.agreement_id).where(table.case_id == case_id).distinct())
    return frozenset(agreement for agreement in found if agreement is not None)


def _sort(each: _Waiting) -> tuple[str, NoticeKind]:
    return each.batch.clause, each.batch.kind


def _row(each: _Waiting, composed: _Composed | None) -> DraftRow:
    addressing = composed.drafted.addressing if composed else None
    by_post = composed.drafted.by_post if composed else None
    return DraftRow(
        notice_id=each.notice.id,
        lea_name=each.agreement.lea_name,
        reference=each.agreement.reference,
        to=f"{by_post.name}, by post" if by_post else _shown(addressing.to[0]) if addressing else None,
        copies=tuple(_shown(copy) for copy in addressing.copies) if addressing else (),
    )


def _shown(mailbox: Mailbox) -> str:
    return f"{mailbox.name} <{mailbox.email}>" if mailbox.name else mailbox.email


def _told(drafted: DraftedNotice) -> str:
    addressing, by_post = drafted.addressing, drafted.by_post
    if by_post:
        return f"{by_post.name}\n{by_post.postal_address}"
    return "\n".join(mailbox.email for mailbox in (*addressing.to, *addressing.copies))


def _differences(here: str, there: str) -> tuple[Difference, ...]:
    """The passages in which two texts differ; how their lines are broken is no difference."""
    ours, theirs = _passages(here), _passages(there)
    changes = SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes()
    return tuple(
        Difference(here="\n".join(ours[first:last]), there="\n".join(theirs[start:end]))
        for operation, first, last, start, end in changes
        if operation != "equal"
    )


def _passages(text: str) -> list[str]:
    return [" ".join(passage.split()) for passage in text.split("\n\n") if passage.strip()]
