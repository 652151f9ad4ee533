"""What made a minute strange becomes words with numbers: how new it is, and what peers do.

Separate because people decide by these words. Nothing is learned or scored here; texts come from
the sightings themselves, numbers from the counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from models.profile.counts import TOTAL
from models.profile.observed import (
    Feature,
    act_text,
    agent_text,
    context,
    hour_of,
    identity_text,
    network_text,
    peers_text,
    place_text,
    with_type,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.profile.counts import Counts

MOST_REASONS: Final = 5
"""That are told; the score may have more."""

MOST_PEERS: Final = 1_000
"""That are asked whether they do the same."""

_MINUTES: Final = ((1_440, "day"), (60, "hour"), (1, "minute"))
_TYPES: Final = {
    "human": "person",
    "service_account": "service account",
    "node": "node",
    "controller": "controller",
    "anonymous": "anonymous caller",
    "unauthenticated": "unauthenticated caller",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that made a minute strange."""

    text: str
    feature: Feature
    bits: float


@dataclass(frozen=True, slots=True)
class _Own:
    """What is known of the identity in this, and of those it is compared with."""

    since: int | None
    last: int | None
    peers: int
    alike: int


TEXTS: Final[Mapping[str, pl.Expr]] = {
    "act": act_text(),
    "place": place_text(),
    "agent": agent_text(),
    "network": network_text(),
    "identity": identity_text(),
    "peers": peers_text(),
}


def texts_of(sightings: pl.DataFrame) -> pl.DataFrame:
    """Return what sightings say, as text, with the ``type`` of their identities."""
    return with_type(sightings).select("type", **TEXTS)


def told_from(seen: pl.DataFrame, counts: Counts) -> pl.DataFrame:
    """Return the counts that `reason` needs of some observations, in one pass over all."""
    members = context(Feature.IDENTITY, 0, pl.col("peers"))
    contexts = [seen["context_0"], seen["context_1"], seen.select(members).to_series()]
    wanted = pl.concat([each.rename("") for each in contexts]).drop_nulls().unique()
    return counts.rows.filter(
        pl.col("context").is_in(wanted.implode()) | pl.col("value").is_in(seen["value"].implode())
    )


def reason(seen: Mapping[str, Any], texts: Mapping[str, str], known: pl.DataFrame) -> Reason:
    """Return why an observation is strange.

    Parameters
        seen: a row of OBSERVED with its ``bits``, and the digest of its ``peers``.
        texts: a row of `texts_of`, of a sighting with the observation.
        known: what `told_from` returned.
    """
    feature = Feature(seen["feature"])
    own = _known(seen, known)
    span = _span(seen["tick"], own)
    kind = _TYPES.get(texts["type"], "identity")
    alike = _alike(own)
    new = own.since is None
    match feature:
        case Feature.ACT:
            first = f"first `{texts['act']}`"
            text = (
                f"{first} by a {kind} never seen before"
                if new
                else f"{first} in {span} for this {kind}"
            )
        case Feature.NETWORK:
            text = f"first time from network {texts['network'] or '(none)'}" + _for(kind, span, new)
        case Feature.AGENT:
            text = f"first use of `{texts['agent'] or '(no user agent)'}`" + _for(kind, span, new)
        case Feature.PLACE:
            place = texts["place"]
            first = f"first act in namespace {place}" if place else "first cluster-wide act"
            text = first + _for(kind, span, new)
        case Feature.WORKLOAD:
            place = texts["place"]
            where = f"by anyone in namespace {place}" if place else "cluster-wide by anyone"
            unknown = "that is new itself" if place else "where nothing was done before"
            since = unknown if new else f"in {span}"
            return Reason(f"first `{texts['act']}` {where} {since}", feature, seen["bits"])
        case Feature.ACTORS:
            since = "which nobody did before" if new else f"in {span}"
            group = texts["peers"].replace(":", " ", 1).strip()
            return Reason(f"first `{texts['act']}` by any {group}, {since}", feature, seen["bits"])
        case Feature.IDENTITY:
            return Reason(_newcomer(kind, known, seen), feature, seen["bits"])
        case Feature.HOUR:
            text = f"first act on {hour_of(seen['tick'])} UTC" + _for(kind, span, new)
    return Reason(text + alike, feature, seen["bits"])


def _for(kind: str, span: str, new: bool) -> str:
    return f" for this {kind}, never seen before" if new else f" in {span} for this {kind}"


def _alike(own: _Own) -> str:
    if not own.peers:
        return "; it has no peers"
    return f"; {own.alike} of {own.peers} peers {'does' if own.alike == 1 else 'do'} it"


def _newcomer(kind: str, known: pl.DataFrame, seen: Mapping[str, Any]) -> str:
    widest = known.filter(pl.col("context") == seen["context_1"]).height - 1
    return f"this {kind} was never seen before; {max(widest, 0)} others of its kind are known"


def _known(seen: Mapping[str, Any], known: pl.DataFrame) -> _Own:
    here = known.filter(pl.col("context") == seen["context_0"])
    since = here.filter(pl.col("value") == TOTAL)["first"].min()
    last = here.filter(pl.col("value") == seen["value"])["last"].max()
    peers = _peers_of(seen, known)
    alike = 0
    if peers.len():
        salted = pl.select(context(Feature(seen["feature"]), 0, pl.lit(peers))).to_series()
        doing = (pl.col("value") == seen["value"]) & pl.col("context").is_in(salted.implode())
        alike = known.filter(doing).height
    return _Own(since, last, peers.len(), alike)  # type: ignore[arg-type]  # integers or None


def _peers_of(seen: Mapping[str, Any], known: pl.DataFrame) -> pl.Series:
    """Return the identities that are counted in the same peer group, itself left out."""
    members = pl.select(context(Feature.IDENTITY, 0, pl.lit(seen["peers"], pl.UInt64))).item()
    found = known.filter((pl.col("context") == members) & (pl.col("value") != TOTAL))
    return found["value"].filter(found["value"] != seen["who"]).sort().head(MOST_PEERS)


def _span(tick: int, own: _Own) -> str:
    """Return how long it was not seen, or how long the identity has been known without it."""
    before = own.last if own.last is not None else own.since
    return span_of(max(tick - before, 0) if before is not None else 0)


def span_of(minutes: int) -> str:
    """Return a time as people say it, in the largest unit that fits: ``41 days``."""
    for size, unit in _MINUTES:
        if minutes >= size:
            many = minutes // size
            return f"{many} {unit}{'s' * (many != 1)}"
    return "less than a minute"
