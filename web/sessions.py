"""Who is signed in: a cookie holds a random token, and SQL knows whose session that is, and whether it lasts."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from config.database import Database
from config.keyring import Keyring
from people.api_tokens import is_ours, read_token
from people.challenges import CHALLENGE_LIFETIME, Challenge
from people.sessions import NewSession, SessionRules, SignedInSession, end_former, read_session
from web.rights import API_FOLDER

Session = SignedInSession


@dataclass(frozen=True)
class Sessions:
    """Finds sessions by their cookies.

    Attributes:
        database: where they are kept.
        keyring: a session ends once its sealing key is no longer the newest.
        idle: how long a session lasts without a request.
        longest: how long it lasts at most.
        secure: whether the site is served over https.
    """

    database: Database
    keyring: Keyring
    idle: timedelta
    longest: timedelta
    secure: bool

    @property
    def cookie(self) -> str:
        """The cookie's name; browsers hold one named ``__Host-`` to this host, to https and to the whole site."""
        return "__Host-duenotice" if self.secure else "duenotice"

    @property
    def rules(self) -> SessionRules:
        """When sessions end, as things are now."""
        return SessionRules(self.idle, self.longest, self.keyring.current_key_id())

    def read(self, request: Request, now: datetime) -> Session | None:
        """The session that a request belongs to, or None; a program has none, and shows a token each time."""
        if shown := self._api_token(request):
            return read_token(self.database, shown, now)
        token = self._token(request)
        return read_session(self.database, token, self.rules, now) if token else None

    def is_given(self, request: Request) -> bool:
        """Whether a request bears a cookie or a token that was given to somebody here, whether or not it is still good.

        It asks no database, so that strangers who make them up keep nobody waiting.
        """
        return (self._api_token(request) or self._token(request)) is not None

    def _api_token(self, request: Request) -> str | None:
        """The token of a program, if it is one of ours; it counts for nothing but the JSON interface."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        shown = scheme.casefold() == "bearer" and request.scope["path"].startswith(API_FOLDER)
        return token if shown and is_ours(self.keyring, token) else None

    def _token(self, request: Request) -> str | None:
        """The token of a request's cookie, where the mark beside it shows that it is one of ours."""
        token, _, mark = request.cookies.get(self.cookie, "").partition(".")
        return token if token and hmac.compare_digest(mark.encode(), self._mark(token).encode()) else None

    def _mark(self, token: str) -> str:
        return hmac.new(self._marking_key, token.encode(), sha256).hexdigest()

    @cached_property
    def _marking_key(self) -> bytes:
        return self.keyring.derive(b"web-session")

    def give(self, response: Response, begun: NewSession, former: UUID | None, now: datetime) -> None:
        """Have the browser keep a session that has just begun, and end the one that it had before."""
        if former is not None:
            end_former(self.database, former, now)
        response.set_cookie(
            self.cookie,
            f"{begun.token}.{self._mark(begun.token)}",
            max_age=int(self.longest.total_seconds()),
            secure=self.secure,
            httponly=True,
            samesite="strict",
        )

    def take_away(self, response: Response) -> None:
        """Have the browser forget its session."""
        response.delete_cookie(self.cookie, secure=self.secure, httponly=True, samesite="strict")

    @property
    def challenge_cookie(self) -> str:
        """The name of the cookie that holds what a browser has to answer."""
        return f"{self.cookie}-challenge"

    def challenge_of(self, request: Request) -> str:
        """The secret of the challenge that a browser was given last; blank if it was given none."""
        return request.cookies.get(self.challenge_cookie, "")

    def give_challenge(self, response: Response, challenge: Challenge) -> None:
        """Have the browser keep what it has to answer.

        The answer of an OpenID provider comes as a link from another site, to which browsers send no ``strict`` cookie.
        """
        response.set_cookie(
            self.challenge_cookie,
            challenge.secret,
            max_age=int(CHALLENGE_LIFETIME.total_seconds()),
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )

    def form_token(self, session: Session) -> str:
        """What each form shown to this person carries, so that no other site can post one in their name.

        It outlives the session: whoever has to sign in again while filling in a long form can still send it. It signs
        nobody in.
        """
        key = self.keyring.derive(b"web-form")
        return hmac.new(key, f"form:{session.account_id}".encode(), sha256).hexdigest()

    def is_form_token(self, session: Session, token: str) -> bool:
        """Whether ``token`` is the one that this person's forms carry."""
        return hmac.compare_digest(token.encode(), self.form_token(session).encode())
