from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from detectors.entities import ordered
from detectors.entities.facts import facts_of
from detectors.entities.ordered import Entities
from detectors.entities.recalled import RECALLED_DTYPES
from tests.detectors.entities.world import REPLICASETS, event, frame

PREFIX = "trailwarden.recalled."
WEB = "system:serviceaccount:shop:web"
KUBELET = "system:node:node-1"


def recalled(
    *events: dict[str, Any], hidden: tuple[str, ...] = (), wanted: tuple[str, ...] | None = None
) -> dict[str, Any]:
    """Return what the last event recalled, by short names."""
    state = Entities(hidden_networks=hidden)
    batch = frame(list(events))
    state.add(batch)
    names = RECALLED_DTYPES if wanted is None else [PREFIX + name for name in wanted]
    told = state.release(None, batch, wanted=tuple(names))
    return {name.removeprefix(PREFIX): value for name, value in told.row(-1, named=True).items()}


def pod(at_s: float, name: str = "web-1", **said: Any) -> dict[str, Any]:
    return event(at_s, type="pods", namespace="shop", name=name, **said)


def reported(at_s: float, address: str, uid: str = "u1") -> dict[str, Any]:
    return pod(
        at_s,
        action="patch",
        subresource="status",
        user=KUBELET,
        addresses=[address],
        host_address="10.9.0.1",
        node="node-1",
        pod_uid=uid,
    )


def used(at_s: float, address: str | None, uid: str = "u1") -> dict[str, Any]:
    return event(at_s, user=WEB, token_pod="web-1", token_uid=uid, address=address)


@pytest.mark.parametrize(
    ("address", "off"),
    [("10.0.0.5", False), ("10.9.0.1", False), ("10.0.0.6", True), ("8.8.8.8", True), (None, None)],
)
def test_a_token_is_off_its_pod_where_neither_pod_nor_node_has_the_address(
    address: str | None, off: bool | None
) -> None:
    told = recalled(reported(0, "10.0.0.5"), used(5, address))
    assert told["token_off_pod"] is off
    assert told["token_pod.addresses"] == ["10.0.0.5"]
    assert told["token_pod.node"] == "node-1"
    assert told["token_pod.exists"] is True


def test_a_token_is_never_off_its_pod_from_ignorance() -> None:
    unknown = recalled(used(5, "8.8.8.8"))
    assert (unknown["token_off_pod"], unknown["token_pod.exists"]) == (None, None)
    not_yet = recalled(reported(9, "10.0.0.5"), used(5, "8.8.8.8"))
    assert not_yet["token_off_pod"] is None
    gone = recalled(
        reported(0, "10.0.0.5"), pod(2, action="delete", user=KUBELET), used(5, "8.8.8.8")
    )
    assert (gone["token_off_pod"], gone["token_pod.exists"]) == (None, False)
    other = recalled(reported(0, "10.0.0.5", "u2"), used(5, "8.8.8.8", "u1"))
    assert (other["token_off_pod"], other["token_pod.exists"]) == (None, False)
    hidden = recalled(reported(0, "10.0.0.5"), used(5, "8.8.8.8"), hidden=("8.8.0.0/16",))
    assert hidden["token_off_pod"] is False


def test_a_delete_by_a_person_begins_the_end_and_a_new_pod_of_the_name_is_another() -> None:
    asked = pod(2, action="delete", user="ann")
    still = recalled(reported(0, "10.0.0.5"), asked, used(5, "10.0.0.5"))
    assert still["token_off_pod"] is False
    made = pod(3, action="create", user="ann", images=["a"])
    new = recalled(reported(0, "10.0.0.5"), made, used(5, "10.0.0.5"))
    assert new["token_pod.addresses"] is None


def minted(at_s: float, issued: str, by: str, credential: str, address: str) -> dict[str, Any]:
    return event(
        at_s,
        action="token-request",
        type="serviceaccounts",
        namespace="shop",
        name="web",
        subresource="token",
        user=by,
        credential=credential,
        issued=issued,
        address=address,
    )


def test_who_minted_a_credential_is_followed_back() -> None:
    told = recalled(
        minted(0, "JTI=1", "ann", "X509=a", "10.0.0.1"),
        minted(1, "JTI=2", WEB, "JTI=1", "10.0.0.2"),
        event(2, user=WEB, credential="JTI=2"),
    )
    assert told["credential.minted_by"] == WEB
    assert told["credential.minted_by_type"] == "service_account"
    assert told["credential.minted_from"] == "10.0.0.2"
    assert told["credential.minted_chain"] == [WEB, "ann"]


def test_a_chain_is_cut_at_eight_steps_and_where_it_comes_back() -> None:
    long = [minted(n, f"JTI={n + 1}", f"u{n}", f"JTI={n}", "10.0.0.1") for n in range(12)]
    told = recalled(*long, event(20, user="x", credential="JTI=12"))
    assert told["credential.minted_chain"] == [f"u{n}" for n in range(11, 3, -1)]
    itself = recalled(
        minted(0, "JTI=1", "ann", "JTI=1", "10.0.0.1"), event(2, user="ann", credential="JTI=1")
    )
    assert itself["credential.minted_chain"] == ["ann"]


def test_a_failed_or_dry_request_says_nothing() -> None:
    for said in ({"outcome": "failure"}, {"dry_run": True}, {"dataset": "falco.alerts"}):
        told = recalled(
            minted(0, "JTI=1", "ann", "JTI=0", "10.0.0.1") | frame_of(said),
            event(2, user=WEB, credential="JTI=1"),
        )
        assert told["credential.minted_by"] is None


def frame_of(said: dict[str, Any]) -> dict[str, Any]:
    names = {
        "outcome": "event.outcome",
        "dry_run": "trailwarden.dry_run",
        "dataset": "event.dataset",
    }
    return {names[name]: value for name, value in said.items()}


def test_the_target_pod_and_who_is_behind_it() -> None:
    told = recalled(
        event(
            0,
            type="deployments",
            namespace="shop",
            name="web",
            action="create",
            user="ann",
            images=["a"],
        ),
        event(
            1,
            type="replicasets",
            namespace="shop",
            name="web-5",
            action="create",
            user="system:serviceaccount:kube-system:deployment-controller",
            owner="Deployment/web",
            images=["a"],
        ),
        pod(
            2,
            action="create",
            user=REPLICASETS,
            owner="ReplicaSet/web-5",
            images=["a"],
            privileged=True,
            host_paths=["/", "/etc"],
            service_account="web",
        ),
        reported(3, "10.0.0.5"),
        event(
            4,
            type="deployments",
            namespace="shop",
            name="web",
            action="patch",
            user="bob",
            images=["b"],
        ),
        pod(5, action="exec", subresource="exec", user="eve"),
    )
    assert told["target_pod.privileged"] is True
    assert sorted(told["target_pod.host_access"]) == ["host-path:/", "host-path:/etc"]
    assert told["target_pod.node"] == "node-1"
    assert told["target_pod.author"] == REPLICASETS
    assert told["target_pod.service_account"] == "web"
    assert told["pod_author"] == "ann"


def test_an_owner_that_a_person_names_is_not_believed() -> None:
    told = recalled(
        event(
            0,
            type="deployments",
            namespace="shop",
            name="web",
            action="create",
            user="ann",
            images=["a"],
        ),
        event(
            1,
            type="replicasets",
            namespace="shop",
            name="web-5",
            action="create",
            user="eve",
            owner="Deployment/web",
            images=["a"],
        ),
        pod(2, action="create", user=REPLICASETS, owner="ReplicaSet/web-5", images=["a"]),
        pod(3, "web-2", action="create", user="mallory", owner="ReplicaSet/web-5", images=["a"]),
        pod(5, "web-1", action="exec", subresource="exec", user="x"),
    )
    assert told["pod_author"] == "eve"
    plain = recalled(
        pod(3, action="create", user="mallory", owner="ReplicaSet/web-5", images=["a"]),
        pod(5, action="exec", subresource="exec", user="x"),
    )
    assert (plain["pod_author"], plain["target_pod.privileged"]) == ("mallory", False)
    assert plain["target_pod.host_access"] == []


def test_a_node_acts_off_its_place_on_pods_of_other_nodes_only() -> None:
    def node_off(who: str) -> Any:
        return recalled(reported(0, "10.0.0.5"), pod(5, user=who))["node_off"]

    assert node_off(KUBELET) is False
    assert node_off("system:node:node-2") is True
    assert node_off("eve") is None
    assert recalled(pod(5, user=KUBELET))["node_off"] is None


def test_networks_of_an_identity_before_this_call() -> None:
    calls = [
        event(n * 60, user="ann", address=one)
        for n, one in enumerate(
            ["10.0.0.1", "10.0.0.9", "10.0.1.1", "2001:db8::5", "2001:db8:0:0:1::7"]
        )
    ]
    told = [recalled(*calls[: n + 1]) for n in range(5)]
    assert [one["identity.known_networks"] for one in told] == [None, 1, 1, 2, 3]
    assert [one["identity.is_new_network"] for one in told] == [None, False, True, True, False]
    assert [one["identity.known_minutes"] for one in told] == [None, 1, 2, 3, 4]


def test_dormant_days_are_known_of_who_was_seen_before() -> None:
    day = 86_400
    assert recalled(event(0, user="ann"))["dormant_days"] is None
    often = [event(n * day / 2, user="ann") for n in range(6)]
    assert recalled(*often)["dormant_days"] == 0
    assert recalled(*often, event(45 * day, user="ann"))["dormant_days"] == 42
    back = event(45 * day, user="ann")
    looked_round = event(45 * day + 60, user="ann")
    assert recalled(*often, back, looked_round)["dormant_days"] == 42
    assert recalled(*often, back, event(45 * day + 3_599, user="ann"))["dormant_days"] == 42
    assert recalled(*often, back, event(45 * day + 3_600, user="ann"))["dormant_days"] == 0
    assert recalled(event(0, user="bob"), event(60, user="bob"))["dormant_days"] == 0


def test_an_ephemeral_container_adds_to_what_its_pod_may() -> None:
    def debugged(at_s: float, **said: Any) -> dict[str, Any]:
        put = {"action": "patch", "subresource": "ephemeralcontainers", "user": "ann"}
        return event(at_s, type="pods", namespace="shop", name="web-1", **put, **said)

    made = pod(0, action="create", user="ann", images=["a"], privileged=False)
    entered = pod(9, action="attach", user="ann")
    assert recalled(made, entered)["target_pod.privileged"] is False
    assert recalled(made, debugged(1), entered)["target_pod.privileged"] is False
    strong = debugged(1, privileged=True)
    assert recalled(made, strong, entered)["target_pod.privileged"] is True
    assert recalled(made, strong, debugged(2), entered)["target_pod.privileged"] is True
    assert recalled(strong, entered)["target_pod.privileged"] is True
    refused = debugged(1, privileged=True, outcome="failure")
    assert recalled(made, refused, entered)["target_pod.privileged"] is False
    again = pod(5, action="create", user="ann", images=["a"], privileged=False)
    assert recalled(made, strong, again, entered)["target_pod.privileged"] is False


def test_policies_that_a_namespace_has_left() -> None:
    def policy(at_s: float, action: str, name: str | None = None) -> dict[str, Any]:
        return event(
            at_s, type="networkpolicies", namespace="shop", action=action, name=name, user="ann"
        )

    made = [policy(0, "create", "a"), policy(1, "create", "b")]
    assert recalled(*made)["namespace.policies"] == 2
    assert recalled(*made, policy(2, "delete", "a"))["namespace.policies"] == 1
    assert recalled(*made, policy(2, "deletecollection"))["namespace.policies"] == 0
    again = policy(3, "create", "a")
    assert recalled(*made, policy(2, "deletecollection"), again)["namespace.policies"] == 1
    assert recalled(pod(0, user="ann"))["namespace.policies"] is None
    space = event(0, type="namespaces", action="create", name="shop", user="ann")
    assert recalled(space, pod(1, user="ann"))["namespace.policies"] == 0


def test_rights_that_a_binding_gave() -> None:
    role = event(
        0,
        type="roles",
        namespace="shop",
        name="r",
        action="create",
        user="ann",
        rules=["get||secrets||"],
    )
    binding = {"type": "rolebindings", "namespace": "shop", "name": "b", "user": "ann"}
    whole = {"action": "create", "role": "Role/r", "subjects": ["User/eve"]}
    told = recalled(role, event(1, **binding, **whole))
    assert told["rbac.gained"] == ["get secrets @shop"]
    assert told["rbac.gained_by"] == ["User/eve"]
    more = event(2, **binding, action="patch", patch="merge", subjects=["User/eve", "User/bob"])
    assert recalled(role, event(1, **binding, **whole), more)["rbac.gained_by"] == ["User/bob"]
    removed = event(3, **binding, action="delete")
    again = event(4, **binding, **whole)
    assert recalled(role, event(1, **binding, **whole), removed, again)["rbac.gained_by"] == [
        "User/eve"
    ]
    assert recalled(role)["rbac.gained"] == []
    assert recalled(pod(0, user="ann"))["rbac.gained"] is None


def test_what_is_not_wanted_is_null_and_columns_may_be_missing() -> None:
    told = recalled(reported(0, "10.0.0.5"), used(5, "10.0.0.6"), wanted=("namespace.policies",))
    assert told["token_off_pod"] is None
    state = Entities()
    state.add(frame([reported(0, "10.0.0.5")]).drop("trailwarden.pod.addresses"))
    batch = frame([used(5, "10.0.0.6")])
    state.add(batch)
    answer = state.release(None, batch)
    assert answer[PREFIX + "token_pod.node"].to_list() == ["node-1"]
    assert answer[PREFIX + "token_off_pod"].to_list() == [None]


def test_late_events_enter_nothing_and_clusters_know_nothing_of_each_other() -> None:
    state = Entities()
    events = frame([reported(0, "10.0.0.5"), used(5, "10.0.0.6")])
    state.add(events, pl.Series([True, False]))
    assert state.release(None, events)[PREFIX + "token_off_pod"].to_list()[1] is None
    other = Entities()
    both = frame(
        [reported(0, "10.0.0.5") | {"orchestrator.cluster.name": "d"}, used(5, "10.0.0.6")]
    )
    other.add(both)
    assert other.release({"c": 2**60, "d": 2**60}, both)[PREFIX + "token_off_pod"].to_list() == [
        None,
        None,
    ]


def test_small_batches_are_read_together_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    def counted(events: pl.DataFrame) -> pl.DataFrame:
        read.append(events.height)
        return facts_of(events)

    monkeypatch.setattr(ordered, "facts_of", counted)
    monkeypatch.setattr(ordered, "UNREAD_ROWS", 3)
    state = Entities()
    for second in range(6):
        state.add(frame([reported(second, f"10.0.0.{second}")]))
    assert read == [4]
    later = frame([used(20, "10.0.0.5")])
    assert state.release(None, later)[PREFIX + "token_pod.addresses"].to_list() == [["10.0.0.5"]]
    assert read == [4, 2]


def test_only_what_the_watermark_of_its_cluster_passed_is_learned() -> None:
    state = Entities()
    events = frame([reported(0, "10.0.0.5"), reported(10, "10.0.0.6")])
    state.add(events)
    later = frame([used(20, "10.0.0.6")])
    start = events["@timestamp"].to_physical()[0]

    def known(watermark: dict[str, int]) -> list[str] | None:
        told: list[str] | None = state.release(watermark, later)[
            PREFIX + "token_pod.addresses"
        ].to_list()[0]
        return told

    assert known({}) is None
    assert known({"d": 2**60}) is None
    assert known({"c": start}) is None
    assert known({"c": start + 1}) == ["10.0.0.5"]
    assert state.pending.height > 0
    assert known({"c": start + 10_000_001}) == ["10.0.0.6"]
    assert state.pending.is_empty()


def test_what_is_forgotten_between_two_events_of_a_batch_is_known_to_the_first_alone() -> None:
    day = 86_400
    batch = frame([reported(0, "10.0.0.5"), used(29 * day, "10.0.0.5"), used(31 * day, "10.0.0.5")])
    state = Entities()
    state.add(batch)
    told = state.release(None, batch)[PREFIX + "token_pod.addresses"].to_list()
    assert told == [None, ["10.0.0.5"], None]


def test_a_chain_that_comes_back_to_a_credential_ends_there() -> None:
    told = recalled(
        minted(0, "JTI=1", "u0", "JTI=2", "10.0.0.1"),
        minted(1, "JTI=2", "u1", "JTI=1", "10.0.0.1"),
        minted(2, "JTI=1", "u2", "JTI=2", "10.0.0.1"),
        event(3, user="x", credential="JTI=1"),
    )
    assert told["credential.minted_chain"] == ["u2", "u1"]


def test_where_the_node_has_no_known_address_nothing_is_off_the_pod() -> None:
    alone = reported(0, "10.0.0.5") | {"trailwarden.pod.host_address": None}
    told = recalled(alone, used(5, "8.8.8.8"))
    assert told["token_pod.addresses"] == ["10.0.0.5"]
    assert told["token_off_pod"] is None


def test_a_network_that_all_share_is_new_to_nobody() -> None:
    calls = [
        event(n * 60, user="ann", address=one) for n, one in enumerate(["10.0.0.1", "8.8.8.8"])
    ]
    assert recalled(*calls)["identity.is_new_network"] is True
    assert recalled(*calls, hidden=("8.8.0.0/16",))["identity.is_new_network"] is None
