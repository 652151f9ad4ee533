"""Fixtures that several folders of tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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
def kafka() -> str:
    """Return the bootstrap servers of a real broker."""
    address = os.environ.get("TRAILWARDEN_TEST_KAFKA")
    return address or pytest.skip("needs TRAILWARDEN_TEST_KAFKA")


@pytest.fixture(scope="session")
def elasticsearch_url() -> str:
    """Return the address of a real Elasticsearch node."""
    address = os.environ.get("TRAILWARDEN_TEST_ELASTICSEARCH")
    return address or pytest.skip("needs TRAILWARDEN_TEST_ELASTICSEARCH")
