"""The documents of one rule file become rules, and correlations that wait for their references.

A file holds one rule, or one correlation and the rules it joins. Separate from the pack, because
what stands in one file is read before anything is known of the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid5

from detectors.sigma import header
from detectors.sigma.about import About, Origin, read_about
from detectors.sigma.correlation_reader import references, section_of
from detectors.sigma.detection import compile_detection
from detectors.sigma.errors import START, Problems, RefusedError, shown
from detectors.sigma.extension import read_extension
from detectors.sigma.logsource import logsource, source_leaf
from detectors.sigma.rule import LogSource, MatchedValues, Rule
from detectors.sigma.strict_yaml import MAX_BYTES, Mapping, Node, Scalar, parse_all
from detectors.sigma.tree import And, Or, Tree, expression, leaves

if TYPE_CHECKING:
    from detectors.site import Site

_REFUSED: Final = {
    "filter": "Sigma filters are not supported: use exceptions, which have an owner and an expiry",
    "action": "rule collections ('action') are not supported: write one rule a document",
}
_INSTALLED: Final = Path(__file__).resolve().parent.parent / "rules"
_FOREIGN: Final = ("detection", "logsource")
_NEVER: Final = Or(())
"""Stands for a detection that was refused, so that the rest of the rule is still checked."""


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """One document, read as far as it goes without the others."""

    node: Mapping
    about: About
    inner: bool
    """Whether it only serves the correlation of its file."""
    problems: Problems
    rule: Rule | None = None
    """None: it is a correlation."""
    references: tuple[Scalar, ...] = ()
    across_clusters: bool = False

    @property
    def id(self) -> str:
        """Return the id."""
        return self.about["id"]

    @property
    def ours(self) -> bool:
        """Return whether it was written for this program, not for all of Sigma."""
        return self.about["ours"]

    @property
    def name(self) -> str | None:
        """Return the name that others refer to it by."""
        return self.about["name"]


def read_bytes(file: Path) -> bytes:
    """Return what is in ``file``, up to one byte more than YAML may have."""
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise RefusedError(START, f"cannot be read: {error.strerror}") from error


def read_rule_file(problems: Problems, folder: str, site: Site) -> list[Document]:
    """Return the documents of a file, in its order; raises ``RefusedError`` or notes problems.

    ``folder`` is the name of the one that the file was found in.
    """
    nodes = [_mapping(node) for node in parse_all(read_bytes(problems.file))]
    main = nodes[0] if len(nodes) == 1 else _main(nodes)
    identifier = problems.attempt("", header.identifier, main)
    origin = Origin(_is_ours(problems.file, nodes), folder)
    names: dict[str, int] = {}
    documents = []
    for node in nodes:
        own = identifier if node is main else problems.attempt("", _inner_id, node, identifier)
        problems.attempt(None, _refuse_name_twice, node, names)
        documents.append(_read(node, own, origin, problems, site, inner=node is not main))
    return documents


def _mapping(node: Node) -> Mapping:
    if not isinstance(node, Mapping):
        raise RefusedError(node.place, "a rule must be a mapping")
    for key, reason in _REFUSED.items():
        if key in node.entries:
            raise RefusedError(node.entries[key].key.place, reason)
    return node


def _main(nodes: list[Mapping]) -> Mapping:
    """Return the document that the others of the file are there for."""
    correlations = [node for node in nodes if "correlation" in node.entries]
    if not correlations:
        only = "a file holds one rule, or one correlation and the rules it joins"
        raise RefusedError(nodes[1].place, only)
    joined = {one.text for node in correlations for one in references(section_of(node))}
    tops = [node for node in correlations if not _called(node) & joined]
    if len(tops) > 1:
        wrong = "a file holds one correlation, and those it builds on: this is another"
        raise RefusedError(tops[1].place, wrong)
    if len(tops) == 1:
        for node in nodes:
            if node is not tops[0] and not _called(node) & joined:
                raise RefusedError(node.place, "the correlation of the file does not join this")
    return tops[0] if tops else correlations[-1]


def _called(node: Mapping) -> set[str]:
    found = (node.get(key) for key in ("id", "name"))
    return {one.text.strip() for one in found if isinstance(one, Scalar)}


def _inner_id(node: Mapping, outer: str) -> str:
    """Return the id of a document that may leave it out, as it serves another alone."""
    if "id" in node.entries:
        return header.identifier(node)
    name = header.text(node, "name")
    if not name:
        raise RefusedError(node.place, "a rule that a correlation joins needs a 'name' or an 'id'")
    return str(uuid5(UUID(outer), name)) if outer else ""


def _refuse_name_twice(node: Mapping, names: dict[str, int]) -> None:
    name = header.text(node, "name")
    place = header.place_of(node, "name")
    if name and names.setdefault(name, place.line) != place.line:
        raise RefusedError(place, f"name {shown(name)} is already on line {names[name]}")


def _is_ours(file: Path, nodes: list[Mapping]) -> bool:
    written_for_us = any("trailwarden" in node.entries for node in nodes)
    return written_for_us or file.resolve().is_relative_to(_INSTALLED)


def _read(
    node: Mapping, own: str, origin: Origin, problems: Problems, site: Site, *, inner: bool
) -> Document:
    correlation = "correlation" in node.entries
    extension = read_extension(node, site.lists, problems, correlation=correlation)
    about = read_about(node, own, extension, origin, problems)
    if not correlation:
        tree = compile_detection(node, problems, site.lists) or _NEVER
        rule = _rule(node, about, tree, problems)
        return Document(node, about, inner, problems, rule)
    for key in _FOREIGN:
        if key in node.entries:
            wrong = f"a correlation has no {key!r}: that is of the rules it joins"
            problems.add(RefusedError(node.entries[key].key.place, wrong))
    found = problems.attempt((), references, section_of(node))
    return Document(node, about, inner, problems, None, found, extension.across_clusters)


def _rule(node: Mapping, about: About, tree: Tree, problems: Problems) -> Rule:
    """Return the rule; where the file is wrong, that is noted and a default stands instead."""
    attempt = problems.attempt
    source = attempt(LogSource("kubernetes"), logsource, node)
    whole = _of_source(source, tree)
    return Rule(
        **about,
        logsource=source,
        fields=attempt((), header.texts, node, "fields"),
        scope=attempt((), header.texts, node, "scope"),
        taxonomy=attempt(None, header.text, node, "taxonomy") or "sigma",
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
