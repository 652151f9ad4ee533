"""Notifications to a real HTTP server: what is sent, tried again, given up, and never said."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sinks import notify_target
from sinks.alarm import Alarm, AlarmName
from sinks.notify import Notifier

TIMEOUT_S = 20
SINCE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ALARM = Alarm(AlarmName.SOURCE_SILENT, "prod", "host audit.log", SINCE, "no canary for 90 s")


class Request:
    def __init__(self, path: str, headers: dict[str, str], body: Any) -> None:
        self.path = path
        self.headers = headers
        self.body = body


class Receiver:
    """Answers with scripted codes, then 200; hands out what it was sent."""

    def __init__(self) -> None:
        self.script: list[int | tuple[int, dict[str, str]]] = []
        self.requests: queue.Queue[Request] = queue.Queue()
        self.gate = threading.Event()
        self.gate.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.requests.put(Request(self.path, dict(self.headers), body))
                receiver.gate.wait(TIMEOUT_S)
                answer = receiver.script.pop(0) if receiver.script else 200
                status, headers = answer if isinstance(answer, tuple) else (answer, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def next(self) -> Request:
        return self.requests.get(timeout=TIMEOUT_S)

    def close(self) -> None:
        self.gate.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def problems() -> queue.Queue[str]:
    return queue.Queue()


Make = Callable[..., Notifier]


@pytest.fixture
def make(receiver: Receiver, problems: queue.Queue[str]) -> Iterator[Make]:
    """Make notifiers to the receiver that are closed at the end."""
    made: list[Notifier] = []

    def build(*, webhook: str | None = None, alertmanager: bool = False, **more: Any) -> Notifier:
        url = receiver.url if alertmanager else None
        options = {"backoff_s": 0.01, **more}
        made.append(Notifier(webhook, "t0ken", url, "high", problems.put, **options))
        return made[-1]

    yield build
    receiver.gate.set()
    for notifier in made:
        notifier.close(TIMEOUT_S)


def finding(identifier: str = "f1", severity: str = "high") -> dict[str, Any]:
    return {
        "@timestamp": "2026-01-01T00:00:00Z",
        "rule.id": "r-1",
        "rule.name": "Shell in a pod",
        "trailwarden.finding.id": identifier,
        "trailwarden.severity": severity,
        "orchestrator.cluster.name": "prod",
        "message": "eve opened a shell",
    }


def test_a_finding_is_posted_to_the_webhook_with_the_token(receiver: Receiver, make: Make) -> None:
    notifier = make(webhook=f"{receiver.url}/hook")
    notifier.finding(finding())
    request = receiver.next()
    assert request.path == "/hook"
    assert request.headers["Authorization"] == "Bearer t0ken"
    assert request.headers["Content-Type"] == "application/json"
    assert request.body == {"kind": "finding", "id": "f1", "finding": finding()}
    assert notifier.close(TIMEOUT_S) == 0
    assert notifier.counts()["webhook"].sent == 1


def test_alertmanager_gets_an_alert_and_no_token(receiver: Receiver, make: Make) -> None:
    make(alertmanager=True).finding(finding())
    request = receiver.next()
    assert request.path == "/api/v2/alerts"
    assert "Authorization" not in request.headers
    (alert,) = request.body
    assert alert["labels"] == {
        "alertname": "Shell in a pod",
        "rule_id": "r-1",
        "severity": "high",
        "cluster": "prod",
    }
    assert alert["annotations"]["message"] == "eve opened a shell"
    assert alert["annotations"]["finding_id"] == "f1"
    lasts = datetime.fromisoformat(alert["endsAt"]) - datetime.fromisoformat(alert["startsAt"])
    assert lasts == timedelta(hours=1)


def test_minor_and_repeated_findings_are_not_told(receiver: Receiver, make: Make) -> None:
    notifier = make(webhook=receiver.url)
    notifier.finding(finding("minor", "medium"))
    notifier.finding(finding("a"))
    notifier.finding(finding("a"))
    notifier.finding(finding("b", "critical"))
    notifier.finding(finding("c", "of another version"))
    assert [receiver.next().body["id"] for _ in range(3)] == ["a", "b", "c"]
    notifier.close(TIMEOUT_S)
    assert receiver.requests.empty()


def test_an_alarm_and_its_end_reach_both(receiver: Receiver, make: Make) -> None:
    webhook, alertmanager = make(webhook=receiver.url), make(alertmanager=True)
    webhook.alarm(ALARM)
    body = receiver.next().body
    assert (body["kind"], body["id"]) == ("alarm", ALARM.id)
    assert body["alarm"] == {
        "name": "source-silent",
        "severity": "high",
        "cluster": "prod",
        "subject": "host audit.log",
        "since": SINCE.isoformat(),
        "detail": "no canary for 90 s",
        "resolved": False,
    }
    alertmanager.alarm(ALARM)
    (alert,) = receiver.next().body
    assert alert["labels"]["alertname"] == "source-silent"
    assert alert["startsAt"] == SINCE.isoformat()
    assert "endsAt" not in alert
    alertmanager.alarm(Alarm(*ALARM.key[:0], ALARM.name, "prod", ALARM.subject, SINCE, "", True))
    assert "endsAt" in receiver.next().body[0]


def test_alertmanager_hears_of_an_alarm_again_until_it_is_over(
    receiver: Receiver, make: Make
) -> None:
    notifier = make(alertmanager=True, resend_s=0.02)
    notifier.alarm(ALARM)
    first, again = receiver.next().body, receiver.next().body
    assert first[0]["labels"] == again[0]["labels"]
    notifier.alarm(Alarm(ALARM.name, ALARM.cluster, ALARM.subject, SINCE, "", resolved=True))
    while "endsAt" not in receiver.next().body[0]:
        pass
    notifier.close(TIMEOUT_S)
    assert receiver.requests.empty()


def test_an_alarm_of_a_fast_clock_does_not_start_in_the_future(
    receiver: Receiver, make: Make
) -> None:
    future = datetime.now(UTC) + timedelta(days=3)
    make(alertmanager=True).alarm(Alarm(ALARM.name, "prod", "x", future, ""))
    started = datetime.fromisoformat(receiver.next().body[0]["startsAt"])
    assert started < future


def test_it_is_tried_again_until_it_is_taken_and_counted_once(
    receiver: Receiver, make: Make, problems: queue.Queue[str]
) -> None:
    receiver.script = [503, (429, {"Retry-After": "0"}), 500]
    notifier = make(webhook=receiver.url)
    notifier.finding(finding())
    assert {receiver.next().body["id"] for _ in range(4)} == {"f1"}
    notifier.close(TIMEOUT_S)
    counts = notifier.counts()["webhook"]
    assert (counts.sent, counts.retried, counts.failed) == (1, 3, 0)
    assert problems.empty()


@pytest.mark.parametrize("status", [400, 401, 404, 302])
def test_a_refusal_is_not_tried_again(
    receiver: Receiver, make: Make, problems: queue.Queue[str], status: int
) -> None:
    receiver.script = [(status, {"Location": f"{receiver.url}/elsewhere"})]
    notifier = make(webhook=f"{receiver.url}/secret-path")
    notifier.finding(finding())
    assert problems.get(timeout=TIMEOUT_S) == f"webhook (127.0.0.1): not notified: HTTP {status}"
    assert receiver.requests.qsize() == 1
    counts = notifier.counts()["webhook"]
    assert (counts.sent, counts.failed) == (0, 1)


def test_a_target_that_stays_away_is_given_up_without_telling_secrets(
    make: Make, problems: queue.Queue[str]
) -> None:
    notifier = make(webhook="http://user:hunter2@127.0.0.1:1/hunter2?key=hunter2", backoff_s=0.001)
    notifier.finding(finding())
    problem = problems.get(timeout=TIMEOUT_S)
    assert problem == "webhook (127.0.0.1): not notified: NewConnectionError"
    assert notifier.counts()["webhook"].retried == notify_target.ATTEMPTS - 1


def test_a_full_queue_drops_counts_and_says_so_and_alarms_still_go_first(
    receiver: Receiver, make: Make, problems: queue.Queue[str]
) -> None:
    receiver.gate.clear()
    notifier = make(webhook=receiver.url)
    notifier.finding(finding("in flight"))
    receiver.next()
    for number in range(notify_target.QUEUED + 5):
        notifier.finding(finding(str(number)))
    notifier.alarm(ALARM)
    assert notifier.counts()["webhook"].dropped == 5
    assert "dropping" in problems.get_nowait()
    assert problems.empty()  # once, not five times
    receiver.gate.set()
    assert receiver.next().body["kind"] == "alarm"


def test_large_findings_are_bounded_by_their_bytes(receiver: Receiver, make: Make) -> None:
    receiver.gate.clear()
    notifier = make(webhook=receiver.url)
    notifier.finding(finding("in flight"))
    receiver.next()
    for number in range(20):
        notifier.finding({**finding(str(number)), "message": "x" * (1 << 20)})
    assert notifier.counts()["webhook"].dropped == 13


def test_closing_gives_up_in_time_and_counts_what_was_left(receiver: Receiver, make: Make) -> None:
    receiver.gate.clear()
    notifier = make(webhook=receiver.url)
    for number in range(5):
        notifier.finding(finding(str(number)))
    receiver.next()
    opener = threading.Timer(0.2, receiver.gate.set)
    opener.start()
    assert notifier.close(0.05) == 4
    opener.join()
    counts = notifier.counts()["webhook"]
    assert (counts.sent, counts.dropped) == (1, 4)
    notifier.finding(finding("after"))
    assert counts.dropped == 5


def test_without_targets_nothing_happens_and_no_thread_runs() -> None:
    before = threading.active_count()
    notifier = Notifier(None, None, None, "high")
    notifier.finding(finding())
    notifier.alarm(ALARM)
    assert threading.active_count() == before
    assert (notifier.counts(), notifier.close(1)) == ({}, 0)


def test_hostile_text_is_one_valid_body(receiver: Receiver, make: Make) -> None:
    hostile = '\n"},{"\x00\udcff\u202e' + "x" * 500
    notifier = make(webhook=receiver.url, alertmanager=True)
    notifier.finding({**finding(), "rule.name": hostile, "message": hostile})
    bodies = [receiver.next().body for _ in range(2)]
    alert = next(body for body in bodies if isinstance(body, list))[0]
    assert alert["labels"]["alertname"] == hostile[:200]
    assert alert["annotations"]["message"] == hostile


def test_an_alarms_id_is_that_of_its_key() -> None:
    same = Alarm(ALARM.name, ALARM.cluster, ALARM.subject, datetime.now(UTC), "other", True)
    assert same.id == ALARM.id
    assert Alarm(ALARM.name, "pro", "dhost audit.log", SINCE, "").id != ALARM.id
