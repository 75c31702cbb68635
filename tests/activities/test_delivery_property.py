"""Whatever mail servers and workers do, and in whatever order: nothing is lost, and each copy has its reason."""

from __future__ import annotations

import asyncio
import atexit
import shutil
from collections import Counter
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cases.acts import SendAgain, Vouch
from config.database import Database
from config.keyring import Keyring
from ledger.verify import verify_ledger
from mail.delivery_states import ARRIVED, FAILED, UNDER_WAY, UNSETTLED
from models.enums import DeliveryStatus, DutyStatus
from models.errors import Refused
from models.tables import Delivery
from records.mail_state import mail_state
from records.undecided import undecided_of_case, undelivered_of_case
from tests.support.mailing import RESENDS, Mailing, districts, mailing
from tests.support.scripted_server import HANG_UP
from tests.support.scripted_server import HEARTBEAT_TIMEOUT as SILENCE

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

CLAUSE = "breach.notice"
MINUTE = timedelta(minutes=1)
CONNECTIONS = 2
REFERENCES = st.sampled_from(sorted(districts(3)))

ANSWERS: dict[str, tuple[str | None, ...]] = {
    "MAIL": ("250 Ok", "421 4.3.2 Down", "451 4.3.0 Later", HANG_UP),
    "RCPT": ("250 Ok", "450 4.7.1 Greylisted", "452 4.2.2 Full", "550 5.1.1 No such user", "421 4.7.0 Slow", HANG_UP),
    "DATA": ("354 Go ahead", "451 4.3.0 Later", "554 5.7.1 Spam", HANG_UP),
    "CONTENT": ("250 2.0.0 Ok: queued as 1A", "451 4.3.0 Later", "554 5.7.1 Spam", "421 4.3.2 Down", HANG_UP),
}
"""What a server may say at each step; ``HANG_UP`` is that it says nothing and closes the connection."""


@cache
def installed() -> tuple[Path, Keyring]:
    """A folder with an empty database, made once, and its keys."""
    folder = Path(mkdtemp())
    atexit.register(shutil.rmtree, folder)
    keyring = Keyring.create(folder / "keyring")
    database = Database(f"sqlite:///{folder}/duenotice.sqlite3", keyring)
    database.migrate()
    database.close()
    return folder, keyring


class Deliveries(RuleBasedStateMachine):
    """Three districts with two contacts each, whose notices leave while the server and the worker fail at random."""

    mail: Mailing | None = None

    @initialize()
    def begin(self) -> None:
        """Let the notices leave."""
        template, keyring = installed()
        self.folder = Path(mkdtemp())
        shutil.copy(template / "duenotice.sqlite3", self.folder)
        self.database = Database(f"sqlite:///{self.folder}/duenotice.sqlite3", keyring)
        self.runner = asyncio.Runner()
        self.threads = ThreadPoolExecutor()
        self.runner.get_loop().set_default_executor(self.threads)
        self.context = mailing(self.database, districts(3, contacts=2), connections=CONNECTIONS)
        self.mail = self.runner.run(self.context.__aenter__())
        self.acts: Counter[UUID] = Counter()
        self.names = count()

    def teardown(self) -> None:
        """Let the server mend, live on, and see where everybody has come to."""
        if self.mail is None:
            return
        try:
            self.mend_and_live_on(self.mail)
            self.everybody_has_come_to_an_end(self.mail)
        finally:
            self.runner.run(self.context.__aexit__(None, None, None))
            self.runner.close()
            self.database.close()
            shutil.rmtree(self.folder)

    @rule(data=st.data(), step=st.sampled_from(sorted(ANSWERS)))
    def the_server_will_answer(self, data: st.DataObject, step: str) -> None:
        """What the server says next at a step."""
        answers = data.draw(st.lists(st.sampled_from(ANSWERS[step]), min_size=1, max_size=6))
        self.here.server.script.setdefault(step, []).extend(answers)

    @rule()
    def a_worker_gives_what_is_due(self) -> None:
        """It does so to its end."""
        self.run(self.here.send_due())

    @rule(step=st.sampled_from(("RCPT", "CONTENT")))
    def a_worker_is_killed(self, step: str) -> None:
        """It stops while the server has yet to answer; what was under way is few."""
        mail = self.here
        mail.server.script.setdefault(step, []).insert(0, SILENCE)

        async def killed() -> None:
            before = len(mail.server.steps)
            sending = asyncio.create_task(mail.send_due())
            while not sending.done() and step not in mail.server.steps[before:]:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending
            await mail.server.hang_up()

        self.run(killed())
        assert sum(delivery.status in UNDER_WAY for delivery in self.deliveries()) <= CONNECTIONS

    @rule(minutes=st.integers(1, 90))
    def time_passes(self, minutes: int) -> None:
        """The case computes again once it has."""
        self.here.pass_time(minutes * MINUTE)
        self.here.compute()

    @rule()
    def an_officer_sends_again(self) -> None:
        """That is of what nobody knows, and what nobody took."""
        meant = [delivery.id for delivery in self.deliveries() if delivery.status in (DeliveryStatus.UNKNOWN, *FAILED)]
        with suppress(Refused):
            self.here.case.act(SendAgain(clause=CLAUSE))
            self.acts.update(meant)

    @rule(reference=REFERENCES)
    def an_officer_vouches(self, reference: str) -> None:
        """Somebody says that what nobody knows did arrive."""
        word = {"clause": CLAUSE, "agreement": reference, "particulars": "Kim, by telephone."}
        with suppress(Refused):
            self.here.case.act(Vouch.model_validate({**word, "arrived_at": self.here.case.now}))

    @rule(reference=REFERENCES)
    def a_new_contact_is_named(self, reference: str) -> None:
        """An agreement is imported again, with one contact more."""
        contacts = districts(3, contacts=2)[reference]
        self.here.name_contacts({reference: f"{contacts};new{next(self.names)}@{contacts.rpartition('@')[2]}"})
        self.here.compute()

    @invariant()
    def a_notice_is_given_if_and_only_if_one_contact_has_it(self) -> None:
        """No second one is told of what a first one has."""
        for notice in self.mail.all_notices() if self.mail else ():
            arrived = [each for each in self.deliveries() if each.notice_id == notice.id and each.status in ARRIVED]
            assert len(arrived) == bool(notice.given_at)

    @invariant()
    def every_copy_beyond_the_first_follows_a_send_of_which_nobody_knew(self) -> None:
        """Each of those is recorded, and there are no more of them than the settings and people's acts allow."""
        if self.mail is None:
            return
        server = self.mail.server
        may_have = Counter(map(_message_id, server.messages)) - Counter(map(_message_id, server.turned_away))
        unknown = Counter(entry.body["delivery"] for entry in self.mail.evidence("delivery_unknown"))
        pauses = len(self.mail.evidence("mail_paused"))
        for delivery in self.deliveries():
            recorded = unknown[str(delivery.id)]
            assert may_have[delivery.message_id] <= 1 + recorded + (delivery.status in UNDER_WAY)
            assert recorded <= (1 + RESENDS) * (1 + self.acts[delivery.id] + pauses)

    @property
    def here(self) -> Mailing:
        """The mailing, once it has begun."""
        assert self.mail is not None, "a mailing begins first"
        return self.mail

    def deliveries(self) -> list[Delivery]:
        """Every delivery there is."""
        return [delivery for _, delivery in self.here.deliveries()]

    def run(self, work: Coroutine[Any, Any, object]) -> None:
        """Do something to its end, and what it left behind: a thread of a cancelled worker commits after it.

        An invariant that read between two such commits would compare what was before with what is after.
        """
        self.runner.run(work)
        self.threads.shutdown()
        self.threads = ThreadPoolExecutor()
        self.runner.get_loop().set_default_executor(self.threads)

    def mend_and_live_on(self, mail: Mailing) -> None:
        """The server answers as it should, and time passes until nothing more is sent."""
        mail.server.script.clear()
        for _ in range(30):
            self.run(mail.send_due())
            mail.pass_time(75 * MINUTE)
            mail.compute()
            if mail.is_through():
                return
        raise AssertionError("something is sent without end")

    def everybody_has_come_to_an_end(self, mail: Mailing) -> None:
        """Each district has its notice, or waits visibly for a person; the duty says the same, and mail goes on."""
        with self.database.reading() as session:
            undecided, undelivered = (of(session, mail.case.id) for of in (undecided_of_case, undelivered_of_case))
            state = mail_state(session)
            assert verify_ledger(session).sound
        assert state is None or state.paused_at is None
        notices = mail.all_notices()
        assert len(notices) == 3, "none is lost"
        left = {notice.duty_id for notice in notices if notice.given_at is None}
        assert len(left) <= undecided + undelivered
        assert not any(delivery.status in UNSETTLED and not undecided for delivery in self.deliveries())
        performed = {duty.id for duty in mail.case.duties if duty.status is DutyStatus.PERFORMED}
        assert all((notice.duty_id in performed) is bool(notice.given_at) for notice in notices)


def _message_id(raw: bytes) -> str:
    (line,) = (line for line in raw.split(b"\r\n") if line.lower().startswith(b"message-id:"))
    return line.partition(b":")[2].strip().decode()


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(
    max_examples=10, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
