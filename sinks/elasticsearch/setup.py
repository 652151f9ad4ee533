"""What is wanted and what a server has in, a list of changes out; the same list is then made.

Separate from the templates (what is wanted) because this asks a server: which field types it
offers, what it has already, and how it words it. Existing indices get fields that are new; the type
of a field that exists cannot change, and is named as left to people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sinks.change import Change
from sinks.elasticsearch.fields import Feature, dotted, nested
from sinks.elasticsearch.index_name import KINDS, OUT_OF_RANGE, Kind, day_of
from sinks.elasticsearch.templates import (
    SetupOptions,
    component_templates,
    index_settings,
    index_templates,
    mappings,
)
from sinks.elasticsearch.transport import ask, require

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sinks.elasticsearch.connection import Client

COMPONENT: Final = "component template"
TEMPLATE: Final = "index template"
FIELDS: Final = "index fields"
SETTINGS: Final = "index settings"
INDEX: Final = "index"

_PATHS: Final = {COMPONENT: "/_component_template/", TEMPLATE: "/_index_template/"}
_DEFAULTS: Final = {"depth_limit": 20}
"""Parameters that an index does not repeat when they have this value."""

_FIXED: Final = "the type of a field cannot change in an index that exists; new days have it"
_OK: Final = 200


def changes(client: Client, options: SetupOptions) -> list[Change]:
    """Compare a server with what is wanted; nothing is altered.

    Returns
        the changes in the order in which they are made, those with a ``note`` never.

    Raises
        NotAllowedError, SetupMissingError, UnavailableError: what the server answered instead.
    """
    features = offered_features(client)
    wanted = {
        COMPONENT: component_templates(options, features),
        TEMPLATE: index_templates(options),
    }
    found = [
        change
        for kind, templates in wanted.items()
        for name, template in templates.items()
        for change in _template_changes(client, kind, name, template)
    ]
    return found + [
        change for kind in KINDS for change in _index_changes(client, kind, options, features)
    ]


def apply(client: Client, options: SetupOptions) -> list[Change]:
    """Make the changes and return them; a second call finds none but those left to people.

    Raises
        NotAllowedError, SetupMissingError, UnavailableError: changes before it were made; calling
            again goes on.
    """
    found = changes(client, options)
    for change in found:
        if not change.is_drift:
            _make(client, change)
    return found


def offered_features(client: Client) -> frozenset[Feature]:
    """Ask the server which of the richer field types it has."""
    return frozenset(feature for feature in Feature if _offers(client, feature))


def _offers(client: Client, feature: Feature) -> bool:
    mapping = {"properties": {"field": {"type": feature.value}}}
    pattern = f"trailwarden-feature-{feature.value}-*"
    body = {"index_patterns": [pattern], "template": {"mappings": mapping}}
    reply = ask(client, "POST", "/_index_template/_simulate", body)
    if reply.status == 400:  # noqa: PLR2004 - that is how a type is refused
        return False
    require(client, "POST", "/_index_template/_simulate", body)
    return True


def _make(client: Client, change: Change) -> None:
    name, after = change.name, change.after or {}
    if change.kind in _PATHS:
        require(client, "PUT", _PATHS[change.kind] + name, after)
    elif change.kind == FIELDS:
        body = {"_meta": after["_meta"], "properties": nested(after["fields"])}
        require(client, "PUT", f"/{name}/_mapping", body)
    elif change.kind == SETTINGS:
        require(client, "PUT", f"/{name}/_settings", after)
    else:
        require(client, "PUT", f"/{name}", after)


def _template_changes(
    client: Client, kind: str, name: str, wanted: Mapping[str, Any]
) -> Iterator[Change]:
    body = require(client, "GET", _PATHS[kind] + name)
    before = None
    if body is not None:
        ((_, entries),) = body.items()
        held = entries[0][kind.replace(" ", "_")]
        before = {key: held.get(key) for key in wanted}
    if before is None or _comparable(before) != _comparable(wanted):
        yield Change(kind, name, before, dict(wanted))


def _comparable(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return a template as it is however it is worded: settings flat and as text."""
    inner = dict(template.get("template") or {})
    if "settings" in inner:
        inner["settings"] = dict(_flat(inner["settings"]))
    if "mappings" in inner:
        inner["mappings"] = inner["mappings"] | {"dynamic": _text(inner["mappings"]["dynamic"])}
    return {**template, "template": inner}


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, _text(value)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _index_changes(
    client: Client, kind: Kind, options: SetupOptions, features: frozenset[Feature]
) -> Iterator[Change]:
    pattern = f"{options.prefix}-{kind}-*"
    path = f"/{pattern}?flat_settings=true&features=mappings,settings&expand_wildcards=open"
    indices: dict[str, Any] = require(client, "GET", path) or {}
    outside = f"{options.prefix}-{kind}-{OUT_OF_RANGE}"
    if outside not in indices:
        yield Change(INDEX, outside, None, {})
    wanted = mappings(kind, options, features)
    for name, held in sorted(indices.items()):
        if name == outside or day_of(name, options.prefix):
            yield from _field_changes(name, held["mappings"], wanted)
            yield from _setting_changes(name, held["settings"], index_settings(kind, options))


def _field_changes(
    name: str, held: Mapping[str, Any], wanted: Mapping[str, Any]
) -> Iterator[Change]:
    """Say what an index lacks, and apart from it what cannot be changed any more."""
    has, wants = dotted(held.get("properties", {})), dotted(wanted["properties"])
    differing = {key: field for key, field in wants.items() if _other(has.get(key), field)}
    fixed = {key for key in differing if key in has and has[key]["type"] != wants[key]["type"]}
    before: dict[str, Any] = {key: has[key] for key in differing if key in has}
    makes = {key: field for key, field in differing.items() if key not in fixed}
    if makes or held.get("_meta") != wanted["_meta"]:
        yield Change(
            FIELDS,
            name,
            {
                "_meta": held.get("_meta"),
                "fields": {key: before[key] for key in makes if key in before},
            },
            {"_meta": wanted["_meta"], "fields": makes},
        )
    if fixed:
        old = {key: before[key] for key in sorted(fixed)}
        yield Change(FIELDS, name, old, {key: wants[key] for key in sorted(fixed)}, _FIXED)


def _other(held: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> bool:
    return held is None or {**_DEFAULTS, **held} != {**_DEFAULTS, **wanted}


def _setting_changes(
    name: str, held: Mapping[str, str], wanted: Mapping[str, str]
) -> Iterator[Change]:
    before = {key: held.get(key) for key in wanted}
    if before != wanted:
        yield Change(SETTINGS, name, before, dict(wanted))
