from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from detectors.entities.facts import facts_of
from detectors.entities.relation import KINDS, NUMBERS, Relation
from ingest.schema import DTYPES
from models.network import ipv4_network_of, network_of
from tests.detectors.entities.world import REPLICASETS, event, frame

KUBELET = "system:node:node-1"


def said(*events: dict[str, Any]) -> set[tuple[str, str, str]]:
    """Return what events say of objects: relation, subject and object."""
    names = {number: str(relation) for relation, number in NUMBERS.items()}
    facts = facts_of(frame(list(events)))
    told = {(names[row[1]], row[2], row[3]) for row in facts.iter_rows()}
    return {
        one
        for one in told
        if not one[0].startswith(
            ("identity-", "audit-", "namespace-cpus", "namespace-gpus", "namespace-rep")
        )
    }


def pod(at_s: float, **more: Any) -> dict[str, Any]:
    return event(at_s, **({"type": "pods", "namespace": "shop", "name": "web-1"} | more))


def test_numbers_of_relations_stay_what_they_are() -> None:
    assert set(KINDS) == set(Relation)
    assert [NUMBERS[one] for one in (Relation.POD_UID, Relation.OWNER_AUTHOR)] == [0, 10]
    assert NUMBERS[Relation.SECRET_READER] == 26


def test_a_call_tells_of_its_identity_and_credential() -> None:
    call = event(0, user="ann", address="10.1.2.3", agent="kubectl", credential="JTI=1")
    facts = facts_of(frame([call, event(5, user="ann", address="10.1.2.3")]))
    told = {(row[1], row[2], row[3]) for row in facts.iter_rows()}
    assert told == {
        (NUMBERS[Relation.IDENTITY_CALL], "ann", "human"),
        (NUMBERS[Relation.IDENTITY_CREDENTIAL], "ann", "JTI=1"),
        (NUMBERS[Relation.IDENTITY_ADDRESS], "ann", "10.1.2.3"),
        (NUMBERS[Relation.IDENTITY_NETWORK], "ann", "10.1.2.0/24"),
        (NUMBERS[Relation.IDENTITY_AGENT], "ann", "kubectl"),
        (NUMBERS[Relation.CREDENTIAL_ADDRESS], "JTI=1", "10.1.2.3"),
        (NUMBERS[Relation.AUDIT_SEEN], "audit log", "-"),
    }
    assert facts.height == len(told)


def test_of_a_combination_the_first_call_of_an_hour_is_told() -> None:
    calls = [event(at_s, user="ann") for at_s in (70, 10, 3_650, 3_700)]
    facts = facts_of(frame(calls)).filter(pl.col("subject") == "ann")
    times = facts["time"] // 1_000_000 - facts["time"][0] // 1_000_000
    assert times.to_list() == [0, 3_640]


def test_a_pod_is_told_of_by_its_creator_the_scheduler_and_the_kubelet() -> None:
    made = pod(0, action="create", user=REPLICASETS, owner="ReplicaSet/web-5", images=["a", "b"])
    assert said(made) == {
        ("pod-uid", "shop/web-1", ""),
        ("pod-node", "shop/web-1", ""),
        ("pod-address", "shop/web-1", ""),
        ("pod-author", "shop/web-1", REPLICASETS),
        ("pod-owner", "shop/web-1", "ReplicaSet/web-5"),
        ("pod-service-account", "shop/web-1", "default"),
        ("pod-image", "shop/web-1", "a\nb"),
        ("pod-spec", "shop/web-1", "-"),
        ("pod-debugger", "shop/web-1", ""),
    }
    bound = pod(1, action="bind-pod", subresource="binding", node="node-1", uid="u")
    assert said(bound) == {("pod-uid", "shop/web-1", "u"), ("pod-node", "shop/web-1", "node-1")}
    status = pod(
        2,
        action="patch",
        subresource="status",
        user=KUBELET,
        node="node-1",
        pod_uid="u",
        addresses=["10.0.0.5", "2001:db8::5"],
        host_address="10.9.0.1",
    )
    assert said(status) == {
        ("pod-uid", "shop/web-1", "u"),
        ("pod-node", "shop/web-1", "node-1"),
        ("pod-address", "shop/web-1", "10.0.0.5\n2001:db8::5"),
        ("node-address", "node-1", "10.9.0.1"),
    }


@pytest.mark.parametrize(
    ("who", "ends"),
    [
        (KUBELET, True),
        ("ann", False),
        ("system:serviceaccount:kube-system:pod-garbage-collector", True),
    ],
)
def test_who_deletes_without_grace_ends_a_pod(who: str, ends: bool) -> None:
    told = said(pod(0, action="delete", user=who))
    gone = {(name, "shop/web-1", "") for name in ("pod-uid", "pod-node", "pod-address")}
    assert told == (gone if ends else set())


def test_the_pod_of_a_built_in_controller_tells_the_owner_of_its_replicaset() -> None:
    root = {
        "trailwarden.pod_spec.workload.kind": "Deployment",
        "trailwarden.pod_spec.workload.name": "web",
    }
    made = pod(0, action="create", user=REPLICASETS, owner="ReplicaSet/web-5", images=["a"]) | root
    assert ("owner-owner", "shop/ReplicaSet/web-5", "Deployment/web") in said(made)
    forged = pod(0, action="create", user="eve", owner="ReplicaSet/web-5", images=["a"]) | root
    assert not [one for one in said(forged) if one[0] == "owner-owner"]


def test_workloads_are_authored_by_who_writes_their_pods_and_is_no_controller() -> None:
    workload = {"type": "deployments", "namespace": "shop", "name": "web"}
    ann = {("owner-author", "shop/Deployment/web", "ann")}
    assert said(event(0, **workload, action="create", user="ann")) == ann
    assert said(event(0, **workload, action="patch", user="ann", images=["a"])) == ann
    assert said(event(0, **workload, action="patch", user="ann")) == set()
    status = event(0, **workload, action="update", subresource="status", user="ann", images=["a"])
    assert said(status) == set()
    assert said(event(0, **workload, action="update", user=REPLICASETS, images=["a"])) == set()


def test_rights_are_told_whole_and_removed_whole() -> None:
    binding = {"type": "clusterrolebindings", "name": "b", "user": "ann"}
    made = event(0, **binding, action="create", role="ClusterRole/r", subjects=["User/a", "User/b"])
    name = "ClusterRoleBinding//b"
    assert said(made) == {
        ("binding-role", name, "ClusterRole/r"),
        ("binding-subject", name, "User/a\nUser/b"),
    }
    assert said(event(0, **binding, action="delete")) == {
        ("binding-role", name, ""),
        ("binding-subject", name, ""),
    }
    assert said(event(0, **binding, action="patch", patch="json", subjects=["User/c"])) == set()
    role = {"type": "roles", "namespace": "shop", "name": "r", "user": "ann"}
    assert said(event(0, **role, action="create", rules=["get||pods||"], aggregates=["view"])) == {
        ("role-rule", "Role/shop/r", "get||pods||"),
        ("role-aggregates", "Role/shop/r", "view"),
    }


def test_secrets_are_known_by_their_readers() -> None:
    secret = {"type": "secrets", "namespace": "shop", "user": "ann"}
    assert said(event(0, **secret, name="db")) == {("secret-reader", "shop/db", "ann")}
    assert said(event(0, **secret, action="list")) == {("secret-reader", "shop/*", "ann")}
    assert said(event(0, type="secrets", action="list", user="ann")) == {
        ("secret-reader", "*/*", "ann")
    }
    assert said(event(0, **secret, action="create", name="db")) == set()
    assert said(event(0, **secret, name="db", outcome="failure")) == set()


def test_what_is_said_again_within_the_grain_is_told_once_what_changes_each_time() -> None:
    spec = {"action": "patch", "subresource": "status", "user": KUBELET}
    ones = [pod(n, **spec, addresses=[one]) for n, one in enumerate("aabba")]
    facts = facts_of(frame(ones)).filter(pl.col("relation") == NUMBERS[Relation.POD_ADDRESS])
    assert facts["object"].to_list() == ["a", "b", "a"]


def test_no_events_and_events_without_a_time_or_user_say_nothing() -> None:
    assert facts_of(frame([])).is_empty()
    assert facts_of(pl.DataFrame([{}, {}], schema=DTYPES)).is_empty()
    assert facts_of(frame([event(0) | {"@timestamp": None, "user.name": "ann"}])).is_empty()
    nobody = facts_of(frame([event(0)]))
    assert nobody["relation"].to_list() == [NUMBERS[Relation.AUDIT_SEEN]]


def test_networks_are_those_of_24_and_64_bits() -> None:
    texts = ["10.1.2.3", "2001:db8::1", "2001:db8:1:2:3:4:5:6", "::1", "2001:db8:0:7::", "x", None]
    frame_ = pl.DataFrame({"a": texts}).select(network_of(pl.col("a")).alias("n"))
    assert frame_["n"].to_list() == [
        "10.1.2.0/24",
        "2001:db8:0:0::/64",
        "2001:db8:1:2::/64",
        "0:0:0:0::/64",
        "2001:db8:0:7::/64",
        None,
        None,
    ]
    only = pl.DataFrame({"a": texts[:1]}).select(ipv4_network_of(pl.col("a")).alias("n"))
    assert only["n"].to_list() == ["10.1.2.0/24"]
