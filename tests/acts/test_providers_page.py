"""docs/providers.md says what the acts show."""

from __future__ import annotations

from pathlib import Path

from tests.acts.not_logged import DIFFERENCES
from tests.acts.providers_page import PROVIDERS, providers_page
from tests.acts.wrappers import WRAPPERS


def test_the_page_is_up_to_date(root: Path) -> None:
    assert (root / "docs" / "providers.md").read_text() == providers_page(), "run `make docs`"


def test_the_page_has_every_provider_and_every_difference() -> None:
    page = providers_page()
    assert {one.key for one in PROVIDERS} == set(WRAPPERS)
    assert all(one.fact in page and one.source in page for one in DIFFERENCES)
