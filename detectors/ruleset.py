"""All that decides which findings events give, as one value: rules, site, exceptions, plans.

Separate so that the scan, the service, a replay and a notebook cannot differ in it: events and a
ruleset in, hits and findings out, whoever asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import polars as pl

from detectors.anomaly.blame import flagged
from detectors.anomaly.learners import LearnedSettings, Learners
from detectors.correlation.fold import OverTime
from detectors.correlation.plan import STATE_ROWS, Plan, plan_for
from detectors.engine import detect
from detectors.possible import possible, recalls
from detectors.recalling import Recalling
from detectors.remembered import Remembered
from detectors.reporting import report
from detectors.sigma.pack import Pack, pack_hash
from detectors.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from detectors.exceptions import Exemption
    from detectors.reporting import Reported
    from detectors.sigma.rule import Rule


@dataclass(frozen=True, slots=True, eq=False)
class Ruleset:
    """What is loaded together and replaced together."""

    pack: Pack
    site: Site
    exceptions: tuple[Exemption, ...]
    plan: Plan
    """Of the correlations within a cluster."""
    across: Plan
    """Of those whose groups reach over clusters."""
    asked: tuple[Rule, ...]
    """The rules as they are evaluated at once: what is recalled may come out either way."""
    asking: Mapping[int, Rule]
    """The rules that ask what is remembered, by their index."""
    hash: str
    """16 hex digits: the rule files and the site's lists. Another hash may give other findings."""
    learned: LearnedSettings | None = None
    """Of the learned detectors; None: none runs."""

    def remembered(self, *, learns: bool = True) -> Remembered:
        """Return a new state for all that needs more than one event of a cluster.

        Parameters
            learns: whether the learned detectors are in it.
        """
        recalling = self._recalling() if self.asking else None
        over_time = OverTime(self.plan, self.site, self.exceptions)
        return Remembered(over_time, recalling, self.learners() if learns else None)

    def _recalling(self) -> Recalling:
        silent, told = self.pack.silent, self.plan.columns
        return Recalling(self.asking, self.site, self.exceptions, silent, told=told)

    def learners(self) -> Learners | None:
        """Return a new state of the learned detectors, if any run."""
        return Learners(self.learned, self.site, self.exceptions) if self.learned else None

    def over_clusters(self) -> OverTime:
        """Return a new state for the correlations across clusters."""
        return OverTime(self.across, self.site, self.exceptions)


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """What the rules see in a batch, before anything is remembered."""

    hits: pl.DataFrame
    """Of all rules: what `OverTime.add` takes."""
    reported: Reported
    """Findings of the rules that report by themselves."""
    evidence: pl.Series
    """Rows that findings rest on, or may: signals of windows are evidence, sorted."""
    flagged: pl.Series
    """event.id of what was found, whoever reports it: it is not learned."""


def ruleset(
    pack: Pack,
    site: Site | None = None,
    exceptions: Iterable[Exemption] = (),
    *,
    learning_time: bool = False,
    state_rows: int = STATE_ROWS,
    learned: LearnedSettings | None = None,
) -> Ruleset:
    """Put together what was loaded.

    Parameters
        learning_time: whether ``first_seen`` asks for the time of its learning; a scan does not.
        state_rows: bound of the state of one cluster, in rows.
        learned: of the learned detectors; None: none runs.
    """
    site = site or Site()
    within, across = (
        plan_for(pack, learning_time=learning_time, across_clusters=reach, state_rows=state_rows)
        for reach in (False, True)
    )
    return Ruleset(
        pack,
        site,
        tuple(exceptions),
        within,
        across,
        tuple(possible(rule) for rule in pack.rules),
        {index: rule for index, rule in enumerate(pack.rules) if recalls(rule)},
        _hash(pack, site),
        learned,
    )


def _hash(pack: Pack, site: Site) -> str:
    digest = blake2b(digest_size=8)
    digest.update(pack_hash((*pack.rules, *pack.correlations)).encode())
    for name in sorted(site.lists):
        digest.update(f"{name}={site.lists[name]!r};".encode())
    return digest.hexdigest()


def look(events: pl.DataFrame, rules: Ruleset, live: pl.Series | None = None) -> Looked:
    """Evaluate all rules on events, and report what stands for itself.

    Parameters
        live: which events to report of; None: all. The others only leave hits.
    """
    hits = detect(events, rules.asked)
    own = hits
    if rules.pack.silent or rules.asking:
        loud = [
            index
            for index, rule in enumerate(rules.pack.rules)
            if rule.id not in rules.pack.silent and index not in rules.asking
        ]
        own = own.filter(pl.col("rule").is_in(loud))
    old = own.clear()
    if live is not None and not live.all():
        is_live = live.gather(own["row"])
        own, old = own.filter(is_live), own.filter(~is_live)
    reported = report(events, own, rules.pack.rules, rules.site, rules.exceptions)
    told = reported.findings
    if rules.learned and old.height:
        told = told + report(events, old, rules.pack.rules, rules.site, rules.exceptions).findings
    # Of a rule that asks it is told later whether it holds, and then what rests on it.
    of_windows = pl.col("rule").is_in(
        (rules.plan.kept_rules | rules.across.kept_rules) - rules.asking.keys()
    )
    kept = pl.concat([reported.hits["row"], hits.filter(of_windows)["row"]]).unique().sort()
    return Looked(hits, reported, kept, flagged(told))
