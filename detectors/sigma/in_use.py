"""Documents and their correlations become the pack in use: what reports, what serves, what waits.

Separate from loading, because it is policy: whose hits are findings, and which rules sleep until a
site says what they need to know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from detectors.sigma.pack import Pack

if TYPE_CHECKING:
    from detectors.sigma.correlation import Correlation
    from detectors.sigma.pack import Detection
    from detectors.sigma.rule_file import Document
    from detectors.site import Site


def assembled(documents: list[Document], correlations: list[Correlation], site: Site) -> Pack:
    """Return the pack of ``documents`` and of the correlations read from them.

    A detection whose list is empty at the site is left out, and so is all that builds on it, and
    what stands in a correlation's file only for it.
    """
    rules = [document.rule for document in documents if document.rule]
    detections: list[Detection] = [*rules, *correlations]
    waits = _waits(detections, site)
    joining = [one for one in correlations if one.id not in waits]
    inner = {document.id for document in documents if document.inner}
    unused = inner - _joined(joining, inner)
    out = unused | set(waits)
    return Pack(
        rules=tuple(rule for rule in rules if rule.id not in out),
        correlations=tuple(one for one in correlations if one.id not in out),
        silent=_silent(documents, joining) - out,
        inactive=tuple(waits.items()),
        waiting=tuple(one for one in detections if one.id in waits),
    )


def _waits(detections: list[Detection], site: Site) -> dict[str, str]:
    """Return the empty list that a detection waits for, by its id; bases come before."""
    waits: dict[str, str] = {}
    for one in detections:
        bases = [base.id for base in getattr(one, "bases", ())]
        empty = [name for name in one.requires if not site.lists.get(name)]
        empty += [waits[base] for base in bases if base in waits]
        if empty:
            waits[one.id] = empty[0]
    return waits


def _joined(correlations: list[Correlation], inner: set[str]) -> set[str]:
    """Return the ids that correlations in use join; one that only serves needs a user itself."""
    used: set[str] = set()
    for one in reversed(correlations):
        if one.id not in inner or one.id in used:
            used |= {base.id for base in one.bases}
    return used


def _silent(documents: list[Document], correlations: list[Correlation]) -> frozenset[str]:
    """Return the ids of what reports nothing by itself.

    Sigma's default is that rules which a correlation joins are silent; a shipped rule with a file
    of its own never is, because another file must not switch it off.
    """
    joined = {base.id for one in correlations for base in one.bases}
    loud = {base.id for one in correlations if one.generate for base in one.bases}
    may_hush = {document.id for document in documents if document.inner or not document.ours}
    return frozenset(joined & may_hush - loud)
