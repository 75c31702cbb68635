"""Artifacts in a folder, or in a bucket of a real S3 server: moved once they are recorded, and held to that."""

from __future__ import annotations

import hashlib
import socket
import ssl
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from threading import Thread
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr
from sqlmodel import select

from activities.artifacts import MOVED_AFTER, ArtifactMover
from config import object_store
from config.database import Database
from config.keyring import Keyring
from config.object_store import Bucket, Directory, ObjectStore, check_store, open_store
from config.settings import ArtifactStore
from ledger import moving
from ledger.append import append
from ledger.artifacts import Content, erase, erase_case, fetch, pack, store, store_many
from ledger.entries import AgreementAmended, FileErased
from ledger.moving import PUT_WITHIN, let_go, move_back, move_out
from ledger.verify import Flaw, Step, verify_all
from models.enums import CaseStatus
from models.errors import ConfigurationError, Gone, IntegrityError, NotFound, Refused, Unavailable
from models.tables import Artifact, Case
from tests.support.certificates import signed_by_an_authority
from tests.support.s3_server import KEY_ID, SECRET, S3Server, s3_server

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LARGE = [Random(number).randbytes(6_000) for number in range(6)]
SMALL = b"Counsel asks for it."
AT_LEAST = 4_096


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as running:
        yield running


@dataclass
class Kept:
    """An installation with its store, and the files in which that keeps its objects."""

    url: str
    database: Database
    objects: ObjectStore
    files: Callable[[], list[Path]]

    def keep(self, *contents: bytes, at: datetime = NOON) -> list[str]:
        """Store some, each with an entry that points to it."""
        with self.database.writing() as session:
            names = [store(session, content, "application/octet-stream", at) for content in contents]
            events = (AgreementAmended(actor="dana", at=at, agreement_id=UUID(int=1), file_sha256=one) for one in names)
            append(session, *events)
        return names

    def read(self, sha256: str) -> bytes:
        with self.database.reading() as session:
            return fetch(session, sha256)

    def row(self, sha256: str) -> Artifact:
        with self.database.reading() as session:
            return session.get_one(Artifact, sha256)

    def erase(self, sha256: str, at: datetime = NOON) -> None:
        with self.database.writing() as session:
            erase(session, sha256, at)
            said = FileErased(
                case_id=UUID(int=2), actor="engine", at=at, handed_over=UUID(int=3), link=1, content_sha256=sha256
            )
            append(session, said)

    def flaw(self) -> Flaw | None:
        with self.database.reading() as session:
            return verify_all(session, tables=False).flaw

    def file_of(self, sha256: str) -> Path:
        """The file of an artifact's object."""
        name = self.row(sha256).object_sha256
        return next(path for path in self.files() if path.name == name)


@pytest.fixture(params=["folder", "bucket"])
def kept(request: pytest.FixtureRequest, keyring: Keyring, tmp_path: Path) -> Iterator[Kept]:
    """With a folder beside SQLite, and with a bucket beside PostgreSQL."""
    objects: ObjectStore
    if request.param == "folder":
        url = f"sqlite:///{tmp_path}/home/duenotice.sqlite3"
        folder = tmp_path / "artifacts"
        folder.mkdir()
        objects, files = Directory(folder), lambda: sorted(path for path in folder.rglob("*") if path.is_file())
    else:
        url = request.getfixturevalue("postgresql_url")
        server: S3Server = request.getfixturevalue("server")
        prefix = f"tests/{tmp_path.name[-50:]}"
        objects, files = Bucket(server.settings(prefix=prefix)), lambda: server.objects(prefix)
    database = Database(url, keyring, objects)
    database.migrate()
    yield Kept(url, database, objects, files)
    database.close()


class TestMoving:
    def test_what_is_large_goes_to_the_store_and_is_read_from_there(self, kept: Kept) -> None:
        *large, small = kept.keep(*LARGE, SMALL)
        moved = move_out(kept.database, AT_LEAST)
        assert (moved.count, moved.place) == (len(LARGE), "")
        assert moved.size == sum(path.stat().st_size for path in kept.files())
        assert [kept.row(name).content for name in large] == [None] * len(LARGE)
        assert kept.row(small).object_sha256 is None
        assert [kept.read(name) for name in (*large, small)] == [*LARGE, SMALL]
        assert kept.flaw() is None

    def test_what_is_in_the_store_is_sealed_and_named_by_its_own_sha256(self, kept: Kept) -> None:
        text = b"Dear district, " * 1_000
        [name] = kept.keep(text)
        move_out(kept.database, 0)
        [path] = kept.files()
        assert path.name == hashlib.sha256(path.read_bytes()).hexdigest() != name
        assert b"district" not in path.read_bytes()

    def test_only_what_is_recorded_and_no_longer_new_goes(self, kept: Kept) -> None:
        kept.keep(LARGE[0], at=NOON)
        [new] = kept.keep(LARGE[1], at=NOON + timedelta(minutes=2))
        with kept.database.writing() as session:
            waiting = store(session, LARGE[2], "text/plain", NOON, claimed=False)
        assert move_out(kept.database, AT_LEAST, before=NOON + timedelta(minutes=1)).count == 1
        assert [kept.row(name).object_sha256 for name in (new, waiting)] == [None, None]

    def test_what_is_kept_already_is_not_kept_twice(self, kept: Kept) -> None:
        [name] = kept.keep(LARGE[0])
        move_out(kept.database, AT_LEAST)
        with kept.database.writing() as session:
            assert store(session, LARGE[0], "text/plain", NOON) == name
            assert store(session, LARGE[0], "text/plain", NOON, claimed=False) == name
        assert kept.row(name).content is None
        assert move_out(kept.database, AT_LEAST).count == 0
        assert kept.read(name) == LARGE[0]
        assert len(kept.files()) == 1

    def test_letters_that_are_packed_against_an_outline_are_read_back(self, kept: Kept) -> None:
        outline = Random(7).randbytes(8_000)
        letters = [outline + b"District %d" % number for number in range(3)]
        with kept.database.writing() as session:
            names = store_many(session, (pack(Content(letter, "message/rfc822"), outline) for letter in letters), NOON)
        assert move_out(kept.database, 0).count == 3
        assert [kept.read(name) for name in names] == letters

    def test_a_move_that_ended_in_the_middle_lost_nothing_and_goes_on(
        self, kept: Kept, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        names = kept.keep(*LARGE)
        monkeypatch.setattr(moving, "_MOVED_TOGETHER", 2)
        put = type(kept.objects).put
        left = iter([True, True, True])

        def failing(self: ObjectStore, name: str, content: bytes) -> None:
            if not next(left, False):
                raise Unavailable("The store of artifacts does not answer.")
            put(self, name, content)

        monkeypatch.setattr(type(kept.objects), "put", failing)
        with pytest.raises(Unavailable):
            move_out(kept.database, AT_LEAST)
        assert [kept.read(name) for name in names] == LARGE
        assert kept.flaw() is None
        monkeypatch.setattr(type(kept.objects), "put", put)
        assert move_out(kept.database, AT_LEAST).count == 4
        assert [kept.row(name).content for name in names] == [None] * len(LARGE)
        assert [kept.read(name) for name in names] == LARGE

    def test_what_the_store_does_not_give_back_stays_in_the_database(
        self, kept: Kept, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        [name] = kept.keep(LARGE[0])
        get = type(kept.objects).get
        monkeypatch.setattr(type(kept.objects), "get", lambda self, name: get(self, name)[:-1])
        with pytest.raises(IntegrityError):
            move_out(kept.database, AT_LEAST)
        assert kept.read(name) == LARGE[0], "it is read from the database"

    def test_each_sweep_moves_a_part_until_all_had_their_turn(self, kept: Kept) -> None:
        kept.keep(*LARGE)
        mover = ArtifactMover(kept.database, AT_LEAST, rows=4)
        assert mover.move(NOON + MOVED_AFTER).count == 0, "what is new stays"
        later = NOON + MOVED_AFTER + timedelta(seconds=1)
        assert mover.move(later).count + mover.move(later).count + mover.move(later).count == len(LARGE)

    def test_all_of_it_comes_back_into_the_database(self, kept: Kept) -> None:
        names = kept.keep(*LARGE)
        move_out(kept.database, AT_LEAST)
        assert move_back(kept.database).count == len(LARGE)
        assert kept.files() == []
        assert [kept.row(name).object_sha256 for name in names] == [None] * len(LARGE)
        assert [kept.read(name) for name in names] == LARGE
        assert move_back(kept.database).count == 0


class TestErasing:
    def test_what_was_erased_is_gone_from_the_store(self, kept: Kept) -> None:
        [name] = kept.keep(LARGE[0])
        move_out(kept.database, AT_LEAST)
        kept.erase(name)
        assert kept.files() == []
        with pytest.raises(Gone):
            kept.read(name)
        assert kept.flaw() is None

    def test_where_the_store_is_away_nothing_is_said_to_be_erased(
        self, kept: Kept, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        [name] = kept.keep(LARGE[0])
        move_out(kept.database, AT_LEAST)
        with monkeypatch.context() as away:
            away.setattr(type(kept.objects), "delete", _away)
            with pytest.raises(Unavailable):
                kept.erase(name)
        assert kept.read(name) == LARGE[0]

    def test_what_was_erased_may_be_kept_again_and_moved_again(self, kept: Kept) -> None:
        [name] = kept.keep(LARGE[0])
        move_out(kept.database, AT_LEAST)
        kept.erase(name)
        with kept.database.writing() as session:
            store(session, LARGE[0], "text/plain", NOON)
        assert kept.read(name) == LARGE[0]
        assert move_out(kept.database, AT_LEAST).count == 1
        assert kept.read(name) == LARGE[0]
        assert len(kept.files()) == 1

    def test_what_went_with_its_case_is_erased_at_once_and_leaves_the_store_with_the_next_sweep(
        self, kept: Kept
    ) -> None:
        case_id, other = _closed_case(kept.database), _closed_case(kept.database)
        with kept.database.writing() as session:
            names = [store(session, content, "text/plain", NOON, case=case_id) for content in LARGE[:2]]
            kept_too = store(session, LARGE[2], "text/plain", NOON, case=other)
        assert move_out(kept.database, AT_LEAST).count == 3
        assert [kept.read(name) for name in (*names, kept_too)] == LARGE[:3]
        with kept.database.writing() as session:
            assert sorted(erase_case(session, case_id, NOON)) == sorted(names)
        for name in names:
            with pytest.raises(Gone):
                kept.read(name)
        assert let_go(kept.database, NOON) == 2
        assert len(kept.files()) == 1
        assert kept.read(kept_too) == LARGE[2]

    def test_what_a_second_case_names_too_is_sealed_anew_and_stays(self, kept: Kept) -> None:
        case_id, other = _closed_case(kept.database), _closed_case(kept.database)
        with kept.database.writing() as session:
            name = store(session, LARGE[0], "text/plain", NOON, case=case_id)
        move_out(kept.database, AT_LEAST)
        with kept.database.writing() as session:
            store(session, LARGE[0], "text/plain", NOON, case=other)
        assert kept.read(name) == LARGE[0]
        assert let_go(kept.database, NOON) == 1
        assert kept.files() == []
        assert move_out(kept.database, AT_LEAST).count == 1
        with kept.database.writing() as session:
            assert erase_case(session, case_id, NOON) == ()
        assert kept.read(name) == LARGE[0]

    def test_what_is_erased_while_it_is_put_leaves_nothing_in_the_store(
        self, kept: Kept, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        [name] = kept.keep(LARGE[0])
        put = type(kept.objects).put

        def erased_first(self: ObjectStore, object_name: str, content: bytes) -> None:
            kept.erase(name)
            put(self, object_name, content)

        monkeypatch.setattr(type(kept.objects), "put", erased_first)
        assert move_out(kept.database, AT_LEAST).count == 0
        assert kept.files() == []
        assert kept.flaw() is None

    def test_what_is_put_after_it_was_erased_goes_with_the_next_sweep(self, kept: Kept) -> None:
        """By a process that hung in between, and was killed before it could see to it."""
        [name] = kept.keep(LARGE[0])
        move_out(kept.database, AT_LEAST)
        late = kept.files()[0].read_bytes()
        kept.erase(name, NOON)
        kept.objects.put(hashlib.sha256(late).hexdigest(), late)
        assert let_go(kept.database, NOON + timedelta(hours=1)) == 1
        assert kept.files() == []
        assert let_go(kept.database, NOON + PUT_WITHIN + timedelta(seconds=1)) == 1
        assert let_go(kept.database, NOON + PUT_WITHIN + timedelta(seconds=1)) == 0

    def test_what_is_erased_while_the_ledger_is_checked_is_no_flaw(self, kept: Kept) -> None:
        names = kept.keep(*LARGE[:2])
        move_out(kept.database, AT_LEAST)
        with kept.database.reading() as session:
            session.exec(select(Artifact.sha256)).all()  # from here on, this session sees this moment
            kept.erase(names[1])
            found = verify_all(session, tables=False)
        assert found.sound
        assert [one.artifact for one in found.erased] == [names[1]]


class TestWhatIsNotAsItWas:
    def test_bytes_that_were_changed_in_the_store_are_not_handed_out(self, kept: Kept) -> None:
        names = kept.keep(*LARGE[:2])
        move_out(kept.database, AT_LEAST)
        kept.objects.put(kept.file_of(names[1]).name, b"DNS1 something else")
        with pytest.raises(IntegrityError, match="not what was moved there"):
            kept.read(names[1])
        assert _named(kept.flaw()) == (Step.ARTIFACTS, 2, names[1])

    def test_what_was_removed_from_the_store_is_named(self, kept: Kept) -> None:
        [name] = kept.keep(LARGE[0])
        move_out(kept.database, AT_LEAST)
        kept.file_of(name).unlink()
        with pytest.raises(IntegrityError, match="no longer there"):
            kept.read(name)
        assert _named(kept.flaw()) == (Step.ARTIFACTS, 1, name)

    def test_another_artifact_s_object_is_not_taken_for_it(self, kept: Kept) -> None:
        """Whoever can change the database could name it in the row."""
        names = kept.keep(*LARGE[:2])
        move_out(kept.database, AT_LEAST)
        with kept.database.writing() as session:
            session.get_one(Artifact, names[0]).object_sha256 = session.get_one(Artifact, names[1]).object_sha256
        with pytest.raises(IntegrityError, match=names[0]):
            kept.read(names[0])

    def test_more_than_any_artifact_has_is_not_read(self, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
        [name] = kept.keep(LARGE[0])
        move_out(kept.database, AT_LEAST)
        monkeypatch.setattr(object_store, "LARGEST_OBJECT", 100)
        with pytest.raises(IntegrityError, match="longer than any"):
            kept.read(name)

    def test_a_store_that_is_away_is_no_flaw_and_no_sound_ledger(
        self, kept: Kept, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kept.keep(*LARGE)
        move_out(kept.database, AT_LEAST)
        monkeypatch.setattr(type(kept.objects), "get", _away)
        with pytest.raises(Unavailable):
            kept.flaw()

    def test_a_store_that_no_setting_names_any_more_is_asked_for(self, kept: Kept, keyring: Keyring) -> None:
        [name] = kept.keep(LARGE[0])
        move_out(kept.database, AT_LEAST)
        without = Database(kept.url, keyring)
        with without.reading() as session, pytest.raises(Unavailable, match="DUENOTICE_ARTIFACTS"):
            fetch(session, name)
        with pytest.raises(Refused, match="no setting names another store"):
            move_out(without, 0)
        without.close()


class TestTheStores:
    def test_a_store_that_can_be_used_is_left_as_it_was(self, kept: Kept) -> None:
        check_store(kept.objects)
        assert kept.files() == []

    def test_what_is_not_there_is_said_and_may_be_deleted(self, kept: Kept) -> None:
        name = "0" * 64
        assert not kept.objects.exists(name)
        kept.objects.delete(name)
        with pytest.raises(NotFound):
            kept.objects.get(name)
        kept.objects.put(name, b"something")
        assert kept.objects.exists(name)

    def test_a_folder_is_its_user_s_alone_and_is_never_made(self, tmp_path: Path) -> None:
        missing = Directory(tmp_path / "not mounted")
        for use in (check_store, lambda it: it.get("0" * 64), lambda it: it.exists("0" * 64)):
            with pytest.raises(Unavailable, match="See that its disk is there"):
                use(missing)
        Directory(tmp_path).put("ab" * 32, b"sealed")
        file = tmp_path / "ab" / ("ab" * 32)
        assert [stat.S_IMODE(path.stat().st_mode) for path in (file, file.parent)] == [0o600, 0o700]

    def test_every_object_is_below_the_installation_s_prefix(self, server: S3Server) -> None:
        Bucket(server.settings(prefix="one/installation")).put("ab" * 32, b"sealed")
        assert server.objects("one/installation/ab") == [server.folder / "evidence/one/installation/ab" / ("ab" * 32)]
        assert not Bucket(server.settings(prefix="another")).exists("ab" * 32)

    @pytest.mark.parametrize(
        ("setting", "says"),
        [
            ({"secret_access_key": "another"}, "does not let this installation"),
            ({"access_key_id": "nobody"}, "does not let this installation"),
            ({"bucket": "no-such-bucket"}, "no such bucket"),
            ({"endpoint": "http://127.0.0.1:1"}, "does not answer"),
        ],
    )
    def test_a_bucket_that_cannot_be_used_says_why(self, server: S3Server, setting: dict[str, str], says: str) -> None:
        bucket = Bucket(server.settings(**setting))
        for use in (check_store, lambda it: it.get("0" * 64), lambda it: it.exists("0" * 64)):
            with pytest.raises(Unavailable, match=says) as refused:
                use(bucket)
            assert "secret" not in str(refused.value)

    def test_a_server_that_falls_silent_is_waited_for_no_longer_than_the_setting_says(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
            bucket = Bucket(ArtifactStore(bucket="evidence", endpoint=endpoint, timeout_seconds=0.2))
            with pytest.raises(Unavailable, match="does not answer"):
                bucket.get("0" * 64)

    def test_a_server_of_one_s_own_is_trusted_by_its_own_authority_and_not_without(self, tmp_path: Path) -> None:
        certificate, authority = signed_by_an_authority(tmp_path)
        settings = ArtifactStore(bucket="evidence", access_key_id=KEY_ID, secret_access_key=SecretStr(SECRET))
        with _empty_bucket_on_tls(certificate) as endpoint:
            trusting = settings.model_copy(update={"endpoint": endpoint, "ca_file": authority})
            assert not Bucket(trusting).exists("0" * 64)
            with pytest.raises(Unavailable, match="certificate that is not trusted"):
                Bucket(settings.model_copy(update={"endpoint": endpoint})).exists("0" * 64)

    def test_the_secret_key_may_stand_in_a_file_that_nobody_else_reads(self, server: S3Server, tmp_path: Path) -> None:
        file = tmp_path / "secret"
        file.write_text(f"{server.settings().secret_access_key.get_secret_value()}\n")  # type: ignore[union-attr]
        file.chmod(0o600)
        settings = server.settings(secret_access_key=None, secret_access_key_file=file)
        opened = open_store(settings)
        assert opened
        check_store(opened)
        file.chmod(0o644)
        with pytest.raises(ConfigurationError, match="Every user"):
            open_store(settings)

    def test_without_a_setting_there_is_no_store(self) -> None:
        assert open_store(ArtifactStore()) is None


def _closed_case(database: Database) -> UUID:
    with database.writing() as session:
        case_id = uuid4()
        session.add(
            Case(
                id=case_id,
                kind="breach",
                event="breach",
                status=CaseStatus.CLOSED,
                title="A case",
                report_digest=str(case_id),
                opened_by="robin",
                opened_at=NOON,
            )
        )
    return case_id


class _Nothing(BaseHTTPRequestHandler):
    """Answers that there is no such object."""

    def do_GET(self) -> None:
        said = b"<Error><Code>NoSuchKey</Code></Error>"
        self.send_response(404)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _empty_bucket_on_tls(certificate: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Nothing) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def _away(*_: object) -> None:
    raise Unavailable("The store of artifacts does not answer.")


def _named(flaw: Flaw | None) -> tuple[Step, int, str | None] | None:
    return (flaw.step, flaw.number, flaw.artifact) if flaw else None
