"""The OpenID provider that the settings name, as its client: authorization code with PKCE, state and nonce.

What is checked of an answer is what OpenID Connect Core 1.0, 3.1.3.7, asks of the code flow; the steps are Authlib's.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import ClaimError, ExpiredTokenError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from pydantic import BaseModel, ConfigDict, ValidationError

from config.settings import Settings
from models.errors import Unavailable
from records.challenges import Challenge
from records.openid import Identity, OpenIdRefusal

CALLBACK = "/sign-in/openid/callback"
SCOPE = "openid email"
ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
"""The signatures that are taken: none that a shared secret makes."""

READ_AGAIN = timedelta(hours=1)
"""When the provider's metadata and keys are read again; a key that is not known is looked for at once."""

TIMEOUT_SECONDS = 10
LEEWAY_SECONDS = 60
"""How far the provider's clock may be off."""


class Metadata(BaseModel):
    """What is read of the provider's own description (OpenID Connect Discovery 1.0, 3)."""

    model_config = ConfigDict(frozen=True)

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None


@dataclass(frozen=True)
class _Known:
    """The provider as it was when it was last read."""

    metadata: Metadata
    keys: KeySet
    read_at: datetime


class OpenIdProvider:
    """One provider, for one installation; safe to share between threads.

    Args:
        issuer: the provider, exactly as it calls itself.
        client_id: what it calls this installation.
        client_secret: what it tells this installation by.
        public_url: where this installation is reached.
        clock: tells the time.
    """

    def __init__(
        self, issuer: str, client_id: str, client_secret: str, public_url: str, clock: Callable[[], datetime]
    ) -> None:
        self.issuer = issuer
        self._client_id = client_id
        self._client_secret = client_secret
        self._redirect_uri = f"{public_url}{CALLBACK}"
        self._clock = clock
        self._trusts = httpx.create_ssl_context()  # reading the certificates of this machine takes a while
        self._known: _Known | None = None
        self._reading = Lock()

    @property
    def name(self) -> str:
        """What people are shown: the provider's host."""
        return urlsplit(self.issuer).netloc

    def address(self, challenge: Challenge) -> str:
        """Where a browser goes in order to sign in.

        Raises:
            Unavailable: the provider does not answer as one should.
            OpenIdRefusal: it calls itself otherwise.
        """
        with self._http() as http:
            url, _ = self._client(http).create_authorization_url(
                self._provider(http).metadata.authorization_endpoint,
                state=challenge.draw_text("state"),
                nonce=challenge.draw_text("nonce"),
                code_verifier=challenge.draw_text("verifier"),
            )
        return str(url)

    def identity(self, challenge: Challenge, answer: Mapping[str, str]) -> Identity:
        """Who came back from the provider.

        Args:
            challenge: what this browser was sent there with.
            answer: the parameters that it came back with.

        Raises:
            OpenIdRefusal: the provider signed nobody in, or its answer is not for this browser or this installation.
            Unavailable: it does not answer as one should.
        """
        if not hmac.compare_digest(answer.get("state", "").encode(), challenge.draw_text("state").encode()):
            raise OpenIdRefusal("wrong_state", "This answer of the provider belongs to another sign-in.")
        if answer.get("iss", self.issuer) != self.issuer:  # RFC 9207
            raise _wrong_issuer()
        if "code" not in answer:
            raise OpenIdRefusal("signed_nobody_in", "The provider did not sign you in.")
        with self._http() as http:
            provider = self._provider(http)
            token = self._token(http, provider, answer["code"], challenge)
            claims = self._claims(http, provider, token, challenge)
            return self._identity(http, provider, token, claims)

    def _http(self) -> httpx.Client:
        return httpx.Client(verify=self._trusts, timeout=TIMEOUT_SECONDS)

    def _client(self, http: httpx.Client) -> OAuth2Client:
        return OAuth2Client(
            http,
            client_id=self._client_id,
            client_secret=self._client_secret,
            redirect_uri=self._redirect_uri,
            scope=SCOPE,
            code_challenge_method="S256",
        )

    def _provider(self, http: httpx.Client, *, anew: bool = False) -> _Known:
        with self._reading:
            known = self._known
            if known is None or anew or self._clock() - known.read_at >= READ_AGAIN:
                known = self._known = self._read(http)
            return known

    def _read(self, http: httpx.Client) -> _Known:
        try:
            described = self._get(http, f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
            metadata = Metadata.model_validate(described)
            keys = KeySet.import_key_set(self._get(http, metadata.jwks_uri))
        except (ValidationError, JoseError, KeyError) as error:
            raise self._unavailable() from error
        if metadata.issuer != self.issuer:
            raise _wrong_issuer()
        return _Known(metadata, keys, self._clock())

    def _get(self, http: httpx.Client, url: str, **headers: str) -> Any:
        try:
            return http.get(url, headers=headers).raise_for_status().json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise self._unavailable() from error

    def _token(self, http: httpx.Client, provider: _Known, code: str, challenge: Challenge) -> Mapping[str, Any]:
        named = (quote(self._client_id, safe=""), quote(self._client_secret, safe=""))  # RFC 6749, 2.3.1
        try:
            token: Mapping[str, Any] = self._client(http).fetch_token(
                provider.metadata.token_endpoint,
                grant_type="authorization_code",
                code=code,
                code_verifier=challenge.draw_text("verifier"),
                auth=httpx.BasicAuth(*named),
            )
        except OAuth2Error as error:
            raise OpenIdRefusal("wrong_code", "The provider did not take its own answer back.") from error
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise self._unavailable() from error
        return token

    def _claims(
        self, http: httpx.Client, provider: _Known, token: Mapping[str, Any], challenge: Challenge
    ) -> CodeIDToken:
        """The claims of the ID token, each of them checked."""
        try:
            try:
                decoded = _decode(token, provider.keys)
            except InvalidKeyIdError:
                decoded = _decode(token, self._provider(http, anew=True).keys)
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                {
                    "iss": {"essential": True, "value": self.issuer},
                    "aud": {"essential": True, "value": self._client_id},
                },
                {
                    "nonce": challenge.draw_text("nonce"),
                    "client_id": self._client_id,
                    "access_token": token.get("access_token"),
                },
            )
            claims.validate(int(self._clock().timestamp()), LEEWAY_SECONDS)
        except ExpiredTokenError as error:
            raise OpenIdRefusal("expired", "The provider's word about you has expired.") from error
        except ClaimError as error:
            raise _wrong(error.claim) from error
        except (JoseError, ValueError, KeyError) as error:
            raise OpenIdRefusal("wrong_signature", "The provider's word about you is not signed by it.") from error
        return claims

    def _identity(
        self, http: httpx.Client, provider: _Known, token: Mapping[str, Any], claims: Mapping[str, Any]
    ) -> Identity:
        """The identity, with its address from where the provider gives it: the ID token, or its page about users."""
        subject, about = str(claims["sub"]), claims
        if "email" not in claims and provider.metadata.userinfo_endpoint:
            authorization = f"Bearer {token.get('access_token', '')}"
            about = self._get(http, provider.metadata.userinfo_endpoint, Authorization=authorization)
            if about.get("sub") != subject:  # OpenID Connect Core 1.0, 5.3.2
                raise _wrong("sub")
        email = about.get("email")
        verified = about.get("email_verified") is True and isinstance(email, str)
        return Identity(self.issuer, subject, email if verified else None)

    def _unavailable(self) -> Unavailable:
        return Unavailable(
            "The OpenID provider does not answer as it should.",
            where=self.issuer,
            next_step="Try again in a while, or sign in another way.",
        )


def openid_provider(settings: Settings, clock: Callable[[], datetime]) -> OpenIdProvider | None:
    """The provider that the settings name, if they name one."""
    if not (settings.oidc_issuer and settings.oidc_client_id and settings.oidc_client_secret):
        return None
    secret = settings.oidc_client_secret.get_secret_value()
    return OpenIdProvider(settings.oidc_issuer, settings.oidc_client_id, secret, settings.public_url, clock)


def _decode(token: Mapping[str, Any], keys: KeySet) -> jwt.Token:
    registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
    return jwt.decode(str(token["id_token"]), keys, registry=registry)


def _wrong_issuer() -> OpenIdRefusal:
    return OpenIdRefusal(
        "wrong_issuer", "This is the word of another provider than the one set up here.", "Ask an administrator."
    )


def _wrong(claim: str) -> OpenIdRefusal:
    """What is said of a claim that is missing or wrong."""
    match claim:
        case "iss":
            return _wrong_issuer()
        case "aud" | "azp":
            return OpenIdRefusal("wrong_audience", "The provider's word about you is meant for another site.")
        case "nonce":
            return OpenIdRefusal("wrong_nonce", "The provider's word about you belongs to another sign-in.")
        case _:
            return OpenIdRefusal(f"wrong_{claim}", "The provider's word about you lacks something, or is not true yet.")
