"""docs/providers.md: what each provider's audit log says of the acts, and what it leaves out.

Made from the acts, the list of differences and the rules' own cases, so that it cannot say more or
less than the tests do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.acts.comparison import acts, differing_columns, differing_findings, heard_cases
from tests.acts.not_logged import DIFFERENCES, WHOLE


@dataclass(frozen=True, slots=True)
class Provider:
    """What people must know to get a provider's log."""

    key: str
    name: str
    default: str
    switch_on: str
    form: str
    cluster: str
    beware: str
    source: str


PROVIDERS: Final = (
    Provider(
        "eks",
        "Amazon EKS",
        "nothing",
        "control plane logging, types `audit` and `authenticator`",
        "CloudWatch Logs: subscription (Kinesis, Firehose, Lambda), export, FilterLogEvents",
        "the log group, `/aws/eks/CLUSTER/cluster`",
        "Secrets and ConfigMaps without bodies, but for changes of `aws-auth`. A record over the "
        "size of a log event is cut; what is left of it is kept and marked as truncated.",
        "https://docs.aws.amazon.com/eks/latest/userguide/control-plane-logs.html",
    ),
    Provider(
        "aks",
        "Azure AKS",
        "nothing",
        "a diagnostic setting with the category `kube-audit`; `kube-audit-admin` has no reads",
        "Event Hubs, storage account",
        "the resource id, in lower case",
        "Azure does not publish the audit policy: what it may drop is not in this list. "
        "`properties.log` is cut after 16 KiB; what is left of it is kept and marked as truncated.",
        "https://learn.microsoft.com/azure/aks/monitor-aks-reference",
    ),
    Provider(
        "gke",
        "Google GKE",
        "Admin Activity: create, update, patch, delete, and exec",
        "Data Access logs of the Kubernetes Engine API (`ADMIN_READ`, `DATA_READ`, `DATA_WRITE`): "
        "without them no get, list or watch, so no secret that is read",
        "Cloud Logging: Pub/Sub, storage bucket",
        "`resource.labels.cluster_name`",
        "Secrets, ConfigMaps and token requests without bodies. An exec's words are logged by "
        "newer versions alone. Which of several forwarded addresses `callerIp` is, is not "
        "documented.",
        "https://cloud.google.com/kubernetes-engine/docs/how-to/audit-logging",
    ),
    Provider(
        "openshift",
        "OpenShift",
        "the profile `Default`: metadata of all requests, no bodies; all that is read from a body "
        "(pod_spec, rbac, patch, object) is empty then",
        "the profile `WriteRequestBodies`; this page assumes it",
        "log files of three API servers on each control plane node, or Cluster Logging",
        "the collector's configuration",
        "Secrets, Routes and OAuth clients without bodies in every profile but `AllRequestBodies`.",
        "https://docs.openshift.com/container-platform/latest/security/audit-log-policy-config.html",
    ),
)

_SOURCES: Final = (
    ("`event.action`", "verb, subresource, `responseStatus.code`", "`methodName`, `resourceName`"),
    (
        "`event.outcome`",
        "`responseStatus`, decision",
        "`status.code`, `response`, `authorizationInfo.granted`",
    ),
    ("`@timestamp`", "`stageTimestamp`", "`timestamp`"),
    ("`event.start`", "`requestReceivedTimestamp`", ""),
    ("`kubernetes.audit.auditID`", "`auditID`", "`operation.id`"),
    ("`kubernetes.audit.stage`", "`stage`", "`operation.first`, `operation.last`"),
    (
        "`kubernetes.audit.requestURI`, `url.path`",
        "`requestURI`",
        "`resourceName`, labels `command.gke.io/...`",
    ),
    (
        "`orchestrator.resource.*`, `orchestrator.namespace`, `orchestrator.api_version`",
        "`objectRef`, `responseObject`",
        "`resourceName`, `methodName`, `response`",
    ),
    ("`user.name`", "`user.username`", "`principalEmail`, else `principalSubject`"),
    ("`user.effective.name`", "`impersonatedUser.username`", "`authoritySelector`"),
    ("`kubernetes.audit.user.groups`", "`user.groups`", ""),
    ("`source.ip`", "`sourceIPs`, proxies taken off", "`requestMetadata.callerIp`"),
    ("`user_agent.*`", "`userAgent`", "`requestMetadata.callerSuppliedUserAgent`"),
    (
        "`http.response.status_code`",
        "`responseStatus.code`",
        "`response.code`, else what `status.code` stands for",
    ),
    (
        "`trailwarden.authorization.*`, `trailwarden.pod_security.*`",
        "`annotations`",
        "`labels`, `authorizationInfo.granted`",
    ),
    (
        "`trailwarden.pod_spec.*`, `trailwarden.rbac.*`, `trailwarden.object.*`",
        "`requestObject`",
        "`request`",
    ),
    ("`trailwarden.patch.*`", "`requestObject`", "`request`, but for JSON patches"),
    (
        "`process.*`, `trailwarden.exec.*`",
        "query of `requestURI`",
        "label `command.gke.io/command`",
    ),
    ("`trailwarden.dry_run`", "query of `requestURI`", "label `command.gke.io/dryRun`"),
)


def providers_page() -> str:
    """Return docs/providers.md."""
    lines = [
        "# Providers",
        "",
        "<!-- Generated from tests/acts by `make docs`. Do not edit. -->",
        "",
        f"{len(acts())} acts, each in the form of every provider, become the same event: action,",
        "outcome, who, what, from where, facets and findings. What a provider does not log is",
        "listed here with where that was read; a test fails when an act differs in anything else,",
        "and when something listed does not differ. The list holds with everything switched on",
        "that can be.",
        "",
        "| provider | logged by default | switch on | comes as | the cluster's name |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| [{one.name}]({one.source}) | {one.default} | {one.switch_on} | {one.form} | "
        f"{one.cluster} |"
        for one in PROVIDERS
    ]
    for one in PROVIDERS:
        lines += _provider(one)
    return "\n".join([*lines, *_columns(), *_acts()]) + "\n"


def _provider(provider: Provider) -> list[str]:
    lines = ["", f"## {provider.name}", "", provider.beware, ""]
    lines += ["| differs from the API server's own record | columns | read in |"]
    lines += ["| --- | --- | --- |"]
    for one in DIFFERENCES:
        if one.provider == provider.key:
            columns = ", ".join(f"`{column}`" for column in one.columns if column != WHOLE)
            where = "; ".join(one.acts) if WHOLE in one.columns else columns
            lines.append(f"| {one.fact} | {where} | <{one.source}> |")
    return [*lines, "", *_rules(provider.key)]


def _rules(key: str) -> list[str]:
    """Say of the rules what their own cases show in the provider's form."""
    heard = heard_cases(key)
    deaf = [name for name, (hits, _) in heard.items() if not hits]
    partly = [f"`{name}` ({hits} of {n})" for name, (hits, n) in heard.items() if 0 < hits < n]
    if not deaf and not partly:
        return [f"All {len(heard)} rules find all of their cases."]
    lines = [f"Of {len(heard)} rules, {len(heard) - len(deaf) - len(partly)} find all their cases."]
    if deaf:
        lines += ["", "Cannot fire here: " + ", ".join(f"`{name}`" for name in deaf) + "."]
    if partly:
        lines += ["", "Find some of their cases: " + ", ".join(partly) + "."]
    return lines


def _columns() -> list[str]:
    lines = ["", "## Where columns come from", ""]
    lines += ["EKS, AKS and OpenShift log the API server's own records; GKE does not.", ""]
    lines += ["| column | API server, EKS, AKS, OpenShift | GKE |", "| --- | --- | --- |"]
    return lines + [f"| {column} | {own} | {gke or '-'} |" for column, own, gke in _SOURCES]


def _acts() -> list[str]:
    """List the acts and, of each provider, how many columns of the event differ."""
    names = " | ".join(one.name for one in PROVIDERS)
    lines = ["", "## The acts", "", "How many columns differ, and findings where they do.", ""]
    lines += [f"| act | {names} |", "| --- " * (len(PROVIDERS) + 1) + "|"]
    for act in acts():
        cells = " | ".join(_cell(act, one.key) for one in PROVIDERS)
        lines.append(f"| {act} | {cells} |")
    return lines


def _cell(act: str, key: str) -> str:
    columns, findings = differing_columns(act, key), differing_findings(act, key)
    text = "not logged" if WHOLE in columns else str(len(columns))
    return f"{text} ({', '.join(sorted(findings))})" if findings else text
