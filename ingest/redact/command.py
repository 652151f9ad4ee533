"""Command lines lose the credentials that stand in their arguments.

Separate from the text patterns because arguments still have their borders here: the word after
``--password`` is the secret, whatever it looks like.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingest.redact.names import names_a_secret

if TYPE_CHECKING:
    from ingest.redact.token import Redactor

_SEPARATE: Final = {
    "curl": ("-u", "--user", "-U", "--proxy-user", "-b"),
    "etcdctl": ("--user",),
    "redis-cli": ("-a",),
    "sshpass": ("-p",),
    "mongo": ("-p",),
    "mongosh": ("-p",),
    "mongodump": ("-p",),
    "az": ("-p",),
    "skopeo": ("--creds", "--src-creds", "--dest-creds"),
    "ldapsearch": ("-w",),
    "ldapadd": ("-w",),
    "ldapmodify": ("-w",),
    "smbclient": ("-U",),
    "sqlcmd": ("-P",),
}
"""Flags whose next word is a credential, from each program's manual page."""

_ATTACHED: Final = {
    **dict.fromkeys(("mysql", "mysqldump", "mysqladmin", "mariadb"), ("-p",)),
    **dict.fromkeys(("sshpass", "mongo", "mongosh", "mongodump"), ("-p",)),
    "curl": ("-u", "-U"),
}
"""Flags that a credential is attached to: ``-psecret``. To mysql a lone ``-p`` means "ask"."""

_LOGIN: Final = frozenset({"docker", "podman", "nerdctl", "registry", "buildah", "crane"})
"""Programs whose ``login`` takes ``-p`` and a password; elsewhere ``-p`` is a port."""

_LITERAL: Final = "--from-literal"
_ALTERS: Final = ";|&<>`\n"
"""Characters by which a word does more than give a value, where a shell reads it."""

_HARMLESS: Final = frozenset({"", "true", "false", "none", "null"})
_REFERENCES: Final = ("$(", "${", "`", "<(")
_SCRIPT_MAX: Final = 65_536
"""Characters of a script that is taken apart; of a longer one the text patterns see the rest."""


def redact_args(args: list[str], redactor: Redactor) -> list[str]:
    """Return the arguments with credentials replaced by tokens.

    Finds ``--name=value``, ``NAME=value``, ``--name value`` for names that announce a secret, and
    the flags of known programs, attached (``-psecret``) or not; within a word that is a script,
    too. What a shell would run is kept: ``PASSWORD=x;curl evil`` hides no more than ``x``.
    """
    return _redact_words(args, redactor, in_script=False)


def _redact_words(words: list[str], redactor: Redactor, *, in_script: bool) -> list[str]:
    out: list[str] = []
    separate: tuple[str, ...] = ()
    attached: tuple[str, ...] = ()
    earlier = before = ""
    for word in words:
        program = word.rpartition("/")[2]
        if program in _SEPARATE or program in _ATTACHED:
            separate, attached = _SEPARATE.get(program, ()), _ATTACHED.get(program, ())
        elif program == "login" and before.rpartition("/")[2] in _LOGIN:
            separate = ("-p",)
        in_shell = in_script or _runs_next(before)
        if _announces(earlier, before, separate) and _is_value(word):
            out.append(_redact_value(word, redactor, in_shell))
        elif before == _LITERAL:
            out.append(_redact_literal(word, redactor, in_shell))
        elif " " in word.strip() and (in_shell or not word.startswith("-")):
            out.append(_redact_script(word, redactor))
        else:
            out.append(_redact_word(word, attached, redactor, in_shell))
        earlier, before = before, word
    return out


def _runs_next(before: str) -> bool:
    """Whether the next word is a script: ``sh -c``, ``bash -lc``, ``perl -e``."""
    return before.startswith("-") and not before.startswith("--") and before.endswith(("c", "e"))


def _announces(earlier: str, before: str, separate: tuple[str, ...]) -> bool:
    """Whether a value comes next: after such a flag, or ``set aws_secret_access_key``."""
    if before in separate:
        return True
    is_name = before.startswith("-") or earlier == "set"
    return is_name and "=" not in before and names_a_secret(before)


def _is_value(word: str) -> bool:
    """Whether a word can be a literal secret: neither a flag, nor what a shell puts there."""
    if word.lower() in _HARMLESS or word.startswith(("-", *_REFERENCES, *_ALTERS)):
        return False
    variable = word.removeprefix("$").strip("\"'")
    return variable == word or not (variable.isupper() and variable.replace("_", "").isalnum())


def _redact_script(script: str, redactor: Redactor) -> str:
    if len(script) > _SCRIPT_MAX:
        return script
    return " ".join(_redact_words(script.split(" "), redactor, in_script=True))


def _redact_word(word: str, attached: tuple[str, ...], redactor: Redactor, in_shell: bool) -> str:
    if word.startswith(f"{_LITERAL}="):
        literal = word.removeprefix(f"{_LITERAL}=")
        return f"{_LITERAL}={_redact_literal(literal, redactor, in_shell)}"
    name, equals, value = word.partition("=")
    if equals and names_a_secret(name) and _is_value(value.lstrip("-")):
        return f"{name}={_redact_value(value, redactor, in_shell)}"
    for flag in attached:
        if word.startswith(flag) and _is_value(word[len(flag) :]):
            return flag + _redact_value(word[len(flag) :], redactor, in_shell)
    return word


def _redact_literal(word: str, redactor: Redactor, in_shell: bool) -> str:
    """Redact the value of ``key=value``."""
    key, equals, value = word.partition("=")
    return f"{key}={_redact_value(value, redactor, in_shell)}" if equals and value else word


def _redact_value(value: str, redactor: Redactor, in_shell: bool) -> str:
    """Redact a value, in a script only up to where a shell would begin something else."""
    if not in_shell:
        return redactor.token(value)
    ends = [at for mark in _ALTERS if (at := value.find(mark)) > 0]
    end = min(ends, default=len(value))
    return redactor.token(value[:end]) + value[end:]
