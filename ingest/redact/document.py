"""Structural redaction: a parsed Kubernetes object loses the secrets whose place is known.

Separate from the text patterns because it knows the API: Secret data, tokens, environment
values, last-applied copies, command lines. Works in place on a document that the caller owns.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import orjson
import polars as pl

from ingest.redact.command import redact_args
from ingest.redact.names import names_a_secret
from ingest.redact.text import redact_texts

if TYPE_CHECKING:
    from ingest.redact.token import Redactor

MAX_DEPTH: Final = 20
"""Elasticsearch refuses documents nested deeper than 20 (index.mapping.depth.limit)."""

_CUT: Final = f"[cut at depth {MAX_DEPTH}]"
_CONTAINERS: Final[frozenset[Any]] = frozenset({dict, list})
_DATA: Final = frozenset({"data", "stringData"})
_BINARY: Final = "binaryData"
_COPIES: Final = ("last-applied-configuration", "last-applied", "/applied", "/original")
"""How annotations end that hold a copy of the object: kubectl's, and those of its likes (Rancher,
kapp, Banzai), some of them compressed."""

_WEBHOOK_PATCH: Final = "patch.webhook.admission.k8s.io/"
_SECRET_RESOURCES: Final = frozenset({"secrets", "secretlist", "secret"})
_SPECIAL: Final = frozenset({"value", "data", "stringData"})
_CACHE_SIZE: Final = 16_384
_KEY_MAX: Final = 512
"""Characters of a key that is remembered: longer ones are nobody's but an attacker's."""

_LATENCY: Final = "apiserver.latency.k8s.io/"
_CONFIG_MAPS: Final = "configmaps"
_END: Final = "-"
_COMMANDS: Final = frozenset({"args", "command"})
_HARMLESS: Final = frozenset({"", "true", "false", "null", "none"})


def redact_document(document: Any, redactor: Redactor, resource: str | None = None) -> Any:
    """Redact a parsed JSON value in place and return it.

    Parameters
        document: what a JSON parser returned; owned by the caller, changed in place.
        resource: resource of the request that it is a body of: a merge or JSON patch of a Secret
            does not say that it is one.

    Returns
        the document, with managedFields removed and everything below depth 20 cut.
    """
    in_secret = (resource or "").lower() in _SECRET_RESOURCES
    if isinstance(document, list):
        found = [_operation(operation, redactor, in_secret) for operation in document]
        return _texts(found, redactor) if resource == _CONFIG_MAPS else found
    redacted = _value(document, redactor, in_secret, 0)
    if resource == _CONFIG_MAPS and isinstance(redacted, dict) and "data" in redacted:
        redacted["data"] = _texts(redacted["data"], redactor)
    return redacted


def redact_unknown(document: Any, redactor: Redactor) -> Any:
    """Do the same where nobody knows what it is: every ``data`` counts as a Secret's."""
    return _value(document, redactor, True, 0)


def redact_annotations(annotations: dict[str, str], redactor: Redactor) -> dict[str, str]:
    """Return annotations without copies of objects and without values under secret names."""
    return {key: _annotation(key, value, redactor) for key, value in annotations.items()}


def _annotation(key: str, value: str, redactor: Redactor) -> str:
    if _may_hold_secret(key) and value.lower() not in _HARMLESS:
        return redactor.token(value)
    return value


def _value(value: Any, redactor: Redactor, in_secret: bool, depth: int) -> Any:
    kind: Any = value.__class__
    if kind is dict:
        return _object(value, redactor, in_secret, depth)
    if kind is list:
        return _list(value, redactor, in_secret, depth)
    return value


def _list(values: list[Any], redactor: Redactor, in_secret: bool, depth: int) -> Any:
    if depth >= MAX_DEPTH:
        return _CUT
    for index, element in enumerate(values):
        if element.__class__ in _CONTAINERS:
            values[index] = _value(element, redactor, in_secret, depth + 1)
    return values


def _object(node: dict[str, Any], redactor: Redactor, in_secret: bool, depth: int) -> Any:
    """Redact one object; this runs for each of some twenty objects in each body."""
    if depth >= MAX_DEPTH:
        return _CUT
    node.pop("managedFields", None)
    in_secret = in_secret or _is_secret(node)
    for key, value in node.items():
        kind: Any = value.__class__
        if kind is str:
            if key in _SPECIAL or _may_hold_secret(key):
                node[key] = _text_member(key, value, node, redactor, in_secret)
        elif kind is dict or kind is list:
            node[key] = _container(key, value, redactor, in_secret, depth)
        elif kind is int and _may_be_a_pin(key):
            node[key] = redactor.token(str(value))
    return node


def _container(key: str, value: Any, redactor: Redactor, in_secret: bool, depth: int) -> Any:
    if key == _BINARY or (in_secret and key in _DATA):
        return _all_values(value, redactor, depth)
    if key in _COMMANDS and value.__class__ is list:
        return redact_args([_as_text(part) for part in value], redactor)
    if value.__class__ is list and value and _may_hold_secret(key):
        value = [redactor.token(part) if isinstance(part, str) else part for part in value]
    return _value(value, redactor, in_secret and key != "metadata", depth + 1)


def _is_secret(node: dict[str, Any]) -> bool:
    kind = node.get("kind")
    if kind is None and "objectRef" in node:
        # An audit event around a Secret's body names it in objectRef.
        reference = node["objectRef"]
        kind = reference.get("resource") if isinstance(reference, dict) else None
    return isinstance(kind, str) and kind.lower() in _SECRET_RESOURCES


def _may_hold_secret(key: str) -> bool:
    return _key_may_hold_secret(key) if len(key) <= _KEY_MAX else names_a_secret(key)


def _may_be_a_pin(key: str) -> bool:
    """Whether a number under this name is a secret; ``maxTokens: 5`` is none."""
    return "pass" in key.lower() and _may_hold_secret(key)


@lru_cache(_CACHE_SIZE)
def _key_may_hold_secret(key: str) -> bool:
    return (
        key.endswith(_COPIES)
        or key.startswith(_WEBHOOK_PATCH)
        or (not key.startswith(_LATENCY) and names_a_secret(key))
    )


def _text_member(
    key: str, value: str, node: dict[str, Any], redactor: Redactor, in_secret: bool
) -> str:
    """Redact one string by the name it has, or by what stands beside it."""
    if value.lower() in _HARMLESS:
        return value
    if key == "value" and ("name" in node or (in_secret and "op" in node)):
        return redactor.token(value)  # an environment variable; every value may be a secret
    if in_secret and key in _DATA:
        return redactor.token(value)
    return redactor.token(value) if _may_hold_secret(key) else value


def _all_values(value: Any, redactor: Redactor, depth: int) -> Any:
    """Replace every leaf of a Secret's data; its keys stay."""
    if depth >= MAX_DEPTH:
        return _CUT
    if isinstance(value, dict):
        return {key: _all_values(member, redactor, depth + 1) for key, member in value.items()}
    if isinstance(value, list):
        return [_all_values(member, redactor, depth + 1) for member in value]
    return None if value is None else redactor.token(_as_text(value))


def _operation(operation: Any, redactor: Redactor, in_secret: bool) -> Any:
    """Redact the value of a JSON patch operation by the last name in its path.

    On a Secret that is every value, whatever the path says.
    """
    if not isinstance(operation, dict) or operation.get("value") is None:
        return _value(operation, redactor, in_secret, 1)
    value = operation["value"]
    *_, before, last = ["", *str(operation.get("path")).split("/")]
    if in_secret:
        value = _all_values(value, redactor, 1)
    elif last == "value" and isinstance(value, str) and value.lower() not in _HARMLESS:
        value = redactor.token(value)  # of an environment variable
    elif last == _END or last.isdecimal():
        value = _object({_unescaped(before): [value]}, redactor, False, 1)[_unescaped(before)][0]
    else:
        value = _object({_unescaped(last): value}, redactor, False, 1)[_unescaped(last)]
    return {**operation, "value": value}


def _unescaped(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")


def _texts(value: Any, redactor: Redactor) -> Any:
    """Search the texts of a ConfigMap as they are; in JSON their quotes and lines are escaped."""
    places: list[tuple[Any, Any]] = []
    stack = [value]
    while stack:
        node = stack.pop()
        if not isinstance(node, dict | list):
            continue
        for key, member in node.items() if isinstance(node, dict) else enumerate(node):
            if isinstance(member, str):
                places.append((node, key))
            else:
                stack.append(member)
    redacted = redact_texts(
        pl.Series([node[key] for node, key in places], dtype=pl.String), redactor
    )
    for (node, key), text in zip(places, redacted.to_list(), strict=True):
        node[key] = text
    return value


def _as_text(value: Any) -> str:
    try:
        return value if isinstance(value, str) else orjson.dumps(value).decode()
    except orjson.JSONEncodeError:  # more than 254 levels
        return _CUT
