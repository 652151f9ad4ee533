"""`trailwarden run`: what it is told to do is read before anything else."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from trailwarden.cli import app

RUNNER = CliRunner()


@pytest.mark.parametrize("role", ["learn", "detect,learn", ""])
def test_a_role_that_there_is_not_is_wrong_usage(tmp_path: Path, role: str) -> None:
    config = tmp_path / "none.yml"
    result = RUNNER.invoke(app, ["run", "--config", str(config), "--role", role])
    assert result.exit_code == 2
    assert "is no role" in result.output


@pytest.mark.parametrize("role", ["detect", "correlate", "detect,correlate"])
def test_the_roles_that_there_are_are_taken(tmp_path: Path, role: str) -> None:
    """What is wrong then is the file of settings."""
    config = tmp_path / "none.yml"
    result = RUNNER.invoke(app, ["run", "--config", str(config), "--role", role])
    assert result.exit_code == 2
    assert "none.yml" in result.output
    assert "is no role" not in result.output
