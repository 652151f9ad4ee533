"""What providers do not log, or log beyond the API server's own record: one list, with sources.

`tests.acts.test_acts` compares every act with its native record: what differs must be here, and
what is here must differ, so that the list says neither too little nor too much.
`tests.acts.providers_page` makes docs/providers.md of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

WHOLE: Final = "(the whole record)"
"""Stands for a column where the act is not logged at all."""

_A: Final = "kubernetes.audit."
_TW: Final = "trailwarden."
_CLOUD: Final = ("cloud.provider", "cloud.account.id")

_EKS_POLICY: Final = (
    "https://docs.aws.amazon.com/eks/latest/best-practices/auditing-and-logging.html"
)
_EKS_USERS: Final = (
    "https://github.com/kubernetes-sigs/aws-iam-authenticator/tree/master/pkg/server"
)
_CLOUDWATCH: Final = (
    "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html"
)
_AKS: Final = "https://learn.microsoft.com/azure/azure-monitor/essentials/resource-logs-schema"
_OPENSHIFT_POLICY: Final = (
    "https://github.com/openshift/library-go/tree/master/pkg/operator/apiserver/audit/manifests"
)
_OPENSHIFT_USERS: Final = "https://github.com/openshift/oauth-apiserver"
_GKE_POLICY: Final = "https://cloud.google.com/kubernetes-engine/docs/concepts/audit-policy"
_GKE_AUDIT: Final = "https://cloud.google.com/kubernetes-engine/docs/how-to/audit-logging"
_AUDIT_LOG: Final = (
    "https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog"
)
_LOG_ENTRY: Final = "https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry"
_RPC_CODE: Final = "https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto"


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact about a provider's log.

    ``columns`` differ from those of the native record, in ``acts`` or, without any, in some act;
    ``findings`` are the rules that match one of the two records and not the other.
    """

    provider: str
    fact: str
    source: str
    columns: tuple[str, ...]
    acts: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()


DIFFERENCES: Final = (
    Difference(
        "eks",
        "The audit policy drops requests for core events and for the version.",
        _EKS_POLICY,
        (WHOLE,),
        ("events deleted", "version read anonymously"),
        ("events-deleted",),
    ),
    Difference("eks", "The envelope names the account.", _CLOUDWATCH, _CLOUD),
    Difference(
        "eks",
        "The authenticator adds the AWS identity to the attributes of people and roles.",
        _EKS_USERS,
        (_A + "user.extra", _TW + "identity.arn", _TW + "identity.access_key_id"),
    ),
    Difference("aks", "The envelope names the subscription.", _AKS, _CLOUD),
    Difference(
        "openshift",
        "Every profile's policy drops requests for core events, for the version and for discovery.",
        _OPENSHIFT_POLICY,
        (WHOLE,),
        ("events deleted", "version read anonymously"),
        ("events-deleted",),
    ),
    Difference(
        "openshift",
        "Reads are logged at the level Metadata.",
        _OPENSHIFT_POLICY,
        (_A + "level",),
    ),
    Difference(
        "openshift",
        "OAuth tokens of people carry their scopes.",
        _OPENSHIFT_USERS,
        (_A + "user.extra",),
    ),
    Difference(
        "gke",
        "The audit policy drops requests for core events and for the version.",
        _GKE_POLICY,
        (WHOLE,),
        ("events deleted", "version read anonymously"),
        ("events-deleted",),
    ),
    Difference(
        "gke",
        "The entry names project and location.",
        _LOG_ENTRY,
        (*_CLOUD, "cloud.region"),
    ),
    Difference(
        "gke",
        "Of who called, the name alone is logged: no groups, uid, attributes or credential.",
        _AUDIT_LOG,
        (
            _A + "user.groups",
            "user.id",
            _TW + "credential.id",
            _TW + "token.pod.name",
            _TW + "token.pod.uid",
            _TW + "token.node.name",
        ),
    ),
    Difference(
        "gke",
        "Of who is acted as, the name alone is logged.",
        _AUDIT_LOG,
        (_A + "impersonatedUser.groups",),
        ("impersonation",),
    ),
    Difference(
        "gke",
        "One address of the caller is logged, not the chain that forwarded the request.",
        _AUDIT_LOG,
        ("source.address_chain",),
    ),
    Difference(
        "gke",
        "One time is logged, not also when the request came in; the ids are made from both.",
        _LOG_ENTRY,
        ("event.start", "event.id", _TW + "act.id"),
    ),
    Difference(
        "gke",
        "The level is not logged; the stage only of calls that stay open.",
        _LOG_ENTRY,
        (_A + "level", _A + "stage"),
    ),
    Difference(
        "gke",
        "Of the URI there is no query: neither parameters nor an exec's container and terminal.",
        _AUDIT_LOG,
        (_A + "requestURI", "container.name", _TW + "exec.tty", _TW + "exec.stdin"),
    ),
    Difference(
        "gke",
        "The words of an exec are logged as one text.",
        _GKE_AUDIT,
        ("process.args",),
    ),
    Difference(
        "gke",
        "The words of a command that goes to the kubelet through a node's proxy are not logged.",
        _AUDIT_LOG,
        ("process.command_line", _TW + "exec.decoded"),
        ("node proxy, refused by the kubelet", "node proxy to the kubelet's run"),
    ),
    Difference(
        "gke",
        "A canonical code is logged, not HTTP's: 0 is 200, 201 and 101 alike. Whether it succeeded "
        "is known all the same.",
        _RPC_CODE,
        ("http.response.status_code", _A + "responseStatus.status"),
    ),
    Difference(
        "gke",
        "For want of 201, an apply that creates cannot be told from one that changes.",
        _RPC_CODE,
        ("event.action",),
        ("cluster-admin bound by an apply that created it",),
        ("binding-subject-added",),
    ),
    Difference(
        "gke",
        "The API server's own reason for refusing is logged only with the answer's body.",
        _GKE_POLICY,
        (_A + "responseStatus.reason",),
        (
            "secret read with a pod's token, refused",
            "impersonation refused",
            "pods listed anonymously, refused",
            "pods listed without a valid credential",
        ),
    ),
    Difference(
        "gke",
        "Whether the right was granted is logged apart from the annotations, and of every call.",
        _AUDIT_LOG,
        (_TW + "authorization.decision",),
        ("impersonation refused",),
    ),
    Difference(
        "gke",
        "A body is an object: the list that a JSON patch is has no place in it.",
        _AUDIT_LOG,
        (
            _A + "requestObject",
            _TW + "patch.type",
            _TW + "patch.paths",
            _TW + "rbac.subjects",
        ),
        ("subject added by a JSON patch",),
        ("binding-subject-added", "cluster-rights-written-unseen"),
    ),
    Difference(
        "gke",
        "The object's uid is not logged beside its name.",
        _AUDIT_LOG,
        ("orchestrator.resource.id",),
        ("certificate approved",),
    ),
)
