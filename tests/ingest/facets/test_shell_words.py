from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.facets.shell_words import MAX_WORDS, base_name, simple_commands, split_commands

KNOWN = frozenset({"tool"})


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("a b  c", [["a", "b", "c"]]),
        ("a; b & c && d || e | f\ng", [["a"], ["b"], ["c"], ["d"], ["e"], ["f"], ["g"]]),
        ("(a b) `c`", [["a", "b"], ["c"]]),
        ("x $(a b)", [["x", "$"], ["a", "b"]]),
        ("'a b' \"c 'd'\" e''f ''", [["a b", "c 'd'", "ef", ""]]),
        (r"""a\ b 'c\' "d\"e" f\
g""", [["a b", "c\\", 'd"e', "fg"]]),
        ("a >f 2>&1 <in >>out >|x &>y b", [["a"], ["b"]]),
        ("a 2>f b 3 >g", [["a", "b", "3"]]),
        ("a >'f g' b", [["a", "b"]]),
        ("a # b; c\nd#e", [["a"], ["d#e"]]),
        ("a${IFS}b$IFS'c'", [["a", "b", "c"]]),
        ("a 'never closed; b", [["a"]]),
        ("", []),
        (";;&&", []),
    ],
)  # fmt: skip
def test_a_text_is_split_as_a_shell_does(text: str, commands: list[list[str]]) -> None:
    closed = "never" not in text

    assert split_commands(text) == (commands if closed else [["a", "never closed; b"]])


@pytest.mark.parametrize(
    "args",
    [
        ["tool", "x"],
        ["sudo", "-u", "ann", "-E", "--", "tool", "x"],
        ["sudo", "-iu", "ann", "tool", "x"],
        ["/usr/bin/env", "-i", "A=b", "C=", "tool", "x"],
        ["env", "-S", "tool x"],
        ["timeout", "-k", "9", "5", "tool", "x"],
        ["nice", "-n10", "tool", "x"],
        ["nohup", "setsid", "stdbuf", "-oL", "tool", "x"],
        ["chroot", "/host", "tool", "x"],
        ["nsenter", "-t", "1", "-m", "-u", "--", "tool", "x"],
        ["busybox", "timeout", "5", "tool", "x"],
        ["busybox", "sh", "-c", "tool x"],
        ["/bin/bash", "-euo", "pipefail", "-lc", "tool x"],
        ["sh", "-c", "other", "y", "&&", "tool", "x"],  # as sensors write it that keep no quotes
        ["sh", "-c", "A=b exec tool x >log"],
        ["sh", "-c", "if true; then tool x; fi"],
        ["sh", "-c", "sh -c 'bash -c \"tool x\"'"],
        ["sh", "-c", "eval to'o'l x"],
        ["su", "-", "ann", "-c", "tool x"],
        ["runuser", "-u", "ann", "--", "tool", "x"],
        ["flock", "/lock", "tool", "x"],
        ["flock", "/lock", "-c", "tool x"],
        ["script", "--command=tool x"],
        ["sh", "-x", "/usr/bin/tool", "x"],
        ["python3.12", "-W", "error", "-I", "/usr/bin/tool3", "x"],
        ["python3", "-Im", "tool", "x"],
        ["python3", "-mtool", "x"],
        ["sh", "-c", "python3 -mtool x"],
        ["/lib64/ld-linux-x86-64.so.2", "--library-path", "/lib", "/usr/bin/tool", "x"],
    ],
    ids=" ".join,
)
def test_wrappers_are_taken_off(args: list[str]) -> None:
    found = [[base_name(words[0]), *words[1:]] for words in simple_commands(args, KNOWN)]

    assert ["tool", "x"] in found


@pytest.mark.parametrize(
    "args",
    [
        [],
        [""],
        ["sudo"],
        ["sudo", "-u"],
        ["env", "A=b"],
        ["timeout", "5"],
        ["sh", "-c"],
        ["sh", "-c", "other x"],
        ["sh"],
        ["python3", "-c", "tool x"],
        ["python3", "-m"],
        ["echo", "tool", "x"],
        ["su", "-c"],
        ["eval"],
    ],
    ids=" ".join,
)
def test_what_runs_nothing_known_names_nothing(args: list[str]) -> None:
    commands = list(simple_commands(args, KNOWN))

    assert not [words for words in commands if base_name(words[0]) == "tool"]


def test_wrappers_inside_one_another_are_followed_so_far_only() -> None:
    assert list(simple_commands([*["sudo"] * 5, "tool"], KNOWN)) == [["tool"]]
    assert list(simple_commands([*["sudo"] * 50, "tool"], KNOWN)) == []


def test_a_command_is_cut_at_a_number_of_words() -> None:
    (words,) = simple_commands(["tool"] * 2_000, KNOWN)
    (of_text,) = split_commands("tool " * 2_000)

    assert len(words) == len(of_text) == MAX_WORDS


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("/usr/bin/pip3.11", "pip"),
        ("python3", "python"),
        ("./x", "x"),
        ("7", "7"),
        ("/", ""),
        ("", ""),
    ],
)
def test_the_name_of_a_program_has_no_folder_and_no_version(word: str, name: str) -> None:
    assert base_name(word) == name


@given(st.lists(st.text(max_size=8) | st.sampled_from(["sh", "-c", "sudo", "tool", "-", "--"])))
def test_any_words_are_read(args: list[str]) -> None:
    for words in simple_commands(args, KNOWN):
        assert words


@given(st.text(alphabet="ab '\"\\;&|()<>#\n$`2", max_size=40))
def test_any_text_is_split_into_commands_that_are_not_empty(text: str) -> None:
    assert all(split_commands(text))
