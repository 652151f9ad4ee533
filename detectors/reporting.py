"""Hits in, findings and what was excepted out: the one place where exceptions and levels apply.

Separate so that the scan, the service and a replay cannot differ in it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from detectors.exceptions import excepted
from detectors.finding import findings

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from detectors.exceptions import Exemption
    from detectors.finding import Finding
    from detectors.sigma.rule import Rule
    from detectors.site import Site


@dataclass(frozen=True, slots=True)
class Reported:
    """What people see, and by the place of each exception how many hits it took out."""

    findings: list[Finding]
    hits: pl.DataFrame
    """Those that the findings are made of."""
    excepted: Counter[str] = field(default_factory=Counter)


def report(
    events: pl.DataFrame,
    hits: pl.DataFrame,
    rules: Sequence[Rule],
    site: Site,
    exceptions: Sequence[Exemption] = (),
) -> Reported:
    """Return the findings of ``hits`` that no exception covers, at their level in context.

    Whatever follows events over time takes ``hits`` as they were before: an exception to a rule is
    none to a correlation of it.
    """
    if not (exceptions and hits.height):
        return Reported(findings(events, hits, rules, site), hits)
    remaining, held = excepted(hits, events, rules, exceptions)
    return Reported(findings(events, remaining, rules, site), remaining, held)
