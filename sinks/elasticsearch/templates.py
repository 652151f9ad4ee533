"""What is wanted of Elasticsearch in: a prefix, replicas, features. Templates out, as JSON values.

Separate from comparing them with a server and from putting them there: this is pure. One component
template for settings, one for each mapping; an index template for each kind joins them. A mapping
is never dynamic: what a client sends in a name must not become a field.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ingest.schema import SCHEMA_VERSION
from sinks.elasticsearch.fields import Feature, event_fields, finding_fields, nested
from sinks.elasticsearch.index_name import KINDS, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

PRIORITY: Final = 500
"""Above the templates that Elasticsearch brings itself (100 to 200)."""

REFRESH: Final[dict[Kind, str]] = {"events": "5s", "findings": "1s"}
"""Time until a document is found: people wait for findings, nobody for a single event."""

SCHEMA: Final = "schema_version"


@dataclass(frozen=True, slots=True)
class SetupOptions:
    """Where names begin, copies of each shard, and what stands in each: the program's version."""

    prefix: str = "trailwarden"
    replicas: int = 1
    version: str = ""
    schema_version: int = SCHEMA_VERSION


def meta(options: SetupOptions) -> dict[str, Any]:
    """Return who made a template or index, and for which schema."""
    return {"managed_by": "trailwarden", SCHEMA: options.schema_version, "version": options.version}


def mappings(kind: Kind, options: SetupOptions, features: Iterable[Feature]) -> dict[str, Any]:
    """Return the mapping of an index."""
    fields = event_fields(features) if kind == "events" else finding_fields(features)
    return {
        "dynamic": "false",
        "date_detection": False,
        "_meta": meta(options),
        "properties": nested(fields),
    }


def index_settings(kind: Kind, options: SetupOptions) -> dict[str, str]:
    """Return the settings of an index that may change while it exists, flat and as text."""
    return {
        "index.number_of_replicas": str(options.replicas),
        "index.refresh_interval": REFRESH[kind],
    }


def component_templates(
    options: SetupOptions, features: Iterable[Feature]
) -> dict[str, dict[str, Any]]:
    """Return name -> component template."""
    about = {"_meta": meta(options), "version": options.schema_version}
    offered = tuple(features)
    found: dict[str, dict[str, Any]] = {
        f"{options.prefix}-settings": {
            "template": {"settings": {"index.number_of_shards": "1"}},
            **about,
        }
    }
    for kind in KINDS:
        template = {
            "settings": index_settings(kind, options),
            "mappings": mappings(kind, options, offered),
        }
        found[f"{options.prefix}-{kind}"] = {"template": template, **about}
    return found


def index_templates(options: SetupOptions) -> dict[str, dict[str, Any]]:
    """Return name -> index template."""
    prefix = options.prefix
    return {
        f"{prefix}-{kind}": {
            "index_patterns": [f"{prefix}-{kind}-*"],
            "composed_of": [f"{prefix}-settings", f"{prefix}-{kind}"],
            "template": {"aliases": {f"{prefix}-{kind}": {}}},
            "priority": PRIORITY,
            "version": options.schema_version,
            "_meta": meta(options),
        }
        for kind in KINDS
    }
