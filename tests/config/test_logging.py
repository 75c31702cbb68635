"""Logs: JSON on stderr, with the ids that tell where a line comes from, and without personal data."""

from __future__ import annotations

import dataclasses
import io
import json
import logging
import sys
from uuid import UUID

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from temporalio import activity, workflow
from temporalio.testing import ActivityEnvironment, WorkflowEnvironment
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from config.logging import PERSONAL_KEYS, configure_logging, get_logger, remove_personal_data
from config.settings import Settings
from models import identifiers

CASE = UUID("11111111-2222-5333-8444-555555555555")


class LogLines(logging.StreamHandler[io.StringIO]):
    """What was logged, as objects."""

    def read(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@workflow.defn
class TalkingWorkflow:
    @workflow.run
    async def run(self) -> None:
        workflow.logger.info("opened")


@pytest.fixture
def lines() -> LogLines:
    root = logging.getLogger()
    configure_logging(Settings(log_level="info"))
    [handler] = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    assert handler.stream is sys.stderr
    lines = LogLines(io.StringIO())
    lines.setFormatter(handler.formatter)
    root.handlers[:] = [lines]
    return lines


def test_a_line_is_one_json_object(lines: LogLines) -> None:
    get_logger("duenotice.test").info("batch sent", accepted=200)
    [line] = lines.read()
    assert line.pop("timestamp")
    assert line == {"event": "batch sent", "accepted": 200, "level": "info", "logger": "duenotice.test"}


def test_the_standard_library_s_logs_take_the_same_way(lines: LogLines) -> None:
    logging.getLogger("temporalio.worker").warning("retrying for %s", "alex@district.test")
    [line] = lines.read()
    assert (line["event"], line["level"]) == ("retrying for [address removed]", "warning")


def test_lines_below_the_level_are_left_out(lines: LogLines) -> None:
    get_logger("duenotice.test").debug("detail")
    assert lines.read() == []


def test_bound_context_is_on_every_line(lines: LogLines) -> None:
    with structlog.contextvars.bound_contextvars(case_id=str(CASE)):
        get_logger("duenotice.test").info("opened")
    assert lines.read()[0]["case_id"] == str(CASE)


def test_inside_an_activity_a_line_says_which_case_and_workflow(lines: LogLines) -> None:
    @activity.defn
    def pin_terms() -> None:
        get_logger("duenotice.test").info("pinned")
        activity.logger.info("pinned too")

    environment = ActivityEnvironment()
    workflow_id = identifiers.workflow_id("breach", CASE)
    environment.info = dataclasses.replace(environment.info, workflow_id=workflow_id)
    environment.run(pin_terms)
    for line, said in zip(lines.read(), ("pinned", "pinned too"), strict=True):
        assert line["event"] == said
        assert (line["case_id"], line["workflow_id"]) == (str(CASE), workflow_id)


async def test_inside_a_workflow_a_line_says_so_too(lines: LogLines, temporal_cli: str) -> None:
    workflow_id = identifiers.workflow_id("breach", CASE)
    async with (
        await WorkflowEnvironment.start_local(dev_server_existing_path=temporal_cli) as environment,
        Worker(
            environment.client,
            task_queue="logging",
            workflows=[TalkingWorkflow],
            # This module's other imports (hypothesis) cannot be loaded again inside the sandbox.
            workflow_runner=SandboxedWorkflowRunner(SandboxRestrictions.default.with_passthrough_all_modules()),
        ),
    ):
        await environment.client.execute_workflow(TalkingWorkflow.run, id=workflow_id, task_queue="logging")
    [line] = [line for line in lines.read() if line["logger"] == "temporalio.workflow"]
    assert line["event"] == "opened"
    assert (line["case_id"], line["workflow_id"]) == (str(CASE), workflow_id)


def test_a_traceback_names_nobody(lines: LogLines) -> None:
    try:
        int("alex@district.test")
    except ValueError:
        get_logger("duenotice.test").exception("failed")
    [line] = lines.read()
    assert "ValueError: invalid literal" in str(line["exception"])
    assert "district.test" not in str(line)


def test_a_link_s_token_is_not_logged(lines: LogLines) -> None:
    logging.getLogger("uvicorn.access").info('"GET /sign-in?token=s3cret&next=/cases HTTP/1.1" 200')
    assert lines.read()[0]["event"] == '"GET /sign-in?token=[removed]&next=/cases HTTP/1.1" 200'


def test_our_message_ids_are_no_addresses(lines: LogLines) -> None:
    message_id = identifiers.message_id(CASE, "provider.test")
    get_logger("duenotice.test").info("sent", message_id=message_id)
    assert lines.read()[0]["message_id"] == message_id


@given(
    key=st.sampled_from(sorted(PERSONAL_KEYS)),
    value=st.recursive(st.text(min_size=1), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)),
)
def test_a_personal_key_never_keeps_its_value(key: str, value: object) -> None:
    assert remove_personal_data(None, "info", {key: value, "row": {key.upper(): value}}) == {
        key: "[removed]",
        "row": {key.upper(): "[removed]"},
    }


@given(address=st.emails(), before=st.text(alphabet="abc <(,:;'\""), after=st.text(alphabet=" >),:;'\""))
def test_no_address_survives_wherever_it_stands(address: str, before: str, after: str) -> None:
    cleaned = remove_personal_data(None, "info", {"detail": [f"{before} {address}{after}", {"deep": (address,)}]})
    assert address not in json.dumps(cleaned)
