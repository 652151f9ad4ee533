"""What one record of a machine, a container or a sensor says: columns of an event, few of many.

Separate from the decoders because all of them return it, and everything behind them reads nothing
else. The API server's own events have a typed shape of their own (ingest/formats/audit_event.py).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

if TYPE_CHECKING:
    from datetime import datetime

Fields = dict[str, Any]
"""Column of EVENT_SCHEMA -> value of its type; times as text (ingest/formats/clock.py).

What is None need not be there."""


class Dataset(StrEnum):
    """``event.dataset``: one for each kind of record, whatever carried it."""

    AUDIT = "kubernetes.audit"
    EKS_AUTHENTICATOR = "eks.authenticator"
    FALCO = "falco.alerts"
    TETRAGON = "tetragon.events"
    TRACEE = "tracee.events"
    KUBEARMOR = "kubearmor.alerts"
    AUDITD = "auditd.log"
    DOCKER = "docker.events"
    CONTAINERD = "containerd.events"
    FILE_INTEGRITY = "fim.event"
    WAZUH = "wazuh.syscheck"
    OSQUERY = "osquery.result"
    AUTH = "system.auth"
    LOGIN_RECORDS = "system.wtmp"


class Action(StrEnum):
    """``event.action`` of what is no API call. A closed list: rules are written against it."""

    PROCESS_START = "process-start"
    PROCESS_END = "process-end"
    FILE_OPEN = "file-open"
    FILE_CREATE = "file-create"
    FILE_MODIFY = "file-modify"
    FILE_DELETE = "file-delete"
    FILE_RENAME = "file-rename"
    FILE_LINK = "file-link"
    FILE_ATTRIBUTES = "file-attributes"
    NETWORK_CONNECT = "network-connect"
    NETWORK_ACCEPT = "network-accept"
    NETWORK_LISTEN = "network-listen"
    NAME_LOOKUP = "name-lookup"
    LOGIN = "login"
    LOGOUT = "logout"
    AUTHENTICATE = "authenticate"
    SESSION_START = "session-start"
    SESSION_END = "session-end"
    SWITCH_USER = "switch-user"
    RUN_AS = "run-as"
    ACCOUNT_CREATE = "account-create"
    ACCOUNT_CHANGE = "account-change"
    ACCOUNT_DELETE = "account-delete"
    GROUP_CHANGE = "group-change"
    CONTAINER_CREATE = "container-create"
    CONTAINER_START = "container-start"
    CONTAINER_EXEC = "container-exec"
    CONTAINER_STOP = "container-stop"
    CONTAINER_DELETE = "container-delete"
    IMAGE_PULL = "image-pull"
    IMAGE_CHANGE = "image-change"
    MODULE_LOAD = "module-load"
    BPF_LOAD = "bpf-load"
    MOUNT = "mount"
    PTRACE = "ptrace"
    CREDENTIALS_CHANGE = "credentials-change"
    CAPABILITY_USE = "capability-use"
    NAMESPACE_CHANGE = "namespace-change"
    SYSCALL = "syscall"
    AUDIT_CHANGE = "audit-change"
    SENSOR_LOSS = "sensor-loss"
    BOOT = "boot"
    SHUTDOWN = "shutdown"
    ALERT = "alert"
    """A tool's finding about an act that is none of the others."""
    OTHER = "other"


class Around(Struct, frozen=True, gc=False):
    """What is known of a record apart from its bytes.

    ``received`` is when a collector took it, or when its file was last written; None if unknown.
    Times without a year or a zone are completed by it, so that they depend on the record alone.
    """

    received: datetime | None = None


class Seen(Struct, gc=False):
    """One event of a record.

    ``fields`` has at least ``event.dataset``, ``event.action`` and ``event.outcome``. ``identity``
    is what makes the event itself, beside cluster and dataset, the same however often and by
    whatever way the record is delivered: None for the bytes of the record. ``act`` is what other
    events of the same act have in common: None for the identity.
    """

    fields: Fields
    issues: list[str] = field(default_factory=list)
    identity: tuple[str, ...] | None = None
    act: tuple[str, ...] | None = None


class NotThisFormatError(Exception):
    """The record is not what its beginning promises; the text says why."""


class NotWantedError(NotThisFormatError):
    """The record is sound, and about something else: another program's line, another service."""
