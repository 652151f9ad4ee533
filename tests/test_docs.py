"""Generated pages say what the code says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def generator(root: Path) -> ModuleType:
    path = root / "tests" / "generate_docs.py"
    spec = importlib.util.spec_from_file_location("generate_docs", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "name", ["schema.md", "rules.md", "coverage.md", "metrics.md", "settings.md"]
)
def test_the_page_is_up_to_date(generator: ModuleType, root: Path, name: str) -> None:
    assert (root / "docs" / name).read_text() == generator.PAGES[name](), "run `make docs`"
