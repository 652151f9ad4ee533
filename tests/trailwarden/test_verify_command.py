from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from sinks.archive import SegmentWriter
from trailwarden.commands.verify import EXAMPLES, verify

app = typer.Typer()
app.command(epilog=EXAMPLES)(verify)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return a store whose archive has three chained segments."""
    previous = None
    for first in (0, 10, 20):
        writer = SegmentWriter(tmp_path / "archive", "raw", 0, first, previous)
        previous = writer.close(first + 10).sha256
    return tmp_path


def test_a_clean_archive_is_said_to_be_one(store: Path) -> None:
    done = CliRunner().invoke(app, ["--archive", str(store / "archive")])
    assert done.exit_code == 0
    assert done.stdout == "3 segments with 0 events are what was written\n"


def test_the_archive_of_the_settings_is_taken_without_an_option(store: Path) -> None:
    settings = store / "settings.yml"
    settings.write_text(f"store:\n  folder: {store}\n")
    assert CliRunner().invoke(app, ["--config", str(settings)]).exit_code == 0


def test_each_problem_is_a_line(store: Path) -> None:
    (store / "archive" / "raw" / "0" / f"{10:020}.parquet").unlink()
    done = CliRunner().invoke(app, ["--archive", str(store / "archive")])
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "raw/0/00000000000000000020.parquet: gap: offsets 10 to 19 are in no segment",
        (
            "raw/0/00000000000000000020.parquet: chain: "
            "00000000000000000000.parquet is not the file it was chained to"
        ),
    ]
    assert "2 problems" in done.stderr


@pytest.mark.parametrize("options", [["--archive", "no/such/folder"], ["--config", "no-such.yml"]])
def test_what_is_not_there_is_wrong_usage(options: list[str]) -> None:
    done = CliRunner().invoke(app, options)
    assert done.exit_code == 2
    assert done.stderr.startswith("trailwarden: no")
