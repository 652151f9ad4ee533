"""`trailwarden setup` and `trailwarden doctor` as people and scripts run them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import typer
from confluent_kafka.admin import AdminClient
from typer.testing import CliRunner, Result

from sinks.elasticsearch.connection import connect
from sinks.elasticsearch.transport import ask
from trailwarden.commands.doctor import DOCTOR_EXAMPLES, doctor
from trailwarden.commands.setup import SETUP_EXAMPLES, setup

app = typer.Typer()
app.command(epilog=SETUP_EXAMPLES)(setup)
app.command(epilog=DOCTOR_EXAMPLES)(doctor)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.fixture
def config(kafka: str, elasticsearch_url: str, tmp_path: Path) -> Iterator[Path]:
    prefix = f"f-{uuid.uuid4().hex[:8]}"
    file = tmp_path / "trailwarden.yml"
    file.write_text(f"""
kafka:
  bootstrap_servers: {kafka}
  raw_topic: {prefix}-raw
  quarantine_topic: {prefix}-quarantine
  signals_topic: {prefix}-signals
  group: {prefix}
elasticsearch:
  url: {elasticsearch_url}
  prefix: {prefix}
  replicas: 0
store:
  folder: {tmp_path}
""")
    yield file
    admin = AdminClient({"bootstrap.servers": kafka})
    topics = [name for name in admin.list_topics(timeout=20).topics if name.startswith(prefix)]
    for future in admin.delete_topics(topics).values() if topics else ():
        future.result(20)
    with closing(connect(elasticsearch_url)) as client:
        ask(client, "DELETE", f"/_index_template/{prefix}-*")
        for kind in ("settings", "events", "findings"):
            ask(client, "DELETE", f"/_component_template/{prefix}-{kind}")
        for kind in ("events", "findings"):
            ask(client, "DELETE", f"/{prefix}-{kind}-outofrange")


def checks(config: Path) -> tuple[int, dict[str, dict[str, str]]]:
    result = run("doctor", "--config", str(config), "--json")
    document = json.loads(result.stdout)
    assert document["ok"] == (result.exit_code == 0)
    return result.exit_code, {check["name"]: check for check in document["checks"]}


@pytest.mark.integration
def test_setup_is_shown_made_and_then_nothing_to_do_and_the_doctor_agrees(config: Path) -> None:
    code, before = checks(config)
    assert code == 1
    assert before["topics"]["state"] == before["templates"]["state"] == "failed"
    assert "missing" in before["topics"]["detail"]
    assert "setup" in before["topics"]["advice"]

    shown = run("setup", "--config", str(config), "--dry-run", "--partitions", "1")
    assert shown.exit_code == 0
    assert "+ topic" in shown.stdout
    assert "+ index template" in shown.stdout
    assert "nothing was changed" in shown.stdout
    assert checks(config)[1]["topics"]["state"] == "failed"

    made = run("setup", "--config", str(config), "--partitions", "1", "--replication-factor", "1")
    assert made.exit_code == 0
    again = run("setup", "--config", str(config))
    assert again.exit_code == 0
    assert again.stdout.count("nothing to do") == 2
    assert "+" not in again.stdout

    code, after = checks(config)
    assert code == 0, after
    good = {"kafka", "topics", "rights", "quarantine", "elasticsearch", "templates"}
    assert {name for name in good if after[name]["state"] == "ok"} == good
    assert after["workers"]["state"] == after["sources"]["state"] == "warning"


@pytest.mark.integration
def test_partitions_that_exist_are_left_as_they_are(config: Path) -> None:
    assert run("setup", "--config", str(config), "--partitions", "1").exit_code == 0
    more = run("setup", "--config", str(config), "--partitions", "2")
    assert more.exit_code == 0
    assert "! topic" in more.stdout
    assert "left as it is" in more.stdout
    assert "change(s) made" not in more.stdout


def test_a_server_that_is_away_is_exit_code_1_and_the_other_is_still_asked(
    tmp_path: Path,
) -> None:
    file = tmp_path / "settings.yml"
    file.write_text(
        "kafka:\n  bootstrap_servers: 127.0.0.1:1\nelasticsearch:\n  url: http://127.0.0.1:1\n"
    )
    result = run("setup", "--config", str(file))
    assert result.exit_code == 1
    assert result.stderr.count("trailwarden: ") == 2
    assert "127.0.0.1:1" in result.stderr


@pytest.mark.parametrize("text", ["kafka:\n  no_such: 1\n", "elasticsearch:\n  url: ftp://x\n"])
def test_settings_that_cannot_be_used_are_exit_code_2(tmp_path: Path, text: str) -> None:
    file = tmp_path / "settings.yml"
    file.write_text(text)
    assert run("setup", "--config", str(file)).exit_code == 2


def test_wrong_usage_is_exit_code_2() -> None:
    assert run("setup", "--partitions", "0").exit_code == 2
    assert run("doctor", "--no-such").exit_code == 2


def test_the_offline_doctor_works_in_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("doctor", "--offline")
    assert result.exit_code == 0
    assert "rules compile" in result.stdout
    assert "0 failed, 0 warning(s)" in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_failing_doctor_says_what_to_do_and_shows_no_control_characters(tmp_path: Path) -> None:
    file = tmp_path / "settings.yml"
    file.write_text('kafka:\n  "a\\e[31mb": 1\n')
    result = run("doctor", "--offline", "--config", str(file))
    assert result.exit_code == 1
    assert "FAILED   settings" in result.stdout
    assert "-> see docs/settings.md" in result.stdout
    assert "\x1b" not in result.stdout


def test_help_shows_examples_and_exit_codes() -> None:
    for command in ("setup", "doctor"):
        text = run(command, "--help").stdout
        assert "Examples:" in text
        assert "Exit code:" in text
