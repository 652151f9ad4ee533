"""Rule files become rules; every problem of every file is found in one go.

Source: Sigma rules specification 2 (https://github.com/SigmaHQ/sigma-specification). Loading a rule
executes nothing: a rule is data, and becomes Polars expressions that this package builds itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from detectors.sigma import header
from detectors.sigma.detection import compile_detection
from detectors.sigma.errors import (
    START,
    InvalidRulesError,
    Problems,
    RefusedError,
    RuleError,
)
from detectors.sigma.extension import read_extension
from detectors.sigma.logsource import logsource, source_leaf
from detectors.sigma.rule import Level, LogSource, MatchedValues, Rule, Status
from detectors.sigma.strict_yaml import MAX_BYTES, Mapping, Node, parse
from detectors.sigma.tree import And, Or, Tree, expression, leaves

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

SUFFIXES: Final = (".yml", ".yaml")
CASES_SUFFIXES: Final = (".cases.yml", ".cases.yaml")

_UNSUPPORTED: Final = {
    "correlation": "correlation rules are not supported yet",
    "filter": "filters are not supported yet",
    "action": "rule collections ('action') are not supported: write one rule a file",
}
_NEVER: Final = Or(())
"""Stands for a detection that was refused, so that the rest of the rule is still checked."""


def load_rules(paths: Iterable[Path]) -> tuple[Rule, ...]:
    """Return the rules in ``paths``, which are files or folders, in the order of their file names.

    Folders are searched to the bottom for ``*.yml`` and ``*.yaml``; case files are passed over.
    Raises ``InvalidRulesError`` with all problems of all files; whoever starts the program shows
    them and stops.
    """
    rules: list[Rule] = []
    errors: list[RuleError] = []
    owners: dict[str, Path] = {}
    for file in sorted({file.resolve(): file for path in paths for file in _files(path)}.values()):
        problems = Problems(file)
        rule = problems.attempt(None, _read, file, problems, owners)
        errors += problems.in_order()
        if rule and not problems.errors:
            rules.append(rule)
    if errors:
        raise InvalidRulesError(tuple(errors))
    return tuple(rules)


def read_document(file: Path) -> Node:
    """Return the YAML document in ``file``; raises ``RefusedError`` if it has none."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise RefusedError(START, f"cannot be read: {error.strerror}") from error
    return parse(data)


def _files(path: Path) -> Iterator[Path]:
    below = path.is_dir()
    for file in path.rglob("*") if below else (path,):
        wanted = not below or (file.suffix in SUFFIXES and file.is_file())
        if wanted and not file.name.endswith(CASES_SUFFIXES):
            yield file


def _read(file: Path, problems: Problems, owners: dict[str, Path]) -> Rule | None:
    document = read_document(file)
    if not isinstance(document, Mapping):
        raise RefusedError(document.place, "a rule must be a mapping")
    for key, reason in _UNSUPPORTED.items():
        if key in document.entries:
            raise RefusedError(document.entries[key].key.place, reason)
    tree = compile_detection(document, problems)
    rule = _rule(document, file, tree or _NEVER, problems)
    owner = owners.setdefault(rule.id, file) if rule.id else file
    if owner != file:
        place = header.place_of(document, "id")
        problems.add(RefusedError(place, f"id {rule.id} is already that of {owner}"))
    return rule


def _rule(document: Mapping, file: Path, tree: Tree, problems: Problems) -> Rule:
    """Return the rule; where the file is wrong, that is noted and a default stands instead."""
    attempt = problems.attempt
    tags = attempt((), header.tags, document)
    extension = read_extension(document, file, problems)
    source = attempt(LogSource("kubernetes"), logsource, document)
    whole = _of_source(source, tree)
    return Rule(
        file=file,
        title=attempt("", header.title, document),
        id=attempt("", header.identifier, document),
        name=attempt(None, header.text, document, "name"),
        related=attempt((), header.related, document),
        status=attempt(None, header.choice, document, "status", Status),
        description=attempt(None, header.text, document, "description") or "",
        license=attempt(None, header.text, document, "license"),
        references=attempt((), header.texts, document, "references"),
        author=attempt(None, header.text, document, "author"),
        date=attempt(None, header.day, document, "date"),
        modified=attempt(None, header.day, document, "modified"),
        tags=tags,
        techniques=tuple(found for tag in tags if (found := header.technique(tag))),
        tactics=tuple(found for tag in tags if (found := header.tactic(tag))),
        logsource=source,
        fields=attempt((), header.texts, document, "fields"),
        falsepositives=attempt((), header.texts, document, "falsepositives"),
        # Sigma leaves the level out of what a rule must say; the middle one claims least.
        level=attempt(None, header.choice, document, "level", Level) or Level.MEDIUM,
        scope=attempt((), header.texts, document, "scope"),
        taxonomy=attempt(None, header.text, document, "taxonomy") or "sigma",
        category=extension.category,
        catalogue=extension.catalogue,
        message=extension.message,
        next_steps=extension.next_steps,
        blind_spots=extension.blind_spots,
        tree=whole,
        condition=expression(whole),
        columns=frozenset().union(*(leaf.columns for leaf, _ in leaves(whole))),
        # Without the source: that an event is one of its kind explains no finding.
        matched=_matched(tree),
    )


def _of_source(source: LogSource, tree: Tree) -> Tree:
    parts = tree.parts if isinstance(tree, And) else (tree,)
    return And((source_leaf(source), *parts))


def _matched(tree: Tree) -> tuple[MatchedValues, ...]:
    positive = {id(leaf): leaf for leaf, under_no_not in leaves(tree) if under_no_not}
    return tuple(MatchedValues(leaf.column, leaf.found) for leaf in positive.values())
