"""What Temporal is given to keep: every payload encrypted, so that histories on its server hold ciphertext only."""

from __future__ import annotations

from collections.abc import Sequence

from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from config.keyring import Keyring

ENCODING = b"binary/encrypted"
"""The ``encoding`` metadata of an encrypted payload."""

_CONTEXT = b"temporal.payload"


class EncryptingCodec(PayloadCodec):
    """Seals each payload whole, its own metadata included; the key's id stays readable in the metadata."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Return the payloads sealed under the newest key."""
        return [self._seal(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Return the payloads opened.

        One that was never encrypted is passed on, so that an operator's plain signal from Temporal's own tools is
        judged by the workflow's validators instead of blocking the workflow.

        Raises:
            IntegrityError: a payload was changed.
            ConfigurationError: the keyring does not hold the key of a payload.
        """
        return [self._open(payload) for payload in payloads]

    def _seal(self, payload: Payload) -> Payload:
        return Payload(
            metadata={"encoding": ENCODING, "encryption-key-id": self._keyring.sealing_key_id.encode()},
            data=self._keyring.seal(payload.SerializeToString(), _CONTEXT),
        )

    def _open(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING:
            return payload
        return Payload.FromString(self._keyring.open(payload.data, _CONTEXT))
