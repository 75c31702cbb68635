"""What Temporal keeps of a case, as people read it, held against the ledger: where they agree, and where not."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from cases.kinds import KINDS
from config.keyring import Keyring
from ledger import entries as events
from models.columns import bind_sealer
from models.errors import Unavailable
from models.identifiers import workflow_id
from queries.evidence import EntryBrief, read_briefs
from starter.history import comparing, reading
from starter.history.beside import Agreement, read_beside
from starter.history.comparing import Beside, Standing, hold_against
from starter.history.moments import LONGEST_DETAIL, Moment, MomentKind, Outcome, Told, tell
from starter.history.reading import Run, read_history
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import connect_client, utc_now
from tests.support.incidents import OFFICER, incident, open_case
from tests.support.officers import officer
from tests.support.stories import HISTORIES, kept, story_keyring

HOUR = timedelta(hours=1)
IN_SQL_ALONE = frozenset(act.act_name() for act in KINDS["breach"].all_acts if not act.keeps_clocks)


@dataclass(frozen=True)
class Played:
    """A case as Temporal and the ledger know it."""

    case_id: UUID
    told: Told
    entries: tuple[EntryBrief, ...]
    ends: datetime

    def beside(
        self, entries: Sequence[EntryBrief] | None = None, moments: Sequence[Moment] | None = None, left_out: int = 0
    ) -> Beside:
        """Both beside each other, or what somebody made of one of them."""
        told = self.told if moments is None else replace(self.told, moments=tuple(moments))
        found = self.entries if entries is None else entries
        return hold_against(told, found, in_sql_alone=IN_SQL_ALONE, left_out=left_out, ends=self.ends)

    def first(self, kind: str) -> EntryBrief:
        """The first entry of a kind."""
        return next(entry for entry in self.entries if entry.kind == kind)


@pytest.fixture(scope="module")
async def played(running_engine: VirtualEngine, keyring: Keyring) -> Played:
    """Confirmed, one notice kept back, the others released and given."""
    bind_sealer(keyring)
    case_id = await open_case(running_engine, incident("VA-001", "OR-001", expected=utc_now()))
    who = officer(running_engine)
    await who.confirm_breach(case_id, utc_now(), actor=OFFICER)
    await who.release_notices(case_id, actor=OFFICER)
    await running_engine.settle(case_id)
    resources, name = running_engine.resources, workflow_id("breach", case_id)
    history = await read_history(resources.client, name)
    told = tell(history.runs, name, resources.keyring)
    ends = await running_engine.now(case_id) + HOUR
    return Played(case_id, told, read_briefs(resources.database, case_id, limit=1_000), ends)


def differences(beside: Beside) -> list[str]:
    return [row.says for row in beside.differing]


class TestWhatIsRead:
    def test_acts_steps_timers_and_batches_are_moments_with_their_outcome(self, played: Played) -> None:
        said = [moment.says for moment in played.told.moments]
        assert "The case’s workflow was started" in said
        assert "Pin the terms of the affected agreements" in said
        assert f"The act “confirm” by {OFFICER}: accepted, recorded and answered" in said
        assert any(line.startswith("A timer for the next moment") for line in said)
        assert any(line.startswith("A batch began to leave") and line.endswith("given in all 1") for line in said)
        assert all(moment.until for moment in played.told.moments if moment.kind is MomentKind.TIMER)
        assert "Not readable" not in str(played.told.moments)
        assert {moment.kind for moment in played.told.moments} >= {MomentKind.VERSION, MomentKind.STEP, MomentKind.ACT}

    def test_each_event_is_a_moment_part_of_one_or_counted_as_routine(self, played: Played) -> None:
        beginnings = len(played.told.moments) - sum(moment.kind is MomentKind.VERSION for moment in played.told.moments)
        assert played.told.routine + beginnings < played.told.events

    def test_values_are_decoded_and_long_ones_are_cut(self, played: Played) -> None:
        confirm = next(moment for moment in played.told.moments if moment.claim.act == "confirm")
        assert f'"actor": "{OFFICER}"' in dict(confirm.details)["What was given"]
        longest = max(len(text) for moment in played.told.moments for _, text in moment.details)
        assert longest < LONGEST_DETAIL + 50

    @pytest.mark.parametrize("file", sorted(HISTORIES.glob("*.json")), ids=lambda file: file.stem)
    def test_every_kept_history_can_be_told(self, file: Path, tmp_path: Path) -> None:
        history = kept(file)
        told = tell([Run("run", tuple(history.events))], history.workflow_id, story_keyring(tmp_path))
        assert told.moments[0].kind is MomentKind.STARTED
        assert not [moment for moment in told.moments if moment.kind is MomentKind.OTHER]
        assert "Not readable" not in str(told.moments)

    def test_what_another_keyring_sealed_is_said_and_no_fault(self, tmp_path: Path) -> None:
        history = kept(HISTORIES / "still_open.breach.json")
        other = Keyring.create(tmp_path / "other.json")
        told = tell([Run("run", tuple(history.events))], history.workflow_id, other)
        assert "Not readable" in dict(told.moments[0].details)["What it was given"]


class TestWhereTheyAgree:
    def test_all_of_a_case_played_agrees(self, played: Played) -> None:
        found = played.beside()
        assert found.whole
        assert differences(found) == []
        assert found.counts[Standing.BOTH] >= 6
        placed = [number for row in found.rows for group in row.entries for number in (group.first, group.last)]
        assert set(placed) <= {entry.number for entry in played.entries}
        assert sum(group.count for row in found.rows for group in row.entries) == len(played.entries)

    def test_what_does_not_come_through_a_workflow_is_not_missed_in_it(self, played: Played) -> None:
        answer = replace(played.first("act.confirm"), kind="notice_acknowledged", subject=str(uuid4()), number=900)
        found = played.beside([*played.entries, answer])
        assert differences(found) == []
        (row,) = (row for row in found.rows if row.entries and row.entries[0].first == 900)
        assert row.standing is Standing.LEDGER

    def test_every_kind_of_entry_of_a_case_says_where_it_is_written(self) -> None:
        kinds = {
            one.kind
            for one in vars(events).values()
            if inspect.isclass(one) and issubclass(one, events.CaseEvent) and hasattr(one, "kind")
        }
        by_steps = comparing.WRITTEN_BY.keys() | comparing.ALSO_ELSEWHERE.keys()
        by_id = {events.CaseOpened.kind, events.ActRecorded.kind}
        assert kinds - by_steps - by_id == OUTSIDE
        assert not comparing.WRITTEN_BY.keys() & comparing.ALSO_ELSEWHERE.keys()


OUTSIDE = {
    "draft_tested",
    "letter_printed",
    "delivery_reported",
    "delivery_bounced",
    "duty_reopened",
    "case_reopened",
    "case_restarted",
    "watchdog_raised",
    "trouble_raised",
    "no_objection",
    "termination_declared",
    "notice_acknowledged",
    "question_asked",
    "fact_said",
    "contact_named",
    "reply_handed_over",
    "overdue_told",
    "overdue_letter_dropped",
    "links_replaced",
    "links_revoked",
    "links_mailed",
    "holder_answered",
    "document_withdrawn",
    "document_fetched",
    "file_handed_over",
    "file_link_mailed",
    "file_link_revoked",
    "file_fetched",
    "file_erased",
    "case_read",
    "erasure_proposed",
    "erasure_declined",
    "case_erased",
    "cost_recorded",
}
"""What is written by a page, a link, a sweep or a report of what came back, and by no step of a case's workflow."""


class TestWhereTheyDiffer:
    def test_an_act_that_stands_in_the_ledger_alone(self, played: Played) -> None:
        forged = replace(played.first("act.confirm"), kind="act.dismiss", subject=str(uuid4()), number=900)
        found = played.beside([*played.entries, forged])
        assert differences(found) == [
            f"The ledger says that {OFFICER} did “dismiss”, and the history knows no such act."
        ]

    def test_an_act_that_stands_in_the_history_alone(self, played: Played) -> None:
        found = played.beside([entry for entry in played.entries if entry.kind != "act.release"])
        assert differences(found) == [
            f"The history says that {OFFICER} did “release”, and the ledger has no entry of it."
        ]

    def test_an_act_that_is_another_one_in_the_ledger(self, played: Played) -> None:
        confirm = played.first("act.confirm")
        others = {
            "and the ledger that somebody else did.": replace(confirm, actor="somebody else"),
            "The history has “confirm” for what the ledger calls “dismiss”.": replace(confirm, kind="act.dismiss"),
        }
        for says, other in others.items():
            (found,) = differences(played.beside([other if entry is confirm else entry for entry in played.entries]))
            assert says in found

    def test_an_act_at_another_moment(self, played: Played) -> None:
        confirm = played.first("act.confirm")
        later = replace(confirm, at=confirm.at + timedelta(milliseconds=1))
        (found,) = differences(played.beside([later if entry is confirm else entry for entry in played.entries]))
        assert found.startswith("The history took “confirm” at ")

    def test_a_notice_of_a_batch_that_no_workflow_sent(self, played: Played) -> None:
        given = replace(played.first("notice_given"), batch_id=uuid4(), at=played.entries[0].at + 10 * HOUR)
        (found,) = differences(replace(played, ends=played.ends + 20 * HOUR).beside([*played.entries, given]))
        assert found == "The ledger says “notice given”, and no step of the history could have written that."

    def test_a_duty_done_by_other_means_that_nobody_approved(self, played: Played) -> None:
        release = played.first("act.release")
        forged = replace(release, kind="duty_performed_by_other_means", subject=str(uuid4()), number=900)
        found = differences(played.beside([*played.entries, forged]))
        assert found == [
            "The ledger says “duty performed by other means”, and no step of the history could have written that."
        ], "an act of the same person at the same moment is no approval"

    def test_a_notice_more_than_the_batch_gave(self, played: Played) -> None:
        given = replace(played.first("notice_given"), subject=str(uuid4()), number=900)
        (found,) = differences(played.beside([*played.entries, given]))
        assert found == "The ledger says that 2 notices of the batch were given by mail, and the history says fewer."
        back = replace(given, kind="delivery_bounced", number=901)
        assert not differences(played.beside([*played.entries, given, back])), (
            "it may have reached another contact then"
        )

    def test_a_notice_that_the_history_says_was_given(self, played: Played) -> None:
        found = differences(played.beside([entry for entry in played.entries if entry.kind != "notice_given"]))
        assert found
        assert {says.partition(" and the ledger")[2] for says in found} == {" says 0 notices."}

    def test_a_case_whose_closing_was_never_recorded(self, played: Played) -> None:
        step = next(moment for moment in played.told.moments if moment.claim.step == "compute_duties")
        closing = replace(step, claim=replace(step.claim, step="close_case"), outcome=Outcome.DONE)
        assert differences(played.beside(moments=[*played.told.moments, closing])) == [
            "The history says that the case was closed, and the ledger has no entry of it."
        ]

    def test_what_is_newer_than_the_history_is_not_missed_in_it(self, played: Played) -> None:
        new = replace(played.first("act.confirm"), subject=str(uuid4()), at=played.ends, number=900)
        found = played.beside([*played.entries, new])
        assert differences(found) == []
        assert found.counts[Standing.NEWER] == 1


class TestWhatTemporalKeepsNoMore:
    def test_what_was_before_the_history_is_said_and_no_difference(self, played: Played) -> None:
        confirm = next(place for place, one in enumerate(played.told.moments) if one.claim.act == "confirm")
        start = replace(
            played.told.moments[0],
            at=played.told.moments[confirm].at + timedelta(milliseconds=1),
            claim=replace(played.told.moments[0].claim, continues=True),
        )
        found = played.beside(moments=[start, *played.told.moments[confirm + 1 :]])
        assert not found.whole
        assert differences(found) == []
        assert found.counts[Standing.BEFORE] > 0

    async def test_a_case_of_which_temporal_knows_nothing_is_told_apart(
        self, engine: VirtualEngine, played: Played
    ) -> None:
        """The same rows beside a Temporal that has no such workflow, as after it was lost."""
        elsewhere = engine.resources.client
        case_id = played.case_id
        found = await read_beside(engine.resources, case_id, played.ends)
        assert found.agreement is Agreement.AGREE
        lost = await read_history(elsewhere, workflow_id("disposition", case_id))
        assert lost.runs == ()

    async def test_temporal_being_away_is_one_sentence(
        self, engine: VirtualEngine, played: Played, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reading, "PATIENCE", timedelta(seconds=0.2))
        resources = engine.resources
        away = await connect_client(resources.settings, resources.keyring, "127.0.0.1:9", lazy=True)
        with pytest.raises(Unavailable, match="Temporal does not answer"):
            await read_beside(replace(resources, client=away), played.case_id, played.ends)
