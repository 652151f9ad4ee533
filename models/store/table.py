"""A frame in, one Arrow IPC file out, and back only if it is as plain as what is written here.

Separate because this is the only place where foreign bytes meet a binary parser. What is written
is one record batch without compression, without dictionaries and without metadata; what is read
must be that. So no buffer is larger than the file, and what is parsed is the sequence of messages:
the footer, which could point at other bytes, only has to be there (Arrow columnar format,
"IPC File Format").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pyarrow as pa

from models.store.manifest import ColumnShape, ColumnType
from models.store.refusal import ModelRefusedError, Reason

if TYPE_CHECKING:
    from models.store.manifest import FileEntry

_TYPES: Final = {
    pa.int8(): ColumnType.INT8,
    pa.int16(): ColumnType.INT16,
    pa.int32(): ColumnType.INT32,
    pa.int64(): ColumnType.INT64,
    pa.uint8(): ColumnType.UINT8,
    pa.uint16(): ColumnType.UINT16,
    pa.uint32(): ColumnType.UINT32,
    pa.uint64(): ColumnType.UINT64,
    pa.float32(): ColumnType.FLOAT32,
    pa.float64(): ColumnType.FLOAT64,
    pa.bool_(): ColumnType.BOOL,
    pa.large_string(): ColumnType.TEXT,
}
_MAGIC: Final = b"ARROW1"
_HEAD_BYTES: Final = 8
_PARSING: Final = (pa.ArrowException, OSError, ValueError, KeyError, MemoryError)
"""What PyArrow raises for bytes that it does not take."""

_HEADER: Final = 2
_COMPRESSION: Final = 3
"""Places of fields in Arrow's Message.fbs: Message.header, RecordBatch.compression."""


def write(frame: pl.DataFrame) -> bytes:
    """Return a frame as the bytes of one file."""
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest()).combine_chunks()
    schema = table.schema.remove_metadata()
    batches = table.to_batches() or [pa.RecordBatch.from_pylist([], schema=schema)]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return bytes(sink.getvalue())


def schema_of(data: bytes) -> pa.Schema:
    """Return the schema of what `write` returned."""
    return pa.ipc.open_file(pa.py_buffer(data)).schema


def shape_of(name: str, schema: pa.Schema) -> tuple[ColumnShape, ...]:
    """Return the columns of a schema.

    Raises
        ModelRefusedError: a column is neither plain numbers nor text.
    """
    if schema.metadata or any(field.metadata for field in schema):
        raise ModelRefusedError(Reason.WRONG_TYPE, f"{name}: carries metadata")
    for field in schema:
        if field.type not in _TYPES:
            raise ModelRefusedError(Reason.WRONG_TYPE, f"{name}: {field.name} is {field.type}")
    return tuple(ColumnShape(name=field.name, type=_TYPES[field.type]) for field in schema)


def read(name: str, data: bytes, entry: FileEntry) -> pl.DataFrame:
    """Parse the bytes of one file, which must hold what its entry says.

    Raises
        ModelRefusedError: they do not; a value is missing or not finite.
    """
    try:
        schema, message = _messages(name, data)
        columns = shape_of(name, schema)
        if columns != entry.columns:
            raise ModelRefusedError(Reason.WRONG_TYPE, f"{name}: {_difference(columns, entry)}")
        batch = pa.ipc.read_record_batch(message, schema)
        batch.validate(full=True)
    except _PARSING as error:
        detail = f"{name}: {type(error).__name__}: {error}"[:300]
        raise ModelRefusedError(Reason.NOT_ARROW, detail) from error
    if batch.num_rows != entry.rows:
        detail = f"{name}: {batch.num_rows} rows, the manifest says {entry.rows}"
        raise ModelRefusedError(Reason.WRONG_SHAPE, detail)
    frame = pl.DataFrame(pa.Table.from_batches([batch]))
    _check_values(name, frame)
    return frame


def _messages(name: str, data: bytes) -> tuple[pa.Schema, pa.Message]:
    """Return the schema and the one record batch, as it stands in the file."""
    if data[: len(_MAGIC)] != _MAGIC or data[-len(_MAGIC) :] != _MAGIC:
        raise ModelRefusedError(Reason.NOT_ARROW, f"{name}: no Arrow IPC file, or cut off")
    footer = pa.ipc.open_file(pa.py_buffer(data))
    stream = pa.py_buffer(data).slice(_HEAD_BYTES)
    found = list(pa.ipc.MessageReader.open_stream(stream))
    kinds = [message.type for message in found]
    if "dictionary" in kinds:
        raise ModelRefusedError(Reason.WRONG_TYPE, f"{name}: holds a dictionary")
    if kinds != ["schema", "record batch"] or footer.num_record_batches != 1:
        raise ModelRefusedError(Reason.WRONG_SHAPE, f"{name}: {len(kinds) - 1} batches, not one")
    schema = pa.ipc.read_schema(found[0])
    if not schema.equals(footer.schema, check_metadata=True):
        raise ModelRefusedError(Reason.WRONG_TYPE, f"{name}: its footer says other columns")
    if _is_compressed(found[1].metadata.to_pybytes()):
        raise ModelRefusedError(Reason.COMPRESSED, f"{name}: a batch is compressed")
    return schema, found[1]


def _is_compressed(metadata: bytes) -> bool:
    """Whether a record batch's header names a compression; PyArrow shows it only by decoding.

    A flatbuffer, which PyArrow has verified: the root is named by an offset, a table begins with
    the distance back to its vtable, which holds two sizes and then each field's place.
    """
    header = _field(metadata, _unsigned(metadata, 0, 4), _HEADER)
    if header is None:
        raise ValueError("a message without a header")
    batch = header + _unsigned(metadata, header, 4)
    return _field(metadata, batch, _COMPRESSION) is not None


def _field(data: bytes, table: int, number: int) -> int | None:
    vtable = table - int.from_bytes(data[table : table + 4], "little", signed=True)
    if vtable < 0:
        raise ValueError("a table without a vtable")
    place = 4 + 2 * number
    if place + 2 > _unsigned(data, vtable, 2):
        return None
    offset = _unsigned(data, vtable + place, 2)
    return table + offset if offset else None


def _unsigned(data: bytes, start: int, size: int) -> int:
    if not 0 <= start <= len(data) - size:
        raise ValueError("a place outside of the message")
    return int.from_bytes(data[start : start + size], "little")


def _difference(columns: tuple[ColumnShape, ...], entry: FileEntry) -> str:
    """Say which column is the first that is not as the manifest says."""
    if len(columns) != len(entry.columns):
        return f"{len(columns)} columns, the manifest says {len(entry.columns)}"
    pairs = zip(columns, entry.columns, strict=True)
    held, said = next((held, said) for held, said in pairs if held != said)
    return f"{held.name} is {held.type}, the manifest says {said.name} is {said.type}"


def _check_values(name: str, frame: pl.DataFrame) -> None:
    for column, missing in frame.null_count().row(0, named=True).items() if frame.height else ():
        if missing:
            raise ModelRefusedError(Reason.MISSING_VALUE, f"{name}: {missing} nulls in {column}")
    floats: Any = pl.col(pl.Float32, pl.Float64)
    odd = frame.select((~floats.is_finite()).any())
    for column, is_odd in odd.row(0, named=True).items() if odd.width and odd.height else ():
        if is_odd:
            raise ModelRefusedError(Reason.NOT_FINITE, f"{name}: NaN or infinite in {column}")
