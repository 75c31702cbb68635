"""What is read from SQL to be shown: values that do not change."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class View(BaseModel):
    """Base of all views."""

    model_config = ConfigDict(frozen=True)
