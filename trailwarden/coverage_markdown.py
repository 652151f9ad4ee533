"""Coverage becomes a Markdown page: for the command, and for docs/coverage.md.

Separate from what is covered, because a page shows what people ask: what is there, what is not, and
why not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from detectors.attack import NOTICE, technique_url
from detectors.catalogue import FAMILIES
from detectors.sigma.correlation import Correlation
from detectors.sigma.rule import Level
from detectors.threat_matrix import SOURCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from detectors.catalogue import Entry
    from detectors.coverage import Coverage, Detections


def coverage_lines(coverage: Coverage) -> Iterator[str]:
    """Yield the page, from its figures on."""
    yield from _figures(coverage)
    yield from _categories(coverage)
    yield from _sources(coverage)
    yield from _catalogue(coverage)
    yield from _matrix(coverage)
    yield from _techniques(coverage)


def _figures(coverage: Coverage) -> Iterator[str]:
    joined = sum(isinstance(one, Correlation) for one in coverage.detections)
    entries = sum(_is_covered(coverage, *one) for one in coverage.catalogue)
    seen = sum(bool(found) for _, found in coverage.matrix)
    techniques = sum(bool(found) for _, found in coverage.techniques)
    yield f"{len(coverage.detections)} detections, {joined} of them over time;"
    yield f"{len(coverage.waiting)} wait for a site list. They cover {entries} of"
    yield f"{len(coverage.catalogue)} detections of the catalogue, {seen} of {len(coverage.matrix)}"
    yield f"techniques of the Threat Matrix for Kubernetes, and {techniques} ATT&CK techniques."


def _table(*titles: str) -> list[str]:
    return ["", f"| {' | '.join(titles)} |", "| --- " * len(titles) + "|"]


def _categories(coverage: Coverage) -> Iterator[str]:
    yield from ("", "## By category")
    yield from _table("category", *(level.value for level in reversed(Level)), "all")
    for category, levels in coverage.categories.items():
        figures = [levels[level] for level in reversed(Level)]
        cells = " | ".join(str(figure) for figure in (*figures, sum(figures)))
        yield f"| {category.value} | {cells} |"


def _sources(coverage: Coverage) -> Iterator[str]:
    yield from ("", "## By data source", "")
    yield "Product, and service or category, as Sigma calls them; one over time may have several."
    yield from _table("source", "detections")
    for name, found in coverage.sources.items():
        yield f"| {name} | {len(found)} |"


def _catalogue(coverage: Coverage) -> Iterator[str]:
    yield from ("", "## By detection of the catalogue")
    for family, about in FAMILIES.items():
        mine = [(entry, found) for entry, found in coverage.catalogue if entry.id[0] == family]
        covered = sum(_is_covered(coverage, *one) for one in mine)
        yield from ("", f"### {family}: {about} ({covered} of {len(mine)})")
        yield from _table("id", "detection", "rules")
        for entry, found in mine:
            told = _finders(coverage, entry, found) or entry.without_rule
            yield f"| {entry.id} | {entry.title} | {told} |"


def _is_covered(coverage: Coverage, entry: Entry, found: Detections) -> bool:
    return bool(found) or entry.id in coverage.learned


def _finders(coverage: Coverage, entry: Entry, found: Detections) -> str:
    """Return the titles of rules, and of the learned detector with its id: it has no file."""
    learned = coverage.learned.get(entry.id)
    told = [f"{learned.title} (learned, `{learned.id}`)"] if learned else []
    return "; ".join(part for part in (_titles(found), *told) if part)


def _matrix(coverage: Coverage) -> Iterator[str]:
    yield from ("", "## By technique of the Threat Matrix for Kubernetes", "")
    yield f"Techniques are those of <{SOURCE}>; which rules see one is our own judgement."
    yield from _table("id", "technique", "tactics", "rules")
    for one, found in coverage.matrix:
        tactics = ", ".join(one.tactics)
        yield f"| {one.id} | [{one.page}]({one.url}) | {tactics} | {_titles(found) or 'none'} |"


def _techniques(coverage: Coverage) -> Iterator[str]:
    yield from ("", "## By ATT&CK technique", "")
    yield NOTICE
    yield from _table("technique", "name", "rules")
    for one, found in coverage.techniques:
        if found:
            yield f"| [{one.id}]({technique_url(one.id)}) | {one.title} | {_titles(found)} |"
    for name, found in coverage.unknown_techniques:
        yield f"| {name} | | {_titles(found)} |"


def _titles(found: Detections) -> str:
    return "; ".join(_escaped(one.title for one in found))


def _escaped(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield text.replace("|", "\\|")
