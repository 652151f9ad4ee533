"""The rbac facet: what a role would allow and whom a binding would give it to.

Separate because roles, bindings and their patches all answer the same questions.
Sources: Kubernetes API reference, rbac.authorization.k8s.io/v1; "RBAC Good Practices", section
"Privilege escalation risks", for the pairs below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ingest.facets.body import items, mapping, text, texts

if TYPE_CHECKING:
    from collections.abc import Mapping

_R: Final = "trailwarden.rbac."
_READ: Final = frozenset({"get", "list", "watch"})
_WRITE: Final = frozenset({"create", "update", "patch"})

_ESCALATIONS: Final[tuple[tuple[frozenset[str], frozenset[str]], ...]] = (
    (
        frozenset({"bind", "escalate"}),
        frozenset({"roles", "clusterroles", "rolebindings", "clusterrolebindings"}),
    ),
    (
        frozenset({"impersonate"}),
        frozenset({"users", "groups", "serviceaccounts", "uids", "userextras"}),
    ),
    (frozenset({"create"}), frozenset({"serviceaccounts/token"})),
    (
        frozenset({"approve", "update", "patch"}),
        frozenset({"signers", "certificatesigningrequests/approval"}),
    ),
    (frozenset({"create", "get"}), frozenset({"pods/exec", "pods/attach"})),
    (frozenset({"update", "patch"}), frozenset({"pods/ephemeralcontainers"})),
    (frozenset({"create", "get"}), frozenset({"nodes/proxy"})),
    (_READ, frozenset({"secrets"})),
    (
        _WRITE,
        frozenset({"validatingwebhookconfigurations", "mutatingwebhookconfigurations"}),
    ),
)
_AGGREGATE: Final = "rbac.authorization.k8s.io/aggregate-to-"

_PARTS: Final = ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")
_MARKS: Final = {"%": "%25", ",": "%2C", "|": "%7C"}
_ENCODED: Final = str.maketrans(_MARKS)

Facet = dict[str, object]


def rbac_facet(body: Mapping[str, Any]) -> Facet:
    """Extract the rbac columns from a role, a binding, or a fragment of one.

    Returns
        column name -> value, only for what the body says.
    """
    rules = [mapping(rule) for rule in items(body.get("rules"))]
    labels = mapping(mapping(body.get("metadata")).get("labels"))
    facet: Facet = {
        _R + "role_ref": _role_ref(mapping(body.get("roleRef"))),
        _R + "subjects": [subject(mapping(entry)) for entry in items(body.get("subjects"))],
        _R + "verbs": _all(rules, "verbs"),
        _R + "resources": _all(rules, "resources"),
        _R + "api_groups": _all(rules, "apiGroups"),
        _R + "non_resource_urls": _all(rules, "nonResourceURLs"),
        _R + "rules": [rule_text(rule) for rule in rules],
        _R + "escalations": sorted({pair for rule in rules for pair in _pairs(rule)}),
        _R + "aggregates_to": sorted(
            key.removeprefix(_AGGREGATE)
            for key, value in labels.items()
            if key.startswith(_AGGREGATE) and value == "true"
        ),
    }
    if rules:
        facet[_R + "wildcard"] = any(map(_is_wildcard, rules))
    return {column: value for column, value in facet.items() if value not in (None, [])}


def rule_text(rule: Mapping[str, Any]) -> str:
    """Return a rule as one text, the same for all rules that allow the same.

    ``verbs|apiGroups|resources|resourceNames|nonResourceURLs``, each sorted and joined by commas.
    The API server takes any text as a verb or a name: the two marks and ``%`` within one are
    percent-encoded, so that no name can be read as another part of the rule.
    """
    return "|".join(_part(rule.get(part)) for part in _PARTS)


def _part(values: object) -> str:
    names = set(texts(values))
    joined = "".join(names)
    if any(mark in joined for mark in _MARKS):
        names = {name.translate(_ENCODED) for name in names}
    return ",".join(sorted(names))


def subject(entry: Mapping[str, Any]) -> str:
    """Return ``Kind/name``, for service accounts ``ServiceAccount/namespace/name``."""
    kind, name = text(entry.get("kind")) or "?", text(entry.get("name")) or "?"
    if kind == "ServiceAccount":
        return f"{kind}/{text(entry.get('namespace')) or '?'}/{name}"
    return f"{kind}/{name}"


def _role_ref(reference: Mapping[str, Any]) -> str | None:
    name = text(reference.get("name"))
    return f"{text(reference.get('kind')) or '?'}/{name}" if name else None


def _all(rules: list[Mapping[str, Any]], key: str) -> list[str]:
    return sorted({value for rule in rules for value in texts(rule.get(key))})


def _is_wildcard(rule: Mapping[str, Any]) -> bool:
    return "*" in texts(rule.get("verbs")) and "*" in texts(rule.get("resources"))


def _pairs(rule: Mapping[str, Any]) -> list[str]:
    """Return the ``verb resource`` pairs of a rule that give more than they seem to."""
    verbs, resources = set(texts(rule.get("verbs"))), set(texts(rule.get("resources")))
    found = []
    for risky_verbs, risky_resources in _ESCALATIONS:
        hit_verbs = risky_verbs if "*" in verbs else risky_verbs & verbs
        hit_resources = {r for r in risky_resources if _covers(resources, r)}
        found += [f"{verb} {resource}" for verb in hit_verbs for resource in hit_resources]
    return found


def _covers(granted: set[str], resource: str) -> bool:
    """``*`` covers everything, ``*/exec`` every exec, ``pods`` never ``pods/exec``."""
    subresource = resource.rpartition("/")[2]
    return bool(granted & {"*", resource} or ("/" in resource and f"*/{subresource}" in granted))
