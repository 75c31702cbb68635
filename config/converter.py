"""How values cross Temporal: pydantic models as JSON, encrypted, and failures the same."""

from __future__ import annotations

from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes

from config.codec import EncryptingCodec
from config.keyring import Keyring


def data_converter(keyring: Keyring) -> DataConverter:
    """Return the one data converter that every client and worker uses.

    A failure's message and stack trace go through the codec too: they are free text, and may quote what failed. The
    codec runs outside the workflow sandbox; only the two converter classes, which do no I/O, run inside.
    """
    return DataConverter(
        payload_converter_class=PydanticPayloadConverter,
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
        payload_codec=EncryptingCodec(keyring),
    )
