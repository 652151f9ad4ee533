"""Findings and alarms in, messages to people out: a webhook and Alertmanager.

Separate from the writers of findings because nobody waits for it: what is told here is stored
elsewhere, and silence must be told even when every store is away (P5).
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from detectors.sigma.rule import Level
from sinks.alarm import Alarm, AlarmName
from sinks.notify_target import Body, NotifyTarget, TargetCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REMEMBERED: Final = 10_000
"""Finding ids that are not told twice: a worker repeats a checkpoint's findings after a crash."""

ACTIVE: Final = 1_000
"""Alarms that are repeated to Alertmanager until they are over; older ones are left to time out."""

RESEND_S: Final = 60.0
"""Alertmanager takes an alert as over after its resolve_timeout (5 min by default) of silence."""

FINDING_ACTIVE: Final = timedelta(hours=1)
LABEL_CHARACTERS: Final = 200

ALARM_SEVERITY: Final[Mapping[AlarmName, Level]] = {
    AlarmName.SOURCE_SILENT: Level.HIGH,
    AlarmName.WORKER_SILENT: Level.CRITICAL,
    AlarmName.ELASTICSEARCH_BLOCKED: Level.HIGH,
    AlarmName.QUARANTINE_LIMIT: Level.CRITICAL,
    AlarmName.SOURCE_CLOCK_OFF: Level.MEDIUM,
    AlarmName.CLUSTER_RATE: Level.MEDIUM,
}


class Notifier:
    """Tells the configured targets; without any, it takes everything and does nothing.

    Parameters
        webhook_url: gets ``{"kind": "finding"|"alarm", "id": ..., ...}`` by POST.
        webhook_token: sent as a bearer token to the webhook only.
        alertmanager_url: base URL; alerts go to ``/api/v2/alerts``.
        severity: least severity of findings that are told; alarms always are.
        on_problem: told in one sentence what could not be delivered; called on other threads.
        resend_s, backoff_s: for tests.
    """

    __slots__ = ("_active", "_alertmanager", "_least", "_lock", "_seen", "_webhook")

    def __init__(
        self,
        webhook_url: str | None,
        webhook_token: str | None,
        alertmanager_url: str | None,
        severity: str,
        on_problem: Callable[[str], None] = lambda _: None,
        *,
        resend_s: float = RESEND_S,
        backoff_s: float = 1.0,
    ) -> None:
        self._least = list(Level).index(Level(severity))
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._active: OrderedDict[tuple[str, str, str], Alarm] = OrderedDict()
        self._webhook = self._alertmanager = None
        if webhook_url:
            token = {"Authorization": f"Bearer {webhook_token}"} if webhook_token else {}
            self._webhook = NotifyTarget(
                "webhook", webhook_url, token, on_problem, backoff_s=backoff_s
            )
        if alertmanager_url:
            self._alertmanager = NotifyTarget(
                "alertmanager",
                f"{alertmanager_url.rstrip('/')}/api/v2/alerts",
                {},
                on_problem,
                self._still_active,
                repeat_s=resend_s,
                backoff_s=backoff_s,
            )

    def counts(self) -> dict[str, TargetCounts]:
        """Return the counters of each target, by its name; they go on counting."""
        targets = {"webhook": self._webhook, "alertmanager": self._alertmanager}
        return {name: target.counts for name, target in targets.items() if target}

    def finding(self, document: Mapping[str, Any]) -> None:
        """Tell of a finding, as it goes to Elasticsearch, if it is severe and new; never waits."""
        identifier = str(document.get("trailwarden.finding.id", ""))
        if self._is_minor(document) or not self._is_new(identifier):
            return
        if self._webhook:
            body = {"kind": "finding", "id": identifier, "finding": document}
            self._webhook.put(Body(_encode(body)))
        if self._alertmanager:
            self._alertmanager.put(Body(_encode([_finding_alert(document, datetime.now(UTC))])))

    def alarm(self, alarm: Alarm) -> None:
        """Tell of an alarm or its end; never waits."""
        with self._lock:
            self._active.pop(alarm.key, None)
            if not alarm.resolved:
                self._active[alarm.key] = alarm
                if len(self._active) > ACTIVE:
                    self._active.popitem(last=False)
        if self._webhook:
            body = {"kind": "alarm", "id": alarm.id, "alarm": _alarm_document(alarm)}
            self._webhook.put(Body(_encode(body), urgent=True))
        if self._alertmanager:
            alert = _alarm_alert(alarm, datetime.now(UTC))
            self._alertmanager.put(Body(_encode([alert]), urgent=True))

    def close(self, timeout_s: float) -> int:
        """Send what is queued for at most ``timeout_s`` each; return how many were given up."""
        targets = (self._webhook, self._alertmanager)
        return sum(target.close(timeout_s) for target in targets if target)

    def _is_minor(self, document: Mapping[str, Any]) -> bool:
        try:
            return list(Level).index(Level(document["trailwarden.severity"])) < self._least
        except (KeyError, ValueError):
            return False  # rather told once too often

    def _is_new(self, identifier: str) -> bool:
        with self._lock:
            if identifier in self._seen:
                return False
            self._seen[identifier] = None
            if len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
            return True

    def _still_active(self) -> bytes | None:
        with self._lock:
            active = list(self._active.values())
        now = datetime.now(UTC)
        return _encode([_alarm_alert(alarm, now) for alarm in active]) if active else None


def _alarm_document(alarm: Alarm) -> dict[str, Any]:
    return {
        "name": alarm.name.value,
        "severity": ALARM_SEVERITY[alarm.name].value,
        "cluster": alarm.cluster,
        "subject": alarm.subject,
        "since": alarm.since.isoformat(),
        "detail": alarm.detail,
        "resolved": alarm.resolved,
    }


def _alarm_alert(alarm: Alarm, now: datetime) -> dict[str, Any]:
    """Make an alert as Alertmanager's API v2 takes it (its openapi.yaml, postableAlert)."""
    labels = {
        "alertname": alarm.name.value,
        "severity": ALARM_SEVERITY[alarm.name].value,
        "cluster": alarm.cluster,
        "subject": alarm.subject,
    }
    alert = {
        "labels": _labels(labels),
        "annotations": {"message": alarm.detail},
        # It refuses a start after the end, and a source's clock may be ahead.
        "startsAt": min(alarm.since, now).isoformat(),
    }
    return alert | ({"endsAt": now.isoformat()} if alarm.resolved else {})


def _finding_alert(document: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    labels = {
        "alertname": document.get("rule.name"),
        "rule_id": document.get("rule.id"),
        "severity": document.get("trailwarden.severity"),
        "cluster": document.get("orchestrator.cluster.name"),
    }
    annotations = {
        "message": document.get("message"),
        "finding_id": document.get("trailwarden.finding.id"),
        "time": document.get("@timestamp"),
    }
    return {
        "labels": _labels(labels),
        "annotations": {name: str(value) for name, value in annotations.items() if value},
        "startsAt": now.isoformat(),
        "endsAt": (now + FINDING_ACTIVE).isoformat(),
    }


def _labels(labels: Mapping[str, Any]) -> dict[str, str]:
    """Alertmanager refuses an alert without labels and drops empty ones."""
    return {name: str(value)[:LABEL_CHARACTERS] for name, value in labels.items() if value}


def _encode(body: Any) -> bytes:
    """ASCII only, so that whatever a name holds is one valid JSON text."""
    return json.dumps(body, default=str).encode()
