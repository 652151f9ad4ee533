"""An exception that `findings verdict` prints is one that a worker takes, for that identity."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from detectors.anomaly.detector import UNUSUAL_IDENTITY
from detectors.exceptions import Exemption, hides
from detectors.sigma.compiler import load_pack
from detectors.sigma.errors import Problems
from detectors.sigma.exception_file import read_exceptions
from detectors.sigma.strict_yaml import Mapping, parse
from ingest.schema import DTYPES
from trailwarden.exception_text import exception_text
from worker.settings import shipped_rules

TODAY = date(2026, 11, 21)
RULES = load_pack([shipped_rules()]).rules
FOUND: dict[str, Any] = {
    "rule.id": RULES[0].id,
    "orchestrator.cluster.name": "prod-eu",
    "user.name": "system:serviceaccount:storage:operator",
    "orchestrator.namespace": "storage",
}


def taken(text: str) -> Exemption:
    node = parse(text.encode())
    assert isinstance(node, Mapping)
    problems = Problems(Path("printed"))
    (read,) = read_exceptions(node.entries["exceptions"].value, problems, RULES, {})
    assert not problems.errors
    return read


@pytest.mark.parametrize("said", ["the backup job", "", 'a "quoted": {word}\\ # or two\n', "Käse"])
def test_it_is_an_exception_for_the_identity_alone(said: str) -> None:
    text = exception_text(FOUND, said or "dana", said, TODAY)
    assert text is not None
    one = taken(text)
    assert one.detections == {RULES[0].id}
    assert one.expires == date(2027, 2, 19)
    rows = [{name: FOUND[name] for name in ("user.name", "orchestrator.namespace")}]
    events = pl.DataFrame([*rows, rows[0] | {"user.name": "somebody"}], DTYPES)
    assert hides(one, events).to_list() == [True, False]


NONE: dict[str, dict[str, Any]] = {
    "of a profile": {"rule.id": UNUSUAL_IDENTITY.id},
    "of nobody": {"user.name": None},
    "pattern in a name": {"user.name": "system:*"},
    "end of a line in a name": {"user.name": "dana\n"},
    "quotes in a namespace": {"orchestrator.namespace": 'a"b'},
    "no cluster": {"orchestrator.cluster.name": None},
}


@pytest.mark.parametrize("name", NONE)
def test_what_would_be_more_or_other_than_was_found_is_not_printed(name: str) -> None:
    assert exception_text(FOUND | NONE[name], "dana", "", TODAY) is None
