"""What was strange and was reported becomes no news: a memory of findings, not of work.

Separate from the counts because what was reported is never learned as normal, and would else be
reported for ever: a rare job of a controller each time it runs. Nothing here lowers what counts as
strange, and nothing becomes normal by it; it only says what is no news.
"""

from __future__ import annotations

from heapq import nsmallest
from typing import TYPE_CHECKING, Any, Final

import msgspec

from models.profile.action_key import DAY_TICKS
from models.profile.observed import digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

TOLD_TICKS: Final = 30 * DAY_TICKS
"""After thirty days it is told again: nobody may be left to remember the first time."""

ENOUGH_PEERS: Final = 2
"""Members of a peer group of which the same was told: a third is no news, but a common cause: a
deploy, an upgrade, a new namespace that every node reports from."""

COMMON_TICKS: Final = DAY_TICKS
"""For how long: a cause acts within a day. Who does the same next week has another."""

_EACH: Final = ("who", "context_0", "context_1", "value")


class Told(msgspec.Struct):
    """By identity and by peer group, when something was told, and of how many."""

    own: dict[int, int] = msgspec.field(default_factory=dict)
    """Of what an identity did: the minute it was told."""
    peers: dict[int, tuple[int, int]] = msgspec.field(default_factory=dict)
    """Of what somebody of a group did: the minute it was told last, and of how many members."""
    evicted: int = 0

    def news(self, rare: pl.DataFrame, tick: int, told_ticks: int = TOLD_TICKS) -> pl.DataFrame:
        """Return the observations of one minute of one identity that nobody was told of.

        Parameters
            rare: as `models.profile.rarity.bits` returns them.
            told_ticks: minutes after which something is news again; 0: all is news, always.
        """
        if not told_ticks:
            return rare
        return rare.filter(
            [
                not self._is_own(own, tick, told_ticks) and not self._is_common(group, tick)
                for own, group in _keys(rare)
            ]
        )

    def tell(self, news: pl.DataFrame, tick: int, limit: int) -> None:
        """Remember the observations of a minute that is told now.

        Parameters
            news: as `news` returned them.
            limit: keys of either kind that are kept; beyond it the oldest go.
        """
        for own, group in _keys(news):
            self.own[own] = tick
            last, many = self.peers.get(group, (tick, 0))
            self.peers[group] = (tick, many + 1 if tick - last < COMMON_TICKS else 1)
        self.evicted += _bound(self.own, limit) + _bound(self.peers, limit)

    def copy(self) -> Told:
        """Return one of its own, for a snapshot: the same for the same."""
        return Told(dict(sorted(self.own.items())), dict(sorted(self.peers.items())), self.evicted)

    def _is_own(self, own: int, tick: int, told_ticks: int) -> bool:
        last = self.own.get(own)
        return last is not None and tick - last < told_ticks

    def _is_common(self, group: int, tick: int) -> bool:
        last, many = self.peers.get(group, (0, 0))
        return many >= ENOUGH_PEERS and tick - last < COMMON_TICKS


def _bound(held: dict[int, Any], limit: int) -> int:
    """Forget the oldest beyond a bound; return how many."""
    beyond = len(held) - limit
    if beyond <= 0:
        return 0
    for key in nsmallest(beyond, held, key=lambda key: (held[key], key)):
        del held[key]
    return beyond


def _keys(rare: pl.DataFrame) -> Iterator[tuple[int, int]]:
    """Yield, for each observation, what stands for it with its identity, and with its peers.

    A context of one level has no wider one: its own stands for the peers.
    """
    for who, narrow, wide, value in rare.select(_EACH).iter_rows():
        yield digest(f"{who} {narrow} {value}"), digest(f"{wide or narrow} {value}")
