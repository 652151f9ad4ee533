"""docs/site.md and docs/severity.md say what the code does; their examples work as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.finding import SEVERITY
from detectors.sigma.compiler import load_pack
from detectors.sigma.rule import Level
from detectors.site import DEFAULT_LISTS
from worker.configuration import load_settings
from worker.settings import shipped_rules
from worker.site import site_of

DOCS = Path(__file__).resolve().parent.parent / "docs"
SITE = (DOCS / "site.md").read_text()
REPORTING = load_pack([shipped_rules()]).reporting


def rows(page: str) -> dict[str, list[str]]:
    """Return the cells behind the first one of each row, by the first without its marks."""
    lines = [line.strip("|").split("|") for line in page.splitlines() if line.startswith("| ")]
    return {line[0].strip(" `"): [cell.strip() for cell in line[1:]] for line in lines}


def examples() -> list[str]:
    """Return the indented blocks that begin with a key of the settings."""
    blocks = [block for block in SITE.split("\n\n") if block.startswith(("    site:", "    exc"))]
    return ["\n".join(line[4:] for line in block.splitlines()) for block in blocks]


def test_every_list_has_a_row_and_its_default() -> None:
    table = rows(SITE)
    assert [name for name in table if name in DEFAULT_LISTS] == list(DEFAULT_LISTS)
    for name, values in DEFAULT_LISTS.items():
        assert (table[name][0] == "none") is (not values)
    for name in ("break_glass_identities", "system_namespaces"):
        assert all(f"`{value}`" in table[name][0] for value in DEFAULT_LISTS[name])


@pytest.mark.parametrize("example", examples())
def test_examples_of_settings_are_taken(tmp_path: Path, example: str) -> None:
    file = tmp_path / "trailwarden.yml"
    file.write_text(example)
    settings = load_settings(file)
    site_of(settings)
    assert settings.exceptions or settings.site.model_fields_set


def test_there_are_examples() -> None:
    assert len(examples()) == 4


@pytest.mark.parametrize("level", Level)
def test_the_scale_has_every_level_its_number_and_examples_of_it(level: Level) -> None:
    number, *_, named = rows((DOCS / "severity.md").read_text())[level.value]
    assert int(number) == SEVERITY[level]
    titles = [title for title in named.split("*") if title.strip(" ,")]
    levels = {one.title: one.level for one in REPORTING}
    assert titles
    assert {title: levels.get(title) for title in titles} == dict.fromkeys(titles, level)
