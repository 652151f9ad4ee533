"""An address column becomes the network it lies in: /24 of IPv4, /64 of IPv6.

Separate because sessions and logins must mean the same by a network. A host within its network
changes by itself (DHCP, pods, NAT pools); a /64 is what one site or one host is given (RFC 6177).
"""

from __future__ import annotations

from typing import Final

import polars as pl

_GROUPS: Final = 8
_NETWORK_GROUPS: Final = 4


def network_of(address: pl.Expr) -> pl.Expr:
    """Return the network of canonical addresses (`ingest.address`); null where there is none."""
    four = address.str.extract(r"^(\d+\.\d+\.\d+)\.\d+$", 1)
    six = _first_groups(address).list.join(":")
    return (
        pl.when(four.is_not_null())
        .then(four + ".0/24")
        .when(address.str.contains(":", literal=True))
        .then(six + "::/64")
    )


def _first_groups(address: pl.Expr) -> pl.Expr:
    """Return the first four groups of an IPv6 address, its `::` written out."""
    parts = address.str.splitn("::", 2).struct
    left, right = (_groups(parts.field(f"field_{n}")) for n in (0, 1))
    missing = (_GROUPS - left.list.len().cast(pl.Int64) - right.list.len()).clip(0, _GROUPS)
    zeros = pl.lit(["0"] * _GROUPS).list.head(missing)
    return pl.concat_list(left, zeros, right).list.head(_NETWORK_GROUPS)


def _groups(text: pl.Expr) -> pl.Expr:
    return text.fill_null("").str.split(":").list.filter(pl.element() != "")
