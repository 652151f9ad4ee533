"""The kernel's socket address in, columns of the peer or the local end out.

Separate because it is bytes, and because which end it is depends on the call: of ``connect`` and
sending the far one, of ``accept`` and receiving the peer, of ``bind`` the local one.

Format: ``saddr`` is a struct sockaddr in hexadecimal (Linux kernel/auditsc.c), its family in the
machine's byte order, port and address in the network's (ip(7), ipv6(7), unix(7)).
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from ingest.formats.seen import Action

if TYPE_CHECKING:
    from ingest.formats.seen import Fields

_UNIX, _INET, _INET6 = 1, 2, 10
_INET_BYTES: Final = 8
_INET6_BYTES: Final = 24
_ENDS: Final = {
    Action.NETWORK_CONNECT: "destination",
    Action.NETWORK_ACCEPT: "source",
    Action.NETWORK_LISTEN: "source",
}


def fill_socket(address: bytes, action: Action, fields: Fields) -> None:
    """Fill what an address says; nothing where it is cut off or of another family."""
    family = address[0] or address[1] if len(address) > 1 else 0
    if family == _UNIX:
        _fill_unix(address[2:], fields)
        return
    end = _ENDS.get(action, "destination")
    if family == _INET and len(address) >= _INET_BYTES:
        fields[f"{end}.ip"] = socket.inet_ntop(socket.AF_INET, address[4:8])
    elif family == _INET6 and len(address) >= _INET6_BYTES:
        fields[f"{end}.ip"] = socket.inet_ntop(socket.AF_INET6, address[8:24])
    else:
        return
    fields[f"{end}.port"] = int.from_bytes(address[2:4], "big")


def _fill_unix(path: bytes, fields: Fields) -> None:
    """Fill the socket's path; an abstract name begins with a zero byte, which tools write ``@``."""
    fields["network.transport"] = "unix"
    name = path[1:].rstrip(b"\0") if path[:1] == b"\0" else path.partition(b"\0")[0]
    if name:
        mark = "@" if path[:1] == b"\0" else ""
        fields["file.path"] = mark + name.decode(errors="replace")
