"""Fixtures that several folders of tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.secure_kafka import SecureKafka, running_secure_kafka
from tests.servers import running_elasticsearch, running_kafka
from worker.services.elasticsearch import LocalElasticsearch
from worker.services.kafka import LocalKafka

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def recording() -> Path:
    """Return the folder of the labelled recording, where the checkout has one beside it."""
    folder = ROOT.parent / "shared" / "data" / "kubernetes-audit"
    if not folder.is_dir():
        pytest.skip("needs the labelled recording in ../shared/data/kubernetes-audit")
    return folder


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the bootstrap servers of a real broker, shared by all tests of a run.

    One that runs already is named by TRAILWARDEN_TEST_KAFKA. Names of topics and groups are the
    test's own; nobody stops it or changes its settings.
    """
    if address := os.environ.get("TRAILWARDEN_TEST_KAFKA"):
        yield address
        return
    with running_kafka(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker.bootstrap


@pytest.fixture(scope="session")
def elasticsearch_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a real Elasticsearch node, shared by all tests of a run.

    One that runs already is named by TRAILWARDEN_TEST_ELASTICSEARCH. Names of indices and templates
    are the test's own; nobody stops it or changes its settings.
    """
    if address := os.environ.get("TRAILWARDEN_TEST_ELASTICSEARCH"):
        yield address
        return
    with running_elasticsearch(tmp_path_factory.mktemp("elasticsearch")) as node:
        yield node.url


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[LocalKafka]:
    """Give a broker of the test's own: kill it, restart it, fill it."""
    with running_kafka(tmp_path / "kafka") as broker:
        yield broker


@pytest.fixture
def own_elasticsearch(tmp_path: Path) -> Iterator[LocalElasticsearch]:
    """Give a node of the test's own: kill it, restart it, block it."""
    with running_elasticsearch(tmp_path / "elasticsearch") as node:
        yield node


@pytest.fixture(scope="module")
def module_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKafka]:
    """Give a broker of the module's own; a test leaves it running."""
    with running_kafka(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture(scope="module")
def module_elasticsearch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalElasticsearch]:
    """Give a node of the module's own; a test leaves it running."""
    with running_elasticsearch(tmp_path_factory.mktemp("elasticsearch")) as node:
        yield node


@pytest.fixture(scope="session")
def secure_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    """Give a broker with TLS, passwords, client certificates and ACLs, shared by all tests."""
    with running_secure_kafka(tmp_path_factory.mktemp("secure")) as secured:
        yield secured
