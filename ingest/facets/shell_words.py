"""A command of a process becomes the simple commands that it runs, whatever they are wrapped in.

Separate from the package facet because ``sudo``, ``env``, ``timeout`` and ``sh -c`` are no matter
of package managers. Only what is written is looked at: nothing is run, expanded or looked up.
Source of the grammar: POSIX.1-2017, Shell Command Language, 2.2 to 2.10; of the options: the manual
pages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

MAX_TEXT: Final = 16_384
"""Characters of one shell text that are looked at."""

MAX_WORDS: Final = 512
"""Of one command; those behind are left out."""

_MAX_DEPTH: Final = 6
"""Wrappers and shells inside one another, each counted."""

_SHELLS: Final = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "rbash"})
_INTERPRETERS: Final = frozenset({"python", "pypy", "node", "nodejs", "ruby", "perl"})
_WITH_VALUE: Final = frozenset({"-W", "-X", "-r", "--library-path", "--require"})
"""Options of interpreters, and of the loader, whose value is a word of its own."""

_KEYWORDS: Final = frozenset({"then", "do", "else", "elif", "if", "while", "until", "!", "{"})
_DIGITS: Final = "0123456789."

_WRAPPERS: Final = {
    name: (frozenset(options.split()), operands)
    for name, options, operands in (
        ("sudo", "-u -g -h -p -C -r -t -T -D -R -U --user --group --host --chdir --chroot", 0),
        ("doas", "-u -C", 0),
        ("runuser", "-u -g -G --user --group", 0),
        ("env", "-u --unset -C --chdir", 0),
        ("nohup", "", 0),
        ("setsid", "", 0),
        ("time", "-f -o --format --output", 0),
        ("command", "", 0),
        ("builtin", "", 0),
        ("exec", "-a", 0),
        ("eatmydata", "", 0),
        ("fakeroot", "", 0),
        ("stdbuf", "-i -o -e --input --output --error", 0),
        ("nice", "-n --adjustment", 0),
        ("ionice", "-c -n --class --classdata", 0),
        ("chrt", "", 1),
        ("taskset", "", 1),
        ("timeout", "-s -k --signal --kill-after", 1),
        ("chroot", "--userspec --groups", 1),
        ("nsenter", "-t --target -S --setuid -G --setgid", 0),
        ("unshare", "-S --setuid -G --setgid -R --root -w --wd", 0),
        ("setpriv", "--reuid --regid --groups --inh-caps --bounding-set", 0),
        ("xargs", "-I -n -P -L -d -a -E -s --max-args --max-procs --delimiter --arg-file", 0),
        ("flock", "-w --timeout -E", 1),
        ("tini", "-p", 0),
        ("dumb-init", "-r", 0),
        ("strace", "-e -o -p -s -u", 0),
        ("busybox", "", 0),
        ("toybox", "", 0),
    )
}
"""Programs that run the command behind them: their options that take the next word, and how many
words stand between the options and the command."""

_GIVE_TEXT: Final = frozenset({"su", "runuser", "script", "flock"})
"""Programs that give the value of ``-c`` to a shell."""

_BARE: Final = str.maketrans(
    dict.fromkeys("'\"\\", "") | dict.fromkeys(";&|()\n`<>{}=", " ")  # what hides words
)


def base_name(word: str) -> str:
    """Return the program that a word names: without folder and version, as of ``/bin/pip3.11``."""
    name = word.rpartition("/")[2]
    return name.rstrip(_DIGITS) or name


def simple_commands(args: Sequence[str], wanted: Collection[str]) -> Iterator[list[str]]:
    """Yield the simple commands in ``args``, each as its words, the program first.

    Parameters
        args: the words of a process, the program first.
        wanted: names, as `base_name` gives them, of the programs that the caller knows. Texts of
            shells that name none of them are passed over: looking for names costs a tenth of
            taking a text apart.
    """
    return _within(list(args[:MAX_WORDS]), wanted, _MAX_DEPTH)


def _within(words: list[str], wanted: Collection[str], depth: int) -> Iterator[list[str]]:
    words = words[_assignments(words) :]
    if not words or not depth:
        return
    name = base_name(words[0])
    text = _shell_text(name, words)
    if text is not None:
        for command in split_commands(text) if _names_one(text, wanted) else ():
            yield from _within(command, wanted, depth - 1)
        return
    inner = _inner(name, words)
    if inner is None:
        yield words
    else:
        yield from _within(inner, wanted, depth - 1)


def _assignments(words: list[str]) -> int:
    """Return how many words stand before the program: ``A=b``, and the grammar's own."""
    for at, word in enumerate(words):
        name, equals, _ = word.partition("=")
        if word not in _KEYWORDS and not (equals and name.isidentifier()):
            return at
    return len(words)


def _shell_text(name: str, words: list[str]) -> str | None:
    """Return the text that ``words`` have a shell run, if they have."""
    if name in _SHELLS:
        at, of_text = _shell_options(words)
        # All of it: where a sensor joined the words by blanks, the text's own are apart.
        return " ".join(words[at:]) if of_text and at < len(words) else None
    if name == "eval":
        return " ".join(words[1:])
    if name == "env" and "-S" in words:
        return " ".join(words[words.index("-S") + 1 :])
    if name in _GIVE_TEXT:
        for at, word in enumerate(words):
            if word in {"-c", "--command"}:
                return " ".join(words[at + 1 :])
            if word.startswith("--command="):
                return word.partition("=")[2]
    return None


def _shell_options(words: list[str]) -> tuple[int, bool]:
    """Return where a shell's operands begin, and whether the first of them is a text to run."""
    at, of_text = 1, False
    while at < len(words) and len(words[at]) > 1 and words[at][0] in "-+":
        word = words[at]
        at += 1
        if word == "--":
            break
        if word[:2] != "--":
            of_text |= "c" in word
            at += "o" in word  # -o pipefail
    return at, of_text


def _inner(name: str, words: list[str]) -> list[str] | None:
    """Return the command behind a wrapper, or the script behind an interpreter."""
    if name in _WRAPPERS:
        return _unwrapped(words, *_WRAPPERS[name])
    if name in _SHELLS:
        return words[_shell_options(words)[0] :]
    if name in _INTERPRETERS or name.startswith("ld-"):
        return _script(words)
    return None


def _unwrapped(words: list[str], with_value: frozenset[str], operands: int) -> list[str]:
    at = 1
    while at < len(words) and len(words[at]) > 1 and words[at][0] == "-":
        word = words[at]
        at += 1
        if word == "--":
            break
        at += word in with_value or (word[1] != "-" and f"-{word[-1]}" in with_value)
    return words[at + operands :]


def _script(words: list[str]) -> list[str]:
    """Return the script, or the module after ``-m``, and its words."""
    at = 1
    while at < len(words) and words[at].startswith("-"):
        option = words[at]
        at += 1
        if option in {"-c", "-e"}:
            return []
        if option[:2] != "--" and "m" in option:
            module = option.partition("m")[2]
            return [module, *words[at:]] if module else words[at:]
        at += option in _WITH_VALUE
    return words[at:]


def _names_one(text: str, wanted: Collection[str]) -> bool:
    words = _without_ifs(text).translate(_BARE).split()
    return any(base_name(word.removeprefix("-m")) in wanted for word in words)


def _without_ifs(text: str) -> str:
    return text[:MAX_TEXT].replace("${IFS}", " ").replace("$IFS", " ")


def split_commands(text: str) -> list[list[str]]:
    """Return the simple commands of a shell text, as words without quotes and redirections."""
    splitter = _Splitter()
    for character in _without_ifs(text):
        splitter.take(character)
    splitter.end_command()
    return splitter.commands


@dataclass(slots=True)
class _Splitter:
    """What is known of a shell text up to one character of it."""

    commands: list[list[str]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    word: list[str] | None = None
    """Its characters; None between words, because an empty text in quotes is a word, too."""
    quote: str = ""
    """The quote that is open, or ``#`` in a comment."""
    escaped: bool = False
    redirected: bool = False
    """The next word is the target of a redirection."""

    def take(self, character: str) -> None:
        """Take the next character."""
        if self.escaped:
            self.escaped = False
            if character != "\n":
                self._add(character)
        elif self.quote:
            self._take_quoted(character)
        else:
            self._take_bare(character)

    def end_command(self) -> None:
        """Take the end of a command."""
        self._end_word()
        self.redirected = False
        if self.words:
            self.commands.append(self.words)
            self.words = []

    def _take_quoted(self, character: str) -> None:
        if self.quote == "#":
            if character == "\n":
                self.quote = ""
                self.end_command()
        elif character == self.quote:
            self.quote = ""
        elif character == "\\" and self.quote == '"':
            self.escaped = True
        else:
            self._add(character)

    def _take_bare(self, character: str) -> None:
        if character == "\\":
            self.escaped = True
        elif character in "'\"":
            self.quote = character
            self.word = self.word or []
        elif character in "<>":
            self._redirect()
        elif character in " \t\r":
            self._end_word()
        elif character in ";&|()\n`":
            if not (self.redirected and self.word is None and character in "&|"):  # 2>&1
                self.end_command()
        elif character == "#" and self.word is None:
            self.quote = "#"
        else:
            self._add(character)

    def _add(self, character: str) -> None:
        if self.word is None:
            self.word = []
        self.word.append(character)

    def _redirect(self) -> None:
        if self.word and "".join(self.word).isdigit():
            self.word = None  # 2>file
        self._end_word()
        self.redirected = True

    def _end_word(self) -> None:
        if self.word is None:
            return
        if self.redirected:
            self.redirected = False
        elif len(self.words) < MAX_WORDS:
            self.words.append("".join(self.word))
        self.word = None
