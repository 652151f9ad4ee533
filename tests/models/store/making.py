"""A small sound model in a folder, and ways to spoil it with a key that is trusted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from models.store import Kind, Manifest, Model, Window, load_model, save_model
from models.store.checks import require_counts, require_distinct, require_trees
from models.store.kind import Tables
from models.store.manifest import ColumnType

START = datetime(2026, 11, 1, tzinfo=UTC)
FEATURES = ("requests", "failures")


def _check_forest(made: Manifest, tables: Tables) -> None:
    require_trees(tables, "nodes", len(made.features))


def _check_profile(_: Manifest, tables: Tables) -> None:
    require_counts(tables, "counts", ("count",))
    require_distinct(tables, "counts", ("level", "group", "feature", "value"))


FOREST = Kind(
    "forest",
    {
        "nodes": {
            **dict.fromkeys(("tree", "node", "feature"), ColumnType.INT32),
            "threshold": ColumnType.FLOAT64,
            **dict.fromkeys(("left", "right", "samples"), ColumnType.INT32),
        }
    },
    _check_forest,
    FEATURES,
)
PROFILE = Kind(
    "profile",
    {
        "counts": {
            **dict.fromkeys(("level", "group", "feature", "value"), ColumnType.TEXT),
            "count": ColumnType.FLOAT64,
            "last_us": ColumnType.INT64,
        }
    },
    _check_profile,
)
EXPECT: Mapping[str, Kind] = {FOREST.name: FOREST, PROFILE.name: PROFILE}
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
NODES = pl.DataFrame(
    {
        "tree": [0, 0, 0, 0, 0, 1],
        "node": [0, 1, 2, 3, 4, 0],
        "feature": [0, -1, 1, -1, -1, -1],
        "threshold": [0.5, 0.0, 2.5, 0.0, 0.0, 0.0],
        "left": [1, -1, 3, -1, -1, -1],
        "right": [2, -1, 4, -1, -1, -1],
        "samples": [8, 3, 5, 4, 1, 8],
    },
    schema={
        **dict.fromkeys(("tree", "node", "feature"), pl.Int32),
        "threshold": pl.Float64,
        **dict.fromkeys(("left", "right", "samples"), pl.Int32),
    },
)
COUNTS = pl.DataFrame(
    {
        "level": ["identity", "all"],
        "group": ["alice", ""],
        "feature": ["action", "action"],
        "value": ["exec", "exec"],
        "count": [1.0, 20.5],
        "last_us": [1_700_000_000_000_000, 1_700_000_000_000_001],
    }
)
TABLES: Mapping[str, Mapping[str, pl.DataFrame]] = {
    FOREST.name: {"nodes": NODES},
    PROFILE.name: {"counts": COUNTS},
}


def manifest(kind: str = FOREST.name, version: str = "1", name: str = "sessions") -> Manifest:
    return Manifest(
        kind=kind,
        name=name,
        version=version,
        window=Window(start=START, end=START + timedelta(minutes=23)),
        features=FEATURES,
        libraries={"polars": "2.1.0"},
        seed=7,
        metrics={"recall": 0.5},
    )


def saved(
    folder: Path, kind: str = FOREST.name, version: str = "1", name: str = "sessions"
) -> Model:
    made = manifest(kind, version, name)
    return save_model(folder, made, TABLES[kind], KEY, expect=EXPECT)


def loaded(folder: Path) -> Model:
    return load_model(folder, [KEY.public_key()], expect=EXPECT)


@dataclass
class Spoiled:
    """A saved model, changed by whoever holds the trusted key."""

    folder: Path
    kind: str = FOREST.name
    file: str = field(init=False)

    def __post_init__(self) -> None:
        saved(self.folder, self.kind)
        (name,) = TABLES[self.kind]
        self.file = f"{name}.arrow"

    @property
    def path(self) -> Path:
        return self.folder / self.file

    def sign(self, text: bytes) -> None:
        (self.folder / "manifest.json").write_bytes(text)
        (self.folder / "signature").write_bytes(KEY.sign(text))

    def document(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "manifest.json").read_bytes()))

    def change(self, **members: Any) -> None:
        """Set members of the manifest and sign it."""
        self.sign(json.dumps({**self.document(), **members}).encode())

    def change_entry(self, **members: Any) -> None:
        """Set members of what the manifest says of the file and sign it."""
        files = self.document()["files"]
        self.change(files={self.file: {**files[self.file], **members}})

    def change_text(self, change: Callable[[str], str]) -> None:
        self.sign(change((self.folder / "manifest.json").read_text()).encode())

    def put(self, data: bytes) -> None:
        """Exchange the file's bytes, and sign what they are."""
        self.path.write_bytes(data)
        self.change_entry(sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))

    def put_table(self, table: pa.Table, **options: Any) -> None:
        self.put(ipc(table, **options))

    def put_column(self, name: str, column: pa.Array) -> None:
        """Exchange a column of the file for one of any type."""
        held = self.table()
        self.put_table(held.set_column(held.schema.get_field_index(name), name, column))

    def put_values(self, **columns: list[Any]) -> None:
        """Exchange the values of columns; their types stay."""
        held = self.table()
        for name, values in columns.items():
            place = held.schema.get_field_index(name)
            column = pa.array(values, type=held.schema.field(name).type)
            held = held.set_column(place, name, column)
        self.put_table(held)

    def table(self) -> pa.Table:
        return pa.ipc.open_file(pa.py_buffer(self.path.read_bytes())).read_all()


def ipc(table: pa.Table, *, batches: int = 1, **options: Any) -> bytes:
    """Write a table as an IPC file, as anybody may."""
    sink = pa.BufferOutputStream()
    rows = -(-table.num_rows // batches)
    written = pa.ipc.IpcWriteOptions(**options)
    with pa.ipc.new_file(sink, table.schema, options=written) as writer:
        writer.write_table(table.combine_chunks(), max_chunksize=max(rows, 1))
    return bytes(sink.getvalue())
