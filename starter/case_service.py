"""Opening cases and doing acts in them, for the command line, the web and rehearsals alike.

An act is checked for what only SQL knows and sent to its case's workflow as the update of its name; the workflow
records it before it believes it. A refusal leaves nothing behind, wherever it comes from: what a person gave with the
act is let go of again. Only of a file that is refused there is evidence, with its SHA-256 and the reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID, uuid4, uuid5

from pydantic import TypeAdapter, ValidationError
from sqlmodel import Session, col, select
from temporalio.client import (
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.contracts import from_refusal
from activities.letters import LetterSender
from cases.acts import Act, AnswerQuestion, Release, TakeAct, TellOverdue
from cases.intake import Intake, check_intake
from cases.kind import Kind
from cases.kinds import KINDS, kind_named
from cases.messages import RecordAct
from cases.plausibility import Doubt, dates_of_act, require_meant
from cases.rules import check
from cases.state import CaseState, CaseSummary
from cases.values import Actor
from config.logging import get_logger
from models import identifiers
from models.enums import Authentication
from models.errors import DuenoticeError, InvalidInput, Refused, Unavailable
from models.tables import Case, CaseAct
from queries.consequences import Consequences, Foresight
from queries.doubts import doubts_of_act, doubts_of_intake
from queries.drafts import check_read
from queries.previews import LetterPreview, preview_overdue
from records.acts import record_act
from records.erased import refuse_erased
from records.intake import keep_intake, prepare
from records.keeping import disposals_kept_back
from records.preparing import check_files, complete, keep, let_go, note_refused_files
from records.restore import known_state
from records.scope import require_case
from records.summary import summarise
from starter.resources import Resources, utc_now
from starter.start import intake_namer, notice_policy, start_case
from starter.writing import mail_sender, mail_transport, notice_writer

_log = get_logger("case_service")

FIRST_EFFECT = timedelta(seconds=1)
"""How long after an act was sent its answer still waits for duties to be computed; later, it says that they are not."""

FIRST_SEND = timedelta(seconds=10)
"""How long whoever writes a letter waits for it to be handed over."""

LOOK_AGAIN = timedelta(milliseconds=20)

IF_RESTORED = (
    "If the case's page says otherwise once it is reloaded, the database was restored from a copy: have an "
    "administrator run `duenotice restored`."
)
"""What to do where a case's clock knows what the database does not, as after a restore that took back its last acts."""


@dataclass(frozen=True)
class OpenedCase:
    """The case that an intake led to; ``existed`` if the same was reported before.

    ``clocks_run`` is False while Temporal does not answer: the case is kept, and its clocks start when it does.
    """

    case_id: UUID
    existed: bool
    clocks_run: bool


@dataclass(frozen=True)
class TakenAct:
    """An act that was recorded: ``made_id`` is what it made (a proposal, a hold), ``summary`` how the case stands."""

    act_id: UUID
    made_id: UUID | None
    summary: CaseSummary


@dataclass(frozen=True)
class Checked:
    """What a person checks before something is recorded: what would follow, and which dates are hardly meant.

    ``letter`` is what would be sent, where the act is to send one.
    """

    foreseen: Consequences
    doubts: tuple[InvalidInput, ...]
    letter: LetterPreview | None = None


class CaseService:
    """Where cases are opened and acts on them carried out."""

    def __init__(self, resources: Resources, clock: Callable[[], datetime] = utc_now) -> None:
        self.resources = resources
        self.clock = clock
        self._database = resources.database
        self._under_way: set[asyncio.Task[None]] = set()

    async def open_case(
        self,
        kind: Kind,
        intake: Intake,
        *,
        actor: str,
        authenticated: Authentication | None = None,
        dates_confirmed: bool = False,
        from_outside: bool = False,
    ) -> OpenedCase:
        """Keep what was reported and start its case; the same again leads to the same case.

        ``dates_confirmed`` is whether a person said that dates are meant which hardly are.

        Raises:
            InvalidFields: it cannot be acted on; each problem names its field.
            DoubtfulDates: a date is hardly meant, and nobody has confirmed it.
            InvalidInput: the actor's name cannot be kept in evidence.
        """
        now = self.clock()
        check_intake(intake, now)
        check_actor(actor)
        async with self._noting_refused_files(kind, intake, actor):
            case_id, existed = await asyncio.to_thread(
                self._keep_intake, kind, intake, actor, authenticated, now, dates_confirmed, from_outside
            )
        opened = OpenedCase(case_id, existed, await self.start(case_id))
        for disposal in await asyncio.to_thread(self._kept_back, case_id):
            await self.look_again(disposal)
        return opened

    async def check_opening(self, kind: Kind, intake: Intake, *, actor: str) -> Checked:
        """What would follow if a case were opened now; nothing is written but that a file was refused.

        Raises:
            InvalidFields: it cannot be acted on; each problem names its field.
        """
        now = self.clock()
        check_intake(intake, now)
        case_id = identifiers.case_id(kind.name, digest_of(self.resources, intake))

        side = self.resources.settings.side

        def foresee() -> Checked:
            with self._database.reading() as session:
                known = session.get(Case, case_id) is not None
                doubtful = doubts_of_intake(session, kind, intake, now, known=known)
                further = () if known else prepare(session, kind, intake, now, side)
                foreseen = foresight(self.resources, now).of_intake(session, kind, intake, further)
                return Checked(foreseen, tuple(doubt.problem for doubt in doubtful))

        async with self._noting_refused_files(kind, intake, actor):
            return await asyncio.to_thread(foresee)

    async def check_act(self, case_id: UUID, act: Act, *, actor: str) -> Checked:
        """What would follow if an act were done in a case now; nothing is written.

        Raises: as ``take``, but for ``DoubtfulDates`` and ``Unavailable``.
        """
        return await asyncio.to_thread(self._check_act, case_id, act, actor)

    async def take(
        self,
        case_id: UUID,
        act: Act,
        *,
        actor: str,
        authenticated: Authentication | None = None,
        sent_as: UUID | None = None,
        dates_confirmed: bool = False,
    ) -> TakenAct:
        """Do an act in a case. ``sent_as`` names the sending: the same act sent again under it is still done once.

        ``dates_confirmed`` is whether a person said that dates are meant which hardly are.

        Another act under the same name is another act: nobody is told that something was done which was not.
        ``authenticated`` is how it was shown who acts.

        Raises:
            NotFound: there is no such case.
            InvalidInput: something in it cannot be used; ``where`` names the field.
            DoubtfulDates: a date is hardly meant, and nobody has confirmed it.
            Refused: it makes no sense in the case's present state.
            Unavailable: Temporal does not answer.
        """
        check_actor(actor)
        until = monotonic() + FIRST_EFFECT.total_seconds()
        act_id = _act_id(sent_as or uuid4(), case_id, act, actor)
        message = TakeAct(act=act, actor=actor, act_id=act_id, authenticated=authenticated)
        kind, known = await asyncio.to_thread(self._find, case_id, message.act_id)
        _check_known(kind, act)
        if not known and not act.keeps_clocks:
            async with self._noting_refused_files(kind, act, actor, case_id):
                reopened = await asyncio.to_thread(self._record, kind, case_id, message)
            await self._see_to_mail(act)
            if reopened:
                await self.start(case_id)
            if act.tells_case:
                await self.look_again(case_id)
        elif not known:
            async with self._noting_refused_files(kind, act, actor, case_id):
                completed, doubtful = await asyncio.to_thread(self._complete, case_id, act)
                meant = require_meant(doubtful, confirmed=dates_confirmed)
                message = message.model_copy(update={"act": completed, "dates_confirmed": meant})
                await self._send(kind, case_id, message)
        summary = await (
            self._summary(kind, case_id, until)
            if act.keeps_clocks
            else asyncio.to_thread(self._stored_summary, case_id)
        )
        return TakenAct(message.act_id, message.made_id if act.makes else None, summary)

    async def look_again(self, case_id: UUID) -> None:
        """Tell a case that SQL holds something new for it, such as a document.

        A case that is closed keeps it all the same; one that cannot be reached now is told by the watchdog.
        """
        kind, _ = await asyncio.to_thread(self._find, case_id, case_id)
        try:
            await self._handle(kind, case_id).signal("look_again")
        except RPCError as error:
            _log.info("case not told", case_id=str(case_id), status=error.status.name)

    async def start_unstarted_cases(self) -> int:
        """Start the workflow of every reported case that has none yet; return how many were started."""
        unstarted = await asyncio.to_thread(self._unstarted)
        started = [await self.start(case_id) for case_id in unstarted]
        return sum(started)

    def _record(self, kind: Kind, case_id: UUID, message: TakeAct) -> bool:
        """Record an act that no clock hears of, in one transaction: nothing of it is left where it is refused.

        Returns whether it reopened the case, so that its clocks are to be started again.
        """
        now = self.clock()
        with self._database.writing() as session:
            case = require_case(session, case_id)
            was_closed = case.closed_at is not None
            refuse_erased(session, case_id)
            check(kind, message, self._known(session, case), now)
            check_files(message.act)
            keep(session, case_id, message.act, now)
            recorded = RecordAct(case_id=case_id, at=now, **dict(message))
            record_act(session, self.resources.catalogue, recorded, self.resources.settings.side)
            return was_closed and case.closed_at is None

    async def _see_to_mail(self, act: Act) -> None:
        """Hand over the letter that an act is about, without making anybody wait for a slow mail server.

        What does not leave now, the watchdog's sweep sees to.
        """
        if isinstance(act, AnswerQuestion | TellOverdue):
            task = asyncio.create_task(self._send_letters())
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
            await asyncio.wait({task}, timeout=FIRST_SEND.total_seconds())

    async def _send_letters(self) -> None:
        settings = self.resources.settings
        writer = notice_writer(settings, self.resources.keyring)
        try:
            async with mail_transport(settings) as transport:
                sender = mail_sender(settings, self.resources.keyring, self._database, transport)
                letters = LetterSender(self._database, sender, writer, unknown_resends=settings.unknown_resends)
                await letters.send_due(self.clock)
        except DuenoticeError as error:
            _log.warning("letters not sent", code=error.code)

    @asynccontextmanager
    async def _noting_refused_files(
        self, kind: Kind, given: Intake | Act, actor: str, case_id: UUID | None = None
    ) -> AsyncIterator[None]:
        """Leave evidence of a file that is refused in what follows, in a transaction of its own."""

        def note(error: InvalidInput) -> None:
            with self._database.writing() as session:
                note_refused_files(session, kind, given, error, actor=actor, now=self.clock(), case=case_id)

        try:
            yield
        except InvalidInput as error:
            await asyncio.to_thread(note, error)
            raise

    async def _send(self, kind: Kind, case_id: UUID, message: TakeAct) -> None:
        handle = self._handle(kind, case_id)
        try:
            await asyncio.to_thread(self._keep, case_id, message.act)
            await handle.execute_update(message.act.act, message, id=str(message.act_id), result_type=CaseSummary)
        except WorkflowUpdateFailedError as error:
            await asyncio.to_thread(self._let_go, message.act)
            refused = _refusal(error.cause)
            if await asyncio.to_thread(self._would_take, kind, case_id, message):
                refused.next_step = " ".join(filter(None, (refused.next_step, IF_RESTORED)))
            raise refused from error
        except WorkflowUpdateRPCTimeoutOrCancelledError as error:
            raise _unanswered() from error
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise _unanswered() from error
            await asyncio.to_thread(self._let_go, message.act)
            raise await asyncio.to_thread(self._absent, case_id) from error

    def _absent(self, case_id: UUID) -> DuenoticeError:
        """Why Temporal knows no workflow of a case: it is closed, or its clocks do not run although it is open."""
        with self._database.reading() as session:
            if require_case(session, case_id).closed_at:
                return Refused(
                    f"Case {case_id} is closed, so nothing can be done in it.",
                    next_step="What comes after its end is a matter of its own: open a case for it.",
                )
        return Unavailable(
            f"The clocks of case {case_id} do not run: Temporal knows no workflow of it, so nothing was recorded.",
            next_step="It has not started yet, or was lost. The watchdog starts it from what the database holds, every "
            f"{self.resources.settings.watchdog_minutes} minutes: do this again then.",
        )

    async def _summary(self, kind: Kind, case_id: UUID, until: float) -> CaseSummary:
        """How the case stands once duties are computed, or with what is computed by then."""
        try:
            while True:
                summary: CaseSummary = await self._handle(kind, case_id).query("summary", result_type=CaseSummary)
                if not summary.computing or monotonic() > until:
                    return summary
                await asyncio.sleep(LOOK_AGAIN.total_seconds())
        except (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError):
            return await asyncio.to_thread(self._stored_summary, case_id)

    def _handle(self, kind: Kind, case_id: UUID) -> WorkflowHandle[Any, Any]:
        return self.resources.client.get_workflow_handle(identifiers.workflow_id(kind.name, case_id))

    def _find(self, case_id: UUID, act_id: UUID) -> tuple[Kind, bool]:
        """The kind of a case, and whether an act of this id is recorded in it."""
        with self._database.reading() as session:
            case = require_case(session, case_id)
            return kind_named(case.kind), session.get(CaseAct, act_id) is not None

    def _complete(self, case_id: UUID, act: Act) -> tuple[Act, tuple[Doubt, ...]]:
        """The act with everything that SQL knows of what it names, and which of its dates are hardly meant.

        A release is one of drafts that were read, or says that none was.
        """
        now = self.clock()
        with self._database.reading() as session:
            case = session.get_one(Case, case_id)
            completed = complete(session, case, act)
            if isinstance(completed, Release):
                writer = notice_writer(self.resources.settings, self.resources.keyring)
                check_read(session, writer, case_id, completed, now)
            return completed, doubts_of_act(session, case, act, now)

    def _check_act(self, case_id: UUID, act: Act, actor: str) -> Checked:
        now = self.clock()
        with self._database.reading() as session:
            case = require_case(session, case_id)
            kind = kind_named(case.kind)
            _check_known(kind, act)
            completed = complete(session, case, act)
            check(kind, TakeAct(act=completed, actor=actor, act_id=uuid4()), self._known(session, case), now)
            doubtful = doubts_of_act(session, case, completed, now)
            foreseen = foresight(self.resources, now).of_act(session, case, completed, dates_of_act(kind, completed))
            letter = self._letter(session, case_id, completed, now)
        return Checked(foreseen, tuple(doubt.problem for doubt in doubtful), letter)

    def _known(self, session: Session, case: Case) -> CaseState:
        return known_state(session, case, notice_policy(self.resources.settings))

    def _would_take(self, kind: Kind, case_id: UUID, message: TakeAct) -> bool:
        """Whether the act makes sense by what SQL knows: what a workflow believes, SQL was told before."""
        with self._database.reading() as session:
            state = self._known(session, require_case(session, case_id))
        try:
            check(kind, message, state, self.clock())
        except DuenoticeError:
            return False
        return True

    def _letter(self, session: Session, case_id: UUID, act: Act, now: datetime) -> LetterPreview | None:
        """The letter that an act would send."""
        if not isinstance(act, TellOverdue):
            return None
        return preview_overdue(
            session, notice_writer(self.resources.settings, self.resources.keyring), case_id, act, now
        )

    def _keep(self, case_id: UUID, act: Act) -> None:
        with self._database.writing() as session:
            keep(session, case_id, act, self.clock())

    def _let_go(self, act: Act) -> None:
        with self._database.writing() as session:
            let_go(session, act)

    def _stored_summary(self, case_id: UUID) -> CaseSummary:
        with self._database.reading() as session:
            return summarise(session, case_id)

    def _unstarted(self) -> list[UUID]:
        with self._database.reading() as session:
            known = col(Case.kind).in_(KINDS)
            return list(session.exec(select(Case.id).where(col(Case.workflow_started_at).is_(None), known)))

    def _keep_intake(
        self,
        kind: Kind,
        intake: Intake,
        actor: str,
        authenticated: Authentication | None,
        now: datetime,
        dates_confirmed: bool,
        from_outside: bool,
    ) -> tuple[UUID, bool]:
        digest = digest_of(self.resources, intake)
        with self._database.writing() as session:
            known = session.get(Case, identifiers.case_id(kind.name, digest)) is not None
            doubtful = doubts_of_intake(session, kind, intake, now, known=known)
            meant = require_meant(doubtful, confirmed=dates_confirmed)
            return keep_intake(
                session,
                kind,
                intake,
                digest,
                actor=actor,
                now=now,
                dates_confirmed=meant,
                authenticated=authenticated,
                from_outside=from_outside,
                side=self.resources.settings.side,
            )

    def _kept_back(self, case_id: UUID) -> list[UUID]:
        """The cases that have to hear of a new one, since it keeps the data that they are to dispose of."""
        with self._database.reading() as session:
            return [case.id for case in disposals_kept_back(session, session.get_one(Case, case_id))]

    async def start(self, case_id: UUID) -> bool:
        """Start a case's clocks; False while Temporal does not answer, and then the watchdog starts them."""
        resources = self.resources
        try:
            await start_case(resources.client, self._database, case_id, notice_policy(resources.settings), self.clock())
        except RPCError as error:
            _log.warning("case not started", case_id=str(case_id), status=error.status.name)
            return False
        return True


def foresight(resources: Resources, now: datetime) -> Foresight:
    """What foresees in this installation what would follow at an instant."""
    settings = resources.settings
    return Foresight(
        resources.catalogue, settings.defaults, settings.side, notice_policy(settings), now, resources.leads
    )


def digest_of(resources: Resources, intake: Intake) -> str:
    """What names an intake in this installation, by its content."""
    return intake_namer(resources.keyring)(intake)


def _check_known(kind: Kind, act: Act) -> None:
    if type(act) not in kind.all_acts:
        raise Refused(f"In a {kind.label} case there is no act {act.act!r}.", where="act")


def _act_id(sent_as: UUID, case_id: UUID, act: Act, actor: str) -> UUID:
    """The id of an act as it was given: the same for the same sending of the same, another for anything else.

    A browser that goes back sends a form, changed, under the name that it had; a program may use a key twice.
    """
    return uuid5(sent_as, "\n".join((str(case_id), actor, act.model_dump_json())))


_ACTOR: TypeAdapter[str] = TypeAdapter(Actor)


def check_actor(actor: str) -> None:
    """Refuse a name that the ledger would refuse, before anything is kept or started under it."""
    try:
        _ACTOR.validate_python(actor)
    except ValidationError:
        raise InvalidInput(
            "This account's name cannot be kept in evidence: it may have letters, digits, blanks, and :._- alone.",
            where="actor",
            next_step="Act under another name; an e-mail address is never kept.",
        ) from None


def _refusal(cause: BaseException | None) -> DuenoticeError:
    if isinstance(cause, ApplicationError):
        return from_refusal(cause)
    return Refused(str(cause))


def _unanswered() -> Unavailable:
    """What is sent may have arrived although no answer came: nobody is told that it did, or that it did not."""
    return Unavailable(
        "Temporal does not answer, so it is not known whether this was recorded.",
        next_step="Look whether the server runs, then at the case; the same form sent again is done once.",
    )
