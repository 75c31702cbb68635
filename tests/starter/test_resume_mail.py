"""``duenotice resume-mail``: a person lets mail go on that too many refusals had paused."""

from __future__ import annotations

from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.mail_trouble import pause, resumed_by
from tests.support.shell import Shell


async def test_mail_goes_on_by_a_persons_word_and_only_where_it_is_paused(
    installed: VirtualEngine, shell: Shell
) -> None:
    database = installed.resources.database
    before = resumed_by(database)
    assert "Mail is not paused." in await shell.refuses("resume-mail")
    pause(database, utc_now())
    said = await shell("resume-mail")
    assert said.code == 0, said.err
    assert "Mail goes on: 0 notices wait for it." in said.out
    assert len(resumed_by(database)) == len(before) + 1
    assert "Mail is not paused." in await shell.refuses("resume-mail")
