"""Events of a workflow's history as moments that a person can read: what belongs together is one, decoded.

Temporal writes three events for each step of a workflow, and three more for the worker's turn between two steps. A
moment is what happened once: an act with its answer, a step with its outcome, a timer with what came of it. The
worker's turns and what is shown in Temporal's own lists are left out; they say nothing of the case.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.enums.v1 import (
    EventType,
    RetryState,
    TimeoutType,
    WorkflowTaskFailedCause,
)
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent

from config.codec import KEY_MISSING, NOT_SEALED, EncryptingCodec
from config.keyring import Keyring
from models.phrases import counted
from starter.history.reading import Run

LONGEST_DETAIL = 2_000
"""How many characters of one decoded value are shown: the whole state of a large case is handed on in one."""


class MomentKind(StrEnum):
    """What sort of thing happened."""

    STARTED = "started"
    ACT = "act"
    STEP = "step"
    """An activity: something that the workflow asked of the world."""
    TIMER = "timer"
    BATCH = "batch"
    """A child workflow that sends a batch of notices."""
    SIGNAL = "signal"
    VERSION = "version"
    """The workflow took the way of a newer version of its code, or another version of the worker took it over."""
    HELD_UP = "held_up"
    """The worker could not go on with the workflow."""
    ENDED = "ended"
    OTHER = "other"


class Outcome(StrEnum):
    """What came of it."""

    UNDER_WAY = "under_way"
    DONE = "done"
    FAILED = "failed"
    CALLED_OFF = "called_off"
    """A timer that was not needed any more, or a step that was given up."""


@dataclass(frozen=True)
class Claim:
    """What the history says that the ledger says too.

    Attributes:
        act_id: the act, of an act; ``act``, ``actor`` and ``acted_at`` are what it was, whose, and when it was taken.
        step: the activity type, of a step.
        batch_id: the batch that was sent, and ``given``, how many of its notices had been given by its end.
        continues: whether a run, by its start, goes on with one that came before it.
    """

    act_id: UUID | None = None
    act: str = ""
    actor: str = ""
    acted_at: datetime | None = None
    step: str = ""
    batch_id: UUID | None = None
    given: int = 0
    continues: bool = False


@dataclass(frozen=True)
class Moment:
    """One thing that happened in a case's workflow.

    Attributes:
        kind: what sort of thing.
        at: when it began, by Temporal's clock.
        ended_at: when it ended; None while it is under way, or where it is of one instant.
        run: in which of the runs that were read, from 1.
        event: the number of its first event in that run.
        until: the instant for which a timer was set.
        says: what happened, in words.
        outcome: what came of it.
        details: the decoded values that belong to it, by what they are.
        claim: what of it the ledger can confirm.
        records: how often the workflow asked for an act to be recorded; once, unless its answer was not of the act.
    """

    kind: MomentKind
    at: datetime
    ended_at: datetime | None
    run: int
    event: int
    says: str
    outcome: Outcome = Outcome.DONE
    details: tuple[tuple[str, str], ...] = ()
    claim: Claim = Claim()
    records: int = 0
    until: datetime | None = None


@dataclass(frozen=True)
class Told:
    """The moments of a history, in order, and how many of its events say nothing of the case."""

    moments: tuple[Moment, ...]
    events: int
    routine: int


def tell(runs: Iterable[Run], workflow_id: str, keyring: Keyring) -> Told:
    """Turn the events of a workflow's runs into moments."""
    moments: list[Moment] = []
    events = routine = 0
    for number, run in enumerate(runs, 1):
        telling = _Telling(number, _Opener(keyring, workflow_id))
        for event in run.events:
            telling.take(event)
        moments += telling.moments
        events += len(run.events)
        routine += telling.routine
    return Told(tuple(sorted(moments, key=lambda moment: (moment.at, moment.run, moment.event))), events, routine)


_ROUTINE = frozenset(
    {
        "workflow_task_scheduled_event_attributes",
        "workflow_task_started_event_attributes",
        "child_workflow_execution_started_event_attributes",
        "upsert_workflow_search_attributes_event_attributes",
        "workflow_execution_options_updated_event_attributes",
        "workflow_execution_time_skipping_transitioned_event_attributes",
        "workflow_properties_modified_event_attributes",
        "activity_task_cancel_requested_event_attributes",
    }
)
"""Events that say nothing of the case: the worker's turns, and what is shown in Temporal's own lists."""

_NOT_READABLE = "Not readable"

_RECORDED = "record_act"
"""The activity that records an act: it is part of the act's own moment."""


class _Opener:
    """Opens the payloads of one workflow with the engine's own codec, for people."""

    def __init__(self, keyring: Keyring, workflow_id: str) -> None:
        self._keyring = keyring
        self.workflow_id = workflow_id
        self._codec = EncryptingCodec(keyring, workflow_id)

    def of(self, workflow_id: str) -> _Opener:
        """What opens the payloads of another workflow."""
        return _Opener(self._keyring, workflow_id)

    def value(self, payload: Payload) -> Any:
        """What a payload holds; a sentence in its place where it does not open."""
        opened = self._codec.opened(payload)
        match opened.metadata.get("encoding"):
            case b"json/plain":
                return json.loads(opened.data)
            case b"binary/null":
                return None
            case encoding if encoding == KEY_MISSING:
                return f"{_NOT_READABLE}: {opened.data.decode()}"
            case encoding if encoding == NOT_SEALED:
                return f"{_NOT_READABLE}: this installation did not seal it for this workflow."
            case _:
                return f"{len(opened.data):,} bytes"

    def first(self, payloads: Payloads) -> Any:
        """The first value of several; None where there is none."""
        return self.value(payloads.payloads[0]) if payloads.payloads else None

    def failure(self, failure: Failure) -> str:
        """What a failure says, down to what caused it; a failure's words are sealed as values are."""
        said = []
        while True:
            message = failure.message
            if failure.HasField("encoded_attributes"):
                attributes = self.value(failure.encoded_attributes)
                message = attributes.get("message", "") if isinstance(attributes, dict) else str(attributes)
            said.append(message)
            if not failure.HasField("cause"):
                return ": ".join(dict.fromkeys(filter(None, said)))
            failure = failure.cause


class _Telling:
    """Takes the events of one run, one after another."""

    def __init__(self, run: int, opener: _Opener) -> None:
        self.moments: list[Moment] = []
        self.routine = 0
        self._run = run
        self._open = opener
        self._places: dict[object, int] = {}
        self._acts_of_steps: dict[int, str] = {}
        self._held_up: int | None = None
        self._worker = ""

    def take(self, event: HistoryEvent) -> None:
        """Turn one event into a moment, or into more of one that is there."""
        name = str(event.WhichOneof("attributes"))
        if name in _ROUTINE:
            self.routine += 1
            return
        attributes = getattr(event, name)
        match name.removesuffix("_event_attributes"):
            case "workflow_execution_started":
                self._started(event, attributes)
            case "workflow_task_completed":
                self._went_on(event, attributes)
            case "workflow_task_failed":
                cause = WorkflowTaskFailedCause.Name(attributes.cause).removeprefix("WORKFLOW_TASK_FAILED_CAUSE_")
                self._cannot_go_on(event, _words(cause), self._open.failure(attributes.failure))
            case "workflow_task_timed_out":
                kind = TimeoutType.Name(attributes.timeout_type).removeprefix("TIMEOUT_TYPE_")
                self._cannot_go_on(event, f"no answer in time, {_words(kind)}", "")
            case "activity_task_scheduled":
                self._step_began(event, attributes)
            case "activity_task_started":
                self.routine += 1
                self._attempts(attributes)
            case "activity_task_completed":
                self._step_ended(
                    event, attributes.scheduled_event_id, Outcome.DONE, self._open.first(attributes.result)
                )
            case "activity_task_failed":
                failure = self._open.failure(attributes.failure)
                self._step_ended(event, attributes.scheduled_event_id, Outcome.FAILED, failure)
            case "activity_task_timed_out":
                state = _words(RetryState.Name(attributes.retry_state).removeprefix("RETRY_STATE_"))
                self._step_ended(event, attributes.scheduled_event_id, Outcome.FAILED, f"no answer in time ({state})")
            case "activity_task_canceled":
                self._step_ended(event, attributes.scheduled_event_id, Outcome.CALLED_OFF, None)
            case "timer_started":
                self._timer_set(event, attributes)
            case "timer_fired":
                self._end(event, attributes.started_event_id, Outcome.DONE, "it was reached")
            case "timer_canceled":
                self._end(event, attributes.started_event_id, Outcome.CALLED_OFF, "called off, something came first")
            case "workflow_execution_update_accepted":
                self._act_accepted(event, attributes)
            case "workflow_execution_update_completed":
                self._act_answered(event, attributes)
            case "start_child_workflow_execution_initiated":
                self._batch_began(event, attributes)
            case (
                "start_child_workflow_execution_failed"
                | "child_workflow_execution_completed"
                | "child_workflow_execution_failed"
                | "child_workflow_execution_canceled"
                | "child_workflow_execution_timed_out"
                | "child_workflow_execution_terminated"
            ) as ending:
                self._batch_ended(event, attributes, ending.rpartition("_")[2])
            case "workflow_execution_signaled":
                self._signalled(event, attributes)
            case "marker_recorded":
                self._marked(event, attributes)
            case (
                "workflow_execution_completed"
                | "workflow_execution_failed"
                | "workflow_execution_timed_out"
                | "workflow_execution_canceled"
                | "workflow_execution_terminated"
                | "workflow_execution_continued_as_new"
            ) as ending:
                self._ended(event, attributes, ending.removeprefix("workflow_execution_"))
            case _:
                kind = _words(EventType.Name(event.event_type).removeprefix("EVENT_TYPE_"))
                self._add(event, MomentKind.OTHER, f"Temporal wrote: {kind}")

    def _add(
        self,
        event: HistoryEvent,
        kind: MomentKind,
        says: str,
        *,
        outcome: Outcome = Outcome.DONE,
        details: tuple[tuple[str, str], ...] = (),
        claim: Claim = Claim(),
        key: object = None,
    ) -> None:
        if key is not None:
            self._places[key] = len(self.moments)
        at = _instant(event.event_time)
        self.moments.append(Moment(kind, at, None, self._run, event.event_id, says, outcome, details, claim))

    def _end(
        self,
        event: HistoryEvent,
        key: object,
        outcome: Outcome,
        says: str = "",
        *,
        detail: tuple[str, Any] | None = None,
        given: int | None = None,
    ) -> None:
        """Say what came of a moment that is there; nothing where its beginning was not read."""
        place = self._places.get(key)
        if place is None:
            return
        moment = self.moments[place]
        details = (*moment.details, (detail[0], _shown(detail[1]))) if detail else moment.details
        self.moments[place] = replace(
            moment,
            ended_at=_instant(event.event_time),
            outcome=outcome,
            says=f"{moment.says}: {says}" if says else moment.says,
            details=details,
            claim=replace(moment.claim, given=given) if given is not None else moment.claim,
        )

    def _started(self, event: HistoryEvent, attributes: Any) -> None:
        given = self._open.first(attributes.input)
        state = given.get("state", {}) if isinstance(given, dict) else {}
        continues = bool(attributes.continued_execution_run_id)
        if continues:
            says = "It went on as a new run, since the one before had become long"
        elif state.get("acts_taken"):
            says = "It was started again, from what SQL knows of the case"
        else:
            says = "The case’s workflow was started"
        self._add(
            event,
            MomentKind.STARTED,
            says,
            details=(("What it was given", _shown(given)),),
            claim=Claim(continues=continues),
        )

    def _went_on(self, event: HistoryEvent, attributes: Any) -> None:
        self.routine += 1
        self._held_up = None
        build = attributes.worker_version.build_id or attributes.deployment_version.build_id
        sdk = attributes.sdk_metadata.sdk_version
        worker = ", ".join(filter(None, (build, f"Temporal’s SDK {sdk}" if sdk else "")))
        # Only the first task of a worker names the SDK; the build stands at each.
        if build and not self._worker.startswith(build):
            before, self._worker = self._worker, worker
            says = f"Another version of the worker goes on with it: {worker}" if before else f"Worked by {worker}"
            self._add(event, MomentKind.VERSION, says)

    def _cannot_go_on(self, event: HistoryEvent, cause: str, failure: str) -> None:
        """The worker could not go on; again and again is one moment."""
        if self._held_up is None:
            self._held_up = len(self.moments)
            details = (("What it said", _shown(failure)),) if failure else ()
            says = f"The worker could not go on with it ({cause})"
            self._add(event, MomentKind.HELD_UP, says, outcome=Outcome.FAILED, details=details)
            return
        moment = self.moments[self._held_up]
        self.moments[self._held_up] = replace(moment, ended_at=_instant(event.event_time))

    def _step_began(self, event: HistoryEvent, attributes: Any) -> None:
        step, given = attributes.activity_type.name, self._open.first(attributes.input)
        act = self._places.get(("act", given.get("act_id"))) if isinstance(given, dict) else None
        if step == _RECORDED and isinstance(given, dict) and act is not None:
            moment = self.moments[act]
            claim = replace(moment.claim, acted_at=datetime.fromisoformat(given["at"]))
            self.moments[act] = replace(moment, claim=claim, records=moment.records + 1)
            self._acts_of_steps[event.event_id] = given["act_id"]
            return
        summary = self._readable(event, self._open) or _words(step)
        self._add(
            event,
            MomentKind.STEP,
            f"{summary[0].upper()}{summary[1:]}",
            outcome=Outcome.UNDER_WAY,
            details=(("What was asked", _shown(given)),),
            claim=Claim(step=step),
            key=event.event_id,
        )

    def _attempts(self, attributes: Any) -> None:
        place = self._places.get(attributes.scheduled_event_id)
        if place is not None and attributes.attempt > 1:
            moment = self.moments[place]
            tried = f"{moment.says} ({counted(attributes.attempt, 'attempt')})"
            self.moments[place] = replace(moment, says=tried)

    def _step_ended(self, event: HistoryEvent, scheduled: int, outcome: Outcome, answer: Any) -> None:
        if scheduled in self._acts_of_steps:
            self.routine += 1
            return
        detail = ("What went wrong" if outcome is Outcome.FAILED else "What was answered", answer)
        self._end(event, scheduled, outcome, detail=detail if answer is not None else None)

    def _timer_set(self, event: HistoryEvent, attributes: Any) -> None:
        until = _instant(event.event_time) + attributes.start_to_fire_timeout.ToTimedelta()
        summary = self._readable(event, self._open)
        says = f"A timer for {summary}" if summary else "A timer"
        self._add(event, MomentKind.TIMER, says, outcome=Outcome.UNDER_WAY, key=event.event_id)
        self.moments[-1] = replace(self.moments[-1], until=until)

    def _act_accepted(self, event: HistoryEvent, attributes: Any) -> None:
        request = attributes.accepted_request
        given = self._open.first(request.input.args)
        known = given if isinstance(given, dict) else {}
        actor, way = str(known.get("actor", "somebody")), known.get("authenticated")
        act_id = request.meta.update_id
        self._add(
            event,
            MomentKind.ACT,
            f"The act “{request.input.name}” by {actor}{f', {_words(way)}' if way else ''}",
            outcome=Outcome.UNDER_WAY,
            details=(("What was given", _shown(given)),),
            claim=Claim(act_id=_uuid(act_id), act=request.input.name, actor=actor),
            key=("act", act_id),
        )

    def _act_answered(self, event: HistoryEvent, attributes: Any) -> None:
        key = ("act", attributes.meta.update_id)
        if attributes.outcome.HasField("failure"):
            said = self._open.failure(attributes.outcome.failure)
            self._end(
                event, key, Outcome.FAILED, "accepted, and refused as it was to be recorded", detail=("Why", said)
            )
            return
        answer = ("What was answered", self._open.first(attributes.outcome.success))
        self._end(event, key, Outcome.DONE, "accepted, recorded and answered", detail=answer)

    def _batch_began(self, event: HistoryEvent, attributes: Any) -> None:
        opener = self._open.of(attributes.workflow_id)
        given = opener.first(attributes.input)
        batch_id = _uuid(attributes.workflow_id.partition(":")[2])
        # Which of the two workflows the SDK names as it seals a child's summary differs between its versions.
        words = self._readable(event, opener) or self._readable(event, self._open)
        # The workflow counts so, and histories cannot be changed.
        summary = f": {words.replace('1 notices', '1 notice') if words.startswith('1 ') else words}" if words else ""
        self._add(
            event,
            MomentKind.BATCH,
            f"A batch began to leave{summary}",
            outcome=Outcome.UNDER_WAY,
            details=(("What was asked", _shown(given)),),
            claim=Claim(batch_id=batch_id),
            key=attributes.workflow_id,
        )

    def _readable(self, event: HistoryEvent, opener: _Opener) -> str:
        """What an event is summed up as; blank where that does not open."""
        if not event.user_metadata.HasField("summary"):
            return ""
        value = opener.value(event.user_metadata.summary)
        return "" if str(value).startswith(_NOT_READABLE) else str(value)

    def _batch_ended(self, event: HistoryEvent, attributes: Any, how: str) -> None:
        never_began = "workflow_execution" not in attributes.DESCRIPTOR.fields_by_name
        workflow_id = attributes.workflow_id if never_began else attributes.workflow_execution.workflow_id
        if how != "completed":
            said = self._open.of(workflow_id).failure(attributes.failure) if _has_failure(attributes) else ""
            detail = ("What went wrong", said) if said else None
            self._end(event, workflow_id, Outcome.FAILED, f"{how}, so it is sent again", detail=detail)
            return
        answer = self._open.of(workflow_id).first(attributes.result)
        outcome = answer if isinstance(answer, dict) else {}
        words = ", ".join(
            f"{name} {outcome[member]:,}"
            for member, name in _OUTCOMES.items()
            if member == "given" or outcome.get(member)
            if isinstance(outcome.get(member), int)
        )
        kept = "kept back by a decision" if outcome.get("kept_back") else words
        given = int(outcome.get("given") or 0)
        self._end(event, workflow_id, Outcome.DONE, kept, detail=("What became of it", answer), given=given)

    def _signalled(self, event: HistoryEvent, attributes: Any) -> None:
        known = attributes.signal_name == "look_again"
        says = "It was told to look at what SQL holds" if known else f"The signal “{attributes.signal_name}” came"
        given = self._open.first(attributes.input)
        details = (("What it brought", _shown(given)),) if given is not None else ()
        self._add(event, MomentKind.SIGNAL, says, details=details)

    def _marked(self, event: HistoryEvent, attributes: Any) -> None:
        found = [self._open_or_plain(one) for data in attributes.details.values() for one in data.payloads]
        names = [str(one["id"]) for one in found if isinstance(one, dict) and "id" in one]
        if names:
            self._add(event, MomentKind.VERSION, f"It took the way of the newer code: {', '.join(names)}")
        else:
            self._add(event, MomentKind.OTHER, f"Temporal’s SDK noted: {_words(attributes.marker_name)}")

    def _open_or_plain(self, payload: Payload) -> Any:
        """What a marker holds: the SDK's own, which it may write in clear."""
        return (
            json.loads(payload.data) if payload.metadata.get("encoding") == b"json/plain" else self._open.value(payload)
        )

    def _ended(self, event: HistoryEvent, attributes: Any, how: str) -> None:
        details: tuple[tuple[str, str], ...] = ()
        match how:
            case "completed":
                says, outcome = "The case’s workflow came to its end", Outcome.DONE
                details = (("How the case stood", _shown(self._open.first(attributes.result))),)
            case "continued_as_new":
                says, outcome = "The run was long, and went on as a new one", Outcome.DONE
            case "terminated":
                says, outcome = "The workflow was ended from outside", Outcome.FAILED
                details = (("Reason given", attributes.reason or "none"), ("By", attributes.identity))
            case "failed":
                says, outcome = "The workflow failed", Outcome.FAILED
                details = (("What went wrong", _shown(self._open.failure(attributes.failure))),)
            case _:
                says, outcome = f"The workflow {_words(how)}", Outcome.FAILED
        self._add(event, MomentKind.ENDED, says, outcome=outcome, details=details)


_OUTCOMES = {
    "given": "given in all",
    "late": "late",
    "undelivered": "not delivered",
    "refused": "refused",
    "undecided": "for a person to decide",
    "put_off": "put off",
}
"""What became of a batch, as people read it."""


def _has_failure(attributes: Any) -> bool:
    return "failure" in attributes.DESCRIPTOR.fields_by_name and attributes.HasField("failure")


def _shown(value: Any) -> str:
    """A decoded value for people, without what is empty in it, and cut where it is long."""
    text = value if isinstance(value, str) else json.dumps(_filled(value), indent=2, ensure_ascii=False)
    if len(text) <= LONGEST_DETAIL:
        return text
    return f"{text[:LONGEST_DETAIL]}\n… and {len(text) - LONGEST_DETAIL:,} characters more."


def _filled(value: Any) -> Any:
    if isinstance(value, dict):
        members = {name: _filled(member) for name, member in value.items()}
        return {name: member for name, member in members.items() if member not in (None, [], {})}
    return [_filled(member) for member in value] if isinstance(value, list) else value


def _words(name: str) -> str:
    return name.lower().replace("_", " ").replace("-", " ")


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _instant(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(tzinfo=UTC)
