"""`duenotice notices preview`: what a notice would say, with made-up data or a case's own; nothing is sent or kept."""

from __future__ import annotations

from pathlib import Path

from sqlmodel import func, select

from models.tables import Delivery, EvidenceEntry, Notice
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.incidents import DESCRIPTION, NOTICE, OFFICER, duties, incident, letter, open_case, text
from tests.support.officers import officer
from tests.support.shell import Shell

RHODE_ISLAND = ("notices", "preview", NOTICE, "--form", "ndpa-v1", "--state", "RI")


def kept(engine: VirtualEngine) -> tuple[int, ...]:
    """How many notices, deliveries and entries of evidence there are."""
    with engine.resources.database.reading() as session:
        return tuple(
            session.exec(select(func.count()).select_from(table)).one() for table in (Notice, Delivery, EvidenceEntry)
        )


async def test_without_a_case_it_is_written_from_made_up_data(installed: VirtualEngine, shell: Shell) -> None:
    said = await shell(*RHODE_ISLAND)
    assert said.code == 0
    assert said.out.startswith("Notice of a data breach affecting your students' data: Ocean Light School Department")
    assert "Police report: an affected parent" in said.out


async def test_it_is_written_as_text_html_or_mail(installed: VirtualEngine, shell: Shell, tmp_path: Path) -> None:
    said = await shell(*RHODE_ISLAND, "--out", str(tmp_path / "letter"))
    assert said.out.split() == [str(tmp_path / "letter.txt"), str(tmp_path / "letter.html")]
    assert (tmp_path / "letter.txt").read_text().startswith("NOTICE OF A DATA BREACH")
    assert (tmp_path / "letter.html").read_text().startswith("<!DOCTYPE html>")
    await shell(*RHODE_ISLAND, "--kind", "supplement", "--out", str(tmp_path / "more.eml"))
    assert b"Further information on our notice" in (tmp_path / "more.eml").read_bytes().replace(b"\r\n ", b" ")
    missing = await shell(*RHODE_ISLAND, "--out", str(tmp_path / "none" / "letter.txt"))
    assert "The notice cannot be written: No such file or directory. Name another file in --out." in missing.err
    assert "is not written as .pdf" in await shell.refuses(*RHODE_ISLAND, "--out", str(tmp_path / "letter.pdf"))


async def test_with_a_case_it_is_what_would_be_sent_now(installed: VirtualEngine, shell: Shell) -> None:
    case_id = await open_case(installed, incident("RI-001", confirmed=utc_now()))
    before = kept(installed)
    shown = await shell(*RHODE_ISLAND, "--case", str(case_id))
    assert kept(installed) == before, "nothing is sent or kept"
    await officer(installed).release_notices(case_id, actor=OFFICER)
    await installed.settle(case_id)
    sent = text(letter(installed, case_id, duties(installed, case_id, "RI")[NOTICE]))
    facts = [
        " ".join(body.split()).partition("The facts -")[2].partition("The provision")[0] for body in (shown.out, sent)
    ]
    assert DESCRIPTION in facts[0]
    assert facts[0] == facts[1]
    again = (await shell(*RHODE_ISLAND, "--case", str(case_id))).out
    assert "this notice follows that one" not in again, "it does not follow itself"


async def test_what_a_case_gives_no_reason_to_write_is_refused(installed: VirtualEngine, shell: Shell) -> None:
    case_id = str(await open_case(installed, incident("RI-001", confirmed=utc_now())))
    says = await shell.refuses(*RHODE_ISLAND, "--case", case_id, "--kind", "supplement")
    assert "no supplement can be written" in says
    says = await shell.refuses("notices", "preview", NOTICE, "--form", "ndpa-v1", "--state", "VA", "--case", case_id)
    assert f"no duty under {NOTICE} for ndpa-v1 in VA" in says
    says = await shell.refuses(*RHODE_ISLAND, "--case", case_id, "--also", "breach.initial-notice")
    assert "Leave out --also" in says
    assert "No notice performs" in await shell.refuses(
        "notices", "preview", "disposition.request", "--form", "ndpa-v1", "--state", "VA"
    )
