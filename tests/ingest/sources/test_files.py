from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.sources.files import find_files, is_log_name

NOBODY = 65_534


def messages(paths: list[str]) -> dict[str, str]:
    return {problem.path: problem.message for problem in find_files(paths).problems}


@pytest.mark.parametrize(
    "name",
    [
        "audit.log",
        "audit.log.gz",
        "audit.json.zst",
        "audit-2026-11-21T10-00-00.000.log",
        "audit-2026-11-21T10-00-00.000.log.gz",
        "audit.log.1",
        "audit.log.12.gz",
        "audit.log-20261121",
        "audit.log-20261121.gz",
        "AUDIT.LOG",
        "events.ndjson",
        "notes.txt",
        "wtmp",
        "btmp.1",
        "btmp-20261121.gz",
        "messages-20261121",
        "secure",
        "syslog.2.gz",
        "auth.log.1",
    ],
)
def test_logs_are_told_by_name(name: str) -> None:
    assert is_log_name(f"/var/log/{name}")


@pytest.mark.parametrize(
    "name",
    [
        "audit",
        "audit.log.bak",
        "audit.gz",
        "policy.yaml",
        "log",
        "a.log.",
        "a.1",
        "20261121",
        "lastlog",
        "my-messages",
        "secure.bak",
        "syslog/x",
    ],
)
def test_other_names_are_no_logs(name: str) -> None:
    assert not is_log_name(f"/var/log/{name}")


def test_a_folder_is_searched_in_the_order_of_names(tmp_path: Path) -> None:
    for name in ("b.log", "a/z.json", "a/c/y.ndjson", "a/skipped.yaml", "c.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = find_files([str(tmp_path)])
    names = [str(Path(path).relative_to(tmp_path)) for path in found.files]
    assert names == ["a/c/y.ndjson", "a/z.json", "b.log", "c.txt"]
    assert found.problems == []


def test_a_named_file_is_read_whatever_its_name_and_order_is_kept(tmp_path: Path) -> None:
    (tmp_path / "b.weird").touch()
    (tmp_path / "a").touch()
    paths = [str(tmp_path / "b.weird"), "-", str(tmp_path / "a")]
    assert find_files(paths).files == paths


def test_a_missing_path_is_a_problem_in_words(tmp_path: Path) -> None:
    (tmp_path / "there.log").touch()
    found = find_files([str(tmp_path / "gone.log"), str(tmp_path / "there.log")])
    assert found.files == [str(tmp_path / "there.log")]
    assert [(p.path, p.message) for p in found.problems] == [
        (str(tmp_path / "gone.log"), "does not exist")
    ]


def test_the_same_file_is_read_once_and_a_copy_is_another_file(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("x")
    shutil.copy(tmp_path / "a.log", tmp_path / "copy.log")
    (tmp_path / "link.log").symlink_to("a.log")
    (tmp_path / "sub").symlink_to(".")
    given = [tmp_path / "a.log", tmp_path / "." / "a.log", tmp_path / "link.log", tmp_path]
    found = find_files([*map(str, given), "-", "-"])
    assert found.files == [str(tmp_path / "a.log"), str(tmp_path / "copy.log"), "-"]
    assert found.problems == []


def test_links_that_lead_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "x.log").touch()
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path / "a")
    (tmp_path / "self.log").symlink_to("self.log")
    found = find_files([str(tmp_path)])
    assert found.files == [str(tmp_path / "a/b/x.log")]
    assert [(p.path, p.message) for p in found.problems] == [
        (str(tmp_path / "self.log"), "is a link that leads back to itself")
    ]


def test_a_broken_link_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "broken.log").symlink_to("nowhere")
    assert messages([str(tmp_path)]) == {
        str(tmp_path / "broken.log"): "is a link to something that does not exist"
    }


def test_a_pipe_or_socket_in_a_folder_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.log")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.log"))
        assert messages([str(tmp_path)]) == {
            str(tmp_path / "pipe.log"): "is a named pipe and was not read",
            str(tmp_path / "s.log"): "is a socket and was not read",
        }


def test_a_pipe_that_a_person_names_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "63")
    found = find_files([str(tmp_path / "63")])
    assert found.files == [str(tmp_path / "63")]


def test_folders_may_be_nested_deeper_than_calls(tmp_path: Path) -> None:
    deep = str(tmp_path) + "/d" * 700
    os.makedirs(deep)  # noqa: PTH103 - pathlib's recurses once more than Python lets it
    Path(deep, "x.log").touch()
    assert find_files([str(tmp_path)]).files == [f"{deep}/x.log"]


def test_a_name_that_is_not_utf_8_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"a\xff.log")).touch()
    problems = find_files([str(tmp_path)]).problems
    assert [p.path for p in problems] == [f"{tmp_path}/a\\udcff.log"]
    problems[0].path.encode()


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """Return a folder that everybody may enter: pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def as_nobody(code: str, *arguments: str) -> object:
    """Run code as a user whom permission bits bind, even where the tests run as root."""
    prelude = f"import os\nif os.geteuid() == 0: os.seteuid({NOBODY})\n"
    done = subprocess.run(
        [sys.executable, "-c", f"import json, sys\n{code.replace('#NOBODY', prelude)}", *arguments],
        capture_output=True,
        check=True,
        text=True,
    )
    return json.loads(done.stdout)


def test_a_folder_that_may_not_be_read_does_not_cost_the_others(public_folder: Path) -> None:
    for name in ("a", "closed", "z"):
        (public_folder / name).mkdir()
        (public_folder / name / "x.log").touch()
    (public_folder / "closed").chmod(0)
    found = as_nobody(
        "from ingest.sources.files import find_files\n#NOBODY\n"
        "found = find_files(sys.argv[1:])\n"
        "print(json.dumps([found.files, [[p.path, p.message] for p in found.problems]]))",
        str(public_folder),
    )
    assert found == [
        [str(public_folder / "a/x.log"), str(public_folder / "z/x.log")],
        [[str(public_folder / "closed"), "may not be read: permission denied"]],
    ]


def test_a_file_that_may_not_be_read_is_a_problem_when_it_is_opened(public_folder: Path) -> None:
    (public_folder / "x.log").write_text("{}")
    (public_folder / "x.log").chmod(0)
    found = as_nobody(
        "from ingest.sources.read import read_records\n#NOBODY\n"
        "chunks = list(read_records(sys.argv[1]))\n"
        "print(json.dumps([[p.path, p.message] for c in chunks for p in c.problems]))",
        str(public_folder / "x.log"),
    )
    assert found == [[str(public_folder / "x.log"), "cannot be read: Permission denied"]]
