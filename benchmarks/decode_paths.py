"""Compare ways from audit log lines to values, on the same lines in one run.

    python benchmarks/decode_paths.py AUDIT_LOG [--duckdb]

The figures behind docs/decisions/0001. DuckDB is measured where it is installed; it is no
dependency of the project.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import bare_loop
import msgspec
import orjson
import pyarrow as pa

from ingest.formats.audit_event import AuditEvent, ObjectRef, ResponseStatus, User
from ingest.normalize import NormalizeSettings, normalize
from ingest.record import Records

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK = 500
BATCH = 10_000
ROUNDS = 3


class Typed(msgspec.Struct):
    """The record with every part decoded for every event, bodies left raw."""

    level: str | None = None
    auditID: str | None = None  # noqa: N815 - spelled as in the record
    stage: str | None = None
    requestURI: str | None = None  # noqa: N815 - spelled as in the record
    verb: str | None = None
    user: User | None = None
    sourceIPs: list[str] | None = None  # noqa: N815 - spelled as in the record
    userAgent: str | None = None  # noqa: N815 - spelled as in the record
    objectRef: ObjectRef | None = None  # noqa: N815 - spelled as in the record
    responseStatus: ResponseStatus | None = None  # noqa: N815 - spelled as in the record
    requestObject: msgspec.Raw = msgspec.Raw()  # noqa: N815 - spelled as in the record
    requestReceivedTimestamp: str | None = None  # noqa: N815 - spelled as in the record
    stageTimestamp: str | None = None  # noqa: N815 - spelled as in the record
    annotations: dict[str, str] | None = None


def read_lines(path: Path) -> list[bytes]:
    raw = path.read_bytes()
    return (gzip.decompress(raw) if path.suffix == ".gz" else raw).splitlines()


def chunks(lines: list[bytes]) -> list[Records]:
    return [
        Records("log", lines[i : i + CHUNK], list(range(i, i + len(lines[i : i + CHUNK]))))
        for i in range(0, len(lines), CHUNK)
    ]


def loads_each(lines: list[bytes]) -> None:
    for line in lines:
        orjson.loads(line)


def typed_each(lines: list[bytes]) -> None:
    decode = msgspec.json.Decoder(Typed).decode
    for line in lines:
        decode(line)


def parts_each(lines: list[bytes]) -> None:
    decode = msgspec.json.Decoder(AuditEvent).decode
    for line in lines:
        decode(line)


def our_events(lines: list[bytes]) -> None:
    settings = NormalizeSettings("bench")
    per_batch = BATCH // CHUNK
    found = chunks(lines)
    for i in range(0, len(found), per_batch):
        normalize(found[i : i + per_batch], settings)


def duckdb_events(lines: list[bytes]) -> None:
    import duckdb  # noqa: PLC0415 - measured where it is installed

    text = "VARCHAR"
    shape = {
        **dict.fromkeys(("level", "auditID", "stage", "requestURI", "verb", "userAgent"), text),
        "user": {"username": text, "uid": text, "groups": [text], "extra": "JSON"},
        "sourceIPs": [text],
        "objectRef": dict.fromkeys(ObjectRef.__struct_fields__, text),
        "responseStatus": {"status": text, "message": text, "reason": text, "code": "INTEGER"},
        "requestReceivedTimestamp": text,
        "stageTimestamp": text,
        "annotations": "JSON",
    }
    connection = duckdb.connect()
    connection.execute("set threads=1")
    query = f"select try(json_transform(j, '{json.dumps(shape)}')) as e from records"  # noqa: S608 - our own text
    for i in range(0, len(lines), BATCH):
        batch = pa.table({"j": pa.array([line.decode() for line in lines[i : i + BATCH]])})
        connection.register("records", batch)
        connection.sql(query).to_arrow_table()


def cost(function: Callable[[list[bytes]], object], lines: list[bytes]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        function(lines)
        best = min(best, time.process_time() - start)
    return best / len(lines) * 1e6


def main() -> None:
    lines = read_lines(Path(sys.argv[1]))
    rows: list[tuple[str, Callable[[list[bytes]], object]]] = [
        ("orjson.loads, each dropped", loads_each),
        ("bare loop: orjson and 40 Python functions", bare_loop.run),
        ("msgspec, every part decoded", typed_each),
        ("msgspec, recurring parts left raw", parts_each),
    ]
    if importlib.util.find_spec("duckdb"):
        rows.append(("DuckDB try(json_transform), 27 columns, no bodies", duckdb_events))
    rows.append(("normalize: events, facets, ids, redaction", our_events))
    print(f"{len(lines):,} events, {sum(map(len, lines)) / len(lines):,.0f} bytes on average")
    for name, function in rows:
        spent = cost(function, lines)
        print(f"{name:52} {spent:6.2f} us  {1e6 / spent:10,.0f} events per CPU second")


if __name__ == "__main__":
    main()
