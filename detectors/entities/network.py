"""An address becomes its network: /24 of IPv4, /64 of IPv6, as text.

Separate because facts are made from it and questions are asked with it, and both must agree.
"""

from __future__ import annotations

from typing import Final

import polars as pl

_GROUPS: Final = 8
_OF_NETWORK: Final = 4
_ZEROS: Final = pl.lit(pl.Series([["0"] * _GROUPS]))


def network_of(address: pl.Expr) -> pl.Expr:
    """Return the network of each address in its canonical form (RFC 5952); null if it is none."""
    is_v6 = address.str.contains(":", literal=True)
    return pl.when(is_v6).then(_v6(address)).otherwise(ipv4_network_of(address))


def ipv4_network_of(address: pl.Expr) -> pl.Expr:
    """Return the same where no address is of IPv6, at a tenth of the cost."""
    return address.str.extract(r"^(\d+\.\d+\.\d+)\.\d+$") + ".0/24"


def _v6(address: pl.Expr) -> pl.Expr:
    """Write out what ``::`` stands for as far as the first four groups need it."""
    halves = address.str.splitn("::", 2)
    before = _groups(halves.struct.field("field_0"))
    after = _groups(halves.struct.field("field_1").fill_null(""))
    missing = (_GROUPS - before.list.len() - after.list.len()).clip(0, _GROUPS)
    groups = pl.concat_list(before, _ZEROS.list.head(missing), after).list.head(_OF_NETWORK)
    return groups.list.join(":") + "::/64"


def _groups(text: pl.Expr) -> pl.Expr:
    return text.str.split(":").list.filter(pl.element() != "")
