"""Records of a real API server become one frame; what surprises in them is told as it was."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import orjson
import polars as pl
import pytest

from ingest import columns
from ingest.address import canonical_address
from ingest.authorization import granted_by
from ingest.identity import identify
from ingest.ids import audit_ids
from ingest.normalize import Normalized, NormalizeSettings, normalize
from ingest.record import Records
from ingest.redact import document, names
from ingest.schema import DTYPES
from tests.ingest.formats.test_goldens import CASES, normalized

Build = Callable[..., dict[str, Any]]
Run = Callable[..., Normalized]
Row = Callable[..., dict[str, Any]]
Example = Callable[[str], dict[str, Any]]

ISSUES: Final = "trailwarden.parse.issues"
PLACE: Final = ("log.file.path", "log.offset")

# Columns for which no recorded event has a value, and a hand-made record that has one.
HAND_MADE: Final[dict[str, dict[str, Any]]] = {
    ISSUES: {"level": 5},
    "trailwarden.credential.legacy_token": {
        "annotations": {"authentication.k8s.io/legacy-token": "system:serviceaccount:a:b"}
    },
    "trailwarden.credential.stale_token": {
        "annotations": {"authentication.k8s.io/stale-token": "subject: x, seconds: 1"}
    },
    "trailwarden.pod_security.exempt": {
        "annotations": {"pod-security.kubernetes.io/exempt": "namespace"}
    },
    "trailwarden.admission.failed_open": {
        "annotations": {"failed-open.mutating.webhook.admission.k8s.io/round_0_index_0": "x"}
    },
    "trailwarden.dry_run": {"requestURI": "/api/v1/namespaces/shop/pods?dryRun=All"},
    **{
        f"trailwarden.pod_spec.{name}": {"requestObject": {"spec": spec}}
        for name, spec in {
            "init_containers": {"initContainers": [{"name": "a"}]},
            "runs_as_root": {"securityContext": {"runAsUser": 0}},
            "seccomp_unconfined": {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
            "apparmor_unconfined": {"securityContext": {"appArmorProfile": {"type": "Unconfined"}}},
            "proc_mount_unmasked": {"containers": [{"securityContext": {"procMount": "Unmasked"}}]},
            "automount_token": {"automountServiceAccountToken": True},
            "host_ports": {"containers": [{"ports": [{"hostPort": 80}]}]},
            "gpu_request": {"containers": [{"resources": {"limits": {"nvidia.com/gpu": 1}}}]},
        }.items()
    },
    "trailwarden.pod.is_mirror": {
        "requestObject": {"metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}}}
    },
    "trailwarden.service.external_ips": {
        "objectRef": {"resource": "services"},
        "requestObject": {"spec": {"externalIPs": ["203.0.113.9"]}},
    },
}


@pytest.fixture(scope="session")
def examples(recording: Path) -> list[bytes]:
    """Return the events of examples/: one file holds its two within a report of the client."""
    raws = []
    for path in sorted((recording / "examples").glob("*.json")):
        found = orjson.loads(path.read_bytes())
        raws += [orjson.dumps(event) for event in found.get("audit_events", [found])]
    return raws


@pytest.fixture(scope="session")
def posts(recording: Path) -> list[bytes]:
    """Return the recorded bodies of a webhook."""
    return [path.read_bytes() for path in sorted((recording / "webhook").glob("*.json"))]


@pytest.fixture(scope="session")
def golden_events() -> pl.DataFrame:
    """Return the events of all golden records: what clouds and machines say."""
    return pl.concat([normalized(entry).events for entry in CASES.values()])


def frame_of(*raws: bytes) -> Normalized:
    return normalize([Records("x", list(raws), list(range(len(raws))))], NormalizeSettings("blue"))


def test_every_recorded_event_is_one(lines: list[bytes], recorded: pl.DataFrame) -> None:
    assert recorded.height == len(lines)
    assert recorded.schema == pl.Schema(DTYPES)
    assert recorded[ISSUES].null_count() == recorded.height
    for column in ("event.id", "@timestamp", "event.action", "event.outcome", "source.ip"):
        assert recorded[column].null_count() == 0
    assert recorded["event.id"].n_unique() == recorded.height


def test_every_example_and_post_is_taken(examples: list[bytes], posts: list[bytes]) -> None:
    found = frame_of(*examples, *posts)
    assert not found.refused
    assert found.events.height == len(examples) + sum(
        len(orjson.loads(post)["items"]) for post in posts
    )
    assert found.events[ISSUES].null_count() == found.events.height


OF_THE_ENVELOPE = {
    *("event.created", "agent.name"),  # tests/ingest/test_received.py
    *(name for name in DTYPES if name.startswith("trailwarden.verdict.")),  # test_verdict.py
}


@pytest.mark.parametrize("column", [c for c in DTYPES if c not in OF_THE_ENVELOPE])
def test_every_column_has_a_value_for_some_real_event(
    column: str,
    recorded: pl.DataFrame,
    examples: list[bytes],
    posts: list[bytes],
    build: Build,
    row: Row,
    golden_events: pl.DataFrame,
) -> None:
    others = frame_of(*examples, *posts).events[column]
    is_recorded = recorded[column].null_count() + others.null_count() < recorded.height + len(
        others
    )
    if is_recorded:
        assert column not in HAND_MADE
    elif column in HAND_MADE:
        assert row(build(**HAND_MADE[column]))[column] is not None
    else:
        assert golden_events[column].null_count() < golden_events.height


def test_what_a_webhook_truncated_is_marked(posts: list[bytes]) -> None:
    """Both bodies are gone, the level still says RequestResponse."""
    cut = frame_of(*posts).events.filter(pl.col("trailwarden.truncated"))
    assert cut.height == 10
    assert set(cut["kubernetes.audit.level"]) == {"RequestResponse"}
    assert cut["kubernetes.audit.requestObject"].null_count() == cut.height
    assert cut["event.action"].null_count() == 0


# What surprises in real records, as counted in the recording's README.


def test_1_a_failed_login_is_one_event_without_a_user(example: Example, row: Row) -> None:
    found = row(example("401_bad_token"))
    assert found["kubernetes.audit.stage"] == "ResponseStarted"
    assert found["user.name"] is None
    assert found["trailwarden.identity.type"] == "unauthenticated"
    assert found["http.response.status_code"] == 401
    assert found["event.outcome"] == "failure"
    assert found["kubernetes.audit.annotations"] is None
    basic = row(example("basic_auth_becomes_anonymous"))
    assert basic["user.name"] == "system:anonymous"
    assert basic["trailwarden.identity.type"] == "anonymous"
    assert basic["http.response.status_code"] == 403


def test_1_all_failed_logins_of_the_recording_are_there(recorded: pl.DataFrame) -> None:
    failed = recorded.filter(pl.col("http.response.status_code") == 401)
    assert failed.height > 20
    assert set(failed["trailwarden.identity.type"]) == {"unauthenticated"}
    assert set(failed["kubernetes.audit.stage"]) == {"ResponseStarted"}


def test_2_exec_is_exec_by_get_and_by_post(example: Example, row: Row) -> None:
    websocket, spdy = row(example("exec_kubectl_websocket")), row(example("exec_spdy_apt_get"))
    assert (websocket["kubernetes.audit.verb"], spdy["kubernetes.audit.verb"]) == ("get", "create")
    assert websocket["event.action"] == spdy["event.action"] == "exec"
    assert row(example("attach"))["event.action"] == "attach"
    assert row(example("portforward"))["event.action"] == "portforward"
    assert row(example("node_proxy"))["event.action"] == "proxy"


def test_2_a_switch_of_protocols_is_all_the_record_knows(example: Example, run: Run) -> None:
    """The client got a 403 from the kubelet; the API server logged 101 and can know no more."""
    events = run(*example("exec_101_but_client_got_403")["audit_events"]).events
    assert events["http.response.status_code"].to_list() == [101, 101]
    assert set(events["event.outcome"]) == {"success"}
    assert events["process.args"].to_list() == [["id"], ["id"]]


def test_3_the_command_is_in_the_uri_alone(example: Example, row: Row) -> None:
    found = row(example("exec_sh_c_curl"))
    assert found["process.args"][:2] == ["sh", "-c"]
    assert "curl" in found["process.args"][2]
    assert found["process.command_line"] == " ".join(found["process.args"])
    assert found["kubernetes.audit.requestObject"] is None


def test_4_two_stages_are_two_events_of_one_act(example: Example, run: Run) -> None:
    events = run(*example("exec_101_but_client_got_403")["audit_events"]).events
    assert events["event.id"].n_unique() == 2
    assert events["trailwarden.act.id"].n_unique() == 1
    watch = run(example("watch_started"), example("watch_complete")).events
    assert watch["event.action"].to_list() == ["watch", "watch"]


def test_5_spoofed_audit_ids_hide_nothing(recorded: pl.DataFrame) -> None:
    reused = recorded.group_by("kubernetes.audit.auditID", "kubernetes.audit.stage").len()
    reused = reused.filter(pl.col("len") > 1)
    assert reused.height >= 1  # of different acts: their event ids differ (see above)
    acts = recorded.join(reused, on="kubernetes.audit.auditID", how="semi")
    assert acts["event.id"].n_unique() == acts.height


def test_6_the_client_chooses_all_addresses_but_the_last(example: Example, row: Row) -> None:
    denied = row(example("impersonation_denied"))
    assert denied["source.address_chain"] == ["203.0.113.37", "127.66.28.2"]
    assert denied["source.ip"] == "127.66.28.2"


def test_7_the_time_of_an_event_is_that_of_its_stage(recorded: pl.DataFrame) -> None:
    by_stage = recorded["@timestamp"].diff().drop_nulls().min()
    by_request = recorded["event.start"].diff().drop_nulls().min()
    assert by_stage is not None
    assert by_request is not None
    assert by_stage.total_seconds() > -1  # type: ignore[union-attr]
    assert by_request.total_seconds() < -60  # type: ignore[union-attr]


def test_8_a_denied_impersonation_is_told_by_its_message_alone(example: Example, row: Row) -> None:
    found = row(example("impersonation_denied"))
    assert found["user.effective.name"] is None
    assert found["trailwarden.authorization.decision"] is None
    assert found["event.outcome"] == "failure"
    assert "cannot impersonate" in found["kubernetes.audit.responseStatus.message"]


def test_8_an_allowed_impersonation_keeps_the_real_user(example: Example, row: Row) -> None:
    found = row(example("impersonation"))
    assert found["user.name"] == "trent@corp.example"
    assert found["user.effective.name"] == "system:admin"
    constrained = row(example("impersonation_constraint"))
    constraint = constrained["kubernetes.audit.authenticationMetadata.impersonationConstraint"]
    assert constraint == "impersonate:serviceaccount"


def test_9_a_generated_name_comes_from_the_answer(example: Example, row: Row) -> None:
    event = example("create_generateName")
    found = row(event)
    assert found["kubernetes.audit.objectRef.name"] is None
    assert found["orchestrator.resource.name"] == event["responseObject"]["metadata"]["name"]
    del event["responseObject"]
    assert row(event)["orchestrator.resource.name"] is None
    assert found["trailwarden.pod_spec.workload.kind"] == "Deployment"
    assert found["trailwarden.pod_spec.workload.name"] == "kube-state-metrics"


def test_9_lists_and_urls_have_no_object(example: Example, row: Row) -> None:
    listed = row(example("secret_list_metadata"))
    assert listed["orchestrator.resource.type"] == "secrets"
    assert listed["orchestrator.resource.name"] is None
    url = row(example("anonymous_200_version"))
    assert url["orchestrator.resource.type"] is None
    assert url["url.path"] == "/version"
    everything = row(example("deletecollection_events"))
    assert everything["event.action"] == "deletecollection"


def test_10_patches_are_told_apart_and_read(example: Example, row: Row) -> None:
    found = row(example("json_patch"))
    assert found["trailwarden.patch.type"] == "json"
    assert "/webhooks/0/clientConfig/caBundle" in found["trailwarden.patch.paths"]
    applied = row(example("server_side_apply"))
    assert applied["trailwarden.patch.type"] == "apply"
    assert applied["trailwarden.pod_spec.images"] == ["registry.corp.example/shop/search:1.41.0"]
    hook = row(example("mutating_webhook_create"))
    assert hook["trailwarden.webhook.failure_policies"]
    debug = row(example("ephemeralcontainers_patch"))
    assert debug["trailwarden.patch.type"] == "merge"  # strategic, but without marks none knows
    assert debug["trailwarden.pod_spec.ephemeral_containers"]


def test_11_annotations_without_a_column_are_kept_as_one(example: Example, row: Row) -> None:
    slow = row(example("slow_request_latency"))
    latencies = orjson.loads(slow["kubernetes.audit.annotations"])
    assert all("redacted" not in value for value in latencies.values())
    assert "apiserver.latency.k8s.io/total" in latencies
    old = row(example("deprecated_api"))
    assert orjson.loads(old["kubernetes.audit.annotations"])["k8s.io/deprecated"] == "true"
    pods = row(example("podsecurity_violation"))
    assert pods["trailwarden.pod_security.audit_violations"]


def test_11_the_reason_reveals_the_binding(example: Example, row: Row) -> None:
    found = row(example("crb_create"))
    assert found["trailwarden.authorization.decision"] == "allow"
    assert found["trailwarden.rbac.role_ref"] == "ClusterRole/cluster-admin"


def test_12_credentials_link_minting_to_use(example: Example, row: Row) -> None:
    bound = row(example("sa_pod_bound_user"))
    assert bound["trailwarden.credential.id"].startswith("JTI=")
    assert bound["trailwarden.token.pod.name"]
    assert bound["trailwarden.token.node.name"]
    minted = row(example("token_request"))
    assert minted["event.action"] == "token-request"
    assert minted["trailwarden.credential.issued_id"].startswith("JTI=")


def test_12_nearly_every_event_names_its_credential(recorded: pl.DataFrame) -> None:
    assert recorded["trailwarden.credential.id"].null_count() < 0.1 * recorded.height


def test_13_truncation_is_an_annotation_or_a_loss(build: Build, row: Row) -> None:
    found = row(build(requestObject=None, annotations={"audit.k8s.io/truncated": "true"}))
    assert found["trailwarden.truncated"] is True
    assert row(build())["trailwarden.truncated"] is None


def test_14_metadata_level_has_no_body_and_no_columns_of_one(build: Build, row: Row) -> None:
    found = row(build(level="Metadata", requestObject=None))
    assert found["kubernetes.audit.level"] == "Metadata"
    assert found["kubernetes.audit.requestObject"] is None
    assert found["trailwarden.pod_spec.images"] is None
    assert found["orchestrator.resource.name"] == "web"


def test_15_derived_pods_have_the_root_of_what_was_asked_for(recorded: pl.DataFrame) -> None:
    prefix = "trailwarden.pod_spec.workload."
    replicaset = pl.col("user.name") == "system:serviceaccount:kube-system:replicaset-controller"
    pods = recorded.filter(replicaset & (pl.col("event.action") == "create"))
    assert pods.height > 100
    kinds = pods[f"{prefix}kind"].drop_nulls()
    assert set(kinds) <= {"Deployment", "ReplicaSet"}
    assert (kinds == "Deployment").mean() > 0.9  # type: ignore[operator]
    asked = recorded.filter(
        (pl.col("orchestrator.resource.type") == "deployments")
        & (pl.col("event.action") == "create")
    )
    roots = set(pods.filter(pl.col(f"{prefix}kind") == "Deployment")[f"{prefix}name"])
    assert roots <= set(recorded[f"{prefix}name"].drop_nulls())
    assert roots & set(asked["orchestrator.resource.name"])


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("kubectl/v1.36.3 (linux/amd64) kubernetes/abc", "kubectl"),
        (
            "kube-controller-manager/v1.36.3 (linux/amd64) kubernetes/0/leader-election",
            "kube-controller-manager",
        ),
        ("curl/8.5.0", "curl"),
        ("Mozilla", "Mozilla"),
        ("", None),
        ("/", None),
        (" x", None),
        (None, None),
    ],
)
def test_16_the_agent_has_a_name(build: Build, row: Row, agent: str | None, name: str) -> None:
    found = row(build(userAgent=agent))
    assert found["user_agent.name"] == name
    assert found["user_agent.original"] == agent


def test_18_items_of_a_list_know_their_place(posts: list[bytes]) -> None:
    found = frame_of(posts[0], posts[1])
    counts = [len(orjson.loads(post)["items"]) for post in posts[:2]]
    assert found.events["log.offset"].to_list() == [0] * counts[0] + [1] * counts[1]


@pytest.mark.parametrize(
    ("members", "dry"),
    [
        ({"requestURI": "/api/v1/pods?dryRun=All"}, True),
        ({"requestURI": "/api/v1/pods?x=1&dryRun=All&y"}, True),
        ({"requestURI": "/api/v1/pods?dryRun=%41ll", "verb": "delete"}, True),
        ({"requestURI": "/api/v1/pods?dryRun="}, None),
        ({"requestURI": "/api/v1/pods?dryRun=None"}, None),
        ({"requestURI": "/api/v1/pods?foo=dryRun=All"}, None),
        ({"requestURI": "/api/v1/pods?notdryRun=All"}, None),
        ({"requestURI": "/api/v1/pods/dryRun=All"}, None),
        ({"requestURI": "/api/v1/pods?dryRun=All", "verb": "list"}, None),
        ({"requestURI": None}, None),
        # streams and tokens do not heed it
        (
            {
                "requestURI": "/api/v1/namespaces/a/pods/b/exec?command=id&dryRun=All",
                "objectRef": {"resource": "pods", "subresource": "exec"},
            },
            None,
        ),
        (
            {
                "requestURI": "/api/v1/namespaces/a/serviceaccounts/b/token?dryRun=All",
                "objectRef": {"resource": "serviceaccounts", "subresource": "token"},
            },
            None,
        ),
    ],
)
def test_a_dry_run_is_one_only_where_nothing_is_done(
    build: Build, row: Row, members: dict[str, Any], dry: bool | None
) -> None:
    assert row(build(**members))["trailwarden.dry_run"] is dry


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("/api/v1/pods?x=%41", "/api/v1/pods"),
        ("/api/v1/p%6Fds", "/api/v1/pods"),
        ("/a%2Fb%20c", "/a/b c"),
        ("/%ff", "/\ufffd"),
        ("/x?y?z", "/x"),
        ("", ""),
        (None, None),
    ],
)
def test_the_path_is_decoded(build: Build, row: Row, uri: str | None, path: str | None) -> None:
    assert row(build(requestURI=uri))["url.path"] == path


def test_the_name_of_a_cluster_comes_from_the_settings(build: Build, row: Row) -> None:
    found = row(build(cluster="forged", orchestrator={"cluster": {"name": "forged"}}))
    assert found["orchestrator.cluster.name"] == "blue"


def test_the_version_of_a_resource_has_its_group(build: Build, row: Row) -> None:
    apps = {"resource": "deployments", "apiGroup": "apps", "apiVersion": "v1"}
    assert row(build(objectRef=apps))["orchestrator.api_version"] == "apps/v1"
    assert row(build())["orchestrator.api_version"] == "v1"


def test_no_records_are_an_empty_frame() -> None:
    found = normalize([], NormalizeSettings("blue"))
    assert found.events.height == 0
    assert found.events.schema == pl.Schema(DTYPES)
    assert normalize([Records("x", [], [])], NormalizeSettings("blue")).events.height == 0


@pytest.mark.parametrize("chunk", [1, 7, 50])
def test_the_cut_of_batches_changes_no_event(
    lines: list[bytes], examples: list[bytes], build: Build, run: Run, chunk: int
) -> None:
    """The same records in one batch, in chunks, and each in a batch of its own."""
    chance = random.Random(3)
    odd = [
        orjson.dumps(build(level=7)),
        orjson.dumps(build(stageTimestamp="garbage")),
        orjson.dumps(build(stageTimestamp="0001-01-01T00:00:00.0+14:00")),
        orjson.dumps(build(user={"username": ["x"]})),
        orjson.dumps(build(requestURI="/x?token=hunter2hunter2&password=hunter2")),
        b"garbage",
        b'{"kind":"EventList","items":[]}',
        orjson.dumps([build(auditID="a"), build(auditID="b", stage=1)]),
    ]
    raws = [*chance.sample(lines, 250), *examples, *odd]
    chance.shuffle(raws)
    whole = run(*raws, chunk=len(raws))
    cut = run(*raws, chunk=chunk)
    assert cut.events.equals(whole.events)
    assert cut.refused == whole.refused
    batches = [run(*raws[at : at + chunk]) for at in range(0, len(raws), chunk)]
    joined = pl.concat([batch.events for batch in batches])
    assert joined.drop(PLACE).equals(whole.events.drop(PLACE))
    assert sum(len(batch.refused) for batch in batches) == len(whole.refused)


def test_normalize_is_a_function_of_its_records(lines: list[bytes], run: Run) -> None:
    assert run(*lines[:2_000]).events.equals(run(*lines[:2_000]).events)


def test_ids_are_worked_out_from_what_was_received(build: Build, row: Row) -> None:
    uri = "/api/v1/x?password=hunter2hunter2"
    found = row(build(requestURI=uri))
    frame = pl.DataFrame(
        {
            "orchestrator.cluster.name": ["blue"],
            "kubernetes.audit.auditID": [found["kubernetes.audit.auditID"]],
            "event.start": ["2026-11-21T10:46:08.594628Z"],
            "user.name": ["jane"],
            "kubernetes.audit.verb": ["create"],
            "kubernetes.audit.requestURI": [uri],
            "kubernetes.audit.stage": ["ResponseComplete"],
            "@timestamp": ["2026-11-21T10:46:08.601113Z"],
        }
    )
    assert audit_ids(frame)["event.id"].to_list() == [found["event.id"]]


def test_many_distinct_users_cost_bounded_memory(build: Build) -> None:
    """A million distinct users, scaled to a test: nothing remembered grows beyond its bound."""
    template = orjson.dumps(build(userAgent="AGENT", sourceIPs=["SOURCE"]))
    template = template.replace(b'"jane"', b'"USER"')
    settings = NormalizeSettings("blue")
    for start in range(0, 40_000, 5_000):
        raws = [
            template.replace(b"USER", b"user-%d" % number)
            .replace(b"AGENT", b"agent-%d/1" % number)
            .replace(b"SOURCE", b"10.%d.%d.%d" % (number >> 16, number >> 8 & 255, number & 255))
            for number in range(start, start + 5_000)
        ]
        events = normalize([Records("x", raws, list(range(5_000)))], settings).events
        assert events["user.name"].n_unique() == 5_000
        assert events["source.ip"].n_unique() == 5_000
    for remembered in (
        identify,
        canonical_address,
        granted_by,
        columns._agent_name,
        names._ends_as_a_secret,
        document._key_may_hold_secret,
    ):
        info = remembered.cache_info()
        assert info.maxsize is not None
        assert info.currsize <= info.maxsize <= 65_536


def test_long_hostile_texts_are_not_remembered(build: Build) -> None:
    """Bounds of entries are none of bytes: a header may be 1 MB long."""
    settings = NormalizeSettings("blue")

    def batch(number: int) -> list[bytes]:
        mark = f"{number:06d}" + "x" * 32_000
        return [
            orjson.dumps(
                build(
                    userAgent=f"{mark}/1 y",
                    annotations={f"{mark}a": "v"},
                    requestObject={"metadata": {"labels": {f"{mark}b": "v"}}, f"{mark}c": "v"},
                )
            ),
            orjson.dumps(
                build(
                    requestURI=f"/api/v1/namespaces/a/pods/b/exec?command={mark}d=v",
                    objectRef={"resource": "pods", "subresource": "exec"},
                )
            ),
        ]

    normalize([Records("x", batch(0), [0, 1])], settings)
    tracemalloc.start()
    try:
        for number in range(1, 100):
            normalize([Records("x", batch(number), [0, 1])], settings)
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 2_000_000  # of 16 MB that went through
