"""What learned detectors are told unless somebody says otherwise.

Separate from what uses it because settings show it, and collectors read settings without Polars.
"""

from __future__ import annotations

from typing import Final

FINDINGS_A_DAY: Final = 5.0
"""Budget of a cluster: measured on simulated days (docs/simulation.md); a team that runs many
clusters has as many times that to look at."""

SILENT_DAYS: Final = 3.0
"""Days of a cluster that nothing is known of in which nothing is told: everything is new then."""
