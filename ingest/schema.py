"""The event: its columns, their types, what they mean and where they come from.

One list, because everything is generated from it or checked against it: the frames that normalize
returns, the Parquet files, the fields a rule may name, docs/schema.md, and later the index
mapping. Names are ECS field names (Elastic Common Schema 9); what ECS lacks is under
``trailwarden.*``, and what only a Kubernetes audit event has is under ``kubernetes.audit.*``,
named as Elastic's own integration names it.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from ingest.column import FLAG, NUMBER, NUMBERS, TEXT, TEXTS, TIME, Column
from ingest.machine_columns import MACHINE

SCHEMA_VERSION: Final = 3
"""Raised by one whenever a column is added, changed or removed; a name is never used again."""

_AUDIT = "kubernetes.audit."
_TW = "trailwarden."

_RECORD: Final = (
    Column("@timestamp", TIME, "the event's own time: the audit stageTimestamp"),
    Column("event.id", TEXT, "blake2b-128 of what makes the event itself (ingest/ids.py)"),
    Column("event.kind", TEXT, "always `event`; findings are `alert`"),
    Column(
        "event.dataset",
        TEXT,
        "what kind of record it came in: `kubernetes.audit` whoever runs the cluster, "
        "`falco.alerts` ... (ingest/formats/seen.py)",
    ),
    Column(
        "event.action",
        TEXT,
        "what was done, true to the act: the API's verb, or `exec`, `attach`, `portforward`, "
        "`proxy`, `log`, `approve`, `bind-pod`, `evict`, `token-request`, `scale`; of machines "
        "`process-start`, `file-modify`, `login` ... (ingest/formats/seen.py)",
    ),
    Column("event.outcome", TEXT, "`success`, `failure` or `unknown`: from code and decision"),
    Column("event.start", TIME, "when the API server received the request, or the act began"),
    Column("event.end", TIME, "when the act ended, where the record says both"),
    Column("event.code", TEXT, "the tool's own name or number of this kind of event"),
    Column("event.provider", TEXT, "the program that said it: `falco`, `sshd`, `auditd` ..."),
    Column("trailwarden.act.id", TEXT, "shared by all stages of one act (ingest/ids.py)"),
    Column("trailwarden.parse.issues", TEXTS, "what was wrong with the record, yet evaluated"),
    Column("trailwarden.redacted", TEXTS, "kinds of secrets that were taken out of this event"),
    Column("trailwarden.truncated", FLAG, "bodies are missing because something cut them off"),
    Column(
        "event.created",
        TIME,
        "when a collector received the record; nothing where a file was scanned",
    ),
    Column("agent.name", TEXT, "the collector that received it"),
    Column("log.file.path", TEXT, "the file it was read from, or Kafka topic and partition"),
    Column("log.offset", NUMBER, "its byte offset in the decompressed file, or Kafka's offset"),
)

_KUBERNETES: Final = (
    Column(_AUDIT + "auditID", TEXT, "the request's id; a client can choose it", ("auditID",)),
    Column(_AUDIT + "level", TEXT, "Metadata, Request or RequestResponse", ("level",)),
    Column(_AUDIT + "stage", TEXT, "ResponseStarted, ResponseComplete, Panic ...", ("stage",)),
    Column(_AUDIT + "verb", TEXT, "the verb as the API server logged it", ("verb",)),
    Column(_AUDIT + "requestURI", TEXT, "path and query, redacted", ("requestURI",)),
    Column(
        _AUDIT + "objectRef.apiGroup",
        TEXT,
        "API group, empty for the core group",
        ("objectRef.apiGroup", "apiGroup"),
    ),
    Column(_AUDIT + "objectRef.name", TEXT, "name as logged", ("objectRef.name",)),
    Column(
        _AUDIT + "objectRef.subresource",
        TEXT,
        "`exec`, `status`, `token` ...",
        ("objectRef.subresource", "subresource"),
    ),
    Column(
        _AUDIT + "responseStatus.status",
        TEXT,
        "`Success` or `Failure`",
        ("responseStatus.status",),
    ),
    Column(
        _AUDIT + "responseStatus.reason",
        TEXT,
        "machine-readable reason of a failure",
        ("responseStatus.reason",),
    ),
    Column(
        _AUDIT + "responseStatus.message",
        TEXT,
        "the API server's message, redacted",
        ("responseStatus.message",),
    ),
    Column(_AUDIT + "user.groups", TEXTS, "groups of the caller", ("user.groups",)),
    Column(
        _AUDIT + "user.extra",
        TEXT,
        "attributes of the caller that have no column of their own, JSON, redacted",
    ),
    Column(
        _AUDIT + "impersonatedUser.groups",
        TEXTS,
        "groups of the identity acted as",
        ("impersonatedUser.groups",),
    ),
    Column(
        _AUDIT + "authenticationMetadata.impersonationConstraint",
        TEXT,
        "the constraint that allowed a constrained impersonation (Kubernetes 1.35+)",
    ),
    Column(
        _AUDIT + "annotations", TEXT, "annotations that have no column of their own, JSON, redacted"
    ),
    Column(
        _AUDIT + "requestObject",
        TEXT,
        "request body of writes that facets are made from, JSON, redacted, without managedFields; "
        "not of built-in controllers, who repeat what somebody asked for",
    ),
)

_CANONICAL: Final = (
    Column("orchestrator.cluster.name", TEXT, "from configuration, never from the record"),
    Column("orchestrator.namespace", TEXT, "namespace of the object", ("objectRef.namespace",)),
    Column(
        "orchestrator.resource.type",
        TEXT,
        "the resource, plural, as in the API",
        ("objectRef.resource",),
    ),
    Column(
        "orchestrator.resource.name",
        TEXT,
        "the object's name, also where only the response or the URI has it",
    ),
    Column("orchestrator.resource.id", TEXT, "the object's uid", ("objectRef.uid",)),
    Column(
        "orchestrator.api_version",
        TEXT,
        "group/version of the resource",
        ("objectRef.apiVersion",),
    ),
    Column("user.name", TEXT, "who authenticated", ("user.username", "User")),
    Column("user.id", TEXT, "their uid", ("user.uid",)),
    Column("user.effective.name", TEXT, "who they acted as", ("impersonatedUser.username",)),
    Column(
        _TW + "identity.type",
        TEXT,
        "`human`, `service_account`, `node`, `controller`, `system`, `anonymous` or "
        "`unauthenticated`",
    ),
    Column(_TW + "identity.service_account.namespace", TEXT, "of a service account's name"),
    Column(_TW + "identity.service_account.name", TEXT, "of a service account's name"),
    Column(_TW + "identity.node.name", TEXT, "of system:node:NAME"),
    Column(_TW + "credential.id", TEXT, "JTI=... or X509SHA256=... of the credential used"),
    Column(_TW + "credential.issued_id", TEXT, "of the token that this request minted"),
    Column(_TW + "credential.legacy_token", TEXT, "set when a Secret-based token was used"),
    Column(_TW + "credential.stale_token", TEXT, "set when an expired token was still accepted"),
    Column(_TW + "token.pod.name", TEXT, "pod that the caller's token is bound to"),
    Column(_TW + "token.pod.uid", TEXT, "its uid"),
    Column(_TW + "token.node.name", TEXT, "node that the caller's token is bound to"),
    Column("source.ip", TEXT, "last address that no trusted proxy added", ("SourceIp",)),
    Column("source.address_chain", TEXTS, "sourceIPs as logged, the peer last", ("sourceIPs",)),
    Column("user_agent.original", TEXT, "as sent by the client", ("userAgent",)),
    Column("user_agent.name", TEXT, "its first word without the version"),
    Column("url.path", TEXT, "path of the request, decoded"),
    Column("http.response.status_code", NUMBER, "HTTP status", ("responseStatus.code",)),
    Column(
        _TW + "authorization.decision",
        TEXT,
        "`allow` or `forbid`",
        ("annotations.authorization.k8s.io/decision",),
    ),
    Column(
        _TW + "authorization.reason",
        TEXT,
        "the authorizer's words; names the binding used",
        ("annotations.authorization.k8s.io/reason",),
    ),
    Column(_TW + "authorization.binding", TEXT, "`Kind/name` of the binding that allowed it"),
    Column(_TW + "authorization.role", TEXT, "`Kind/name` of the role that allowed it"),
    Column(_TW + "pod_security.enforce_policy", TEXT, "Pod Security level enforced"),
    Column(_TW + "pod_security.audit_violations", TEXT, "what Pod Security would refuse"),
    Column(_TW + "pod_security.exempt", TEXT, "`user`, `namespace` or `runtimeClass`"),
    Column(_TW + "admission.failed_open", TEXTS, "webhooks that failed and were ignored"),
    Column(_TW + "dry_run", FLAG, "the request was a dry run: nothing was stored"),
    Column("cloud.provider", TEXT, "`aws`, `gcp` or `azure`, from the cloud's envelope"),
    Column("cloud.account.id", TEXT, "AWS account, Google project or Azure subscription"),
    Column("cloud.region", TEXT, "region or location, where the envelope says it"),
    Column(_TW + "identity.arn", TEXT, "who the caller is at AWS (EKS: user.extra, authenticator)"),
    Column(_TW + "identity.access_key_id", TEXT, "the AWS access key that was used, an id"),
)

_POD = _TW + "pod_spec."
_POD_SPEC: Final = (
    Column(_POD + "workload.kind", TEXT, "kind of the workload's root, see ingest/facets"),
    Column(_POD + "workload.name", TEXT, "name of the workload's root"),
    Column(_POD + "containers", TEXTS, "names of all containers, init and ephemeral included"),
    Column(_POD + "init_containers", TEXTS, "names of the init containers"),
    Column(_POD + "ephemeral_containers", TEXTS, "names of the ephemeral containers"),
    Column(_POD + "images", TEXTS, "images as written", ("requestObject.spec.containers.image",)),
    Column(_POD + "image_registries", TEXTS, "registry host of each image, docker.io if none"),
    Column(
        _POD + "repositories",
        TEXT,
        "repositories of all images, sorted, joined by commas: one value that can be seen first",
    ),
    Column(
        _POD + "commands", TEXTS, "command and args of each container, hook and probe, redacted"
    ),
    Column(_POD + "decoded_commands", TEXTS, "the same with base64, hex and quoting undone"),
    Column(_POD + "privileged", FLAG, "a container is privileged"),
    Column(_POD + "host_pid", FLAG, "shares the node's process ids"),
    Column(_POD + "host_ipc", FLAG, "shares the node's IPC"),
    Column(_POD + "host_network", FLAG, "shares the node's network"),
    Column(_POD + "host_paths", TEXTS, "host paths mounted, normalized", ("hostPath",)),
    Column(_POD + "host_paths_writable", TEXTS, "those that are not mounted read-only"),
    Column(_POD + "capabilities", TEXTS, "capabilities added, upper case", ("capabilities",)),
    Column(_POD + "allow_privilege_escalation", FLAG, "explicitly true in a container"),
    Column(_POD + "runs_as_root", FLAG, "explicitly runs as user 0"),
    Column(_POD + "seccomp_unconfined", FLAG, "seccomp profile Unconfined"),
    Column(_POD + "apparmor_unconfined", FLAG, "AppArmor profile unconfined"),
    Column(_POD + "proc_mount_unmasked", FLAG, "procMount Unmasked"),
    Column(_POD + "service_account", TEXT, "serviceAccountName"),
    Column(_POD + "automount_token", FLAG, "automountServiceAccountToken where written"),
    Column(_POD + "env_names", TEXTS, "names of environment variables; values are not kept"),
    Column(_POD + "secret_refs", TEXTS, "Secrets used by volumes or environment"),
    Column(_POD + "host_ports", NUMBERS, "host ports opened"),
    Column(_POD + "node_name", TEXT, "nodeName: the scheduler is bypassed"),
    Column(_POD + "replicas", NUMBER, "replicas of the workload, where written"),
    Column(
        _POD + "cpu_request",
        NUMBER,
        "thousandths of a CPU that the containers ask for, or else are limited to, in all",
    ),
    Column(_POD + "gpu_request", NUMBER, "the same of GPUs: resources named `.../gpu`"),
)

_P: Final = _TW + "pod."
_POD_STATE: Final = (
    Column(_P + "uid", TEXT, "uid of the pod that is made, bound, reported on or seen by a sensor"),
    Column(_P + "addresses", TEXTS, "its addresses (podIPs), as its status says"),
    Column(_P + "host_address", TEXT, "its node's address (hostIP), as its status says"),
    Column(
        _P + "node",
        TEXT,
        "its node: that it is bound to, nodeName of its spec, or the kubelet that reports on it",
    ),
    Column(_P + "phase", TEXT, "`Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`"),
    Column(
        _P + "image_digests",
        TEXTS,
        "`sha256:...` of the images that run, as its status or a sensor says",
    ),
    Column(_P + "is_mirror", FLAG, "it stands for a static pod of its node (a mirror pod)"),
)

_RBAC_ = _TW + "rbac."
_RBAC: Final = (
    Column(_RBAC_ + "role_ref", TEXT, "`Kind/name` that a binding refers to"),
    Column(_RBAC_ + "subjects", TEXTS, "`User/name`, `Group/name`, `ServiceAccount/ns/name`"),
    Column(_RBAC_ + "verbs", TEXTS, "verbs of all rules, sorted"),
    Column(_RBAC_ + "resources", TEXTS, "resources of all rules, sorted"),
    Column(_RBAC_ + "api_groups", TEXTS, "API groups of all rules, sorted"),
    Column(_RBAC_ + "non_resource_urls", TEXTS, "URLs of all rules, sorted"),
    Column(
        _RBAC_ + "rules",
        TEXTS,
        "each rule as `verbs|apiGroups|resources|resourceNames|nonResourceURLs`, each part sorted "
        "and joined by commas; `%`, `,` and `|` within a name are percent-encoded",
    ),
    Column(_RBAC_ + "wildcard", FLAG, "one rule has `*` in verbs and in resources"),
    Column(
        _RBAC_ + "escalations",
        TEXTS,
        "`verb resource` pairs that lead to more rights than the role shows",
    ),
    Column(_RBAC_ + "aggregates_to", TEXTS, "roles that this one adds its rules to, by label"),
)

_PROCESS: Final = (
    Column("process.args", TEXTS, "command of an exec or of a process, redacted"),
    Column(
        "process.command_line",
        TEXT,
        "the same joined by blanks, redacted",
        ("CommandLine",),
    ),
    Column(
        _TW + "exec.decoded",
        TEXT,
        "the command line with base64, hex, quoting and $IFS undone, redacted",
    ),
    Column("container.name", TEXT, "container of an exec or attach"),
    Column(_TW + "exec.tty", FLAG, "a terminal was asked for"),
    Column(_TW + "exec.stdin", FLAG, "standard input was asked for"),
)

_CHANGE: Final = (
    Column(_TW + "patch.type", TEXT, "`json`, `apply`, `strategic` or `merge`"),
    Column(_TW + "patch.paths", TEXTS, "JSON pointers of what the body sets or removes"),
    Column(_TW + "object.labels", TEXTS, "`key=value` labels in the body"),
    Column(_TW + "object.annotation_keys", TEXTS, "annotation keys in the body"),
    Column(_TW + "object.owner", TEXT, "`Kind/name` of the controlling owner in the body"),
    Column(_TW + "object.owner_uid", TEXT, "its uid"),
    Column(_TW + "object.type", TEXT, "`type` of a Secret or Service, `signerName` of a CSR"),
    Column(_TW + "service.external_ips", TEXTS, "externalIPs of a Service"),
    Column(_TW + "service.node_ports", NUMBERS, "node ports of a Service, where written"),
    Column(_TW + "webhook.urls", TEXTS, "external URLs of admission or conversion webhooks"),
    Column(_TW + "webhook.failure_policies", TEXTS, "failurePolicy of admission webhooks"),
    Column(_TW + "certificate.signer", TEXT, "signerName of a certificate request"),
    Column(_TW + "certificate.requester", TEXT, "who asked for the certificate"),
    Column(_TW + "certificate.conditions", TEXTS, "Approved, Denied, Failed"),
)

EVENT_SCHEMA: Final[tuple[Column, ...]] = (
    *_RECORD,
    *_KUBERNETES,
    *_CANONICAL,
    *_POD_SPEC,
    *_POD_STATE,
    *_RBAC,
    *_PROCESS,
    *_CHANGE,
    *MACHINE,
)

DTYPES: Final[dict[str, pl.DataType]] = {column.name: column.dtype for column in EVENT_SCHEMA}
"""Column name -> Polars type, in the order of the frame."""

FACETS: Final = tuple(
    c.name for c in (*_POD_SPEC, *_POD_STATE, *_RBAC, *_PROCESS, *_CHANGE, *MACHINE)
)
"""Columns that only some events have; normalize fills them for those rows alone."""

POD_SPEC_PREFIX: Final = _POD


def empty_events() -> pl.DataFrame:
    """Return an event frame of no rows."""
    return pl.DataFrame(schema=DTYPES)
