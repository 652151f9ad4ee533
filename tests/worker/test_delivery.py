"""A scan waits where Elasticsearch says so, visibly, and ends where it must not go on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sinks.elasticsearch.connection import Client, connect
from sinks.elasticsearch.setup import apply
from sinks.elasticsearch.templates import SetupOptions
from sinks.elasticsearch.transport import require
from tests.elasticsearch_names import own_prefix
from tests.faulty_proxy import Fault, FaultyProxy
from worker.configuration import Elasticsearch, Settings, Worker
from worker.delivery import Delivery, Patience
from worker.scan import DeliveryFailedError, scan
from worker.settings import ScanSettings, shipped_rules

pytestmark = pytest.mark.integration


@pytest.fixture
def prefix(elasticsearch_url: str) -> Iterator[str]:
    client = connect(elasticsearch_url)
    with own_prefix(client) as name:
        apply(client, SetupOptions(name, replicas=0))
        yield name
    client.close()


def delivery(client: Client, prefix: str, patience: Patience) -> Delivery:
    settings = Settings(
        elasticsearch=Elasticsearch(prefix=prefix, events="all", bulk_bytes=400_000),
        worker=Worker(retention_days=3_650),
    )
    return Delivery(client, settings, datetime.now(UTC), patience)


def scanning(root: Path, out: Path) -> ScanSettings:
    sample = str(root / "examples" / "sample-audit.log.gz")
    return ScanSettings([sample], out, "prod", rules=[shipped_rules()])


def test_a_storm_is_waited_out_and_said(
    elasticsearch_url: str, prefix: str, root: Path, tmp_path: Path
) -> None:
    told: list[str] = []
    slept: list[float] = []
    with FaultyProxy(elasticsearch_url, {Fault.BUSY: 0.2, Fault.LOST: 0.2}, seed=3) as proxy:

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            if len(slept) > 5:
                proxy.calm()
            monotonic.append(seconds)

        monotonic: list[float] = []
        client = connect(proxy.url, timeout_s=10)
        delivered = delivery(client, prefix, Patience(told.append, sleep, lambda: sum(monotonic)))
        delivered.begin()
        result = scan(scanning(root, tmp_path / "out"), 10_000, lambda _: None, delivered)
        client.close()
    assert len(slept) > 5
    assert len(told) == len(slept)
    assert any("429" in line and "documents are waiting" in line for line in told)
    client = connect(elasticsearch_url)
    require(client, "POST", f"/{prefix}-*/_refresh")
    count = require(client, "GET", f"/{prefix}-*/_count")["count"]
    assert count == result.accounts.events + len(result.findings)
    client.close()


def test_a_set_up_that_vanishes_ends_the_scan_and_says_how_far_it_came(
    elasticsearch_url: str, prefix: str, root: Path, tmp_path: Path
) -> None:
    client = connect(elasticsearch_url)
    delivered = delivery(client, prefix, Patience(lambda _: None))
    delivered.begin()
    require(client, "DELETE", f"/_index_template/{prefix}-findings")
    with pytest.raises(DeliveryFailedError, match=f"{prefix}-findings is missing.*0 documents"):
        scan(scanning(root, tmp_path / "out"), 0, lambda _: None, delivered)
    assert not list((tmp_path / "out").glob("*.ndjson"))
    client.close()


def test_what_elasticsearch_never_takes_is_in_quarantine(
    elasticsearch_url: str, prefix: str, root: Path, tmp_path: Path
) -> None:
    client = connect(elasticsearch_url)
    broken = {"properties": {"user": {"properties": {"name": {"type": "long"}}}}}
    body = {"template": {"mappings": {"dynamic": False, **broken}}}
    require(client, "PUT", f"/_component_template/{prefix}-findings", body)
    delivered = delivery(client, prefix, Patience(lambda _: None))
    result = scan(scanning(root, tmp_path / "out"), 10_000, lambda _: None, delivered)
    refused = (tmp_path / "out" / "quarantine.ndjson").read_text().splitlines()
    assert len(refused) == delivered.counts.poisoned > 0
    assert f"{prefix}-findings-" in refused[0]
    assert delivered.counts.created == result.accounts.events + len(result.findings) - len(refused)
    client.close()
