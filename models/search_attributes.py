"""The one registry of Temporal search attributes.

Search attributes are stored in clear by Temporal, so they hold kinds, statuses, instants and counts only: nothing
that a person wrote and nothing that names a person.
"""

from __future__ import annotations

from temporalio.common import SearchAttributeKey

CASE_KIND = SearchAttributeKey.for_keyword("DuenoticeCaseKind")
CASE_STATUS = SearchAttributeKey.for_keyword("DuenoticeCaseStatus")
NEXT_DUE = SearchAttributeKey.for_datetime("DuenoticeNextDue")
OPEN_DUTIES = SearchAttributeKey.for_int("DuenoticeOpenDuties")

REGISTRY = (CASE_KIND, CASE_STATUS, NEXT_DUE, OPEN_DUTIES)
"""Every key, for registering them on a server and for the test that no other is used."""
