"""How values cross Temporal: pydantic models as JSON, sealed, and failures the same."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    EncodingPayloadConverter,
)
from temporalio.exceptions import ApplicationError

from config.codec import KEY_MISSING, NOT_SEALED, EncryptingCodec
from config.keyring import Keyring
from models.errors import ConfigurationError


class _Unread(EncodingPayloadConverter):
    """Stands for payloads that the codec did not open; makes none."""

    name: ClassVar[bytes]

    @property
    def encoding(self) -> str:
        """The encoding of what it refuses."""
        return self.name.decode()

    def to_payload(self, value: Any) -> None:
        """Leave every value to the other converters."""


class _NotSealed(_Unread):
    """Refuses what this installation did not seal for this workflow."""

    name = NOT_SEALED

    def from_payload(self, payload: Payload, type_hint: type[Any] | None = None) -> NoReturn:
        """Fail whatever was to take it, once and for all: nobody's retry makes a forged payload a true one."""
        raise ApplicationError(
            "A value was refused that this installation did not seal for this workflow. "
            "Acts are taken on the pages, by `duenotice` and by its JSON interface.",
            type="not-sealed",
            non_retryable=True,
        )


class _KeyMissing(_Unread):
    """Refuses, for now, what was sealed under a key that is not there."""

    name = KEY_MISSING

    def from_payload(self, payload: Payload, type_hint: type[Any] | None = None) -> NoReturn:
        """Raise what is no failure of the workflow: it goes on once the key is back."""
        raise ConfigurationError(payload.data.decode())


class SealedPayloadConverter(CompositePayloadConverter):
    """Pydantic models as JSON, and a refusal in place of what does not open; does no I/O, so fit for the sandbox."""

    def __init__(self) -> None:
        super().__init__(_NotSealed(), _KeyMissing(), *PydanticPayloadConverter().converters.values())


def data_converter(keyring: Keyring) -> DataConverter:
    """Return the one data converter that every client and worker uses.

    A failure's message and stack trace go through the codec too: they are free text, and may quote what failed. The
    codec runs outside the workflow sandbox; only the converter classes, which do no I/O, run inside.
    """
    return DataConverter(
        payload_converter_class=SealedPayloadConverter,
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
        payload_codec=EncryptingCodec(keyring),
    )
