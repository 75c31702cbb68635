"""Logs: one JSON object a line on stderr, with case and workflow ids, and without personal data.

Everything goes through here: structlog's loggers, and the standard library's that Temporal, uvicorn and Alembic use.
Inside a workflow use ``temporalio.workflow.logger``, which stays silent while a history is replayed.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
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
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    # Said once, by bind_temporal, instead of again inside every message.
    workflow.logger.workflow_info_on_message = False
    activity.logger.activity_info_on_message = False


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
