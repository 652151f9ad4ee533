"""Events that may ask become those that still may hold, by a little of what the memory knows.

Separate from the rules, which are evaluated in full on what is left (recalling.py): most events are
held for the sake of who calls, and of most callers the memory's answer says that no rule holds.
What else is remembered is asked about the few that remain. A condition is taken at its best in what
is not known yet, so that no event is lost for which a rule holds.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.columns import nulls_of
from detectors.entities.enrich import ASKED, PARTS, Part
from detectors.entities.recalled import RECALLED_DTYPES
from detectors.possible import at_best
from detectors.sigma.tree import expression
from detectors.waiting import ASKS, CLUSTER

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from detectors.sigma.rule import Rule
    from detectors.sigma.tree import Leaf

    Ask = Callable[[pl.DataFrame, Collection[str]], pl.DataFrame]
    """Return columns of RECALLED for events, a row for each."""

_BITS: Final = 64
"""Of ``asks``: the more rules there are, the more of them share one."""
EVERY: Final = 2**_BITS - 1
"""What an event asks for which it is not known which rules it waits for."""

OWN: Final = ("@timestamp", CLUSTER, *ASKED.values())
"""Columns of events that questions are made of."""


class Sieve:
    """The steps in which it is asked whether rules may hold."""

    def __init__(self, rules: Sequence[Rule], shown: Collection[str]) -> None:
        """Plan the steps.

        Parameters
            shown: further columns of RECALLED that are wanted of events for which a rule holds.
        """
        self._rules = tuple(rules)
        self._bits = pl.Series([1 << (n % _BITS) for n in range(len(rules))], dtype=pl.UInt64)
        read = frozenset().union(*(rule.columns for rule in rules))
        every = read | set(shown)
        # A part that is not cheap answers all it can at once: it is not asked twice.
        at_once = {part: read if part.is_cheap else every for part in PARTS if _columns(part, read)}
        self._wanted = {part: _columns(part, names) for part, names in at_once.items()}
        known = {name for names in self._wanted.values() for name in names}
        self._rest = {part: _columns(part, every - known) for part in PARTS}
        self.wanted = tuple(name for names in self._wanted.values() for name in names)
        """Columns of RECALLED that come out with the events that are left."""
        asked: set[str] = set(OWN)
        self._holds: dict[Part, pl.Expr] = {}
        for part, names in self._wanted.items():
            asked.update(names)
            if part.is_cheap:
                self._holds[part] = self._may_hold(frozenset(asked))

    def asks_of(self, hits: pl.DataFrame) -> pl.DataFrame:
        """Return ``row`` and ``asks``, which rules may hold of each, in order of the rows.

        Parameters
            hits: ``row`` and ``rule``, the index among the rules of the sieve; each pair once.
        """
        bits = hits.select("row", pl.lit(self._bits).gather(pl.col("rule")).alias(ASKS))
        # Where no two rules share a bit, the sum is the same, and costs a quarter.
        asks = pl.col(ASKS).sum() if len(self._rules) <= _BITS else pl.col(ASKS).bitwise_or()
        return bits.group_by("row").agg(asks).sort("row")

    def sifted(self, events: pl.DataFrame, ask: Ask) -> pl.DataFrame:
        """Return the events for which some rule may hold, with ``wanted``.

        Parameters
            events: OWN, ``asks``, and what else comes with them.
            ask: returns columns of RECALLED for events, a row for each.
        """
        for part, names in self._wanted.items():
            events = self._with_part(events, part, names, ask)
            if part in self._holds:
                events = events.filter(self._holds[part])
        return events

    def completed(self, events: pl.DataFrame, ask: Ask) -> pl.DataFrame:
        """Return events for which rules hold with the rest of what is shown of them.

        Parameters
            events: as from `sifted`, of ``asks`` only the rules that hold.
        """
        for part, names in self._rest.items():
            events = self._with_part(events, part, names, ask)
        return events

    def _with_part(
        self, events: pl.DataFrame, part: Part, names: tuple[str, ...], ask: Ask
    ) -> pl.DataFrame:
        """Return events with columns of a part; of what is not cheap only where a rule asks it."""
        if not names:
            return events
        if part.is_cheap:
            return events.hstack(ask(events, names))
        readers = [n for n, rule in enumerate(self._rules) if any(map(part.answers, rule.columns))]
        concerned = events.select(_asks(readers).arg_true()).to_series()
        if concerned.is_empty():
            return events.with_columns(nulls_of(names, RECALLED_DTYPES))
        answers = ask(events[concerned], names).with_columns(concerned.alias("place"))
        numbered = events.with_row_index("place")
        return numbered.join(answers, on="place", how="left", maintain_order="left").drop("place")

    def _may_hold(self, known: frozenset[str]) -> pl.Expr:
        """Return where a rule may hold of those that an event waits for."""

        def is_known(leaf: Leaf) -> bool:
            # What needs nothing of the memory has been decided: the event waits for this rule.
            return (
                leaf.columns <= known and not leaf.columns.isdisjoint(recalled) and not leaf.regexes
            )

        recalled = known & RECALLED_DTYPES.keys()
        others = [n for n, rule in enumerate(self._rules) if rule.columns.isdisjoint(recalled)]
        tests = [
            _asks([number]) & expression(at_best(rule.tree, is_known))
            for number, rule in enumerate(self._rules)
            if number not in others
        ]
        return pl.any_horizontal([_asks(others), *tests])


def _asks(numbers: Collection[int]) -> pl.Expr:
    mask = reduce(or_, (1 << (number % _BITS) for number in numbers), 0)
    return (pl.col(ASKS) & pl.lit(mask, pl.UInt64)) != 0


def _columns(part: Part, names: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in RECALLED_DTYPES if name in names and part.answers(name))
