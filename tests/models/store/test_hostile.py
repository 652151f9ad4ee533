"""Whatever is not a whole model of a trusted key that this program knows is refused, and why.

Most of these are signed by the trusted key: the signature alone would hide every other check.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from models.store import ModelRefusedError, Reason
from models.store.limits import FILE_BYTES, MANIFEST_BYTES
from tests.models.store.making import KEY, NODES, OTHER_KEY, PROFILE, Spoiled, ipc, loaded

Spoil = Callable[[Spoiled], object]


def replaced(old: str, new: str) -> Spoil:
    def change(model: Spoiled) -> None:
        assert old in (model.folder / "manifest.json").read_text()
        model.change_text(lambda text: text.replace(old, new, 1))

    return change


def resigned(model: Spoiled) -> None:
    data = (model.folder / "manifest.json").read_bytes()
    (model.folder / "signature").write_bytes(OTHER_KEY.sign(data))


def linked_file(model: Spoiled) -> None:
    outside = model.path.rename(model.folder.parent / "outside.arrow")
    model.path.symlink_to(outside)


def linked_manifest(model: Spoiled) -> None:
    file = model.folder / "manifest.json"
    file.symlink_to(file.rename(model.folder.parent / "outside.json"))


def linked_folder(model: Spoiled) -> None:
    model.folder.symlink_to(model.folder.rename(model.folder.parent / "outside"))


def as_fifo(model: Spoiled) -> None:
    model.path.unlink()
    os.mkfifo(model.path)


def as_folder(model: Spoiled) -> None:
    model.path.unlink()
    model.path.mkdir()


def as_socket(model: Spoiled) -> None:
    model.path.unlink()
    here = Path.cwd()
    os.chdir(model.folder)  # the path of a socket is at most 108 bytes long
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(model.file)
    finally:
        os.chdir(here)


def sparse(model: Spoiled) -> None:
    os.truncate(model.path, FILE_BYTES + 1)
    model.change_entry(size_bytes=FILE_BYTES + 1)


def many_files(model: Spoiled) -> None:
    for number in range(100):
        (model.folder / f"more-{number}").touch()


def huge_model(model: Spoiled) -> None:
    model.change_entry(size_bytes=2**40)


def huge_manifest(model: Spoiled) -> None:
    model.change_text(lambda text: text + " " * MANIFEST_BYTES)


def cut(model: Spoiled) -> None:
    model.put(model.path.read_bytes()[:-300])


def without_footer(model: Spoiled) -> None:
    data = model.path.read_bytes()
    model.put(data[: len(data) // 2] + b"ARROW1")


def with_dictionary_type(model: Spoiled) -> None:
    model.put_column("tree", pa.array(NODES["tree"].to_list()).dictionary_encode())


def with_hidden_dictionary(model: Spoiled) -> None:
    """Put a dictionary's message before the batch; the schema stays plain."""
    plain = model.path.read_bytes()
    text = pa.table({"t": pa.array(["a"]).dictionary_encode()})
    other = pa.py_buffer(ipc(text)).slice(8)
    _, dictionary, *_ = list(pa.ipc.MessageReader.open_stream(other))
    assert dictionary.type == "dictionary"
    schema = pa.ipc.open_file(pa.py_buffer(plain)).schema.serialize().to_pybytes()
    at = 8 + len(schema)
    model.put(plain[:at] + dictionary.serialize().to_pybytes() + plain[at:])


def with_metadata(model: Spoiled) -> None:
    model.put_table(model.table().replace_schema_metadata({"run": "this"}))


def with_field_metadata(model: Spoiled) -> None:
    held = model.table()
    field = held.schema.field(0).with_metadata({"ARROW:extension:name": "arrow.py_extension_type"})
    model.put_table(held.cast(held.schema.set(0, field)))


def with_bad_text(model: Spoiled) -> None:
    offsets = pa.array([0, 2, 4], pa.int64()).buffers()[1]
    raw = pa.py_buffer(b"\xff\xfe\xfa\xfb")
    text = pa.LargeStringArray.from_buffers(2, offsets, raw)
    model.put_column("value", text)


def with_bad_offsets(model: Spoiled) -> None:
    offsets = pa.array([0, 2**40, 4], pa.int64()).buffers()[1]
    text = pa.LargeStringArray.from_buffers(2, offsets, pa.py_buffer(b"abcd"))
    held = model.table()
    place = held.schema.get_field_index("value")
    sink = pa.BufferOutputStream()
    batch = pa.record_batch(
        [text if i == place else c.combine_chunks() for i, c in enumerate(held.columns)],
        schema=held.schema,
    )
    with pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
    model.put(bytes(sink.getvalue()))


def second_table(model: Spoiled) -> None:
    files = model.document()["files"]
    (model.folder / "more.arrow").write_bytes(model.path.read_bytes())
    model.change(files={**files, "more.arrow": files[model.file]})


def retyped(to: pa.DataType) -> Spoil:
    """Exchange a column's type in the file, and leave the manifest as it is."""

    def change(model: Spoiled) -> None:
        model.put_column("threshold", pa.array([0.0] * NODES.height).cast(to))

    return change


def nested(depth: int) -> Spoil:
    return lambda model: model.sign(b'{"a":' * depth + b"1" + b"}" * depth)


def values(**columns: list[int]) -> Spoil:
    return lambda model: model.put_values(**columns)


def thresholds(value: float | None) -> Spoil:
    return lambda model: model.put_values(threshold=[0.5, value, 2.5, 0.0, 0.0, 0.0])


HOSTILE: dict[str, tuple[Reason, Spoil]] = {
    # The folder.
    "no folder": (Reason.NOT_A_FOLDER, lambda m: m.folder.rename(m.folder.parent / "away")),
    "folder is a link": (Reason.SYMLINK, linked_folder),
    "file is a link": (Reason.SYMLINK, linked_file),
    "manifest is a link": (Reason.SYMLINK, linked_manifest),
    "file is a pipe": (Reason.NOT_A_FILE, as_fifo),
    "file is a folder": (Reason.NOT_A_FILE, as_folder),
    "file is a socket": (Reason.NOT_A_FILE, as_socket),
    "missing file": (Reason.MISSING_FILE, lambda m: m.path.unlink()),
    "missing manifest": (
        Reason.MISSING_FILE,
        lambda m: (m.folder / "manifest.json").unlink(),
    ),
    "additional file": (Reason.ADDITIONAL_FILE, lambda m: (m.folder / "model.pkl").touch()),
    "additional folder": (Reason.ADDITIONAL_FILE, lambda m: (m.folder / ".more").mkdir()),
    "very many files": (Reason.ADDITIONAL_FILE, many_files),
    "larger than said": (
        Reason.OVERSIZED,
        lambda m: m.path.write_bytes(m.path.read_bytes() + b"x"),
    ),
    "larger than may be": (Reason.OVERSIZED, sparse),
    "all files too large": (Reason.OVERSIZED, huge_model),
    "manifest too large": (Reason.OVERSIZED, huge_manifest),
    "other bytes": (Reason.WRONG_HASH, lambda m: m.path.write_bytes(bytes(m.path.stat().st_size))),
    "fewer bytes": (Reason.WRONG_HASH, lambda m: os.truncate(m.path, 100)),
    "wrong hash said": (Reason.WRONG_HASH, lambda m: m.change_entry(sha256="0" * 64)),
    # The signature.
    "unsigned": (Reason.UNSIGNED, lambda m: (m.folder / "signature").unlink()),
    "signed by another": (Reason.UNTRUSTED, resigned),
    "empty signature": (Reason.UNTRUSTED, lambda m: (m.folder / "signature").write_bytes(b"")),
    "zero signature": (
        Reason.UNTRUSTED,
        lambda m: (m.folder / "signature").write_bytes(bytes(64)),
    ),
    "long signature": (
        Reason.OVERSIZED,
        lambda m: (m.folder / "signature").write_bytes(bytes(65)),
    ),
    "signature of other bytes": (
        Reason.UNTRUSTED,
        lambda m: (m.folder / "signature").write_bytes(KEY.sign(b"{}")),
    ),
    "manifest changed by a blank": (
        Reason.UNTRUSTED,
        lambda m: (m.folder / "manifest.json").write_bytes(
            (m.folder / "manifest.json").read_bytes() + b" "
        ),
    ),
    # The manifest.
    "no JSON": (Reason.NOT_JSON, lambda m: m.sign(b"\x80\x04K\x01.")),
    "empty manifest": (Reason.NOT_JSON, lambda m: m.sign(b"")),
    "two documents": (Reason.NOT_JSON, lambda m: m.change_text(lambda text: text + text)),
    "UTF-16": (Reason.NOT_JSON, lambda m: m.sign("{}".encode("utf-16"))),
    "NaN in JSON": (Reason.NOT_JSON, replaced('"recall": 0.5', '"recall": NaN')),
    "digits without end": (Reason.NOT_JSON, replaced('"seed": 7', f'"seed": {"7" * 9_999}')),
    "deep": (Reason.TOO_DEEP, nested(50)),
    "very deep": (Reason.TOO_DEEP, nested(100_000)),
    "deep list": (Reason.TOO_DEEP, lambda m: m.sign(b"[" * 500_000)),
    "duplicate key": (Reason.DUPLICATE_KEY, replaced('"seed": 7', '"seed": 7, "seed": 7')),
    "duplicate key below": (
        Reason.DUPLICATE_KEY,
        replaced('"rows": 6', '"rows": 6, "r\\u006fws": 7'),
    ),
    "a list": (Reason.BAD_MANIFEST, lambda m: m.sign(b"[]")),
    "unknown member": (Reason.BAD_MANIFEST, lambda m: m.change(code="print(1)")),
    "unknown member below": (Reason.BAD_MANIFEST, lambda m: m.change_entry(compressed=True)),
    "missing member": (Reason.BAD_MANIFEST, replaced('"kind"', '"metrics_"')),
    "wrong type": (Reason.BAD_MANIFEST, lambda m: m.change(seed="7")),
    "seed below zero": (Reason.BAD_MANIFEST, lambda m: m.change(seed=-1)),
    "rows below zero": (Reason.BAD_MANIFEST, lambda m: m.change_entry(rows=-1)),
    "infinite metric": (Reason.BAD_MANIFEST, replaced('"recall": 0.5', '"recall": 1e999')),
    "time without a zone": (
        Reason.BAD_MANIFEST,
        lambda m: m.change(window={"start": "2026-11-01T00:00:00", "end": "2026-11-02T00:00:00Z"}),
    ),
    "window that ends first": (
        Reason.BAD_MANIFEST,
        lambda m: m.change(window={"start": "2026-11-02T00:00:00Z", "end": "2026-11-01T00:00:00Z"}),
    ),
    "path outside": (Reason.BAD_MANIFEST, replaced('"nodes.arrow"', '"../nodes.arrow"')),
    "absolute path": (Reason.BAD_MANIFEST, replaced('"nodes.arrow"', '"/etc/nodes.arrow"')),
    "zero byte in a path": (Reason.BAD_MANIFEST, replaced('"nodes.arrow"', '"no\\u0000.arrow"')),
    "another file type": (Reason.BAD_MANIFEST, replaced('"nodes.arrow"', '"nodes.pkl"')),
    "name as a path": (Reason.BAD_MANIFEST, replaced('"sessions"', '"a/../../b"')),
    "feature twice": (
        Reason.BAD_MANIFEST,
        lambda m: m.change(features=["requests", "requests"]),
    ),
    "hash in capitals": (Reason.BAD_MANIFEST, lambda m: m.change_entry(sha256="A" * 64)),
    "unknown column type": (Reason.BAD_MANIFEST, replaced('"float64"', '"object"')),
    "newer schema": (Reason.OTHER_SCHEMA, lambda m: m.change(schema=2)),
    "schema as text": (Reason.OTHER_SCHEMA, lambda m: m.change(schema="1")),
    "no schema": (Reason.OTHER_SCHEMA, replaced('"schema": 1,', "")),
    "unknown kind": (Reason.UNKNOWN_KIND, lambda m: m.change(kind="pickle")),
    "other feature": (
        Reason.OTHER_FEATURES,
        lambda m: m.change(features=["requests", "successes"]),
    ),
    "other order of features": (
        Reason.OTHER_FEATURES,
        lambda m: m.change(features=["failures", "requests"]),
    ),
    "no features": (Reason.OTHER_FEATURES, lambda m: m.change(features=[])),
    "table of another name": (Reason.OTHER_TABLES, replaced('"nodes.arrow"', '"trees.arrow"')),
    "one table more": (Reason.OTHER_TABLES, second_table),
    "no table": (Reason.OTHER_TABLES, lambda m: m.change(files={})),
    # The tables.
    "no Arrow": (Reason.NOT_ARROW, lambda m: m.put(b"\x80\x04K\x01.")),
    "empty file": (Reason.NOT_ARROW, lambda m: m.put(b"")),
    "cut off": (Reason.NOT_ARROW, cut),
    "no footer": (Reason.NOT_ARROW, without_footer),
    "only the magic": (Reason.NOT_ARROW, lambda m: m.put(b"ARROW1\0\0ARROW1")),
    "LZ4": (Reason.COMPRESSED, lambda m: m.put_table(m.table(), compression="lz4")),
    "Zstandard": (Reason.COMPRESSED, lambda m: m.put_table(m.table(), compression="zstd")),
    "dictionary type": (Reason.WRONG_TYPE, with_dictionary_type),
    "hidden dictionary": (Reason.WRONG_TYPE, with_hidden_dictionary),
    "metadata": (Reason.WRONG_TYPE, with_metadata),
    "metadata of a field": (Reason.WRONG_TYPE, with_field_metadata),
    "float16": (Reason.WRONG_TYPE, retyped(pa.float16())),
    "float32": (Reason.WRONG_TYPE, retyped(pa.float32())),
    "decimal": (Reason.WRONG_TYPE, retyped(pa.decimal128(38, 2))),
    "text for numbers": (Reason.WRONG_TYPE, retyped(pa.large_string())),
    "lists": (
        Reason.WRONG_TYPE,
        lambda m: m.put_column("threshold", pa.array([[0.0]] * NODES.height)),
    ),
    "extension type": (
        Reason.WRONG_TYPE,
        lambda m: m.put_column(
            "threshold", pa.ExtensionArray.from_storage(pa.json_(), pa.array(["1"] * NODES.height))
        ),
    ),
    "one column fewer": (Reason.WRONG_TYPE, lambda m: m.put_table(m.table().drop(["samples"]))),
    "columns in another order": (
        Reason.WRONG_TYPE,
        lambda m: m.put_table(m.table().select(m.table().column_names[::-1])),
    ),
    "two batches": (Reason.WRONG_SHAPE, lambda m: m.put_table(m.table(), batches=2)),
    "no batch": (Reason.WRONG_SHAPE, lambda m: m.put_table(m.table().slice(0, 0))),
    "fewer rows than said": (Reason.WRONG_SHAPE, lambda m: m.put_table(m.table().slice(0, 5))),
    "null": (Reason.MISSING_VALUE, thresholds(None)),
    "NaN": (Reason.NOT_FINITE, thresholds(float("nan"))),
    "infinity": (Reason.NOT_FINITE, thresholds(float("-inf"))),
    # What kinds ask.
    "feature out of range": (Reason.BAD_TREE, values(feature=[2, -1, 1, -1, -1, -1])),
    "negative feature": (Reason.BAD_TREE, values(feature=[-2, -1, 1, -1, -1, -1])),
    "own child": (Reason.BAD_TREE, values(left=[0, -1, 3, -1, -1, -1])),
    "cycle": (Reason.BAD_TREE, values(right=[2, -1, 0, -1, -1, -1])),
    "child outside": (Reason.BAD_TREE, values(right=[2, -1, 5, -1, -1, -1])),
    "child of another tree": (Reason.BAD_TREE, values(left=[1, -1, 2**31 - 1, -1, -1, -1])),
    "two parents": (Reason.BAD_TREE, values(left=[2, -1, 3, -1, -1, -1])),
    "same child twice": (Reason.BAD_TREE, values(right=[2, -1, 3, -1, -1, -1])),
    "leaf with a child": (Reason.BAD_TREE, values(left=[1, 2, 3, -1, -1, -1])),
    "orphan": (Reason.BAD_TREE, values(tree=[0, 0, 0, 0, 0, 0], node=[0, 1, 2, 3, 4, 5])),
    "tree numbers with a gap": (Reason.BAD_TREE, values(tree=[0, 0, 0, 0, 0, 2])),
    "nodes out of order": (Reason.BAD_TREE, values(node=[0, 2, 1, 3, 4, 0])),
    "no samples": (Reason.BAD_TREE, values(samples=[8, 3, 5, 4, -1, 8])),
}

HOSTILE_PROFILES: dict[str, tuple[Reason, Spoil]] = {
    "negative count": (Reason.NEGATIVE, lambda m: m.put_values(count=[1.0, -1.0])),
    "key twice": (
        Reason.REPEATED,
        lambda m: m.put_values(level=["all", "all"], group=["", ""]),
    ),
    "no UTF-8": (Reason.NOT_ARROW, with_bad_text),
    "offsets outside": (Reason.NOT_ARROW, with_bad_offsets),
    "text with nulls": (Reason.MISSING_VALUE, lambda m: m.put_values(value=["exec", None])),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_model_is_refused_for_its_own_reason(tmp_path: Path, name: str) -> None:
    reason, spoil = HOSTILE[name]
    check_refused(Spoiled(tmp_path / "model"), reason, spoil)


@pytest.mark.parametrize("name", HOSTILE_PROFILES)
def test_a_hostile_profile_is_refused_for_its_own_reason(tmp_path: Path, name: str) -> None:
    reason, spoil = HOSTILE_PROFILES[name]
    check_refused(Spoiled(tmp_path / "model", PROFILE.name), reason, spoil)


def check_refused(model: Spoiled, reason: Reason, spoil: Spoil) -> None:
    assert loaded(model.folder)
    spoil(model)
    with pytest.raises(ModelRefusedError) as refused:
        loaded(model.folder)
    said = str(refused.value)
    assert refused.value.reason is reason, said
    assert said.startswith(f"{reason.value}: ")
    assert "\n" not in said
    assert len(said) < 600


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Spoiled:
    return Spoiled(tmp_path_factory.mktemp("flipped") / "model")


QUICK = settings(
    deadline=None,
    derandomize=True,
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@QUICK
@given(data=st.data())
def test_any_byte_of_any_file_that_is_changed_refuses_it(
    model: Spoiled, data: st.DataObject
) -> None:
    file = data.draw(st.sampled_from(sorted(model.folder.iterdir())))
    whole = file.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    value = data.draw(st.integers(0, 255))
    assume(value != whole[place])
    try:
        file.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
        with pytest.raises(ModelRefusedError):
            loaded(model.folder)
    finally:
        file.write_bytes(whole)
    assert loaded(model.folder)


@QUICK
@given(place=st.integers(0), value=st.integers(0, 255))
def test_signed_bytes_that_are_no_table_are_refused_and_break_nothing(
    model: Spoiled, place: int, value: int
) -> None:
    """Of a sound file with one byte changed; some bytes are values, or mean nothing."""
    held = {file: file.read_bytes() for file in model.folder.iterdir()}
    whole = held[model.path]
    place %= len(whole)
    try:
        model.put(whole[:place] + bytes([value]) + whole[place + 1 :])
        with suppress(ModelRefusedError):
            assert loaded(model.folder).tables["nodes"].schema == NODES.schema
    finally:
        for file, data in held.items():
            file.write_bytes(data)
