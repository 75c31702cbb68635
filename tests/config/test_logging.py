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

from config.logging import (
    MOST_FLOODS,
    PERSONAL_KEYS,
    OneAMinute,
    configure_logging,
    get_logger,
    remove_personal_data,
)
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


def test_a_link_s_token_is_not_logged(lines: LogLines, monkeypatch: pytest.MonkeyPatch) -> None:
    access = logging.getLogger("uvicorn.access")
    monkeypatch.setattr(access, "propagate", True)  # the web's own server turns it off
    access.info('"GET /sign-in?token=s3cret&next=/cases HTTP/1.1" 200')
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


class TestFloods:
    """What strangers can cause as often as they like: 99,297 lines in 20 seconds were seen."""

    def record(self, name: str, msg: object, level: int = logging.WARNING) -> logging.LogRecord:
        return logging.LogRecord(name, level, "", 0, msg, None, None)

    def test_of_each_thing_one_line_a_minute_is_written_which_says_how_many_were_left_out(self) -> None:
        now = 0.0
        floods = OneAMinute(lambda: now)
        told = [floods.filter(self.record("uvicorn.error", "Invalid HTTP request received.")) for _ in range(1000)]
        assert told == [True] + [False] * 999
        assert floods.filter(self.record("uvicorn.error", "Another thing."))
        now = 60.0
        line = self.record("uvicorn.error", "Invalid HTTP request received.")
        assert floods.filter(line)
        assert line.getMessage() == "Invalid HTTP request received. (999 more were left out)"

    def test_our_own_lines_name_their_event(self) -> None:
        now = 0.0
        floods = OneAMinute(lambda: now)
        for _ in range(3):
            floods.filter(self.record("web.strangers", {"event": "stranger refused", "reason": "too many tries"}))
        now = 61.0
        line = self.record("web.strangers", {"event": "stranger refused"})
        assert floods.filter(line)
        assert line.msg == {"event": "stranger refused", "left_out": 2}

    @pytest.mark.parametrize(
        ("name", "level"), [("web.failures", logging.ERROR), ("uvicorn.error", logging.INFO), ("duenotice", 30)]
    )
    def test_nothing_else_is_left_out(self, name: str, level: int) -> None:
        floods = OneAMinute()
        assert all(floods.filter(self.record(name, "the same", level)) for _ in range(5))

    def test_the_things_that_are_told_apart_are_bounded(self) -> None:
        floods = OneAMinute()
        for number in range(MOST_FLOODS * 2):
            floods.filter(self.record("asyncio", f"{number} went wrong"))
        assert len(floods._said) == MOST_FLOODS
