"""Calls become facts about identities and credentials: from where, with what, made by whom.

Separate from what is said of pods and rights because every call says it, so that it is reduced to
distinct combinations of an hour before anything else is done.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.entities.fact_rows import facts
from detectors.entities.relation import JOINT, Relation
from detectors.sigma.addresses import in_networks
from detectors.site import DEFAULT_LISTS
from models.network import ipv4_network_of, network_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_CALL: Final = ("cluster", "user", "credential", "address", "agent")
"""The type of an identity follows from its name."""
_GRAIN_US: Final = 3_600_000_000
"""No relation of identities notes confirmations more often."""

TOKEN: Final = (
    "namespace",
    "name",
    "issued",
    "user",
    "identity",
    "credential",
    "address",
)
SECRET: Final = ("namespace", "name", "user")

_INSIDE: Final = in_networks(tuple(map(ip_network, DEFAULT_LISTS["trusted_networks"])))

MINTED_PARTS: Final = 4
"""Of the object of credential-minted-by: type, address, credential and, last, user name."""


def call_facts(calls: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield what calls say of who made them, each combination once an hour."""
    made = _distinct(calls).filter(pl.col("user").is_not_null())
    address = pl.col("address")
    only_v4 = not made["address"].str.contains(":", literal=True).any()
    yield facts(
        made,
        pl.col("user"),
        {
            Relation.IDENTITY_CALL: pl.col("identity"),
            Relation.IDENTITY_CREDENTIAL: pl.col("credential"),
            Relation.IDENTITY_ADDRESS: address,
            Relation.IDENTITY_NETWORK: ipv4_network_of(address) if only_v4 else network_of(address),
            Relation.IDENTITY_AGENT: pl.col("agent"),
        },
    )
    yield facts(made, pl.col("credential"), {Relation.CREDENTIAL_ADDRESS: address})


def origin_facts(calls: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield from where people called, in turn: each change, and that it was so some minutes later.

    Private addresses are in no place, and of machines no journey is told.
    """
    people = calls.select((pl.col("identity") == "human").alias("person"))["person"].fill_null(
        value=False
    )
    if not people.any():
        return
    outside = calls.filter(people).filter(~_INSIDE(pl.col("address")))
    yield facts(outside, pl.col("user"), {Relation.IDENTITY_ORIGIN: pl.col("address")})


def _distinct(calls: pl.DataFrame) -> pl.DataFrame:
    """Return the first call of each combination and hour, in order of time and event."""
    timed = calls.with_columns((pl.col("time") // _GRAIN_US).alias("hour"))
    return timed.sort("time", "event").unique([*_CALL, "hour"], keep="first", maintain_order=False)


def token_facts(writes: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield what token requests say: who minted which token, from where, for whom."""
    parts = [pl.col(name).fill_null("") for name in ("identity", "address", "credential", "user")]
    account = pl.concat_str(
        pl.lit("system:serviceaccount:"), "namespace", pl.lit(":"), "name", ignore_nulls=False
    )
    yield facts(
        writes,
        pl.col("issued"),
        {
            Relation.CREDENTIAL_MINTED_BY: pl.concat_str(parts, separator=JOINT),
            Relation.CREDENTIAL_MINTED_FOR: account,
        },
    )


def secret_facts(reads: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield who read which secrets: ``namespace/name``; ``*`` stands for all there are."""
    secret = pl.concat_str(
        pl.col("namespace").fill_null("*"), pl.lit("/"), pl.col("name").fill_null("*")
    )
    yield facts(reads, secret, {Relation.SECRET_READER: pl.col("user")})
