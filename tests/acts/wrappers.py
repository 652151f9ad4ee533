"""One act as each provider writes it, made from the API server's own record.

Each wrapper returns a record's bytes, or None where the provider's audit policy drops the act. They
write what documentation and public records show (`tests.acts.not_logged` names the sources), with
everything switched on that can be.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs

import orjson

Record = dict[str, Any]
Wrap = Callable[[Record], bytes | None]

CLUSTER: Final = "blue"
ACCOUNT: Final = "123456789012"
SUBSCRIPTION: Final = "00000000-1111-2222-3333-444444444444"
PROJECT: Final = "example-project"

_OPERATION: Final = "Microsoft.ContainerService/managedClusters"
_WRITES: Final = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_LONG: Final = frozenset({"exec", "attach", "portforward"})
_GRPC: Final = {400: 3, 401: 16, 403: 7, 404: 5, 409: 10, 429: 8, 500: 13, 501: 12, 503: 14, 504: 4}
_FIRST_FAILURE: Final = 400
_OTHER_FAILURE: Final = 9
_BODIES: Final = ("requestObject", "responseObject")
_SENSITIVE: Final = frozenset({"secrets", "configmaps", "tokenreviews", "serviceaccounts/token"})


def native(record: Record) -> bytes:
    """Return the record as the API server's log backend writes it."""
    return orjson.dumps(record)


def eks(record: Record) -> bytes | None:
    """Return CloudWatch's subscription envelope around EKS' record of the act."""
    if _is_dropped(record):
        return None
    event = copy.deepcopy(record)
    if _is_person(record):
        event["user"].setdefault("extra", {}).update(
            arn=[f"arn:aws:sts::{ACCOUNT}:assumed-role/dev/session"],
            canonicalArn=[f"arn:aws:iam::{ACCOUNT}:role/dev"],
            accessKeyId=["ASIAEXAMPLEEXAMPLE01"],
            principalId=["AROAEXAMPLEEXAMPLE01"],
            sessionName=["session"],
        )
    text = orjson.dumps(_at_policy_level(event)).decode()
    return orjson.dumps(
        {
            "messageType": "DATA_MESSAGE",
            "owner": ACCOUNT,
            "logGroup": f"/aws/eks/{CLUSTER}/cluster",
            "logStream": "kube-apiserver-audit-0123456789abcdef0123456789abcdef",
            "subscriptionFilters": ["audit"],
            "logEvents": [{"id": "3" * 56, "timestamp": 1795254566000, "message": text}],
        }
    )


def aks(record: Record) -> bytes:
    """Return a batch of Azure Event Hubs around the API server's own record of the act."""
    place = f"/SUBSCRIPTIONS/{SUBSCRIPTION}/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.CONTAINERSERVICE"
    return orjson.dumps(
        {
            "records": [
                {
                    "time": "2026-11-21T09:29:26.0000000Z",
                    "resourceId": f"{place}/MANAGEDCLUSTERS/{CLUSTER.upper()}",
                    "category": "kube-audit",
                    "operationName": f"{_OPERATION}/diagnosticLogs/Read",
                    "properties": {
                        "log": orjson.dumps(record).decode() + "\n",
                        "stream": "stdout",
                        "pod": "kube-apiserver-7d5c6bdb7-x2x7k",
                        "containerID": "0" * 64,
                    },
                }
            ]
        }
    )


def openshift(record: Record) -> bytes | None:
    """Return OpenShift's record of the act, with the profile WriteRequestBodies."""
    reference = record.get("objectRef") or {}
    uri = record["requestURI"]
    if reference.get("resource") == "events" and not reference.get("apiGroup"):
        return None
    if not reference and uri.startswith(("/api", "/version", "/healthz", "/readyz")):
        return None
    event = copy.deepcopy(record)
    if _is_person(record):
        event["user"].setdefault("extra", {})["scopes.authorization.openshift.io"] = ["user:full"]
    is_sensitive = reference.get("resource") == "secrets"
    if record["verb"] not in _WRITES or is_sensitive:
        event["level"] = "Metadata"
        for body in _BODIES:
            event.pop(body, None)
    return orjson.dumps(event)


def gke(record: Record) -> bytes | None:
    """Return the entry that GKE writes to Cloud Logging for the act."""
    if _is_dropped(record):
        return None
    event = _at_policy_level(copy.deepcopy(record))
    verb, stage = event["verb"], event["stage"]
    log = "activity" if verb in _WRITES or _sub(event) == "exec" else "data_access"
    name = _resource_name(event)
    method = _method_name(event)
    is_denied = event.get("annotations", {}).get("authorization.k8s.io/decision") != "allow"
    caller = {"callerIp": event["sourceIPs"][-1], "callerSuppliedUserAgent": event.get("userAgent")}
    payload = {
        "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
        "authenticationInfo": _principal(event),
        "authorizationInfo": [
            {"permission": method, "resource": name} | ({} if is_denied else {"granted": True})
        ],
        "methodName": method,
        "requestMetadata": caller,
        "resourceName": name,
        "serviceName": "k8s.io",
        "status": _status(event),
        **_bodies(event),
    }
    is_long = _sub(event) in _LONG
    operation = {"id": event["auditID"], "producer": "k8s.io"}
    if not is_long or stage == "ResponseStarted":
        operation["first"] = True
    if not is_long or stage != "ResponseStarted":
        operation["last"] = True
    entry = {
        "insertId": event["auditID"],
        "labels": _labels(event),
        "logName": f"projects/{PROJECT}/logs/cloudaudit.googleapis.com%2F{log}",
        "operation": operation,
        "protoPayload": payload,
        "receiveTimestamp": "2026-11-21T09:29:27.731034559Z",
        "resource": {
            "labels": {"cluster_name": CLUSTER, "location": "europe-west1", "project_id": PROJECT},
            "type": "k8s_cluster",
        },
        "timestamp": event["stageTimestamp"],
    }
    return orjson.dumps(entry, option=orjson.OPT_SORT_KEYS)


WRAPPERS: Final[dict[str, Wrap]] = {"eks": eks, "aks": aks, "gke": gke, "openshift": openshift}


def _is_person(record: Record) -> bool:
    name = record["user"].get("username")
    return name is not None and not name.startswith("system:")


def _is_dropped(record: Record) -> bool:
    """Whether the audit policy that EKS and GKE share has level None for it."""
    reference = record.get("objectRef") or {}
    if reference.get("resource") == "events" and not reference.get("apiGroup"):
        return True
    return not reference and record["requestURI"].startswith(("/healthz", "/version", "/swagger"))


def _at_policy_level(event: Record) -> Record:
    """Leave out the bodies that the same policy leaves out."""
    reference = event.get("objectRef") or {}
    resource, sub = reference.get("resource"), reference.get("subresource")
    names = {resource, f"{resource}/{sub}"}
    is_mapping = resource == "configmaps" and reference.get("name") == "aws-auth"
    if event.get("level") == "Metadata" or (names & _SENSITIVE and not is_mapping):
        event["level"] = "Metadata"
        for body in _BODIES:
            event.pop(body, None)
    return event


def _sub(event: Record) -> str | None:
    sub: str | None = (event.get("objectRef") or {}).get("subresource")
    return sub


def _method_name(event: Record) -> str:
    reference = event.get("objectRef")
    if not reference:
        return f"io.k8s.{event['verb']}"
    group = reference.get("apiGroup") or "core"
    labels = group.split(".")[::-1] if "." in group else ["io", "k8s", group]
    parts = [*labels, reference["apiVersion"], reference["resource"], _sub(event), event["verb"]]
    return ".".join(part for part in parts if part)


def _resource_name(event: Record) -> str:
    """Group, version and path; behind a proxy also the path that was asked for there."""
    reference = event.get("objectRef")
    path = str(event["requestURI"]).partition("?")[0]
    if not reference:
        return path.lstrip("/")
    resource, sub = reference["resource"], reference.get("subresource")
    place = [] if resource == "namespaces" else ["namespaces", reference.get("namespace")]
    place = place if all(place) else []
    tail = path.partition(f"/{sub}/")[2] if sub == "proxy" else None
    group = reference.get("apiGroup") or "core"
    parts = [group, reference["apiVersion"], *place, resource, reference.get("name"), sub, tail]
    return "/".join(part for part in parts if part)


def _principal(event: Record) -> Record:
    user, acted_as = event.get("user") or {}, event.get("impersonatedUser") or {}
    found = {
        "principalEmail": user.get("username"),
        "authoritySelector": acted_as.get("username"),
    }
    return {name: value for name, value in found.items() if value}


def _status(event: Record) -> Record:
    answer = event.get("responseStatus") or {}
    code = answer.get("code", 0)
    if code < _FIRST_FAILURE:
        return {}
    return {"code": _GRPC.get(code, _OTHER_FAILURE), "message": answer.get("message", "")}


def _labels(event: Record) -> dict[str, str]:
    labels = dict(event.get("annotations") or {})
    query = parse_qs(str(event["requestURI"]).partition("?")[2], keep_blank_values=True)
    if _sub(event) == "exec" and "command" in query:
        labels["command.gke.io/command"] = " ".join(query["command"])
    if "All" in query.get("dryRun", ()):
        labels["command.gke.io/dryRun"] = "true"
    return labels


def _bodies(event: Record) -> Record:
    """Return what a Struct can hold of the bodies, with their types."""
    reference, answer = event.get("objectRef") or {}, event.get("responseStatus") or {}
    found = {}
    request = event.get("requestObject")
    if isinstance(request, dict):
        group = reference.get("apiGroup") or "core"
        kind = f"{group if '.' in group else group + '.k8s.io'}/{reference['apiVersion']}"
        type_ = "k8s.io/Patch" if event["verb"] == "patch" else f"{kind}.{request.get('kind')}"
        found["request"] = {"@type": type_, **request}
    if answer.get("code", 0) >= _FIRST_FAILURE and event.get("level") == "RequestResponse":
        status = {"apiVersion": "v1", "kind": "Status", **answer}
        found["response"] = {"@type": "core.k8s.io/v1.Status", **status}
    return found
