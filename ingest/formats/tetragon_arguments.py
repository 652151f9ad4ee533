"""The arguments of a hook, told by their types: paths, texts, numbers, ends of a connection.

In goes the list of a Tetragon event's ``args``, out comes one object. Separate from what the hooks
mean because the types are Tetragon's (api/v1/tetragon/tetragon.proto, KprobeArgument), the meaning
is the kernel's. Bytes that a call wrote or read are never kept: they may be anybody's secrets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ingest.address import canonical_address
from ingest.formats.file_mode import file_mode

if TYPE_CHECKING:
    from ingest.formats.reader import Document

_NUMBERS: Final = frozenset(("int_arg", "uint_arg", "size_arg", "long_arg"))
_FILES: Final = frozenset(("file_arg", "path_arg", "linux_binprm_arg"))
_ENDS: Final = frozenset(("sock_arg", "skb_arg", "sockaddr_arg"))
_SECRET: Final = frozenset(("bytes_arg", "truncated_bytes_arg"))
_DIGITS_MAX: Final = 20
_MANY: Final = 8
_LONG: Final = 1024
_MODE_LENGTH: Final = 10
_ADDRESS_LENGTH: Final = 64
_PORTS: Final = 65_535
_INT64: Final = 2**63


@dataclass(slots=True)
class Arguments:
    """The arguments of one call, in order within each type.

    ``after_path`` is the first number behind the first path or text: the mask, flags or mode that
    the call was given for it.
    """

    paths: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    peers: list[Document] = field(default_factory=list)
    after_path: int | None = None
    mode: str | None = None
    command: str | None = None


def read_arguments(args: list[Document]) -> Arguments:
    """Return the arguments of a call; what is of no known type means nothing."""
    found = Arguments()
    for argument in args:
        for kind, value in argument.items():
            _take(kind, value, found)
    return found


def without_bytes(args: list[Document]) -> list[Document]:
    """Return the first arguments as they are, but for what was read or written and long texts."""
    return [
        {
            kind: value[:_LONG] if isinstance(value, str) else value
            for kind, value in argument.items()
            if kind not in _SECRET
        }
        for argument in args[:_MANY]
    ]


def _take(kind: str, value: object, found: Arguments) -> None:
    if kind in _NUMBERS:
        number = whole_number(value)
        if number is not None:
            found.numbers.append(number)
            if found.after_path is None and (found.paths or found.texts):
                found.after_path = number
    elif kind == "string_arg" and isinstance(value, str):
        found.texts.append(value.rstrip("\x00"))
    elif isinstance(value, dict):
        if kind in _FILES:
            _take_file(value, found)
        elif kind in _ENDS:
            found.peers.append(_end(kind, value))
    elif kind == "bpf_cmd_arg" and isinstance(value, str):
        found.command = value


def _take_file(value: Document, found: Arguments) -> None:
    path, permission = value.get("path"), value.get("permission")
    if isinstance(path, str) and path:
        found.paths.append(path)
    if found.mode is None and isinstance(permission, str) and len(permission) == _MODE_LENGTH:
        found.mode = file_mode(permission)


def _end(kind: str, value: Document) -> Document:
    """Return the addresses that are any, ports that are ports, and the transport."""
    end: dict[str, Any] = {}
    is_unix = value.get("family") == "AF_UNIX"
    names = ("addr",) if kind == "sockaddr_arg" else ("saddr", "daddr")
    for name in names:
        address = value.get(name)
        if is_unix and isinstance(address, str) and name == "addr":
            end["path"] = address or None
        elif isinstance(address, str) and len(address) <= _ADDRESS_LENGTH:
            end[name] = canonical_address(address)
    for name in ("port", "sport", "dport"):
        port = whole_number(value.get(name))
        end[name] = port if port is not None and 0 < port <= _PORTS else None
    protocol = value.get("protocol")
    if isinstance(protocol, str) and protocol.startswith("IPPROTO_"):
        end["transport"] = protocol.removeprefix("IPPROTO_").lower()
    elif is_unix:
        end["transport"] = "unix"
    return end


def whole_number(value: object) -> int | None:
    """Return a signed 64-bit integer, also one that is written as digits or as unsigned."""
    if isinstance(value, str):
        digits = value.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS_MAX):
            return None
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    if value >= _INT64:
        value -= 2 * _INT64
    return value if -_INT64 <= value < _INT64 else None
