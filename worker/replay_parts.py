"""Two rulesets become up to three: what both have, what only the one has, what only the other.

Separate because most rules of the two are the same, and would else be evaluated and folded twice.
What is in common gives the same findings by itself, so they are counted for both.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from detectors.ruleset import ruleset
from detectors.sigma.correlation import Correlation
from detectors.sigma.pack import Pack

if TYPE_CHECKING:
    from pathlib import Path

    from detectors.ruleset import Ruleset
    from detectors.sigma.pack import Detection

Key = tuple[str, str, str, bool]
"""Id, hash of the file, hash of what it matches, and whether it is silent."""


@dataclass(frozen=True, slots=True)
class Part:
    """Rules that are evaluated together, and whose findings count for the new, the old, or both."""

    rules: Ruleset
    is_new: bool
    is_old: bool


def parts_of(new: Ruleset, old: Ruleset | None, *, learning_time: bool) -> list[Part]:
    """Return what has to be evaluated so that the findings of both rulesets are known.

    Parameters
        new, old: loaded for the same site; ``old`` None: there is nothing to compare with.
        learning_time: as both were put together with.
    """
    if old is None:
        return [Part(new, is_new=True, is_old=False)]
    hashes: dict[Path, str] = {}
    ours, theirs = _keys(new.pack, hashes), _keys(old.pack, hashes)
    # What a correlation's bases match is in its own hash; that they are there is seen to below.
    same = {one for one, key in ours.items() if theirs.get(one) == key}
    every = {one.id for one in _detections(new.pack)}
    found = [
        Part(_some(new, same, learning_time), is_new=True, is_old=True),
        Part(_some(new, every - same, learning_time), is_new=True, is_old=False),
        Part(_some(old, theirs.keys() - same, learning_time), is_new=False, is_old=True),
    ]
    return [part for part in found if part.rules.pack.rules]


def _keys(pack: Pack, hashes: dict[Path, str]) -> dict[str, Key]:
    return {one.id: _key(one, pack, hashes) for one in _detections(pack)}


def _detections(pack: Pack) -> tuple[Detection, ...]:
    return (*pack.rules, *pack.correlations)


def _key(one: Detection, pack: Pack, hashes: dict[Path, str]) -> Key:
    if one.file not in hashes:
        hashes[one.file] = hashlib.sha256(one.file.read_bytes()).hexdigest()
    matched = one.content_hash if isinstance(one, Correlation) else ""
    return one.id, hashes[one.file], matched, one.id in pack.silent


def _some(whole: Ruleset, wanted: set[str], learning_time: bool) -> Ruleset:
    """Return a ruleset of some detections, with the silent bases that they need."""
    if not wanted:
        return ruleset(Pack())
    needed = set(wanted)
    for one in reversed(whole.pack.correlations):
        if one.id in needed:
            needed |= {base.id for base in one.bases}
    pack = Pack(
        rules=tuple(one for one in whole.pack.rules if one.id in needed),
        correlations=tuple(one for one in whole.pack.correlations if one.id in needed),
        silent=(whole.pack.silent & needed) | (needed - wanted),
    )
    return ruleset(
        pack,
        whole.site,
        whole.exceptions,
        learning_time=learning_time,
        state_rows=whole.plan.state_rows,
        learned=whole.learned,
    )
