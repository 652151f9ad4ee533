"""Write the generated pages of docs/ again: `make docs`. A test compares them with the code."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from detectors.anomaly.fields import ANOMALY, REAL
from detectors.entities.recalled import RECALLED
from detectors.sigma.compiler import load_pack
from detectors.sigma.correlation import Correlation
from detectors.sigma.pack import Detection
from detectors.sigma.rule import Category, Level, Rule
from ingest.column import FLAG, NUMBER, NUMBERS, TEXT, TEXTS, TIME, Column
from ingest.schema import EVENT_SCHEMA, SCHEMA_VERSION
from tests.acts.providers_page import providers_page
from tests.coverage_page import coverage_page
from worker.metrics import metrics_page
from worker.settings import shipped_rules
from worker.settings_page import settings_page

DOCS: Final = Path(__file__).resolve().parent.parent / "docs"

_TYPES: Final = {
    TEXT: "keyword",
    TEXTS: "list of keyword",
    NUMBER: "long",
    NUMBERS: "list of long",
    FLAG: "boolean",
    REAL: "double",
    TIME: "date (microseconds, UTC)",
}


_SOURCES: Final = {
    "aws": "EKS authenticator",
    "kubernetes": "API server",
    "linux": "machines and containers",
}


def schema_page() -> str:
    """Return docs/schema.md."""
    lines = [
        "# The event",
        "",
        "<!-- Generated from ingest/schema.py by `make docs`. Do not edit. -->",
        "",
        f"Schema version {SCHEMA_VERSION}. One row of `events.parquet` is one event.",
        "Names are ECS field names; what ECS lacks is under `trailwarden.*`, what only an audit",
        "event has is under `kubernetes.audit.*`. The last column lists the names that Sigma rules",
        "may call a column by as well: raw ones of audit events, and Sigma's own for Linux.",
        "",
        "| column | type | meaning | also called |",
        "| --- | --- | --- | --- |",
    ]
    for column in EVENT_SCHEMA:
        aliases = ", ".join(f"`{alias}`" for alias in column.aliases)
        lines.append(f"| `{column.name}` | {_TYPES[column.dtype]} | {column.meaning} | {aliases} |")
    lines += ["", *_RECALLED_TEXT, "", *_table(RECALLED), "", *_ANOMALY_TEXT, "", *_table(ANOMALY)]
    return "\n".join(lines) + "\n"


_RECALLED_TEXT: Final = (
    "## What is recalled of an event",
    "",
    "<!-- From detectors/entities/recalled.py. -->",
    "",
    "Not in `events.parquet`: what the entity memory ([memory.md](memory.md)) knew of an event",
    "just before it happened. A rule may name these columns beside those above; it is decided once",
    "the watermark has passed its event. Its findings carry those that it names, as far as they",
    "were known, and so do the events that are indexed for them.",
)
_ANOMALY_TEXT: Final = (
    "## What a learned detector says",
    "",
    "<!-- From detectors/anomaly/fields.py. -->",
    "",
    "Only in findings, beside the fields that every finding has.",
)


def _table(columns: Iterable[Column]) -> list[str]:
    rows = [f"| `{one.name}` | {_TYPES[one.dtype]} | {one.meaning} |" for one in columns]
    return ["| column | type | meaning |", "| --- | --- | --- |", *rows]


def rules_page() -> str:
    """Return docs/rules.md."""
    pack = load_pack([shipped_rules()])
    rules = (*pack.reporting, *pack.waiting)
    over_time = sum(isinstance(rule, Correlation) for rule in rules)
    lines = [
        "# The rules",
        "",
        "<!-- Generated from detectors/rules by `make docs`. Do not edit. -->",
        "",
        f"{len(rules)} detections, {over_time} of them over time (docs/correlations.md). Each has",
        "its cases beside it: raw records that must match, raw records that must not, and known",
        "evasions.",
    ]
    for category in Category:
        mine = [rule for rule in rules if rule.category is category]
        lines += ["", f"## {category.value} ({len(mine)})", ""]
        for rule in sorted(mine, key=lambda one: (-list(Level).index(one.level), one.title)):
            lines += _rule(rule)
    return "\n".join(lines) + "\n"


def _rule(rule: Detection) -> list[str]:
    techniques = ", ".join(rule.techniques)
    catalogue = ", ".join(rule.catalogue)
    source = rule.type.value if isinstance(rule, Correlation) else _source(rule)
    about = f"{source}; {rule.level.value}; {techniques}; {catalogue}."
    lines = [f"### {rule.title}", "", about, ""]
    lines += [" ".join(rule.description.split()), ""]
    if rule.requires:
        names = ", ".join(f"`{name}`" for name in rule.requires)
        lines += [f"Waits until the site's list {names} has a value (docs/site.md).", ""]
    if rule.falsepositives:
        lines += ["Ordinary causes: " + " ".join(rule.falsepositives), ""]
    if rule.blind_spots:
        lines += ["Does not see: " + " ".join(rule.blind_spots), ""]
    return lines


def _source(rule: Rule) -> str:
    return _SOURCES[rule.logsource.product]


PAGES: Final = {
    "schema.md": schema_page,
    "rules.md": rules_page,
    "providers.md": providers_page,
    "coverage.md": coverage_page,
    "metrics.md": metrics_page,
    "settings.md": settings_page,
}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page())
