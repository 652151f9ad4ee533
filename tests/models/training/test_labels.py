from __future__ import annotations

from pathlib import Path

import orjson
import polars as pl
import pytest

from ingest.verdict import DATASET
from models.training.labels import LabelFileError, labels_of, read_labels, verdicts_of
from tests.models.event_rows import event_frame, request


def audit(at: float, audit_id: str, uri: str | None, cluster: str = "prod") -> dict[str, object]:
    return request(
        at,
        "a",
        "get",
        "pods",
        orchestrator__cluster__name=cluster,
        kubernetes__audit__auditID=audit_id,
        kubernetes__audit__stage="ResponseComplete",
        kubernetes__audit__requestURI=uri,
    )


def label(audit_id: str, uri: str, role: str = "attack", **more: object) -> dict[str, object]:
    known = {"stage": "ResponseComplete", "scenario": "theft", "round": 0}
    return {"auditID": audit_id, "uri": uri, "role": role, **known, **more}


def written(path: Path, *labels: dict[str, object]) -> pl.DataFrame:
    file = path / "labels.jsonl"
    file.write_bytes(b"\n".join(orjson.dumps(each) for each in labels))
    return read_labels(file)


def test_an_event_has_the_label_of_its_id_stage_and_uri(tmp_path: Path) -> None:
    labels = written(tmp_path, label("1", "/x", "harness"), label("1", "/y"), label("2", "/z"))
    events = event_frame([audit(0, "1", "/y"), audit(1, "2", "/other"), audit(2, "3", "/x")])
    found = labels_of(events, labels)
    assert found["role"].to_list() == ["attack"]
    assert found["run"].to_list() == ["theft 0"]
    assert found["time"][0] == events["@timestamp"].dt.timestamp("us")[0]


def test_a_redacted_uri_takes_the_first_label_of_the_id(tmp_path: Path) -> None:
    labels = written(tmp_path, label("1", "/a"), label("1", "/b", "harness"))
    events = event_frame([audit(0, "1", "/x?token=[redacted:1]")])
    assert labels_of(events, labels)["role"].to_list() == ["attack"]


def test_another_stage_is_another_event(tmp_path: Path) -> None:
    labels = written(tmp_path, label("1", "/a", stage="ResponseStarted"))
    assert labels_of(event_frame([audit(0, "1", "/a")]), labels).is_empty()


def test_a_label_that_names_a_cluster_is_of_that_one_alone(tmp_path: Path) -> None:
    labels = written(tmp_path, label("1", "/a", cluster="test"))
    events = event_frame([audit(0, "1", "/a"), audit(1, "1", "/a", cluster="test")])
    assert labels_of(events, labels)["run"].to_list() == ["test theft 0"]
    assert labels_of(events, labels)["event.id"].to_list() == ["e000001"]


@pytest.mark.parametrize(
    "text", [b"no json", b'{"auditID": 1', b'{"role": "attack", "auditID": "1"}', b"[]"]
)
def test_what_is_no_label_is_refused(text: bytes, tmp_path: Path) -> None:
    file = tmp_path / "labels.jsonl"
    file.write_bytes(text)
    with pytest.raises(LabelFileError, match=r"labels\.jsonl"):
        read_labels(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabelFileError, match="missing"):
        read_labels(tmp_path / "missing.jsonl")


def said(offset: int, finding: str, value: str, *events: str) -> dict[str, object]:
    return {
        "event.id": f"verdict-{offset}",
        "event.dataset": DATASET,
        "log.offset": offset,
        "trailwarden.verdict.finding": finding,
        "trailwarden.verdict.value": value,
        "trailwarden.verdict.events": list(events) or None,
    }


def test_the_last_verdict_on_a_finding_counts_and_one_true_finding_is_enough() -> None:
    acts = event_frame([audit(0, "1", "/x")])
    rows = [
        said(4, "taken back", "unsure"),
        said(3, "taken back", "true_positive", "a"),
        said(5, "false", "true_positive", "b", "c"),
        said(6, "false", "false_positive", "b", "c"),
        said(7, "benign", "benign", "d"),
        said(8, "true", "true_positive", "c"),
        said(9, "without evidence", "true_positive"),
    ]
    verdicts = pl.DataFrame(rows, schema_overrides=acts.schema).select(
        pl.lit(None, dtype).alias(name) if name not in rows[0] else pl.col(name)
        for name, dtype in acts.schema.items()
    )
    events, found = verdicts_of(pl.concat([verdicts.head(3), acts, verdicts.tail(4)]))
    assert events.equals(acts)
    assert dict(found.iter_rows()) == {"b": False, "c": True, "d": False}


def test_a_log_without_verdicts_has_none() -> None:
    acts = event_frame([audit(0, "1", "/x")])
    events, found = verdicts_of(acts)
    assert events.equals(acts)
    assert found.is_empty()
