"""What Temporal is given to keep: every payload sealed, and bound to the one workflow that it was made for.

Whoever can reach Temporal can hand its workflows whatever he likes. Nothing of it counts that was not sealed under the
installation's keyring for this very workflow: neither a plain payload, nor one that was copied from another case.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    ActivitySerializationContext,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)

from config.keyring import Keyring
from models.errors import ConfigurationError, IntegrityError

ENCODING = b"binary/encrypted"
"""The ``encoding`` metadata of an encrypted payload."""

NOT_SEALED = b"binary/not-sealed"
"""The ``encoding`` of what stands in place of a payload that was not sealed for its workflow, or was changed since."""

KEY_MISSING = b"binary/key-missing"
"""The ``encoding`` of what stands in place of a payload sealed under a key that the keyring does not hold."""

_CONTEXT = b"temporal.payload"

_STARTED_BY_SCHEDULE = re.compile(r"-\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$")
"""What a schedule adds to the id of each workflow that it starts; its payloads were sealed before for the id alone."""


class EncryptingCodec(PayloadCodec, WithSerializationContext):
    """Seals each payload whole, its own metadata included; the key's id stays readable in the metadata.

    The context that the SDK gives names the workflow whose payload it is, and is authenticated with it.
    """

    def __init__(self, keyring: Keyring, workflow_id: str = "") -> None:
        self._keyring = keyring
        self._context = _CONTEXT + b"\0" + _STARTED_BY_SCHEDULE.sub("", workflow_id).encode()

    def with_context(self, context: SerializationContext) -> EncryptingCodec:
        """Return the codec for the payloads of one workflow, its activities' included."""
        match context:
            case WorkflowSerializationContext() | ActivitySerializationContext():
                return EncryptingCodec(self._keyring, context.workflow_id or "")
            case _:
                return EncryptingCodec(self._keyring)

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Return the payloads sealed under the newest key."""
        return [self._seal(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Return the payloads opened, and in place of each that does not open one that no converter will read.

        Raising here would fail the workflow's task again and again, so that anybody could stop a case by one message
        that is none. ``config/converter.py`` refuses where the payload is used instead: an update is rejected, a signal
        is dropped, and a workflow or an activity's answer fails.
        """
        return [self.opened(payload) for payload in payloads]

    def _seal(self, payload: Payload) -> Payload:
        return Payload(
            metadata={"encoding": ENCODING, "encryption-key-id": self._keyring.sealing_key_id.encode()},
            data=self._keyring.seal(payload.SerializeToString(), self._context),
        )

    def opened(self, payload: Payload) -> Payload:
        """One payload opened, or what stands in place of one that does not open."""
        if payload.metadata.get("encoding") != ENCODING:
            return Payload(metadata={"encoding": NOT_SEALED})
        try:
            return Payload.FromString(self._keyring.open(payload.data, self._context))
        except IntegrityError:
            return Payload(metadata={"encoding": NOT_SEALED})
        except ConfigurationError as error:
            return Payload(metadata={"encoding": KEY_MISSING}, data=str(error).encode())
