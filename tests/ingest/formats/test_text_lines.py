from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.container_line import container_line
from ingest.formats.text_lines import FIRST_BYTES, HEAD_BYTES, is_text_record

RECORDS = [
    b"type=SYSCALL msg=audit(1490137971.011:50406): arch=c000003e syscall=59 success=yes",
    b"type=UNKNOWN[1327] msg=audit(1490137971.011:50406): proctitle=6C73",
    b'node=web-1.example.com type=CWD msg=audit(1490137971.011:50406): cwd="/"',
    b"<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
    b"Oct 11 22:14:15 mymachine su[230]: 'su root' failed for lonvick on /dev/pts/8",
    b"Oct  1 02:14:15 mymachine sshd[1]: Accepted publickey for root",
    b"<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time",
    b"<34>1 - mymachine su - ID47 - 'su root' failed",
    b"<86>2026-11-21T10:00:00.123456+01:00 node-1 sshd[812]: Connection closed",
    b"2026-11-21T10:00:00.123456+01:00 node-1 sshd[812]: Accepted password for alice",
    b"2026-11-21T10:00:00+0100 node-1.example.com sudo: alice : TTY=pts/0",
    b"2026-11-21T10:00:00Z 2001:db8::1 CRON[9]: (root) CMD (x)",
    b"2026-11-21T10:00:00.123456+01:00 sshd[812]: Accepted password for alice",
    b"2026-11-21T10:00:00Z node-1 last message repeated 3 times",
    b"Oct 11 2026 22:14:15 mymachine su: x",
    b"Oct  1 2026 22:14:15: mymachine su: x",
    b"2026 Oct 11 22:14:15 mymachine su: x",
    b"Oct 1 02:14:15 mymachine sshd[1]: Accepted publickey for root",
    b"Oct 11 22:14:15.123456 mymachine sshd[1]: Accepted publickey for root",
    b"<38>Oct 1 22:14:15.123 mymachine su: x",
    b"<38>2026 Oct  1 22:14:15 mymachine su: x",
    b"99 <38>Oct  1 22:14:15 mymachine su: x",
    b"123 <165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - x",
    b'time="2026-11-21T10:00:00Z" level=info msg="access granted" arn="arn:aws:iam::1:user/a"',
    b'time="2026-11-21T10:00:00Z" level=warning msg="access denied" client="[::1]:502"',
    b'time="2026-11-21T10:00:00Z" level=warning msg="access denied because ARN is not mapped"',
    b'time="2026-11-21T10:00:00Z" level=info msg="STS response" accesskeyid=ASIA accountid=1',
    b'2026-11-21T10:00:00.719Z time="2026-11-21T10:00:00Z" level=info msg="access granted" arn=x',
    b'2026-11-21T10:00:00.719Z {"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata"',
    b'node-1.example.com {"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata"',
    b'web-1 {"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata"',
    b'2026-11-21 10:00:00.123456789 +0000 UTC k8s.io /tasks/start {"container_id":"a","pid":7}',
    b'2026-11-21T10:00:00.123456789Z stdout F {"kind":"Event"}',
    b'2026-11-21T10:00:00.123456789Z stderr P [{"kind":"Event"',
    b'2026-11-21T10:00:00.123456789Z stdout F type=CWD msg=audit(1490137971.011:50406): cwd="/"',
]

OTHERS = [
    b"",
    b"type=SYSCALL",
    b"type=info msg=started",
    b"type=" + b"X" * 100 + b" msg=audit(1.2:3): a=b",
    b'node=x msg=audit(1490137971.011:50406): cwd="/"',
    b"node=" + b"x" * 400 + b" type=CWD msg=audit(1.2:3): a=b",
    b" type=SYSCALL msg=audit(1490137971.011:50406): arch=c000003e",
    b"I1121 10:46:06.669527       1 trace.go:236] Trace[1]: {stuff} (total time: 510ms)",
    b"F1121 10:46:06.669527       1 trace.go:236] Fatal",
    b"March 3rd was a long day in the shop",
    b"Mar  3 was a long day: in the shop",
    b"Oct 11 22:14:15",
    b"<html><body>",
    b"Oct 11 22:14:15x mymachine su: x",
    b"Oct 11 22:14:15. mymachine su: x",
    b"Oct 11 20 22:14:15 mymachine su: x",
    b"Oct 111 22:14:15 mymachine su: x",
    b"Oct 11 2026 in the shop: a long day",
    b"2026 was a long year",
    b"2026 March 3rd: a long day",
    b"99 <html><body>",
    b"99 bottles <38>Oct  1 22:14:15 mymachine su: x",
    b"2026-11-21T10:00:00Z INFO: starting the shop",
    b"2026-11-21T10:00:00Z [main]: starting the shop",
    b"<6>[    0.000000] Linux version 6.8",
    b"<1234>Oct 11 22:14:15 mymachine su: x",
    b"<>Oct 11 22:14:15 mymachine su: x",
    b"2026-11-21T10:00:00.123Z INFO starting the shop",
    b"2026-11-21T10:00:00.123Z level=info msg: started",
    b"2026-11-21T10:00:00Z",
    b"2026-11-21 10:00:00 [main] INFO Application - {}",
    b"2026-11-21 10:00:00.1 +0000 UTC k8s.io tasks/start {}",
    b"2026-11-21T10:00:00.123456789Z stdout F listening on :8080",
    b"2026-11-21T10:00:00.123456789Z stdout F [GIN] 200",
    b"2026-11-21T10:00:00.123456789Z stdout P ",
    b"2026-11-21T10:00:00.123456789Z stdout X {}",
    b"2026-11-21T10:00:00.123456789Z stdlog F {}",
    b"12345678901234567890",
    b'time="2026-11-21T10:00:00Z" msg=x',
    b'time="2026-11-21T10:00:00Z" level=info msg="starting containerd" revision=a version=1.7',
    b'time="2026-11-21T10:00:00Z" level=info msg=started arn=x',
    b'time="2026-11-21T10:00:00Z" level=info msg="x" y=" msg=\\"access granted\\""',
    b'2026-11-21T10:00:00.719Z time="2026-11-21T10:00:00Z" level=info msg="starting"',
    b'node-1 {"kind":"Event","apiVersion":"v1"',
    b'two words {"kind":"Event","apiVersion":"audit.k8s.io/v1"',
    b"n" * 300 + b' {"kind":"Event","apiVersion":"audit.k8s.io/v1"',
    b"Nov\n21 10:00:00 a b: c",
]


@pytest.mark.parametrize("line", RECORDS)
def test_a_line_of_a_known_format_is_a_record(line: bytes) -> None:
    assert is_text_record(line)
    assert is_text_record(line + b" " + b"x" * 100_000)


@pytest.mark.parametrize("line", OTHERS)
def test_other_lines_are_none(line: bytes) -> None:
    assert not is_text_record(line)


@pytest.mark.parametrize("line", RECORDS)
def test_the_head_of_a_line_decides(line: bytes) -> None:
    long = line + b"x" * HEAD_BYTES
    assert is_text_record(long[:HEAD_BYTES])


@given(st.binary(max_size=80))
def test_only_the_first_bytes_given_begin_a_record_and_nothing_raises(line: bytes) -> None:
    if is_text_record(line):
        assert line[0] in FIRST_BYTES
    for record in RECORDS:
        is_text_record(record[: len(line)] + line)


def test_a_line_of_a_container_says_its_stream_and_whether_more_follows() -> None:
    line = b"2026-11-21T10:00:00.1Z stderr P:x some  content "
    inside = container_line(line)
    assert inside is not None
    assert (inside.stream, inside.is_part) == (b"stderr", True)
    assert line[inside.place :] == b"some  content "
    whole = container_line(b"2026-11-21T10:00:00.1Z stdout F ")
    assert whole is not None
    assert not whole.is_part
    assert container_line(b"2026-11-21T10:00:00.1Z stdout F") is None
