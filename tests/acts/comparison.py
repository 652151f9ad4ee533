"""Acts of all providers as events and findings, side by side with the native ones.

Separate from the tests because docs/providers.md is made from the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, Final

import orjson

from detectors.cases import load_cases
from detectors.engine import detect
from detectors.possible import recalls
from detectors.sigma.compiler import load_pack
from detectors.sigma.correlation import Bound, Comparison, Correlation, CorrelationType
from detectors.sigma.rule import Rule
from ingest.normalize import NormalizeSettings, normalize
from ingest.record import Records
from ingest.redact.token import Redactor
from tests.acts.acts import Record, load_acts
from tests.acts.not_logged import WHOLE
from tests.acts.wrappers import WRAPPERS, Wrap, native
from worker.settings import shipped_rules

Row = dict[str, Any]

_SETTINGS: Final = NormalizeSettings("blue", Redactor(b"the key of these tests"))
_UNORDERED: Final = ("trailwarden.patch.paths", "trailwarden.redacted")
_BODY: Final = "kubernetes.audit.requestObject"


@cache
def acts() -> dict[str, Record]:
    """Return the acts, read once."""
    return load_acts()


@cache
def rules() -> tuple[Rule, ...]:
    """Return the shipped rules of which each hit is told, read once.

    They report by themselves, or the correlation of their file does so from the first hit on. Those
    that ask what is remembered are not among them: one record does not decide them.
    """
    pack = load_pack([shipped_rules()])
    told = {base.id for one in pack.correlations if _tells_each(one) for base in one.bases}
    told |= {one.id for one in pack.reporting}
    return tuple(rule for rule in pack.rules if rule.id in told and not recalls(rule))


def _tells_each(correlation: Correlation) -> bool:
    at_once = (Bound(Comparison.GTE, 1),)
    return correlation.type is CorrelationType.EVENT_COUNT and correlation.bounds == at_once


def observed(wrap: Wrap, records: Iterable[Record]) -> list[tuple[Row | None, frozenset[str]]]:
    """Return each record's event, None where it is not logged, and the rules that match it."""
    raws = [wrap(record) for record in records]
    logged = {row: raw for row, raw in enumerate(raws) if raw is not None}
    found = normalize([Records("acts", list(logged.values()), list(logged))], _SETTINGS)
    assert not found.refused
    places = found.events["log.offset"].to_list()
    assert places == list(logged), "each record must give one event"
    names: dict[int, set[str]] = {row: set() for row in range(len(raws))}
    for hit in detect(found.events, rules()).iter_rows(named=True):
        names[places[hit["row"]]].add(rules()[hit["rule"]].file.stem)
    rows = dict(zip(places, found.events.iter_rows(named=True), strict=True))
    return [(rows.get(row), frozenset(names[row])) for row in range(len(raws))]


@cache
def by_act(provider: str) -> dict[str, tuple[Row | None, frozenset[str]]]:
    """Return the event and the findings of each act, as a provider (or ``native``) tells it."""
    wrap = WRAPPERS.get(provider, native)
    return dict(zip(acts(), observed(wrap, acts().values()), strict=True))


@cache
def heard_cases(provider: str) -> dict[str, tuple[int, int]]:
    """Return for each rule how many of its cases it finds in a provider's form, and of how many.

    The cases are those beside the rule that it must match, as far as they are records of the API
    server that the provider's form can express. Rules without any are left out.
    """
    wrap, names, records = WRAPPERS[provider], [], []
    for rule in rules():
        for case in load_cases(rule.file, shipped_rules() / "bases").cases:
            alone = case.expected and len(case.records) == 1
            record = _audit_record(case.raw) if alone else None
            if record is not None and _is_expressible(wrap, record):
                names.append(rule.file.stem)
                records.append(record)
    heard = dict.fromkeys(names, (0, 0))
    for name, (_, found) in zip(names, observed(wrap, records), strict=True):
        hits, total = heard[name]
        heard[name] = (hits + (name in found), total + 1)
    return heard


def _audit_record(raw: bytes) -> Record | None:
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) and "auditID" in document else None


def _is_expressible(wrap: Wrap, record: Record) -> bool:
    """Whether a record that may be of wrong types has a form at the provider."""
    try:
        wrap(record)
    except (AttributeError, KeyError, TypeError):
        return False
    return True


def differing_columns(act: str, provider: str) -> frozenset[str]:
    """Return the columns of an act that differ from the native ones."""
    mine, theirs = by_act("native")[act][0], by_act(provider)[act][0]
    assert mine is not None
    if theirs is None:
        return frozenset({WHOLE})
    return frozenset(name for name in mine if _plain(name, mine) != _plain(name, theirs))


def differing_findings(act: str, provider: str) -> frozenset[str]:
    """Return the rules that match one of the two events and not the other."""
    return by_act("native")[act][1] ^ by_act(provider)[act][1]


def _plain(name: str, row: Row) -> object:
    """Return a value without the order of its members: JSON has none, and GKE sorts them."""
    value = row[name]
    if name in _UNORDERED and value is not None:
        return sorted(value)
    return orjson.loads(value) if name == _BODY and value is not None else value
