from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from models.training.labels import read_labels
from trailwarden.cli import app
from trailwarden.exit_code import ExitCode

SMALL = ["--days", "2", "--clusters", "2", "--events-per-day", "2000", "--chains", "6"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("simulated") / "fleet"
    done = CliRunner().invoke(app, ["simulate", "--out", str(out), *SMALL])
    assert done.exit_code == ExitCode.OK, done.output
    assert "simulated events of 2 clusters and 2 days" in done.output
    return out


def test_there_is_a_file_for_each_cluster_and_day_besides_the_labels(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [
        "labels.jsonl",
        "prod-eu.2026-06-01.log.gz",
        "prod-eu.2026-06-02.log.gz",
        "prod-us.2026-06-01.log.gz",
        "prod-us.2026-06-02.log.gz",
        "scenarios.jsonl",
    ]
    packed = (folder / "prod-us.2026-06-02.log.gz").read_bytes()
    lines = gzip.decompress(packed).splitlines()
    assert all(orjson.loads(line)["stageTimestamp"][:10] >= "2026-06-01" for line in lines)
    assert len(lines) > 1_000


def test_the_same_options_give_the_same_files(folder: Path, tmp_path: Path) -> None:
    CliRunner().invoke(app, ["simulate", "--out", str(tmp_path / "again"), *SMALL])

    for path in folder.iterdir():
        again = hashlib.sha256((tmp_path / "again" / path.name).read_bytes()).digest()
        assert again == hashlib.sha256(path.read_bytes()).digest(), path.name


def test_the_labels_are_read_by_the_evaluation(folder: Path) -> None:
    labels = read_labels(folder / "labels.jsonl")

    assert {"attack", "bootstrap"} <= set(labels["role"])
    assert set(labels["cluster"]) == {"prod-eu", "prod-us"}
    rows = [orjson.loads(line) for line in (folder / "scenarios.jsonl").read_bytes().splitlines()]
    assert len(rows) == 6
    assert {"scenario", "round", "technique", "start", "end", "requests"} <= set(rows[0])


def test_nothing_is_overwritten(folder: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    done = CliRunner().invoke(app, ["simulate", "--out", str(folder), *SMALL])

    assert done.exit_code == ExitCode.USAGE
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_lines_go_to_standard_output_for_one_cluster_only() -> None:
    wanted = ["simulate", "--out", "-", "--days", "1", "--events-per-day", "2000"]
    done = CliRunner().invoke(app, [*wanted, "--clusters", "1"])

    assert done.exit_code == ExitCode.OK
    assert len([orjson.loads(line) for line in done.stdout_bytes.splitlines()]) > 1_000
    assert CliRunner().invoke(app, wanted).exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    "options",
    [[], ["--out", "x", "--compare", "y"], ["--out", "x", "--days", "0"]],
)
def test_wrong_usage_is_refused(options: list[str]) -> None:
    assert CliRunner().invoke(app, ["simulate", *options]).exit_code == ExitCode.USAGE


def test_a_log_is_compared_with_a_simulated_day(folder: Path, tmp_path: Path) -> None:
    log = str(folder / "prod-eu.2026-06-02.log.gz")
    done = CliRunner().invoke(app, ["simulate", "--compare", log, "--events-per-day", "2000"])

    assert done.exit_code == ExitCode.OK
    assert "| verb | 0." in done.stdout
    assert "a simulated day, 2026-06-01, seed 7" in done.stdout
    empty = tmp_path / "empty.log"
    empty.write_text("not an event\n")
    refused = CliRunner().invoke(app, ["simulate", "--compare", str(empty)])
    assert refused.exit_code == ExitCode.USAGE
    missing = CliRunner().invoke(app, ["simulate", "--compare", str(tmp_path / "none.log")])
    assert missing.exit_code == ExitCode.INPUT_UNREADABLE
