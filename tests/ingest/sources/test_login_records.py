from __future__ import annotations

import gzip
import os
import struct
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import orjson
import pytest

from ingest.record import InputProblem, Reason, Records
from ingest.sources.login_records import frame_logins, login_layout
from ingest.sources.read import read_records

TIME_S = 1_795_254_368
LAYOUTS = {
    "x86_64": ("<", "iIi", 0),
    "aarch64": ("<", "qqq", 4),
    "s390x": (">", "qqq", 4),
    "ppc": (">", "iIi", 0),
}


def entry(kind: int = 7, machine: str = "x86_64", **members: Any) -> bytes:
    order, times, padding = LAYOUTS[machine]
    address = members.get("address")
    return struct.pack(
        f"{order}hxxi32s4s32s256shh{times}16s20s{padding}x",
        kind,
        members.get("pid", 4242),
        members.get("line", b"pts/0"),
        members.get("id", b"ts/0"),
        members.get("user", b"jane"),
        members.get("host", b"peer.example.com"),
        members.get("termination", 0),
        members.get("exit", 0),
        members.get("session", 7),
        members.get("time_s", TIME_S),
        members.get("micros", 594_628),
        ip_address(address).packed if address else b"",
        members.get("reserved", b""),
    )


def read(tmp_path: Path, data: bytes, name: str = "wtmp") -> list[Records]:
    path = tmp_path / name
    path.write_bytes(data)
    return list(read_records(str(path)))


def said(chunks: list[Records]) -> list[dict[str, Any]]:
    return [orjson.loads(raw) for chunk in chunks for raw in chunk.raws]


def refused(chunks: list[Records]) -> list[tuple[Reason, int, int]]:
    return [(one.reason, one.offset, one.size_bytes) for chunk in chunks for one in chunk.refused]


@pytest.mark.parametrize("machine", LAYOUTS)
def test_entries_of_every_machine_say_the_same(tmp_path: Path, machine: str) -> None:
    data = entry(machine=machine, address="203.0.113.7") + entry(8, machine, user=b"", exit=3)
    (chunk,) = read(tmp_path, data)
    assert chunk.offsets == [0, len(data) // 2]
    assert said([chunk]) == [
        {
            "trailwarden": "login-record",
            "file": "wtmp",
            "type": 7,
            "pid": 4242,
            "time_us": TIME_S * 1_000_000 + 594_628,
            "line": "pts/0",
            "id": "ts/0",
            "user": "jane",
            "host": "peer.example.com",
            "session": 7,
            "address": "203.0.113.7",
        },
        {
            "trailwarden": "login-record",
            "file": "wtmp",
            "type": 8,
            "pid": 4242,
            "time_us": TIME_S * 1_000_000 + 594_628,
            "line": "pts/0",
            "id": "ts/0",
            "host": "peer.example.com",
            "session": 7,
            "exit": 3,
        },
    ]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("wtmp", "wtmp"),
        ("wtmp.1", "wtmp"),
        ("node-1-btmp-20261121", "btmp"),
        ("BTMP", "btmp"),
        ("utmp", "utmp"),
        ("copy.bin", "unknown"),
    ],
)
def test_the_name_alone_says_which_file_it_is(tmp_path: Path, name: str, kind: str) -> None:
    (record,) = said(read(tmp_path, entry(), name))
    assert record["file"] == kind


def test_a_packed_file_is_read_like_another(tmp_path: Path) -> None:
    data = b"".join(entry(pid=number) for number in range(1_200))
    plain, packed = read(tmp_path, data), read(tmp_path, gzip.compress(data), "btmp.2.gz")
    assert [record["pid"] for record in said(plain)] == list(range(1_200))
    assert [record["pid"] for record in said(packed)] == list(range(1_200))
    assert {record["file"] for record in said(packed)} == {"btmp"}
    assert max(len(chunk.raws) for chunk in plain) <= 500


@pytest.mark.parametrize("size", [1, 383, 385, 1_000])
def test_entries_do_not_depend_on_how_the_stream_is_cut(size: int) -> None:
    data = b"".join(entry(pid=number) for number in range(9)) + b"half"
    layout = login_layout(data, "wtmp")
    assert layout is not None
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    whole = list(frame_logins("wtmp", [data], layout))
    cut = list(frame_logins("wtmp", chunks, layout))
    assert said(cut) == said(whole)
    assert refused(cut) == refused(whole) == [(Reason.TRUNCATED, 9 * 384, 4)]


def test_wiped_entries_are_told_of(tmp_path: Path) -> None:
    data = entry(pid=1) + bytes(384 * 3) + entry(pid=2) + bytes(384)
    (chunk,) = read(tmp_path, data)
    erased = [(one.get("erased"), one["time_us"]) for one in said([chunk])]
    time_us = TIME_S * 1_000_000 + 594_628
    assert erased == [(None, time_us), (3, time_us), (None, time_us), (1, time_us)]
    assert chunk.offsets == [0, 384, 384 * 4, 384 * 5]


def test_a_file_that_was_wiped_altogether_is_told_of_by_its_name_alone(tmp_path: Path) -> None:
    (record,) = said(read(tmp_path, bytes(384 * 40), "wtmp"))
    assert (record["erased"], record["time_us"]) == (40, None)
    assert said(read(tmp_path, bytes(384 * 40), "disk.log")) == []


def test_an_entry_that_cannot_be_one_is_refused_alone(tmp_path: Path) -> None:
    bad = (entry(300), entry(micros=2_000_000), entry(-1))
    data = entry() * 5 + b"".join(bad) + entry()
    chunks = read(tmp_path, data)
    assert len(said(chunks)) == 6
    assert refused(chunks) == [(Reason.NOT_AN_EVENT, 384 * number, 384) for number in (5, 6, 7)]


def test_whoever_fails_to_log_in_cannot_hide_by_what_they_call_themselves(tmp_path: Path) -> None:
    names = [b"\x16\x03\x01", b"\xff\xfe", b'","type":2,"user":"', b"a\nb", b"x" * 32, b"\x00root"]
    chunks = read(tmp_path, b"".join(entry(6, user=name) for name in names), "btmp")
    assert refused(chunks) == []
    assert [record.get("user") for record in said(chunks)] == [
        "\x16\x03\x01",
        "\\xff\\xfe",
        '","type":2,"user":"',
        "a\nb",
        "x" * 32,
        None,
    ]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        (None, None),
    ],
)
def test_addresses(tmp_path: Path, address: str | None, expected: str | None) -> None:
    (record,) = said(read(tmp_path, entry(address=address)))
    assert record.get("address") == expected


def test_times_after_2038_are_read(tmp_path: Path) -> None:
    (record,) = said(read(tmp_path, entry(time_s=2**31 + 5)))
    assert record["time_us"] == (2**31 + 5) * 1_000_000 + 594_628


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("lastlog", entry() * 4),
        ("lastlog", bytes(292 * 20)),
        ("x.bin", struct.pack("<i32s256s", TIME_S, b"pts/0", b"host") * 8),
        ("wtmp", struct.pack("<i32s256s", TIME_S, b"pts/0", b"host") * 8),
        ("wtmp", entry()[:383]),
        ("wtmp", b""),
        ("wtmp", b'{"kind":"Event"}\n' * 40),
        ("wtmp", b"Nov 21 10:00:00 node-1 sshd[1]: text\n" * 40),
        ("x.bin", entry(time_s=5) * 4),
        ("x.bin", entry(reserved=b"more") * 4),
        ("x.bin", b"\x7fELF\x02\x01\x01" + bytes(3_000)),
    ],
)
def test_other_files_are_no_login_files(name: str, head: bytes) -> None:
    assert login_layout(head, f"/var/log/{name}") is None


def test_a_lastlog_is_refused_as_what_is_no_text(tmp_path: Path) -> None:
    chunks = read(tmp_path, bytes(292) * 3 + struct.pack("<i288s", TIME_S, b"pts/0"), "lastlog")
    assert said(chunks) == []
    assert [reason for reason, _, _ in refused(chunks)] == [Reason.NOT_JSON]


def test_problems_of_a_stream_are_handed_on() -> None:
    layout = login_layout(entry(), "wtmp")
    assert layout is not None
    problem = InputProblem("wtmp", "damaged")
    chunks = list(frame_logins("wtmp", [entry(), problem], layout))
    assert [len(chunk.raws) for chunk in chunks] == [1]
    assert chunks[0].problems == [problem]


def test_a_files_records_know_when_it_was_last_written(tmp_path: Path) -> None:
    for name, data in (("wtmp", entry() * 2), ("a.log", b'{"a":1}\n{"a":2}\n')):
        (tmp_path / name).write_bytes(data)
        os.utime(tmp_path / name, (TIME_S, TIME_S))
        (chunk,) = read_records(str(tmp_path / name))
        assert [instant.timestamp() for instant in chunk.received] == [TIME_S] * 2
