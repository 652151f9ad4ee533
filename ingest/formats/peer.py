"""The far end of a login, as programs write it, becomes address, name and port columns.

Separate because every program that logs logins names its peer, and what goes into ``source.ip``
must be an address and nothing else: an index refuses the event otherwise, and who logs in may own
the DNS name that stands in its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingest.address import canonical_address

if TYPE_CHECKING:
    from ingest.formats.seen import Fields

_NONE: Final = frozenset({"", "UNKNOWN", "?", "-", "<unknown>"})
_LONGEST_ADDRESS: Final = 64
_LONGEST_NAME: Final = 255
_PORT_DIGITS: Final = 5


def peer(text: str, port: str = "") -> Fields:
    """Return ``source.ip`` or ``source.domain`` and ``source.port``, each where there is one."""
    if text in _NONE:
        return {}
    found = canonical_address(text) if len(text) <= _LONGEST_ADDRESS else None
    if found is not None:
        fields: Fields = {"source.ip": found}
    else:
        fields = {"source.domain": text} if len(text) <= _LONGEST_NAME else {}
    if port.isascii() and port.isdigit() and len(port) <= _PORT_DIGITS:
        fields["source.port"] = int(port)
    return fields
