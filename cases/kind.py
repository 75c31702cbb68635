"""What a kind of case is: everything in which it differs from others, in one value."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cases.acts import COMMON_ACTS, Act, TakeAct
from cases.intake import Intake
from cases.state import CaseState
from models.enums import NoticeKind


def _allows(message: TakeAct, state: CaseState, now: datetime) -> None:
    """A kind without rules of its own refuses nothing."""


def _takes(message: TakeAct, state: CaseState) -> None:
    """A kind without acts of its own has nothing to change in the state."""


def _is_decided(_: CaseState) -> bool:
    """A case about which nobody has to decide anything is over once its duties are."""
    return True


def _awaits_answer(_: CaseState) -> bool:
    """Nobody is asked anything."""
    return False


def _awaits(_: CaseState) -> frozenset[str]:
    """Nothing more is awaited than what is known."""
    return frozenset()


@dataclass(frozen=True)
class Kind:
    """One kind of case.

    Attributes:
        name: its one name: of its workflow type, its command group and its pages, in ``kebab-case``.
        label: what people call one such case.
        event: the event of its clauses (the part of their ids before the dot); an intake may name another.
        intake: what is asked when a case is opened.
        opening: the name of the command that opens one, as in ``report``.
        opening_title: what the page that opens one is called, and the links to it.
        opening_says: when to open one and what to say, as its page and its command tell people.
        acts: its own acts, besides those that every kind knows.
        check: raises ``Refused`` or ``InvalidInput`` where an act makes no sense in a case of this kind. It sees every
            act, after the rules that hold for all kinds.
        take: changes the state as one of its own acts does.
        offers: which of its own acts its page offers in a state; all of them where the kind does not say.
        is_decided: whether nothing is awaited any more, so that a case at rest is over.
        awaits: the dated facts that the case still waits for: a clause that only they can start is opened as pending,
            any other that nothing starts is not opened at all.
        awaits_answer: whether somebody outside was asked something and has not answered; that stops no clock but those
            whose clause says so (``pauses``).
        uses_agreement_dates: whether the dates of the agreement itself start clocks in such a case.
        dated_by: what says which further dated facts SQL knows of a case's agreements, as ``module:name``. They change
            without the case, and are read at each computation.
        clocks: the dated facts from which clauses count in such a case; None for all. A clause that only others start
            is not opened.
        only_after: of those, the ones that count, and are awaited, only once one of others has come about.
        involvement: the dated fact that an agreement added later may have for itself; None where there is none.
        recurs: whether what recurs comes round again within the case.
        ahead: the dated facts that may lie in the future.
        looks_ahead: whether those may too from which a clause of the case counts back.
        order: pairs of dated facts of which the second cannot come before the first: what says so is refused.
        usual_order: pairs of which the second hardly comes before the first: a person confirms that it is meant.
        shown: the content elements that its page shows first, with what people call them.
        templates: the names of templates of its own, where its notices read differently: in ``config/notices/``, or as
            ``package:name`` in a package, which then holds the words of its clauses too.
        holders_see: the content elements that each holder of the data is shown on the page behind its link. A kind
            that names any asks every holder for its confirmation (``records/holders.py``), once it is decided.
        holders_because: why each holder is asked, with ``{lea}``, ``{whom}`` and ``{agreement}`` in it.
        holders_document: the content element that the case itself writes once every holder has confirmed.
        only_by: the content elements that nobody tells or adds as others are, each with what is said to whoever tries.
        dates_by: the dated facts to which more belongs than a date, so that ``date`` does not give them, each with what
            does.
        for_families: whether what its notices' links lead to is for telling families.
        keeps_data: whether the data of its agreements is kept while such a case is open, so that no disposal of it goes
            on (``records/keeping.py``).
        passes_on: the content element that is a document with all that was reported (``shown``), for the LEA of each of
            its agreements: the case itself writes it.
        hands_over: whether files are handed to its LEAs, each by a protected link of its own.
        workflow: its workflow class, as ``module:name``.
        records: the module that stores its own acts; None where it has none.
        prepares: what checks an intake against SQL and adds the dated facts that follow from it, as ``module:name``.
        touches: what says which agreements an intake touches that need not name them, as ``module:name``.
        doubts: what finds dated facts that are hardly meant by what SQL knows, as ``module:name``: a person confirms
            them, as those of ``usual_order``.
        keeps: what keeps more of an intake than its facts once its case is there, as ``module:name``.
        chooses: what gives the words that a field of the intake is chosen from, where clauses decide on them, as
            ``module:name``: by field, each word with what people call it.
    """

    name: str
    label: str
    event: str
    intake: type[Intake]
    workflow: str
    opening: str = "open"
    opening_title: str = "Open a case"
    opening_says: str = ""
    acts: tuple[type[Act], ...] = ()
    check: Callable[[TakeAct, CaseState, datetime], None] = _allows
    take: Callable[[TakeAct, CaseState], None] = _takes
    offers: Callable[[CaseState], tuple[type[Act], ...]] | None = None
    is_decided: Callable[[CaseState], bool] = _is_decided
    awaits: Callable[[CaseState], frozenset[str]] = _awaits
    awaits_answer: Callable[[CaseState], bool] = _awaits_answer
    uses_agreement_dates: bool = False
    dated_by: str | None = None
    clocks: frozenset[str] | None = None
    only_after: Mapping[str, frozenset[str]] = field(default_factory=dict)
    involvement: str | None = None
    recurs: bool = False
    ahead: frozenset[str] = frozenset()
    looks_ahead: bool = False
    order: tuple[tuple[str, str], ...] = ()
    usual_order: tuple[tuple[str, str], ...] = ()
    shown: Mapping[str, str] = field(default_factory=dict)
    templates: Mapping[NoticeKind, str] = field(default_factory=dict)
    holders_see: tuple[str, ...] = ()
    holders_because: str = ""
    holders_document: str | None = None
    only_by: Mapping[str, str] = field(default_factory=dict)
    dates_by: Mapping[str, str] = field(default_factory=dict)
    for_families: bool = False
    keeps_data: bool = False
    passes_on: str | None = None
    hands_over: bool = False
    records: str | None = None
    prepares: str | None = None
    touches: str | None = None
    doubts: str | None = None
    keeps: str | None = None
    chooses: str | None = None

    @property
    def all_acts(self) -> tuple[type[Act], ...]:
        """Every act that can be done in such a case."""
        return (*self.acts, *COMMON_ACTS)

    def own_acts(self, state: CaseState) -> tuple[type[Act], ...]:
        """Those of its own acts that its page offers in this state."""
        return self.offers(state) if self.offers else self.acts

    def counts_from(self, anchor: str, given: Collection[str]) -> bool:
        """Whether a clause may count from a dated fact in such a case, where these facts are known."""
        after = self.only_after.get(anchor)
        return (self.clocks is None or anchor in self.clocks) and (after is None or not after.isdisjoint(given))

    def is_over(self, state: CaseState) -> bool:
        """Whether a case in this state has come to its end."""
        return self.is_decided(state) and state.is_at_rest()
