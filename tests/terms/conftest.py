"""Property tests of the terms: the first count of a year reads its holidays, which takes longer than the rest."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("terms", deadline=None)
settings.load_profile("terms")
