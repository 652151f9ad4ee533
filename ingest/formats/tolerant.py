"""A record that the typed decoder refused becomes an audit event all the same, with its issues.

Separate from the fast path because it may be slow and must be forgiving: a wrong type is no way
around detection, so every field is coerced by itself and what was coerced is named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from ingest.formats.audit_event import (
    NO_BODY,
    AuditEvent,
    AuthenticationMetadata,
    ObjectRef,
    ResponseStatus,
    User,
)
from ingest.formats.lenient import load

if TYPE_CHECKING:
    from collections.abc import Mapping

    import msgspec

_CODE_LIMIT: Final = 2**31
_CODE_DIGITS: Final = 10
_TEXT_FIELDS: Final = (
    "kind",
    "apiVersion",
    "level",
    "auditID",
    "stage",
    "requestURI",
    "verb",
    "userAgent",
    "requestReceivedTimestamp",
    "stageTimestamp",
)
_RAW_FIELDS: Final = (
    "user",
    "impersonatedUser",
    "authenticationMetadata",
    "sourceIPs",
    "responseStatus",
    "requestObject",
    "responseObject",
    "annotations",
    "items",
)
_TOO_DEEP: Final = "[nested too deeply]"


class Coercion:
    """Reads fields of one document as the wanted types and remembers which were not."""

    __slots__ = ("issues",)

    def __init__(self) -> None:
        self.issues: list[str] = []

    def text(self, value: object, place: str) -> str | None:
        """Return text; numbers, lists and objects become their JSON text."""
        if value is None or isinstance(value, str):
            return value
        self.issues.append(f"wrong-type:{place}")
        return as_json(value)

    def texts(self, value: object, place: str) -> list[str] | None:
        """Return a list of texts; a lone value becomes a list of one."""
        if value is None:
            return None
        if not isinstance(value, list):
            self.issues.append(f"wrong-type:{place}")
            value = [value]
        if None in value:
            self.issues.append(f"wrong-type:{place}")
        found = (self.text(element, place) for element in value)
        return [element for element in found if element is not None]

    def mapping(self, value: object, place: str) -> Mapping[str, Any]:
        """Return an object's members; anything else counts as an empty object."""
        if value is None:
            return {}
        if isinstance(value, dict):
            return value
        self.issues.append(f"wrong-type:{place}")
        return {}

    def code(self, value: object, place: str) -> int | None:
        """Return a status code; 403.0 and digits in a string count, everything else does not."""
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            self.issues.append(f"wrong-type:{place}")
            value = _whole_number(value)
            if value is None:
                return None
        if abs(value) >= _CODE_LIMIT:
            self.issues.append(f"out-of-range:{place}")
            return None
        return value


def _whole_number(value: object) -> int | None:
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    digits = value.strip() if isinstance(value, str) else ""
    is_code = digits.isascii() and digits.isdigit() and len(digits) < _CODE_DIGITS
    return int(digits) if is_code else None


def as_json(value: object) -> str:
    """Serialize a parsed value; what orjson nests too deeply for (254 levels) becomes a remark."""
    try:
        return orjson.dumps(value).decode()
    except (orjson.JSONEncodeError, RecursionError):
        return _TOO_DEEP


def coerce(members: Mapping[str, msgspec.Raw]) -> tuple[AuditEvent, list[str]]:
    """Fill an audit event from the members of a document, whatever their types.

    Returns
        the event and the list of its issues, such as ``wrong-type:verb``. Parts and bodies are
        handed on as they stand in the record: their own decoders are as forgiving.
    """
    read = Coercion()
    texts = {name: read.text(_loaded(members, name), name) for name in _TEXT_FIELDS}
    raws = {name: members.get(name, NO_BODY) for name in _RAW_FIELDS}
    reference = read.mapping(_loaded(members, "objectRef"), "objectRef")
    named = {
        name: read.text(reference.get(name), f"objectRef.{name}")
        for name in ObjectRef.__struct_fields__
    }
    fields: dict[str, Any] = {**texts, **raws, "objectRef": ObjectRef(**named)}
    return AuditEvent(**fields), read.issues


def coerce_user(value: object, place: str) -> tuple[User, list[str]]:
    """Fill a user from a parsed value."""
    read = Coercion()
    fields = read.mapping(value, place)
    extra = read.mapping(fields.get("extra"), f"{place}.extra")
    user = User(
        username=read.text(fields.get("username"), f"{place}.username"),
        uid=read.text(fields.get("uid"), f"{place}.uid"),
        groups=read.texts(fields.get("groups"), f"{place}.groups"),
        extra={key: read.texts(extra[key], f"{place}.extra") or [] for key in extra} or None,
    )
    return user, read.issues


def coerce_status(value: object, place: str) -> tuple[ResponseStatus, list[str]]:
    """Fill a response status from a parsed value."""
    read = Coercion()
    fields = read.mapping(value, place)
    status = ResponseStatus(
        code=read.code(fields.get("code"), f"{place}.code"),
        status=read.text(fields.get("status"), f"{place}.status"),
        reason=read.text(fields.get("reason"), f"{place}.reason"),
        message=read.text(fields.get("message"), f"{place}.message"),
    )
    return status, read.issues


def coerce_authentication(value: object, place: str) -> tuple[AuthenticationMetadata, list[str]]:
    """Fill authentication metadata from a parsed value."""
    read = Coercion()
    constraint = read.mapping(value, place).get("impersonationConstraint")
    text = read.text(constraint, f"{place}.impersonationConstraint")
    return AuthenticationMetadata(text), read.issues


def coerce_texts(value: object, place: str) -> tuple[list[str], list[str]]:
    """Fill a list of texts from a parsed value."""
    read = Coercion()
    return read.texts(value, place) or [], read.issues


def coerce_annotations(value: object, place: str) -> tuple[dict[str, str], list[str]]:
    """Fill annotations from a parsed value."""
    read = Coercion()
    fields = read.mapping(value, place)
    return {key: read.text(fields[key], place) or "" for key in fields}, read.issues


def _loaded(members: Mapping[str, msgspec.Raw], name: str) -> object:
    raw = members.get(name)
    return None if raw is None else load(bytes(raw))[0]
