"""F9: full disks, Elasticsearch's and ours, are waited out; the worker then goes on by itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.fleet import Worker, wait_for
from tests.faults.harness import Harness, harness
from worker.partition import Partition

pytestmark = [pytest.mark.integration, pytest.mark.chaos]

DISK_MB = 48
FILLER = ".filler.tmp"
_BLOCK = 1 << 16


def set_flood_block(world: Harness, value: bool | None) -> None:
    """Block writes as Elasticsearch does when its disk is full, or lift the block."""
    world.client.indices.put_settings(
        index=f"{world.settings.elasticsearch.prefix}-*",
        settings={"index.blocks.read_only_allow_delete": value},
    )


def test_a_flood_block_is_waited_out(tmp_path: Path, kafka: str, elasticsearch_url: str) -> None:
    with harness(tmp_path, kafka, elasticsearch_url) as world, world.fleet() as fleet:
        with world.generator(1_000) as generator:
            worker = fleet.start("one")
            worker.until(Worker.in_flight, "records are taken")
            for _ in range(2):
                waits = len(worker.lines("waiting"))
                set_flood_block(world, value=True)
                worker.until(lambda one: len(one.lines("waiting")) > waits, "it waits")  # noqa: B023
                assert worker.status("healthz") == 200
                set_flood_block(world, value=None)
                worker.until(lambda one: one.status("readyz") == 200, "it goes on")
        world.drain(fleet)
        fleet.stop_all()
        world.judge(generator)
    assert not fleet.deaths


@contextmanager
def disk(folder: Path) -> Iterator[Path]:
    """Give a disk of its own to a folder."""
    if os.geteuid() != 0:
        pytest.skip("needs root: mounts a small tmpfs")
    folder.mkdir(parents=True)
    command = ["/bin/mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"tmpfs cannot be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["/bin/umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Take all room that a disk has."""
    with (folder / FILLER).open("ab", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(_BLOCK))
        except OSError:
            pass


@pytest.mark.parametrize(
    ("part", "logged"), [("archive", "start-over"), ("state", "snapshot-failed")]
)
def test_a_full_disk_of_ours_is_waited_out(
    tmp_path: Path, kafka: str, elasticsearch_url: str, part: str, logged: str
) -> None:
    with (
        disk(tmp_path / "store" / part) as full,
        harness(tmp_path, kafka, elasticsearch_url) as world,
        world.fleet() as fleet,
    ):
        with world.generator(1_000) as generator:
            worker = fleet.start("one")
            worker.until(Worker.in_flight, "records are taken")
            for _ in range(2):
                before = len(worker.lines(logged))
                fill(full)
                worker.until(lambda one: len(one.lines(logged)) > before, logged)  # noqa: B023
                assert worker.status("healthz") == 200
                (full / FILLER).unlink()
                done = sum(world.committed().values())
                wait_for(lambda: sum(world.committed().values()) > done, 180, "progress")  # noqa: B023
            # Not at the stop: what is committed and unchanged since leaves none behind.
            wait_for(lambda: snapshots(world), 180, "a snapshot while records come")
        world.drain(fleet)
        fleet.stop_all()
        assert_snapshots_whole(world)
        world.judge(generator)
        assert not fleet.deaths


def snapshots(world: Harness) -> list[Path]:
    """Return the snapshots that were published."""
    folder = world.settings.store.folder / "state"
    return [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".tmp")]


def assert_snapshots_whole(world: Harness) -> None:
    """Each snapshot that is there can be restored: none is torn."""
    for path in snapshots(world):
        assert Partition(0, 0, 0, 0).restore(path.read_bytes()), path
