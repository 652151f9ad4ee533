from __future__ import annotations

from datetime import timedelta

from models.training.split import between
from tests.models.event_rows import MONDAY, event_frame, request


def test_no_event_is_on_both_sides_and_a_moment_belongs_to_what_follows() -> None:
    events = event_frame([*(request(at, "a", "get", "pods") for at in (0, 5, 10)), {}])
    at = MONDAY + timedelta(seconds=5)
    assert between(events, None, at)["event.id"].to_list() == ["e000000"]
    assert between(events, at, None)["event.id"].to_list() == ["e000001", "e000002"]
    assert between(events, None, None).height == 3
