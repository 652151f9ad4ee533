"""What people see in Kibana: the dashboards and saved searches, as data.

Separate from the form they are written in. *Overview* is where a shift begins: what was found, how
grave, by whom. *One entity* is where a question about one identity is answered; its controls choose
the identity, and findings and events are shown side by side.
"""

from __future__ import annotations

from typing import Final

from sinks.kibana.panel import (
    Control,
    Count,
    Dashboard,
    DataView,
    Distinct,
    Filters,
    Metric,
    OverTime,
    Panel,
    Place,
    Search,
    SearchPanel,
    Shape,
    Terms,
)

FINDINGS, EVENTS = DataView.FINDINGS, DataView.EVENTS

_GRAVE: Final = "trailwarden.severity:(critical OR high)"
_LEARNED: Final = "_exists_:trailwarden.anomaly.score"
_REFUSED: Final = "http.response.status_code:(401 OR 403)"
_OUTCOMES: Final = (
    ("succeeded", "event.outcome:success"),
    ("refused", _REFUSED),
    ("failed otherwise", f"event.outcome:failure AND NOT {_REFUSED}"),
)
_WRITES: Final = "NOT event.action:(get OR list OR watch OR log)"

NEWEST_FINDINGS: Final = Search(
    "newest-findings",
    "Newest findings",
    FINDINGS,
    (
        "trailwarden.severity",
        "rule.name",
        "message",
        "user.name",
        "source.ip",
        "orchestrator.cluster.name",
        "trailwarden.triage.status",
    ),
)
EVENTS_OF_ENTITY: Final = Search(
    "events",
    "Events",
    EVENTS,
    (
        "event.action",
        "orchestrator.resource.type",
        "orchestrator.namespace",
        "orchestrator.resource.name",
        "event.outcome",
        "http.response.status_code",
        "source.ip",
        "user_agent.name",
        "process.command_line",
    ),
)
WRITES: Final = Search(
    "writes",
    "Writes by people",
    EVENTS,
    (
        "user.name",
        "event.action",
        "orchestrator.resource.type",
        "orchestrator.namespace",
        "orchestrator.resource.name",
        "event.outcome",
        "source.ip",
    ),
    f"trailwarden.identity.type:human AND {_WRITES}",
)

UNUSUAL: Final = Search(
    "unusual-identities",
    "Unusual identities",
    FINDINGS,
    (
        "trailwarden.severity",
        "user.name",
        "trailwarden.anomaly.score",
        "trailwarden.anomaly.reasons",
        "trailwarden.anomaly.normal",
        "source.ip",
        "orchestrator.cluster.name",
        "trailwarden.triage.status",
    ),
    _LEARNED,
)

_NUMBERS: Final[tuple[tuple[str, Metric, str], ...]] = (
    ("Findings", Count("findings"), ""),
    ("Critical and high", Count("critical and high"), _GRAVE),
    ("Actors", Distinct("actors", "user.name"), ""),
    ("Clusters", Distinct("clusters", "orchestrator.cluster.name"), ""),
)

OVERVIEW: Final = Dashboard(
    "overview",
    "Trailwarden: overview",
    "What was found, how grave it is, by whom and where.",
    (
        Control("Cluster", FINDINGS, "orchestrator.cluster.name"),
        Control("Severity", FINDINGS, "trailwarden.severity"),
        Control("Category", FINDINGS, "rule.category"),
        Control("Status", FINDINGS, "trailwarden.triage.status"),
    ),
    (
        *(
            Panel(title, FINDINGS, Shape.NUMBER, Place(12 * i, 0, 12, 6), (metric,), query=query)
            for i, (title, metric, query) in enumerate(_NUMBERS)
        ),
        Panel(
            "Findings over time by severity",
            FINDINGS,
            Shape.OVER_TIME,
            Place(0, 6, 32, 13),
            (Count("findings"),),
            (OverTime(), Terms("severity", "trailwarden.severity", 5)),
        ),
        Panel(
            "Findings by category",
            FINDINGS,
            Shape.BARS,
            Place(32, 6, 16, 13),
            (Count("findings"),),
            (
                Terms("category", "rule.category", 5),
                Terms("severity", "trailwarden.severity", 5),
            ),
        ),
        Panel(
            "Top rules",
            FINDINGS,
            Shape.TABLE,
            Place(0, 19, 24, 14),
            (Count("findings"), Distinct("actors", "user.name")),
            (Terms("rule", "rule.name", 15), Terms("severity", "trailwarden.severity", 1)),
        ),
        Panel(
            "Top actors: many rules weigh more than many findings",
            FINDINGS,
            Shape.TABLE,
            Place(24, 19, 24, 14),
            (
                Distinct("rules", "rule.id"),
                Count("findings"),
                Distinct("addresses", "source.ip"),
            ),
            (Terms("actor", "user.name", 15),),
        ),
        Panel(
            "Clusters",
            FINDINGS,
            Shape.BARS,
            Place(0, 33, 16, 13),
            (Count("findings"),),
            (Terms("cluster", "orchestrator.cluster.name"),),
        ),
        Panel(
            "ATT&CK techniques",
            FINDINGS,
            Shape.BARS,
            Place(16, 33, 16, 13),
            (Count("findings"),),
            (Terms("technique", "threat.technique.name"),),
        ),
        Panel(
            "Did it succeed",
            FINDINGS,
            Shape.BARS,
            Place(32, 33, 16, 13),
            (Count("findings"),),
            (Filters("outcome", _OUTCOMES),),
        ),
        SearchPanel(UNUSUAL, Place(0, 46, 48, 12)),
        SearchPanel(NEWEST_FINDINGS, Place(0, 58, 48, 20)),
    ),
)

ONE_ENTITY: Final = Dashboard(
    "one-entity",
    "Trailwarden: one entity",
    "Choose a name, an address or a credential: what it did, from where, and what was found.",
    (
        Control("Name", EVENTS, "user.name"),
        Control("Address", EVENTS, "source.ip"),
        Control("Credential", EVENTS, "trailwarden.credential.id"),
        Control("Cluster", EVENTS, "orchestrator.cluster.name"),
    ),
    (
        Panel("Events", EVENTS, Shape.NUMBER, Place(0, 0, 12, 6), (Count("events"),)),
        Panel("Findings", FINDINGS, Shape.NUMBER, Place(12, 0, 12, 6), (Count("findings"),)),
        Panel(
            "Refused",
            EVENTS,
            Shape.NUMBER,
            Place(24, 0, 12, 6),
            (Count("refused"),),
            query=_REFUSED,
        ),
        Panel(
            "Addresses",
            EVENTS,
            Shape.NUMBER,
            Place(36, 0, 12, 6),
            (Distinct("addresses", "source.ip"),),
        ),
        Panel(
            "Actions over time",
            EVENTS,
            Shape.OVER_TIME,
            Place(0, 6, 32, 13),
            (Count("events"),),
            (OverTime(), Terms("action", "event.action")),
        ),
        Panel(
            "Outcomes",
            EVENTS,
            Shape.BARS,
            Place(32, 6, 16, 13),
            (Count("events"),),
            (Filters("outcome", _OUTCOMES),),
        ),
        Panel(
            "Addresses and how many credentials each brought",
            EVENTS,
            Shape.TABLE,
            Place(0, 19, 16, 14),
            (Count("events"), Distinct("credentials", "trailwarden.credential.id")),
            (Terms("address", "source.ip", 15, address=True),),
        ),
        Panel(
            "Programs",
            EVENTS,
            Shape.TABLE,
            Place(16, 19, 16, 14),
            (Count("events"), Distinct("addresses", "source.ip")),
            (Terms("program", "user_agent.name", 15),),
        ),
        Panel(
            "Namespaces and kinds written to",
            EVENTS,
            Shape.TABLE,
            Place(32, 19, 16, 14),
            (Count("writes"), Distinct("objects", "orchestrator.resource.name")),
            (
                Terms("namespace", "orchestrator.namespace"),
                Terms("kind", "orchestrator.resource.type", 5),
            ),
            _WRITES,
        ),
        Panel(
            "Findings over time by severity",
            FINDINGS,
            Shape.OVER_TIME,
            Place(0, 33, 24, 12),
            (Count("findings"),),
            (OverTime(), Terms("severity", "trailwarden.severity", 5)),
        ),
        Panel(
            "Rules",
            FINDINGS,
            Shape.TABLE,
            Place(24, 33, 24, 12),
            (Count("findings"), Distinct("addresses", "source.ip")),
            (Terms("rule", "rule.name", 15),),
        ),
        SearchPanel(NEWEST_FINDINGS, Place(0, 45, 48, 14)),
        SearchPanel(EVENTS_OF_ENTITY, Place(0, 59, 48, 20)),
    ),
)

DASHBOARDS: Final = (OVERVIEW, ONE_ENTITY)
SEARCHES: Final = (NEWEST_FINDINGS, UNUSUAL, EVENTS_OF_ENTITY, WRITES)
