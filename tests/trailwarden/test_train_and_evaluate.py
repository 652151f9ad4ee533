"""From a log to a model, and from a model to what it is worth, as somebody types it."""

from __future__ import annotations

import gzip
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice, pairwise
from pathlib import Path

import orjson
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from ingest.verdict import DATASET
from models.kinds import KINDS
from models.learned import LEARNED
from models.store import load_model
from models.store.keys import make_key, parse_public
from sinks.archive import SegmentWriter
from tests.models.event_rows import MONDAY, break_in, event_frame, quiet_time
from trailwarden.cli import app
from trailwarden.training_source import read_in_order

END = MONDAY + timedelta(hours=2)


@dataclass(frozen=True)
class Trained:
    events: Path
    labels: Path
    key: Path
    public: str
    models: Path

    @property
    def forest(self) -> Path:
        return self.models / "session-forest" / "20261116t100000-0"


def run(*words: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    return done.exit_code, done.stdout, done.stderr


def unboxed(text: str) -> str:
    """Return what is said in a box, in one line."""
    return " ".join(text.replace("│", " ").split())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("training")
    later = [
        row | {"@timestamp": row["@timestamp"] + timedelta(hours=2)}  # type: ignore[operator]
        for row in quiet_time(hours=1, seed=2)
    ]
    events = event_frame([*quiet_time(), *later, *break_in(2 * 3_600 + 1_805)])
    events.write_parquet(folder / "events.parquet")
    bad = events.filter(pl.col("kubernetes.audit.auditID").is_not_null())
    lines = [
        {"auditID": audit, "stage": "ResponseComplete", "uri": uri, "role": "attack"}
        | {"scenario": "theft", "round": 0}
        for audit, uri in bad.select(
            "kubernetes.audit.auditID", "kubernetes.audit.requestURI"
        ).iter_rows()
    ]
    (folder / "labels.jsonl").write_bytes(b"\n".join(orjson.dumps(line) for line in lines))
    public = make_key(folder / "key.pem")
    made = Trained(
        folder / "events.parquet",
        folder / "labels.jsonl",
        folder / "key.pem",
        public,
        folder / "models",
    )
    code, out, err = run(
        *("train", made.events, "--kind", "session-forest", "--key", made.key),
        *("--to", END.isoformat(), "--out", made.models),
    )
    assert (code, err) == (0, "")
    assert str(made.forest) in out
    return made


def evaluated(made: Trained, *more: object, model: Path | None = None) -> tuple[int, str, str]:
    return run(
        *("evaluate", model or made.forest, made.events, "--labels", made.labels),
        *("--trusted-key", made.public, *more),
    )


def test_what_is_trained_says_what_it_was_made_from(trained: Trained) -> None:
    manifest = orjson.loads((trained.forest / "manifest.json").read_bytes())
    assert manifest["kind"] == "session-forest"
    assert manifest["window"]["end"] == "2026-11-16T10:00:00Z"
    assert {"polars", "scikit-learn"} <= set(manifest["libraries"])


@pytest.mark.parametrize("kind", list(LEARNED))
def test_the_same_events_and_seed_write_the_same_bytes(
    kind: str, trained: Trained, tmp_path: Path
) -> None:
    written = []
    for name in ("a", "b"):
        out = tmp_path / name
        options = ("--key", trained.key, "--seed", 3, "--kind", kind, "--out", out)
        assert run("train", trained.events, *options)[0] == 0
        written.append({p.name: p.read_bytes() for p in out.rglob("*") if p.is_file()})
    assert written[0] == written[1]


def test_a_version_is_never_written_twice(trained: Trained) -> None:
    again = run(
        *("train", trained.events, "--kind", "session-forest", "--key", trained.key),
        *("--to", END.isoformat(), "--out", trained.models),
    )
    assert again[0] == 1
    assert "never written twice" in again[2]


def test_an_evaluation_compares_with_the_simple_methods(trained: Trained) -> None:
    code, out, err = evaluated(trained, "--json", "--budget", 20, "--budget", 100)
    assert (code, err) == (0, "")
    document = orjson.loads(out)
    names = [result["name"] for result in document["results"]]
    assert names == [
        "session-forest",
        "volume z-score",
        "plain frequency",
        "isolation forest on raw counts",
    ]
    model = document["results"][0]
    # 360 events and 40 of the break-in: at 100 per 10,000, four findings.
    assert [each["findings"] for each in model["budgets"]] == [0, 4]
    assert model["budgets"][1]["kinds"][0]["found"] == 1
    assert model["budgets"][1]["recall"] == 1
    assert model["average_precision"] == 1
    assert document["learned_events"] == 720
    assert model["findings"][0]["entity"] == "person-0"


def test_only_what_came_after_training_is_scored(trained: Trained) -> None:
    document = orjson.loads(evaluated(trained, "--json")[1])
    assert document["results"][0]["events"] == 400
    refused = evaluated(trained, "--from", "2026-11-16T09:00:00")
    assert refused[0] == 2
    assert "learned from later events" in unboxed(refused[2])


def test_people_see_methods_and_kinds_and_where_the_page_is(
    trained: Trained, tmp_path: Path
) -> None:
    code, out, _ = evaluated(trained, "--out", tmp_path / "page", "--budget", 100)
    assert code == 0
    for shown in ("session-forest", "plain frequency", "theft", "1 of 1", "evaluation.html"):
        assert shown in out
    html = (tmp_path / "page" / "evaluation.html").read_text()
    assert "person-0" in html
    assert "<script" not in html
    assert orjson.loads((tmp_path / "page" / "evaluation.json").read_bytes())["title"]


def test_a_tampered_model_is_refused(trained: Trained, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in trained.forest.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    manifest = (copy / "manifest.json").read_bytes()
    (copy / "manifest.json").write_bytes(manifest.replace(b'"seed": 0', b'"seed": 1'))
    code, out, err = evaluated(trained, model=copy)
    assert (code, out) == (1, "")
    assert "untrusted" in err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("train", "EVENTS", "--key", "nowhere.pem"), 2, "models key"),
        (("train", "nowhere.log", "--key", "KEY"), 1, "nowhere.log"),
        (("train", "EVENTS", "--key", "KEY", "--to", "2020-01-01"), 1, "no events"),
        (("train", "EVENTS", "--key", "KEY", "--to", "soon"), 2, "neither a day nor a time"),
        (("train", "EVENTS", "--key", "KEY", "--kind", "magic"), 2, "magic"),
        (("train", "LABELS", "--key", "KEY"), 1, "no events"),
        (("evaluate", "MODEL", "EVENTS", "--labels", "LABELS"), 2, "--trusted-key"),
        (
            ("evaluate", "MODEL", "EVENTS", "--labels", "none.jsonl", "--trusted-key", "PUBLIC"),
            1,
            "none.jsonl",
        ),
        (
            ("evaluate", "MODEL", "none.log", "--labels", "LABELS", "--trusted-key", "PUBLIC"),
            1,
            "none.log",
        ),
        (
            ("evaluate", "nowhere", "EVENTS", "--labels", "LABELS", "--trusted-key", "PUBLIC"),
            1,
            "nowhere",
        ),
        (
            ("evaluate", "MODEL", "EVENTS", "--labels", "LABELS", "--trusted-key", "abc"),
            2,
            "no public key",
        ),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    words: tuple[str, ...], code: int, said: str, trained: Trained, tmp_path: Path
) -> None:
    places = {
        "EVENTS": trained.events,
        "KEY": trained.key,
        "MODEL": trained.forest,
        "LABELS": trained.labels,
        "PUBLIC": trained.public,
    }
    out = ("--out", tmp_path / "out") if words[0] == "train" else ()
    done = run(*(places.get(word, word) for word in words), *out)
    assert done[0] == code
    assert said in unboxed(done[2])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_without_the_extra_the_command_says_how_to_get_it(
    command: str, trained: Trained, root: Path
) -> None:
    words = {
        "train": ["train", str(trained.events), "--kind", "login", "--key", str(trained.key)],
        "evaluate": ["evaluate", str(trained.forest), "x", "--labels", str(trained.labels)],
    }[command]
    program = (
        "import sys; sys.modules['sklearn'] = None; "
        f"from trailwarden.cli import app; app({words!r})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "trailwarden: training needs scikit-learn: pip install 'trailwarden[training]'\n"
    )


def test_what_of_a_log_cannot_be_read_is_said_and_the_rest_is_used(
    root: Path, trained: Trained, tmp_path: Path
) -> None:
    with gzip.open(root / "examples" / "sample-audit.log.gz") as sample:
        lines = list(islice(sample, 200))
    (tmp_path / "audit.log").write_bytes(b"".join([*lines, b"{no json\n"]))
    code, out, err = run(
        *("train", tmp_path / "audit.log", "--kind", "login", "--key", trained.key),
        *("--out", tmp_path / "models"),
    )
    assert code == 1
    assert "Written: " in out
    assert "quarantined: 1 " in err


def test_a_log_is_trained_from_as_it_stands(root: Path, trained: Trained, tmp_path: Path) -> None:
    log = root / "examples" / "sample-audit.log.gz"
    code, out, err = run(
        *("train", log, "--kind", "volume", "--key", trained.key, "--cluster", "prod"),
        *("--out", tmp_path, "--model-version", "1"),
    )
    assert (code, err) == (0, "")
    assert "volume from" in out
    levels = pl.read_ipc(tmp_path / "volume" / "1" / "levels.arrow")
    assert set(levels["cluster"]) == {"prod"}


@pytest.fixture(scope="module")
def archive(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same events as a worker's archive: two partitions, out of order, over three days."""
    folder = tmp_path_factory.mktemp("archive")
    events = _over_three_days(trained)
    for partition in (0, 3):
        mine = events.filter(pl.int_range(pl.len()) % 2 == (partition == 3))
        half = mine.height // 2
        writer = SegmentWriter(folder, "raw", partition, 0, None)
        writer.write(mine[half:].sort("event.id", descending=True))
        first = writer.close(half)
        writer = SegmentWriter(folder, "raw", partition, half, first.sha256)
        writer.write(mine[:half])
        writer.close(mine.height)
    return folder


def _over_three_days(trained: Trained) -> pl.DataFrame:
    """Return the events with each identity's on days of its own, the break-in on the last."""
    events = pl.read_parquet(trained.events)
    third = pl.col("@timestamp").rank("ordinal").cast(pl.Int64) * 3 // (events.height + 1)
    return events.with_columns(pl.col("@timestamp") + pl.duration(days=third)).sort("event.id")


@pytest.mark.parametrize("kind", list(LEARNED))
def test_an_archive_is_learned_from_as_an_events_file_is(
    kind: str, archive: Path, trained: Trained, tmp_path: Path
) -> None:
    file = tmp_path / "events.parquet"
    _over_three_days(trained).write_parquet(file)
    written = []
    for name, source in (("a", archive), ("b", file)):
        words = ("--key", trained.key, "--kind", kind, "--out", tmp_path / name)
        code, out, err = run("train", source, *words, "--to", "2026-11-18")
        assert (code, err) == (0, "")
        assert f"{kind} from 747 events, 2026-11-16 08:" in out
        folder = next((tmp_path / name / kind).iterdir())
        written.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert written[0] == written[1]


def test_an_archive_is_evaluated_on_after_the_time_of_training(
    archive: Path, trained: Trained, tmp_path: Path
) -> None:
    words = ("--key", trained.key, "--out", tmp_path, "--to", "2026-11-18")
    assert run("train", archive, *words)[0] == 0
    model = next((tmp_path / "profile").iterdir())
    labels = ("--labels", trained.labels, "--trusted-key", trained.public)
    code, out, err = run("evaluate", model, archive, *labels, "--json", "--budget", 100)
    assert (code, err) == (0, "")
    document = orjson.loads(out)
    profile = document["results"][0]
    assert profile["name"] == "profile"
    assert document["learned_events"] + profile["events"] == 1_120
    assert profile["average_precision"] == 1
    assert profile["budgets"][0]["recall"] == 1
    assert profile["findings"][0]["entity"] == "person-0"
    assert any("secrets" in reason for reason in profile["findings"][0]["reasons"])


def test_without_labels_what_people_decided_is_told_alone(trained: Trained, tmp_path: Path) -> None:
    words = ("evaluate", trained.forest, "--trusted-key", trained.public)
    code, _, err = run(*words, trained.events)
    assert code == 1
    assert "no verdicts in it, and no --labels" in err
    events = pl.read_parquet(trained.events)
    bad = events.filter(pl.col("kubernetes.audit.auditID").is_not_null())
    said = {
        "event.id": "f" * 32,
        "event.dataset": DATASET,
        "@timestamp": bad["@timestamp"][0],
        "trailwarden.verdict.finding": "a" * 32,
        "trailwarden.verdict.value": "true_positive",
        "trailwarden.verdict.events": bad["event.id"].to_list(),
        "log.offset": 1,
    }
    verdict = pl.DataFrame([said], schema_overrides=events.schema).cast(
        {name: events.schema[name] for name in said}
    )
    judged = tmp_path / "events.parquet"
    pl.concat([events, verdict], how="diagonal").write_parquet(judged)
    code, out, err = run(*words, judged, "--budget", 100, "--out", tmp_path)
    assert (code, err) == (0, "")
    assert "By verdict, at 100: 1 of 1 findings that people judged are true, 100 %" in out
    assert "PR-AUC" not in out
    document = orjson.loads((tmp_path / "evaluation.json").read_bytes())
    assert [one["name"] for one in document["results"]] == ["session-forest"]
    assert document["results"][0]["budgets"][0]["precision"] is None
    assert "Precision by verdict" in (tmp_path / "evaluation.html").read_text()


def test_without_a_source_the_archive_of_the_settings_is_learned_from(
    archive: Path, trained: Trained, tmp_path: Path
) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "archive").symlink_to(archive)
    settings = tmp_path / "settings.yml"
    settings.write_text(f"store:\n  folder: {tmp_path}/store\nmodels:\n  folder: {tmp_path}/m\n")
    code, out, err = run("train", "--config", settings, "--key", trained.key)
    assert (code, err) == (0, "")
    assert "profile from 1,120 events" in out
    assert len(list((tmp_path / "m" / "profile").iterdir())) == 1


def test_the_end_of_the_time_is_tried_first(trained: Trained, tmp_path: Path) -> None:
    """The break-in is in it: the manifest says that it was strange."""
    for kind, said in (("profile", "1 findings"), ("login", "stranger than 99% of those before")):
        words = ("--key", trained.key, "--kind", kind, "--out", tmp_path, "--hold-out", "0.3")
        code, out, err = run("train", trained.events, *words)
        assert (code, err) == (0, "")
        assert "Tried on the last 30% of the time, " in out
        assert said in out
        folder = next((tmp_path / kind).iterdir())
        model = load_model(folder, [parse_public(trained.public)], expect=KINDS)
        assert model.manifest.metrics["held_out_events"] > 300
    none = ("--key", trained.key, "--out", tmp_path / "none", "--hold-out", "0")
    assert "Tried on" not in run("train", trained.events, *none)[1]


def test_what_the_rules_of_the_service_find_is_not_learned(
    trained: Trained, tmp_path: Path
) -> None:
    """And a rule that is refused refuses the training."""
    heights = {}
    for level in ("low", "medium"):
        rule = tmp_path / f"{level}.yml"
        rule.write_text(
            "title: t\nid: 7d2f4d3e-8f4f-4a5b-9d6c-1b2c3d4e5f60\n"
            "logsource: {product: kubernetes, service: audit}\n"
            f"detection: {{s: {{event.action: list}}, condition: s}}\nlevel: {level}\n"
        )
        settings = tmp_path / f"{level}-settings.yml"
        settings.write_text(f"worker:\n  rules: [{rule}]\n")
        out = tmp_path / level
        words = ("--config", settings, "--key", trained.key, "--out", out)
        assert run("train", trained.events, *words)[0] == 0
        folder = next((out / "profile").iterdir())
        model = load_model(folder, [parse_public(trained.public)], expect=KINDS)
        heights[level] = model.tables["counts"].height
    assert 0 < heights["medium"] < heights["low"]
    (tmp_path / "low.yml").write_text("title: nothing else\n")
    refused = ("--config", tmp_path / "low-settings.yml", "--key", trained.key)
    code, _, err = run("train", trained.events, *refused, "--out", tmp_path / "none")
    assert code == 2
    assert "low.yml" in err


@pytest.mark.parametrize("at_once", [1, 7, 100_000])
def test_a_source_is_read_in_order_of_time_some_events_at_once(
    at_once: int, tmp_path: Path
) -> None:
    """What shares a microsecond comes together; days without events are passed over."""
    later = [row | {"@timestamp": row["@timestamp"] + timedelta(days=9)} for row in quiet_time(1)]  # type: ignore[operator]
    rows = [*quiet_time(hours=1), *later, *(later[0] for _ in range(20))]
    events = event_frame(rows).sample(fraction=1.0, shuffle=True, seed=1)
    events.write_parquet(tmp_path / "events.parquet")
    source = read_in_order(
        str(tmp_path / "events.parquet"), ["@timestamp", "event.id"], None, (None, None)
    )
    parts = [part for _, part in replace(source, at_once=at_once)]
    times = [part["@timestamp"] for part in parts]
    assert pl.concat(times).sort().equals(pl.concat(part.sort() for part in times))
    assert all(first.is_in(then.implode()).sum() == 0 for first, then in pairwise(times))
    assert_frame_equal(pl.concat(parts), events.select(parts[0].columns), check_row_order=False)
    ties = 21
    assert all(part.height <= max(at_once + ties, ties) for part in parts)
    assert len(parts) > 1


def test_a_profile_is_trained_without_scikit_learn(
    trained: Trained, root: Path, tmp_path: Path
) -> None:
    words = ["train", str(trained.events), "--key", str(trained.key), "--out", str(tmp_path)]
    program = (
        "import sys; sys.modules['sklearn'] = sys.modules['numpy'] = None; "
        f"from trailwarden.cli import app; app({words!r})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    manifest = orjson.loads(next(tmp_path.rglob("manifest.json")).read_bytes())
    assert set(manifest["libraries"]) == {"polars", "pyarrow"}
