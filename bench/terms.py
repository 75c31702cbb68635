"""How fast terms are resolved and duties computed: ``python -m bench.terms``.

One process, 18,000 agreements over twelve states (eleven under version 1, Oregon under version 2), each with its own
zone, one incident. The floor beside the figures is a bare loop of ``datetime + timedelta`` over the same agreements.
"""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta
from time import perf_counter

from terms.catalogue import CLAUSES_FOLDER, check_catalogue
from terms.duties import duties_for
from terms.effective import effective_terms

AGREEMENTS = 18_000
LOADING_LIMIT_SECONDS = 1.0
DUTIES_LIMIT_SECONDS = 3.0
APART_LIMIT_SECONDS = 5.0
"""Where no two agreements share a clock, which no case comes near: dates are set for one agreement alone by hand."""

ON = date(2026, 11, 21)
ANCHORS = {
    "reasonably_expected": datetime(2026, 10, 29, 14, tzinfo=UTC),
    "confirmed": datetime(2026, 10, 30, 16, tzinfo=UTC),
}


def main() -> int:
    """Print the figures; 1 if one of them is over its limit."""
    start = perf_counter()
    catalogue, errors = check_catalogue(CLAUSES_FOLDER)
    loading = perf_counter() - start
    assert catalogue is not None, errors
    places = [(form, state) for form in ("ndpa-v1", "ndpa-v2") for state in catalogue.states(form)]
    agreements = [places[n % len(places)] for n in range(AGREEMENTS)]
    zones = {place: catalogue.state(*place).zone for place in places}

    def compute(moved: timedelta) -> tuple[int, float]:
        """Count every agreement's duties, its confirmation moved by so much against the one before."""
        start, count = perf_counter(), 0
        for n, (form, state) in enumerate(agreements):
            terms = effective_terms(catalogue, form, state, on=ON)
            anchors = {name: at + moved * n for name, at in ANCHORS.items()}
            count += len(duties_for(terms, "breach", anchors, zone=zones[form, state]))
        return count, perf_counter() - start

    duties, computing = compute(timedelta(0))
    _, apart = compute(timedelta(seconds=1))

    start = perf_counter()
    confirmed = ANCHORS["confirmed"]
    due = [confirmed + timedelta(hours=72) for _ in agreements]
    floor = perf_counter() - start

    figures = (
        ("load and check the whole catalogue", loading, LOADING_LIMIT_SECONDS),
        (f"{duties:,} breach duties of {AGREEMENTS:,} agreements", computing, DUTIES_LIMIT_SECONDS),
        ("the same, each agreement confirmed at its own second", apart, APART_LIMIT_SECONDS),
        (f"bare datetime + timedelta, {len(due):,} times", floor, None),
    )
    for name, seconds, limit in figures:
        print(f"{name:54}{seconds:8.3f} s{f'   limit {limit} s' if limit else ''}")
    return int(any(limit is not None and seconds > limit for _, seconds, limit in figures))


if __name__ == "__main__":
    sys.exit(main())
