"""The same act is the same event, whoever runs the cluster; what is not logged is on one list."""

from __future__ import annotations

import pytest

from ingest.normalize import NormalizeSettings, normalize
from ingest.record import Records
from tests.acts.comparison import acts, by_act, differing_columns, differing_findings, rules
from tests.acts.not_logged import DIFFERENCES, Difference
from tests.acts.wrappers import CLUSTER, WRAPPERS

ACTS = list(acts())
PROVIDERS = list(WRAPPERS)


def listed(act: str, provider: str) -> list[Difference]:
    mine = [one for one in DIFFERENCES if one.provider == provider]
    return [one for one in mine if not one.acts or act in one.acts]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("act", ACTS)
def test_the_act_is_the_same_event_but_for_what_is_listed(act: str, provider: str) -> None:
    columns = {column for one in listed(act, provider) for column in one.columns}
    findings = {rule for one in listed(act, provider) for rule in one.findings}
    assert differing_columns(act, provider) <= columns
    assert differing_findings(act, provider) <= findings


@pytest.mark.parametrize("one", DIFFERENCES, ids=lambda one: f"{one.provider}: {one.fact[:50]}")
def test_what_is_listed_does_differ(one: Difference) -> None:
    among = one.acts or ACTS
    found = {act: differing_columns(act, one.provider) for act in among}
    assert set(one.columns) <= set().union(*found.values())
    findings = {rule for act in among for rule in differing_findings(act, one.provider)}
    assert set(one.findings) <= findings
    assert not [act for act in one.acts if not found[act] & set(one.columns)]
    assert one.source.startswith("https://")


def test_listed_acts_and_rules_are_there() -> None:
    assert {act for one in DIFFERENCES for act in one.acts} <= set(ACTS)
    assert {rule for one in DIFFERENCES for rule in one.findings} <= {
        rule.file.stem for rule in rules()
    }


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("act", ACTS)
def test_how_it_ended_is_the_same_everywhere(act: str, provider: str) -> None:
    mine, theirs = by_act("native")[act][0], by_act(provider)[act][0]
    if mine is not None and theirs is not None:
        assert theirs["event.outcome"] == mine["event.outcome"]
        assert theirs["trailwarden.identity.type"] == mine["trailwarden.identity.type"]


@pytest.mark.parametrize("provider", ["eks", "aks", "gke"])
def test_the_cloud_names_the_cluster_where_nobody_else_did(provider: str) -> None:
    raw = WRAPPERS[provider](acts()["secret read"])
    assert raw is not None
    settings = NormalizeSettings("default", is_default=True)
    events = normalize([Records("acts", [raw], [0])], settings).events
    assert events["orchestrator.cluster.name"].to_list() == [CLUSTER]


def test_there_are_acts_of_every_kind() -> None:
    native = [row for row, _ in by_act("native").values() if row is not None]
    assert len(ACTS) >= 25
    assert {row["event.action"] for row in native} >= {
        "create", "delete", "deletecollection", "patch", "get", "list", "exec", "attach",
        "portforward", "proxy", "token-request", "approve", "evict", "bind-pod", "scale",
    }  # fmt: skip
    assert {row["trailwarden.patch.type"] for row in native} >= {
        "json", "merge", "strategic", "apply",
    }  # fmt: skip
    assert {row["event.outcome"] for row in native} == {"success", "failure"}
