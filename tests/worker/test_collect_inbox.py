"""`collect kafka` reads where the settings say: from our broker, or from a foreign one."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.collect_inbox import inbox_connection
from worker.configuration import load_settings


def test_the_inbox_is_on_our_broker_unless_another_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAILWARDEN_KAFKA__BOOTSTRAP_SERVERS", "ours:9092")
    assert inbox_connection(load_settings(None))["bootstrap.servers"] == "ours:9092"
    password = tmp_path / "connection"
    password.write_text("Endpoint=sb://example/;EntityPath=x\n")
    monkeypatch.setenv("TRAILWARDEN_FOREIGN__BOOTSTRAP_SERVERS", "hub.example.com:9093")
    monkeypatch.setenv("TRAILWARDEN_FOREIGN__USERNAME", "$ConnectionString")
    monkeypatch.setenv("TRAILWARDEN_FOREIGN__PASSWORD_FILE", str(password))
    found = inbox_connection(load_settings(None))
    assert found["bootstrap.servers"] == "hub.example.com:9093"
    assert (found["security.protocol"], found["sasl.mechanism"]) == ("SASL_SSL", "PLAIN")
    assert found["sasl.username"] == "$ConnectionString"
    assert found["sasl.password"] == "Endpoint=sb://example/;EntityPath=x"
