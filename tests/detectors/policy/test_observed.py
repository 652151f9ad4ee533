from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from detectors.policy.acts import Sight
from detectors.policy.audit_policy import AuditLevel, Request, Stage
from detectors.policy.change import Change, Insertion, apply
from detectors.policy.observed import (
    SIZE,
    Cost,
    Observation,
    add_costs,
    kind_of,
    observe,
    of_log,
)
from tests.detectors.policy.policies import HEAD, policy_of

Events = Callable[[list[dict[str, Any]]], pl.DataFrame]
POD = Request("create", "ann", ("dev",), True, "", "pods", "", "shop", "web")


def row(**changes: Any) -> dict[str, Any]:
    names = {
        "verb": "kubernetes.audit.verb",
        "level": "kubernetes.audit.level",
        "stage": "kubernetes.audit.stage",
        "resource": "orchestrator.resource.type",
        "subresource": "kubernetes.audit.objectRef.subresource",
        "group": "kubernetes.audit.objectRef.apiGroup",
        "namespace": "orchestrator.namespace",
        "user": "user.name",
        "groups": "kubernetes.audit.user.groups",
        "body": "kubernetes.audit.requestObject",
        "path": "url.path",
        "dataset": "event.dataset",
    }
    usual = {
        "verb": "create",
        "level": "Metadata",
        "stage": "ResponseComplete",
        "resource": "pods",
        "user": "ann",
    }
    return {names[key]: value for key, value in (usual | changes).items()}


def sight(**changes: Any) -> Sight:
    values: dict[str, Any] = {"verb": "create", "user": "ann", "user_groups": ()}
    values |= {"is_resource": True, "resource": "pods"} | changes
    return Sight(Request(**values), (), frozenset(), {})


@pytest.fixture
def observed(events: Events) -> Callable[..., Observation]:
    def observe_batches(*batches: list[dict[str, Any]]) -> Observation:
        found = Observation()
        for batch in batches:
            observe(events(batch), found)
        return found

    return observe_batches


def test_the_highest_level_of_each_kind_counts_over_all_batches(
    observed: Callable[..., Observation],
) -> None:
    found = observed(
        [row(), row(level="Request")],
        [row(), row(verb="delete"), row(subresource="status")],
    )
    logged = of_log(found)
    assert found.events == 5
    decision = logged(sight())
    assert decision is not None
    assert decision.level is AuditLevel.REQUEST
    deleted = logged(sight(verb="delete"))
    assert deleted is not None
    assert deleted.level is AuditLevel.METADATA
    assert logged(sight(verb="update")) is None
    assert logged(sight(group="apps")) is None
    assert logged(sight(subresource="exec")) is None


def test_stages_that_were_never_seen_are_left_out(observed: Callable[..., Observation]) -> None:
    watches = row(verb="watch", stage="ResponseStarted")
    decision = of_log(observed([row(), watches]))(sight(verb="watch"))
    assert decision is not None
    assert decision.omitted == set(Stage) - {Stage.RESPONSE_STARTED}


def test_clients_connect_by_two_verbs_to_the_same_end(
    observed: Callable[..., Observation],
) -> None:
    found = observed([row(verb="get", subresource="exec")])
    assert of_log(found)(sight(verb="create", subresource="exec")) is not None


def test_failed_authentication_is_a_kind_of_its_own(observed: Callable[..., Observation]) -> None:
    nobody = sight(user=None)
    assert of_log(observed([row()]))(nobody) is None
    failed = row(user=None, verb="list", resource="secrets", stage="ResponseStarted")
    assert of_log(observed([failed]))(nobody) is not None
    assert of_log(observed([failed]))(sight(verb="list", resource="secrets")) is None


def test_where_no_level_is_named_the_body_tells(observed: Callable[..., Observation]) -> None:
    entries = [row(level=None, body="{}", stage=None), row(level=None, verb="delete")]
    logged = of_log(observed(entries))
    created, deleted = logged(sight()), logged(sight(verb="delete"))
    assert created is not None
    assert created.level is AuditLevel.REQUEST
    assert deleted is not None
    assert deleted.level is AuditLevel.METADATA


def test_what_machines_say_is_no_request(observed: Callable[..., Observation]) -> None:
    found = observed([row(dataset="falco.alerts")])
    assert (found.events, found.kinds) == (0, {})


def test_requests_without_a_resource_are_told_by_their_verb(
    observed: Callable[..., Observation],
) -> None:
    found = observed([row(verb="get", resource=None, path="/version")])
    request = Request("get", "ann", (), is_resource=False, path="/metrics")
    assert kind_of(request) in found.kinds


def test_a_change_costs_the_events_that_its_rules_decide(events: Events) -> None:
    policy = policy_of(
        f"{HEAD}rules:\n- {{level: None, users: [bob]}}\n"
        "- {level: Metadata, namespaces: [shop], userGroups: [dev]}\n- level: Metadata\n"
    )
    wanted = policy_of(f"{HEAD}rules:\n- {{level: Request, verbs: [create]}}\n").rules[0]
    version = policy_of(f"{HEAD}rules:\n- {{level: Request, nonResourceURLs: [/version]}}\n")
    change = Change((Insertion(1, wanted, ()), Insertion(2, version.rules[0], ())))
    frame = events(
        [
            row(namespace="shop", groups=["dev"]),
            row(namespace="shop", groups=["dev"]),
            row(verb="get"),
            row(user="bob"),
            row(resource=None, verb="get", path="/version"),
            row(resource=None, verb="get", path="/metrics"),
        ]
    ).with_columns(pl.Series(SIZE, [10.0, 20.0, 40.0, 80.0, 160.0, 320.0]))
    costs = {0: Cost(), 1: Cost()}
    add_costs(frame, apply(policy, change), change, costs)
    add_costs(frame[:1], apply(policy, change), change, costs)
    assert (costs[0].events, costs[0].size_bytes) == (3, 40.0)
    assert (costs[1].events, costs[1].size_bytes) == (1, 160.0)
