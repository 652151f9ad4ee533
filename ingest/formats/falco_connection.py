"""Falco's fields of a file descriptor in, the file or the two ends of the connection out.

Separate because one field, `fd.name`, holds a path, `CLIENT:PORT->SERVER:PORT`, or
`ADDRESS->ADDRESS /path` of a Unix socket, and the ends have fields of their own in some rules only.
Client is always left (falcosecurity/libs userspace/libsinsp, ipv4tuple_to_string).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from ingest.address import canonical_address
from ingest.formats.seen import Action

if TYPE_CHECKING:
    from ingest.formats.reader import Reader
    from ingest.formats.seen import Fields

_ADDRESS: Final = frozenset("0123456789abcdefABCDEF.:")
_ADDRESS_LENGTH: Final = 64
_NAME_LENGTH: Final = 128
"""Characters of a name that is remembered: two addresses with ports are shorter."""

_PORT_DIGITS: Final = 5

_CLIENT: Final = ("fd.cip", "fd.cport")
_SERVER: Final = ("fd.sip", "fd.sport")
_LOCAL: Final = ("fd.lip", "fd.lport")
_REMOTE: Final = ("fd.rip", "fd.rport")
_TRANSPORT: Final = "fd.l4proto"


def connect(action: Action, rest: dict[str, Any], fields: Fields, read: Reader) -> None:
    """Move what a descriptor is from ``rest`` to columns: source is the client."""
    name = rest.get("fd.name")
    if name is not None and _fill_from_name(read.text(rest, "fd.name") or "", fields):
        del rest["fd.name"]
    if _KEYS.isdisjoint(rest):
        return
    both = "source.ip" in fields and "destination.ip" in fields
    for keys, end in _UNDIRECTED if both else _ENDS.get(action, _UNDIRECTED):
        _fill(keys, end, rest, fields, read)
    if both:  # which side was local or remote is said already
        for key in (*_LOCAL, *_REMOTE):
            rest.pop(key, None)
    if _TRANSPORT in rest and (transport := read.text(rest, _TRANSPORT)):
        fields["network.transport"] = transport
        del rest[_TRANSPORT]


_KEYS: Final = frozenset({*_CLIENT, *_SERVER, *_LOCAL, *_REMOTE, _TRANSPORT})
_UNDIRECTED: Final = ((_CLIENT, "source"), (_SERVER, "destination"))
_ENDS: Final = {
    Action.NETWORK_CONNECT: (*_UNDIRECTED, (_LOCAL, "source"), (_REMOTE, "destination")),
    Action.NETWORK_ACCEPT: (*_UNDIRECTED, (_REMOTE, "source"), (_LOCAL, "destination")),
}


def _fill(
    keys: tuple[str, str], end: str, rest: dict[str, Any], fields: Fields, read: Reader
) -> None:
    address, port = keys
    if address in rest and (text := _canonical(read.text(rest, address))):
        fields[f"{end}.ip"] = text
        del rest[address]
    if port in rest and (number := read.number(rest, port)) is not None:
        fields[f"{end}.port"] = number
        del rest[port]


def _canonical(address: str | None) -> str | None:
    return canonical_address(address) if address and len(address) <= _ADDRESS_LENGTH else None


def _fill_from_name(name: str, fields: Fields) -> bool:
    """Fill from `fd.name`; False if it is none of the three."""
    if name[:1] == "/":
        fields["file.path"] = name
        return True
    if len(name) <= _NAME_LENGTH and (ends := _ends(name)):
        client, server = ends
        if client is not None:
            fields["source.ip"], fields["source.port"] = client
        fields["destination.ip"], fields["destination.port"] = server
        return True
    _, arrow, right = name.partition("->")
    path = right.partition(" ")[2]
    if arrow and path[:1] == "/":
        fields["file.path"], fields["network.transport"] = path, "unix"
        return True
    return False


@lru_cache(4_096)
def _ends(name: str) -> tuple[tuple[str, int] | None, tuple[str, int]] | None:
    """Return client and server of a connection, or the server alone where there is no client."""
    left, arrow, right = name.partition("->")
    client, server = _endpoint(left), _endpoint(right if arrow else left)
    if server is None or (arrow and client is None):
        return None
    return (client, server) if arrow else (None, server)


def _endpoint(text: str) -> tuple[str, int] | None:
    """Split `ADDRESS:PORT`; an IPv6 address has no brackets in Falco's texts."""
    address, _, port = text.rpartition(":")
    is_port = port.isascii() and port.isdigit() and len(port) <= _PORT_DIGITS
    if not is_port or not _ADDRESS.issuperset(address):
        return None
    found = _canonical(address)
    return None if found is None else (found, int(port))
