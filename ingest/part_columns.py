"""Distinct parts become columns: one small series per column, gathered to the batch's rows.

Separate from the columns of the event's own fields because the cost here is per distinct value,
not per event: identities, address chains, answers and annotations recur.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson
import polars as pl

from ingest.address import Network, source_address
from ingest.assemble import series
from ingest.authorization import granted_by
from ingest.formats.arn import canonical_arn
from ingest.formats.openshift import ANONYMOUS, Login, login_of
from ingest.identity import identify
from ingest.redact.document import redact_annotations
from ingest.redact.names import names_a_secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest.formats.audit_event import ResponseStatus, User
    from ingest.formats.parts import Parts, PartTable
    from ingest.redact.token import Redactor

Values = dict[str, list[Any]]

_A: Final = "kubernetes.audit."
_TW: Final = "trailwarden."
_KUBERNETES_IO: Final = "authentication.kubernetes.io/"

EXTRA: Final = {
    _TW + "credential.id": _KUBERNETES_IO + "credential-id",
    _TW + "token.pod.name": _KUBERNETES_IO + "pod-name",
    _TW + "token.pod.uid": _KUBERNETES_IO + "pod-uid",
    _TW + "token.node.name": _KUBERNETES_IO + "node-name",
}
"""Columns from user.extra, the first of each list (KEP-4193)."""

ANNOTATIONS: Final = {
    _TW + "authorization.decision": "authorization.k8s.io/decision",
    _TW + "authorization.reason": "authorization.k8s.io/reason",
    _TW + "credential.issued_id": _KUBERNETES_IO + "issued-credential-id",
    _TW + "credential.legacy_token": "authentication.k8s.io/legacy-token",
    _TW + "credential.stale_token": "authentication.k8s.io/stale-token",
    _TW + "pod_security.enforce_policy": "pod-security.kubernetes.io/enforce-policy",
    _TW + "pod_security.audit_violations": "pod-security.kubernetes.io/audit-violations",
    _TW + "pod_security.exempt": "pod-security.kubernetes.io/exempt",
}
"""Columns from annotations (Kubernetes reference, "Audit Annotations")."""

_ARN: Final = ("canonicalArn", "canonicalarn", "arn")
_ACCESS_KEY: Final = ("accessKeyId", "accesskeyid")
"""Attributes that EKS' authenticator adds (kubernetes-sigs/aws-iam-authenticator, pkg/server), the
first that is there. An aggregated API server gets them from headers, in lower case."""

_FAILED_OPEN: Final = "failed-open."
_TRUNCATED: Final = "audit.k8s.io/truncated"
_EXTRA_KEYS: Final = frozenset({*EXTRA.values(), *_ARN[:-1], *_ACCESS_KEY})
_ANNOTATION_KEYS: Final = frozenset({*ANNOTATIONS.values(), _TRUNCATED})


def part_columns(
    parts: Parts, trusted: Sequence[Network], redactor: Redactor
) -> dict[str, pl.Series]:
    """Return the columns of all part tables, as long as the batch."""
    logins = [login_of(found) for found in parts.annotations.values]
    columns = {
        **_gathered(parts.users, _user_values(parts.users.values, redactor)),
        **_gathered(parts.impersonated, _impersonated_values(parts.impersonated.values)),
        **_gathered(
            parts.authentication,
            {
                _A + "authenticationMetadata.impersonationConstraint": [
                    a.impersonationConstraint for a in parts.authentication.values
                ]
            },
        ),
        **_gathered(parts.addresses, _address_values(parts.addresses.values, trusted)),
        **_gathered(parts.statuses, _status_values(parts.statuses.values)),
        **_gathered(parts.annotations, _annotation_values(parts.annotations.values, redactor)),
        **_gathered(parts.annotations, _login_values(logins)),
    }
    return columns | _logged_in(columns, parts.annotations.codes, logins)


def _gathered(table: PartTable[Any], values: Values) -> dict[str, pl.Series]:
    distinct = pl.DataFrame([series(name, column) for name, column in values.items()])
    rows = distinct[pl.Series(table.codes, dtype=pl.UInt32)]
    return {name: rows[name] for name in rows.columns}


def _user_values(users: list[User], redactor: Redactor) -> Values:
    names = [user.username or None for user in users]
    identities = [identify(name) for name in names]
    values: Values = {
        "user.name": names,
        "user.id": [user.uid for user in users],
        _A + "user.groups": [user.groups for user in users],
        _A + "user.extra": [_rest_of_extra(user.extra, redactor) for user in users],
        _TW + "identity.type": [identity.type for identity in identities],
        _TW + "identity.service_account.namespace": [
            identity.service_account_namespace for identity in identities
        ],
        _TW + "identity.service_account.name": [
            identity.service_account_name for identity in identities
        ],
        _TW + "identity.node.name": [identity.node_name for identity in identities],
    }
    extras = [user.extra or {} for user in users]
    for column, key in EXTRA.items():
        values[column] = [_first(extra.get(key)) for extra in extras]
    arns = [_first_of(extra, _ARN) for extra in extras]
    values[_TW + "identity.arn"] = [None if arn is None else canonical_arn(arn) for arn in arns]
    values[_TW + "identity.access_key_id"] = [_first_of(extra, _ACCESS_KEY) for extra in extras]
    return values


def _login_values(logins: list[Login]) -> Values:
    """Return what OpenShift's login servers say; ingest/action.py knows by the URI what it was."""
    return {
        _TW + "session.service": [login.service for login in logins],
        _TW + "session.method": [login.method for login in logins],
        _TW + "session.reason": [login.reason for login in logins],
    }


def _logged_in(
    columns: dict[str, pl.Series], codes: list[int], logins: list[Login]
) -> dict[str, pl.Series]:
    """Return the caller's columns with those who logged in, where the caller is anonymous.

    A name that was refused is only what somebody typed: its type stays ``anonymous``.
    """
    if not any(login.user_name for login in logins):
        return {}
    names, types = columns["user.name"].to_list(), columns[_TW + "identity.type"].to_list()
    for row, code in enumerate(codes):
        name = logins[code].user_name
        if name is not None and names[row] == ANONYMOUS:
            names[row] = name
            if logins[code].reason is None:
                types[row] = identify(name).type
    return {
        "user.name": series("user.name", names),
        _TW + "identity.type": series(_TW + "identity.type", types),
    }


def _impersonated_values(users: list[User]) -> Values:
    return {
        "user.effective.name": [user.username for user in users],
        _A + "impersonatedUser.groups": [user.groups for user in users],
    }


def _address_values(chains: list[list[str]], trusted: Sequence[Network]) -> Values:
    return {
        "source.address_chain": [chain or None for chain in chains],
        "source.ip": [source_address(chain, trusted) for chain in chains],
    }


def _status_values(statuses: list[ResponseStatus]) -> Values:
    return {
        "http.response.status_code": [status.code for status in statuses],
        _A + "responseStatus.status": [status.status for status in statuses],
        _A + "responseStatus.reason": [status.reason for status in statuses],
        _A + "responseStatus.message": [status.message for status in statuses],
    }


def _annotation_values(annotations: list[dict[str, str]], redactor: Redactor) -> Values:
    values: Values = {
        column: [found.get(key) for found in annotations] for column, key in ANNOTATIONS.items()
    }
    grants = [granted_by(reason) for reason in values[_TW + "authorization.reason"]]
    values[_TW + "authorization.binding"] = [binding for binding, _ in grants]
    values[_TW + "authorization.role"] = [role for _, role in grants]
    values[_A + "annotations"] = [_rest_of_annotations(found, redactor) for found in annotations]
    values[_TW + "admission.failed_open"] = [_failed_open(found) for found in annotations]
    values[_TW + "truncated"] = [_TRUNCATED in found or None for found in annotations]
    return values


def _first(values: list[str] | None) -> str | None:
    return values[0] if values else None


def _first_of(extra: dict[str, list[str]], keys: tuple[str, ...]) -> str | None:
    return next((found for key in keys if (found := _first(extra.get(key)))), None)


def _rest_of_annotations(values: dict[str, str], redactor: Redactor) -> str | None:
    """Return what has no column of its own, as JSON text, None where nothing is left."""
    if values.keys() <= _ANNOTATION_KEYS:
        return None
    rest = {key: value for key, value in values.items() if key not in _ANNOTATION_KEYS}
    return orjson.dumps(redact_annotations(rest, redactor)).decode()


def _rest_of_extra(extra: dict[str, list[str]] | None, redactor: Redactor) -> str | None:
    """Do the same for attributes of the user; of those with a column, all but the first value."""
    rest = {
        key: values if key not in _EXTRA_KEYS else values[1:]
        for key, values in (extra or {}).items()
    }
    rest = {
        key: [redactor.token(value) for value in values] if names_a_secret(key) else values
        for key, values in rest.items()
        if values or key not in _EXTRA_KEYS
    }
    return orjson.dumps(rest).decode() if rest else None


def _failed_open(annotations: dict[str, str]) -> list[str] | None:
    found = [value for key, value in annotations.items() if key.startswith(_FAILED_OPEN)]
    return found or None
