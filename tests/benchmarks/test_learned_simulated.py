"""The benchmark on simulated days, at its smallest: it says what it is, and repeats itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
_SMALL = (
    *("--days", "1", "--silent-days", "0", "--clusters", "1", "--events-per-day", "1500"),
    *("--chains", "3", "--seed", "3", "--compare"),
)


def printed(folder: Path) -> list[str]:
    """Return its lines without the processor time."""
    command = [sys.executable, str(_BENCHMARKS / "learned_simulated.py"), str(folder), *_SMALL]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return [line for line in done.stdout.splitlines() if "s of CPU" not in line]


def test_it_repeats_itself_and_names_its_figures_simulated(tmp_path: Path) -> None:
    made, again = (printed(tmp_path / name) for name in ("one", "other"))
    assert made == again
    assert made[0].startswith("simulated: seed 3")
    assert all(line.startswith(("simulated", "  ")) for line in made)
    assert sum(" of 3 chains found" in line for line in made) == 1
    assert sum("PR-AUC" in line for line in made) == 4
