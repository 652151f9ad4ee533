"""The acts of acts.yml as records of the API server, by their names."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import orjson

from detectors.json_path import parse_path, remove_at, set_at
from detectors.sigma.compiler import read_document
from detectors.sigma.strict_yaml import plain
from worker.settings import shipped_rules

Record = dict[str, Any]

FILE: Final = Path(__file__).parent / "acts.yml"
KEYS: Final = frozenset({"base", "set", "remove"})


def load_acts() -> dict[str, Record]:
    """Return the acts in the order of the file."""
    document: Any = plain(read_document(FILE))
    return {name: _record(act) for name, act in document.items()}


def _record(act: Record) -> Record:
    if not act.keys() <= KEYS:
        message = f"unknown keys: {sorted(act.keys() - KEYS)}"
        raise ValueError(message)
    base = shipped_rules() / "bases" / f"{act['base']}.json"
    record: Record = orjson.loads(base.read_bytes())
    for path in act.get("remove", ()):
        remove_at(record, parse_path(path))
    for path, value in act.get("set", {}).items():
        set_at(record, parse_path(path), value)
    return record
