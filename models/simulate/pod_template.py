"""A workload in, the spec of its pods out: as it is asked for, and as the API server completes it.

Separate because templates stand in a dozen kinds of records, asked and answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models.simulate.blank import hole

if TYPE_CHECKING:
    from models.simulate.workload import Workload


def template_spec(workload: Workload) -> dict[str, Any]:
    """Return the pod spec of a workload's template, as a person or a pipeline writes it."""
    traits = workload.traits
    spec: dict[str, Any] = {"containers": [_container(workload)]}
    volumes = [
        {"name": f"host-{n}", "hostPath": {"path": path, "type": ""}}
        for n, path in enumerate(traits.host_paths)
    ]
    if volumes:
        spec["volumes"] = volumes
    spec |= {"serviceAccountName": workload.account.name, "serviceAccount": workload.account.name}
    if traits.host_network:
        spec["hostNetwork"] = True
    if traits.host_pid:
        spec["hostPID"] = True
    return spec


def _container(workload: Workload) -> dict[str, Any]:
    traits = workload.traits
    environment: list[dict[str, Any]] = [
        {"name": "LOG_LEVEL", "value": "info"},
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    if traits.secret:
        key = {"name": traits.secret, "key": "password"}
        environment.append({"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": key}})
    requests = {"cpu": f"{traits.cpu_millis}m", "memory": "128Mi"}
    limits = {"memory": "512Mi"}
    if traits.gpus:
        limits["nvidia.com/gpu"] = requests["nvidia.com/gpu"] = str(traits.gpus)
    container: dict[str, Any] = {
        "name": workload.name,
        "image": workload.image_name,
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "env": environment,
        "resources": {"limits": limits, "requests": requests},
        "livenessProbe": _probe(),
        "readinessProbe": _probe(),
        "securityContext": _security(privileged=traits.privileged),
    }
    if traits.command:
        container["command"] = list(traits.command)
    if traits.host_paths:
        container["volumeMounts"] = [
            {"name": f"host-{n}", "mountPath": f"/host{path}"}
            for n, path in enumerate(traits.host_paths)
        ]
    return container


def _probe() -> dict[str, Any]:
    return {
        "httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }


def _security(*, privileged: bool) -> dict[str, Any]:
    if privileged:
        return {"privileged": True}
    return {
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def completed(spec: dict[str, Any]) -> dict[str, Any]:
    """Add the defaults that the API server sets in a template."""
    containers = [
        {
            **container,
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
            "imagePullPolicy": "IfNotPresent",
        }
        for container in spec["containers"]
    ]
    return {
        **spec,
        "containers": containers,
        "restartPolicy": spec.get("restartPolicy", "Always"),
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
    }


def admitted(spec: dict[str, Any]) -> dict[str, Any]:
    """Add what admission gives a pod: the volume with its token, tolerations, a priority."""
    token = {
        "name": "kube-api-access-" + hole("suffix"),
        "projected": {
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                {
                    "configMap": {
                        "name": "kube-root-ca.crt",
                        "items": [{"key": "ca.crt", "path": "ca.crt"}],
                    }
                },
            ],
            "defaultMode": 420,
        },
    }
    mount = {
        "name": "kube-api-access-" + hole("suffix"),
        "readOnly": True,
        "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
    }
    containers = [
        {**one, "volumeMounts": [*one.get("volumeMounts", []), mount]} for one in spec["containers"]
    ]
    tolerations = [
        {
            "key": f"node.kubernetes.io/{state}",
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": 300,
        }
        for state in ("not-ready", "unreachable")
    ]
    return {
        **spec,
        "volumes": [*spec.get("volumes", []), token],
        "containers": containers,
        "tolerations": tolerations,
        "priority": 0,
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
    }
