"""Credentials as an operator's first run makes them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.compose.stack import COMPOSE


@pytest.fixture(scope="session")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run generate.py for two clusters and return the folder it filled."""
    folder = tmp_path_factory.mktemp("credentials") / "secrets"
    names = ["--host", "logs.example.org", "--cluster", "prod-eu", "--cluster", "staging"]
    subprocess.run([sys.executable, COMPOSE / "generate.py", "--out", folder, *names], check=True)
    return folder
