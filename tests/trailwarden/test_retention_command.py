"""`trailwarden retention apply` names what it deletes, and deletes nothing in a dry run."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sinks.elasticsearch.connection import connect
from sinks.elasticsearch.transport import ask, require
from tests.elasticsearch_names import own_prefix


def run(config: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trailwarden", "retention", "apply", "--config", str(config)]
    return subprocess.run([*command, *args], capture_output=True, text=True, check=False)


@pytest.mark.integration
def test_old_days_are_named_then_deleted(elasticsearch_url: str, tmp_path: Path) -> None:
    client = connect(elasticsearch_url)
    config = tmp_path / "tw.yml"
    with own_prefix(client) as prefix:
        config.write_text(f"elasticsearch: {{url: '{elasticsearch_url}', prefix: {prefix}}}\n")
        today = datetime.now(UTC).date()
        old = f"{prefix}-events-{today - timedelta(days=32):%Y.%m.%d}"
        new = f"{prefix}-events-{today - timedelta(days=29):%Y.%m.%d}"
        for name in (old, new):
            require(client, "PUT", f"/{name}", {"settings": {"index.number_of_replicas": 0}})
        dry = run(config, "--dry-run")
        assert (dry.returncode, dry.stdout) == (0, f"{old} would be deleted\n")
        assert ask(client, "HEAD", f"/{old}").status == 200
        done = run(config)
        assert (done.returncode, done.stdout) == (0, f"{old} deleted\n")
        assert ask(client, "HEAD", f"/{old}").status == 404
        assert ask(client, "HEAD", f"/{new}").status == 200
        assert run(config).stdout == "nothing is older than 30 days\n"
    client.close()


@pytest.mark.parametrize(
    ("settings", "code", "text"),
    [
        ("elasticsearch: {url: 'http://127.0.0.1:1'}", 1, "refused"),
        ("elasticsearch: {}", 2, "elasticsearch.url is not set"),
        ("elasticsearch: {url: 1}", 2, "elasticsearch.url"),
    ],
)
def test_what_keeps_it_from_running_is_said(
    tmp_path: Path, settings: str, code: int, text: str
) -> None:
    config = tmp_path / "tw.yml"
    config.write_text(settings)
    done = run(config)
    assert done.returncode == code
    assert text in done.stderr
    assert "Traceback" not in done.stderr
