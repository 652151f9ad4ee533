"""Days to keep in, indices of older days out, and deleted.

Separate from the set-up because it runs every hour. An index is judged by the day in its name
alone; what has no day (``outofrange``) is never deleted here.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from sinks.elasticsearch.index_name import KINDS, day_of
from sinks.elasticsearch.transport import SetupMissingError, require

if TYPE_CHECKING:
    from sinks.elasticsearch.connection import Client


def expired_indices(client: Client, prefix: str, retention_days: int, now: datetime) -> list[str]:
    """Return the indices whose whole day lies before now - retention, oldest first.

    Raises
        NotAllowedError, SetupMissingError, UnavailableError: what the server answered instead.
    """
    patterns = ",".join(f"{prefix}-{kind}-*" for kind in KINDS)
    body = require(client, "GET", f"/_resolve/index/{patterns}?expand_wildcards=open,closed")
    found = [(day_of(entry["name"], prefix), entry["name"]) for entry in (body or {})["indices"]]
    oldest = oldest_day(retention_days, now)
    return [name for _, name in sorted((d, name) for d, name in found if d and d < oldest)]


def oldest_day(retention_days: int, now: datetime) -> date:
    """Return the first day that is kept: an event of now - retention belongs to it."""
    return (now - timedelta(days=retention_days)).date()


def apply_retention(client: Client, prefix: str, retention_days: int, now: datetime) -> list[str]:
    """Delete them and return their names; one that is gone already counts as deleted.

    Raises
        NotAllowedError, SetupMissingError, UnavailableError: those before it are deleted.
    """
    expired = expired_indices(client, prefix, retention_days, now)
    for name in expired:
        _delete(client, name)
    return expired


def _delete(client: Client, name: str) -> None:
    try:
        require(client, "DELETE", f"/{name}")
    except SetupMissingError as error:
        if "index_not_found_exception" not in str(error):
            raise
