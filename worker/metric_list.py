"""Every metric there is: its name, type, labels, meaning, and when to look at it.

Separate from what fills them so that the list can be read, and because it is closed: a sample whose
metric is not here is a bug and raises. docs/metrics.md is generated from it. Names are contracts
with dashboards and alarms; one is never reused for another meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

LABEL_CAP: Final = 1_000
"""Values of one label that are told apart: clusters, collectors, sources. The rest is `other`."""

RULE_CAP: Final = 200
"""Rules that are told apart in `findings`."""

OTHER: Final = "other"


class MetricKind(StrEnum):
    """Prometheus' types that are used here."""

    COUNTER = "counter"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    ``help`` is what the exposition says, ``watch`` what a person should make of it. At most
    ``cap`` series are shown; the others are added up (counters) or stand for their largest
    (gauges) in one series whose labels are `other`.
    """

    name: str
    kind: MetricKind
    help: str
    watch: str
    labels: tuple[str, ...] = ()
    cap: int = LABEL_CAP


def _counter(name: str, help_: str, watch: str, *labels: str, cap: int = LABEL_CAP) -> Metric:
    return Metric(f"trailwarden_{name}_total", MetricKind.COUNTER, help_, watch, labels, cap)


def _gauge(name: str, help_: str, watch: str, *labels: str) -> Metric:
    return Metric(f"trailwarden_{name}", MetricKind.GAUGE, help_, watch, labels)


def _process(name: str, kind: MetricKind, help_: str, watch: str) -> Metric:
    return Metric(f"process_{name}", kind, help_, watch)


# What came, and what became of it: records + extra_items = events + repeats + quarantined
# + canaries + unwanted. The ledger compares the same sums from the stores; these are for
# dashboards.
RECORDS: Final = _counter(
    "records", "Messages read from the raw topic.", "its rate is the load of this worker"
)
EXTRA_ITEMS: Final = _counter(
    "extra_items",
    "Items beyond the first of messages that held a list.",
    "explains why there are more events than records",
)
EVENTS: Final = _counter(
    "events", "Distinct events evaluated.", "rate 0 while records come: look at quarantined"
)
REPEATS: Final = _counter(
    "repeats",
    "Events dropped because the same event was seen a moment before.",
    "many: a collector sends twice, or a worker began anew from its checkpoint",
)
LATE: Final = _counter(
    "late",
    "Events behind their cluster's watermark: stateless rules saw them, windows did not.",
    "should be 0; else a collector lags or a clock is off",
)
CANARIES: Final = _counter(
    "canaries", "Canary records read.", "should go on even when a cluster is quiet"
)
SALVAGED: Final = _counter(
    "salvaged",
    "Events of which only the readable head was kept.",
    "rising: bodies over the size limit, or truncated at the source",
)
UNWANTED: Final = _counter(
    "unwanted",
    "Records that are sound and about something else: another category, another program's line.",
    "far above events: let the shipper leave them out, each costs its way here",
)
QUARANTINED: Final = _counter(
    "quarantined",
    "Records refused, by reason.",
    "any: `trailwarden quarantine list` shows them",
    "reason",
)
FINDINGS: Final = _counter(
    "findings",
    "Findings reported, by rule id.",
    "one rule far above the others is noise or an attack",
    "rule",
    cap=RULE_CAP,
)

# Speed, and where the time goes.
BATCHES: Final = _counter("batches", "Steps done.", "records / batches is the mean batch")
BATCH_RECORDS: Final = _gauge(
    "batch_records", "Records of the last batch.", "always at the limit: the worker is behind"
)
LAST_BATCH_AGE: Final = _gauge(
    "last_batch_age_seconds", "Time since the last batch was taken.", "rises: nothing comes"
)
STAGE_SECONDS: Final = _counter(
    "stage_seconds", "Wall time by stage.", "the largest share is where to look first", "stage"
)
STAGE_CPU_SECONDS: Final = _counter(
    "stage_cpu_seconds",
    "CPU time of the process, all threads, by stage.",
    "wall far above CPU: the stage waits",
    "stage",
)
CLUSTER_SHARE: Final = _gauge(
    "cluster_share",
    "Part of this worker's time that one cluster's records take, 0 to 1.",
    "0.7 is an alarm: a cluster cannot be spread over workers; filter at its collector",
    "cluster",
)

# Progress.
LAG: Final = _gauge(
    "lag_records", "Records of a partition not yet read.", "rises: add workers", "partition"
)
POSITION: Final = _gauge("position_offset", "Next offset to read.", "stands still", "partition")
COMMITTED: Final = _gauge(
    "committed_offset",
    "Offset of the last checkpoint.",
    "stands still while position moves: checkpoints fail",
    "partition",
)
CHECKPOINTS: Final = _counter("checkpoints", "Checkpoints done.", "rate 0: see the log")
CHECKPOINT_SECONDS: Final = _counter(
    "checkpoint_seconds",
    "Time spent in checkpoints.",
    "seconds / checkpoints near the revoke deadline: lower checkpoint.records",
)
REBALANCES: Final = _counter(
    "rebalances", "Partitions given or taken.", "often: workers come and go; see session_timeout_s"
)

# Sinks.
SINK_RETRIES: Final = _counter(
    "sink_retries", "Times a sink said `not now`.", "see wait seconds", "sink"
)
SINK_WAIT_SECONDS: Final = _counter(
    "sink_wait_seconds",
    "Time spent waiting because a sink asked for it.",
    "rising: Elasticsearch or Kafka is the bottleneck",
    "sink",
)
ELASTICSEARCH_DOCUMENTS: Final = _counter(
    "elasticsearch_documents",
    "Documents answered, by result.",
    "poisoned: in quarantine; repeated: answered 409, harmless",
    "result",
)
ELASTICSEARCH_REQUESTS: Final = _counter(
    "elasticsearch_bulk_repairs",
    "Bulk requests sent again, by cause.",
    "retried: pressure; split: too large; bisected: one document spoiled a request",
    "cause",
)

# Correlations across clusters.
SIGNALS_SENT: Final = _counter(
    "signals_sent",
    "Signals of rules that reach over clusters, sent by this worker.",
    "near the rate of events: a base rule of such a correlation meets nearly everything",
)
SIGNALS: Final = _counter(
    "signals",
    "Signals read by a member with the role correlate, by what became of them.",
    "late: no window saw them; unknown: members and workers have other rules",
    "outcome",
)
SIGNALS_LAG: Final = _gauge(
    "signals_lag_messages",
    "Messages of a partition of signals not yet read.",
    "rises: start more members with the role correlate",
    "partition",
)
SIGNALS_WATERMARK: Final = _gauge(
    "signals_watermark_timestamp_seconds",
    "Time that all clusters have passed, Unix seconds: findings across them are as late as this.",
    "stands still: see unread partitions, or a partition whose reader is behind",
)
SIGNALS_UNREAD: Final = _gauge(
    "signals_unread_partitions",
    "Partitions of raw that nobody speaks for; findings across clusters wait for them.",
    "not 0 for minutes: start workers",
)

# Memory.
EVICTIONS: Final = _counter(
    "evictions",
    "Entries that a full memory dropped.",
    "any: detection weakens; see which",
    "memory",
)
STATE_BYTES: Final = _gauge("state_bytes", "State of all partitions.", "limit is 256 MB")

# Learned detectors.
LEARNED_WAITING: Final = _gauge(
    "learned_waiting",
    "Distinct acts of minutes that are not over yet, of a partition.",
    "at 500,000 the newest are left out: see evictions",
    "partition",
)
LEARNED_ROWS: Final = _gauge(
    "learned_rows",
    "Counts of behaviour that are remembered of a partition's clusters.",
    "at 1,000,000 the rarest are forgotten: see evictions",
    "partition",
)
LEARNED_THRESHOLD: Final = _gauge(
    "learned_threshold_bits",
    "Score from which on a minute of an identity is reported, by cluster; none: still learning.",
    "changes at the end of a day of events only; rises by itself when there is too much to tell",
    "cluster",
)
LEARNED_DRIFT: Final = _gauge(
    "learned_drift",
    "How far a day of events was from those before: largest stability index of all features.",
    "over 0.25 what was learned no longer describes the cluster: a change, or an attacker at home",
    "cluster",
)
SILENT_FINDINGS: Final = _counter(
    "silent_findings",
    "Findings of models that run beside the one in use, which nobody is told of, by model.",
    "compare with what the model in use finds before this one is promoted",
    "model",
)
VERDICTS: Final = _counter(
    "verdicts",
    "Verdicts that the learned detectors took, by choice; unknown: about nothing that they hold.",
    "unknown: older than 30 days, over time or of a rule that asks: it changed nothing",
    "choice",
)

# Rules.
EXCEPTED: Final = _counter(
    "excepted_findings",
    "Findings that an exception held back, by the exception's place.",
    "one that holds back more than it did: is it still what was meant?",
    "exception",
)
RELOADS: Final = _counter(
    "rule_reloads",
    "Times that rules were loaded anew while running, by outcome.",
    "refused: the old rules are kept; the log says why",
    "outcome",
)

# Silence, clocks and alarms.
SOURCE_CANARY: Final = _gauge(
    "source_canary_timestamp_seconds",
    "Time of the last canary record, Unix seconds.",
    "older than notify.silence_s is an alarm",
    "cluster",
    "collector",
    "source",
)
CLOCK_OFF: Final = _gauge(
    "collector_clock_off_seconds",
    "How far a collector's clock is ahead of the broker's.",
    "beyond 300 either way is an alarm",
    "cluster",
    "collector",
)
ALARMS: Final = _counter("alarms", "Alarms raised, by name.", "any", "name")
NOTIFICATIONS: Final = _counter(
    "notifications",
    "Notifications by target and result.",
    "failed or dropped: somebody was not told",
    "target",
    "result",
)
GROUP_MEMBERS: Final = _gauge(
    "workers_members",
    "Whether a worker is in the group: 1, or 0. Seen by a collector.",
    "0 is an alarm",
)
GROUP_LAG: Final = _gauge(
    "workers_lag_records", "Records not yet checkpointed by the workers.", "rises for ever"
)
GROUP_SILENT: Final = _gauge(
    "workers_silent", "1 while the workers do nothing.", "1 is an alarm: nothing is detected"
)

# Collectors.
COLLECTOR_RECORDS: Final = _counter(
    "collector_records", "Records taken.", "rate 0: the source is quiet or gone"
)
COLLECTOR_BYTES: Final = _counter("collector_bytes", "Bytes taken.", "load of the network")
COLLECTOR_ACKNOWLEDGED: Final = _counter(
    "collector_acknowledged", "Records the broker acknowledged.", "falls behind records: see failed"
)
COLLECTOR_FAILED: Final = _counter(
    "collector_failed", "Records the broker did not take; they are sent again.", "any: see the log"
)
COLLECTOR_SALVAGED: Final = _counter(
    "collector_salvaged", "Records over the size limit, cut to their head.", "see the spool folder"
)
COLLECTOR_CANARIES: Final = _counter("collector_canaries", "Canary records sent.", "must go on")
COLLECTOR_REQUESTS: Final = _counter(
    "collector_requests", "Requests or reads answered.", "webhook: 2 to 3 a minute at least"
)
COLLECTOR_REFUSED: Final = _counter(
    "collector_refused", "Requests or records refused, by reason.", "any", "reason"
)
COLLECTOR_LAST_CANARY: Final = _gauge(
    "collector_last_canary_timestamp_seconds", "Last canary sent, Unix seconds.", "must go on"
)
COLLECTOR_LAST_RECORD: Final = _gauge(
    "collector_last_record_timestamp_seconds", "Last record taken, Unix seconds.", "old: quiet"
)

BUILD: Final = _gauge("build_info", "Always 1; the version is the label.", "-", "version")

# The process, from /proc (prometheus_client's own collector).
_CPU: Final = "Total user and system CPU time spent in seconds."
PROCESS: Final = (
    _process("cpu_seconds_total", MetricKind.COUNTER, _CPU, "1 a second is one core"),
    _process(
        "resident_memory_bytes",
        MetricKind.GAUGE,
        "Resident memory size in bytes.",
        "a worker's limit is 768 MB",
    ),
    _process("virtual_memory_bytes", MetricKind.GAUGE, "Virtual memory size in bytes.", "-"),
    _process("open_fds", MetricKind.GAUGE, "Number of open file descriptors.", "must not rise"),
    _process("max_fds", MetricKind.GAUGE, "Maximum number of open file descriptors.", "-"),
    _process(
        "start_time_seconds",
        MetricKind.GAUGE,
        "Start time of the process since unix epoch in seconds.",
        "young: it was restarted",
    ),
)

METRICS: Final = (
    *(value for value in list(globals().values()) if isinstance(value, Metric)),
    *PROCESS,
)
