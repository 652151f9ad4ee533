from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING

import orjson
import pytest

from ingest.sources.files import find_files
from ingest.sources.read import read_records
from ingest.sources.well_formed import parsed_end

if TYPE_CHECKING:
    from tests.ingest.sources.conftest import Event


def documents(path: Path) -> list[dict[str, object]]:
    found = []
    for records in read_records(str(path)):
        assert (records.refused, records.problems, records.salvaged) == ([], [], {})
        for raw in records.raws:
            document = orjson.loads(raw)
            found += document.get("items", [document])
    return found


@pytest.mark.parametrize("compressed", [False, True])
def test_standard_input_is_read_like_a_file(event: Event, compressed: bool) -> None:
    stream = b"\n".join(event(n) for n in range(700))
    code = (
        "import json\nfrom ingest.sources.read import read_records\n"
        "print(json.dumps([[r.path, len(r.raws), len(r.problems)] for r in read_records('-')]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=gzip.compress(stream) if compressed else stream,
        capture_output=True,
        check=True,
    )
    chunks = json.loads(done.stdout)
    assert {path for path, _, _ in chunks} == {"-"}
    assert sum(count for _, count, _ in chunks) == 700
    assert sum(problems for _, _, problems in chunks) == 0


def test_a_truncated_file_gives_its_events_half_of_one_and_the_problem(
    tmp_path: Path, event: Event
) -> None:
    events = [event(n) for n in range(2_000)]
    whole = gzip.compress(b"\n".join(events))
    path = tmp_path / "audit.log.gz"
    path.write_bytes(whole[: len(whole) // 2])
    chunks = list(read_records(str(path)))
    raws = [raw for chunk in chunks for raw in chunk.raws]
    cut = sum(len(chunk.salvaged) for chunk in chunks)
    assert len(raws) > 700
    assert raws[: len(raws) - cut] == events[: len(raws) - cut]
    assert cut + sum(len(chunk.refused) for chunk in chunks) <= 1
    (problem,) = chunks[-1].problems
    assert "cut off" in problem.message


def test_progress_is_told_while_records_come(tmp_path: Path, event: Event) -> None:
    path = tmp_path / "audit.log"
    path.write_bytes(b"\n".join(event(n) for n in range(2_000)))
    told: list[int] = []
    steps = [sum(told) for _ in read_records(str(path), told.append)]
    assert sum(told) == path.stat().st_size
    assert 0 < steps[0] < steps[-1]


def test_a_file_in_utf_16_with_windows_line_breaks_is_read(tmp_path: Path, event: Event) -> None:
    path = tmp_path / "powershell.log"
    path.write_bytes("\r\n".join(event(n).decode() for n in range(3)).encode("utf-16"))
    assert documents(path) == [orjson.loads(event(n)) for n in range(3)]


def test_the_recorded_log_is_read_whole_and_fast(recording: Path) -> None:
    path = recording / "audit.log.gz"
    lines = gzip.decompress(path.read_bytes()).split(b"\n")[:-1]
    begin = process_time()
    raws = [raw for records in read_records(str(path)) for raw in records.raws]
    seconds = process_time() - begin
    assert raws == lines
    assert seconds < 1.5  # 0.2 s measured on 2026-11-21; the rest is for slower machines


def test_the_recorded_examples_and_webhook_bodies_are_read(recording: Path) -> None:
    examples = sorted((recording / "examples").glob("*.json"))
    assert [documents(path) for path in examples] == [
        [json.loads(path.read_bytes())] for path in examples
    ]
    for path in (recording / "webhook").glob("*.json"):
        assert documents(path) == json.loads(path.read_bytes())["items"]


def test_the_recorded_folder_has_the_files_of_its_names(recording: Path) -> None:
    found = find_files([str(recording)])
    assert found.problems == []
    assert str(recording / "audit.log.gz") in found.files
    assert not [path for path in found.files if path.endswith((".yaml", ".md", ".jsonl"))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"a":1}', (7, False)),
        (b'{"a":1} \n', (9, False)),
        (b'{"a":1},{"b"', (7, False)),
        (b'{"a":1}\n {"b"', (9, False)),
        (b'{"a":1}}', (7, False)),
        (b'{"a":[1', (None, True)),
        (b'{"a":oops}', (None, False)),
        (b"[" * 5_000 + b"]" * 5_000, (None, False)),
    ],
)
def test_the_parser_says_where_a_value_ends(text: bytes, expected: tuple[int | None, bool]) -> None:
    assert parsed_end(memoryview(text)) == expected
