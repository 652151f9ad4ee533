"""Audit policies to judge by: what people write, in few lines each."""

from __future__ import annotations

from pathlib import Path

from detectors.policy.audit_policy import AuditPolicy
from detectors.policy.reading import parse_policy
from detectors.sigma.errors import Problems

HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"

EVERYTHING = HEAD + "omitStages: [RequestReceived]\nrules:\n- level: RequestResponse\n"

METADATA = HEAD + "omitStages: [RequestReceived]\nrules: [{level: Metadata}]\n"

NOTHING_MATCHES = (
    HEAD
    + """\
rules:
  - level: Metadata
    nonResourceURLs: ["/metrics"]
"""
)

# After the example in the Kubernetes documentation, "Auditing".
DOCUMENTED = (
    HEAD
    + """\
omitStages:
  - "RequestReceived"
rules:
# pods with all of it
- level: RequestResponse
  resources:
  - group: ""
    resources: ["pods"]
- level: Metadata
  resources:
  - group: ""
    resources: ["pods/log", "pods/status"]

- level: None
  resources:
  - group: ""
    resources: ["configmaps"]
    resourceNames: ["controller-leader"]

- level: None
  users: ["system:kube-proxy"]
  verbs: ["watch"]
  resources:
  - group: ""
    resources: ["endpoints", "services"]

- level: None
  userGroups: ["system:authenticated"]
  nonResourceURLs:
  - "/api*"
  - "/version"

- level: Request
  resources:
  - group: ""
    resources: ["configmaps"]
  namespaces: ["kube-system"]

- level: Metadata
  resources:
  - group: ""
    resources: ["secrets", "configmaps"]

# the rest of the core group
- level: Request
  resources:
  - group: ""
  - group: "extensions"

# all else
- level: Metadata
  omitStages:
    - "RequestReceived"
"""
)

# After what cluster/gce/gci/configure-helper.sh of Kubernetes writes, and others took over.
GCE = (
    HEAD
    + """\
omitStages: ["RequestReceived"]
rules:
  - level: None
    users: ["system:kube-proxy"]
    verbs: ["watch"]
    resources:
      - group: ""
        resources: ["endpoints", "services", "services/status"]
  - level: None
    userGroups: ["system:nodes"]
    verbs: ["get"]
    resources:
      - group: ""
        resources: ["nodes", "nodes/status"]
  - level: None
    users:
      - system:kube-controller-manager
      - system:kube-scheduler
      - system:serviceaccount:kube-system:endpoint-controller
    verbs: ["get", "update"]
    namespaces: ["kube-system"]
    resources:
      - group: ""
        resources: ["endpoints"]
  - level: None
    users: ["system:apiserver"]
    verbs: ["get"]
    resources:
      - group: ""
        resources: ["namespaces", "namespaces/status", "namespaces/finalize"]
  - level: None
    nonResourceURLs:
      - /healthz*
      - /version
      - /swagger*
  - level: None
    resources:
      - group: ""
        resources: ["events"]
  - level: Request
    userGroups: ["system:nodes"]
    verbs: ["update", "patch"]
    resources:
      - group: ""
        resources: ["nodes/status", "pods/status"]
  - level: Request
    users: ["system:serviceaccount:kube-system:namespace-controller"]
    verbs: ["deletecollection"]
  - level: Metadata
    resources:
      - group: ""
        resources: ["secrets", "configmaps", "serviceaccounts/token"]
      - group: authentication.k8s.io
        resources: ["tokenreviews"]
  - level: Request
    verbs: ["get", "list", "watch"]
    resources:
      - group: ""
      - group: "apps"
      - group: "batch"
      - group: "rbac.authorization.k8s.io"
  - level: RequestResponse
    resources:
      - group: ""
      - group: "apps"
      - group: "batch"
      - group: "rbac.authorization.k8s.io"
  - level: Metadata
"""
)

# Seen in guides: long requests and service accounts left out, reads dropped.
QUIET = (
    HEAD
    + """\
omitStages:
  - "ResponseStarted"
  - "RequestReceived"
  - "Panic"
rules:
  - level: None
    userGroups: ["system:serviceaccounts"]
  - level: None
    verbs: ["get", "list", "watch"]
  - level: Request
    verbs: ["create", "update", "patch", "delete", "deletecollection"]
    omitStages: ["RequestReceived"]
"""
)

NONE_FOR_SUBRESOURCES = (
    HEAD
    + """\
omitStages: ["RequestReceived"]
omitManagedFields: true
rules:
  - level: None
    resources:
      - group: ""
        resources: ["pods/*"]
  - level: Request
    users: ["kubernetes-admin"]
    omitManagedFields: false
  - level: RequestResponse
    resources:
      - group: "rbac.authorization.k8s.io"
        resources: ["*"]
    namespaces: [""]
"""
)

ALL = {
    "everything": EVERYTHING,
    "metadata": METADATA,
    "nothing matches": NOTHING_MATCHES,
    "documented": DOCUMENTED,
    "gce": GCE,
    "quiet": QUIET,
    "none for subresources": NONE_FOR_SUBRESOURCES,
}


def policy_of(text: str) -> AuditPolicy:
    problems = Problems(Path("policy.yaml"))
    policy = parse_policy(text.encode(), problems)
    assert policy is not None
    assert not problems.errors
    return policy
