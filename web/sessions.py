"""Who is signed in: a signed cookie that names the person, expires after twelve hours, and is kept nowhere else."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from pydantic import BaseModel, ConfigDict, ValidationError

SESSION_LIFETIME = timedelta(hours=12)


class Session(BaseModel):
    """One person signed in by one browser."""

    model_config = ConfigDict(frozen=True)

    actor: str
    expires_at: datetime


@dataclass(frozen=True)
class Sessions:
    """Makes and reads session cookies, signed with ``key``; ``secure`` is whether the site is served over https."""

    key: bytes
    secure: bool

    @property
    def cookie(self) -> str:
        """The cookie's name; browsers hold one named ``__Host-`` to this host, to https and to the whole site."""
        return "__Host-duenotice" if self.secure else "duenotice"

    def begin(self, actor: str, now: datetime) -> Session:
        """A new session of ``actor``, from ``now``."""
        return Session(actor=actor, expires_at=now + SESSION_LIFETIME)

    def write(self, session: Session) -> str:
        """The cookie's value: the session and its signature."""
        said = urlsafe_b64encode(session.model_dump_json().encode()).decode()
        return f"{said}.{self._sign('session', said)}"

    def read(self, value: str | None, now: datetime) -> Session | None:
        """The session that a cookie's value holds, or None if it is absent, altered or expired."""
        said, _, signature = (value or "").partition(".")
        if not hmac.compare_digest(signature.encode(), self._sign("session", said).encode()):
            return None
        try:
            session = Session.model_validate_json(urlsafe_b64decode(said))
        except (NotBase64, ValidationError):
            return None
        return session if now < session.expires_at.astimezone(UTC) else None

    def form_token(self, session: Session) -> str:
        """What each form shown to this person carries, so that no other site can post one in their name.

        It outlives the session: whoever has to sign in again while filling in a long form can still send it.
        """
        return self._sign("form", session.actor)

    def is_form_token(self, session: Session, token: str) -> bool:
        """Whether ``token`` is the one that this person's forms carry."""
        return hmac.compare_digest(token.encode(), self.form_token(session).encode())

    def _sign(self, purpose: str, said: str) -> str:
        return hmac.new(self.key, f"{purpose}:{said}".encode(), sha256).hexdigest()
