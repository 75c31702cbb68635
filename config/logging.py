"""Logs: one JSON object a line on stderr, with case and workflow ids, and without personal data.

Everything goes through here: structlog's loggers, and the standard library's that Temporal, uvicorn and Alembic use.
Inside a workflow use ``temporalio.workflow.logger``, which stays silent while a history is replayed.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from time import monotonic
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor
from temporalio import activity, workflow

from cases.kinds import KINDS
from config.personal_data import without_addresses
from config.settings import Settings

PERSONAL_KEYS = frozenset(
    {
        "address", "answer", "body", "contact", "description", "email", "first_name", "last_name", "name", "parent",
        "password", "phone", "recipient", "recipients", "reporter", "student", "students", "subject_line", "title",
        "token",
    }
)  # fmt: skip
"""Keys whose values are people, secrets or what people wrote: nobody may log them, so their values are removed."""

FLOODED = frozenset(
    {"asyncio", "uvicorn.error", "web.connections", "web.mail_events", "web.strangers", "web.strangers.failures"}
)
"""The loggers of what strangers cause."""

FLOOD_SECONDS = 60.0

MOST_FLOODS = 100
"""How many such things are told apart; the one that was told of longest ago is forgotten first."""

_SECRET_IN_URL = re.compile(r"([?&](?:token|code|key)=)[^&\s\"']+", re.IGNORECASE)


def configure_logging(settings: Settings, stream: TextIO | None = None) -> None:
    """Send every log of this process to a stream, stderr if none is given, as JSON; a later call takes over.

    Start uvicorn with ``log_config=None``, so that it leaves this in place.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        bind_temporal,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                remove_personal_data,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    handler.addFilter(OneAMinute())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    # Said once, by bind_temporal, instead of again inside every message.
    workflow.logger.workflow_info_on_message = False
    activity.logger.activity_info_on_message = False


class OneAMinute(logging.Filter):
    """Lets one line a minute through of each thing that strangers can cause as often as they like.

    The line that comes next says how many were left out since the one before.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is written."""
        if record.name not in FLOODED or record.levelno < logging.WARNING:
            return True
        event = record.msg.get("event") if isinstance(record.msg, dict) else record.msg
        key = (record.name, str(event).partition("\n")[0][:80])
        now = self._clock()
        at, left_out = self._said.pop(key, (now - FLOOD_SECONDS, 0))
        if now - at < FLOOD_SECONDS:
            self._said[key] = at, left_out + 1
            return False
        self._said[key] = now, 0
        if len(self._said) > MOST_FLOODS:
            del self._said[next(iter(self._said))]
        if left_out and isinstance(record.msg, dict):
            record.msg = {**record.msg, "left_out": left_out}
        elif left_out:
            record.msg = f"{record.msg} ({left_out} more were left out)"
        return True


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger; ``log.info("batch sent", batch_id=…, accepted=200)`` is how it is used."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def bind_temporal(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Add the workflow, the activity and the case that the line comes from, where it comes from any."""
    if workflow.in_workflow():
        info = workflow.info()
        _bind(event, info.workflow_id, info.workflow_type)
    elif activity.in_activity():
        task = activity.info()
        _bind(event, task.workflow_id, task.workflow_type)
        event.update(activity=task.activity_type, attempt=task.attempt)
    return event


def remove_personal_data(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Remove the values of personal keys, and e-mail addresses and link tokens from every text, tracebacks included."""
    return {key: _removed(key, value) for key, value in event.items()}


def _bind(event: MutableMapping[str, Any], workflow_id: str | None, workflow_type: str | None) -> None:
    event.update(workflow_id=workflow_id, workflow_type=workflow_type)
    kind, _, case = (workflow_id or "").partition(":")
    if kind in KINDS:
        event.setdefault("case_id", case)


def _removed(key: str, value: object) -> object:
    if key.lower() in PERSONAL_KEYS:
        return "[removed]"
    if isinstance(value, str):
        return _SECRET_IN_URL.sub(r"\1[removed]", without_addresses(value))
    if isinstance(value, Mapping):
        return {str(name): _removed(str(name), member) for name, member in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_removed(key, member) for member in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return _removed(key, str(value))
