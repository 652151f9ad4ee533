"""The notebooks run from the sample alone, without a network, and show what they promise."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import trailwarden as tw

nbformat = pytest.importorskip("nbformat", reason="needs the extra `notebooks`")
pytest.importorskip("nbclient", reason="needs the extra `notebooks`")

MOST_S = 60
NAMES = ("first_look", "investigate_finding")


def offline() -> list[str]:
    """Return the words before a command that take the network from it, where we may."""
    words = ["unshare", "--net"]
    can = shutil.which(words[0]) and not subprocess.run([*words, "true"], check=False).returncode
    return words if can else []


def run(root: Path, out: Path, *names: str, **environment: str) -> float:
    command = [*offline(), sys.executable, "-W", "ignore", "notebooks/run.py", "--out", str(out)]
    own = {name: text for name, text in os.environ.items() if not name.startswith("TRAILWARDEN_")}
    env = {**own, **environment, "IPYTHONDIR": str(out / "ipython")}
    begun = time.monotonic()
    done = subprocess.run(
        [*command, *names], cwd=root, env=env, capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stderr
    return time.monotonic() - begun


def outputs(notebook: Any) -> list[dict[str, str]]:
    return [
        output["data"]
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    ]


def heights(notebook: Any) -> list[int]:
    """Return the rows of each table that is shown."""
    shapes = [
        data["text/html"].split("shape: (")[1]
        for data in outputs(notebook)
        if "shape: (" in data.get("text/html", "")
    ]
    return [int(shape.split(",")[0].replace("_", "")) for shape in shapes]


@pytest.fixture(scope="module")
def executed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("notebooks")
    before = sorted((root / "notebooks").iterdir())
    assert run(root, out, *NAMES) < MOST_S * len(NAMES)
    assert sorted((root / "notebooks").iterdir()) == before
    return out


@pytest.mark.parametrize(("name", "tables", "pictures"), [(NAMES[0], 9, 3), (NAMES[1], 8, 2)])
def test_a_notebook_shows_tables_that_hold_something(
    executed: Path, name: str, tables: int, pictures: int
) -> None:
    notebook = nbformat.read(executed / f"{name}.ipynb", as_version=4)
    shown = heights(notebook)
    assert len(shown) >= tables
    assert all(shown)
    assert sum("image/svg+xml" in data for data in outputs(notebook)) == pictures


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_needs_no_script_and_no_address(executed: Path, name: str) -> None:
    page = (executed / f"{name}.html").read_text()
    assert "<script" not in page
    assert "src=" not in page
    assert "<svg" in page


@pytest.mark.parametrize("name", NAMES)
def test_no_output_is_kept_in_the_repository(root: Path, name: str) -> None:
    assert not list((root / "notebooks").glob("*.ipynb"))
    assert "# %% [markdown]" in (root / "notebooks" / f"{name}.py").read_text()


def test_the_investigation_starts_with_the_most_severe_finding(executed: Path) -> None:
    page = (executed / f"{NAMES[1]}.html").read_text()
    assert "Cryptocurrency miner in a workload" in page
    assert "Delete the workload with its owner" in page


def test_a_finding_without_a_name_can_be_investigated(root: Path, tmp_path: Path) -> None:
    outcome = tw.scan(root / "examples" / "sample-audit.log.gz", out=tmp_path / "scan")
    nameless = outcome.findings.filter(pl.col("user.name").is_null()).collect()
    wanted = nameless["trailwarden.finding.id"][0]
    run(
        root,
        tmp_path,
        NAMES[1],
        TRAILWARDEN_SOURCE=str(tmp_path / "scan"),
        TRAILWARDEN_FINDING=wanted,
    )
    notebook = nbformat.read(tmp_path / f"{NAMES[1]}.ipynb", as_version=4)
    assert nameless["rule.name"][0] in str(outputs(notebook))
    assert heights(notebook)[0] == 1
