from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sinks.durable_file import (
    FOREIGN_AGE_S,
    make_folder,
    publish,
    require_links,
    sweep,
    temporary_path,
)


def test_a_file_appears_once(tmp_path: Path) -> None:
    final = tmp_path / "final"
    one, two = temporary_path(final), temporary_path(final)
    assert one != two
    one.write_text("one")
    two.write_text("two")
    assert [publish(one, final), publish(two, final)] == [True, False]
    assert final.read_text() == "one"
    assert list(tmp_path.iterdir()) == [final]


def test_a_link_whose_answer_was_lost_counts_as_made(tmp_path: Path) -> None:
    final = tmp_path / "final"
    temporary = temporary_path(final)
    temporary.write_text("one")
    os.link(temporary, final)
    assert publish(temporary, final)


def test_folders_are_made_with_their_parents(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b" / "c")
    make_folder(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c").is_dir()


def test_the_check_for_links_leaves_nothing(tmp_path: Path) -> None:
    require_links(tmp_path / "store")
    assert list((tmp_path / "store").iterdir()) == []


def test_an_own_temporary_file_is_never_swept(tmp_path: Path) -> None:
    mine = temporary_path(tmp_path / "final")
    mine.touch()
    os.utime(mine, (0, 0))
    assert sweep(tmp_path) == []


def test_what_a_dead_process_left_is_swept_and_what_a_live_one_has_is_not(
    root: Path, tmp_path: Path
) -> None:
    program = (
        "import sys; from pathlib import Path; from sinks.durable_file import temporary_path\n"
        "temporary_path(Path(sys.argv[1]) / 'final').touch(); print('made', flush=True)\n"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=root,
    ) as other:
        assert other.stdout
        assert other.stdin
        other.stdout.readline()
        assert sweep(tmp_path) == []
        other.stdin.close()
        other.wait(timeout=30)
        assert len(sweep(tmp_path)) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_process_number_given_to_another_does_not_keep_a_file(tmp_path: Path) -> None:
    mine = temporary_path(tmp_path / "final")
    *before, start, serial = mine.name.split("-")
    old = tmp_path / "-".join([*before, str(int(start) - 1), serial])
    old.touch()
    assert sweep(tmp_path) == [old]


@pytest.mark.parametrize("name", [".final.otherhost-1-2-3.tmp", ".final.odd.tmp"])
def test_a_file_of_another_host_is_swept_by_its_age(tmp_path: Path, name: str) -> None:
    foreign = tmp_path / name
    foreign.touch()
    made = foreign.stat().st_mtime
    assert sweep(tmp_path, made + FOREIGN_AGE_S - 1) == []
    assert sweep(tmp_path, made + FOREIGN_AGE_S + 1) == [foreign]


def test_what_is_no_temporary_file_is_never_swept(tmp_path: Path) -> None:
    for name in ("final", "final.tmp", ".hidden"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
    assert sweep(tmp_path) == []
