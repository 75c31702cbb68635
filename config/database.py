"""The SQL database: SQLite on one machine, PostgreSQL for an organisation, the same tables and rules on both."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from fcntl import LOCK_EX, flock
from importlib.resources import files
from pathlib import Path
from threading import Event, Lock
from time import monotonic, sleep, time
from uuid import UUID

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, inspect, make_url, select, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry
from sqlmodel import Session

from config.database_rights import Excess, excess_rights, give_rights, make_role
from config.object_store import ObjectStore, session_info
from config.private_files import private_file, take_from_others
from models.columns import Sealer, bind_sealer, place_sealed_values
from models.errors import ConfigurationError, DuenoticeError, InvalidInput, Unavailable

_BUSY_MILLISECONDS = 30_000
"""How long a SQLite writer waits for the one before it."""

_PAGES_OF_LOG, _KIBIBYTES_OF_CACHE = 8_000, 6_000
"""How many pages of SQLite's log wait to go into the file (32 MB), and how much of the file a connection remembers."""

KEPT_CONNECTIONS = 5
"""How many connections stay open while nobody needs them."""

_MIGRATION_LOCK = 0x6475656E
"""The PostgreSQL advisory lock that lets one process migrate at a time."""

_NAMES, _NAME_LOCKS = 0x6E616D65, 64
"""The PostgreSQL advisory locks that let one transaction at a time keep what has a certain name."""


class Database:
    """One engine, for all threads of a process; opening it binds the sealer that sealed columns use.

    Args:
        url: ``sqlite:///PATH`` (the folder is made if missing) or ``postgresql://…``.
        sealer: the keyring.
        objects: where larger artifacts are kept instead, if anywhere; sessions bring it along (``objects_of``).
        connections: how many are open at the same time, at most; a thread that needs another waits for one of them.

    Raises:
        ConfigurationError: the URL names neither a SQLite file nor a PostgreSQL database.
    """

    def __init__(
        self,
        url: str,
        sealer: Sealer,
        objects: ObjectStore | None = None,
        *,
        connections: int = KEPT_CONNECTIONS,
    ) -> None:
        bind_sealer(sealer)
        self.objects = objects
        self._info = session_info(objects)
        target = _parse(url)
        # hide_parameters: an error's text must not quote what a row was going to hold.
        self.engine: Engine = create_engine(
            target,
            hide_parameters=True,
            pool_pre_ping=target.get_backend_name() != "sqlite",
            pool_size=KEPT_CONNECTIONS,
            max_overflow=max(0, connections - KEPT_CONNECTIONS),
        )
        place_sealed_values(self.engine)
        if self.engine.dialect.name == "sqlite":
            _have_private(Path(str(target.database)))
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
            self._reader = self.engine
            self._turn: _Turn | None = _Turn(Path(f"{target.database}.turn"))
        else:
            self._reader = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            self._turn = None
        self._writer = self.engine.execution_options(duenotice_writing=True)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Give a session whose whole work is committed at the end, or undone if anything is raised.

        Raises:
            Unavailable: the database does not answer, or other writers kept it busy for too long.
            ConfigurationError: the tables are missing.
        """
        with _explained(), self._turn or nullcontext(), self._session(self._writer) as session, session.begin():
            yield session

    def give_way(self) -> None:
        """Wait while another thread of this process writes to SQLite; whoever writes itself must not.

        Python lets one thread compute at a time. One that writes lets others compute with each row, and gets no more of
        it until they have for 5 ms, while all other writers wait for it: so what computes for long lets it end first.
        """
        if self._turn:
            self._turn.wait_until_free()

    @contextmanager
    def erasing(self) -> Iterator[Session]:
        """As ``writing``, for what is to be gone for good: SQLite overwrites what is deleted, and empties its log.

        On PostgreSQL, what was stays in dead rows until they are vacuumed, and in the log as long as that is archived.

        Raises: as ``writing``.
        """
        with self.writing() as session:
            if self.engine.dialect.name == "sqlite":
                session.execute(text("PRAGMA secure_delete = ON"))
            yield session
            if self.engine.dialect.name == "sqlite":
                session.execute(text("PRAGMA secure_delete = OFF"))
        if self._turn:
            with self._turn, self.engine.connect() as connection:
                connection.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session that sees one moment of the database throughout, and that the database lets only read.

        Raises:
            Unavailable: the database does not answer.
            ConfigurationError: the tables are missing.
        """
        with _explained(), self._session(self._reader) as session:
            yield session

    def _session(self, engine: Engine) -> Session:
        return Session(engine, expire_on_commit=False, info=self._info)

    def clock_ahead(self) -> float | None:
        """How far this machine's clock is ahead of the database server's, in seconds; None where both are one.

        Raises:
            Unavailable: the database does not answer.
        """
        with _explained(), self._reader.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.execute(text("SELECT 1"))
                return None
            asked = time()
            there: float = connection.execute(text("SELECT extract(epoch FROM clock_timestamp())::float8")).scalar_one()
            return (asked + time()) / 2 - there

    def migrate(self) -> None:
        """Bring the tables to the version that this code needs, all of it or nothing; safe to call at every start.

        Where they are of that version, nobody is waited for: whoever only reads can do so while another writes.

        Raises:
            Unavailable: the database does not answer.
        """
        with _explained(), self._reader.connect() as connection:
            if _is_current(connection):
                return
        with _explained(), self._writer.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
            if not _is_current(connection):
                _upgrade(connection)

    def give_rights(self, role: str, password: str | None) -> bool:
        """Give a role of PostgreSQL what the engine needs and no more; return whether the role was made for that.

        This database has to be opened as the owner of its tables, who may make roles where that one is missing.

        Raises:
            Unavailable: the database does not answer.
            ConfigurationError: whoever it is opened as may not do that.
        """
        with _explained(), self._writer.begin() as connection:
            made = make_role(connection, role, password)
            give_rights(connection, role)
            return made

    def excess_rights(self) -> Excess | None:
        """What the role that this is opened as could do to the ledger, and must not; None on SQLite, which has none.

        Raises:
            Unavailable: the database does not answer.
        """
        if self.engine.dialect.name == "sqlite":
            return None
        with _explained(), self.engine.connect() as connection:
            return excess_rights(connection)

    def size(self) -> int:
        """How many bytes of a SQLite database are in use; 0 for PostgreSQL, which is copied by tools of its own."""
        if self.engine.dialect.name != "sqlite":
            return 0
        with _explained(), self._reader.connect() as connection:
            pages, free, page = (
                connection.execute(text(f"PRAGMA {name}")).scalar_one()
                for name in ("page_count", "freelist_count", "page_size")
            )
            return int(pages - free) * int(page)

    def copy_to(self, file: Path) -> None:
        """Write a copy of a SQLite database as it is at one moment, while others go on reading and writing it.

        What was deleted is not in it, nor is the log of SQLite beside it, without which a file that is merely copied
        lacks the newest or cannot be read.

        Raises:
            InvalidInput: it is PostgreSQL, there is such a file, or it cannot be written.
            Unavailable: the database does not answer.
        """
        if self.engine.dialect.name != "sqlite":
            raise InvalidInput(
                "PostgreSQL keeps the tables, and has tools of its own for copies.",
                where="DUENOTICE_DATABASE_URL",
                next_step="Use pg_dump --format=custom, or the continuous archiving of your PostgreSQL.",
            )
        if file.exists():
            raise InvalidInput(f"There is a file {file} already.", where=f"{file}", next_step="Name a new one.")
        try:
            private_file(file)
        except OSError as error:
            raise _not_written(file, f"{error.strerror}") from None
        try:
            with _explained(), self.engine.connect() as connection:
                driver = connection.connection.cursor()
                driver.execute("PRAGMA query_only = OFF")  # whoever read by this connection before left it on
                driver.execute("VACUUM INTO ?", (str(file),))
            with file.open("rb") as copy:
                os.fsync(copy.fileno())
            with closing(sqlite3.connect(file)) as copied:
                (found,) = copied.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise sqlite3.DatabaseError(found)
        except sqlite3.Error as error:
            file.unlink(missing_ok=True)
            raise _not_written(file, str(error)) from error

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()


def _not_written(file: Path, why: str) -> InvalidInput:
    return InvalidInput(
        f"The copy cannot be written: {why}.", where=f"{file}", next_step="Name a file where there is room for it."
    )


def one_at_a_time(session: Session, names: Iterable[UUID]) -> None:
    """Wait until no other transaction that named any of these is under way, so that what it kept is seen.

    SQLite's writers come one at a time anyway. On PostgreSQL a few dozen locks stand for all names: their number is
    bounded, and transactions that take them in one order never wait for each other in a circle.
    """
    if session.get_bind().dialect.name == "postgresql":
        for lock in sorted({name.int % _NAME_LOCKS for name in names}):
            session.execute(select(func.pg_advisory_xact_lock(_NAMES, lock)))


def _have_private(file: Path) -> None:
    """Have a database's file, which SQLite takes the modes of those beside it from, be its owner's alone."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        private_file(file)
    except OSError as error:
        raise ConfigurationError(
            f"The database's file cannot be made or used: {error.strerror}.",
            where="database_url",
            next_step="Name another in DUENOTICE_HOME or DUENOTICE_DATABASE_URL.",
        ) from None
    for beside in ("-wal", "-shm", ".turn"):
        take_from_others(Path(f"{file}{beside}"))


class _Turn:
    """Lets one writer at a time at a SQLite file: threads and processes that queue up here follow each other at once.

    SQLite lets them try again and again instead, with pauses that grow. The file that is locked holds nothing; the
    kernel frees it when a process ends, however that is.
    """

    def __init__(self, file: Path) -> None:
        self._threads = Lock()
        self._is_free = Event()
        self._is_free.set()
        self._file = file
        self._held = ExitStack()

    def __enter__(self) -> None:
        """Wait for the turn."""
        with ExitStack() as turn:
            turn.enter_context(self._threads)
            try:
                private_file(self._file)
                flock(turn.enter_context(self._file.open("a")), LOCK_EX)
            except OSError as error:
                raise Unavailable(
                    f"The database cannot be written: {error.strerror}.",
                    where=str(self._file),
                    next_step="Look at the disk it lies on; nothing of this was kept.",
                ) from error
            self._held = turn.pop_all()
            self._is_free.clear()

    def __exit__(self, *_: object) -> None:
        """Let the next one write."""
        self._is_free.set()
        self._held.close()

    def wait_until_free(self) -> None:
        """Wait until no thread of this process has it, if only for a moment."""
        self._is_free.wait()


def sealing_key(url: str) -> str | None:
    """Return the id of the key that a database was last sealed under; None where there is no such database yet.

    It needs no keyring, so that none is made where the right one is only missing.

    Raises:
        ConfigurationError: the URL names no database that can keep the tables.
        Unavailable: the database does not answer.
    """
    target = _parse(url)
    if target.get_backend_name() == "sqlite" and not Path(str(target.database)).exists():
        return None
    engine = create_engine(target, hide_parameters=True, pool_pre_ping=False)
    try:
        with _explained(), engine.connect() as connection:
            if not inspect(connection).has_table("key_check"):
                return None
            return connection.execute(text("SELECT key_id FROM key_check")).scalar()
    finally:
        engine.dispose()


def _is_current(connection: Connection) -> bool:
    """Whether the newest revision, by which its file's name begins, was reached.

    Raises:
        ConfigurationError: the tables are of a later version than this code, which does not know what they mean.
    """
    if not inspect(connection).has_table("alembic_version"):
        return False
    revisions = {file.name[:4] for file in files("migrations").joinpath("versions").iterdir()}
    newest = max(filter(str.isdecimal, revisions))
    reached = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    if unknown := [revision for revision in reached if revision not in revisions]:
        raise ConfigurationError(
            f"The database is of a later version ({unknown[0]}) than this program ({newest}).",
            where="database_url",
            next_step="Start the version that ran last, or a later one.",
        )
    return reached == [newest]


def _upgrade(connection: Connection) -> None:
    """Run what is missing of the ``migrations`` package, wherever it is installed."""
    from alembic import command  # slow to import, and most commands find the tables as they should be
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(files("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _parse(url: str) -> URL:
    advice = "Use sqlite:///path/to/file or postgresql://user:password@host/name."
    try:
        target = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigurationError("The database URL cannot be read.", where="database_url", next_step=advice) from None
    match target.get_backend_name():
        case "sqlite" if target.database not in (None, "", ":memory:"):
            return target
        case "postgresql":
            return target.set(drivername="postgresql+psycopg")
        case other:
            raise ConfigurationError(
                f"This database ({other}) cannot keep the tables: it must be a SQLite file or PostgreSQL.",
                where="database_url",
                next_step=advice,
            )


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    assert isinstance(connection, sqlite3.Connection)
    connection.isolation_level = None  # Python's own implicit BEGIN would come too late and be of the wrong kind
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
    _use_wal(connection)
    # WAL's usual NORMAL may lose the last commits in a power cut: a notice would be out and its evidence gone.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    # A large case changes the same pages again and again: each goes into the file seldom, not after every few commits.
    connection.execute(f"PRAGMA wal_autocheckpoint = {_PAGES_OF_LOG}")
    connection.execute(f"PRAGMA cache_size = -{_KIBIBYTES_OF_CACHE}")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Use a write-ahead log; SQLite does not itself wait where several processes turn a new file to it at once."""
    until = monotonic() + _BUSY_MILLISECONDS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or monotonic() > until:
                raise
            sleep(0.01)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    """Begin writers IMMEDIATE, since one that began by reading could deadlock with another; let readers only read."""
    writing = connection.get_execution_options().get("duenotice_writing", False)
    connection.exec_driver_sql(f"PRAGMA query_only = {'OFF' if writing else 'ON'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what the driver says when the database is away, busy or empty into a sentence."""
    try:
        yield
    except (OperationalError, ProgrammingError) as error:
        raise _explain(error) or error from error
    except PoolTimeout as error:
        raise Unavailable(
            "The database is asked for so much just now that this had to wait too long.",
            next_step="Trying again later may help; nothing of this was kept.",
        ) from error


def _explain(error: OperationalError | ProgrammingError) -> DuenoticeError | None:
    says = str(error.orig)
    if "no such table" in says or type(error.orig).__name__ == "UndefinedTable":
        return ConfigurationError(
            "The database has no tables, or old ones.", next_step="Migrate it: `duenotice up` does."
        )
    if "no such column" in says or type(error.orig).__name__ == "UndefinedColumn":
        return ConfigurationError(
            f"The tables are not those of this version: {says.strip().splitlines()[0]}.",
            where="database_url",
            next_step="No version was released yet, so no path leads from older ones: begin with a new DUENOTICE_HOME, "
            "or start the version that made these.",
        )
    if type(error.orig).__name__ == "InsufficientPrivilege":
        return ConfigurationError(
            f"PostgreSQL does not let this role do that: {says.strip().splitlines()[0]}.",
            where="DUENOTICE_DATABASE_URL",
            next_step="Run `duenotice migrate` as the owner of the tables: it brings them up to date, and gives the "
            "engine's role the rights that it needs.",
        )
    if not isinstance(error, OperationalError):
        return None
    lets_nobody_in = re.search(r'role ".*" does not exist|database ".*" does not exist|authentication failed', says)
    return Unavailable(
        f"The database does not answer: {says.strip().splitlines()[0] if says.strip() else 'no reason given'}.",
        next_step="Nothing of this was kept. `duenotice migrate` makes the engine's role and the tables; or correct "
        "DUENOTICE_DATABASE_URL."
        if lets_nobody_in
        else "Trying again later may help; nothing of this was kept.",
    )
