"""The section ``correlation`` of a document becomes a correlation, given the rules it refers to.

In two steps, because references go across files: first which rules it names, then, when those are
known, everything else. Source: Sigma correlation rules specification 2.1
(https://github.com/SigmaHQ/sigma-specification), and docs/correlations.md for what is our own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from detectors.sigma import header
from detectors.sigma.correlation import Base, Correlation, CorrelationType, Learning
from detectors.sigma.correlation_condition import columns_of, read_condition, scalar_column
from detectors.sigma.errors import RefusedError, shown
from detectors.sigma.fields import suggestion
from detectors.sigma.strict_yaml import Mapping, Node, Scalar, Sequence
from detectors.sigma.temporal_expression import names_in
from detectors.sigma.timespan import read_timespan
from ingest.schema import DTYPES

if TYPE_CHECKING:
    from detectors.sigma.about import About
    from detectors.sigma.errors import Problems

MAX_BASES: Final = 32
MAX_GROUP: Final = 8
MAX_LEARNING_EVENTS: Final = 10_000

KEYS: Final = (
    "type",
    "rules",
    "group-by",
    "aliases",
    "timespan",
    "condition",
    "generate",
    "learning",
    "peers",
)
_OF_FIRST_SEEN: Final = frozenset({"learning", "peers"})
_LEAST_RULES: Final = {CorrelationType.TEMPORAL: 2, CorrelationType.TEMPORAL_ORDERED: 2}
_MOST_RULES: Final = {CorrelationType.ABSENCE: 2}


@dataclass(frozen=True, slots=True)
class Target:
    """A rule or correlation that a correlation refers to, and how it does."""

    written: str
    id: str
    name: str | None

    @property
    def called(self) -> frozenset[str]:
        """Return what an alias may call it."""
        return frozenset({self.written, self.id, self.name or self.id})


def section_of(document: Mapping) -> Mapping:
    """Return the section ``correlation``; raises ``RefusedError`` if it is no mapping."""
    section = document.entries["correlation"].value
    if not isinstance(section, Mapping):
        raise RefusedError(section.place, "'correlation' must be a mapping")
    return section


def references(section: Mapping) -> tuple[Scalar, ...]:
    """Return the names and ids of the rules that a correlation joins.

    A text condition names them as well, so ``rules`` may then be left out.
    """
    node, condition = section.get("rules"), section.get("condition")
    if node is None and isinstance(condition, Scalar) and isinstance(condition.value, str):
        return tuple(Scalar(name, name, condition.place, None) for name in names_in(condition))
    items = node.items if isinstance(node, Sequence) else (node,) if node else ()
    if not items:
        raise RefusedError((node or section).place, "a correlation needs 'rules': names or ids")
    if len(items) > MAX_BASES:
        raise RefusedError(items[MAX_BASES].place, f"'rules' are more than {MAX_BASES}")
    return tuple(_reference(item) for item in items)


def generates(document: Mapping) -> bool:
    """Return whether the rules that a correlation joins report by themselves as well.

    The specification has the key beside the section, its schema and examples inside.
    """
    section = section_of(document)
    return bool(header.flag(section, "generate") or header.flag(document, "generate"))


def read_correlation(
    document: Mapping,
    about: About,
    targets: tuple[Target, ...],
    problems: Problems,
    *,
    across_clusters: bool,
) -> Correlation:
    """Return the correlation, without its content hash.

    What is wrong is noted in ``problems``, and a default stands instead.
    """
    section = section_of(document)
    attempt = problems.attempt
    kind = attempt(CorrelationType.EVENT_COUNT, _kind, section)
    _refuse_keys(section, kind, problems)
    attempt(None, _refuse_number, section, kind, len(targets))
    aliases = attempt({}, _aliases, section, targets)
    group_by = attempt((), _group_by, section, aliases)
    timespan_us = attempt(0, _timespan, section)
    numbers = {target.written: index for index, target in enumerate(targets)}
    condition = read_condition(section, kind, numbers, problems)
    return Correlation(
        **about,
        type=kind,
        bases=_bases(targets, group_by, aliases),
        group_by=group_by,
        timespan_us=timespan_us,
        bounds=condition.bounds,
        expression=condition.expression,
        fields=condition.fields,
        percentile=condition.percentile,
        learning=attempt(Learning(), _learning, section, timespan_us),
        peers=attempt((), _peers, section),
        generate=attempt(False, generates, document),
        across_clusters=across_clusters,
    )


def _reference(item: Node) -> Scalar:
    if not isinstance(item, Scalar) or not isinstance(item.value, str) or not item.value.strip():
        raise RefusedError(item.place, "'rules' must be a list of names or ids")
    return item


def _kind(section: Mapping) -> CorrelationType:
    found = header.choice(section, "type", CorrelationType)
    if found is None:
        raise RefusedError(section.place, "a correlation needs a 'type'")
    return found


def _refuse_keys(section: Mapping, kind: CorrelationType, problems: Problems) -> None:
    for key, entry in section.entries.items():
        if key not in KEYS:
            wrong = f"unknown key {shown(key)} in 'correlation'{suggestion(key, KEYS)}"
            problems.add(RefusedError(entry.key.place, wrong))
        elif key in _OF_FIRST_SEEN and kind is not CorrelationType.FIRST_SEEN:
            problems.add(RefusedError(entry.key.place, f"{key!r} is for first_seen, not {kind}"))


def _refuse_number(section: Mapping, kind: CorrelationType, number: int) -> None:
    least, most = _LEAST_RULES.get(kind, 1), _MOST_RULES.get(kind, MAX_BASES)
    place = header.place_of(section, "rules")
    if number < least:
        raise RefusedError(place, f"{kind} needs at least {least} rules")
    if number > most:
        raise RefusedError(place, f"{kind} takes at most {most} rules: this one, and what follows")


def _aliases(section: Mapping, targets: tuple[Target, ...]) -> dict[str, tuple[str, ...]]:
    """Return for each alias the columns it means, one for each of ``targets``."""
    node = section.get("aliases")
    if node is None:
        return {}
    if not isinstance(node, Mapping):
        raise RefusedError(node.place, "'aliases' must be a mapping of names to {rule: column}")
    used = {item.text for item in _items(section.get("group-by")) if isinstance(item, Scalar)}
    found = {}
    for alias, entry in node.entries.items():
        if alias in DTYPES:
            raise RefusedError(entry.key.place, f"'aliases': {alias} is the name of a column")
        if alias not in used:
            wrong = f"'aliases': {shown(alias)} is not used by 'group-by'"
            raise RefusedError(entry.key.place, wrong)
        found[alias] = _alias(alias, entry.value, targets)
    return found


def _alias(alias: str, node: Node, targets: tuple[Target, ...]) -> tuple[str, ...]:
    if not isinstance(node, Mapping):
        wrong = f"'aliases': {shown(alias)} must be a mapping of each rule to its column"
        raise RefusedError(node.place, wrong)
    known = sorted(frozenset().union(*(target.called for target in targets)))
    for key, entry in node.entries.items():
        if key not in known:
            wrong = f"'aliases': {shown(key)} is not among the rules{suggestion(key, known)}"
            raise RefusedError(entry.key.place, wrong)
    columns = []
    for target in targets:
        named = [entry.value for key, entry in node.entries.items() if key in target.called]
        if len(named) != 1:
            wrong = f"'aliases': {shown(alias)} needs one column for {shown(target.written)}"
            raise RefusedError(node.place, wrong)
        columns.append(scalar_column(named[0], "aliases"))
    return tuple(columns)


def _group_by(section: Mapping, aliases: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    found: list[str] = []
    for item in _items(section.get("group-by")):
        alias = item.text if isinstance(item, Scalar) else ""
        name = alias if alias in aliases else scalar_column(item, "group-by")
        if name in found:
            raise RefusedError(item.place, f"'group-by': {name} is there twice")
        found.append(name)
    if len(found) > MAX_GROUP:
        place = header.place_of(section, "group-by")
        raise RefusedError(place, f"'group-by' takes at most {MAX_GROUP} columns")
    return tuple(found)


def _items(node: Node | None) -> tuple[Node, ...]:
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return ()
    return node.items if isinstance(node, Sequence) else (node,)


def _timespan(section: Mapping) -> int:
    node = section.get("timespan")
    if node is None:
        raise RefusedError(section.place, "a correlation needs a 'timespan', as in 5m")
    return read_timespan(node, "timespan")


def _bases(
    targets: tuple[Target, ...], group_by: tuple[str, ...], aliases: dict[str, tuple[str, ...]]
) -> tuple[Base, ...]:
    return tuple(
        Base(
            target.id,
            target.name or target.id,
            tuple(aliases[name][index] if name in aliases else name for name in group_by),
        )
        for index, target in enumerate(targets)
    )


def _learning(section: Mapping, timespan_us: int) -> Learning:
    node, default = section.get("learning"), Learning()
    if node is None:
        return replace(default, time_us=min(default.time_us, timespan_us))
    if not isinstance(node, Mapping):
        raise RefusedError(node.place, "'learning' must be a mapping as in {events: 200, time: 1d}")
    for key, entry in node.entries.items():
        if key not in {"events", "time"}:
            hint = suggestion(key, ("events", "time"))
            raise RefusedError(entry.key.place, f"'learning': unknown key {shown(key)}{hint}")
    events, time = node.get("events"), node.get("time")
    time_us = default.time_us if time is None else read_timespan(time, "time", least_us=0)
    if time is not None and time_us > timespan_us:
        raise RefusedError(time.place, "'time' is longer than the timespan, which is the memory")
    return Learning(
        default.events if events is None else _events(events), min(time_us, timespan_us)
    )


def _events(node: Node) -> int:
    value = node.value if isinstance(node, Scalar) else None
    wanted = isinstance(value, int) and not isinstance(value, bool)
    if not isinstance(value, int) or not wanted or not 0 <= value <= MAX_LEARNING_EVENTS:
        most = MAX_LEARNING_EVENTS
        raise RefusedError(node.place, f"'events' must be a whole number from 0 to {most}")
    return value


def _peers(section: Mapping) -> tuple[str, ...]:
    node = section.get("peers")
    return () if node is None else columns_of(node, "peers")
