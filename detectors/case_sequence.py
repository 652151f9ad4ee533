"""The ``sequence`` of a case becomes raw records, each at its time and of its cluster.

Separate from a case of one record, because here a case says when: ``after`` what came before, how
many ``times``, and ``every`` how long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from detectors.case_record import CHANGES, Moment, read_record, text_of
from detectors.json_path import PathError, Steps, parse_path
from detectors.sigma.errors import RefusedError, shown
from detectors.sigma.fields import suggestion
from detectors.sigma.strict_yaml import Mapping, Node, Scalar, Sequence
from detectors.sigma.timespan import SECOND_US, read_timespan

if TYPE_CHECKING:
    from pathlib import Path

    from detectors.sigma.errors import Problems

KEYS: Final = (*CHANGES, "times", "every", "after", "cluster", "time_at")
MAX_RECORDS: Final = 20_000
"""Of one sequence: twice the largest count that a correlation may ask for."""


@dataclass(frozen=True, slots=True)
class Timed:
    """One record of a case, and when."""

    raw: bytes
    """JSON on one line, or lines of text."""
    time_us: int | None = None
    """After the start of the sequence; None for a case of one record, which has its own time."""
    cluster: str | None = None
    """None: the one cluster that all of a case is about unless it says otherwise."""


def read_sequence(node: Node, bases: Path, problems: Problems) -> tuple[Timed, ...]:
    """Return the records of a sequence in their order; what is wrong is noted in ``problems``."""
    items = node.items if isinstance(node, Sequence) else ()
    if not items:
        raise RefusedError(node.place, "'sequence' must be a list of at least one record")
    records: list[Timed] = []
    for item in items:
        problems.attempt(None, _extend, records, item, bases, problems)
    return tuple(records)


def refuse_unknown(mapping: Mapping, known: tuple[str, ...], problems: Problems) -> None:
    """Note each key of ``mapping`` that is not among ``known``."""
    for key, entry in mapping.entries.items():
        if key not in known:
            wrong = f"unknown key {shown(key)}{suggestion(key, known)}"
            problems.add(RefusedError(entry.key.place, wrong))


def _extend(records: list[Timed], item: Node, bases: Path, problems: Problems) -> None:
    """Append the records of one item; after a first that is wrong the others would be as well."""
    if not isinstance(item, Mapping):
        raise RefusedError(item.place, "a record of a sequence must be a mapping")
    refuse_unknown(item, KEYS, problems)
    times = problems.attempt(1, _times, item)
    every = problems.attempt(SECOND_US, _time, item, "every", SECOND_US)
    after = problems.attempt(SECOND_US, _time, item, "after", SECOND_US if records else 0)
    paths = problems.attempt(None, _paths, item)
    cluster = text_of(item, "cluster").text if "cluster" in item.entries else None
    if paths is None:
        return
    if len(records) + times > MAX_RECORDS:
        raise RefusedError(item.place, f"the sequence has more than {MAX_RECORDS} records")
    start = after + (records[-1].time_us or 0 if records else 0)
    noted = len(problems.errors)
    for number in range(times):
        moment = Moment(start + number * every, len(records), number, paths)
        raw = problems.attempt(b"", read_record, item, bases, moment, problems)
        if len(problems.errors) > noted:
            return
        records.append(Timed(raw, moment.time_us, cluster))


def _times(item: Mapping) -> int:
    node = item.get("times")
    value = 1 if node is None else node.value if isinstance(node, Scalar) else None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= MAX_RECORDS:
        place = (node or item).place
        raise RefusedError(place, f"'times' must be a number from 1 to {MAX_RECORDS}")
    return value


def _time(item: Mapping, key: str, default_us: int) -> int:
    node = item.get(key)
    return default_us if node is None else read_timespan(node, key, least_us=0)


def _paths(item: Mapping) -> tuple[Steps, ...]:
    node = item.get("time_at")
    if node is None:
        return ()
    items = node.items if isinstance(node, Sequence) else ()
    paths = tuple(one for one in items if isinstance(one, Scalar))
    if not paths or len(paths) < len(items):
        raise RefusedError(node.place, "'time_at' must be a list of paths")
    return tuple(_path(one) for one in paths)


def _path(node: Scalar) -> Steps:
    try:
        return parse_path(node.text)
    except PathError as error:
        raise RefusedError(node.at(error.offset), f"'time_at': {error.message}") from error
