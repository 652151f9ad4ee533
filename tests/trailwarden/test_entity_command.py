from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from detectors.entities.relation import Relation
from ingest.schema import DTYPES
from tests.detectors.entities.test_sessions import entered
from tests.detectors.entities.world import event, frame
from trailwarden.commands.entity import app
from trailwarden.entity_words import WORDS, object_words

KUBELET = "system:node:node-1"


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """Return a file of events: a pod that gets an address, and another one at 10 s."""
    pod = {"type": "pods", "namespace": "shop", "name": "web"}
    status = {"action": "patch", "subresource": "status", "user": KUBELET}
    made = [
        event(0, **pod, action="create", user="ann", images=["a"]),
        event(5, **pod, **status, addresses=["10.0.0.5"], node="node-1"),
        event(10, **pod, **status, addresses=["10.0.0.6"], node="node-1"),
    ]
    path = tmp_path / "events.parquet"
    frame(made).select(list(DTYPES)).write_parquet(path)
    return path


def shown(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["show", *arguments])
    return result.exit_code, result.output


def test_shows_what_was_known_at_a_time(events: Path) -> None:
    code, text = shown("shop/web", "--from", str(events), "--at", "2026-11-21T10:00:06", "--json")
    document = json.loads(text)
    addresses = [
        line["object"]
        for line in document["known"]
        if line["relation"] == str(Relation.POD_ADDRESS)
    ]
    assert (code, addresses, document["author"]) == (0, [["10.0.0.5"]], "ann")
    _, at_end = shown("10.0.0.6", "--from", str(events), "--json")
    assert [line["subject"] for line in json.loads(at_end)["named_by"]] == ["shop/web"]


def test_prints_tables_for_people(events: Path) -> None:
    code, text = shown("shop/web", "--from", str(events))
    assert code == 0
    assert "behind it: ann" in text
    assert "10.0.0.6" in text


def test_says_what_is_not_known_and_what_cannot_be_read(events: Path) -> None:
    code, text = shown("shop/nothing", "--from", str(events))
    assert (code, "Nothing was known" in text) == (1, True)
    assert shown("x", "--from", str(events / "no"))[0] == 2
    assert shown("x", "--from", str(events), "--at", "soon")[0] == 2
    assert shown("x", "--from", str(events), "--cluster", "other")[0] == 2


def test_each_relation_has_words() -> None:
    assert list(WORDS) == list(Relation)
    minted = object_words(Relation.CREDENTIAL_MINTED_BY, "human\n10.0.0.1\nX509SHA256=1\nann")
    assert minted == "ann (human) at 10.0.0.1 with X509SHA256=1"
    assert object_words(Relation.POD_OWNER, "-") == "(nothing)"


def test_long_names_are_not_cut(events: Path) -> None:
    _, text = shown("10.0.0.6", "--from", str(events))
    assert "address of pod" in text
    assert "\u2026" not in text


def test_shows_who_entered_a_pod(tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    made = frame([entered(0), entered(9, stage="ResponseComplete")])
    made.select(list(DTYPES)).write_parquet(path)
    _, text = shown("shop/web-1", "--from", str(path), "--json")
    (session,) = json.loads(text)["sessions"]
    assert (session["user"], session["container"], session["command"]) == ("ann", "shop", "bash")
    assert session["ended"] == "2026-11-21T10:00:09+00:00"
    _, early = shown("shop/web-1", "--from", str(path), "--at", "2026-11-21T10:00:05")
    assert "Entered by" in early
    assert "open" in early
