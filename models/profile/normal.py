"""What was known of an identity before a strange minute, in one sentence of numbers.

Separate from the reasons (words.py), each of which is about one thing that it did: this says how
much there is to compare it with. An identity that is known for a minute is strange in all it does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from models.profile.counts import TOTAL
from models.profile.observed import Feature, context
from models.profile.words import span_of

if TYPE_CHECKING:
    from models.profile.counts import Counts

_COUNTED: Final = (
    (Feature.ACT, "kind of act", "kinds of acts"),
    (Feature.PLACE, "namespace", "namespaces"),
    (Feature.NETWORK, "network", "networks"),
    (Feature.AGENT, "program", "programs"),
)


def normal_of(who: int, peers: int, tick: int, counts: Counts) -> str:
    """Return what is known of an identity.

    Parameters
        who, peers: the digests of the identity and of its peer group.
        tick: the strange minute.
    """
    own = [_row(counts, context(feature, 0, _digest(who))) for feature, *_ in _COUNTED]
    group = _row(counts, context(Feature.IDENTITY, 0, _digest(peers)))
    known = own[0]["first"] is not None
    others = max((group["distinct"] or 0) - known, 0)
    alike = f"{others:,} {'peer' if others == 1 else 'peers'}"
    if not known:
        return f"nothing was known of it; {alike}"
    many = ", ".join(
        f"{row['distinct'] or 0:,} {one if row['distinct'] == 1 else more}"
        for row, (_, one, more) in zip(own, _COUNTED, strict=True)
    )
    events = own[0]["events"]
    number = f"{events:,} event{'s' * (events != 1)}"
    return f"known for {span_of(tick - own[0]['first'])}: {number}, {many}; {alike}"


def _digest(number: int) -> pl.Expr:
    return pl.lit(number, pl.UInt64)


def _row(counts: Counts, of: pl.Expr) -> dict[str, Any]:
    pair = pl.select(of.alias("context"), pl.lit(TOTAL, pl.UInt64).alias("value"))
    return counts.of(pair).row(0, named=True)
