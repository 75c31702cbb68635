"""Rehearsals: the scenarios that ship, one in which every act has its turn, and what no scenario may say."""

from __future__ import annotations

import asyncio
import io
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from cases.acts import Act, Hold, parse_act
from cases.kinds import KINDS
from config.keyring import Keyring
from models.errors import InvalidInput, NotFound, Refused
from starter.cli.main import run
from starter.cli.rehearse import show
from starter.rehearsals import timeline
from starter.rehearsals.districts import scaled
from starter.rehearsals.run import RehearsalProgress, RehearsalResult, run_scenario
from starter.rehearsals.scenario import Scenario, find_scenarios, moved, read_scenario
from starter.rehearsals.verdicts import ClauseTotal, Happening
from starter.resources import utc_now
from starter.terminal import Terminal
from terms.catalogue import load_catalogue
from tests.support.incidents import INITIAL, NOTICE

pytestmark = pytest.mark.long

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOON_OF_THE_28TH = datetime(2024, 12, 28, 20, tzinfo=UTC)
NOON_OF_THE_7TH = datetime(2025, 1, 7, 20, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

SMALL: dict[str, Any] = {
    "title": "A small one",
    "about": "Every act has its turn.",
    "zone": "America/New_York",
    "districts": {"signed": "2023-07-01", "counts": {"ndpa-v1": {"VA": 2, "IL": 1, "MO": 1}}},
    "case": {
        "kind": "breach",
        "intake": {
            "title": "Records exported",
            "occurred": {"kind": "date", "first_day": "2025-03-01"},
            "reasonably_expected_at": "2025-03-03T09:00:00-05:00",
            "discovered_at": "2025-03-03T09:00:00-05:00",
            "description": "Records were exported by an account that should not have.",
            "data_types": ["Student name"],
            "reporter": {"name": "Security Office", "email": "security@provider.example.org"},
            "point_of_contact": {"name": "Privacy Office", "email": "privacy@provider.example.org"},
        },
    },
    "policy": {"reminder_fractions": [], "chase_hours": []},
    "timeline": [{"at": "2025-03-03T10:00:00-05:00", "act": "report", "says": "It is reported."}],
    "until": "2025-03-10T12:00:00-04:00",
}


def small(*acts: dict[str, Any], **changes: object) -> dict[str, Any]:
    """The small scenario with further acts, or with parts changed."""
    return SMALL | {"timeline": [*SMALL["timeline"], *acts]} | changes


def act(name: str, moment: str, /, **fields: object) -> dict[str, Any]:
    return {"at": f"2025-03-{moment}:00-05:00", "act": name, "says": f"Now: {name}."} | fields


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """Where a scenario of a test's own is written."""
    return tmp_path / "scenario.yaml"


def read(written: Path, scenario: dict[str, Any]) -> Scenario:
    written.write_text(yaml.safe_dump(scenario, sort_keys=False))
    return read_scenario(str(written))


async def rehearsed(written: Path, keyring: Keyring, scenario: dict[str, Any]) -> RehearsalResult:
    return await run_scenario(read(written, scenario), written.parent / "engine", keyring=keyring)


def total(result: RehearsalResult, clause: str, state: str) -> ClauseTotal:
    """How the duties under a clause came off where it is owed to a state's districts."""
    (found,) = (total for total in result.totals if total.clause == clause and state in total.states)
    return found


def told(result: RehearsalResult, words: str) -> list[Happening]:
    return [happening for happening in result.happenings if words in happening.says]


@pytest.fixture(scope="module")
def progress() -> list[RehearsalProgress]:
    return []


@pytest.fixture(scope="module")
async def powerschool(
    keyring: Keyring, tmp_path_factory: pytest.TempPathFactory, progress: list[RehearsalProgress]
) -> RehearsalResult:
    return await run_scenario(
        read_scenario("powerschool-2024"),
        tmp_path_factory.mktemp("rehearsal"),
        districts=24,
        keyring=keyring,
        watch=progress.append,
    )


def test_virginia_s_24_hours_were_missed_by_nine_days(powerschool: RehearsalResult) -> None:
    initial = total(powerschool, INITIAL, "VA")
    assert (initial.met, initial.missed, initial.unmet) == (0, powerschool.districts["VA"], 0)
    assert initial.due == (NOON_OF_THE_28TH + DAY,) * 2
    assert initial.late is not None
    assert 9 * DAY <= initial.late[0] <= initial.late[1] < 9 * DAY + HOUR


def test_everybody_s_72_hours_were_missed_by_seven_days(powerschool: RehearsalResult) -> None:
    full = [total for total in powerschool.totals if total.clause == NOTICE]
    assert sum(total.missed for total in full) == sum(powerschool.districts.values()) == 24
    assert {state for total in full for state in total.states} == set(powerschool.districts)
    for found in full:
        assert found.due == (NOON_OF_THE_28TH + 72 * HOUR,) * 2
        assert found.late is not None
        assert 7 * DAY <= found.late[0] <= found.late[1] < 7 * DAY + HOUR


def test_nobody_was_told_before_the_seventh(powerschool: RehearsalResult) -> None:
    first = min(happening.at for happening in told(powerschool, "told") if happening.verdict)
    assert NOON_OF_THE_7TH <= first < NOON_OF_THE_7TH + HOUR


def test_what_became_overdue_was_raised_at_once(powerschool: RehearsalResult) -> None:
    raised = {happening.clause: happening.at for happening in told(powerschool, "overdue")}
    assert raised.keys() == {INITIAL, NOTICE}
    assert raised[INITIAL] - (NOON_OF_THE_28TH + DAY) < MINUTE
    assert raised[NOTICE] - (NOON_OF_THE_28TH + 72 * HOUR) < MINUTE


def test_what_was_not_yet_due_is_still_open(powerschool: RehearsalResult) -> None:
    audit = total(powerschool, "breach.security-audit", "OR")
    assert audit.other == {"running": powerschool.districts["OR"]}
    assert (audit.met, audit.missed) == (0, 0)


def test_the_time_line_is_in_order_and_in_the_days_of_the_scenario(powerschool: RehearsalResult) -> None:
    assert all(before.at <= after.at for before, after in pairwise(powerschool.happenings))
    assert {happening.at.year for happening in powerschool.happenings} == {2024, 2025}
    assert [happening.act for happening in powerschool.happenings if happening.act] == [
        "report",
        "withhold-past-due",
        "approve",
        "release",
    ]


def test_whoever_watches_sees_every_act_and_the_notices_given(
    powerschool: RehearsalResult, progress: list[RehearsalProgress]
) -> None:
    assert [seen.done for seen in progress] == sorted(seen.done for seen in progress)
    assert (progress[-1].done, progress[-1].of) == (4, 4)
    assert progress[-1].given == 24, "where two clauses fall together, one notice serves both"


async def test_virginia_s_districts_are_told_of_a_suspicion_within_24_hours_and_then_of_its_dismissal(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert await asyncio.to_thread(run, ["rehearse", "virginia-suspicion", "--json"]) == 0
    result = RehearsalResult.model_validate_json(capfd.readouterr().out)
    initial = total(result, INITIAL, "VA")
    assert (initial.met, initial.missed) == (4, 0)
    assert initial.spare is not None
    left_early = 19 * HOUR + 20 * MINUTE
    assert left_early - MINUTE < initial.spare[0] <= left_early, "four hours after they were drafted"
    assert sum(found.other["cancelled"] for found in result.totals if found.clause == NOTICE) == 11
    assert len(told(result, "4 LEAs told of the dismissal")) == 1

    printed = io.StringIO()
    show(Terminal(file=printed, width=200), result)
    assert "Sun 9 Mar 2025, 16:00 EDT" in printed.getvalue(), "24 elapsed hours after 15:00 EST on Saturday"
    assert "met, 19 h" in printed.getvalue()


async def test_every_act_reaches_the_case(written: Path, keyring: Keyring) -> None:
    scenario = small(
        act("release", "03T11:00", clause=INITIAL, unread=True),
        act("confirm", "04T09:00"),
        act("date", "04T09:10", name="discovered", instant="2025-03-02T09:00:00-05:00", reason="It was seen before."),
        act("add", "04T09:20", counts={"ndpa-v1": {"TN": 1}, "ndpa-v2": {"OR": 1}}),
        act("hold", "04T10:00", name="bureau"),
        act("propose", "04T11:00", name="sealed", clause=NOTICE, ground="data_unreadable", agreements=["MO-0001"]),
        act("propose", "04T11:10", name="for all", clause=NOTICE, ground="data_unreadable"),
        act("approve", "04T12:00", proposal_id="sealed", by="second officer"),
        act("decline", "04T12:10", proposal_id="for all", by="second officer"),
        act("wait", "05T12:00"),
        act("lift", "06T09:00", hold_id="bureau"),
        act("withhold", "06T10:00", clause=NOTICE),
        act("release", "06T11:00", withheld=True, unread=True),
        act("learn", "06T12:00", element="students_involved", value="All students of grade 7."),
        act("learn", "06T12:05", element="parent_contact", value="Privacy Office"),
        act("impossible", "06T12:10", element="impacted_individuals"),
        act(
            "done", "06T14:00", name="audit", clause="breach.security-audit", agreements=["OR-0001"], proof="A report."
        ),
        act("approve", "06T15:00", proposal_id="audit", by="second officer"),
    )
    result = await rehearsed(written, keyring, scenario)
    assert [happening.act for happening in result.happenings if happening.act] == [
        given["act"] for given in scenario["timeline"]
    ]
    assert total(result, INITIAL, "VA").met == 2
    assert total(result, NOTICE, "MO").other == {"not_required": 1}
    assert told(result, "held back for law enforcement")
    assert total(result, NOTICE, "IL").met == 4, "VA, VA, IL and the TN district that was added"
    assert total(result, NOTICE, "OR").met == 1
    audit = total(result, "breach.security-audit", "OR")
    assert (audit.met, audit.other) == (0, {"on_time_by_other_means": 1}), "what people say is counted apart"
    assert told(result, "1 LEA told what was still lacking"), "\n".join(
        f"{h.at} {h.says} {h.clause}" for h in result.happenings
    )
    assert all(found.missed == 0 and found.lacking == 0 for found in result.totals)
    assert told(result, "the case is closed")


def test_only_the_demonstration_names_a_kind_of_case() -> None:
    modules = [path for path in Path(timeline.__file__).parent.glob("*.py") if path.name != "demo.py"]
    assert len(modules) > 5
    assert not [path for path in modules for name in KINDS if name in path.read_text("utf-8").lower()]


async def test_an_act_that_makes_no_sense_is_named_with_its_day_in_the_scenario(
    written: Path, keyring: Keyring
) -> None:
    with pytest.raises(Refused, match=r"^confirm at 2025-03-04T10:00:00-05:00: This breach is already confirmed"):
        await rehearsed(written, keyring, small(act("confirm", "04T09:00"), act("confirm", "04T10:00")))


def refusal(written: Path, scenario: dict[str, Any]) -> str:
    with pytest.raises(InvalidInput) as caught:
        read(written, scenario)
    return str(caught.value)


def test_a_scenario_that_does_not_hold_together_is_refused_with_its_line(written: Path) -> None:
    assert "goes back from 2025-03-05" in refusal(
        written, small(act("confirm", "05T09:00"), act("release", "04T09:00"))
    )
    assert "begins with its one report" in refusal(written, small(act("report", "04T09:00")))
    assert "begins with its one report" in refusal(written, small(timeline=[act("confirm", "04T09:00")]))
    assert "named 'nobody'" in refusal(written, small(act("lift", "04T09:00", hold_id="nobody")))
    assert "no time zone" in refusal(written, small(zone="America/Springfield"))
    assert "no kind of case 'flood'" in refusal(written, small(case={"kind": "flood", "intake": {}}))
    agreements = {"kind": "breach", "intake": SMALL["case"]["intake"] | {"agreements": ["VA-0001"]}}
    assert "agreements: These are the districts'." in refusal(written, small(case=agreements))
    for field in ({"clause": NOTICE}, {"counts": {"ndpa-v1": {"VA": 1}}}):
        assert f"{next(iter(field))}: There is no such field." in refusal(
            written, small(act("wait", "04T09:00", **field))
        )
    assert "counts: There is no such field." in refusal(
        written, small(act("confirm", "04T09:00", counts={"ndpa-v1": {"VA": 1}}))
    )
    assert "counts: It is empty." in refusal(written, small(act("add", "04T09:00")))
    assert "state: There is no such field." in refusal(
        written, small(act("add", "04T09:00", counts={"ndpa-v1": {"VA": 1}}, state="VA"))
    )


def test_every_problem_of_the_case_and_its_acts_has_the_line_of_its_field(written: Path) -> None:
    case = {"kind": "breach", "intake": SMALL["case"]["intake"] | {"occurred": {"kind": "long ago"}}}
    misspelt = act("date", "04T09:00", name="confirmed", instnat="2025-03-04T08:00:00-05:00")
    said = refusal(written, small(act("pray", "04T08:00"), misspelt, case=case))
    lines = written.read_text("utf-8").splitlines()
    for field, sentence in (("kind: long ago", "occurred.kind: "), ("act: pray", "act: "), ("instnat: ", "instnat: ")):
        (line,) = (number for number, text in enumerate(lines, 1) if field in text)
        assert f"{written}:{line}: {sentence}" in said or f"Line {line}: {sentence}" in said
    assert "No breach case has an act 'pray'. There are add," in said
    assert "instnat: There is no such field." in said


def acts_of(scenario: Scenario) -> list[Act | None]:
    return [entry.act for entry in scenario.timeline]


def test_what_an_act_requires_its_entry_says(written: Path) -> None:
    scenario = read(
        written,
        small(
            act("confirm", "04T09:00"),
            act("withhold", "04T10:00"),
            act("done", "04T11:00", clause="breach.security-audit", agreements=["VA-0001"], proof="A report."),
            act("learn", "04T12:00", element="parent_contact", value="Privacy Office"),
            act("date", "04T13:00", name="discovered", first_day="2025-03-02"),
        ),
    )
    assert acts_of(scenario) == [
        None,
        parse_act({"act": "confirm", "confirmed_at": "2025-03-04T09:00:00-05:00"}),
        parse_act({"act": "withhold", "reason": "Now: withhold."}),
        parse_act(
            {
                "act": "done",
                "clause": "breach.security-audit",
                "agreements": ["VA-0001"],
                "done_at": "2025-03-04T11:00:00-05:00",
                "how": "Now: done.",
                "proof": "A report.",
            }
        ),
        parse_act({"act": "learn", "element": "parent_contact", "value": "Privacy Office"}),
        parse_act({"act": "date", "name": "discovered", "first_day": "2025-03-02"}),
    ], "nothing is said for a field that may be left out"


def test_what_an_act_says_itself_is_not_said_by_its_entry(written: Path) -> None:
    given = {"confirmed_at": "2025-03-04T08:00:00-05:00"}
    scenario = read(written, small(act("confirm", "04T09:00", **given), act("withhold", "04T10:00", reason="Wait.")))
    assert acts_of(scenario)[1:] == [
        parse_act({"act": "confirm"} | given),
        parse_act({"act": "withhold", "reason": "Wait."}),
    ]


def test_the_time_line_in_the_documentation_is_one(written: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "rehearsals.md").read_text("utf-8")
    (example,) = re.findall(r"```yaml\n(timeline:.*?)```", page, flags=re.DOTALL)
    scenario = read(written, SMALL | yaml.safe_load(example))
    assert [entry.name for entry in scenario.timeline] == ["report", "confirm", "propose", "approve"]


DISCOVERED = {"name": "discovered", "first_day": "2025-03-01", "last_day": "2025-03-02"}


def test_the_dates_within_acts_are_moved_and_their_texts_kept(written: Path) -> None:
    given = {"begins_at": "2025-03-04T08:00:00-05:00", "until": "2025-03-05T08:00:00-05:00", "agreement": "VA-0001"}
    scenario = read(written, small(act("hold", "04T09:00", **given), act("date", "04T10:00", **DISCOVERED)))
    later, years = moved(scenario, (), datetime(2026, 1, 1, tzinfo=UTC))
    assert years == 28
    hold, date = ({name: value.replace("2025", "2053") for name, value in act.items()} for act in (given, DISCOVERED))
    assert acts_of(later)[1:] == [
        parse_act({"act": "hold", "particulars": "Now: hold."} | hold),
        parse_act({"act": "date"} | date),
    ]
    kept = acts_of(later)[1]
    assert isinstance(kept, Hold)
    assert kept.particulars.content == b"Now: hold."


def test_an_unknown_scenario_is_refused_with_the_names_of_those_that_ship() -> None:
    with pytest.raises(NotFound, match="virginia-suspicion"):
        read_scenario("nowhere")


async def test_a_district_of_a_state_that_its_form_does_not_cover_is_refused(written: Path, keyring: Keyring) -> None:
    districts = {"signed": "2023-07-01", "counts": {"ndpa-v2": {"VA": 1}}}
    with pytest.raises(InvalidInput, match="no supplement for 'VA'"):
        await rehearsed(written, keyring, small(districts=districts))


async def test_a_directive_is_confirmed_on_the_29th_of_30_days(keyring: Keyring, tmp_path: Path) -> None:
    result = await run_scenario(read_scenario("illinois-disposition"), tmp_path / "engine", keyring=keyring)
    came_off = {total.clause: (total.met, total.unmet) for total in result.totals}
    assert came_off == {"disposition.request": (1, 0), "disposition.verification": (1, 0)}
    assert len(told(result, "of the data reminded")) == 3, "at 50, 75 and 90 percent of the time"
    (confirmed,) = told(result, "every holder has confirmed")
    assert (confirmed.at.month, confirmed.at.day) == (7, 1)


async def test_a_directive_that_a_holder_does_not_answer_is_overdue_told_as_such_and_performed_late(
    keyring: Keyring, written: Path, tmp_path: Path
) -> None:
    """Nothing is performed by sending: the disposal is late, however the LEA was told that it is overdue."""
    ships = yaml.safe_load(find_scenarios()["illinois-disposition"].read_text("utf-8"))
    *before, _, backup, provider, _ = ships["timeline"]
    telling = {"at": "2025-07-03T09:00:00-05:00", "act": "tell-overdue", "says": "The keys are destroyed on 8 July."}
    telling |= {"clause": "disposition.request", "agreement": "IL-0001"}
    late = [backup | {"at": "2025-07-08T09:00:00-05:00"}, provider | {"at": "2025-07-08T11:00:00-05:00"}]
    scenario = read(written, ships | {"timeline": [*before, telling, *late], "until": "2025-07-20T12:00:00-05:00"})
    result = await run_scenario(scenario, tmp_path / "engine", keyring=keyring)
    overdue, told_so = told(result, "overdue, and raised")[0], told(result, "told that it is overdue")[0]
    assert overdue.at < told_so.at
    assert (told_so.clause, told_so.verdict) == ("disposition.request", None)
    (request,) = (total for total in result.totals if total.clause == "disposition.request")
    assert (request.met, request.missed, request.unmet) == (0, 1, 0)


async def test_five_days_over_a_new_year_and_a_correction_with_its_letter(keyring: Keyring, tmp_path: Path) -> None:
    result = await run_scenario(read_scenario("parent-access-illinois"), tmp_path / "engine", keyring=keyring)
    came_off = {total.clause: (total.met, total.due and total.due[0]) for total in result.totals}
    assert came_off == {
        "access.request": (1, datetime.fromisoformat("2026-01-05T05:59:59+00:00")),
        "access.correction": (1, datetime.fromisoformat("2026-04-03T04:59:59+00:00")),
        "access.correction-confirmation": (1, datetime.fromisoformat("2026-04-03T04:59:59+00:00")),
    }
    assert told(result, "1 LEA told"), "the confirmation is a letter"


async def test_five_school_days_are_counted_back_over_a_break_and_an_order_not_to_tell_ends(
    keyring: Keyring, tmp_path: Path
) -> None:
    result = await run_scenario(read_scenario("subpoena-illinois"), tmp_path / "engine", keyring=keyring)
    came_off = {found.limit: (found.met, found.missed) for found in result.totals}
    assert came_off == {"5 school days before": (2, 0), "24 hours (default)": (1, 0)}
    assert {found.provision for found in result.totals} == {"Exhibit G (Illinois), item 5"}
    due = [found.due[0].replace(microsecond=0) for found in result.totals if found.due]
    last_school_day, after_the_order = "2026-03-17T23:59:59-05:00", "2026-03-21T12:00:00-05:00"
    assert due == [datetime.fromisoformat(day) for day in (last_school_day, after_the_order)]
    assert told(result, "the case is closed")


@pytest.mark.parametrize("name", find_scenarios())
def test_a_scenario_is_moved_to_where_weekdays_and_wall_clocks_are_the_same(name: str) -> None:
    scenario = read_scenario(name)
    zones = [
        form.supplement(state).state.zone for form in load_catalogue().forms.values() for state in form.supplements
    ]
    later, years = moved(scenario, zones, utc_now())
    assert later.begins > utc_now()
    for before, after in zip(scenario.timeline, later.timeline, strict=True):
        for zone in zones:
            wall = [when.astimezone(ZoneInfo(zone)) for when in (before.at, after.at)]
            assert wall[0].replace(year=wall[0].year + years, tzinfo=None) == wall[1].replace(tzinfo=None)
            assert wall[0].weekday() == wall[1].weekday()


def test_a_scenario_still_to_come_is_run_on_its_own_dates() -> None:
    scenario = read_scenario("powerschool-2024")
    assert moved(scenario, (), scenario.begins - DAY) == (scenario, 0)


def test_a_scenario_of_other_rules_for_summer_time_is_refused(written: Path) -> None:
    old = yaml.safe_load(yaml.safe_dump(SMALL).replace("2025-03", "2005-03"))
    with pytest.raises(InvalidInput, match="clocks went differently in 2005"):
        moved(read(written, old | {"until": "2005-04-10T12:00:00-04:00"}), (), utc_now())


def test_a_scenario_beyond_the_calendar_s_cycle_is_refused() -> None:
    with pytest.raises(InvalidInput, match="No year up to 2099"):
        moved(read_scenario("powerschool-2024"), (), datetime(2081, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("districts", [12, 13, 24, 2_400, 18_000])
def test_a_mixture_keeps_every_kind_of_district_at_any_size(districts: int) -> None:
    counts = read_scenario("powerschool-2024").districts.counts
    found = scaled(counts, districts)
    assert sum(number for states in found.values() for number in states.values()) == districts
    assert {form: states.keys() for form, states in found.items()} == {
        form: states.keys() for form, states in counts.items()
    }
    assert min(number for states in found.values() for number in states.values()) >= 1
    if districts == 2_400:
        assert found == counts


async def test_fewer_districts_than_kinds_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert await asyncio.to_thread(run, ["rehearse", "powerschool-2024", "--districts", "3"]) == 2
    assert "districts of 12 kinds" in capsys.readouterr().err


def test_the_scenarios_that_ship_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rehearse", "--list"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in find_scenarios())


def test_naming_no_scenario_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rehearse"]) == 2
    assert "--list" in capsys.readouterr().err


@pytest.fixture(scope="module")
async def merger(keyring: Keyring, tmp_path_factory: pytest.TempPathFactory) -> RehearsalResult:
    folder = tmp_path_factory.mktemp("merger")
    return await run_scenario(read_scenario("merger-2000"), folder, districts=24, keyring=keyring)


def test_nobody_was_told_of_the_merger_before_the_assurance_and_all_in_time(merger: RehearsalResult) -> None:
    totals = [total for total in merger.totals if total.clause == "successor.notice"]
    assert (sum(total.met for total in totals), sum(total.missed for total in totals)) == (24, 0)
    first = min(happening.at for happening in told(merger, "told") if happening.verdict)
    assert first.astimezone(UTC) >= datetime(2025, 4, 14, 13, tzinfo=UTC)


def test_a_termination_became_the_disposal_of_that_district_s_data(merger: RehearsalResult) -> None:
    assert told(merger, "1 LEA terminated")
    disposal = total(merger, "disposition.termination", "IL")
    assert (disposal.duties, disposal.other) == (1, {"running": 1})


def test_whoever_was_silent_to_the_end_is_said_to_be_and_the_case_is_over(merger: RehearsalResult) -> None:
    (silence,) = told(merger, "silence noted of 5 LEAs")
    (closed,) = told(merger, "the case is closed")
    assert silence.at <= closed.at


async def test_more_districts_cannot_answer_than_were_told(written: Path, keyring: Keyring) -> None:
    answer = act("districts-answer", "03T11:00", answer="acknowledged", share=1)
    with pytest.raises(Refused, match="No district that was told has not answered"):
        await rehearsed(written, keyring, small(answer))


@pytest.mark.parametrize(
    "fields", [{"answer": "acknowledged"}, {"answer": "acknowledged", "share": 0.5, "number": 1}, {"answer": "perhaps"}]
)
def test_what_districts_answer_is_read_strictly(written: Path, fields: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        read(written, small(act("districts-answer", "03T11:00", **fields)))
