"""The pages of cases: what is due next, one case whole, and the acts of an officer on it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlencode
from uuid import UUID, uuid4

from fastapi import APIRouter, Request
from starlette.responses import Response

from cases.acts import SetDate
from cases.fields import Shape
from cases.kinds import kind_named
from ledger.entries import READING_SPAN
from models.enums import Authentication, CaseStatus, Reading
from models.errors import DuenoticeError, InvalidInput
from queries.agreements import agreement_kinds, agreement_states
from queries.case_lists import NOBODY, CaseFilter, CasePlace, case_kinds, list_cases
from queries.cases import read_case_head
from queries.duties import DutyFilter, read_cohorts, read_duties
from queries.evidence import count_evidence_before, read_evidence
from queries.holders import vendor_names
from queries.ledger_check import read_ledger_check
from queries.readings import read_readings
from queries.views import CaseHead, CohortView
from records.answers import read_answers
from records.costs import read_costs
from records.documents import read_documents
from records.erasure import read_erasure
from records.handed_over import read_handed_over
from records.links import read_link_figures
from records.needs import Asking, read_needs
from records.responsible import assignable
from web.act_forms import ActForm, act_form
from web.failures import status_of
from web.pages import problems_of
from web.pages import words as in_words
from web.paging import MOST_DIGITS, asked_text, read_page
from web.sessions import Session
from web.site import SignedIn, Site, TheSite, sent_as_of, text_of
from web.times import zone_names
from web.told import told_after

router = APIRouter(include_in_schema=False)

CASES_SHOWN = 50
NEEDS_SHOWN = 20
DUTIES_SHOWN = 50
EVIDENCE_SHOWN = 100
READINGS_SHOWN = 20
UNACKNOWLEDGED_SHOWN = 50
DOCUMENTS_SHOWN = 50

_FORMS = {"impossible": "learn"}
"""The form that is sent to the address of another one by its second button."""

_OTHER_LABELS: Mapping[str, Mapping[str, str]] = {
    "documents": {"file": "Files", "element": "What they are", "agreement": "Reference of the agreement"},
    "handed-over": {"file": "File", "contact": "To whom"},
    "costs": {
        "agreement": "Reference of the agreement",
        "amount": "Amount in US dollars",
        "note": "For what",
        "receipt": "Receipt",
    },
}
"""What the forms call their fields that are no acts."""


@dataclass(frozen=True)
class Kept:
    """What was typed into one of the page's forms and refused, so that it need not be typed again."""

    form: str = ""
    values: Mapping[str, str] = field(default_factory=dict)

    def of(self, form: str) -> Mapping[str, str]:
        """What to fill into a form: what was typed there, else nothing."""
        return _Typed(self.values if form == self.form else {})


class _Typed(dict[str, str]):
    """What was typed, by field; a field that is looked up and was not typed is blank, and stays out of it."""

    def __missing__(self, field: str) -> str:
        return ""


def key_of(cohort: CohortView) -> str:
    """The name of a cohort in an address: its clause and due instant."""
    return f"{cohort.clause}@{cohort.due_at.isoformat() if cohort.due_at else 'pending'}"


@router.get("/")
def what_is_due(request: Request, site: TheSite, session: SignedIn) -> Response:
    """What needs somebody, and the cases, what is due next first; on a new installation, what to do first."""
    asked, database, now = request.query_params, site.resources.database, site.clock()
    kinds = case_kinds(database)
    which, after = asked_filter(asked), asked_place(asked)
    shown = list_cases(database, now, which, after=after, limit=CASES_SHOWN)
    own = asked.get("whose") == "mine"
    asking = asking_of(site, session, own=own)
    needs = read_page(
        lambda offset, limit: read_needs(database, asking, now, offset=offset, limit=limit),
        asked.get("needs", "1"),
        NEEDS_SHOWN,
    )
    return site.pages.show(
        request,
        "cases.html",
        needs=needs,
        by_own_means=_by_own_means(site, asking, now) - needs.total if asking.by_link else 0,
        own_needs=own,
        shown=shown,
        which=which,
        begins=f"/?{urlencode(which.asked)}#cases" if after else None,
        goes_on=f"/?{urlencode({**which.asked, 'after': str(shown.next)})}#cases" if shown.next else None,
        choices=_choices(site, which, kinds),
        check=read_ledger_check(database),
        has_cases=bool(kinds),
        has_agreements=bool(kinds) or agreement_kinds(database).total > 0,
    )


def _by_own_means(site: Site, asking: Asking, now: datetime) -> int:
    """How much would need whoever is signed in by a link, had they signed in by a password of their own."""
    own = replace(asking, authenticated=Authentication.PASSWORD)
    return read_needs(site.resources.database, own, now, offset=0, limit=1)[1]


def asked_filter(asked: Mapping[str, str]) -> CaseFilter:
    """Which cases an address asks for; a status that there is not asks for none."""
    text = {
        name: asked_text(asked, name).strip() or None for name in ("kind", "state", "district", "vendor", "assignee")
    }
    status = asked.get("status", "")
    return CaseFilter(
        status=CaseStatus(status) if status in list(CaseStatus) else None, overdue=bool(asked.get("overdue")), **text
    )


def asked_place(asked: Mapping[str, str]) -> CasePlace | None:
    """After which case an address asks the list to begin; one that makes no sense gives its beginning."""
    try:
        return CasePlace.read(asked["after"])
    except (KeyError, InvalidInput):
        return None


def _choices(site: Site, which: CaseFilter, kinds: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
    """What each condition on the list can be chosen from, by what the address gives."""
    database = site.resources.database
    with database.reading() as session:
        names = assignable(session)
    given = {which.assignee} - {None, NOBODY, *names}
    states = agreement_states(database)
    return {
        "status": {word.value: in_words(word) for word in CaseStatus},
        "kind": {word: in_words(word) for word in kinds} if len(kinds) > 1 or which.kind else {},
        "state": {word: word for word in sorted({*states, *filter(None, [which.state])})},
        "vendor": vendor_names(database, which.vendor),
        "assignee": {NOBODY: "nobody"} | {name: name for name in (*names, *filter(None, given))},
    }


def asking_of(site: Site, session: Session, *, own: bool) -> Asking:
    """Who asks for what needs people: whoever is signed in."""
    soon = timedelta(hours=site.resources.settings.leaves_soon_hours)
    return Asking(session.actor, session.authenticated, own=own, soon=soon)


@router.get("/cases/{case_id}")
def case_page(request: Request, site: TheSite, session: SignedIn, case_id: UUID) -> Response:
    """One case: what is known, what is owed and why, what was sent, and the evidence."""
    site.note_read(session, case_id, Reading.CASE)
    return _show(request, site, case_id)


async def show_again(request: Request, site: Site, case_id: UUID) -> Response:
    """The case page again, with what was typed, to change it before it is recorded."""
    return await show_refusal(request, site, case_id, None)


async def show_refusal(request: Request, site: Site, case_id: UUID, error: DuenoticeError | None) -> Response:
    """The case page again, with the reason, if there is one, and with what was typed."""
    form = await request.form()
    typed = {name: text_of(form, name) for name in form}
    sent_to = request.url.path.rpartition("/")[2]
    kept = Kept(_FORMS.get(sent_to, sent_to), typed)
    return await asyncio.to_thread(_show, request, site, case_id, error, kept)


def _evidence_page(site: Site, case_id: UUID, asked: Mapping[str, str]) -> str:
    """Which page of the evidence is asked for: by its number, or by that of an entry on it."""
    entry = asked.get("entry", "")
    if not (entry.isdecimal() and len(entry) < MOST_DIGITS):
        return asked.get("evidence", "1")
    return str(count_evidence_before(site.resources.database, case_id, int(entry)) // EVIDENCE_SHOWN + 1)


def _labels(forms: Mapping[str, ActForm], form: str) -> Mapping[str, str]:
    """What a form of the page calls its fields, by the names by which problems name them."""
    if form not in forms:
        return _OTHER_LABELS.get(form, {})
    fields = forms[form].fields
    of_file = {"file": "File"} if any(field.shape is Shape.REFERENCES for field in fields) else {}
    return {**{field.name: field.label for field in fields}, **of_file}


def _not_taken(kept: Kept, forms: Mapping[str, ActForm], offered: Collection[str]) -> Sequence[tuple[str, str]]:
    """The texts that were typed into the form of an act that the page offers as a form of its own no more."""
    form = forms.get(kept.form)
    if form is None or not form.stands_alone or kept.form in offered:
        return ()
    typed = ((field.label, kept.values.get(field.name, "")) for field in form.fields if field.shape is Shape.TEXT)
    return tuple((label, text) for label, text in typed if text)


def _begun(case: CaseHead, asked: Mapping[str, str]) -> Kept:
    """The form of a date that an address asks to be given, open at that date; else none."""
    name = asked.get("give", "")
    return Kept(SetDate.act_name(), {"name": name}) if name in case.dates and not case.is_over else Kept()


def _show(
    request: Request, site: Site, case_id: UUID, error: DuenoticeError | None = None, kept: Kept | None = None
) -> Response:
    asked, database, now = request.query_params, site.resources.database, site.clock()
    case = read_case_head(database, case_id, now)
    cohorts = read_cohorts(database, case_id, now)
    chosen = next((cohort for cohort in cohorts if key_of(cohort) == asked.get("cohort")), None)
    which = DutyFilter(
        cohort=(chosen.clause, chosen.due_at) if chosen else None,
        state=asked_text(asked, "state") or None,
        duty=sent_as_of(asked.get("duty", "")),
    )
    kind = kind_named(case.kind)
    forms = {act.act_name(): act_form(act) for act in kind.all_acts}
    return site.pages.show(
        request,
        "case.html",
        status=status_of(error) if error else HTTPStatus.OK,
        case=case,
        cohorts=cohorts,
        key_of=key_of,
        chosen=chosen,
        only_duty=which.duty,
        duties=read_page(
            lambda offset, limit: read_duties(database, case_id, now, which, offset=offset, limit=limit),
            asked.get("page", "1"),
            DUTIES_SHOWN,
        ),
        evidence=read_page(
            lambda offset, limit: read_evidence(database, case_id, offset=offset, limit=limit),
            _evidence_page(site, case_id, asked),
            EVIDENCE_SHOWN,
        ),
        readings=read_page(
            lambda offset, limit: read_readings(database, case_id, offset=offset, limit=limit),
            asked.get("readings", "1"),
            READINGS_SHOWN,
        ),
        reading_hours=READING_SPAN // timedelta(hours=1),
        again=f"{request.url.path}?{request.url.query}",
        told=None if kept else told_after(asked.get("done", ""), kind, {*case.own_acts, *case.offered}),
        problems=problems_of(error) if error else (),
        links=read_link_figures(database, case_id, site.links_last),
        answers=read_answers(database, case_id, listed=UNACKNOWLEDGED_SHOWN),
        answer_days=site.resources.settings.defaults.answer_days,
        documents=read_documents(database, case_id, listed=DOCUMENTS_SHOWN),
        costs=read_costs(database, case_id),
        handed=read_handed_over(database, case_id, days=site.resources.settings.defaults.handed_over_days),
        erasure=read_erasure(database, case_id, now, site.resources.settings.defaults) if case.closed_at else None,
        new_cost_id=uuid4(),
        act_forms=forms,
        side=site.resources.settings.side,
        for_families=kind.for_families,
        labels=_labels(forms, kept.form) if kept else {},
        new_id=uuid4,
        kept=kept or _begun(case, asked),
        not_taken_texts=_not_taken(kept, forms, {*case.own_acts, *case.offered}) if kept and error else (),
        zones=zone_names(),
    )
