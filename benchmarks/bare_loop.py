"""The rival to beat: orjson and forty Python functions, one event after the other.

No normalization, no redaction, no ids, no files, no findings worth the name: what a security team
would write in an afternoon. Its conditions are the ones that the shipped rules have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import orjson

Event = dict[str, Any]
Predicate = Callable[[Event], bool]


def _ref(event: Event) -> dict[str, Any]:
    return event.get("objectRef") or {}


def _spec(event: Event) -> dict[str, Any]:
    body = event.get("requestObject")
    spec = body.get("spec") if isinstance(body, dict) else None
    if not isinstance(spec, dict):
        return {}
    template = spec.get("template")
    return (template.get("spec") or {}) if isinstance(template, dict) else spec


def _code(event: Event) -> int:
    return (event.get("responseStatus") or {}).get("code") or 0


def _on(resource: str, *verbs: str) -> Predicate:
    return lambda e: _ref(e).get("resource") == resource and e.get("verb") in verbs


def _sub(resource: str, subresource: str) -> Predicate:
    return lambda e: (
        _ref(e).get("resource") == resource and _ref(e).get("subresource") == subresource
    )


def _user(name: str) -> Predicate:
    return lambda e: (e.get("user") or {}).get("username") == name and _code(e) < 400


def _agent(word: str) -> Predicate:
    return lambda e: word in (e.get("userAgent") or "").lower()


def _uri(word: str) -> Predicate:
    return lambda e: "/exec" in e.get("requestURI", "") and word in e.get("requestURI", "")


def _pod(key: str) -> Predicate:
    return lambda e: bool(_spec(e).get(key))


def _container(key: str) -> Predicate:
    return lambda e: any(
        (c.get("securityContext") or {}).get(key) for c in _spec(e).get("containers") or []
    )


FUNCTIONS: Final[tuple[Predicate, ...]] = (
    _user("system:anonymous"),
    lambda e: _code(e) == 401,
    lambda e: _code(e) == 403 and e.get("verb") == "create",
    lambda e: bool(e.get("impersonatedUser")),
    lambda e: "system:masters" in ((e.get("user") or {}).get("groups") or []),
    *(_agent(word) for word in ("kube-hunter", "peirates", "curl/", "python-requests")),
    *(_sub("pods", sub) for sub in ("exec", "attach", "portforward", "ephemeralcontainers")),
    _sub("nodes", "proxy"),
    _sub("serviceaccounts", "token"),
    _sub("certificatesigningrequests", "approval"),
    *(_uri(word) for word in ("apt", "curl", "%2Fdev%2Ftcp", "shadow", "token")),
    *(_pod(key) for key in ("hostPID", "hostNetwork", "hostIPC")),
    *(_container(key) for key in ("privileged", "allowPrivilegeEscalation")),
    lambda e: any("hostPath" in v for v in _spec(e).get("volumes") or []),
    lambda e: any("xmrig" in (c.get("image") or "") for c in _spec(e).get("containers") or []),
    _on("daemonsets", "create"),
    _on("cronjobs", "create", "patch"),
    _on("clusterrolebindings", "create", "patch"),
    _on("rolebindings", "create", "patch"),
    _on("clusterroles", "create", "update", "patch"),
    _on("mutatingwebhookconfigurations", "create", "update", "patch", "delete"),
    _on("validatingwebhookconfigurations", "create", "update", "patch", "delete"),
    lambda e: _on("configmaps", "patch", "update")(e) and _ref(e).get("namespace") == "kube-system",
    lambda e: _on("secrets", "list")(e) and not _ref(e).get("namespace"),
    _on("events", "delete", "deletecollection"),
    _on("namespaces", "create"),
    lambda e: _on("services", "create")(e) and _spec(e).get("type") == "NodePort",
)


def run(lines: Iterable[bytes]) -> int:
    """Return how many times a function said yes."""
    hits = 0
    for line in lines:
        event = orjson.loads(line)
        for function in FUNCTIONS:
            if function(event):
                hits += 1
    return hits


assert len(FUNCTIONS) == 40, len(FUNCTIONS)  # noqa: S101 - the benchmark's name for itself
