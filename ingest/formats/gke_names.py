"""GKE's names of a call become the verb, the object and the URI that the API server was asked for.

Separate from the log entry around them, because the two names are a small language of their own:
``methodName`` is the API group's labels in reverse, version, resource, subresource and verb
(``io.k8s.authorization.rbac.v1.clusterrolebindings.create``,
``com.coreos.database.etcd.v1beta2.etcdbackups.create``; ``io.k8s.get`` for what is no resource),
and ``resourceName`` is group, version and path (``core/v1/namespaces/NS/pods/POD/exec``), or the
path of what is no resource (``readyz``).

Sources: records in elastic/integrations (packages/gcp, test-audit.log and
test-k8s-nonmatching-resourcename.log) and in liggitt/audit2rbac issue 18 (the group of a custom
resource); GoogleCloudPlatform/khi, googlecloudlogk8saudit contract (names of namespaces);
k8s.io/apiserver, ``RequestInfo`` (what is a namespace's own).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote

from ingest.formats.audit_event import NO_OBJECT, ObjectRef

_CORE: Final = "core"
_DOTLESS: Final = frozenset({"apps", "autoscaling", "batch", "extensions", "policy"})
"""Groups of the API server's own whose names have no dots: their method says ``io.k8s.apps``."""

_NAMESPACES: Final = "namespaces"
_REMEMBERED: Final = 4_096
_LENGTH_MAX: Final = 256
"""Characters of a method that is remembered: what is remembered must be bounded."""

_SAFE: Final = "/!$'()*,;=:@~"
_PLAIN: Final = str.maketrans("", "", "/-._~:@")


class Method(NamedTuple):
    """What a ``methodName`` says; empty texts where it is no resource's."""

    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""


class Call(NamedTuple):
    """What was asked of the API server, without the query: that is not logged."""

    verb: str
    object: ObjectRef
    path: str


def call_of(method_name: str, resource_name: str) -> Call:
    """Return what a ``methodName`` and a ``resourceName`` say together; never raises."""
    method = (_method if len(method_name) > _LENGTH_MAX else _remembered_method)(method_name)
    if not method.resource:
        return Call(method.verb, NO_OBJECT, _escaped([resource_name.lstrip("/")]))
    if resource_name.count("/") > 1:
        group, version, path = resource_name.split("/", 2)
        group = "" if group == _CORE else group
    else:
        group, version, path = method.group, method.version, method.resource
    return _resource_call(method, group, version, path.split("/"))


def _method(name: str) -> Method:
    head, _, verb = name.rpartition(".")
    labels = head.split(".")
    for at in (-2, -3):
        if len(labels) >= 1 - at and _is_version(labels[at]):
            sub = labels[-1] if at == -3 else ""  # noqa: PLR2004 - version, resource, subresource
            return Method(verb, _group(labels[:at]), labels[at], labels[at + 1], sub)
    return Method(verb)


_remembered_method: Final = lru_cache(_REMEMBERED)(_method)


def _is_version(label: str) -> bool:
    digits = label[1:].replace("alpha", "", 1).replace("beta", "", 1)
    return label[:1] == "v" and digits.isascii() and digits.isdigit()


def _group(labels: list[str]) -> str:
    """``io.k8s.apps`` -> ``apps``, ``io.k8s.core`` -> ````, ``io.istio.networking`` reversed."""
    if labels[:2] == ["io", "k8s"] and labels[2:] == [_CORE]:
        return ""
    if labels[:2] == ["io", "k8s"] and len(labels) == 3 and labels[2] in _DOTLESS:  # noqa: PLR2004
        return labels[2]
    return ".".join(reversed(labels))


def _resource_call(method: Method, group: str, version: str, parts: list[str]) -> Call:
    """Read namespace, name and subresource off the path, as the API server itself does."""
    namespace = None
    if parts[0] == _NAMESPACES and method.resource != _NAMESPACES:
        namespace, parts = (parts[1] if len(parts) > 1 else None), parts[2:] or [method.resource]
    resource, name, sub = (*parts[:3], "", "", "")[:3]
    if resource == _NAMESPACES and name and method.verb != "create":
        namespace = name
    is_collection = method.verb == "create" and not sub
    at = ["api"] if not group else ["apis", group]
    place = [] if namespace is None or resource == _NAMESPACES else [_NAMESPACES, namespace]
    path = _escaped([*at, version, *place, resource, *([] if is_collection else parts[1:])])
    reference = ObjectRef(
        resource=resource,
        namespace=namespace,
        name=name or None,
        apiGroup=group or None,
        apiVersion=version,
        subresource=sub or method.subresource or None,
    )
    return Call(method.verb, reference, path)


def _escaped(parts: list[str]) -> str:
    """Join a path; what would end it is escaped: no name may forge a query."""
    path = "/" + "/".join(parts)
    rest = path.translate(_PLAIN)
    return path if rest.isascii() and rest.isalnum() else quote(path, safe=_SAFE)
