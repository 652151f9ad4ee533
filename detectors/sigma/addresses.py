"""Networks become a predicate on the text of addresses, for IPv4 and IPv6.

Separate, because a CIDR test is numeric and columns hold text. Polars has no address type, and
a Python function per value would iterate over rows; so networks are written as one regular
expression over every spelling of the addresses inside them.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final, TypeAlias

from detectors.sigma.predicates import Predicate, regex

Network: TypeAlias = IPv4Network | IPv6Network
_Group: TypeAlias = tuple[str, ...]
"""The digits that each of the four places of an IPv6 group may have."""

_OCTET: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_HEX: Final = "0123456789abcdef"
_GROUPS: Final = 8
_DIGITS: Final = 4


def in_networks(networks: tuple[Network, ...]) -> Predicate:
    """Return the predicate that holds for addresses inside one of ``networks``.

    Text that is no address is in no network. So is an IPv6 address with a zone or with a dotted
    IPv4 tail: API servers log neither, Go writes mapped addresses as plain IPv4
    (https://pkg.go.dev/net#IP.String). Raises ``ValueError`` if the networks are too many.
    """
    spellings = "|".join(sorted({_spellings(network) for network in networks}))
    return regex([rf"(?i)\A(?:{spellings})\z"])


def network(text: str) -> Network:
    """Return the network written as ``text``; an address alone is a network of one.

    Raises ``ValueError`` with the reason, also when bits are set behind the prefix.
    """
    return ip_network(text)


def _spellings(network: Network) -> str:
    return _ipv4(network) if isinstance(network, IPv4Network) else _ipv6(network)


def _ipv4(network: IPv4Network) -> str:
    whole, rest = divmod(network.prefixlen, 8)
    octets = [str(octet) for octet in network.network_address.packed[:whole]]
    if rest:
        low = network.network_address.packed[whole]
        numbers = range(low, low + (1 << (8 - rest)))
        octets.append(f"(?:{'|'.join(str(number) for number in numbers)})")
    octets += [_OCTET] * (4 - len(octets))
    return r"\.".join(octets)


def _ipv6(network: IPv6Network) -> str:
    """Return the full spelling, and one for each run of groups that '::' may stand for."""
    groups = _groups(network)
    spellings = [":".join(_group(group) for group in groups)]
    for start in range(_GROUPS):
        for end in range(start + 1, _GROUPS + 1):
            if all(_may_be_zero(group) for group in groups[start:end]):
                before = ":".join(_group(group) for group in groups[:start])
                after = ":".join(_group(group) for group in groups[end:])
                spellings.append(f"{before}::{after}")
    return "|".join(spellings)


def _groups(network: IPv6Network) -> list[_Group]:
    whole, rest = divmod(network.prefixlen, 4)
    address = network.network_address.exploded.replace(":", "")
    digits = [*address[:whole], *[_HEX] * (len(address) - whole)]
    if rest:
        low = int(address[whole], 16)
        digits[whole] = _HEX[low : low + (1 << (4 - rest))]
    return [tuple(digits[at : at + _DIGITS]) for at in range(0, len(digits), _DIGITS)]


def _group(group: _Group) -> str:
    """Return the spellings of one group: leading zeros may be left out."""
    if group == (_HEX,) * _DIGITS:
        return "[0-9a-f]{1,4}"
    spellings = [
        "".join(f"[{digits}]" for digits in group[zeros:])
        for zeros in range(_DIGITS)
        if all("0" in digits for digits in group[:zeros])
    ]
    return f"(?:{'|'.join(spellings)})"


def _may_be_zero(group: _Group) -> bool:
    return all("0" in digits for digits in group)
