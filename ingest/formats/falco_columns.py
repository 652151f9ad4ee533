"""Falco's fields and the columns they fill, one to one.

Separate from the decoder because it is a table. Names and meanings: falco.org, reference "Supported
Fields for Conditions and Outputs", and the k8smeta plugin's README (falcosecurity/plugins).
"""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "proc.name": "process.name",
    "proc.exepath": "process.executable",
    "proc.cmdline": "process.command_line",
    "proc.cwd": "process.working_directory",
    "proc.pname": "process.parent.name",
    "proc.pexepath": "process.parent.executable",
    "proc.pcmdline": "process.parent.command_line",
    "user.name": "user.name",
    "user.uid": "user.id",
    "user.loginname": "user.audit.name",
    "container.name": "container.name",
    "container.type": "container.runtime",
    "k8s.ns.name": "orchestrator.namespace",
    "k8smeta.ns.name": "orchestrator.namespace",
    "k8s.pod.name": "orchestrator.resource.name",
    "k8smeta.pod.name": "orchestrator.resource.name",
    "k8s.pod.uid": "orchestrator.resource.id",
    "k8smeta.pod.uid": "orchestrator.resource.id",
    "fd.sip.name": "destination.domain",
    "fd.cip.name": "source.domain",
}
"""Where two fill one column, the first that has a value does."""

NUMBERS: Final = {"proc.pid": "process.pid", "proc.ppid": "process.parent.pid"}

SPENT: Final = frozenset({"evt.time", "evt.time.iso8601", "evt.dir"})
"""Said elsewhere in the record, or of no use."""

WORKLOADS: Final = {
    "k8smeta.deployment.name": "Deployment",
    "k8s.deployment.name": "Deployment",
    "k8smeta.rs.name": "ReplicaSet",
    "k8s.rs.name": "ReplicaSet",
    "k8smeta.rc.name": "ReplicationController",
    "k8s.rc.name": "ReplicationController",
}
"""The highest first."""

CLASSES: Final = frozenset(
    {
        "evt",
        "proc",
        "thread",
        "user",
        "group",
        "container",
        "fd",
        "fdlist",
        "fs",
        "syslog",
        "k8s",
        "k8smeta",
        "ka",
        "jevt",
        "ct",
        "gcp",
        "okta",
        "github",
    }
)
"""First words of the fields that Falco and its plugins fill in; falcosidekick adds others."""
