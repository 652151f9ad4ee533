"""Two rules of a policy: whether the first takes every request that the second is about.

Separate because it reasons about rules alone, without any request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detectors.policy.audit_policy import PolicyRule, Resources


def covers(first: PolicyRule, second: PolicyRule) -> bool:
    """Return whether ``second`` never decides behind ``first``; if in doubt, it may."""
    if not (
        _holds(first.users, second.users)
        and _holds(first.user_groups, second.user_groups)
        and _holds(first.verbs, second.verbs)
    ):
        return False
    if first.resources or first.namespaces:
        return _covers_resources(first, second)
    if first.urls:
        return bool(second.urls) and all(
            any(_covers_url(one, url) for one in first.urls) for url in second.urls
        )
    return True


def _holds(first: Sequence[str], second: Sequence[str]) -> bool:
    """Nothing named is everything."""
    return not first or (bool(second) and set(second) <= set(first))


def _covers_resources(first: PolicyRule, second: PolicyRule) -> bool:
    if not (second.resources or second.namespaces):
        return False
    if not _holds(first.namespaces, second.namespaces):
        return False
    if not first.resources:
        return True
    return bool(second.resources) and all(
        any(_covers_group(one, other) for one in first.resources) for other in second.resources
    )


def _covers_group(first: Resources, second: Resources) -> bool:
    if first.group != second.group:
        return False
    if not first.resources:
        return True
    if not _holds(first.names, second.names):
        return False
    if not second.resources:
        return "*" in first.resources
    return all(
        any(_covers_name(one, other) for one in first.resources) for other in second.resources
    )


def _covers_name(first: str, second: str) -> bool:
    """As in checker.go: ``pods/*`` is also about ``pods``."""
    if first in {"*", second}:
        return True
    base, _, subresource = second.partition("/")
    if first.startswith("*/"):
        return first == f"*/{subresource}"
    return first == f"{base}/*"


def _covers_url(first: str, second: str) -> bool:
    if first in {"*", second}:
        return True
    return first.endswith("*") and second.rstrip("*").startswith(first.rstrip("*"))
