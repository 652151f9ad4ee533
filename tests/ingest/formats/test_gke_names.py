"""GKE's two names of a call say verb, object and path; no name can forge more."""

from __future__ import annotations

import pytest

from ingest.formats.audit_event import NO_OBJECT, ObjectRef
from ingest.formats.gke_names import call_of

POD = ObjectRef(resource="pods", namespace="shop", name="web", apiVersion="v1")


def ref(**members: str) -> ObjectRef:
    return ObjectRef(**({"apiVersion": "v1"} | members))


CALLS = [
    (
        "io.k8s.core.v1.pods.create",
        "core/v1/namespaces/shop/pods/web",
        ("create", POD, "/api/v1/namespaces/shop/pods"),
    ),
    (
        "io.k8s.core.v1.pods.delete",
        "core/v1/namespaces/shop/pods/web",
        ("delete", POD, "/api/v1/namespaces/shop/pods/web"),
    ),
    (
        "io.k8s.core.v1.pods.exec.create",
        "core/v1/namespaces/shop/pods/web/exec",
        (
            "create",
            ref(resource="pods", namespace="shop", name="web", subresource="exec"),
            "/api/v1/namespaces/shop/pods/web/exec",
        ),
    ),
    (
        "io.k8s.core.v1.secrets.list",
        "core/v1/secrets",
        ("list", ref(resource="secrets"), "/api/v1/secrets"),
    ),
    (
        "io.k8s.core.v1.secrets.deletecollection",
        "core/v1/namespaces/shop/secrets",
        (
            "deletecollection",
            ref(resource="secrets", namespace="shop"),
            "/api/v1/namespaces/shop/secrets",
        ),
    ),
    (
        "io.k8s.apps.v1.deployments.scale.patch",
        "apps/v1/namespaces/shop/deployments/web/scale",
        (
            "patch",
            ref(
                resource="deployments",
                namespace="shop",
                name="web",
                apiGroup="apps",
                subresource="scale",
            ),
            "/apis/apps/v1/namespaces/shop/deployments/web/scale",
        ),
    ),
    (
        "io.k8s.authorization.rbac.v1.clusterroles.update",
        "rbac.authorization.k8s.io/v1/clusterroles/view",
        (
            "update",
            ref(resource="clusterroles", name="view", apiGroup="rbac.authorization.k8s.io"),
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/view",
        ),
    ),
    (
        "com.coreos.database.etcd.v1beta2.etcdbackups.create",
        "etcd.database.coreos.com/v1beta2/namespaces/test-ns/etcdbackups",
        (
            "create",
            ObjectRef(
                resource="etcdbackups",
                namespace="test-ns",
                apiGroup="etcd.database.coreos.com",
                apiVersion="v1beta2",
            ),
            "/apis/etcd.database.coreos.com/v1beta2/namespaces/test-ns/etcdbackups",
        ),
    ),
    (
        "io.k8s.core.v1.nodes.proxy.create",
        "core/v1/nodes/node-1/proxy/run/kube-system/x/y",
        (
            "create",
            ref(resource="nodes", name="node-1", subresource="proxy"),
            "/api/v1/nodes/node-1/proxy/run/kube-system/x/y",
        ),
    ),
    ("io.k8s.get", "readyz", ("get", NO_OBJECT, "/readyz")),
    ("io.k8s.get", "api/v1", ("get", NO_OBJECT, "/api/v1")),
    ("io.k8s.get", "/healthz/etcd", ("get", NO_OBJECT, "/healthz/etcd")),
]


@pytest.mark.parametrize(("method", "resource", "expected"), CALLS)
def test_the_call_is_the_one_that_was_made(
    method: str, resource: str, expected: tuple[str, ObjectRef, str]
) -> None:
    assert tuple(call_of(method, resource)) == expected


@pytest.mark.parametrize(
    ("verb", "resource", "namespace", "sub", "path"),
    [
        ("create", "core/v1/namespaces/shop", None, None, "/api/v1/namespaces"),
        ("delete", "core/v1/namespaces/shop", "shop", None, "/api/v1/namespaces/shop"),
        (
            "finalize.update",
            "core/v1/namespaces/shop/finalize",
            "shop",
            "finalize",
            "/api/v1/namespaces/shop/finalize",
        ),
        (
            "status.patch",
            "core/v1/namespaces/pods/status",
            "pods",
            "status",
            "/api/v1/namespaces/pods/status",
        ),
    ],
)
def test_a_namespace_is_no_object_within_one(
    verb: str, resource: str, namespace: str | None, sub: str | None, path: str
) -> None:
    call = call_of(f"io.k8s.core.v1.namespaces.{verb}", resource)
    assert (call.object.resource, call.object.namespace) == ("namespaces", namespace)
    assert (call.object.subresource, call.path) == (sub, path)


@pytest.mark.parametrize(
    ("method", "group", "resource", "sub"),
    [
        ("io.k8s.core.v1.pods.list", None, "pods", None),
        ("io.k8s.batch.v1.cronjobs.list", "batch", "cronjobs", None),
        ("io.k8s.networking.v1.ingresses.list", "networking.k8s.io", "ingresses", None),
        ("io.cert-manager.v1.certificates.list", "cert-manager.io", "certificates", None),
        ("io.gke.networking.v1beta2.managedcertificates.status.list",
         "networking.gke.io", "managedcertificates", "status"),
    ],
)  # fmt: skip
def test_without_a_resource_name_the_method_says_what_it_can(
    method: str, group: str | None, resource: str, sub: str | None
) -> None:
    found = call_of(method, "").object
    assert (found.apiGroup, found.resource, found.subresource) == (group, resource, sub)
    assert found.name is None
    assert found.namespace is None


@pytest.mark.parametrize(
    "name", ["a?command=rm&x=", "a#b", "a b", "a%2Fb", "ä", "a\nb", "a\u202eb"]
)
def test_a_name_can_not_forge_a_query(name: str) -> None:
    call = call_of("io.k8s.core.v1.pods.exec.create", f"core/v1/namespaces/shop/pods/{name}/exec")
    assert call.object.name == name
    assert call.object.subresource == "exec"
    assert call.path.startswith("/api/v1/namespaces/shop/pods/a") or name == "ä"
    assert call.path.isascii()
    assert not set(call.path) & set("?# \n")


@pytest.mark.parametrize(
    ("method", "resource"),
    [
        ("", ""),
        (".", "/"),
        ("....", "////"),
        ("io.k8s.core.v1.pods.get", "core/v1/namespaces"),
        ("io.k8s.core.v1.pods.get", "core/v1/namespaces/shop"),
        ("io.k8s.core.v1.pods.get", "core/v1/"),
        ("v1.pods.get", "core/v1/pods"),
        ("x" * 1_000_000 + ".get", "y/" * 100_000),
        ("io.k8s.core.v1." * 10_000 + "get", "core/v1/namespaces/a/b/c/d/e/f"),
    ],
    ids=range(9),
)
def test_whatever_the_names_are_there_is_a_call(method: str, resource: str) -> None:
    assert call_of(method, resource).path.startswith("/")
