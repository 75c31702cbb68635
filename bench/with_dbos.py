"""The same mails by DBOS: one workflow, one durable step for each recipient, on PostgreSQL; measured where installed.

DBOS (``pip install dbos``, MIT) is no dependency of this project. Its step is recorded once it is done, so a mail may
leave twice where a process dies between; it keeps no message, no answer of the server, and no evidence.
"""

from __future__ import annotations

import smtplib
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from time import perf_counter
from typing import Any

from mail.compose import compose
from records.outbox import DraftedNotice


def is_installed() -> bool:
    """Whether there is anything to measure."""
    return find_spec("dbos") is not None


def notices_a_second(database_url: str, port: int, mails: Sequence[DraftedNotice]) -> float:
    """Render and send each mail to each of its recipients in a step of its own; return how many notices a second."""
    dbos: Any = import_module("dbos")
    dbos.DBOS(config={"name": "duenotice-bench", "system_database_url": database_url, "console_log_level": "ERROR"})
    with smtplib.SMTP("127.0.0.1", port) as client:

        @dbos.DBOS.step()  # type: ignore[untyped-decorator]
        def give(number: int, recipient: str) -> None:
            mail = mails[number]
            raw = compose(mail.facts, mail.addressing).raw
            client.sendmail(mail.addressing.sender.email, [recipient], raw)

        @dbos.DBOS.workflow()  # type: ignore[untyped-decorator]
        def tell() -> int:
            for number, mail in enumerate(mails):
                for mailbox in (*mail.addressing.to, *mail.addressing.copies):
                    give(number, mailbox.email)
            return len(mails)

        dbos.DBOS.launch()
        try:
            begun = perf_counter()
            told = tell()
            return float(told) / (perf_counter() - begun)
        finally:
            dbos.DBOS.destroy()
