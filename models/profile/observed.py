"""Sightings become observations: in this minute, in this context, this value was seen.

Separate because it is the one list of what a profile is made of. Values and contexts are numbers
from here on, digests of their texts, the same in every process and on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cache, lru_cache
from hashlib import blake2b
from secrets import randbits
from typing import TYPE_CHECKING, Final

import polars as pl

from ingest.identity import identify
from models.network import network_of
from models.profile.action_key import (
    CLUSTER,
    CODE,
    DAY_TICKS,
    GROUPS,
    NAMESPACE,
    PATH,
    RESOURCE,
    SUBRESOURCE,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_PERSON: Final = b"tw.profile"
_CACHED: Final = 65_536
_SEPARATOR: Final = "\x1f"
_MOST_GROUPS: Final = 4
_GENERATED: Final = "-[bcdfghjklmnpqrstvwxz2456789]{5}$"
"""What `generateName` appends (k8s.io/apimachinery, util/rand: five of these)."""

_REFUSED: Final = (401, 403)
_IN_THE_VERB: Final = (
    *("exec", "attach", "portforward", "proxy", "log", "token", "scale", "approval"),
    *("binding", "eviction"),
)
"""Subresources that event.action already says."""


class Feature(IntEnum):
    """What is looked at in an act; the number is part of the digests of contexts."""

    ACT = 1
    NETWORK = 2
    AGENT = 3
    PLACE = 4
    WORKLOAD = 5
    ACTORS = 6
    IDENTITY = 7
    HOUR = 8


@dataclass(frozen=True, slots=True)
class Contexts:
    """In which contexts a value is counted, the narrowest first, and what the value is."""

    feature: Feature
    levels: tuple[str, ...]
    value: str
    about: str
    """Observations about the same thing are one reason to wonder, not several."""

    @property
    def is_personal(self) -> bool:
        """Whether the narrowest context is one identity."""
        return self.levels[0] == "who"


_OF_IDENTITY: Final = ("who", "peers", "type")
FEATURES: Final = (
    Contexts(Feature.ACT, _OF_IDENTITY, "act", "act"),
    Contexts(Feature.NETWORK, _OF_IDENTITY, "network", "network"),
    Contexts(Feature.AGENT, _OF_IDENTITY, "agent", "agent"),
    Contexts(Feature.PLACE, _OF_IDENTITY, "place", "place"),
    Contexts(Feature.WORKLOAD, ("place", "cluster"), "act", "act"),
    Contexts(Feature.ACTORS, ("deed", "cluster"), "peers", "act"),
    Contexts(Feature.IDENTITY, ("peers", "type"), "who", "who"),
    Contexts(Feature.HOUR, _OF_IDENTITY, "hour", "hour"),
)
"""identity -> peer group -> all of a type, and what is done to a namespace and by whom."""

PERSONAL: Final = tuple(one.feature.value for one in FEATURES if one.is_personal)
"""Numbers of the features whose narrowest context is an identity."""

_OF_ORIGIN: Final = ("network", "agent", "who", "hour")
"""Values that do not depend on what was done."""

MINUTE: Final = ("cluster", "tick", "who")
"""What makes a minute of an identity: columns of OBSERVED."""

LEVELS: Final = ("context_0", "context_1", "context_2")
OBSERVED: Final = pl.Schema(
    {
        "feature": pl.UInt8(),
        "cluster": pl.UInt64(),
        "tick": pl.Int64(),
        "who": pl.UInt64(),
        **dict.fromkeys(LEVELS, pl.UInt64()),
        "value": pl.UInt64(),
        "about": pl.UInt64(),
        "events": pl.UInt32(),
        "learnable": pl.UInt32(),
        "row": pl.UInt32(),
    }
)
"""``events`` with the value, ``learnable`` those of them that nothing flagged; ``row`` is that of a
sighting with it."""

_MIX: Final = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)
"""Odd multipliers: products modulo 2^64 lose nothing, and differ by place."""


@lru_cache(_CACHED)
def digest(text: str) -> int:
    """Return the number of a text, 63 bits: BLAKE2b, so that nobody can make two alike."""
    data = text.encode(errors="surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=8, person=_PERSON).digest(), "big") | 1


def context(feature: Feature, level: int, subject: pl.Expr) -> pl.Expr:
    """Return the context of a feature at a level, for the digest of a subject."""
    salt = digest(f"{feature.value}{_SEPARATOR}{level}")
    return subject ^ pl.lit(salt, dtype=pl.UInt64)


def observed(coded: pl.DataFrame) -> pl.DataFrame:
    """Return the observations of sightings, under OBSERVED: each value once a minute and identity.

    Parameters
        coded: sightings as `coded` returns them.
    """
    if coded.is_empty():
        return pl.DataFrame(schema=OBSERVED)
    origins = _origins(coded)
    stacked = pl.concat(
        [_of_feature(origins if one.value in _OF_ORIGIN else coded, one) for one in FEATURES]
    ).collect()
    found = (
        stacked.select("key", "events", "learnable")
        .with_row_index("place")
        .group_by("key")
        .agg(pl.col("events", "learnable").sum(), pl.col("place").min())
    )
    rest = stacked.drop("key", "events", "learnable")[found["place"]]
    return rest.hstack(found.select("events", "learnable")).select(OBSERVED.names())


def _origins(coded: pl.DataFrame) -> pl.DataFrame:
    """Return sightings without what was done: where whose acts came from, a sixth of the rows."""
    origin = pl.col("moment") ^ (pl.col("network") + pl.col("agent") * pl.lit(3, pl.UInt64))
    found = (
        coded.select(origin.alias("origin"), "count", "learnable", "row")
        .group_by("origin")
        .agg(pl.col("count", "learnable").sum(), pl.col("row").min())
    )
    rest = coded.drop("count", "learnable", "row")[found["row"]]
    return rest.hstack(found.drop("origin"))


def _of_feature(coded: pl.DataFrame, one: Contexts) -> pl.LazyFrame:
    """Return, for each sighting, what it says by one feature; of ``key`` there is one a minute."""
    subject = pl.col(one.value) ^ pl.lit(digest(one.feature.name), dtype=pl.UInt64)
    if one.levels[0] in {"place", "deed"}:
        subject ^= pl.col(one.levels[0]) * pl.lit(_MIX[2], dtype=pl.UInt64)
    levels = [context(one.feature, n, pl.col(name)) for n, name in enumerate(one.levels)]
    levels += [pl.lit(None, pl.UInt64)] * (len(LEVELS) - len(levels))
    return coded.lazy().select(
        (pl.col("moment") ^ subject).alias("key"),
        pl.lit(one.feature.value, pl.UInt8).alias("feature"),
        *MINUTE,
        *(level.alias(name) for name, level in zip(LEVELS, levels, strict=True)),
        pl.col(one.value).alias("value"),
        pl.col(one.about).alias("about"),
        pl.col("count").alias("events"),
        *("learnable", "row"),
    )


_THURSDAY: Final = 3
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def hour_of(tick: int) -> str:
    """Return the hour of the week, UTC: ``Monday 09:00``. 1970 began on a Thursday."""
    day, minute = divmod(tick, DAY_TICKS)
    return f"{_DAYS[(day + _THURSDAY) % 7]} {minute // 60:02}:00"


_NAMES: Final = ("user.name", "user.effective.name")


def identity_text() -> pl.Expr:
    """Return whose act it is: whom somebody acts as, else who authenticated, else nobody."""
    return pl.coalesce("user.effective.name", "user.name").fill_null("")


def with_type(sightings: pl.DataFrame) -> pl.DataFrame:
    """Return sightings with the ``type`` of their identities (`ingest.identity`)."""
    if not {*_NAMES} <= {*sightings.columns}:
        return sightings
    names = sightings.select(identity_text().alias("")).to_series()
    distinct = names.unique()
    types = pl.Series([identify(name).type for name in distinct], dtype=pl.String)
    return sightings.with_columns(
        names.replace_strict(distinct, types, return_dtype=pl.String).alias("type")
    )


def peers_text() -> pl.Expr:
    """Return the peer group: the namespace of service accounts, the groups of people.

    Of rows with their ``type``. Groups that Kubernetes itself gives say nothing about a team.
    """
    account = identity_text().str.extract("^system:serviceaccount:([^:]*):", 1)
    own = pl.col(GROUPS).list.filter(~pl.element().str.starts_with("system:"))
    team = own.list.sort().list.head(_MOST_GROUPS).list.join(",")
    return pl.concat_str("type", pl.coalesce(account, team).fill_null(""), separator=":")


def act_text() -> pl.Expr:
    """Return what was done to what kind of object, and whether it worked: ``get secrets``."""
    part = pl.col(SUBRESOURCE)
    below = pl.when(part.is_null() | (part == "") | part.is_in(_IN_THE_VERB)).then(pl.lit(""))
    place = "/" + pl.col(PATH).str.extract("^/([^/]*)").fill_null("")
    kind = pl.coalesce(pl.col(RESOURCE) + below.otherwise("/" + part), place)
    refused = pl.when(pl.col(CODE).is_in(_REFUSED)).then(pl.lit(" (refused)"))
    failed = refused.when(pl.col("event.outcome") == "failure").then(pl.lit(" (failed)"))
    return pl.col("event.action").fill_null("") + " " + kind + failed.otherwise(pl.lit(""))


def place_text() -> pl.Expr:
    """Return the namespace, without what machines number it with: ``preview-#``."""
    name = pl.col(NAMESPACE).fill_null("")
    return name.str.replace(_GENERATED, "-*").str.replace_all("[0-9]+", "#")


def agent_text() -> pl.Expr:
    """Return the client program without its version."""
    return pl.col("user_agent.name").fill_null("")


def network_text() -> pl.Expr:
    """Return the network of the caller's address, /24 or /64."""
    return network_of(pl.col("source.ip")).fill_null("")


@dataclass(frozen=True, slots=True)
class _Said:
    """A text that some columns decide."""

    name: str
    columns: tuple[str, ...]
    text: pl.Expr


_CLUSTER_TEXT: Final = pl.col(CLUSTER).fill_null("")
_OF_CLUSTER: Final = _CLUSTER_TEXT + _SEPARATOR
_WHO: Final = (CLUSTER, *_NAMES)
_SAID: Final = (
    _Said("cluster", (CLUSTER,), _CLUSTER_TEXT),
    _Said("who", _WHO, _OF_CLUSTER + identity_text()),
    _Said("peers", (*_WHO, GROUPS), _OF_CLUSTER + peers_text()),
    _Said("type", _WHO, _OF_CLUSTER + pl.col("type")),
    _Said("act", ("event.action", RESOURCE, SUBRESOURCE, "event.outcome", CODE, PATH), act_text()),
    _Said("place", (CLUSTER, NAMESPACE), _OF_CLUSTER + place_text()),
    _Said("agent", ("user_agent.name",), agent_text()),
    _Said("network", ("source.ip",), network_text()),
)


def coded(sightings: pl.DataFrame) -> pl.DataFrame:
    """Return the digests of what each sighting (`models.profile.action_key`) says."""
    apart = sightings.select(_apart(one.columns, n).alias(one.name) for n, one in enumerate(_SAID))
    found = apart.select(pl.all().unique().implode()).row(0)
    if len(_known) > _CACHED:
        _known.clear()
    for one, values in zip(_SAID, found, strict=True):
        new = [value for value in values if value not in _known]
        if new:
            _learn(sightings, apart[one.name], new, one)
    distinct = [value for values in found for value in values]
    codes = pl.Series([_known[value] for value in distinct], dtype=pl.UInt64)
    ticks = sightings["tick"].unique()
    hours = pl.Series([digest(hour_of(tick)) for tick in ticks], dtype=pl.UInt64)
    tick, who, peers = (pl.lit(multiplier, dtype=pl.UInt64) for multiplier in _MIX)
    # With its peers: somebody may be now of this team, now of that, in the same minute.
    mixed = pl.col("who") * who ^ pl.col("peers") * peers
    mapped = apart.select(
        pl.all().replace_strict(pl.Series(distinct, dtype=pl.UInt64), codes, return_dtype=pl.UInt64)
    )
    return mapped.with_columns(
        sightings["tick"],
        sightings["count"],
        (sightings["count"] - sightings["flagged"]).alias("learnable"),
        pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"),
        sightings["tick"].replace_strict(ticks, hours, return_dtype=pl.UInt64).alias("hour"),
        (pl.col("act") ^ pl.col("cluster") * pl.lit(_MIX[2], dtype=pl.UInt64)).alias("deed"),
        (pl.lit(sightings["tick"]).reinterpret(signed=False) * tick ^ mixed).alias("moment"),
    )


def _apart(columns: Sequence[str], salt: int) -> pl.Expr:
    """Return a hash that tells rows apart by some columns, in this process only.

    Its seeds are drawn by each process: nobody can prepare two rows that are taken for one.
    """
    seeds = _seeds((*columns, str(salt)))
    apart = pl.lit(seeds[-1], dtype=pl.UInt64)
    for seed, name in zip(seeds, columns, strict=False):
        # A path counts only where no resource is named: else each object would be another act.
        read = pl.col(name) if name != PATH else pl.when(pl.col(RESOURCE).is_null()).then(name)
        apart = apart ^ read.hash(seed)
    return apart


@cache
def _seeds(of_what: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(randbits(64) for _ in of_what)


_known: dict[int, int] = {}
"""Digest by `_apart`: a digest is made once in the life of the process."""


def _learn(sightings: pl.DataFrame, apart: pl.Series, new: list[int], one: _Said) -> None:
    """Make the digests of values that are not known yet."""
    wanted = apart.is_in(pl.Series(new, dtype=pl.UInt64).implode())
    rows = sightings.select(*one.columns).with_columns(apart.alias("apart")).filter(wanted)
    first = rows.unique("apart")
    texts = with_type(first).select(one.text.alias("")).to_series()
    _known.update(zip(first["apart"], map(digest, texts), strict=True))
