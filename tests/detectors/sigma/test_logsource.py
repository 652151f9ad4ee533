"""A rule sees the events of its log source and no others; what is no source is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from detectors.engine import detect
from detectors.plan import KEYS
from detectors.sigma.compiler import load_rules
from detectors.sigma.errors import InvalidRulesError, RuleError
from detectors.sigma.logsource import source_leaf
from detectors.sigma.rule import LogSource, Rule
from ingest.formats.seen import Action, Dataset
from ingest.schema import DTYPES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    LoadSource = Callable[[str, str], Rule]

SERVICES = (None, "sshd", "su", "sudo", "login")
EVENTS = pl.DataFrame(
    [
        {
            "event.dataset": dataset,
            "event.action": action,
            "trailwarden.session.service": service,
            "user.name": "x",
        }
        for dataset in (*Dataset, None)
        for action in (*Action, "get", None)
        for service in SERVICES
    ],
    schema=DTYPES,
)
KUBERNETES = {Dataset.AUDIT, Dataset.EKS_AUTHENTICATOR}
LOGIN_LOGS = {Dataset.AUTH, Dataset.LOGIN_RECORDS, Dataset.AUDITD}
FILE_CHANGES = {
    Action.FILE_CREATE,
    Action.FILE_MODIFY,
    Action.FILE_RENAME,
    Action.FILE_LINK,
    Action.FILE_DELETE,
    Action.FILE_ATTRIBUTES,
}


@pytest.fixture
def load_source(tmp_path: Path) -> LoadSource:
    """Compile a rule of a log source and a detection."""

    def load(source: str, selection: str) -> Rule:
        file = tmp_path / "rule.yml"
        file.write_text(
            "title: A rule\nid: 0a0a0a0a-0000-4000-8000-000000000001\n"
            f"logsource: {source}\ndetection:\n  a: {selection}\n  condition: a\n"
        )
        (rule,) = load_rules([file])
        return rule

    return load


def seen(rule: Rule) -> tuple[set[object], set[object], set[object]]:
    """Return datasets, actions and services of all events that the rule holds for."""
    held = EVENTS[detect(EVENTS, [rule])["row"]]
    columns = ("event.dataset", "event.action", "trailwarden.session.service")
    return tuple(set(held[name].to_list()) for name in columns)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("source", "datasets", "actions", "services"),
    [
        ("{product: kubernetes}", {Dataset.AUDIT}, None, None),
        ("{product: kubernetes, service: audit}", {Dataset.AUDIT}, None, None),
        (
            "{product: kubernetes, category: application, service: audit}",
            {Dataset.AUDIT},
            None,
            None,
        ),
        ("{product: linux}", set(Dataset) - KUBERNETES, None, None),
        (
            "{product: linux, category: process_creation}",
            set(Dataset) - KUBERNETES,
            {Action.PROCESS_START},
            None,
        ),
        (
            "{product: linux, category: process_termination}",
            set(Dataset) - KUBERNETES,
            {Action.PROCESS_END},
            None,
        ),
        ("{product: linux, category: file_event}", set(Dataset) - KUBERNETES, FILE_CHANGES, None),
        (
            "{product: linux, category: file_access}",
            set(Dataset) - KUBERNETES,
            {Action.FILE_OPEN},
            None,
        ),
        (
            "{product: linux, category: file_change}",
            set(Dataset) - KUBERNETES,
            {Action.FILE_MODIFY, Action.FILE_ATTRIBUTES},
            None,
        ),
        (
            "{product: linux, category: file_delete}",
            set(Dataset) - KUBERNETES,
            {Action.FILE_DELETE},
            None,
        ),
        (
            "{product: linux, category: file_rename}",
            set(Dataset) - KUBERNETES,
            {Action.FILE_RENAME},
            None,
        ),
        (
            "{product: linux, category: network_connection}",
            set(Dataset) - KUBERNETES,
            {Action.NETWORK_CONNECT},
            None,
        ),
        (
            "{product: linux, category: dns_query}",
            set(Dataset) - KUBERNETES,
            {Action.NAME_LOOKUP},
            None,
        ),
        (
            "{product: linux, category: process_creation, service: auditd}",
            {Dataset.AUDITD},
            {Action.PROCESS_START},
            None,
        ),
        ("{product: aws, service: eks-authenticator}", {Dataset.EKS_AUTHENTICATOR}, None, None),
        ("{product: linux, service: auditd}", {Dataset.AUDITD}, None, None),
        ("{product: linux, service: falco}", {Dataset.FALCO}, None, None),
        ("{product: linux, service: tetragon}", {Dataset.TETRAGON}, None, None),
        ("{product: linux, service: tracee}", {Dataset.TRACEE}, None, None),
        ("{product: linux, service: kubearmor}", {Dataset.KUBEARMOR}, None, None),
        ("{product: linux, service: docker}", {Dataset.DOCKER}, None, None),
        ("{product: linux, service: containerd}", {Dataset.CONTAINERD}, None, None),
        ("{product: linux, service: fim}", {Dataset.FILE_INTEGRITY}, None, None),
        ("{product: linux, service: wazuh}", {Dataset.WAZUH}, None, None),
        ("{product: linux, service: osquery}", {Dataset.OSQUERY}, None, None),
        ("{product: linux, service: wtmp}", {Dataset.LOGIN_RECORDS}, None, None),
    ],
)
def test_a_rule_sees_its_source_alone(
    load_source: LoadSource,
    source: str,
    datasets: set[object],
    actions: set[object] | None,
    services: set[object] | None,
) -> None:
    found = seen(load_source(source, "{user.name: x}"))

    assert found[0] == datasets
    assert found[1] == ({*Action, "get", None} if actions is None else actions)
    assert found[2] == (set(SERVICES) if services is None else services)


@pytest.mark.parametrize("service", ["sshd", "su", "sudo", "login"])
def test_the_logs_of_logins_are_told_apart_by_the_program(
    load_source: LoadSource, service: str
) -> None:
    every = seen(load_source("{product: linux, service: auth}", "{user.name: x}"))
    one = seen(load_source(f"{{product: linux, service: {service}}}", "{user.name: x}"))

    assert every[0] == one[0] == LOGIN_LOGS
    assert {Action.LOGIN, Action.AUTHENTICATE, Action.ACCOUNT_CREATE} <= every[1]
    assert every[1] == one[1]
    assert not every[1] & {Action.PROCESS_START, Action.FILE_MODIFY, "get", None}
    assert (every[2], one[2]) == (set(SERVICES), {service})


def test_a_negated_condition_stays_within_the_source(load_source: LoadSource) -> None:
    rule = load_source("{product: linux, service: falco}", "{user.name|neq: y}")

    assert seen(rule)[0] == {Dataset.FALCO}


def test_the_source_explains_no_finding(load_source: LoadSource) -> None:
    rule = load_source("{product: linux, service: sshd}", "{user.name: x}")

    assert [match.column for match in rule.matched] == ["user.name"]
    assert rule.logsource == LogSource("linux", None, "sshd")


@pytest.mark.parametrize(
    "source",
    [
        LogSource("kubernetes", None, "audit"),
        LogSource("linux", "file_event"),
        LogSource("linux", None, "sshd"),
    ],
)
def test_a_source_is_known_from_key_columns(source: LogSource) -> None:
    leaf = source_leaf(source)

    assert leaf.columns <= KEYS
    assert leaf.column in leaf.columns
    assert set(EVENTS.select(leaf.test).to_series().drop_nulls()) == {True, False}


@pytest.mark.parametrize(
    ("source", "column", "words"),
    [
        (
            "{product: linus}",
            22,
            "one of aws, kubernetes, linux, not 'linus', did you mean 'linux'?",
        ),
        ("{product: windows}", 22, "not 'windows'"),
        ("{product: ''}", 22, "but there is no product"),
        ("{category: process_creation}", 12, "but there is no product"),
        (
            "{product: linux, category: proces_creation}",
            39,
            "not 'proces_creation', did you mean 'process_creation'?",
        ),
        ("{product: linux, service: vsftpd}", 38, "service must be one of auditd, auth,"),
        ("{product: linux, service: audit}", 38, "did you mean 'auditd'?"),
        ("{product: kubernetes, service: falco}", 43, "service must be one of audit, not 'falco'"),
        ("{product: kubernetes, category: file_event}", 44, "must be one of application, audit"),
        (
            "{product: linux, category: file_event, service: sshd}",
            60,
            "no event has both category 'file_event' and service 'sshd'",
        ),
        ("{product: [linux]}", 22, "'product' must be text"),
    ],
)
def test_what_is_no_source_is_refused_at_its_place(
    load_source: LoadSource, source: str, column: int, words: str
) -> None:
    with pytest.raises(InvalidRulesError) as caught:
        load_source(source, "{user.name: x}")

    error: RuleError
    (error,) = caught.value.errors
    assert (error.line, error.column) == (3, column)
    assert words in error.message
