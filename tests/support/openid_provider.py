"""An OpenID provider on loopback, for tests: it speaks the authorization code flow with PKCE, and signs what it says.

It signs in whoever ``person`` is, without asking. A test may have it lie in one respect.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from starter.resources import utc_now

CLIENT_ID, CLIENT_SECRET = "duenotice", "kept by both: 100%"
LASTS_SECONDS = 300


@dataclass
class Person:
    """Who is signed in at the provider."""

    subject: str
    email: str | None
    email_verified: object = True


@dataclass
class ProviderOnLoopback:
    """The provider as a test holds it.

    Attributes:
        issuer: what it calls itself.
        person: whom it signs in.
        lies: claims of its next tokens that are not as they should be.
        calls_itself: what its description says that it is, where that is a lie.
        tells_apart: whether it tells of the person on the page about users alone.
    """

    issuer: str
    person: Person
    lies: dict[str, object] = field(default_factory=dict)
    calls_itself: str | None = None
    tells_apart: bool = False
    key: ECKey = field(default_factory=lambda: _new_key())
    asked: dict[str, dict[str, str]] = field(default_factory=dict)
    tokens: dict[str, Person] = field(default_factory=dict)

    def rotate(self) -> None:
        """Sign by another key from now on."""
        self.key = _new_key()

    def app(self) -> Starlette:
        """Its pages."""
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._describe),
                Route("/keys", self._keys),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/userinfo", self._userinfo),
            ]
        )

    async def _describe(self, _: Request) -> Response:
        places = {"authorization": "authorize", "token": "token", "userinfo": "userinfo"}
        described = {f"{name}_endpoint": f"{self.issuer}/{place}" for name, place in places.items()}
        return JSONResponse(
            {"issuer": self.calls_itself or self.issuer, "jwks_uri": f"{self.issuer}/keys", **described}
        )

    async def _keys(self, _: Request) -> Response:
        return JSONResponse(KeySet([self.key]).as_dict(private=False))

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT_ID)
        assert (asked["code_challenge_method"], "openid" in asked["scope"].split()) == ("S256", True)
        code = secrets.token_urlsafe()
        self.asked[code] = asked
        back = urlencode({"code": code, "state": asked["state"]})
        return RedirectResponse(f"{asked['redirect_uri']}?{back}", 302)

    async def _token(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        asked = self.asked.pop(form.get("code", ""), None)
        if request.headers.get("authorization") != _basic():
            return JSONResponse({"error": "invalid_client"}, 401)
        if (
            asked is None
            or form["grant_type"] != "authorization_code"
            or form["redirect_uri"] != asked["redirect_uri"]
            or _challenge_of(form["code_verifier"]) != asked["code_challenge"]
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        access_token = secrets.token_urlsafe()
        self.tokens[access_token] = self.person
        return JSONResponse(
            {"access_token": access_token, "token_type": "Bearer", "id_token": self._id_token(asked["nonce"])}
        )

    async def _userinfo(self, request: Request) -> Response:
        person = self.tokens[request.headers["authorization"].removeprefix("Bearer ")]
        return JSONResponse({"sub": person.subject, **_address(person)})

    def _id_token(self, nonce: str) -> str:
        now = int(utc_now().timestamp())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": self.person.subject,
            "aud": [CLIENT_ID],
            "iat": now,
            "exp": now + LASTS_SECONDS,
            "nonce": nonce,
            **({} if self.tells_apart else _address(self.person)),
            **self.lies,
        }
        return jwt.encode({"alg": "ES256", "kid": self.key.kid}, claims, self.key)


@asynccontextmanager
async def provider_on_loopback(person: Person) -> AsyncIterator[ProviderOnLoopback]:
    """A provider on a port of its own, as long as it is needed."""
    listener = socket.create_server(("127.0.0.1", 0))
    provider = ProviderOnLoopback(f"http://127.0.0.1:{listener.getsockname()[1]}", person)
    server = uvicorn.Server(uvicorn.Config(provider.app(), log_config=None))
    running = asyncio.create_task(server.serve(sockets=[listener]))
    yield provider
    server.should_exit = True
    await running


def _address(person: Person) -> dict[str, object]:
    return {"email": person.email, "email_verified": person.email_verified} if person.email else {}


def _basic() -> str:
    """What the client says who it is (RFC 6749, 2.3.1; RFC 7617)."""
    named = f"{quote(CLIENT_ID, safe='')}:{quote(CLIENT_SECRET, safe='')}"
    return f"Basic {b64encode(named.encode()).decode()}"


def _challenge_of(verifier: str) -> str:
    """What a client that holds the verifier said when it began (RFC 7636, 4.2)."""
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")


def _new_key() -> ECKey:
    return ECKey.generate_key("P-256", {"use": "sig", "kid": secrets.token_hex(4)}, private=True)
