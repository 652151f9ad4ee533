"""What the tests of rules share: a rule from its detection, refusals as values, event frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from detectors.cases import load_cases
from detectors.sigma.compiler import load_pack, load_rules
from detectors.sigma.errors import InvalidRulesError
from detectors.site import Site
from ingest.schema import DTYPES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from detectors.cases import Case
    from detectors.sigma.pack import Pack
    from detectors.sigma.rule import Rule

    LoadCases = Callable[[str], tuple[Case, ...]]
    LoadPack = Callable[..., Pack]
    PackProblems = Callable[..., list[tuple[str, int, int, str]]]
    Load = Callable[[str], Rule]
    Refused = Callable[[str], list[tuple[int, int, str]]]
    Matching = Callable[[str, str, list[Any]], list[bool]]
    Events = Callable[[list[dict[str, Any]]], pl.DataFrame]

HEAD = """\
title: A rule
id: 0a0a0a0a-0000-4000-8000-000000000001
logsource: {product: kubernetes}
detection:
"""
"""Four lines: what a test writes begins on line 5, behind two blanks."""


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Compile a detection."""

    def load_detection(detection: str) -> Rule:
        file = tmp_path / "rule.yml"
        file.write_text(HEAD + detection, encoding="utf-8")
        (rule,) = load_rules([file])
        return rule

    return load_detection


@pytest.fixture
def refused(tmp_path: Path) -> Refused:
    """Compile a detection that must be refused; return (line, column, message) of each problem."""

    def refuse(detection: str) -> list[tuple[int, int, str]]:
        file = tmp_path / "rule.yml"
        file.write_text(HEAD + detection, encoding="utf-8")
        with pytest.raises(InvalidRulesError) as caught:
            load_rules([file])
        return [(error.line, error.column, error.message) for error in caught.value.errors]

    return refuse


@pytest.fixture
def events() -> Events:
    """Build a frame of audit events; columns that a row does not name are null."""

    def build(rows: list[dict[str, Any]]) -> pl.DataFrame:
        assert all(name in DTYPES for row in rows for name in row)
        return pl.DataFrame([{"event.dataset": "kubernetes.audit"} | row for row in rows], DTYPES)

    return build


@pytest.fixture
def matching(load: Load, events: Events) -> Matching:
    """Return for each value of a column whether ``key: value`` holds for it."""

    def match(key: str, value: str, column_values: list[Any]) -> list[bool]:
        rule = load(f"  sel:\n    {key}: {value}\n  condition: sel\n")
        (column,) = rule.columns - {"event.dataset"}
        frame = events([{column: one} for one in column_values])
        verdict: list[bool] = frame.select(rule.condition.alias("verdict"))["verdict"].to_list()
        return verdict

    return match


@pytest.fixture
def cases(folder: Path) -> LoadCases:
    """Load the cases of a rule; the module's own ``folder`` has the base records."""

    def load_text(text: str) -> tuple[Case, ...]:
        (folder / "rule.cases.yml").write_text(text)
        return load_cases(folder / "rule.yml", folder / "bases").cases

    return load_text


@pytest.fixture
def bad_cases(cases: LoadCases) -> Refused:
    """Load cases that must be refused; return (line, column, message) of each problem."""

    def refuse(text: str) -> list[tuple[int, int, str]]:
        with pytest.raises(InvalidRulesError) as caught:
            cases(text)
        return [(error.line, error.column, error.message) for error in caught.value.errors]

    return refuse


@pytest.fixture
def load_files(tmp_path: Path) -> LoadPack:
    """Load a pack from texts by the names of their files, ``a`` for ``a.yml``."""

    def load_texts(site: Site | None = None, **texts: str) -> Pack:
        return load_pack(written(tmp_path, texts), site or Site())

    return load_texts


@pytest.fixture
def refuse_files(tmp_path: Path) -> PackProblems:
    """Load a pack that must be refused; return (file, line, column, message) of each problem."""

    def refuse_texts(**texts: str) -> list[tuple[str, int, int, str]]:
        with pytest.raises(InvalidRulesError) as caught:
            load_pack(written(tmp_path, texts))
        return [(e.file.stem, e.line, e.column, e.message) for e in caught.value.errors]

    return refuse_texts


def written(folder: Path, texts: dict[str, str]) -> list[Path]:
    for name, text in texts.items():
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    return [folder / f"{name}.yml" for name in texts]
