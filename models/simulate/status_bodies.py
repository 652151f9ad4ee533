"""What nodes and controllers report of pods in, bodies of status records out.

Separate from the bodies of workloads because these are the same for every workload: only holes
differ.
"""

from __future__ import annotations

from typing import Any, Final

from models.simulate.blank import Blank, hole, value_hole


def _condition(kind: str, *, true: bool) -> dict[str, Any]:
    return {
        "lastProbeTime": None,
        "lastTransitionTime": hole("created"),
        "status": "True" if true else "False",
        "type": kind,
    }


def _pod_status(*, ready: bool) -> dict[str, Any]:
    names = ("PodReadyToStartContainers", "Ready", "ContainersReady")
    state: dict[str, Any] = (
        {"running": {"startedAt": hole("created")}}
        if ready
        else {"waiting": {"reason": "ContainerCreating"}}
    )
    status: dict[str, Any] = {
        "conditions": [
            *(_condition(name, true=ready) for name in names),
            _condition("Initialized", true=True),
            _condition("PodScheduled", true=True),
        ],
        "containerStatuses": [
            {
                "image": hole("image"),
                "imageID": hole("image_id"),
                "lastState": {},
                "name": hole("container"),
                "ready": ready,
                "restartCount": 0,
                "started": ready,
                "state": state,
            }
        ],
        "hostIP": hole("host"),
        "hostIPs": [{"ip": hole("host")}],
        "phase": "Running" if ready else "Pending",
        "startTime": hole("created"),
    }
    if ready:
        status |= {"podIP": hole("address"), "podIPs": [{"ip": hole("address")}]}
    return {"metadata": {"uid": hole("uid")}, "status": status}


POD_PENDING: Final = Blank(_pod_status(ready=False))
POD_RUNNING: Final = Blank(_pod_status(ready=True))

BINDING: Final = Blank(
    {
        "kind": "Binding",
        "apiVersion": "v1",
        "metadata": {"name": hole("name"), "namespace": hole("namespace"), "uid": hole("uid")},
        "target": {"kind": "Node", "name": hole("node")},
    }
)
SUCCESS: Final = b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success","code":201}'

GRACE: Final = Blank(
    {
        "kind": "DeleteOptions",
        "apiVersion": "meta.k8s.io/v1",
        "gracePeriodSeconds": 0,
        "preconditions": {"uid": hole("uid")},
    }
)

ENDPOINT_SLICE: Final = Blank(
    {
        "kind": "EndpointSlice",
        "apiVersion": "discovery.k8s.io/v1",
        "metadata": {
            "name": hole("name"),
            "generateName": hole("service") + "-",
            "namespace": hole("namespace"),
            "resourceVersion": hole("version"),
            "labels": {
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
                "kubernetes.io/service-name": hole("service"),
            },
        },
        "addressType": "IPv4",
        "endpoints": value_hole("endpoints"),
        "ports": [{"name": "", "protocol": "TCP", "port": 8080}],
    }
)
ENDPOINT: Final = Blank(
    {
        "addresses": [hole("address")],
        "conditions": {"ready": True, "serving": True, "terminating": False},
        "targetRef": {
            "kind": "Pod",
            "namespace": hole("namespace"),
            "name": hole("name"),
            "uid": hole("uid"),
        },
        "nodeName": hole("node"),
        "zone": "zone-a",
    }
)

NODE_STATUS: Final = Blank(
    {
        "status": {
            "conditions": [
                {
                    "type": kind,
                    "status": status,
                    "lastHeartbeatTime": hole("now"),
                    "lastTransitionTime": hole("created"),
                    "reason": reason,
                }
                for kind, status, reason in (
                    ("MemoryPressure", "False", "KubeletHasSufficientMemory"),
                    ("DiskPressure", "False", "KubeletHasNoDiskPressure"),
                    ("PIDPressure", "False", "KubeletHasSufficientPID"),
                    ("Ready", "True", "KubeletReady"),
                )
            ],
            "addresses": [
                {"type": "InternalIP", "address": hole("address")},
                {"type": "Hostname", "address": hole("name")},
            ],
            "nodeInfo": {
                "kernelVersion": "6.8.0-48-generic",
                "osImage": "Ubuntu 24.04.1 LTS",
                "containerRuntimeVersion": "containerd://2.0.4",
                "kubeletVersion": hole("version"),
                "operatingSystem": "linux",
                "architecture": "amd64",
            },
            "images": [
                {
                    "names": [
                        f"registry.corp.example/app{n:02}@sha256:{n:064x}",
                        f"registry.corp.example/app{n:02}:1.{n}.0",
                    ],
                    "sizeBytes": 30_000_000 + 1_234_567 * n,
                }
                for n in range(24)
            ],
        }
    }
)
