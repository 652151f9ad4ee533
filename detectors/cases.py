"""The case file beside a rule becomes raw records that the rule must match, or must not.

Raw, so that each case also exercises normalization, which the caller does: here is no event. A case
names a recorded base record and says how it differs, so that a reader sees what matters; a case of
something over time is a sequence of such records. ``lists`` are values of the site's lists that the
cases are about: a rule may match only because of one. ``places`` says where networks are, as a
GeoIP database would.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from detectors.case_places import read_places
from detectors.case_record import CHANGES, read_record, text_of
from detectors.case_sequence import Timed, read_sequence, refuse_unknown
from detectors.entities.geography import DATABASES
from detectors.sigma.compiler import CASES_SUFFIXES, read_document
from detectors.sigma.errors import InvalidRulesError, Problems, RefusedError, shown
from detectors.sigma.header import texts
from detectors.sigma.strict_yaml import Mapping, Node, Scalar, Sequence
from detectors.sigma.timespan import read_timespan
from detectors.site import DEFAULT_LISTS, Site

if TYPE_CHECKING:
    from collections.abc import Mapping as Lists
    from pathlib import Path

    from detectors.entities.geography import Geography

SECTIONS: Final = ("match", "no_match")
KEYS: Final = ("name", *CHANGES, "evasion", "findings")
KEYS_OF_SEQUENCES: Final = ("name", "sequence", "evasion", "findings", "watch")


@dataclass(frozen=True, slots=True)
class Case:
    """Records and whether the rule must match them."""

    name: str
    expected: bool
    evasion: int | None
    """Number in the list of known evasions, if the case is one of them."""
    records: tuple[Timed, ...]
    """In the order of their times; one, with the time it was recorded at, if there is no more."""
    findings: int | None = None
    """Exactly so many findings; None: at least one."""
    watch_us: int = 0
    """How much time passes after the last record."""

    @property
    def raw(self) -> bytes:
        """Return the first record; there is no other unless the case is a sequence."""
        return self.records[0].raw


@dataclass(frozen=True, slots=True)
class Cases:
    """The cases of one rule, in the order of the file; some match and some do not."""

    rule: Path
    cases: tuple[Case, ...]
    lists: Lists[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Site lists that hold for these cases, instead of the site's own."""
    geography: Geography | None = None
    """Where the addresses of these cases are."""

    @property
    def site(self) -> Site:
        """Return a site that knows what these cases say, and no more."""
        return Site({**DEFAULT_LISTS, **self.lists}, geography=self.geography)


def cases_file(rule: Path) -> Path:
    """Return where the cases of ``rule`` are, or have to be."""
    files = [rule.with_name(rule.stem + suffix) for suffix in CASES_SUFFIXES]
    return next((file for file in files if file.exists()), files[0])


def load_cases(rule: Path, bases: Path) -> Cases:
    """Return the cases of the rule in the file ``rule``, made of the records in ``bases``.

    ``remove`` is applied before ``set``. Raises ``InvalidRulesError`` with all problems of the case
    file; the test suite shows them.
    """
    problems = Problems(cases_file(rule))
    cases = problems.attempt(Cases(rule, ()), _cases, rule, bases, problems)
    if problems.errors:
        raise InvalidRulesError(tuple(problems.in_order()))
    return cases


def _cases(rule: Path, bases: Path, problems: Problems) -> Cases:
    document = read_document(problems.file)
    if not isinstance(document, Mapping):
        raise RefusedError(document.place, "a case file must be a mapping")
    refuse_unknown(document, (*SECTIONS, "lists", "places"), problems)
    cases: list[Case] = []
    names: set[str] = set()
    for section in SECTIONS:
        node = document.get(section)
        items = node.items if isinstance(node, Sequence) else ()
        if not items:
            wrong = f"{section!r} must be a list of at least one case"
            problems.add(RefusedError((node or document).place, wrong))
        for item in items:
            case = problems.attempt(None, _case, item, section == "match", bases, problems)
            if case and case.name in names:
                problems.add(RefusedError(item.place, f"case {shown(case.name)} is there twice"))
            if case:
                names.add(case.name)
                cases.append(case)
    lists = problems.attempt({}, _lists, document)
    geography = problems.attempt(None, read_places, document)
    if geography:
        lists = {**lists, DATABASES: (geography.version,)}
    return Cases(rule, tuple(cases), lists, geography)


def _lists(document: Mapping) -> Lists[str, tuple[str, ...]]:
    node = document.get("lists")
    if node is None:
        return {}
    if not isinstance(node, Mapping):
        raise RefusedError(node.place, "'lists' must be a mapping of names to lists of texts")
    return {name: texts(node, name) for name in node.entries}


def _case(node: Node, expected: bool, bases: Path, problems: Problems) -> Case:
    if not isinstance(node, Mapping):
        raise RefusedError(node.place, "a case must be a mapping")
    sequence = node.get("sequence")
    refuse_unknown(node, KEYS if sequence is None else KEYS_OF_SEQUENCES, problems)
    if sequence is None:
        records: tuple[Timed, ...] = (Timed(read_record(node, bases, None, problems)),)
    else:
        records = read_sequence(sequence, bases, problems)
    return Case(
        text_of(node, "name").text,
        expected,
        _number(node, "evasion", "'evasion' must be a number from the list, 1 or more"),
        records,
        _findings(node, expected),
        problems.attempt(0, _watch, node),
    )


def _findings(case: Mapping, expected: bool) -> int | None:
    node = case.get("findings")
    if node is not None and not expected:
        raise RefusedError(node.place, "'findings' is for cases that match: here are none")
    return _number(case, "findings", "'findings' must be a number, 1 or more")


def _watch(case: Mapping) -> int:
    node = case.get("watch")
    return 0 if node is None else read_timespan(node, "watch")


def _number(case: Mapping, key: str, wrong: str) -> int | None:
    node = case.get(key)
    if node is None:
        return None
    number = node.value if isinstance(node, Scalar) else None
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise RefusedError(node.place, wrong)
    return number
