"""An audit policy file becomes an `AuditPolicy`, or all that is wrong with it, by line.

Separate from what a policy means. Read as strictly as a rule: the API server only warns of a key
that it does not know and goes on without it, and then a misspelt ``omitStage`` is silently nothing.
What it refuses as well is from k8s.io/apiserver/pkg/apis/audit/validation (validation.go).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from detectors.policy.audit_policy import (
    LEVEL_NAMES,
    AuditLevel,
    AuditPolicy,
    PolicyRule,
    Resources,
    Stage,
)
from detectors.sigma.errors import START, InvalidRulesError, Problems, RefusedError, shown
from detectors.sigma.fields import suggestion
from detectors.sigma.strict_yaml import MAX_BYTES, Entry, Mapping, Node, Scalar, Sequence, parse

if TYPE_CHECKING:
    from pathlib import Path

_VERSION: Final = "audit.k8s.io/v1"
_KIND: Final = "Policy"
_POLICY_KEYS: Final = (
    "apiVersion",
    "kind",
    "metadata",
    "rules",
    "omitStages",
    "omitManagedFields",
)
_RULE_KEYS: Final = (
    "level",
    "users",
    "userGroups",
    "verbs",
    "resources",
    "namespaces",
    "nonResourceURLs",
    "omitStages",
    "omitManagedFields",
)
_RESOURCE_KEYS: Final = ("group", "resources", "resourceNames")
_LABEL_MAX: Final = 63
_NAME_MAX: Final = 253


def read_policy(file: Path) -> AuditPolicy:
    """Return the policy in ``file``.

    Raises ``InvalidRulesError`` with every problem of the file; the command shows them.
    """
    problems = Problems(file)
    data = problems.attempt(b"", _bytes, file)
    policy = parse_policy(data, problems) if not problems.errors else None
    if policy is None or problems.errors:
        raise InvalidRulesError(tuple(problems.in_order()))
    return policy


def parse_policy(data: bytes, problems: Problems) -> AuditPolicy | None:
    """Return the policy that ``data`` is; what is wrong with it is noted in ``problems``."""
    return problems.attempt(None, _policy, data, problems)


def _bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise RefusedError(START, f"cannot be read: {error.strerror}") from error


def _policy(data: bytes, problems: Problems) -> AuditPolicy:
    document = parse(data)
    if not isinstance(document, Mapping):
        raise RefusedError(document.place, "an audit policy must be a mapping")
    _refuse_unknown(document, _POLICY_KEYS, problems)
    problems.attempt(None, _must_be, document, "apiVersion", _VERSION)
    problems.attempt(None, _must_be, document, "kind", _KIND)
    stages = document.entries.get("omitStages")
    return AuditPolicy(
        rules=problems.attempt((), _rules, document, problems),
        omit_stages=problems.attempt((), _stages, document),
        omit_managed_fields=bool(problems.attempt(None, _flag, document, "omitManagedFields")),
        omit_stages_line=stages.key.place.line if stages else 0,
    )


def _must_be(document: Mapping, key: str, wanted: str) -> None:
    node = document.get(key)
    found = node.value if isinstance(node, Scalar) else None
    if found != wanted:
        words = f"not {shown(found)}" if found is not None else "but it is missing"
        raise RefusedError((node or document).place, f"{key!r} must be {wanted}, {words}")


def _rules(document: Mapping, problems: Problems) -> tuple[PolicyRule, ...]:
    node = document.get("rules")
    if not isinstance(node, Sequence) or not node.items:
        raise RefusedError((node or document).place, "'rules' must be a list of at least one rule")
    found = [problems.attempt(None, _rule, item, problems) for item in node.items]
    return tuple(rule for rule in found if rule)


def _rule(node: Node, problems: Problems) -> PolicyRule:
    if not isinstance(node, Mapping):
        raise RefusedError(node.place, "a rule must be a mapping")
    _refuse_unknown(node, _RULE_KEYS, problems)
    attempt = problems.attempt
    rule = PolicyRule(
        level=attempt(AuditLevel.NONE, _level, node),
        users=attempt((), _texts, node, "users"),
        user_groups=attempt((), _texts, node, "userGroups"),
        verbs=attempt((), _texts, node, "verbs"),
        resources=attempt((), _resources, node, problems),
        namespaces=attempt((), _texts, node, "namespaces"),
        urls=attempt((), _urls, node),
        omit_stages=attempt((), _stages, node),
        omit_managed_fields=attempt(None, _flag, node, "omitManagedFields"),
        line=node.place.line,
    )
    if rule.urls and (rule.resources or rule.namespaces):
        wrong = "a rule is about resources or about nonResourceURLs, not both"
        raise RefusedError(node.entries["nonResourceURLs"].key.place, wrong)
    return rule


def _level(rule: Mapping) -> AuditLevel:
    node = rule.get("level")
    found = node.text if isinstance(node, Scalar) else None
    if found not in LEVEL_NAMES:
        words = f"not {shown(found)}{suggestion(found, LEVEL_NAMES)}" if found else "it is missing"
        wrong = f"'level' must be one of {', '.join(LEVEL_NAMES)}: {words}"
        raise RefusedError((node or rule).place, wrong)
    return AuditLevel(LEVEL_NAMES.index(found))


def _resources(rule: Mapping, problems: Problems) -> tuple[Resources, ...]:
    node = rule.get("resources")
    if node is None:
        return ()
    if not isinstance(node, Sequence):
        raise RefusedError(node.place, "'resources' must be a list of groups with their resources")
    found = [problems.attempt(None, _group, item, problems) for item in node.items]
    return tuple(one for one in found if one)


def _group(node: Node, problems: Problems) -> Resources:
    if not isinstance(node, Mapping):
        wrong = "must be a mapping with 'group' and 'resources', not a name alone"
        raise RefusedError(node.place, wrong)
    _refuse_unknown(node, _RESOURCE_KEYS, problems)
    group = node.get("group")
    text = group.value if isinstance(group, Scalar) else ""
    if group is not None and (not isinstance(text, str) or not _is_group(text)):
        wrong = f"'group' must be a group's name without its version, not {shown(text)}"
        raise RefusedError(group.place, wrong)
    found = Resources(str(text), _texts(node, "resources"), _texts(node, "resourceNames"))
    if found.names and not found.resources:
        raise RefusedError(node.place, "'resourceNames' needs 'resources' beside it")
    return found


def _is_group(text: str) -> bool:
    """Return whether it is a DNS subdomain in lower case, or the core group's empty name."""
    return not text or (len(text) <= _NAME_MAX and all(map(_is_label, text.split("."))))


def _is_label(text: str) -> bool:
    letters = text.replace("-", "")
    straight = letters.isascii() and letters.isalnum() and text == text.lower()
    return straight and len(text) <= _LABEL_MAX and not text.startswith("-") and text[-1] != "-"


def _urls(rule: Mapping) -> tuple[str, ...]:
    found = _texts(rule, "nonResourceURLs")
    for url in found:
        place = rule.entries["nonResourceURLs"].value.place
        if url != "*" and not url.startswith("/"):
            raise RefusedError(place, f"a URL begins with '/', not {shown(url)}")
        if "*" in url[:-1]:
            raise RefusedError(place, f"'*' may only be a URL's last character: {shown(url)}")
    return found


def _stages(mapping: Mapping) -> tuple[Stage, ...]:
    known = [stage.value for stage in Stage]
    found = _texts(mapping, "omitStages")
    for text in found:
        if text not in known:
            place = mapping.entries["omitStages"].value.place
            words = f"not {shown(text)}{suggestion(text, known)}"
            raise RefusedError(place, f"a stage is one of {', '.join(known)}: {words}")
    return tuple(map(Stage, found))


def _texts(mapping: Mapping, key: str) -> tuple[str, ...]:
    node = mapping.get(key)
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return ()
    items = node.items if isinstance(node, Sequence) else ()
    texts = tuple(
        item.value for item in items if isinstance(item, Scalar) and isinstance(item.value, str)
    )
    if not isinstance(node, Sequence) or len(texts) < len(items):
        raise RefusedError(node.place, f"{key!r} must be a list of texts")
    return texts


def _flag(mapping: Mapping, key: str) -> bool | None:
    node = mapping.get(key)
    if node is None:
        return None
    value = node.value if isinstance(node, Scalar) else None
    if not isinstance(value, bool):
        raise RefusedError(node.place, f"{key!r} must be true or false")
    return value


def _refuse_unknown(mapping: Mapping, known: tuple[str, ...], problems: Problems) -> None:
    for key, entry in mapping.entries.items():
        if key not in known:
            problems.add(_unknown(key, entry, known))


def _unknown(key: str, entry: Entry, known: tuple[str, ...]) -> RefusedError:
    return RefusedError(entry.key.place, f"unknown key {shown(key)}{suggestion(key, known)}")
