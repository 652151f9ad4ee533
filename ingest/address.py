"""A chain of forwarded addresses becomes the one address that can be believed.

Separate because a client chooses all but the last: sourceIPs is X-Forwarded-For, then X-Real-Ip,
then the peer (kubernetes/kubernetes issue 87167, k8s.io/apimachinery ``SourceIPs``).
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

Network = IPv4Network | IPv6Network

_CACHE_SIZE: Final = 65_536


@lru_cache(_CACHE_SIZE)
def canonical_address(text: str) -> str | None:
    """Return an address in its canonical form without zone, or None if it is none.

    IPv4-mapped IPv6 addresses become IPv4: the same peer must compare equal.
    """
    try:
        address = ip_address(text.partition("%")[0].strip("[] "))
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def source_address(chain: Sequence[str], trusted: Sequence[Network] = ()) -> str | None:
    """Return the last address that no trusted proxy added.

    Parameters
        chain: addresses as logged, the peer last.
        trusted: networks of proxies whose X-Forwarded-For is believed; ``::ffff:10.0.0.0/104``
            stands for ``10.0.0.0/8``.

    Returns
        canonical text, or None where the deciding address is none.
    """
    found = None
    for text in reversed(chain):
        found = canonical_address(text)
        if found is None or not trusted or not _is_trusted(found, trusted):
            break
    return found


def _is_trusted(text: str, trusted: Sequence[Network]) -> bool:
    address = ip_address(text)
    if any(address in network for network in trusted):
        return True
    mapped = ip_address(f"::ffff:{address}") if isinstance(address, IPv4Address) else address
    return any(mapped in network for network in trusted)
