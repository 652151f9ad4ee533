"""Coverage becomes a layer for MITRE's ATT&CK Navigator, which colours its matrix by it.

Separate because the layout is Navigator's: layer format 4.5
(https://github.com/mitre-attack/attack-navigator/blob/master/layers/spec/v4.5/layerformat.md).
The score of a technique is its number of detections.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from detectors.attack import NOTICE, REPLACED_BY, technique_url

if TYPE_CHECKING:
    from detectors.coverage import Coverage

LAYER_FORMAT: Final = "4.5"
NAVIGATOR: Final = "5.1.0"
"""The version of Navigator that the layer says it was made for; 4.9.0 is the least."""
ATTACK: Final = "18"
"""The version of ATT&CK that the names and ids of our table are from."""

_LOW, _HIGH = "#cfe8f3", "#0a4c6a"


def navigator_layer(coverage: Coverage, name: str) -> dict[str, Any]:
    """Return the layer as JSON has it: every technique that a detection names, with their titles.

    An id that came with v19 counts for the one it replaced as well: in v18 it is not there.
    """
    scored = _scored(coverage)
    most = max(map(len, scored.values()), default=1)
    return {
        "name": name,
        "versions": {"attack": ATTACK, "navigator": NAVIGATOR, "layer": LAYER_FORMAT},
        "domain": "enterprise-attack",
        "description": f"Techniques by number of detections. {NOTICE}",
        "filters": {"platforms": ["Containers", "Linux", "IaaS", "Identity Provider"]},
        "sorting": 3,
        "layout": {"layout": "side", "showID": True, "showName": True},
        "hideDisabled": False,
        "techniques": [_technique(one, titles, scored) for one, titles in scored.items()],
        "gradient": {"colors": [_LOW, _HIGH], "minValue": 0, "maxValue": most},
        "legendItems": [
            {"label": "one detection", "color": _LOW},
            {"label": f"{most} detections", "color": _HIGH},
        ],
        "metadata": [],
        "selectTechniquesAcrossTactics": True,
        "selectSubtechniquesWithParent": False,
    }


def _scored(coverage: Coverage) -> dict[str, list[str]]:
    """Return technique id -> titles of its detections, in the order of ids."""
    older = {new: old for old, new in reversed(tuple(REPLACED_BY.items()))}
    scored: dict[str, list[str]] = {}
    named = [(one.id, several) for one, several in coverage.techniques if several]
    for identifier, several in (*named, *coverage.unknown_techniques):
        titles = scored.setdefault(older.get(identifier, identifier), [])
        titles += [one.title for one in several if one.title not in titles]
    return dict(sorted(scored.items()))


def _technique(identifier: str, titles: list[str], scored: dict[str, list[str]]) -> dict[str, Any]:
    below = any(other.startswith(f"{identifier}.") for other in scored)
    url = technique_url(identifier)
    return {
        "techniqueID": identifier,
        "score": len(titles),
        "comment": "\n".join(titles),
        "enabled": True,
        "showSubtechniques": below,
        "links": [{"label": identifier, "url": url}] if url else [],
    }
