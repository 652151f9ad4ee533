"""Days beyond retention are deleted, by the day in their names, and nothing else is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from sinks.elasticsearch.connection import Client
from sinks.elasticsearch.index_name import index_name
from sinks.elasticsearch.retention import apply_retention, expired_indices, oldest_day
from sinks.elasticsearch.transport import ask, require

NOW = datetime(2026, 3, 31, 12, 0, tzinfo=UTC)


def test_the_oldest_day_kept_is_the_one_that_an_event_may_still_have() -> None:
    assert oldest_day(30, NOW) == date(2026, 3, 1)
    oldest = index_name("tw", "events", NOW - timedelta(days=30), NOW, 30)
    assert oldest == "tw-events-2026.03.01"


@pytest.mark.integration
def test_only_days_beyond_it_are_deleted(client: Client, prefix: str) -> None:
    expired = [f"{prefix}-{name}" for name in ("findings-2026.02.27", "events-2026.02.28")]
    kept = [
        f"{prefix}-{name}"
        for name in (
            "events-2026.03.01",
            "findings-2026.03.31",
            "events-outofrange",
            "findings-outofrange",
            "events-2026.02.28-copy",
            "states-2026.01.01",
        )
    ]
    for name in (*expired, *kept):
        require(client, "PUT", f"/{name}", {"settings": {"index.number_of_replicas": 0}})
    require(client, "POST", f"/{expired[0]}/_close")
    assert expired_indices(client, prefix, 30, NOW) == expired
    assert apply_retention(client, prefix, 30, NOW) == expired
    assert apply_retention(client, prefix, 30, NOW) == []
    found = ask(client, "GET", f"/_resolve/index/{prefix}-*?expand_wildcards=all").body["indices"]
    assert {entry["name"] for entry in found} == set(kept)
