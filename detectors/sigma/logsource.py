"""The log source of a rule becomes a leaf: which events the rule is about at all.

Separate from the header, because this part of it does touch events: a frame holds those of API
servers, machines and sensors side by side, and a rule for one must not fire on another, whatever a
client writes into a field that both have. Products, categories and services are those of Sigma's
taxonomy (sigma-specification, appendix "Taxonomy"); a sensor's name is a service here as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.sigma.errors import RefusedError, shown
from detectors.sigma.fields import suggestion
from detectors.sigma.header import place_of, text
from detectors.sigma.rule import LogSource
from detectors.sigma.strict_yaml import Mapping
from detectors.sigma.tree import Leaf, nothing_found
from ingest.formats.seen import Action, Dataset

if TYPE_CHECKING:
    from collections.abc import Collection

DATASET: Final = "event.dataset"
ACTION: Final = "event.action"
SERVICE: Final = "trailwarden.session.service"

_OF_API_SERVERS: Final = frozenset({Dataset.AUDIT, Dataset.EKS_AUTHENTICATOR})
_LOGINS: Final = frozenset(
    {
        Action.LOGIN,
        Action.LOGOUT,
        Action.AUTHENTICATE,
        Action.SESSION_START,
        Action.SESSION_END,
        Action.SWITCH_USER,
        Action.RUN_AS,
        Action.ACCOUNT_CREATE,
        Action.ACCOUNT_CHANGE,
        Action.ACCOUNT_DELETE,
        Action.GROUP_CHANGE,
    }
)
_LOGIN_LOGS: Final = frozenset({Dataset.AUTH, Dataset.LOGIN_RECORDS, Dataset.AUDITD})


@dataclass(frozen=True, slots=True)
class _Limits:
    """Which events belong to a source; None is no limit."""

    datasets: frozenset[Dataset] | None = None
    actions: frozenset[Action] | None = None
    service: str | None = None
    """What ``trailwarden.session.service`` has to be."""


@dataclass(frozen=True, slots=True)
class _Product:
    """What a product's events are, and how categories and services narrow them."""

    datasets: frozenset[Dataset]
    categories: dict[str, _Limits]
    services: dict[str, _Limits]


def _dataset(dataset: Dataset) -> _Limits:
    return _Limits(datasets=frozenset({dataset}))


def _actions(*actions: Action) -> _Limits:
    return _Limits(actions=frozenset(actions))


def _logins(service: str | None = None) -> _Limits:
    return _Limits(_LOGIN_LOGS, _LOGINS, service)


_PRODUCTS: Final = {
    "aws": _Product(
        frozenset({Dataset.EKS_AUTHENTICATOR}),
        {},
        {"eks-authenticator": _dataset(Dataset.EKS_AUTHENTICATOR)},
    ),
    "kubernetes": _Product(
        frozenset({Dataset.AUDIT}),
        {"application": _Limits(), "audit": _Limits()},
        {"audit": _Limits()},
    ),
    "linux": _Product(
        frozenset(Dataset) - _OF_API_SERVERS,
        {
            "process_creation": _actions(Action.PROCESS_START),
            "process_termination": _actions(Action.PROCESS_END),
            "file_access": _actions(Action.FILE_OPEN),
            "file_event": _actions(
                Action.FILE_CREATE,
                Action.FILE_MODIFY,
                Action.FILE_RENAME,
                Action.FILE_LINK,
                Action.FILE_DELETE,
                Action.FILE_ATTRIBUTES,
            ),
            "file_change": _actions(Action.FILE_MODIFY, Action.FILE_ATTRIBUTES),
            "file_delete": _actions(Action.FILE_DELETE),
            "file_rename": _actions(Action.FILE_RENAME),
            "network_connection": _actions(Action.NETWORK_CONNECT),
            "dns_query": _actions(Action.NAME_LOOKUP),
        },
        {
            "auth": _logins(),
            "sshd": _logins("sshd"),
            "su": _logins("su"),
            "sudo": _logins("sudo"),
            "login": _logins("login"),
            "auditd": _dataset(Dataset.AUDITD),
            "containerd": _dataset(Dataset.CONTAINERD),
            "docker": _dataset(Dataset.DOCKER),
            "falco": _dataset(Dataset.FALCO),
            "fim": _dataset(Dataset.FILE_INTEGRITY),
            "kubearmor": _dataset(Dataset.KUBEARMOR),
            "osquery": _dataset(Dataset.OSQUERY),
            "tetragon": _dataset(Dataset.TETRAGON),
            "tracee": _dataset(Dataset.TRACEE),
            "wazuh": _dataset(Dataset.WAZUH),
            "wtmp": _dataset(Dataset.LOGIN_RECORDS),
        },
    ),
}


def logsource(mapping: Mapping) -> LogSource:
    """Return the log source of a rule; one whose events nobody can tell apart is refused."""
    node = mapping.get("logsource")
    if not isinstance(node, Mapping):
        raise RefusedError(place_of(mapping, "logsource"), "a rule needs a mapping 'logsource'")
    known = _PRODUCTS[_one_of(node, "product", _PRODUCTS)]
    category = _one_of(node, "category", known.categories) if "category" in node.entries else None
    service = _one_of(node, "service", known.services) if "service" in node.entries else None
    source = LogSource(text(node, "product") or "", category, service)
    if None not in (category, service) and not _possible(source):
        both = f"category {shown(category)} and service {shown(service)}"
        raise RefusedError(place_of(node, "service"), f"logsource: no event has both {both}")
    return source


def datasets_of(product: str) -> frozenset[Dataset]:
    """Return the datasets that rules for ``product`` may be about, whatever else they say."""
    return _PRODUCTS[product].datasets


def source_leaf(source: LogSource) -> Leaf:
    """Return the test whether an event is of ``source``.

    One leaf for all of it, of columns with few values: whole batches of another source are settled
    before anything else is looked at.
    """
    datasets, actions, service = _limits(source)
    tests = [_member(DATASET, datasets)]
    if actions is not None:
        tests.append(_member(ACTION, actions))
    if service is not None:
        tests.append(pl.col(SERVICE) == service)
    columns = (DATASET, ACTION, SERVICE)[: 3 if service else len(tests)]
    return Leaf(
        key=repr(("logsource", sorted(datasets), actions and sorted(actions), service)),
        column=SERVICE if service else DATASET,
        columns=frozenset(columns),
        test=pl.all_horizontal(tests) if tests[1:] else tests[0],
        found=nothing_found(DATASET),
    )


def _one_of(node: Mapping, key: str, known: Collection[str]) -> str:
    found = text(node, key)
    if found is None or found not in known:
        words = f"not {shown(found)}" if found else f"but there is no {key}"
        hint = suggestion(found, known) if found else ""
        wrong = f"logsource: {key} must be one of {', '.join(sorted(known))}, {words}{hint}"
        raise RefusedError(place_of(node, key), wrong)
    return found


def _limits(
    source: LogSource,
) -> tuple[frozenset[Dataset], frozenset[Action] | None, str | None]:
    product = _PRODUCTS[source.product]
    datasets, actions, service = product.datasets, None, None
    for limits in (
        product.categories.get(source.category or "", _Limits()),
        product.services.get(source.service or "", _Limits()),
    ):
        datasets &= datasets if limits.datasets is None else limits.datasets
        if limits.actions is not None:
            actions = limits.actions if actions is None else actions & limits.actions
        service = service or limits.service
    return datasets, actions, service


def _possible(source: LogSource) -> bool:
    datasets, actions, _ = _limits(source)
    return bool(datasets) and actions != frozenset()


def _member(column: str, values: Collection[str]) -> pl.Expr:
    if len(values) == 1:
        (value,) = values
        return pl.col(column) == pl.lit(str(value))
    return pl.col(column).is_in(pl.Series(sorted(map(str, values))).implode())
