"""A detection and its cases become verdicts: which of the cases it matches, as the service would.

Raw records go through normalize, the engine and the fold over time, so that a case tries all that
stands between a log and a finding. Separate from the test suite, because people try their own rules
with it (``trailwarden rules test``), and mutants of rules are told by it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.case_events import TrialError, end_us, normalized
from detectors.engine import detect
from detectors.finding import findings
from detectors.possible import recalls
from detectors.ruleset import Ruleset, ruleset
from detectors.sigma.pack import Pack
from detectors.sigma.rule import Rule
from detectors.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from detectors.cases import Case
    from detectors.finding import Finding
    from detectors.sigma.pack import Detection

_NUMBER: Final = "log.offset"


_NO_SITE: Final = Site()


def verdicts(
    pack: Pack, detection: Detection, cases: Sequence[Case], site: Site = _NO_SITE
) -> list[bool]:
    """Return for each of ``cases`` whether ``detection``, which is of ``pack``, matches it.

    ``site`` is what the memory is told of it: the pack has its lists already. A case that names a
    number of findings is matched only by exactly so many. Raises ``TrialError``.
    """
    events = normalized(tuple(cases))
    alone = isinstance(detection, Rule) and not recalls(detection)
    if isinstance(detection, Rule) and alone and all(case.findings is None for case in cases):
        return _hit(events, detection, cases)
    return [
        _is_met(case, len(_findings(pack, detection, case, own, site)))
        for case, own in zip(cases, _by_case(events, cases), strict=True)
    ]


def findings_of(
    pack: Pack, detection: Detection, case: Case, site: Site = _NO_SITE
) -> list[Finding]:
    """Return the findings of ``detection`` in the records of ``case``; raises ``TrialError``."""
    return _findings(pack, detection, case, normalized((case,)), site)


def _hit(events: pl.DataFrame, rule: Rule, cases: Sequence[Case]) -> list[bool]:
    """Return which cases a rule has a hit in: all in one batch, as a row's verdict is its own."""
    owners = [number for number, case in enumerate(cases) for _ in case.records]
    rows = detect(events, [rule])["row"]
    hit = {owners[record] for record in events[_NUMBER].gather(rows)}
    return [number in hit for number in range(len(cases))]


def _by_case(events: pl.DataFrame, cases: Sequence[Case]) -> Iterator[pl.DataFrame]:
    first = 0
    for case in cases:
        last = first + len(case.records) - 1
        yield events.filter(pl.col(_NUMBER).is_between(first, last))
        first = last + 1


def _findings(
    pack: Pack, detection: Detection, case: Case, events: pl.DataFrame, site: Site
) -> list[Finding]:
    if isinstance(detection, Rule) and not recalls(detection):
        found = findings(events, detect(events, [detection]), [detection])
        return list({finding.id: finding for finding in found}.values())
    if events["event.id"].is_duplicated().any():
        raise TrialError(f"case {case.name!r}: two records are the same event, and one is dropped")
    rules = _part(pack, detection, site)
    state = rules.over_clusters() if rules.across.correlations else rules.remembered()
    state.add(events, detect(events, rules.asked))
    end = end_us(case)
    found = [] if end is None else state.release(end).findings
    found += state.release(None).findings
    return [finding for finding in found if finding.document["rule.id"] == detection.id]


def _is_met(case: Case, found: int) -> bool:
    return found > 0 if case.findings is None else found == case.findings


@lru_cache(maxsize=256)
def _part(pack: Pack, detection: Detection, site: Site) -> Ruleset:
    """Return what of a pack one detection needs."""
    wanted = {detection.id}
    for one in reversed(pack.correlations):
        if one.id in wanted:
            wanted |= {base.id for base in one.bases}
    part = Pack(
        rules=tuple(rule for rule in pack.rules if rule.id in wanted),
        correlations=tuple(one for one in pack.correlations if one.id in wanted),
        silent=frozenset(wanted - {detection.id}),
    )
    return ruleset(part, site)
