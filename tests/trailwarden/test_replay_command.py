"""`trailwarden replay`: options, what is printed and written, and exit codes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
import typer
from typer.testing import CliRunner, Result

from ingest.normalize import NormalizeSettings, normalize
from ingest.record import Records
from sinks.archive import SegmentWriter
from tests.worker.messages import NOON, audit_event
from trailwarden.commands.replay import EXAMPLES, replay

app = typer.Typer()
app.command(epilog=EXAMPLES)(replay)

RULE = """
title: Config map touched
id: 11111111-1111-4111-8111-111111111111
description: d
level: low
logsource: {{product: kubernetes, service: audit}}
detection:
  sel: {{event.action: {action}}}
  condition: sel
trailwarden:
  category: abnormal-login
  catalogue: [A01]
  message: "{{user.name}} did {{event.action}} {{orchestrator.resource.name}}."
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return a folder with an archive, settings for it, and two sets of rules."""
    times = [0, 1, 86_400, 86_401, 86_402]
    settings = NormalizeSettings("prod")
    frames = [
        normalize(
            [
                Records(
                    "log",
                    [
                        orjson.dumps(
                            audit_event(
                                number,
                                NOON + timedelta(seconds=seconds),
                                verb="delete" if number == 4 else "get",
                            )
                        )
                    ],
                    [number],
                )
            ],
            settings,
        ).events
        for number, seconds in enumerate(times)
    ]
    previous = None
    for first, events in enumerate(frames):
        writer = SegmentWriter(tmp_path / "archive", "raw", 0, first, previous)
        writer.write(events.with_columns(pl.col("@timestamp").alias("event.created")))
        previous = writer.close(first + 1).sha256
    for name, action in (("get", "get"), ("all", "[get, delete]")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rule.yml").write_text(RULE.format(action=action))
    (tmp_path / "tw.yml").write_text(
        f"store: {{folder: {tmp_path}}}\nworker: {{rules: [{tmp_path / 'get'}]}}\n"
    )
    return tmp_path


def run(store: Path, *options: str) -> Result:
    given = ["--config", str(store / "tw.yml"), "--out", str(store / "out"), *options]
    return CliRunner().invoke(app, given, env={"COLUMNS": "200"})


def summary(store: Path) -> dict[str, Any]:
    read: dict[str, Any] = orjson.loads((store / "out" / "summary.json").read_bytes())
    return read


def gained(store: Path) -> list[str]:
    lines = (store / "out" / "gained.ndjson").read_bytes().splitlines()
    return [orjson.loads(line)["event.action"] for line in lines]


def test_new_rules_are_compared_with_those_of_the_settings(store: Path) -> None:
    done = run(store, "--rules", str(store / "all"))
    assert done.exit_code == 0, done.output
    assert gained(store) == ["delete"]
    assert "5 findings, 4 of the baseline: 1 gained, 0 lost, 0 at another level." in done.stdout
    assert "+ alice deleted c4." in done.stdout
    row = next(line for line in done.stdout.splitlines() if "Config map touched (low)" in line)
    assert row.split()[:9] == ["4", "5", "1", "0", "0", "2.5", "3", "on", "2026-11-22"]
    totals = summary(store)["totals"]
    assert totals == {"old": 4, "new": 5, "gained": 1, "lost": 0, "releveled": 0}


def test_a_baseline_may_be_given_or_be_nothing(store: Path) -> None:
    done = run(store, "--rules", str(store / "get"), "--baseline", str(store / "all"))
    assert done.exit_code == 0
    assert summary(store)["totals"]["lost"] == 1
    assert "- alice deleted c4." in done.stdout
    done = run(store, "--rules", str(store / "get"), "--baseline", "none")
    assert gained(store) == ["get"] * 4
    assert "4 findings; compared with nothing." in done.stdout


def test_the_shipped_rules_are_called_default(store: Path) -> None:
    done = run(store, "--rules", "default", "--rules", str(store / "get"), "--baseline", "default")
    assert done.exit_code == 0
    assert gained(store) == ["get"] * 4
    assert summary(store)["rules_hash"] != summary(store)["baseline_hash"]


def test_the_summary_is_what_json_prints(store: Path) -> None:
    done = run(store, "--rules", str(store / "all"), "--json")
    assert orjson.loads(done.stdout) == summary(store)
    (rule,) = summary(store)["rules"]
    assert rule["by_day"] == {"2026-11-21": 2, "2026-11-22": 3}
    assert (rule["a_day"], rule["worst_day"], rule["on_worst_day"]) == (2.5, "2026-11-22", 3)
    assert rule["samples"]["gained"] == ["alice deleted c4."]
    assert summary(store)["events_per_cpu_s"] > 0


def test_days_and_times_bound_the_span(store: Path) -> None:
    run(store, "--rules", str(store / "get"), "--baseline", "none", "--from", "2026-11-22")
    assert len(gained(store)) == 2
    times = ("--from", "2026-11-21T12:00:01", "--to", "2026-11-22T13:00:01+01:00")
    run(store, "--rules", str(store / "get"), "--baseline", "none", *times)
    assert len(gained(store)) == 2, "from is within, to is not"
    assert summary(store)["to"] == "2026-11-22T12:00:01.000000Z"
    done = run(store, "--rules", str(store / "get"), "--from", "2027-01-01")
    assert done.exit_code == 0
    assert "Nothing was read" in done.stdout


def test_clusters_bound_what_is_told(store: Path) -> None:
    run(store, "--rules", str(store / "all"), "--baseline", "none", "--cluster", "other")
    assert not gained(store)
    run(store, "--rules", str(store / "all"), "--cluster", "other", "--cluster", "prod")
    assert gained(store) == ["delete"]


def test_a_damaged_segment_is_named_with_exit_code_1(store: Path) -> None:
    broken = store / "archive" / "raw" / "0" / f"{4:020}.parquet"
    broken.write_bytes(b"PAR1")
    done = run(store, "--rules", str(store / "all"), "--baseline", "none")
    assert done.exit_code == 1
    assert f"Not read: {broken}: " in done.stderr
    assert gained(store) == ["get"] * 4
    assert summary(store)["unread"][0]["file"] == str(broken)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--from", "yesterday"], "neither a day nor a time"),
        (["--from", "2026-11-22", "--to", "2026-11-22"], "--to is not after --from"),
        (["--baseline", "live"], "cannot be compared with"),
        (["--baseline", "none", "--baseline", "default"], "stands alone"),
        (["--baseline", "no/such/folder"], "no such file or folder"),
        (["--memory", "1 day"], "not a number with s, m, h or d"),
        (["--memory", "2026-11-01"], "not a number with s, m, h or d"),
    ],
)
def test_options_that_cannot_be_used_are_refused(
    store: Path, options: list[str], said: str
) -> None:
    done = run(store, "--rules", str(store / "all"), *options)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert not (store / "out").exists()


def test_a_rule_or_an_archive_that_is_not_there_is_wrong_usage(store: Path) -> None:
    (store / "get" / "rule.yml").write_text("title: no rule\n")
    done = run(store, "--rules", str(store / "get"))
    assert done.exit_code == 2
    assert "rule.yml:" in done.stderr
    (store / "tw.yml").write_text(f"store: {{folder: {store / 'none'}}}\n")
    done = run(store, "--rules", str(store / "all"))
    assert done.exit_code == 2
    assert "has no segments of topic 'raw'" in " ".join(done.stderr.replace("│", " ").split())


def test_another_topic_is_named_if_the_archive_has_one(store: Path) -> None:
    (store / "archive" / "raw").rename(store / "archive" / "audit")
    done = run(store, "--rules", str(store / "all"))
    assert "it has audit" in " ".join(done.stderr.replace("│", " ").split())
