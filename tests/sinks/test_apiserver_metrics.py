from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from sinks.apiserver_metrics import (
    AuditCounters,
    MetricsUnreadableError,
    parse_audit_counters,
    read_audit_counters,
)

METRICS = """\
# HELP apiserver_audit_error_total [ALPHA] Counter of audit events that failed to be audited.
# TYPE apiserver_audit_error_total counter
apiserver_audit_error_total{plugin="webhook"} 12
apiserver_audit_error_total{plugin="log"} 0
# TYPE apiserver_audit_event_total counter
apiserver_audit_event_total 1.234567e+06
apiserver_audit_level_total{level="Metadata"} 7
apiserver_audit_event_total_of_another 5
"""


def test_events_and_errors_by_plugin_are_found() -> None:
    counters = parse_audit_counters(METRICS)
    assert counters == AuditCounters(1_234_567, {"webhook": 12, "log": 0})


@pytest.mark.parametrize("text", ["", "up 1", "apiserver_audit_event_total NaN", "\x00{} {"])
def test_what_is_not_an_api_servers_has_none(text: str) -> None:
    assert parse_audit_counters(text) is None


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        is_known = self.headers.get("Authorization") == "Bearer token"
        self.send_response(200 if is_known else 401)
        self.end_headers()
        self.wfile.write(METRICS.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Answer) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}/metrics"
        http.shutdown()
        thread.join()


def test_metrics_are_read_from_a_server_with_a_token(server: str) -> None:
    assert read_audit_counters(server, "token").events == 1_234_567
    with pytest.raises(MetricsUnreadableError, match="answered 401"):
        read_audit_counters(server)


def test_metrics_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "metrics"
    file.write_text(METRICS)
    assert read_audit_counters(str(file)).errors["webhook"] == 12
    file.write_text("up 1")
    with pytest.raises(MetricsUnreadableError, match="are these its metrics"):
        read_audit_counters(str(file))


@pytest.mark.parametrize("place", ["no/such/file", "http://127.0.0.1:1/metrics"])
def test_what_is_not_there_is_named(place: str) -> None:
    with pytest.raises(MetricsUnreadableError, match=place):
        read_audit_counters(place)
