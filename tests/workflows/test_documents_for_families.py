"""A list of students travels behind a protected link, and ends what a notice lacked (Exhibit G, Illinois, 13)."""

from __future__ import annotations

from models.enums import NoticeKind
from records.documents import NewDocument, add_documents
from records.uploads import UploadedFile
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.incidents import NOTICE, OFFICER, duties, incident, open_case

STUDENTS = b"name,grade\nSealed Pupil,7\n"


async def test_a_list_of_students_ends_the_lack_of_it_for_its_lea_alone(engine: VirtualEngine) -> None:
    case_id = await open_case(
        engine,
        incident("IL-001", "VA-001", confirmed=utc_now()),
        release="immediate",
        chase_hours=(),
        reminder_fractions=(),
    )
    assert any("students" in label for label in duties(engine, case_id, "IL")[NOTICE].notices[0].lacking)

    document = NewDocument(UploadedFile("students.csv", STUDENTS), "students_involved", "IL-001")
    database = engine.resources.database
    assert add_documents(database, case_id, [document], actor=OFFICER, now=utc_now()) == 1
    await engine.service.look_again(case_id)
    await engine.settle(case_id)

    first, supplement = duties(engine, case_id, "IL")[NOTICE].notices
    assert (first.kind, supplement.kind) == (NoticeKind.NOTICE, NoticeKind.SUPPLEMENT)
    assert any("students" in label for label in supplement.given)
    assert len(duties(engine, case_id, "VA")[NOTICE].notices) == 1
    assert not any(b"Sealed Pupil" in file.read_bytes() for file in engine.mail.glob("*.eml"))
