"""No mutated record can fail a batch or touch its neighbours; `make fuzz` runs a million."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


def test_mutated_events_cost_themselves_alone(root: Path) -> None:
    spec = importlib.util.spec_from_file_location("fuzz_events", root / "tests" / "fuzz_events.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz_events"] = module
    spec.loader.exec_module(module)
    tally = module.run(20_000, seed=7)
    assert tally.mutated >= 20_000
    assert tally.valid_json >= 0.4 * tally.mutated
    assert tally.refused > 100
    assert tally.good > 2_000
