"""What is saved is loaded as it was; what would be refused is never written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec
import polars as pl
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from models.kinds import KINDS
from models.store import Manifest, ModelExistsError, ModelRefusedError, Reason
from models.store import save_model as save
from models.store.keys import (
    KeyUnusableError,
    make_key,
    parse_public,
    public_text,
    read_private_key,
)
from models.store.load import load_model
from tests.models.store.making import (
    COUNTS,
    EXPECT,
    KEY,
    NODES,
    OTHER_KEY,
    PROFILE,
    START,
    TABLES,
    loaded,
    manifest,
    saved,
)


@pytest.mark.parametrize("kind", sorted(EXPECT))
def test_a_model_is_loaded_as_it_was_saved(tmp_path: Path, kind: str) -> None:
    written = saved(tmp_path / "model", kind)
    read = loaded(tmp_path / "model")
    assert (read.manifest, read.sha256) == (written.manifest, written.sha256)
    assert read.manifest.metrics == {"recall": 0.5}
    assert read.tables.keys() == TABLES[kind].keys()
    for name, frame in TABLES[kind].items():
        assert read.tables[name].equals(frame)
        assert read.tables[name].schema == frame.schema


def test_the_same_model_is_the_same_bytes(tmp_path: Path) -> None:
    saved(tmp_path / "one")
    saved(tmp_path / "two")
    one, two = ({f.name: f.read_bytes() for f in (tmp_path / n).iterdir()} for n in ("one", "two"))
    assert one == two


def test_any_of_the_trusted_keys_may_have_signed(tmp_path: Path) -> None:
    saved(tmp_path / "model")
    keys = [OTHER_KEY.public_key(), KEY.public_key()]
    assert load_model(tmp_path / "model", keys, expect=EXPECT)
    with pytest.raises(ModelRefusedError, match="0 trusted keys"):
        load_model(tmp_path / "model", [], expect=EXPECT)


def test_a_table_without_rows_is_a_table(tmp_path: Path) -> None:
    tables = {"counts": COUNTS.clear()}
    save(tmp_path / "model", manifest(PROFILE.name), tables, KEY, expect=EXPECT)
    assert loaded(tmp_path / "model").tables["counts"].equals(COUNTS.clear())


def test_a_version_is_never_written_twice(tmp_path: Path) -> None:
    saved(tmp_path / "model")
    before = loaded(tmp_path / "model").sha256
    with pytest.raises(ModelExistsError):
        saved(tmp_path / "model", PROFILE.name)
    assert loaded(tmp_path / "model").sha256 == before
    assert [*tmp_path.iterdir()] == [tmp_path / "model"]


UNSAVABLE: dict[str, tuple[Reason, pl.DataFrame]] = {
    "categories": (
        Reason.WRONG_TYPE,
        NODES.with_columns(pl.lit("a", dtype=pl.Categorical).alias("tree")),
    ),
    "times": (Reason.WRONG_TYPE, NODES.with_columns(pl.lit(START).alias("threshold"))),
    "nulls": (Reason.MISSING_VALUE, NODES.with_columns(threshold=pl.lit(None, pl.Float64))),
    "infinity": (Reason.NOT_FINITE, NODES.with_columns(threshold=pl.lit(float("inf")))),
    "tree": (Reason.BAD_TREE, NODES.with_columns(left=pl.lit(0, pl.Int32))),
    "columns": (Reason.OTHER_TABLES, NODES.drop("samples")),
}


@pytest.mark.parametrize("name", UNSAVABLE)
def test_what_would_be_refused_is_not_written(tmp_path: Path, name: str) -> None:
    reason, nodes = UNSAVABLE[name]
    with pytest.raises(ModelRefusedError) as refused:
        save(tmp_path / "model", manifest(), {"nodes": nodes}, KEY, expect=EXPECT)
    assert refused.value.reason is reason
    assert not [*tmp_path.iterdir()]


def test_a_bad_manifest_is_not_written(tmp_path: Path) -> None:
    def refused(change: Callable[[Manifest], Manifest]) -> str:
        with pytest.raises(ModelRefusedError) as caught:
            save(tmp_path / "model", change(manifest()), {"nodes": NODES}, KEY, expect=EXPECT)
        return str(caught.value)

    replace = msgspec.structs.replace
    assert "unknown-kind" in refused(lambda m: replace(m, kind="other"))
    assert "no plain name" in refused(lambda m: replace(m, version="../1"))
    assert "not finite" in refused(lambda m: replace(m, metrics={"a": float("nan")}))
    window = replace(manifest().window, end=START - timedelta(days=1))
    assert "ends before" in refused(lambda m: replace(m, window=window))
    assert not [*tmp_path.iterdir()]


def test_a_disk_that_refuses_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        saved(tmp_path / "file" / "model")
    assert [*tmp_path.iterdir()] == [tmp_path / "file"]


def test_what_this_program_lists_is_named_as_it_is_listed() -> None:
    assert {name: kind.name for name, kind in KINDS.items()} == {name: name for name in KINDS}
    assert KINDS


def test_a_key_is_for_its_owner_and_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    text = make_key(file)
    assert file.stat().st_mode & 0o777 == 0o600
    key = read_private_key(file)
    assert public_text(key.public_key()) == text
    assert parse_public(f" {text}\n").public_bytes_raw() == key.public_key().public_bytes_raw()
    before = file.read_bytes()
    with pytest.raises(FileExistsError):
        make_key(file)
    assert file.read_bytes() == before
    link = tmp_path / "link.pem"
    link.symlink_to(tmp_path / "elsewhere.pem")
    with pytest.raises(FileExistsError):
        make_key(link)
    assert not (tmp_path / "elsewhere.pem").exists()


def test_a_key_that_cannot_be_used_is_said_without_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    make_key(file)
    file.chmod(0o640)
    with pytest.raises(KeyUnusableError, match="others may read"):
        read_private_key(file)
    with pytest.raises(KeyUnusableError, match="No such file"):
        read_private_key(tmp_path / "none.pem")
    file.chmod(0o600)
    file.write_bytes(b"hunter2-planted")
    with pytest.raises(KeyUnusableError) as refused:
        read_private_key(file)
    assert "planted" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("text", ["", "ed25519:", "ed25519:AAAA", "AAAA", "rsa:" + "A" * 44])
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(KeyUnusableError):
        parse_public(text)


def test_a_new_key_is_another_key(tmp_path: Path) -> None:
    assert make_key(tmp_path / "a") != make_key(tmp_path / "b")
    assert isinstance(read_private_key(tmp_path / "a"), Ed25519PrivateKey)
