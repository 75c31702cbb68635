"""Whether the engine is in order: each part as it is found, and alarms that need nothing that is down."""

from __future__ import annotations

import asyncio
import json
import re
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr
from sqlmodel import col, select
from temporalio.client import Client

from config.database import Database
from config.keyring import Keyring
from config.object_store import Directory
from config.settings import Bounces, Settings, Smtp
from ledger.append import append
from ledger.artifacts import fetch, store
from ledger.checkpoints import sign_head
from ledger.entries import AgreementAmended
from ledger.log_keys import create_log_key
from mail.people_mails import Outage
from models.enums import Told
from models.errors import ConfigurationError
from models.tables import EvidenceEntry, LastSweep, MailState, SentMail
from queries.figures import read_figures
from records.bounces import Fate, StillUnderWay
from records.sent_mail import UNDER_WAY
from starter import health, outages
from starter.bounces import BounceIntake
from starter.cli.main import run
from starter.health import (
    ARTIFACTS,
    CHECKPOINT,
    CLOCK,
    DATABASE,
    MAIL,
    NAMES,
    SWEEP,
    TEMPORAL,
    WORKER,
    Check,
    Health,
    HealthCheck,
)
from starter.metrics import exposition, sdk_runtime
from starter.outages import LASTS, MOST_AN_HOUR, Alarm, Outages, watch_outages
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import Resources, connect_client
from starter.writing import return_path, sender_of
from terms.catalogue import load_catalogue
from tests.support.alert_receiver import alert_receiver
from tests.support.bounce_shapes import dsn
from tests.support.local_engine import PROJECT
from tests.support.patience import PATIENCE
from tests.support.scripted_server import scripted_server
from tests.support.sweeping import sweep

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EVERY = 5


@pytest.fixture
async def nowhere(keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client of a Temporal server that is not there."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    return await connect_client(Settings(), keyring, lazy=True)


def note_sweep(database: Database, ended_at: datetime, clock_ahead: float = 0) -> None:
    with database.writing() as session:
        session.merge(LastSweep(id=1, began_at=ended_at, ended_at=ended_at, clock_ahead=clock_ahead))


def found(look: Health, *names: str) -> list[bool]:
    return [look.of(name).ok for name in names or NAMES]


class TestLooking:
    @pytest.mark.usefixtures("patient_health")
    async def test_each_part_of_a_running_engine_is_in_order(self, engine: VirtualEngine) -> None:
        database = engine.resources.database
        await sweep(engine)
        note_sweep(database, datetime.now(UTC))
        look = await HealthCheck(database, engine.resources.client, EVERY).look()
        signed = {CHECKPOINT}  # no schedule signs heads in virtual time
        assert found(look, *sorted({*NAMES} - signed)) == [True] * (len(NAMES) - 1), look.checks
        assert look.is_ready(without=tuple(signed))
        assert set(look.pollers) == {"workflow", "activity"}

    async def test_a_sweep_leaves_when_it_ended_and_how_far_the_clocks_are_apart(self, engine: VirtualEngine) -> None:
        await sweep(engine)
        figures = read_figures(engine.resources.database, datetime.now(UTC))
        assert figures.sweep
        assert figures.sweep.began_at <= figures.sweep.ended_at
        assert abs(figures.sweep.clock_ahead) < 60

    async def test_without_temporal_what_only_it_knows_is_hidden_and_the_rest_is_seen(
        self, database: Database, nowhere: Client
    ) -> None:
        note_sweep(database, NOON)
        look = await HealthCheck(database, nowhere, EVERY, lambda: NOON).look()
        assert found(look) == [True, False, False, True, True, True, True, True]
        assert look.of(WORKER).hidden_by == TEMPORAL
        assert "It does not answer" in look.of(TEMPORAL).says
        assert "127.0.0.1" not in look.of(TEMPORAL).says

    async def test_without_a_database_what_only_it_knows_is_hidden(
        self, keyring: Keyring, tmp_path: Path, nowhere: Client
    ) -> None:
        look = await HealthCheck(Database(f"sqlite:///{tmp_path}/empty.sqlite3", keyring), nowhere, EVERY).look()
        assert found(look) == [False] * len(NAMES)
        assert look.of(DATABASE).says == "The database has no tables, or old ones."
        assert [look.of(name).hidden_by for name in (SWEEP, CHECKPOINT, MAIL, ARTIFACTS, CLOCK)] == [DATABASE] * 5

    @pytest.mark.parametrize(("minutes", "ok"), [(0, True), (17, True), (18, False)])
    async def test_a_sweep_may_be_three_intervals_and_two_minutes_old(
        self, database: Database, nowhere: Client, minutes: int, ok: bool
    ) -> None:
        note_sweep(database, NOON - minutes * MINUTE)
        look = await HealthCheck(database, nowhere, EVERY, lambda: NOON).look()
        assert look.of(SWEEP).ok is ok

    @pytest.mark.parametrize(("minutes", "ok"), [(16, True), (18, False)])
    async def test_an_entry_may_wait_for_a_signed_head_three_intervals_and_two_minutes(
        self, database: Database, nowhere: Client, minutes: int, ok: bool, tmp_path: Path
    ) -> None:
        with database.writing() as session:
            file = store(session, b"Signed.", "text/plain", NOON)
            append(session, AgreementAmended(actor="dana", at=NOON, agreement_id=UUID(int=1), file_sha256=file))
        at = datetime.now(UTC) + minutes * MINUTE
        look = await HealthCheck(database, nowhere, EVERY, lambda: at, checkpoint_minutes=5).look()
        assert look.of(CHECKPOINT).ok is ok
        assert ok or "1 entry of the ledger wait" in look.of(CHECKPOINT).says
        keys = create_log_key(tmp_path / "log-key.json", "example.org", NOON)
        sign_head(database, keys, datetime.now(UTC), at_most=10)
        look = await HealthCheck(database, nowhere, EVERY, lambda: at, checkpoint_minutes=5).look()
        assert look.of(CHECKPOINT).ok

    async def test_mail_that_is_away_or_paused_is_not_in_order(self, database: Database, nowhere: Client) -> None:
        for state, says in (
            (MailState(id=1, away_since=NOON), "takes no mail: 0 notices wait."),
            (MailState(id=1, paused_at=NOON), "Mail is paused"),
        ):
            with database.writing() as session:
                session.merge(state)
            look = await HealthCheck(database, nowhere, EVERY, lambda: NOON).look()
            assert not look.of(MAIL).ok
            assert says in look.of(MAIL).says

    async def test_a_store_of_artifacts_that_is_away_is_not_in_order(
        self, database: Database, keyring: Keyring, tmp_path: Path, nowhere: Client
    ) -> None:
        folder = tmp_path / "artifacts"
        folder.mkdir()
        with_store = Database(str(database.engine.url), keyring, Directory(folder))
        look = await HealthCheck(with_store, nowhere, EVERY, lambda: NOON).look()
        assert look.of(ARTIFACTS) == Check(ARTIFACTS, True, "The store of artifacts answers.")
        folder.rmdir()
        look = await HealthCheck(with_store, nowhere, EVERY, lambda: NOON).look()
        assert not look.of(ARTIFACTS).ok
        assert "Nothing that is due waits for it" in look.of(ARTIFACTS).says
        assert str(folder) not in look.of(ARTIFACTS).says
        with_store.close()

    @pytest.mark.parametrize(("ahead", "says"), [(9.9, "agree"), (90, "ahead of"), (-90, "behind")])
    async def test_clocks_may_differ_by_ten_seconds(
        self, database: Database, nowhere: Client, ahead: float, says: str
    ) -> None:
        note_sweep(database, NOON, ahead)
        look = await HealthCheck(database, nowhere, EVERY, lambda: NOON).look()
        assert look.of(CLOCK).ok is (says == "agree")
        assert says in look.of(CLOCK).says

    async def test_the_clock_of_postgresql_is_compared(
        self, postgresql_url: str, keyring: Keyring, nowhere: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        database = Database(postgresql_url, keyring)
        database.migrate()
        assert abs(database.clock_ahead() or 99) < 5
        monkeypatch.setattr("config.database.time", lambda: time.time() + 3600)
        look = await HealthCheck(database, nowhere, EVERY, lambda: NOON).look()
        assert "ahead of the database's" in look.of(CLOCK).says
        database.close()

    async def test_what_hangs_is_waited_for_once_and_not_for_long(
        self, database: Database, nowhere: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(health, "PATIENCE", 0.05)
        monkeypatch.setattr(health, "KEPT", 0.0)
        asked: list[int] = []
        hangs = asyncio.Event()
        check = HealthCheck(database, nowhere, EVERY, lambda: NOON)

        async def hang() -> object:
            asked.append(1)
            await hangs.wait()
            return {}

        monkeypatch.setattr(check, "_queues", hang)
        for _ in range(3):
            assert "has not answered within" in (await check.look()).of(TEMPORAL).says
        assert len(asked) == 1
        hangs.set()

    async def test_those_who_ask_at_once_get_one_answer(self, database: Database, nowhere: Client) -> None:
        check = HealthCheck(database, nowhere, EVERY, lambda: NOON)
        first, *others = await asyncio.gather(*(check.look() for _ in range(20)))
        assert all(other is first for other in [*others, await check.look()])


def looked(at: datetime, *amiss: str, hidden: Sequence[str] = ()) -> Health:
    return Health(
        at,
        tuple(
            Check(name, name not in (*amiss, *hidden), f"{name} says.", "database" if name in hidden else None)
            for name in NAMES
        ),
    )


class TestOutages:
    def play(self, *looks: Health) -> list[str]:
        noted = Outages()
        return [outage.says for look in looks for outage in noted.note(look)]

    def test_one_is_told_once_after_it_has_lasted_and_again_when_it_is_over(self) -> None:
        looks = [looked(NOON + minute * MINUTE, TEMPORAL) for minute in range(30)]
        told = self.play(*looks, looked(NOON + 30 * MINUTE), looked(NOON + 31 * MINUTE))
        assert told == [
            "Temporal is out of order since Mon 2 Mar 2026, 12:00 UTC: temporal says.",
            "Temporal is in order again, after 30 minutes. Look at what was due meanwhile.",
        ]

    def test_a_restart_is_told_to_nobody(self) -> None:
        looks = [looked(NOON + minute * MINUTE, DATABASE) for minute in range(LASTS // MINUTE)]
        assert self.play(*looks, looked(NOON + LASTS)) == []

    def test_what_is_hidden_by_another_outage_is_not_told_and_stays_as_it_was(self) -> None:
        looks = [looked(NOON + minute * MINUTE, DATABASE, hidden=(SWEEP, CLOCK)) for minute in range(10)]
        assert [sentence.split(" is ")[0] for sentence in self.play(*looks)] == ["The database"]

    def test_that_mail_is_away_is_left_to_the_watchdog(self) -> None:
        assert self.play(*(looked(NOON + minute * MINUTE, MAIL) for minute in range(10))) == []

    def test_what_comes_and_goes_is_told_so_often_and_no_more(self) -> None:
        looks = []
        for round_ in range(10):
            begins = NOON + round_ * 5 * MINUTE
            looks += [looked(begins + minute * MINUTE, WORKER) for minute in range(4)] + [looked(begins + 4 * MINUTE)]
        assert len(self.play(*looks)) == 2 * MOST_AN_HOUR


AWAY = Outage(says="Temporal is away.", is_over=False)


class TestAlarms:
    async def test_it_goes_by_every_way_and_needs_neither_database_nor_temporal(self, keyring: Keyring) -> None:
        async with scripted_server() as server:
            with alert_receiver(500) as broken, alert_receiver() as working:
                smtp = Smtp(host="127.0.0.1", port=server.port, security="none")
                urls = SecretStr(f"{broken.url} {working.url}")
                assert await Alarm(Settings(smtp=smtp, alert_urls=urls), keyring).tell(AWAY, NOON)
            assert [alert.split(" http")[0] for alert in working.alerts] == ["Temporal is away."]
            (mail,) = server.messages
            assert b"Temporal is away." in mail
            assert b"duenotice status" in mail
            assert b"Subject: Duenotice is out of order" in mail

    async def test_where_mail_is_away_too_the_other_ways_are_left_and_nothing_is_raised(self, keyring: Keyring) -> None:
        smtp = Smtp(host="127.0.0.1", port=1, security="none")
        with alert_receiver() as working:
            told = await Alarm(Settings(smtp=smtp, alert_urls=SecretStr(working.url)), keyring).tell(AWAY, NOON)
            assert (told, len(working.alerts)) == (True, 1)
        assert not await Alarm(Settings(smtp=smtp), keyring).tell(AWAY, NOON)
        assert not await Alarm(Settings(), keyring).tell(AWAY, NOON), "no server is named, and none is guessed"

    async def test_the_web_tells_of_a_database_that_went_away_and_of_its_return(
        self, keyring: Keyring, tmp_path: Path, nowhere: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(outages, "LASTS", timedelta())
        monkeypatch.setattr(health, "KEPT", -1.0)
        monkeypatch.setattr(outages, "WATCHED", (DATABASE,))
        database = Database(f"sqlite:///{tmp_path}/duenotice.sqlite3", keyring)
        settings = Settings(smtp=Smtp(host="127.0.0.1", port=1, security="none"))
        with alert_receiver() as receiver:
            alarm = Alarm(settings.model_copy(update={"alert_urls": SecretStr(receiver.url)}), keyring)
            check = HealthCheck(database, nowhere, EVERY)
            watching = asyncio.create_task(watch_outages(check, alarm, every=timedelta(milliseconds=5)))
            async with asyncio.timeout(PATIENCE):
                while len(receiver.alerts) < 1:  # noqa: ASYNC110 (it is another thread that hears it)
                    await asyncio.sleep(0.01)
                database.migrate()
                while len(receiver.alerts) < 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            watching.cancel()
        first, second = receiver.alerts
        assert "The database is out of order since" in first
        assert "The database is in order again" in second

    async def test_what_was_told_without_a_database_is_kept_once_there_is_one_and_what_comes_back_of_it_too(
        self, keyring: Keyring, database: Database, nowhere: Client
    ) -> None:
        async with scripted_server() as server:
            smtp = Smtp(host="127.0.0.1", port=server.port, security="none")
            with alert_receiver() as working:
                settings = Settings(
                    smtp=smtp, bounces=Bounces(address="bounces@example.org"), alert_urls=SecretStr(working.url)
                )
                alarm = Alarm(settings, keyring)
                assert await alarm.tell(AWAY, NOON)
        (raw,) = server.messages
        path = return_path(settings, keyring)
        assert path is not None
        (begun,) = [command for command in server.commands if command.startswith("MAIL")]
        named = path.read([begun])
        assert named is not None, "it returns by a path of its own"
        intake = BounceIntake(Resources(settings, keyring, database, load_catalogue(), nowhere), clock=lambda: NOON)
        back = dsn(
            to=path.of(named.delivery_id, named.attempt),
            recipients=(sender_of(settings.organisation).contact.email,),
            message_id="x@y.test",
        )
        with pytest.raises(StillUnderWay):
            await intake.take_mail(back, "imap")
        alarm.keep(database)
        alarm.keep(database)
        assert (await intake.take_mail(back, "imap")).fates == (Fate.RECORDED,)
        with database.reading() as session:
            kept = session.get_one(SentMail, named.delivery_id)
            assert (kept.outcome, kept.who, kept.bounced_at) == (Told.ACCEPTED, "organisation", NOON)
            assert fetch(session, kept.message_sha256 or "") == raw
            entries = session.exec(select(EvidenceEntry).order_by(col(EvidenceEntry.number))).all()
        assert [(entry.kind, entry.body.get("way")) for entry in entries] == [
            ("person_told", "alert"),
            ("person_told", "mail"),
            ("mail_bounced", None),
        ]

    async def test_what_names_a_message_of_ours_that_never_was_kept_is_foreign_after_a_while(
        self, keyring: Keyring, database: Database, nowhere: Client
    ) -> None:
        now = NOON
        settings = Settings(bounces=Bounces(address="bounces@example.org"))
        intake = BounceIntake(Resources(settings, keyring, database, load_catalogue(), nowhere), clock=lambda: now)
        path = return_path(settings, keyring)
        assert path is not None
        back = dsn(to=path.of(uuid4(), 1), recipients=("office@example.org",), message_id="x@y.test")
        for _ in range(2):
            with pytest.raises(StillUnderWay):
                await intake.take_mail(back, "imap")
            now += UNDER_WAY / 2
        assert (await intake.take_mail(back, "imap")).foreign

    async def test_an_alarm_that_nobody_took_is_kept_as_that(self, keyring: Keyring, database: Database) -> None:
        alarm = Alarm(Settings(smtp=Smtp(host="127.0.0.1", port=1, security="none")), keyring)
        assert not await alarm.tell(AWAY, NOON)
        alarm.keep(database)
        with database.reading() as session:
            (entry,) = session.exec(select(EvidenceEntry)).all()
        assert (entry.kind, entry.body["outcome"], entry.artifacts) == ("person_told", "failed", [])


class TestMetrics:
    @pytest.mark.usefixtures("patient_health")
    async def test_every_figure_is_shown_and_described(self, engine: VirtualEngine) -> None:
        note_sweep(engine.resources.database, datetime.now(UTC))
        look = await HealthCheck(engine.resources.database, engine.resources.client, EVERY).look()
        shown = exposition(replace(look, database_clock=0.5)).decode()
        names = set(re.findall(r"^# TYPE (\w+) ", shown, re.MULTILINE))
        described = set(re.findall(r"^\| `(duenotice_\w+)", (PROJECT / "docs/health.md").read_text(), re.MULTILINE))
        assert names == described
        assert 'duenotice_check_ok{check="temporal"} 1.0' in shown
        assert 'duenotice_clock_ahead_seconds{of="database"} 0.5' in shown
        assert re.search(r"^duenotice_last_sweep_age_seconds [\d.e-]+$", shown, re.MULTILINE)

    async def test_what_nobody_can_say_is_left_out(self, keyring: Keyring, tmp_path: Path, nowhere: Client) -> None:
        look = await HealthCheck(Database(f"sqlite:///{tmp_path}/empty.sqlite3", keyring), nowhere, EVERY).look()
        shown = exposition(look).decode()
        assert "duenotice_ready 0.0" in shown
        assert "duenotice_overdue_duties" not in shown

    async def test_a_worker_shows_what_temporals_sdk_counts(
        self, keyring: Keyring, unused_tcp_port: int, engine: VirtualEngine
    ) -> None:
        settings = Settings.model_validate({"metrics": {"worker_address": f"127.0.0.1:{unused_tcp_port - 1}"}})
        runtime = sdk_runtime(settings, process=1)
        address = engine.resources.client.service_client.config.target_host
        client = await Client.connect(address, runtime=runtime)
        await client.count_workflows()
        with await asyncio.to_thread(urllib.request.urlopen, f"http://127.0.0.1:{unused_tcp_port}/metrics") as answer:
            assert b"temporal_request" in answer.read()
        with pytest.raises(ConfigurationError, match="Nothing can listen on"):
            sdk_runtime(settings, process=1)

    def test_without_an_address_nothing_listens(self) -> None:
        assert sdk_runtime(Settings()) is None


class TestTheCommand:
    @pytest.fixture(autouse=True)
    def _home(self, keyring_file: Path, keyring: Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        database = Database(f"sqlite:///{tmp_path}/duenotice.sqlite3", keyring)
        database.migrate()
        note_sweep(database, datetime.now(UTC))
        database.close()
        monkeypatch.setenv("DUENOTICE_HOME", str(tmp_path))
        monkeypatch.setenv("DUENOTICE_KEYRING", str(keyring_file))
        monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")

    def test_it_says_how_each_part_is(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["status"]) == 5
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[:2] for line in lines] == [
            ["ok", "database"],
            ["amiss", "temporal"],
            ["amiss", "worker"],
            ["ok", "sweep"],
            ["ok", "checkpoint"],
            ["ok", "mail"],
            ["ok", "artifacts"],
            ["ok", "clock"],
            ["note", "alarms"],
        ]

    def test_a_part_may_not_count_and_programs_get_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["status", "--json", "--exclude", "temporal", "--exclude", "worker"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert said["ready"] is True
        assert [check["name"] for check in said["checks"]] == list(NAMES)
        assert run(["status", "--exclude", "weather"]) == 2
        assert "There is no part called weather." in capsys.readouterr().err

    def test_a_container_asks_for_its_worker_alone(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["status", "--worker"]) == 5
        assert capsys.readouterr().out.split()[:2] == ["amiss", "worker"]
