"""The labels that Kubernetes puts on its containers become the pod that a container is of.

Separate because every container runtime hands them on (kubernetes/kubernetes pkg/kubelet/types/
labels.go): Docker among an event's attributes, containerd among a container's labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ingest.formats.reader import Document, Reader
    from ingest.formats.seen import Fields

_POD: Final = "io.kubernetes.pod.name"
_LABELS: Final = (
    (_POD, "orchestrator.resource.name"),
    ("io.kubernetes.pod.namespace", "orchestrator.namespace"),
    ("io.kubernetes.pod.uid", "orchestrator.resource.id"),
    ("io.kubernetes.container.name", "container.name"),
)


def read_labels(labels: Document, read: Reader, fields: Fields) -> None:
    """Put a pod's names into ``fields``, if the labels name one."""
    if _POD not in labels:
        return
    fields["orchestrator.resource.type"] = "pods"
    for label, column in _LABELS:
        if label in labels:
            fields[column] = read.text(labels, label)
