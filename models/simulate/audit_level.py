"""A verb, a resource and whether a node asks in; the level of the audit event out.

Separate because it is a policy, not a format: the one under which the sample log was recorded.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class AuditLevel(StrEnum):
    """How much of a request an audit event holds."""

    METADATA = "Metadata"
    REQUEST = "Request"
    REQUEST_RESPONSE = "RequestResponse"


_METADATA: Final = frozenset(
    {"secrets", "configmaps", "serviceaccounts/token", "tokenreviews", "leases", "events"}
)
_INTERACTIVE: Final = frozenset(
    {
        "pods/exec",
        "pods/attach",
        "pods/portforward",
        "pods/proxy",
        "pods/ephemeralcontainers",
        "services/proxy",
        "nodes/proxy",
    }
)
_STATUS: Final = frozenset({"nodes/status", "pods/status"})
_READS: Final = frozenset({"get", "list", "watch"})


def level_of(verb: str, resource: str, *, is_node: bool) -> AuditLevel:
    """Return the level at which the policy logs a request; the first rule that fits decides."""
    if resource.startswith("/") or resource in _METADATA:
        return AuditLevel.METADATA
    if is_node and resource in _STATUS:
        return AuditLevel.REQUEST
    if verb in _READS and resource not in _INTERACTIVE:
        return AuditLevel.REQUEST
    return AuditLevel.REQUEST_RESPONSE
