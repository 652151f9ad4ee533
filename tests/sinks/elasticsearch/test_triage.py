"""People's fields change only in the state that was read, on a real node; all others stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sinks.elasticsearch.connection import Client
from sinks.elasticsearch.setup import apply
from sinks.elasticsearch.templates import SetupOptions
from sinks.elasticsearch.transport import SetupMissingError, UnavailableError, require
from sinks.elasticsearch.triage import (
    ATTEMPTS,
    HeldFinding,
    TriageConflictError,
    find_finding,
    search_findings,
    set_triage,
)

pytestmark = pytest.mark.integration

IDS = ("a" * 32, "ab" * 16, "c" * 32)


@pytest.fixture
def ready(client: Client, prefix: str) -> str:
    """Three findings of two days, each an hour after the one before."""
    apply(client, SetupOptions(prefix, replicas=0))
    for number, (identifier, day) in enumerate(zip(IDS, (1, 1, 2), strict=True)):
        document = {
            "@timestamp": f"2026-03-0{day}T1{number}:00:00.000000Z",
            "trailwarden.finding.id": identifier,
            "trailwarden.severity": ("low", "high", "critical")[number],
            "orchestrator.cluster.name": "blue",
        }
        path = f"/{prefix}-findings-2026.03.0{day}/_create/{identifier}?refresh=true"
        require(client, "PUT", path, document)
    return prefix


class Racing:
    """A client; before each update, up to ``times``, somebody else is faster."""

    def __init__(self, client: Client, times: int, act: Callable[[], object]) -> None:
        self._client = client
        self._act = act
        self.left = times
        self.updates = 0

    def perform_request(self, method: str, path: str, **given: Any) -> Any:
        if "/_update/" in path:
            self.updates += 1
            if self.left:
                self.left -= 1
                self._act()
        return self._client.perform_request(method, path, **given)


def held(client: Client, prefix: str, identifier: str = IDS[0]) -> HeldFinding:
    (found,) = find_finding(client, prefix, identifier)
    return found


def stored(client: Client, one: HeldFinding) -> dict[str, Any]:
    return dict(require(client, "GET", f"/{one.index}/_doc/{one.id}")["_source"])


def noted(client: Client, one: HeldFinding) -> None:
    fields = {"doc": {"trailwarden.triage.note": "another's"}}
    require(client, "POST", f"/{one.index}/_update/{one.id}", {**fields, "detect_noop": False})


def test_findings_are_found_newest_first_by_filter_and_by_how_their_id_begins(
    client: Client, ready: str
) -> None:
    assert [one.id for one in search_findings(client, ready, [], 10)] == [*reversed(IDS)]
    assert [one.id for one in search_findings(client, ready, [], 1)] == [IDS[2]]
    only = [{"terms": {"trailwarden.severity": ["high"]}}]
    assert [one.id for one in search_findings(client, ready, only, 10)] == [IDS[1]]
    assert {one.id for one in find_finding(client, ready, "a")} == {*IDS[:2]}
    assert find_finding(client, ready, "*") == []
    assert search_findings(client, f"{ready}-none", [], 10) == []


def test_only_the_fields_that_are_set_change(client: Client, ready: str) -> None:
    one = held(client, ready)
    before = stored(client, one)
    noted(client, one)
    set_triage(client, held(client, ready), {"verdict": "benign", "status": "closed"})
    assert stored(client, one) == before | {
        "trailwarden.triage.note": "another's",
        "trailwarden.triage.verdict": "benign",
        "trailwarden.triage.status": "closed",
    }


def test_after_a_conflict_the_document_is_read_again(client: Client, ready: str) -> None:
    one = held(client, ready)
    racing = Racing(client, ATTEMPTS - 1, lambda: noted(client, one))
    set_triage(racing, one, {"verdict": "benign"})  # type: ignore[arg-type]  # a fake
    assert racing.updates == ATTEMPTS
    found = stored(client, one)
    assert found["trailwarden.triage.verdict"] == "benign"
    assert found["trailwarden.triage.note"] == "another's"


def test_whoever_is_always_too_slow_changes_nothing(client: Client, ready: str) -> None:
    one = held(client, ready)
    racing = Racing(client, 99, lambda: noted(client, one))
    with pytest.raises(TriageConflictError, match=f"{ATTEMPTS} times"):
        set_triage(racing, one, {"verdict": "benign"})  # type: ignore[arg-type]  # a fake
    assert racing.updates == ATTEMPTS
    assert "trailwarden.triage.verdict" not in stored(client, one)


def test_a_finding_that_is_gone_is_said_and_not_made_again(client: Client, ready: str) -> None:
    one = held(client, ready)
    require(client, "DELETE", f"/{one.index}/_doc/{one.id}?refresh=true")
    with pytest.raises(SetupMissingError):
        set_triage(client, one, {"verdict": "benign"})
    assert find_finding(client, ready, one.id) == []


def test_a_node_that_is_not_there_is_said(client: Client, ready: str) -> None:
    from sinks.elasticsearch.connection import connect  # noqa: PLC0415 - another address

    one = held(client, ready)
    away = connect("http://127.0.0.1:1")
    with pytest.raises(UnavailableError):
        set_triage(away, one, {"verdict": "benign"})
    away.close()
