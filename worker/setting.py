"""What every group of settings is made of.

Separate so that the groups can stand in modules of their own.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Group(BaseModel):
    """Settings that belong together: nobody changes them, and none is unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def setting(default: Any, description: str, **limits: Any) -> Any:
    """Return a setting with its default, its row of docs/settings.md and what it may be."""
    return Field(default=default, description=description, **limits)
