"""The codec: what Temporal keeps is ciphertext, opens to what it was, and shows any change."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.converter import WorkflowSerializationContext
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from config.codec import ENCODING, KEY_MISSING, NOT_SEALED, EncryptingCodec
from config.converter import data_converter
from config.keyring import Keyring
from models.errors import ConfigurationError

SECRET = "the students of room 12"


class Report(BaseModel):
    """A message with something to keep secret."""

    said: str
    fail: bool = False


@activity.defn
async def read_report(report: Report) -> Report:
    if report.fail:
        raise ApplicationError(f"could not read {report.said}", non_retryable=True)
    return Report(said=report.said + "!")


@workflow.defn
class ReadWorkflow:
    @workflow.run
    async def run(self, report: Report) -> Report:
        return await workflow.execute_activity(
            read_report,
            report,
            start_to_close_timeout=timedelta(seconds=10),
            retry_policy=RetryPolicy(maximum_attempts=1),
            summary="read",
        )


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring.create(tmp_path / "keyring.json")


async def test_whatever_is_encoded_decodes_to_itself(keyring: Keyring) -> None:
    codec = EncryptingCodec(keyring)

    @given(data=st.binary(), encoding=st.binary())
    def round_trip(data: bytes, encoding: bytes) -> None:
        plain = Payload(metadata={"encoding": encoding, "messageType": b"Report"}, data=data)
        [sealed] = asyncio.run(codec.encode([plain]))
        assert set(sealed.metadata) == {"encoding", "encryption-key-id"}
        assert sealed.metadata["encoding"] == ENCODING
        assert asyncio.run(codec.decode([sealed])) == [plain]

    await asyncio.to_thread(round_trip)


async def test_a_changed_payload_is_refused(keyring: Keyring) -> None:
    codec = EncryptingCodec(keyring)
    [sealed] = await codec.encode([Payload(data=b"plain")])
    sealed.data = sealed.data[:-1] + bytes([sealed.data[-1] ^ 1])
    assert await codec.decode([sealed]) == [Payload(metadata={"encoding": NOT_SEALED})]


async def test_another_installation_cannot_read_it(keyring: Keyring, tmp_path: Path) -> None:
    [sealed] = await EncryptingCodec(keyring).encode([Payload(data=b"plain")])
    other = Keyring.create(tmp_path / "other.json")
    with pytest.raises(ConfigurationError, match="does not hold"):
        await data_converter(other).decode([sealed])


async def test_histories_from_before_a_rotation_stay_readable(keyring: Keyring, tmp_path: Path) -> None:
    [sealed] = await EncryptingCodec(keyring).encode([Payload(data=b"plain")])
    rotated = EncryptingCodec(Keyring.rotate(tmp_path / "keyring.json"))
    assert await rotated.decode([sealed]) == [Payload(data=b"plain")]
    [again] = await rotated.encode([Payload(data=b"plain")])
    assert again.metadata["encryption-key-id"] != sealed.metadata["encryption-key-id"]


async def test_a_payload_opens_for_its_workflow_alone(keyring: Keyring) -> None:
    of_a, of_b = (EncryptingCodec(keyring).with_context(WorkflowSerializationContext("default", name)) for name in "ab")
    [sealed] = await of_a.encode([Payload(data=b"plain")])
    assert await of_a.decode([sealed]) == [Payload(data=b"plain")]
    assert await of_b.decode([sealed]) == [Payload(metadata={"encoding": NOT_SEALED})]
    assert await EncryptingCodec(keyring).decode([sealed]) == [Payload(metadata={"encoding": NOT_SEALED})]


async def test_what_a_schedule_hands_over_opens_in_each_workflow_that_it_starts(keyring: Keyring) -> None:
    names = ("watchdog", "watchdog-2026-11-30T07:50:32Z")
    schedule, run = (
        EncryptingCodec(keyring).with_context(WorkflowSerializationContext("default", name)) for name in names
    )
    assert await run.decode(await schedule.encode([Payload(data=b"plain")])) == [Payload(data=b"plain")]


@pytest.mark.parametrize("encoding", [b"json/plain", b"binary/plain", NOT_SEALED, KEY_MISSING, b""])
async def test_what_was_never_sealed_is_read_by_nobody(keyring: Keyring, encoding: bytes) -> None:
    plain = Payload(metadata={"encoding": encoding}, data=b'"from the CLI"')
    with pytest.raises(ApplicationError, match="did not seal") as refused:
        await data_converter(keyring).decode([plain])
    assert refused.value.non_retryable


async def test_the_server_s_history_holds_ciphertext_failures_included(keyring: Keyring, temporal_cli: str) -> None:
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=temporal_cli, data_converter=data_converter(keyring)
    ) as environment:
        client = environment.client
        async with Worker(
            client,
            task_queue="codec",
            workflows=[ReadWorkflow],
            activities=[read_report],
            # This module's other imports (hypothesis) cannot be loaded again inside the sandbox.
            workflow_runner=SandboxedWorkflowRunner(SandboxRestrictions.default.with_passthrough_all_modules()),
        ):
            good = await client.start_workflow(ReadWorkflow.run, Report(said=SECRET), id="good", task_queue="codec")
            assert await good.result() == Report(said=SECRET + "!")
            bad = await client.start_workflow(
                ReadWorkflow.run, Report(said=SECRET, fail=True), id="bad", task_queue="codec"
            )
            with pytest.raises(WorkflowFailureError) as caught:
                await bad.result()
        assert isinstance(caught.value.cause, ActivityError)
        assert f"could not read {SECRET}" in str(caught.value.cause.cause)
        for handle in (good, bad):
            kept = b"".join([event.SerializeToString() for event in (await handle.fetch_history()).events])
            assert b"ReadWorkflow" in kept
            for trace in (SECRET, "could not read", "test_codec.py"):
                assert trace.encode() not in kept
