"""Where the larger artifacts are kept outside the database, where a setting says so: in a folder, or in a bucket (S3).

What comes here is sealed already, and named by the SHA-256 of its sealed bytes: whoever keeps it can read nothing, not
even guess by a name what it is of, and can see by himself whether it is what was put there. Nothing here is ever
changed: other bytes have another name.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from config.key_files import read_secret
from config.settings import ArtifactStore
from models.errors import ConfigurationError, IntegrityError, NotFound, Unavailable
from models.identifiers import sha256_hex

if TYPE_CHECKING:
    from obstore.store import S3Store
    from sqlmodel import Session

LARGEST_OBJECT = 68 * 2**20
"""How many bytes an object has at most: the largest artifact, packed and sealed, is some bytes longer than it was."""

_OBJECTS = "objects"
_CONNECT_SECONDS = 5.0
_RETRIES = 2


class ObjectStore(Protocol):
    """Keeps sealed bytes by name.

    Each method raises ``Unavailable`` where the store does not answer in time, or does not let this installation do so.
    """

    @property
    def called(self) -> str:
        """What it is, for people; no secret."""

    def put(self, name: str, content: bytes) -> None:
        """Keep bytes; once this returns, they are on a disk. The same name again is the same bytes again."""

    def get(self, name: str) -> bytes:
        """Return the bytes of a name; raise ``NotFound`` where there are none."""

    def exists(self, name: str) -> bool:
        """Whether there are bytes of this name."""

    def delete(self, name: str) -> None:
        """Let the bytes of a name go; none may be there."""


def objects_of(session: Session) -> ObjectStore | None:
    """The store outside the database that a session's installation has, if it has one."""
    found: ObjectStore | None = session.info.get(_OBJECTS)
    return found


def session_info(objects: ObjectStore | None) -> dict[str, ObjectStore | None]:
    """What a session is made with, so that ``objects_of`` finds the store."""
    return {_OBJECTS: objects}


def open_store(settings: ArtifactStore) -> ObjectStore | None:
    """The store that the settings name; None where everything stays in the database. Nothing is asked of it yet.

    Raises:
        ConfigurationError: the file with the secret key, or with the certificates, cannot be read.
    """
    if settings.directory:
        return Directory(settings.directory)
    return Bucket(settings) if settings.bucket else None


def get_object(objects: ObjectStore, name: str) -> bytes:
    """Return an object whose name is the SHA-256 of its bytes.

    Raises:
        NotFound: it is not there.
        IntegrityError: its bytes are not those by which it is named.
        Unavailable: the store does not answer.
    """
    content = objects.get(name)
    if sha256_hex(content) != name:
        raise IntegrityError(
            "What the store of artifacts holds is not what was moved there.",
            where=f"object {name}, {objects.called}",
            next_step="Restore it from a backup, and find out who could write there.",
        )
    return content


def check_store(objects: ObjectStore) -> None:
    """Put something there, read it, and take it away: what an installation has to be able to do.

    Raises:
        Unavailable: one of that is not possible.
        IntegrityError: it gives other bytes than were put there.
    """
    content = secrets.token_bytes(32)
    name = sha256_hex(content)
    objects.put(name, content)
    try:
        get_object(objects, name)
    except NotFound:
        raise Unavailable(
            "The store of artifacts does not give what was put there a moment ago.",
            where=objects.called,
            next_step="Use one that reads what was written last.",
        ) from None
    finally:
        objects.delete(name)


class Directory:
    """A folder on a disk that is this installation's own; nobody but its user can read what is put there.

    Args:
        folder: one that is there. It is not made, so that nothing is written where a disk is only missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.called = f"folder {folder}"

    def put(self, name: str, content: bytes) -> None:
        """Write to the disk itself, whole or not at all."""
        path = self._path(name)
        with self._explained():
            self._require()
            path.parent.mkdir(mode=0o700, exist_ok=True)
            beside = path.with_name(f"{name}.{secrets.token_hex(4)}.new")
            try:
                with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                beside.replace(path)
            except BaseException:
                beside.unlink(missing_ok=True)
                raise
            for folder in (path.parent, self._folder):
                _sync(folder)

    def get(self, name: str) -> bytes:
        """Read a file; one that is longer than any object is not read."""
        with self._explained():
            try:
                with self._path(name).open("rb") as file:
                    return _not_too_long(file.read(LARGEST_OBJECT + 1), name)
            except FileNotFoundError:
                self._require()
                raise _missing(name) from None

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        with self._explained():
            self._require()
            return self._path(name).is_file()

    def delete(self, name: str) -> None:
        """Remove a file; that it is gone is on the disk itself."""
        with self._explained():
            self._require()
            path = self._path(name)
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                _sync(path.parent)

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / name

    def _require(self) -> None:
        if not self._folder.is_dir():
            raise FileNotFoundError(errno.ENOENT, "there is no such folder")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Unavailable(
                f"The store of artifacts cannot be used: {error.strerror or type(error).__name__}.",
                where=self.called,
                next_step="See that its disk is there, is not full, and that this user may write to it.",
            ) from error


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Bucket:
    """A bucket of Amazon S3, or of what speaks its language; every name begins with this installation's prefix.

    What is sent is signed with its SHA-256 (Signature Version 4), so that a server takes no other bytes for it.
    """

    def __init__(self, settings: ArtifactStore) -> None:
        self.called = f"bucket {settings.bucket} of {settings.endpoint or 'Amazon S3'}"
        self._store = _client(settings)

    def put(self, name: str, content: bytes) -> None:
        """Send bytes in one request."""
        with self._explained(name):
            try:
                self._store.put(_key(name), content, use_multipart=False)
            except FileNotFoundError as error:  # a server that has the bucket knows no name to be missing
                raise self._no_bucket() from error

    def get(self, name: str) -> bytes:
        """Fetch bytes; more than any object has are not fetched."""
        with self._explained(name):
            found = self._store.get(_key(name))
            if found.meta["size"] > LARGEST_OBJECT:
                raise _too_long(name)
            return _not_too_long(bytes(found.bytes()), name)

    def exists(self, name: str) -> bool:
        """Ask for one byte of it: unlike a mere question, the answer says whether the bucket is there."""
        try:
            with self._explained(name):
                self._store.get_range(_key(name), start=0, length=1)
        except NotFound:
            return False
        return True

    def delete(self, name: str) -> None:
        """Ask the server to let it go."""
        try:
            with self._explained(name):
                self._store.delete(_key(name))
        except NotFound:
            return

    @contextmanager
    def _explained(self, name: str) -> Iterator[None]:
        from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

        try:
            yield
        except FileNotFoundError as error:
            if "<Code>NoSuchBucket</Code>" in str(error):
                raise self._no_bucket() from error
            raise _missing(name) from error
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise Unavailable(
                "The store of artifacts does not let this installation do that.",
                where=self.called,
                next_step="See that the keys in DUENOTICE_ARTIFACTS__… are right, and may list the bucket and get, "
                "put and delete objects below the prefix.",
            ) from error
        except BaseError as error:
            if "InvalidCertificate" in str(error):
                raise Unavailable(
                    "The store of artifacts has a certificate that is not trusted here.",
                    where=self.called,
                    next_step="Name the authority's certificate in DUENOTICE_ARTIFACTS__CA_FILE, if it is yours.",
                ) from error
            raise Unavailable(
                "The store of artifacts does not answer.",
                where=self.called,
                next_step="Trying again later may help; what is kept in the database is there all the same.",
            ) from error

    def _no_bucket(self) -> Unavailable:
        return Unavailable(
            "There is no such bucket.", where=self.called, next_step="Make it, or name another; none is made by itself."
        )


def _client(settings: ArtifactStore) -> S3Store:
    from obstore.store import S3Store  # slow to import, and most installations have no bucket

    config: dict[str, str | bool] = {
        "region": settings.region,
        "virtual_hosted_style_request": settings.virtual_hosted,
        # Not every server deletes many at once; and what AWS_… variables say of these is for other programs.
        "disable_bulk_delete": True,
        "unsigned_payload": False,
        "skip_signature": False,
    }
    if settings.endpoint:
        config |= {"endpoint": settings.endpoint, "aws_endpoint_url_s3": settings.endpoint}
    if settings.access_key_id:
        config |= {"access_key_id": settings.access_key_id, "secret_access_key": _secret(settings)}
    timeout = timedelta(seconds=settings.timeout_seconds)
    options: dict[str, object] = {
        "allow_http": (settings.endpoint or "").startswith("http://"),
        "connect_timeout": min(timeout, timedelta(seconds=_CONNECT_SECONDS)),
        "timeout": timeout,
    }
    if settings.ca_file:
        options["root_certificate"] = _certificates(settings.ca_file)
    try:
        return S3Store(
            settings.bucket,
            prefix=settings.prefix,
            config=config,  # type: ignore[arg-type]  # its own type names each key
            client_options=options,  # type: ignore[arg-type]
            retry_config={"max_retries": _RETRIES, "retry_timeout": timeout},
        )
    except Exception as error:
        raise ConfigurationError(
            f"No client for this bucket can be made ({type(error).__name__}).",
            where="DUENOTICE_ARTIFACTS",
            next_step="Look at the endpoint, and at the certificates where a file of them is named.",
        ) from error


def _secret(settings: ArtifactStore) -> str:
    if settings.secret_access_key:
        return settings.secret_access_key.get_secret_value()
    assert settings.secret_access_key_file
    return read_secret(settings.secret_access_key_file, "secret key of the store of artifacts")


def _certificates(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"The certificates cannot be read ({type(error).__name__}).", where="DUENOTICE_ARTIFACTS__CA_FILE"
        ) from error


def _key(name: str) -> str:
    return f"{name[:2]}/{name}"


def _missing(name: str) -> NotFound:
    return NotFound("There is no such object in the store of artifacts.", where=f"object {name}")


def _too_long(name: str) -> IntegrityError:
    return IntegrityError(
        "The object is longer than any that was put there.",
        where=f"object {name}",
        next_step="Restore it from a backup, and find out who could write there.",
    )


def _not_too_long(content: bytes, name: str) -> bytes:
    if len(content) > LARGEST_OBJECT:
        raise _too_long(name)
    return content
