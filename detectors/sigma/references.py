"""Documents of all files become correlations: each name finds what it means, in any file.

Separate from reading one, because this needs all of them: a name is looked up in the correlation's
own file first, then everywhere; what builds on another comes behind it, and nothing on itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from detectors.entities.recalled import RECALLED_DTYPES
from detectors.sigma.content_hash import content_hash, tree_hash
from detectors.sigma.correlation import Correlation, CorrelationType
from detectors.sigma.correlation_reader import Target, read_correlation
from detectors.sigma.errors import RefusedError, shown
from detectors.sigma.fields import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detectors.sigma.rule import Rule
    from detectors.sigma.rule_file import Document
    from detectors.sigma.strict_yaml import Scalar

MAX_CHAIN: Final = 16
"""Correlations one on the other: each is folded after those below it."""


class References:
    """Which document a reference means; keeps the index of all of them."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._by_id: dict[str, Document] = {}
        self._by_name: dict[str, list[Document]] = {}
        for document in documents:
            if document.id:
                self._by_id.setdefault(document.id, document)
            if document.name:
                self._by_name.setdefault(document.name, []).append(document)

    def find(self, reference: Scalar, origin: Document) -> Document:
        """Return what ``reference`` in ``origin`` means; raises ``RefusedError`` if unclear."""
        text = reference.text.strip()
        named = self._by_name.get(text, [])
        nearby = [one for one in named if one.problems is origin.problems]
        found = nearby[:1] or named  # twice in one file is refused there
        if len(found) > 1:
            files = " and ".join(str(one.problems.file) for one in found[:2])
            wrong = f"name {shown(text)} is ambiguous, it is in {files}: use an id"
            raise RefusedError(reference.place, wrong)
        document = found[0] if found else self._by_id.get(text.lower())
        if document is None:
            hint = suggestion(text, self._by_name)
            wrong = f"there is no rule with name or id {shown(text)}{hint}"
            raise RefusedError(reference.place, wrong)
        return document


def linked(documents: list[Document]) -> list[Correlation]:
    """Return the correlations among ``documents``, each behind those that it builds on.

    What is wrong is noted in the problems of their files.
    """
    linking = _Linking(documents)
    for document in documents:
        if document.rule is None:
            document.problems.attempt(None, linking.link, document, ())
    return list(linking.done.values())


class _Linking:
    """Reads correlations depth first; keeps what is done and what each document matches."""

    def __init__(self, documents: list[Document]) -> None:
        self._references = References(documents)
        self._hashes: dict[str, str] = {}
        self._recalled: dict[str, frozenset[str]] = {}
        self.done: dict[int, Correlation] = {}
        """By the identity of the document: a wrong one may have no id."""

    def link(self, document: Document, path: tuple[Document, ...]) -> None:
        """Read ``document``, a correlation, after those that it builds on."""
        if id(document) in self.done:
            return
        chain = (*path, document)
        targets = []
        for reference in document.references:
            found = document.problems.attempt(None, self._target, reference, chain)
            targets.append(found or Target(reference.text.strip(), "", None))
        document.problems.attempt(None, _refuse_twice, document, targets)
        correlation = read_correlation(
            document.node,
            document.about,
            tuple(targets),
            document.problems,
            across_clusters=document.across_clusters,
        )
        known = {target.id: self._hashes.get(target.id, "") for target in targets}
        asked = [self._recalled.get(target.id, frozenset[str]()) for target in targets]
        done = replace(
            correlation,
            recalled=frozenset[str]().union(*asked) if all(asked) else frozenset[str](),
            content_hash=content_hash(correlation, known),
        )
        self._hashes[document.id] = done.content_hash
        self._recalled[document.id] = done.recalled
        self.done[id(document)] = done

    def _target(self, reference: Scalar, chain: tuple[Document, ...]) -> Target:
        origin = chain[-1]
        found = self._references.find(reference, origin)
        if found in chain:
            circle = (*chain[chain.index(found) :], found)
            titles = " -> ".join(one.about["title"] for one in circle)
            raise RefusedError(reference.place, f"a correlation builds on itself: {shown(titles)}")
        if len(chain) > MAX_CHAIN:
            wrong = f"more than {MAX_CHAIN} correlations build on each other"
            raise RefusedError(reference.place, wrong)
        if found.rule is None:
            found.problems.attempt(None, self.link, found, chain)
            _refuse_base(reference, self.done.get(id(found)), across=origin.across_clusters)
        else:
            self._hashes.setdefault(found.id, tree_hash(found.rule.tree))
            self._recalled[found.id] = found.rule.columns & RECALLED_DTYPES.keys()
            _refuse_asking(reference, found.rule, across=origin.across_clusters)
        return Target(reference.text.strip(), found.id, found.name)


def _refuse_base(reference: Scalar, base: Correlation | None, *, across: bool) -> None:
    if base and across:
        why = "is a correlation: one across clusters joins rules alone"
        raise RefusedError(reference.place, f"{shown(reference.text)} {why}")
    if base and base.type is CorrelationType.ABSENCE:
        why = "is of type absence: no event completes it that could be joined"
        raise RefusedError(reference.place, f"{shown(reference.text)} {why}")
    if base and base.across_clusters:
        why = "is across clusters: its matches belong to none"
        raise RefusedError(reference.place, f"{shown(reference.text)} {why}")


def _refuse_asking(reference: Scalar, rule: Rule, *, across: bool) -> None:
    """Refuse what is remembered, which is of one cluster and known only behind its watermark."""
    if across and not rule.columns.isdisjoint(RECALLED_DTYPES):
        why = "asks what is remembered of a cluster: none across clusters joins it"
        raise RefusedError(reference.place, f"{shown(reference.text)} {why}")


def _refuse_twice(document: Document, targets: list[Target]) -> None:
    for index, target in enumerate(targets):
        if target.id and target.id in {other.id for other in targets[:index]}:
            place = document.references[index].place
            raise RefusedError(place, f"'rules': {shown(target.written)} is there twice")
