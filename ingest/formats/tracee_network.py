"""Socket addresses and DNS packets of a Tracee event in, the ends of a connection out.

Separate because they are trees of their own, spelled differently by Tracee's two generations
(types/trace: ``sin_port`` as text; api/v1beta1/event_data.proto: as a number).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingest.address import canonical_address
from ingest.formats.seen import Action
from ingest.formats.tracee_values import either, plain

if TYPE_CHECKING:
    from ingest.formats.reader import Document, Reader
    from ingest.formats.seen import Fields
    from ingest.formats.tracee_values import Arguments

_PROTOCOLS: Final = {6: "tcp", 17: "udp"}
_SOCKETS: Final = {"SOCK_STREAM": "tcp", "SOCK_DGRAM": "udp", 1: "tcp", 2: "udp"}

_TRANSPORTS: Final = frozenset({"tcp", "udp", "icmp", "icmpv6"})
_ADDRESS_LENGTH: Final = 64

_REMOTE: Final = ("remote_addr", "addr", "dest_addr", "uservaddr")
_LOCAL: Final = ("local_addr", "umyaddr")


def tell_connection(action: Action, told: Arguments, fields: Fields, read: Reader) -> None:
    """Fill source (the client) and destination (the server)."""
    remote, local = _address(_REMOTE, told, read), _address(_LOCAL, told, read)
    if action is Action.NETWORK_LISTEN:
        remote, local = local or remote, {}
    client, server = (remote, local) if action is Action.NETWORK_ACCEPT else (local, remote)
    _fill("source", client, fields, read)
    _fill("destination", server, fields, read)
    kind = told.get("type")
    if "network.transport" not in fields and isinstance(kind, str | int) and kind in _SOCKETS:
        fields["network.transport"] = _SOCKETS[kind]
        del told["type"]
    if "dst" in told:
        _tell_flow(told, fields, read)
        fields["network.transport"] = "tcp"


def tell_packet(name: str, told: Arguments, fields: Fields, read: Reader) -> None:
    """Fill the ends of a packet: ``net_packet_tcp`` and its like."""
    _tell_flow(told, fields, read)
    protocol = name.removeprefix("net_packet_")
    if protocol in _TRANSPORTS:
        fields["network.transport"] = protocol


def _address(names: tuple[str, ...], told: Arguments, read: Reader) -> Document:
    for name in names:
        if isinstance(told.get(name), dict):
            return read.mapping({name: told.pop(name)}, name)
    return {}


def _fill(end: str, address: Document, fields: Fields, read: Reader) -> None:
    if path := read.text(address, "sun_path"):
        fields["file.path"], fields["network.transport"] = path, "unix"
    for kind in ("sin", "sin6"):
        if ip := _ip(address, f"{kind}_addr", read):
            fields[f"{end}.ip"] = ip
            fields[f"{end}.port"] = read.number(address, f"{kind}_port")


def _ip(document: Document, key: str, read: Reader) -> str | None:
    text = read.text(document, key)
    return canonical_address(text) if text and len(text) <= _ADDRESS_LENGTH else None


def _tell_flow(told: Arguments, fields: Fields, read: Reader) -> None:
    """Fill from net_tcp_connect and its like: ``src``, ``dst``, ports, names."""
    for prefix, end in (("src", "source"), ("dst", "destination")):
        if prefix in told:
            fields[f"{end}.ip"] = _ip({prefix: told.pop(prefix)}, prefix, read)
        if (key := f"{prefix}_port") in told:
            fields[f"{end}.port"] = read.number({key: told.pop(key)}, key)
        if names := read.texts(told, f"{prefix}_dns"):
            fields[f"{end}.domain"] = names[0]


def tell_lookup(told: Arguments, fields: Fields, read: Reader) -> None:
    """Fill the name that was asked for, and who was asked."""
    packet = read.mapping(told, "metadata")
    told.pop("metadata", None)
    for prefix, end in (("src", "source"), ("dst", "destination")):
        fields[f"{end}.ip"] = _ip(packet, f"{prefix}_ip", read)
        fields[f"{end}.port"] = read.number(packet, f"{prefix}_port")
    fields["network.transport"] = _PROTOCOLS.get(read.number(packet, "protocol") or 0)
    for question in _questions(told):
        name = question.get("query") or question.get("name")
        if isinstance(name, str):
            fields["destination.domain"] = name
            return


def _questions(told: Arguments) -> list[Document]:
    """Return the questions of a request, a response or a whole packet."""
    packet = told.get("proto_dns")
    asked = told.get("dns_questions")
    if asked is None and isinstance(packet, dict):
        asked = packet.get("questions")
    if isinstance(asked, dict):
        asked = asked.get("questions")
    answered = told.get("dns_responses", told.get("dns_response"))
    if isinstance(answered, dict):
        answered = answered.get("responses")
    asked = asked if isinstance(asked, list) else []
    found: list[Document] = [one for one in asked if isinstance(one, dict)]
    for answer in answered if isinstance(answered, list) else ():
        if isinstance(answer, dict):
            question = plain(answer.get("query_data")) or either(answer, "dns_query_data")
            found += [question] if isinstance(question, dict) else []
    return found
