"""A detection, its event and the site become a level in context, with reasons in words.

Separate from the finding because the scale and every reason to depart from it are written down in
one place (docs/severity.md). Pure: the same event and site give the same level in a replay, in any
cut of batches and after a restart, so nothing here remembers anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from detectors.asked_for import Circumstance, asks_for
from detectors.circumstances import is_of_machine
from detectors.message import printable
from detectors.sigma.rule import Level, Rule
from detectors.site import Criticality, fits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from detectors.site import Site


class Named(Protocol):
    """What a site may name: a rule, a correlation, a learned detector."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def name(self) -> str | None:
        """Its name, if it has one."""

    @property
    def file(self) -> Path:
        """The file that it is in."""


class Leveled(Named, Protocol):
    """What has a level of its own."""

    @property
    def level(self) -> Level:
        """Its level."""

    @property
    def attempts(self) -> bool:
        """Whether an act counts in full although it was refused."""


LEVELS: Final = tuple(Level)
"""From least to most."""

_REFUSED_CODES: Final = range(400, 500)
"""RFC 9110 section 15.5: the request was not carried out. A 5xx may have been, or half of it."""

_READS: Final = frozenset({"get", "list", "watch", "log"})
_ANONYMOUS: Final = frozenset({"anonymous", "unauthenticated"})


@dataclass(frozen=True, slots=True)
class Severity:
    """A level in context, and why it is not, or is in spite of reasons, the detection's own."""

    level: Level
    reasons: tuple[str, ...] = ()
    lowered: bool = False
    """Whether there is a reason to lower, even where one to raise makes up for it."""


def in_context(
    detection: Leveled,
    event: Mapping[str, Any],
    site: Site,
    *,
    bases: Sequence[Rule] = (),
) -> Severity:
    """Return how serious it is that ``detection`` holds for ``event`` at ``site``.

    Reasons to raise count as one step together, and so do reasons to lower.

    Parameters
        event: column name -> value; of a correlation the event that completes the match.
        bases: of a correlation the rules that it joins.
    """
    asking = (detection,) if isinstance(detection, Rule) else tuple(bases)
    up = [*_raising(event, site, asking)]
    down = [*_lowering(detection, event, site, asking)]
    if not (up or down):
        return Severity(detection.level)
    step = bool(up) - bool(down)
    place = LEVELS.index(detection.level) + step
    level = LEVELS[max(0, min(place, len(LEVELS) - 1))]
    raised = (f"raised: {reason}" for reason in up)
    return Severity(level, (*raised, *(f"lowered: {reason}" for reason in down)), bool(down))


def _raising(event: Mapping[str, Any], site: Site, asking: Sequence[Rule]) -> Iterator[str]:
    if _worth(event, site) is Criticality.CRITICAL:
        yield f"{_place(event)} is critical"
    kind = event.get("trailwarden.identity.type")
    done = event.get("event.outcome") == "success"
    if kind in _ANONYMOUS and done and not _any_asks(asking, Circumstance.ANONYMOUS):
        yield "nobody was authenticated, and it was done"
    if kind == "human" and done and _is_automated(event, site):
        yield f"a person changed what only automation changes in {_place(event)}"


def _lowering(
    detection: Leveled, event: Mapping[str, Any], site: Site, asking: Sequence[Rule]
) -> Iterator[str]:
    if _worth(event, site) is Criticality.LOW:
        yield f"{_place(event)} is of low criticality"
    refused = _was_refused(event) and not detection.attempts
    if refused and not _any_asks(asking, Circumstance.REFUSED):
        code = event.get("http.response.status_code")
        yield f"it was not carried out (HTTP {code})" if code else "it was not carried out"
    if event.get("trailwarden.dry_run") and not _any_asks(asking, Circumstance.DRY_RUN):
        yield "it was a dry run: nothing was stored"
    time: datetime | None = event.get("@timestamp")
    for window in site.maintenance if time else ():
        cluster = event.get("orchestrator.cluster.name") or ""
        timely = time is not None and window.start <= time < window.end
        here = not window.clusters or any(fits(one, cluster) for one in window.clusters)
        if timely and here and (not window.rules or names_of(detection) & {*window.rules}):
            yield f"maintenance was announced: {printable(window.reason)}"
            return


def names_of(detection: Named) -> frozenset[str]:
    """Return what a site may call a detection by: its id, its name, its file's stem."""
    return frozenset({detection.id, detection.name or detection.id, detection.file.stem})


def _worth(event: Mapping[str, Any], site: Site) -> Criticality | None:
    if not site.criticality:
        return None
    cluster = event.get("orchestrator.cluster.name") or ""
    return site.criticality_of(cluster, event.get("orchestrator.namespace"))


def _place(event: Mapping[str, Any]) -> str:
    namespace = event.get("orchestrator.namespace")
    if namespace:
        return f"namespace {printable(namespace)}"
    return f"cluster {printable(event.get('orchestrator.cluster.name') or '')}"


def _was_refused(event: Mapping[str, Any]) -> bool:
    if event.get("event.outcome") != "failure":
        return False
    code = event.get("http.response.status_code")
    forbidden = event.get("trailwarden.authorization.decision") == "forbid"
    if event.get("event.action") == "proxy" and event.get("user.name"):
        return forbidden  # any other code is the answer of what was reached through the proxy
    return forbidden or is_of_machine(event) or code in _REFUSED_CODES


def _is_automated(event: Mapping[str, Any], site: Site) -> bool:
    """Return whether the site says that only automation changes what the event is about."""
    namespace = event.get("orchestrator.namespace")
    if not namespace or event.get("event.action") in _READS:
        return False
    return any(fits(one, namespace) for one in site.lists.get("automated_namespaces", ()))


def _any_asks(rules: Sequence[Rule], circumstance: Circumstance) -> bool:
    return any(asks_for(rule, circumstance) for rule in rules)
