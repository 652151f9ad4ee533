"""What KubeArmor says of an operation, in three texts, becomes the act and its object.

Separate because Operation, Resource and Data together say it, each kind of operation in its own way
(kubearmor/KubeArmor KubeArmor/monitor/logUpdate.go, enforcer/bpflsm/enforcer.go): a system call's
name, an LSM hook's (``lsm=``), a kernel function's (``kprobe=``, ``kfunc=``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from ingest.address import canonical_address
from ingest.formats.seen import Action
from ingest.formats.syscall_acts import ACTS, OPENING, access_of, opening_act

if TYPE_CHECKING:
    from ingest.formats.seen import Fields

_HOOKS: Final = {
    "file_open": Action.FILE_OPEN,
    "file_permission": Action.FILE_OPEN,
    "file_mknod": Action.FILE_CREATE,
    "file_mkdir": Action.FILE_CREATE,
    "file_rmdir": Action.FILE_DELETE,
    "file_unlink": Action.FILE_DELETE,
    "file_symlink": Action.FILE_LINK,
    "file_link": Action.FILE_LINK,
    "file_rename": Action.FILE_RENAME,
    "file_chmod": Action.FILE_ATTRIBUTES,
    "file_truncate": Action.FILE_MODIFY,
    "socket_connect": Action.NETWORK_CONNECT,
    "socket_accept": Action.NETWORK_ACCEPT,
    "security_bprm_check": Action.PROCESS_START,
    "capable": Action.CAPABILITY_USE,
    "tcp_connect": Action.NETWORK_CONNECT,
    "tcp_accept": Action.NETWORK_ACCEPT,
    "udp_sendmsg": Action.NAME_LOOKUP,
}
_OPERATIONS: Final = {
    "Process": Action.PROCESS_START,
    "File": Action.FILE_OPEN,
    "Capabilities": Action.CAPABILITY_USE,
    "AlertThreshold": Action.SENSOR_LOSS,
}
_ADDRESSES: Final = ("remoteip", "sin_addr", "sin6_addr", "daddr")
_PORTS: Final = ("port", "sin_port", "sin6_port")
_SUN_PATH: Final = "sun_path="
_ADDRESS_LENGTH: Final = 64
_PORT_DIGITS: Final = 5
_PORT_MOST: Final = 65_535
_CALL_LENGTH: Final = 40
_TRANSPORTS: Final = frozenset(("tcp", "udp", "icmp", "icmpv6", "sctp", "raw"))


@dataclass(slots=True)
class Told:
    """What a record says of the act; ``is_spent`` once Resource has a column."""

    operation: str
    resource: str | None
    facts: dict[str, str]
    is_spent: bool = False


def tell_act(told: Told, fields: Fields) -> None:
    """Put the act, its object and the system call into ``fields``."""
    call = _call(told, "syscall")
    hook = None
    if call is None or len(told.facts) > 1:
        hook = _call(told, "lsm") or _call(told, "kprobe") or _call(told, "kfunc")
    fields["trailwarden.syscall"] = call
    action = _action(told.operation, call, hook)
    if call in OPENING and action is Action.FILE_OPEN:
        access = access_of(told.facts.get("flags"))
        action = opening_act(access)
        fields["trailwarden.file.access"] = access or None
    fields["event.action"] = action
    if action is Action.PROCESS_START:
        told.is_spent = True
    elif told.operation == "File" or action.startswith("file-"):
        _read_file(action, told, fields)
    elif told.operation == "Network" or action.startswith("network-"):
        _read_network(action, told, fields)
    elif action is Action.MOUNT:
        fields["file.path"] = told.facts.get("target")


def _call(told: Told, key: str) -> str | None:
    """Return a call's name in small letters, without ``SYS_``."""
    name = told.facts.get(key)
    if not name or len(name) > _CALL_LENGTH:
        return None
    return _bare(name)


@lru_cache(1_024)
def _bare(name: str) -> str:
    return name.lower().removeprefix("sys_")


def _action(operation: str, call: str | None, hook: str | None) -> Action:
    if operation == "AlertThreshold":
        return Action.SENSOR_LOSS
    if hook in _HOOKS:
        return _HOOKS[hook]
    if call in OPENING:
        return Action.FILE_OPEN
    if call is not None:
        return ACTS.get(call, Action.SYSCALL)
    return _OPERATIONS.get(operation, Action.OTHER)


def _read_file(action: Action, told: Told, fields: Fields) -> None:
    fields["file.path"], told.is_spent = told.resource, True
    if action is Action.FILE_ATTRIBUTES and fields["event.outcome"] == "success":
        fields["file.uid"], fields["file.gid"] = told.facts.get("userid"), told.facts.get("group")


def _read_network(action: Action, told: Told, fields: Fields) -> None:
    """Put the ends into place: a client's address is the source, a server's the destination.

    The name of a Unix socket is its maker's choice, blanks included, and the pairs come in any
    order: so where there is one, nothing is read but the name.
    """
    _, is_unix, path = (told.resource or "").partition(_SUN_PATH)
    if is_unix or "sun_path" in told.facts:
        name = path.removesuffix(" sa_family=AF_UNIX") if is_unix else told.facts["sun_path"]
        fields["network.transport"], fields["file.path"] = "unix", name or None
        return
    facts = dict(told.facts)
    for pair in (told.resource or "").split(" "):
        key, divided, value = pair.partition("=")
        if divided:
            facts.setdefault(key, value)
    side = "source" if action is Action.NETWORK_ACCEPT else "destination"
    address = next((facts[name] for name in _ADDRESSES if facts.get(name)), None)
    if address is not None and len(address) <= _ADDRESS_LENGTH:
        fields[f"{side}.ip"] = canonical_address(address)
        told.is_spent = fields[f"{side}.ip"] is not None
    port = next((facts[name] for name in _PORTS if facts.get(name)), "")
    if port.isascii() and port.isdigit() and len(port) <= _PORT_DIGITS:
        fields[f"{side}.port"] = int(port) if 0 < int(port) <= _PORT_MOST else None
    if address is None and "AF_UNIX" in (facts.get("sa_family"), facts.get("domain")):
        fields["network.transport"] = "unix"
    elif (transport := facts.get("protocol", "").lower()) in _TRANSPORTS:
        fields["network.transport"] = transport
