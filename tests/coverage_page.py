"""docs/coverage.md: what the shipped rules cover, and what they do not, with the reason."""

from __future__ import annotations

from detectors.coverage import coverage_of
from detectors.sigma.compiler import load_pack
from trailwarden.coverage_markdown import coverage_lines
from worker.settings import shipped_rules


def coverage_page() -> str:
    """Return docs/coverage.md."""
    lines = [
        "# Coverage",
        "",
        "<!-- Generated from detectors/rules by `make docs`. Do not edit. -->",
        "",
        "What the shipped rules cover, as `trailwarden rules coverage` counts it; with `--rules`",
        "it counts others as well.",
        "",
        *coverage_lines(coverage_of(load_pack([shipped_rules()]))),
    ]
    return "\n".join(lines) + "\n"
