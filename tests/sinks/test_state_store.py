from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sinks.state_store import StateStore, offset_of

DATA = bytes(range(256)) * 40


@pytest.fixture
def store(tmp_path: Path) -> StateStore:
    return StateStore(tmp_path)


def test_a_snapshot_comes_back_by_its_name_and_hash(store: StateStore, tmp_path: Path) -> None:
    stored = store.save("raw", 3, 77, DATA)
    sha256 = hashlib.sha256(DATA).hexdigest()
    assert stored.sha256 == sha256
    assert stored.name == f"raw/3/00000000000000000077-{sha256[:16]}.state"
    assert (tmp_path / "state" / stored.name).read_bytes() == DATA
    assert store.load(stored.name, stored.sha256) == DATA
    assert store.load(stored.name) == DATA
    assert offset_of(stored.name) == 77


def test_the_same_snapshot_is_stored_once(store: StateStore, tmp_path: Path) -> None:
    assert store.save("raw", 3, 77, DATA) == store.save("raw", 3, 77, DATA)
    assert len(list((tmp_path / "state" / "raw" / "3").iterdir())) == 1


@pytest.mark.parametrize("damage", ["torn", "tampered", "longer", "empty", "missing", "folder"])
def test_a_snapshot_that_is_not_what_was_stored_is_none(
    store: StateStore, tmp_path: Path, damage: str
) -> None:
    stored = store.save("raw", 3, 77, DATA)
    path = tmp_path / "state" / stored.name
    path.unlink()
    contents = {
        "torn": DATA[:100],
        "tampered": DATA.replace(b"\x07", b"\x08", 1),
        "longer": DATA + b"!",
        "empty": b"",
    }
    if damage == "folder":
        path.mkdir()
    elif damage != "missing":
        path.write_bytes(contents[damage])
    assert store.load(stored.name, stored.sha256) is None
    assert store.load(stored.name) is None


def test_a_damaged_snapshot_is_replaced_when_saved_again(store: StateStore, tmp_path: Path) -> None:
    stored = store.save("raw", 3, 77, DATA)
    (tmp_path / "state" / stored.name).write_bytes(b"torn")
    assert store.save("raw", 3, 77, DATA) == stored
    assert store.load(stored.name, stored.sha256) == DATA


def test_the_whole_hash_counts_where_it_is_known(store: StateStore) -> None:
    stored = store.save("raw", 3, 77, DATA)
    assert store.load(stored.name, stored.sha256[:16] + "0" * 48) is None


@pytest.mark.parametrize("name", ["../secret-x.state", "/etc/passwd", "a/../../secret", ""])
def test_a_name_cannot_lead_out_of_the_store(store: StateStore, tmp_path: Path, name: str) -> None:
    store.save("raw", 0, 0, DATA)
    (tmp_path / "secret-x.state").write_bytes(DATA)
    assert store.load(name, hashlib.sha256(DATA).hexdigest()) is None


def test_earlier_snapshots_are_listed_newest_first(store: StateStore) -> None:
    names = [store.save("raw", 3, offset, b"%d" % offset).name for offset in (5, 1_000, 20)]
    store.save("raw", 4, 7, DATA)
    assert store.earlier("raw", 3, 1_000) == [names[2], names[0]]
    assert store.earlier("raw", 3, 10**19) == [names[1], names[2], names[0]]
    assert store.earlier("raw", 9, 10**19) == []


def test_prune_keeps_the_newest(store: StateStore) -> None:
    names = [store.save("raw", 3, offset, DATA).name for offset in range(5)]
    assert store.prune("raw", 3, 2) == names[:3]
    assert store.earlier("raw", 3, 99) == [names[4], names[3]]
    assert store.prune("raw", 3, 0) == [names[3]]
    assert store.prune("raw", 8, 1) == []


def test_files_that_are_no_snapshots_are_left_alone(store: StateStore, tmp_path: Path) -> None:
    stored = store.save("raw", 3, 77, DATA)
    for name in ("notes.txt", "1-2.state", "x" * 20 + "-" + "0" * 16 + ".state"):
        (tmp_path / "state" / "raw" / "3" / name).touch()
    assert store.earlier("raw", 3, 99) == [stored.name]
    assert store.prune("raw", 3, 1) == []


def test_a_full_disk_keeps_what_was_there_and_leaves_no_rest(small_disk: Path) -> None:
    store = StateStore(small_disk)
    kept = store.save("raw", 3, 1, DATA)
    with pytest.raises(OSError, match="No space") as refused:
        store.save("raw", 3, 2, DATA * 20)
    assert refused.value.errno == errno.ENOSPC
    assert [p.name for p in (small_disk / "state" / "raw" / "3").iterdir()] == [
        kept.name.rsplit("/", 1)[-1]
    ]
    assert store.load(kept.name, kept.sha256) == DATA
    assert store.save("raw", 3, 2, DATA).name


_PROGRAM = """
import sys
from pathlib import Path
from sinks.state_store import StateStore
StateStore(Path(sys.argv[1])).save("raw", 3, 1, b"state")
"""


@pytest.mark.parametrize(
    "fault", ["fsync:error=EIO", "?link,?linkat:error=EIO", "?link,?linkat:signal=KILL"]
)
def test_a_disk_or_process_that_breaks_leaves_no_snapshot(
    root: Path, tmp_path: Path, fault: str
) -> None:
    strace = shutil.which("strace")
    if not strace:
        pytest.skip("needs strace")
    command = [strace, "-f", "-qq", "-o", os.devnull, "-e", f"inject={fault}"]
    done = subprocess.run(
        [*command, sys.executable, "-c", _PROGRAM, str(tmp_path)],
        capture_output=True,
        check=False,
        cwd=root,
        timeout=60,
    )
    assert done.returncode != 0
    store = StateStore(tmp_path)
    assert store.earlier("raw", 3, 99) == []
    stored = store.save("raw", 3, 1, b"state")
    assert store.load(stored.name, stored.sha256) == b"state"
    assert len(list((tmp_path / "state" / "raw" / "3").iterdir())) == 1
