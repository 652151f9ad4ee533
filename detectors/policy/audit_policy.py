"""An audit policy and a request in, what the API server logs of the request out.

Separate from reading the file, so that verdicts and changes work on values. The semantics are those
of Kubernetes itself: `LevelAndStages` and `ruleMatches` in k8s.io/apiserver/pkg/audit/policy
(checker.go), and the type `Policy` of audit.k8s.io/v1
(https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final


class AuditLevel(IntEnum):
    """How much is logged of a request, from nothing to everything."""

    NONE = 0
    METADATA = 1
    REQUEST = 2
    REQUEST_RESPONSE = 3

    @property
    def text(self) -> str:
        """Return the level as a policy spells it."""
        return LEVEL_NAMES[self]


LEVEL_NAMES: Final = ("None", "Metadata", "Request", "RequestResponse")
LOGGED: Final = (AuditLevel.METADATA, AuditLevel.REQUEST, AuditLevel.REQUEST_RESPONSE)


class Stage(StrEnum):
    """At which moment of a request an event is written."""

    REQUEST_RECEIVED = "RequestReceived"
    RESPONSE_STARTED = "ResponseStarted"
    RESPONSE_COMPLETE = "ResponseComplete"
    PANIC = "Panic"


@dataclass(frozen=True, slots=True)
class Resources:
    """Resources of one API group; none named means all of them, subresources included."""

    group: str
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def match(self, request: Request) -> bool:
        """Return whether a request is about one of them."""
        if self.group != request.group:
            return False
        if not self.resources:
            return True
        if self.names and request.name not in self.names:
            return False
        return any(_is_named(one, request) for one in self.resources)


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """One rule of a policy; what is empty does not narrow it."""

    level: AuditLevel
    users: tuple[str, ...] = ()
    user_groups: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    resources: tuple[Resources, ...] = ()
    namespaces: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    omit_stages: tuple[Stage, ...] = ()
    omit_managed_fields: bool | None = None
    line: int = 0
    """Where it begins in its file; 0 for a rule that is in none yet."""

    def match(self, request: Request) -> bool:
        """Return whether the rule is about a request.

        A caller who failed to authenticate is nobody: a rule for users or groups is not about them.
        """
        if self.users and (request.user is None or request.user not in self.users):
            return False
        if self.user_groups and not set(self.user_groups) & set(request.user_groups):
            return False
        if self.verbs and request.verb not in self.verbs:
            return False
        if self.namespaces or self.resources:
            return self._matches_resource(request)
        if self.urls:
            return not request.is_resource and any(_is_url(one, request.path) for one in self.urls)
        return True

    def _matches_resource(self, request: Request) -> bool:
        if not request.is_resource:
            return False
        if self.namespaces and request.namespace not in self.namespaces:
            return False
        return not self.resources or any(one.match(request) for one in self.resources)


@dataclass(frozen=True, slots=True)
class AuditPolicy:
    """Rules in order, of which the first that matches decides, and what holds for all of them."""

    rules: tuple[PolicyRule, ...]
    omit_stages: tuple[Stage, ...] = ()
    omit_managed_fields: bool = False
    omit_stages_line: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """What a policy sees of a request: nothing of its body, and no identity that is acted as."""

    verb: str
    user: str | None
    """None where authentication failed."""
    user_groups: tuple[str, ...]
    is_resource: bool
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    """As the URL names it: empty for every list, and for whatever is created in a collection."""
    path: str = ""

    @property
    def combined(self) -> str:
        """Return the resource as a policy names it: ``pods``, ``pods/exec``."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


@dataclass(frozen=True, slots=True)
class Decision:
    """What is logged of a request, and which rule says so."""

    level: AuditLevel
    omitted: frozenset[Stage]
    omit_managed_fields: bool
    rule: int | None
    """Index of the rule; None where none matches, and nothing is logged."""


def decide(policy: AuditPolicy, request: Request) -> Decision:
    """Return what the API server logs of a request under a policy."""
    for index, rule in enumerate(policy.rules):
        if rule.match(request):
            omitted = frozenset(policy.omit_stages) | frozenset(rule.omit_stages)
            own = rule.omit_managed_fields
            cut = policy.omit_managed_fields if own is None else own
            return Decision(rule.level, omitted, cut, index)
    omitted = frozenset(policy.omit_stages)
    return Decision(AuditLevel.NONE, omitted, policy.omit_managed_fields, None)


def _is_named(written: str, request: Request) -> bool:
    """Compare as checker.go does: ``pods/*`` is also about ``pods`` itself."""
    if written in {"*", request.combined}:
        return True
    if request.subresource and written == f"*/{request.subresource}":
        return True
    return written == f"{request.resource}/*"


def _is_url(written: str, path: str) -> bool:
    if written in {"*", path}:
        return True
    return written.endswith("*") and path.startswith(written.rstrip("*"))
