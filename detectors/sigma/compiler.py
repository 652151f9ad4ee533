"""Rule files become a pack; every problem of every file is found in one go.

Source: Sigma rules specification 2 and correlation rules specification 2.1
(https://github.com/SigmaHQ/sigma-specification). Loading a rule executes nothing: a rule is data,
and becomes Polars expressions that this package builds itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from detectors.sigma.errors import InvalidRulesError, Problems, RefusedError
from detectors.sigma.header import place_of
from detectors.sigma.in_use import assembled
from detectors.sigma.references import linked
from detectors.sigma.rule_file import read_bytes, read_rule_file
from detectors.sigma.strict_yaml import Node, parse
from detectors.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from detectors.sigma.pack import Pack
    from detectors.sigma.rule import Rule
    from detectors.sigma.rule_file import Document

SUFFIXES: Final = (".yml", ".yaml")
CASES_SUFFIXES: Final = (".cases.yml", ".cases.yaml")

_ANY_SITE: Final = Site()


def load_pack(paths: Iterable[Path], site: Site = _ANY_SITE) -> Pack:
    """Return the rules and correlations in ``paths``, files or folders, in the order of the files.

    Folders are searched to the bottom for ``*.yml`` and ``*.yaml``; case files are passed over.
    Raises ``InvalidRulesError`` with all problems of all files; whoever starts the program shows
    them and stops.
    """
    found = {file.resolve(): (file, folder) for path in paths for file, folder in _files(path)}
    noted = [(Problems(file), folder) for file, folder in sorted(found.values())]
    documents: list[Document] = []
    for problems, folder in noted:
        documents += problems.attempt([], read_rule_file, problems, folder, site)
    _refuse_ids_twice(documents)
    correlations = linked(documents)
    errors = [error for problems, _ in noted for error in problems.in_order()]
    if errors:
        raise InvalidRulesError(tuple(errors))
    return assembled(documents, correlations, site)


def load_rules(paths: Iterable[Path]) -> tuple[Rule, ...]:
    """Return the rules in ``paths``, as `load_pack` loads them."""
    return load_pack(paths).rules


def read_document(file: Path) -> Node:
    """Return the one YAML document in ``file``; raises ``RefusedError`` if it has none."""
    return parse(read_bytes(file))


def _files(path: Path) -> Iterator[tuple[Path, str]]:
    """Yield rule files, and the name of the folder that they come from."""
    below = path.is_dir()
    folder = path.resolve() if below else path.resolve().parent
    for file in path.rglob("*") if below else (path,):
        wanted = not below or (file.suffix in SUFFIXES and file.is_file())
        if wanted and not file.name.endswith(CASES_SUFFIXES):
            yield file, folder.name


def _refuse_ids_twice(documents: list[Document]) -> None:
    owners: dict[str, Document] = {}
    for document in documents:
        if document.inner and "id" not in document.node.entries:
            continue  # it follows from a name, which is refused if it is there twice
        owner = owners.setdefault(document.id, document) if document.id else document
        if owner is not document:
            where = f"{owner.problems.file}"
            if owner.problems is document.problems:
                where = f"the document on line {owner.node.place.line}"
            wrong = f"id {document.id} is already that of {where}"
            document.problems.add(RefusedError(place_of(document.node, "id"), wrong))
