"""Time stamps (RFC 3161): an authority's signed word that a head of the ledger was there at an instant.

The answer is kept only if it is of the head's very bytes and its signature leads to a root that the installation was
given. ``rfc3161-client`` does both; it is an extra (``duenotice[timestamps]``), since most installations ask nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from sqlmodel import Session, col, select, update

from models.errors import ConfigurationError, IntegrityError
from models.tables import LedgerCheckpoint

EVERY = timedelta(days=1)
"""How often an authority is asked: a head covers all that was before it."""

REQUEST_TYPE, ANSWER_TYPE = "application/timestamp-query", "application/timestamp-reply"

Ask = Callable[[bytes], bytes]
"""Sends a request to the authority, and gives its answer."""


class Stamping:
    """Asks an authority for time stamps, and checks them.

    Args:
        roots: the file with the certificates that its signature has to lead to (PEM).

    Raises:
        ConfigurationError: the extra is not installed, or the file cannot be used.
    """

    def __init__(self, roots: Path) -> None:
        try:
            import rfc3161_client
        except ImportError:
            raise ConfigurationError(
                "Time stamps need a library that is not installed.",
                where="DUENOTICE_TIMESTAMP_URL",
                next_step="Install duenotice[timestamps], or unset it.",
            ) from None
        self._library: Any = rfc3161_client
        try:
            self._roots = x509.load_pem_x509_certificates(roots.read_bytes())
        except (OSError, ValueError):
            raise ConfigurationError(
                "The certificates of the time-stamping authority cannot be read.",
                where=str(roots),
                next_step="DUENOTICE_TIMESTAMP_CA_FILE names a file of them, in PEM.",
            ) from None

    def stamp(self, note: bytes, ask: Ask) -> bytes:
        """Get a time stamp of a head's bytes.

        Raises:
            IntegrityError: the answer is no time stamp of them, or is not the authority's.
        """
        library = self._library
        builder = library.TimestampRequestBuilder().data(note).hash_algorithm(library.HashAlgorithm.SHA256)
        request = builder.nonce(nonce=True).cert_request(cert_request=True).build()
        answer = ask(request.as_bytes())
        try:
            response = library.decode_timestamp_response(answer)
            verifier = library.VerifierBuilder(roots=list(self._roots)).nonce(request.nonce).build()
            verifier.verify_message(response, note)
        except (ValueError, library.VerificationError) as error:
            raise IntegrityError(
                f"The answer of the time-stamping authority is no time stamp of the head: {error}.",
                where="DUENOTICE_TIMESTAMP_URL",
            ) from error
        return answer


def to_be_stamped(session: Session, now: datetime) -> LedgerCheckpoint | None:
    """The newest head, unless one was stamped within the last day."""
    row = LedgerCheckpoint
    recent = select(row.size).where(col(row.timestamp_token).is_not(None), col(row.kept_at) > now - EVERY)
    if session.exec(recent.limit(1)).first() is not None:
        return None
    newest = session.exec(select(row).order_by(col(row.size).desc()).limit(1)).first()
    return newest if newest and newest.timestamp_token is None else None


def keep_stamp(session: Session, size: int, token: bytes) -> None:
    """Keep the time stamp of the head of so many entries; one that is there stays."""
    row = LedgerCheckpoint
    there = update(row).where(col(row.size) == size, col(row.timestamp_token).is_(None))
    session.execute(there.values(timestamp_token=token))
