"""An address column becomes the network it lies in: /24 of IPv4, /64 of IPv6.

Separate because sessions, logins, profiles and the memory of entities must mean the same by a
network. A host within its network changes by itself (DHCP, pods, NAT pools); a /64 is what one site
or one host is given (RFC 6177).
"""

from __future__ import annotations

from typing import Final

import polars as pl

_GROUPS: Final = 8
_NETWORK_GROUPS: Final = 4
_ZEROS: Final = pl.lit(pl.Series([["0"] * _GROUPS]))


def network_of(address: pl.Expr) -> pl.Expr:
    """Return the network of canonical addresses (`ingest.address`); null where there is none."""
    is_v6 = address.str.contains(":", literal=True)
    six = _first_groups(address).list.join(":") + "::/64"
    return pl.when(is_v6).then(six).otherwise(ipv4_network_of(address))


def ipv4_network_of(address: pl.Expr) -> pl.Expr:
    """Return the same where no address is of IPv6, at a tenth of the cost."""
    return address.str.extract(r"^(\d+\.\d+\.\d+)\.\d+$") + ".0/24"


def _first_groups(address: pl.Expr) -> pl.Expr:
    """Return the first four groups of an IPv6 address, its `::` written out."""
    parts = address.str.splitn("::", 2).struct
    left, right = (_groups(parts.field(f"field_{n}")) for n in (0, 1))
    missing = (_GROUPS - left.list.len().cast(pl.Int64) - right.list.len()).clip(0, _GROUPS)
    return pl.concat_list(left, _ZEROS.list.head(missing), right).list.head(_NETWORK_GROUPS)


def _groups(text: pl.Expr) -> pl.Expr:
    return text.fill_null("").str.split(":").list.filter(pl.element() != "")
