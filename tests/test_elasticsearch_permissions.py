"""docs/permissions.md is true of Elasticsearch: each role's privileges suffice, none is idle.

The node that tests can run has no security plugin, so `tests.tls_front` asks for the privileges.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import polars as pl
import pytest
from elasticsearch import ApiError

from sinks.elasticsearch import setup
from sinks.elasticsearch.bulk import BulkWriter
from sinks.elasticsearch.connection import Client, Credentials, connect
from sinks.elasticsearch.documents import Document
from sinks.elasticsearch.read import IndexReader, Selection
from sinks.elasticsearch.retention import apply_retention
from sinks.elasticsearch.setup_check import checker
from sinks.elasticsearch.templates import SetupOptions
from sinks.elasticsearch.transport import NotAllowedError, ask
from sinks.elasticsearch.triage import search_findings, set_triage
from tests.authority import Authority
from tests.permissions_table import Privilege, elasticsearch_privileges
from tests.tls_front import Account, TlsFront

PRIVILEGES = elasticsearch_privileges()
DAY = "events-2026.01.01"
FINDINGS_DAY = "findings-2026.01.01"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
SOURCE = b'{"@timestamp": "2026-01-01T00:00:00.000Z", "event.kind": "event"}'
RUN = f"tw-permissions-{uuid.uuid4().hex[:8]}"


def worker(client: Client, prefix: str) -> None:
    writer = BulkWriter(client, 1 << 20, check=checker(client, prefix))
    day = f"{prefix}-events-2026.01.02"
    writer.add(Document(day, "1", SOURCE))
    assert writer.flush() is None
    assert writer.created() == ["1"]
    writer.add(Document(day, "1", b'{"trailwarden.episode.closed": true}', is_update=True))
    assert writer.flush() is None


def retention(client: Client, prefix: str) -> None:
    assert apply_retention(client, prefix, 30, NOW) == [f"{prefix}-{DAY}"]


def setup_all(client: Client, prefix: str) -> None:
    setup.apply(client, SetupOptions(prefix, replicas=1))
    setup.apply(client, SetupOptions(prefix, replicas=0))
    assert setup.changes(client, SetupOptions(prefix, replicas=0)) == []


def reader(client: Client, prefix: str) -> None:
    selection = Selection(f"{prefix}-events-*", {"event.kind": pl.String()})
    try:
        pages = list(IndexReader(client).pages(selection, ["event.kind"]))
    except ApiError as error:
        raise NotAllowedError(str(error)) from error
    assert sum(page.height for page in pages) == 1


def analyst(client: Client, prefix: str) -> None:
    (held,) = search_findings(client, prefix, [], 2)
    set_triage(client, held, {"verdict": "benign"})


ROLES: dict[str, Callable[[Client, str], None]] = {
    "worker": worker,
    "retention": retention,
    "setup": setup_all,
    "reader": reader,
    "analyst": analyst,
}


def name_without(privilege: Privilege) -> str:
    return f"without-{privilege}"


def account(name: str, privileges: list[Privilege]) -> Account:
    held = {
        scope: frozenset(p.name for p in privileges if p.scope == scope)
        for scope in ("cluster", "index")
    }
    return Account(name, "pw", None, held["cluster"], held["index"], f"{RUN}-{name}")


def accounts() -> Iterator[Account]:
    """Yield one of each role, and one for each privilege taken away."""
    for role in ROLES:
        yield account(role, [one for one in PRIVILEGES if one.role == role])
    for taken in PRIVILEGES:
        others = [one for one in PRIVILEGES if one.role == taken.role and one != taken]
        yield account(name_without(taken), others)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def node(elasticsearch_url: str) -> Iterator[Client]:
    """Give the node itself, and leave nothing on it."""
    client = connect(elasticsearch_url)
    yield client
    indices = ask(client, "GET", f"/_resolve/index/{RUN}-*?expand_wildcards=all").body["indices"]
    for index in indices:
        ask(client, "DELETE", f"/{index['name']}")
    for kind in ("index_template", "component_template"):
        for entry in ask(client, "GET", f"/_{kind}/{RUN}-*").body.get(f"{kind}s", ()):
            ask(client, "DELETE", f"/_{kind}/{entry['name']}")
    client.close()


@pytest.fixture(scope="module")
def front(elasticsearch_url: str, authority: Authority) -> Iterator[TlsFront]:
    with TlsFront(elasticsearch_url, authority.issue("node"), list(accounts())) as started:
        yield started


def act(front: TlsFront, authority: Authority, node: Client, role: str, name: str) -> None:
    """Do a role's work as one of the accounts; what it begins from is made on the node itself."""
    prefix = f"{RUN}-{name}"
    if role != "setup":
        setup.apply(node, SetupOptions(prefix, replicas=0))
    if role in {"retention", "reader", "analyst"}:
        day = FINDINGS_DAY if role == "analyst" else DAY
        answer = ask(node, "PUT", f"/{prefix}-{day}/_create/1?refresh=true", SOURCE)
        assert answer.status == 201
    elif role == "setup":
        ask(node, "PUT", f"/{prefix}-{DAY}", b"{}")
    client = connect(front.url, Credentials(name, "pw"), ca_file=authority.ca_file)
    try:
        ROLES[role](client, prefix)
    finally:
        client.close()


def test_every_role_of_the_page_is_tried() -> None:
    assert {privilege.role for privilege in PRIVILEGES} == set(ROLES)


@pytest.mark.integration
@pytest.mark.parametrize("role", ROLES)
def test_a_role_works_with_the_privileges_of_the_page(
    front: TlsFront, authority: Authority, node: Client, role: str
) -> None:
    act(front, authority, node, role, role)


@pytest.mark.integration
@pytest.mark.parametrize("privilege", PRIVILEGES, ids=str)
def test_a_privilege_that_is_missing_is_said(
    front: TlsFront, authority: Authority, node: Client, privilege: Privilege
) -> None:
    with pytest.raises(NotAllowedError, match="unauthorized") as caught:
        act(front, authority, node, privilege.role, name_without(privilege))
    assert privilege.name in str(caught.value)
